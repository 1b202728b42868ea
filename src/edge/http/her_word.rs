//! What a service is told when it takes her word, and what follows from it: fixed words by what she
//! stopped, whatever there was and whoever holds something (P5).

use serde_json::{Value, json};

use super::call::Call;
use crate::domain::answer::{Event, Happened, SeenNotice, SeenPause};
use crate::domain::card::Code;
use crate::domain::codes::WithdrawalScope;
use crate::domain::consent::HE_WAS_THERE;
use crate::domain::id::Id;
use crate::domain::journey::carding::Printed;
use crate::domain::journey::consenting::DueConsent;
use crate::domain::person::Token;
use crate::domain::stop_use::{REPLY_DAYS, Settling};
use crate::domain::time::When;
use crate::edge::wire::Secret;

/// To whoever was shown an assessment that is no longer as it was.
pub const SHOWN_RECORD_CORRECTED: &str = "A record that you were shown was corrected or taken back. \
     Do not rely on what you were shown: ask again.";

/// What goes on although she withdrew, and what cannot be undone: the same for every scope.
const GOES_ON: [&str; 4] = [
    "What a law requires goes on: to protect a child or an adult at risk, to follow an order of a \
     court, to investigate a crime.",
    "What was already read cannot be unread.",
    "Whoever was shown something is asked to stop using it, and to say within 30 days what became \
     of it. Who does not answer is put before an officer of its own.",
    "What was not delivered yet, if there was anything, is closed to everybody. What she stopped for \
     good is destroyed in the nights after, or later where a law requires that it be kept unread.",
];

/// Whom to complain to, about any of it.
const COMPLAIN_TO: [&str; 2] = [
    "the data protection officer of the service that you spoke with",
    "the Information Commissioner: ico.org.uk/make-a-complaint, 0303 123 1113",
];

const fn from_now(scope: WithdrawalScope) -> &'static str {
    match scope {
        WithdrawalScope::Everything => {
            "From now on nothing is shared on her word. You need no reason."
        }
        WithdrawalScope::Service => {
            "From now on nothing goes to these services, or from them, on her word. What she allows \
             others goes on. You need no reason."
        }
        WithdrawalScope::Class => {
            "From now on this kind of information is not shared on her word. What else she allows \
             goes on. You need no reason."
        }
        WithdrawalScope::Purpose => {
            "From now on nothing is shared for this purpose on her word. What she allows for other \
             purposes goes on. You need no reason."
        }
    }
}

/// The same whatever there was, for a withdrawal and for a pause.
pub fn took_body(id: Id, at: When, scope: WithdrawalScope) -> Value {
    json!({
        "id": id.to_string(),
        "effective_from": at.rfc3339(),
        "says": from_now(scope),
        "goes_on": GOES_ON,
        "answers_by": at.plus_days(REPLY_DAYS).day(),
        "complain_to": COMPLAIN_TO,
    })
}

pub fn settled_body(id: Id, how: Settling) -> Value {
    let says = match how {
        Settling::Confirm => "It was her word. It holds for good, from when it was first said.",
        Settling::Lift => "It was not her word. What she allowed goes on.",
    };
    json!({ "id": id.to_string(), "says": says })
}

/// Printed once: a repeated request gives no code.
pub fn card_body(printed: &Printed) -> Value {
    let questions: Vec<String> = printed.questions.iter().map(Code::printed).collect();
    json!({
        "withdrawal_code": printed.withdrawal.printed(),
        "question_codes": questions,
        "until": printed.until.day(),
        "says": "Print or write this down for her now: it is not shown again. With the first code \
                 she can stop sharing at any service, by telephone too, without saying who she is. \
                 Each of the others lets one service ask once what is known of her; she gives it \
                 only where she wants that. Hide the card as anything else that he must not find.",
    })
}

pub fn due_body(due: &[DueConsent]) -> Value {
    let due: Vec<Value> = due
        .iter()
        .map(|one| {
            let purposes: Vec<&str> = one.purposes.iter().map(|one| one.code()).collect();
            json!({
                "id": one.consent.id().to_string(),
                "person": one.person.to_string(),
                "purposes": purposes,
                "review_at": one.review_at.rfc3339(),
                "until": one.until.rfc3339(),
            })
        })
        .collect();
    json!({ "consents": due })
}

/// Something that happened, to the organisation whose it is.
pub fn event_json(event: &Event) -> Value {
    match &event.on {
        Happened::Referral(id) => json!({ "referral": id.to_string(), "status": event.code }),
        Happened::SealedItem(id) => json!({ "sealed_item": id.to_string(), "status": event.code }),
        Happened::StopUse(notice) => notice_json(notice),
        Happened::Pause(pause) => pause_json(pause),
        Happened::Corrected { person, since } => json!({
            "person": person.to_string(),
            "status": event.code,
            "since": since.day(),
            "says": SHOWN_RECORD_CORRECTED,
        }),
    }
}

// By the day, so that what two organisations are told cannot be matched by its second (P7).
fn notice_json(notice: &SeenNotice) -> Value {
    let shown: Vec<&str> = notice.shown.iter().map(|one| one.code()).collect();
    json!({
        "stop_use": notice.id.to_string(),
        "person": notice.person.to_string(),
        "status": notice.state.code(),
        "shown": shown,
        "since": notice.since.day(),
        "destroy_from": notice.destroyed_from.day(),
        "reply_by": notice.reply_by.day(),
        "reply": notice.replied.map(|reply| reply.code()),
    })
}

fn pause_json(pause: &SeenPause) -> Value {
    json!({
        "withdrawal": pause.id.to_string(),
        "status": pause.state.code(),
        "until": pause.until.rfc3339(),
    })
}

/// The reply with [`HE_WAS_THERE`], if it is said. It follows from what the caller itself sent.
pub fn warned(mut value: Value, he_was_there: bool) -> Value {
    if let Value::Object(map) = &mut value
        && he_was_there
    {
        map.insert("warning".to_owned(), json!(HE_WAS_THERE));
    }
    value
}

/// Where a code lies, if it can be one.
pub fn card_code(call: &Call, typed: Option<&Secret>) -> Option<Token> {
    // What can be no code is looked for like one, and found nowhere: it counts like any wrong one.
    let code = typed?;
    let rules = call.app.gateway.rules.load();
    let code = Code::parse(code.text()).unwrap_or_else(|| Code::drawn([0; 12]));
    Some(rules.card_code(&code))
}
