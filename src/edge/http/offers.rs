//! What a service and a sender are told of an offer that waits: by when it is to be answered, that it
//! was passed on, and whom to call meanwhile.

use serde_json::{Map, Value, json};

use crate::domain::asking::waits;
use crate::domain::id::Id;
use crate::domain::referral::Referral;
use crate::domain::time::When;

/// Shown to a sender when no service accepted her in time: the same whoever was asked, whether it
/// declined or said nothing, and if she stopped it.
const NO_ANSWER_SAYS: &str = "No service has taken her on yet. Call her, and give her the National \
     Domestic Abuse Helpline, day and night: 0808 2000 247; in danger, 999. Refer her anew if she \
     agrees.";

/// Said with every offer of high urgency, before anybody has answered.
const MEANWHILE_SAYS: &str = "Until a service takes her on: the National Domestic Abuse \
     Helpline, day and night, 0808 2000 247; in danger, 999.";

/// To a service that had it: the same whether it declined or did not answer in time.
const PASSED_ON_SAYS: &str = "This is closed for you. Do not contact her.";

/// By when the service that is asked is to answer, and how that stands; null once it has.
pub fn answer_json(referral: &Referral, now: When) -> Value {
    let Some((since, by)) = referral.awaited() else {
        return Value::Null;
    };
    json!({ "by": by.rfc3339(), "state": waits(since, by, now).code() })
}

pub fn no_answer_json() -> Value {
    json!({ "code": "expired", "says": NO_ANSWER_SAYS })
}

/// What to do while an offer waits, if it is urgent.
pub const fn meanwhile(is_high: bool) -> Option<&'static str> {
    if is_high { Some(MEANWHILE_SAYS) } else { None }
}

pub fn passed_on_body(id: Id) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("id".to_owned(), json!(id.to_string()));
    map.insert("status".to_owned(), json!("closed"));
    map.insert("says".to_owned(), json!(PASSED_ON_SAYS));
    map
}
