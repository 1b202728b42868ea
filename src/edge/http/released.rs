//! What a released item says, in JSON: who she is, how to reach her safely, and what comes with that.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value, json};

use super::reply::object;
use super::transfers;
use crate::domain::codes::DataClass;
use crate::domain::id::Id;
use crate::domain::person::{SafeContact, Who};
use crate::domain::referral::Referral;
use crate::pipeline::OpenedItem;

/// A box of custody `own`, and before it the name of the referral to which it is bound: that of the
/// day when it was sealed.
pub fn sealed_json(resealed: &[u8]) -> Map<String, Value> {
    let Some((name, boxed)) = resealed.split_first_chunk() else {
        return Map::new();
    };
    object(json!({
        "sealed_as": Id::from_bytes(*name).to_string(),
        "sealed_to_you": BASE64_STANDARD.encode(boxed),
    }))
}

pub fn released_json(referral: &Referral, opened: &[OpenedItem]) -> Value {
    let mut map = Map::new();
    for item in opened {
        let name = Some(item.part.item);
        let (key, value) = if name == referral.identity_item {
            (
                "identity",
                Who::decode(&item.plain).ok().map(|who| identity_json(&who)),
            )
        } else if name == referral.contact_item {
            let value = transfers::contact_value(referral, &item.plain);
            ("safe_contact", Some(value))
        } else if name == referral.carried_item {
            ("carried", Some(transfers::carried_json(item)))
        } else if name == referral.other_party_item {
            ("other_party", transfers::other_party_json(&item.plain))
        } else if name == referral.note_item {
            (
                "note",
                std::str::from_utf8(&item.plain)
                    .ok()
                    .map(|text| json!(text)),
            )
        } else if name == referral.language_item {
            (
                "interpreter_language",
                std::str::from_utf8(&item.plain)
                    .ok()
                    .map(|text| json!(text)),
            )
        } else if name == referral.resealed_item && item.part.class == DataClass::Id {
            map.append(&mut sealed_json(&item.plain));
            continue;
        } else {
            continue;
        };
        map.insert(key.to_owned(), value.unwrap_or(Value::Null));
    }
    if referral.contact_stopped {
        map.insert(
            "safe_contact_stopped".to_owned(),
            json!(transfers::STOP_SAYS),
        );
    }
    Value::Object(map)
}

fn identity_json(who: &Who) -> Value {
    let other: Vec<&str> = who.other_names().iter().map(|name| name.as_str()).collect();
    json!({
        "given_name": who.given_name().map(|name| name.as_str()),
        "family_name": who.family_name().map(|name| name.as_str()),
        "other_names": other,
        "birth_date": who.birth_date().map(|date| date.iso().to_string()),
        "sex": who.sex().map(|sex| sex.code()),
        "nhs_number": who.nhs_number().map(|number| number.spaced().to_string()),
        "crime_ref": who.crime_ref().map(|reference| reference.as_str()),
    })
}

pub fn contact_json(contact: &SafeContact) -> Value {
    let modes: Vec<&str> = contact.modes().iter().map(|mode| mode.code()).collect();
    json!({
        "modes": modes,
        "number": contact.number().map(|number| number.as_str()),
        "email": contact.email().map(|email| email.as_str()),
        "hours": contact.hours(),
        "who_may_answer": contact.who_may_answer(),
        "code_word": contact.code_word(),
        "voicemail": contact.voicemail(),
        "text": contact.text(),
        "letters": contact.letters(),
        "last_checked_at": contact.last_checked_at().map(|at| at.rfc3339()),
        "checked": contact.checked(),
    })
}
