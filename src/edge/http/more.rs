//! Renders the answers of assessments, emergencies, governance and the log.

use serde_json::{Map, Value, json};

use super::call::Call;
use super::cards::{self, Shown};
use super::{
    audit, devices, drafts, emergencies, governance, her_word, links, offers, reconciliations,
    sealed_items, subject_access, transfers,
};
use crate::domain::alias::{AliasKind, Aliases};
use crate::domain::answer::Answer;
use crate::domain::time::When;
use crate::pipeline::{Entry, More, OpenedItem};

/// Status and fields of one answer, beyond those that [`super::reply`] renders itself.
pub fn body(
    call: &Call,
    (answer, at): (Answer, When),
    aliases: &Aliases,
    opened: &[OpenedItem],
    entries: &[Entry],
    told: &More,
) -> (u16, Map<String, Value>) {
    let word = answer.told();
    let rules = call.app.gateway.rules.load();
    let shown = Shown {
        aliases,
        instruments: &rules.instruments,
        opened,
    };
    let (status, mut map) = match answer {
        Answer::Assessed { assessment, ticks } => (
            201,
            fields(json!({ "id": assessment.id().to_string(), "ticks": ticks })),
        ),
        Answer::AssessmentWithdrawn => (
            200,
            fields(json!({
                "says": "It is gone. If it was the last in the place of an earlier one, that one \
                         stands again. Whoever was shown it is told to ask again and, if it was \
                         of somebody else, that it was.",
            })),
        ),
        Answer::AssessmentExists { is_sure } => (200, cards::exists(is_sure)),
        Answer::Assessments(list, _) => (200, shown.cards(&list)),
        Answer::ItemAnswers(one, _) => (200, shown.answers(&one)),
        Answer::OwnAssessments(list, _) => (200, shown.own(&list)),
        Answer::Emergency(list, lines, _) => {
            let view = emergencies::emergency_view(&list, &lines, opened, at);
            (200, view)
        }
        Answer::FollowedUp { emergency, asked } => {
            let body = emergencies::followed_up_body(emergency.id(), asked);
            (200, fields(body))
        }
        Answer::Emergencies(list) => (200, fields(emergencies::waiting_body(&list))),
        Answer::DraftKept { draft, kept } => (201, drafts::kept_body(&draft, &kept)),
        Answer::Drafts(list) => (200, drafts::list_body(&list)),
        Answer::Draft(draft, _) => (200, drafts::opened_body(&draft, opened)),
        Answer::DraftErased => (200, fields(json!({ "says": "It is gone, for good." }))),
        Answer::Entries(_) => {
            let kept = entries
                .iter()
                .map(|one| (one.index, audit::entry_json(one)));
            let gone = told
                .erased
                .iter()
                .map(|one| (one.index, audit::erased_json(one)));
            let mut list: Vec<(u64, Value)> = kept.chain(gone).collect();
            list.sort_by_key(|(index, _)| std::cmp::Reverse(*index));
            let list: Vec<Value> = list.into_iter().map(|(_, value)| value).collect();
            (200, fields(json!({ "entries": list })))
        }
        Answer::Trail(key) => (200, fields(json!({ "trail_key": key.to_text() }))),
        Answer::Queue(desk) => (200, audit::queue_body(&desk, &told.sum)),
        Answer::QueueItem(item, _) => (200, audit::item_body(&item, entries)),
        Answer::Flagged => (
            201,
            fields(
                json!({ "says": "From now, attempts about her by your own workers are shown to you." }),
            ),
        ),
        Answer::SealOpened(_) => (200, told.behind.map(audit::person_body).unwrap_or_default()),
        Answer::Proposed(id) => {
            let says = "Nothing changes until a second person of another organisation approves.";
            (
                201,
                fields(json!({ "id": id.id().to_string(), "says": says })),
            )
        }
        Answer::Proposals(list) => {
            let list: Vec<Value> = list.iter().map(governance::proposal_json).collect();
            (200, fields(json!({ "proposals": list })))
        }
        Answer::Approved(id) => (200, fields(json!({ "id": id.id().to_string() }))),
        Answer::SessionOpened { until, wants_spare } => (
            200,
            fields(json!({
                "session": call.opened_session(),
                "until": until.rfc3339(),
                "wants_spare": wants_spare,
            })),
        ),
        Answer::PasskeyAsked(asked) => (200, fields(devices::asked_body(&asked))),
        Answer::Devices(own) => (200, fields(devices::body(call, &own))),
        Answer::TakenAgain => (
            200,
            fields(json!({ "says": "It holds, from when it was made." })),
        ),
        Answer::Reconciling(collected) => (200, reconciliations::said(collected)),
        Answer::AdviserKey(key) => (200, fields(sealed_items::key_body(&key))),
        Answer::ItemSealed { item, until } => (
            201,
            fields(json!({
                "id": item.id().to_string(),
                "status": "advice_arranged",
                "until": until.rfc3339(),
            })),
        ),
        Answer::AdviceArranged { item } => (
            200,
            fields(json!({ "id": item.id().to_string(), "status": "advice_arranged" })),
        ),
        Answer::WaitingItems(items) => (200, fields(sealed_items::waiting_body(&items))),
        Answer::ItemCollected {
            item,
            sealed,
            service,
            ..
        } => {
            let mut map = sealed_items::collected_body(&sealed, &service, opened);
            map.insert("id".to_owned(), json!(item.id().to_string()));
            (200, map)
        }
        Answer::Links(list) => (200, fields(links::links_body(&list))),
        Answer::LinkDecided { link, state } => (
            200,
            fields(json!({ "id": link.id().to_string(), "state": state.code() })),
        ),
        Answer::Consented { consent } => (201, fields(json!({ "id": consent.id().to_string() }))),
        Answer::TookWord {
            withdrawal,
            at,
            scope,
        } => (200, fields(her_word::took_body(withdrawal.id(), at, scope))),
        Answer::PauseSettled { withdrawal, how } => {
            (200, fields(her_word::settled_body(withdrawal.id(), how)))
        }
        Answer::StopUseAnswered { notice, code } => (
            200,
            fields(json!({ "id": notice.id().to_string(), "reply": code.code() })),
        ),
        Answer::CardIssued(printed) => (201, fields(her_word::card_body(&printed))),
        Answer::ConsentsDue(due) => (200, fields(her_word::due_body(&due))),
        Answer::Access(seen, _) => {
            let status = match word {
                "subject-access-taken" => 201,
                _ => 200,
            };
            let words = |entry| subject_access::words(aliases, opened, entry);
            let mut map = subject_access::seen_body(&seen, words);
            if !seen.tells() && !opened.is_empty() {
                let why = subject_access::explanations(opened);
                map.insert("explanations".to_owned(), json!(why));
            }
            (status, map)
        }
        Answer::AccessList(list) => {
            let list = list.iter();
            let list = list.map(|seen| Value::Object(subject_access::seen_body(seen, |_| None)));
            (200, fields(json!({ "requests": list.collect::<Vec<_>>() })))
        }
        Answer::TransferAsked { referral } => (
            200,
            fields(json!({
                "id": referral.id().to_string(),
                "status": "waiting",
                "says": transfers::WAITS_SAYS,
            })),
        ),
        Answer::HandedOver(referral) => {
            (200, fields(transfers::handed_over(&referral, aliases, at)))
        }
        Answer::PassedOn(referral) => (200, offers::passed_on_body(referral.id())),
        Answer::HandedBack(referral) => (200, offers::handed_back_body(referral.id())),
        Answer::TakenBack(referral) => {
            let id = aliases.outward(AliasKind::Referral, referral.id.id());
            (
                200,
                fields(json!({ "id": id.to_string(), "says": transfers::TAKEN_BACK_SAYS })),
            )
        }
        _ => (200, Map::new()),
    };
    map.insert("result".to_owned(), json!(word));
    (status, map)
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}
