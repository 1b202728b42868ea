//! The published test vectors, `vectors.tsv`: what the normaliser makes of what people write.
//!
//! Keys depend on every byte of these, so a line may only change together with
//! [`NORMALISER_VERSION`](super::NORMALISER_VERSION). Another implementation must give the same.

use jiff::civil::date;

use super::{BirthDate, Email, Name, NhsNumber, Phone, PncId, Postcode, address, sound, variants};

const VECTORS: &str = include_str!("vectors.tsv");

/// What each kind of field is folded to; `-` where it counts as not known.
fn folded(kind: &str, text: &str) -> String {
    let found = match kind {
        "name" => Name::parse(text).ok().and_then(|name| {
            let name = name.folded().known()?;
            let parts: Vec<&str> = name.parts().collect();
            let whole = name.whole();
            let first = variants::first(whole);
            Some(format!(
                "{whole}\t{}\t{}\t{}",
                parts.join(" "),
                sound::of(whole),
                sound::of(first)
            ))
        }),
        "birth_date" => {
            let birth = BirthDate::parse(text, date(2026, 11, 20)).ok();
            birth.map(|birth| {
                let known = if birth.year_only() {
                    birth.year()
                } else {
                    birth.iso()
                };
                known.to_string()
            })
        }
        "phone" => Phone::parse(text)
            .ok()
            .map(|phone| phone.as_str().to_owned()),
        "email" => Email::parse(text)
            .ok()
            .map(|email| email.as_str().to_owned()),
        "postcode" => Postcode::parse(text)
            .ok()
            .map(|code| code.as_str().to_owned()),
        "nhs_number" => NhsNumber::parse(text)
            .ok()
            .map(|number| number.as_str().to_owned()),
        "pnc_id" => PncId::parse(text)
            .ok()
            .map(|number| number.as_str().to_owned()),
        "address_line" => address::fold(text).map(|home| home.to_string()),
        "address_near" => {
            let near = address::near(text);
            let near: Vec<&str> = near.iter().map(|home| home.as_str()).collect();
            (!near.is_empty()).then(|| near.join(","))
        }
        _ => panic!("{kind} is no kind of field"),
    };
    found.unwrap_or_else(|| "-".to_owned())
}

#[test]
fn the_published_vectors_hold() {
    let rows = VECTORS.lines().filter(|row| !row.starts_with('#'));
    let mut count = 0;
    for row in rows {
        let (kind, rest) = row.split_once('\t').unwrap();
        let (text, expected) = rest.split_once('\t').unwrap();
        assert_eq!(folded(kind, text), expected, "{kind} {text}");
        count += 1;
    }
    assert!(count >= 140);
}
