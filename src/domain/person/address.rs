//! The first line of an address, folded to what two agencies are likely to write alike.
//!
//! A home is shared: an address never says who someone is. It only corroborates a name and a date.

use deunicode::deunicode_char;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Words for a dwelling inside a house, which one agency writes and another does not.
const DWELLINGS: [&str; 8] = [
    "apartment",
    "apt",
    "flat",
    "floor",
    "house",
    "room",
    "studio",
    "unit",
];

/// What a word of an address is short for.
const SHORT: [(&str, &str); 18] = [
    ("av", "avenue"),
    ("ave", "avenue"),
    ("cl", "close"),
    ("cres", "crescent"),
    ("crt", "court"),
    ("ct", "court"),
    ("dr", "drive"),
    ("est", "estate"),
    ("gdns", "gardens"),
    ("gr", "grove"),
    ("la", "lane"),
    ("ln", "lane"),
    ("pk", "park"),
    ("pl", "place"),
    ("rd", "road"),
    ("sq", "square"),
    ("st", "street"),
    ("ter", "terrace"),
];

/// All numbers in the order written, then the words of the part that holds the last number:
/// "Flat 30, 11 Windsor Ct" and "30/11 WINDSOR COURT" are `30 11 windsor court`. `None` without a
/// number and a word: a street or a house name alone is shared by too many.
pub(super) fn fold(line: &str) -> Option<Zeroizing<String>> {
    let mut plain = Zeroizing::new(String::with_capacity(line.len().saturating_mul(2)));
    for letter in line.nfkc() {
        plain.push_str(deunicode_char(letter).unwrap_or_default());
    }
    plain.make_ascii_lowercase();
    let mut numbers = Zeroizing::new(String::with_capacity(plain.len()));
    let mut street = Zeroizing::new(String::with_capacity(plain.len()));
    for part in plain.split(',') {
        let mut numbered = false;
        let mut words = Zeroizing::new(String::with_capacity(part.len()));
        for word in part.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '\'') {
            if word.starts_with(|letter: char| letter.is_ascii_digit()) {
                numbers.push_str(word);
                numbers.push(' ');
                numbered = true;
            } else if !word.is_empty() && !DWELLINGS.contains(&word) {
                let whole = SHORT.iter().find(|(short, _)| *short == word);
                let whole = whole.map_or(word, |(_, long)| *long);
                words.extend(whole.chars().filter(char::is_ascii_lowercase));
                words.push(' ');
            }
        }
        // The street is the part with its number; "St Mary's House, 12 High Street".
        if !words.is_empty() && (numbered || street.is_empty()) {
            street = words;
        }
    }
    (!numbers.is_empty() && !street.is_empty()).then(|| {
        let mut whole = Zeroizing::new(String::with_capacity(numbers.len() + street.len()));
        whole.push_str(&numbers);
        whole.push_str(street.trim_end());
        whole
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn folded(line: &str) -> Option<String> {
        fold(line).map(|folded| folded.to_string())
    }

    #[test]
    fn one_home_is_written_one_way() {
        for same in [
            "Flat 30, 11 Windsor Court",
            "30/11 windsor ct",
            "Apt. 30, 11, Windsor Ct.",
        ] {
            assert_eq!(
                folded(same).as_deref(),
                Some("30 11 windsor court"),
                "{same}"
            );
        }
        assert_eq!(
            folded("St Mary's House, 12A High St").as_deref(),
            Some("12a high street")
        );
        assert_ne!(folded("11 Windsor Court"), folded("12 Windsor Court"));
    }

    #[test]
    fn a_street_without_a_number_is_shared_by_too_many() {
        for none in ["Windsor Court", "12", "", "  ", "–"] {
            assert_eq!(folded(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn folding_never_panics(line: String) {
            let _ = fold(&line);
        }
    }
}
