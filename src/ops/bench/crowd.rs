//! Invented people without end, so that each offer is of someone new.
//!
//! The same person again would be noticed as a second referral and read ever more of her history,
//! which is another measurement. NHS numbers are of the 999 range, which is never issued.

use serde_json::{Value, json};

use crate::domain::time::When;
use crate::ops::demo::borough::SERVICE;
use crate::ops::demo::people::{NEUTRAL_NOTE, referral};

const GIVEN: [&str; 16] = [
    "Amina", "Beth", "Carys", "Dilnoza", "Efua", "Freya", "Gwen", "Hana", "Ines", "Jaya", "Kezia",
    "Lena", "Maryam", "Nia", "Olive", "Petra",
];
const FAMILY: [&str; 16] = [
    "Abbot", "Bello", "Conti", "Dunne", "Elmi", "Farrow", "Gill", "Hosseini", "Ivory", "Jaber",
    "Karim", "Lowe", "Mensah", "Novak", "Okafor", "Price",
];
/// Nine digits of an NHS number, the range included.
const RANGE: u64 = 999_000_000;
/// Places in the range. The last one, ten nines, is what people type to get past a form, and
/// refused.
const NUMBERS: u64 = 999_999;
/// Dates of birth lie on so many days from the first.
const DAYS: i64 = 18_000;
const FIRST_BIRTH: When = When::from_millis(-631_152_000_000);

fn pick<'a>(names: &[&'a str], number: u64) -> &'a str {
    let place = usize::try_from(number).unwrap_or(0) % names.len().max(1);
    names.get(place).copied().unwrap_or_default()
}

/// The tenth digit, or `None` where the number would need an eleventh value: never issued.
fn check_digit(nine: u64) -> Option<u64> {
    let (mut rest, mut sum) = (nine, 0);
    for weight in 2..=10 {
        sum += rest % 10 * weight;
        rest /= 10;
    }
    match 11 - sum % 11 {
        11 => Some(0),
        10 => None,
        digit => Some(digit),
    }
}

/// The number at a place of the range: `None` beyond its end, and for one in eleven that have no
/// check digit.
pub fn nhs_number(place: u64) -> Option<String> {
    let nine = (place < NUMBERS).then_some(RANGE + place)?;
    check_digit(nine).map(|check| format!("{nine}{check}"))
}

/// Who somebody of the crowd is.
pub fn identity(number: u64) -> Value {
    let days = i64::try_from(number.wrapping_mul(7_919) % DAYS.unsigned_abs()).unwrap_or(0);
    let born = FIRST_BIRTH.plus_days(days).rfc3339();
    let mut person = json!({
        "given_name": pick(&GIVEN, number),
        "family_name": pick(&FAMILY, number / 16),
        "birth_date": born.get(..10).unwrap_or_default(),
    });
    if let (Some(nhs), Value::Object(map)) = (nhs_number(number % NUMBERS), &mut person) {
        map.insert("nhs_number".to_owned(), json!(nhs));
    }
    person
}

/// The offer of one person: identity, safe contact, consent and a note, as JSON.
pub fn offer(number: u64, now: When) -> Vec<u8> {
    referral_to(SERVICE, &identity(number), now)
        .to_string()
        .into_bytes()
}

/// The same of anybody, to any service.
pub fn referral_to(service: &str, identity: &Value, now: When) -> Value {
    let reported = now.plus_hours(-1);
    referral(service, identity, reported, Some(NEUTRAL_NOTE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::NhsNumber;
    use std::collections::BTreeSet;

    #[test]
    fn the_people_differ_and_their_numbers_are_sound() {
        let mut seen = BTreeSet::new();
        for number in (0..1_000).chain(NUMBERS - 1_000..NUMBERS) {
            let person = identity(number);
            if let Some(nhs) = person.get("nhs_number") {
                assert!(NhsNumber::parse(nhs.as_str().unwrap()).is_ok(), "{nhs}");
            }
            let names = ["given_name", "family_name", "birth_date"];
            let names = names.map(|name| person[name].to_string());
            assert!(seen.insert(names), "{number}");
        }
    }
}
