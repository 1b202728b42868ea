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

/// How many letters a street or the name of a house begins with are taken for it. A slip comes after
/// them more often than among them.
const START_LETTERS: usize = 4;

/// Parts of an address of which the beginning counts.
const PARTS_MAX: usize = 3;

/// All numbers in the order written, then the words of the part that holds the last number:
/// "Flat 30, 11 Windsor Ct" and "30/11 WINDSOR COURT" are `30 11 windsor court`. `None` without a
/// number and a word: a street or a house name alone is shared by too many.
pub(super) fn fold(line: &str) -> Option<Zeroizing<String>> {
    let plain = plain(line);
    let mut numbers = Zeroizing::new(String::with_capacity(plain.len()));
    let mut street = Zeroizing::new(String::with_capacity(plain.len()));
    for part in plain.split(',') {
        let mut numbered = false;
        let mut words = Zeroizing::new(String::with_capacity(part.len()));
        for word in words_of(part) {
            if is_number(word) {
                numbers.push_str(word);
                numbers.push(' ');
                numbered = true;
            } else if !DWELLINGS.contains(&word) {
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

/// All numbers, without their letters, with the beginning of each part that has words: two homes
/// that share one of these are one home with a misspelt street, or of which one record leaves out
/// the name of the house or puts it behind the street. "12A High Street, Rose Cottage" is `12 high`
/// and `12 rose`; none without a number.
pub(super) fn near(line: &str) -> Vec<Zeroizing<String>> {
    let plain = plain(line);
    let mut numbers = Zeroizing::new(String::with_capacity(plain.len()));
    for word in plain.split(',').flat_map(words_of) {
        if is_number(word) {
            numbers.extend(word.chars().take_while(char::is_ascii_digit));
            numbers.push(' ');
        }
    }
    if numbers.is_empty() {
        return Vec::new();
    }
    let starts = plain.split(',').filter_map(|part| {
        let words = words_of(part);
        let words = words.filter(|word| !is_number(word) && !DWELLINGS.contains(word));
        let letters = words.flat_map(str::chars).filter(char::is_ascii_lowercase);
        let mut near = Zeroizing::new(String::with_capacity(numbers.len() + START_LETTERS));
        near.push_str(&numbers);
        near.extend(letters.take(START_LETTERS));
        (near.len() == numbers.len() + START_LETTERS).then_some(near)
    });
    starts.take(PARTS_MAX).collect()
}

fn plain(line: &str) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(line.len().saturating_mul(2)));
    for letter in line.nfkc() {
        plain.push_str(deunicode_char(letter).unwrap_or_default());
    }
    plain.make_ascii_lowercase();
    plain
}

fn words_of(part: &str) -> impl Iterator<Item = &str> {
    part.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '\'')
        .filter(|word| !word.is_empty())
}

fn is_number(word: &str) -> bool {
    word.starts_with(|letter: char| letter.is_ascii_digit())
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

    fn nearly(one: &str, other: &str) -> bool {
        let others = near(other);
        near(one).iter().any(|near| others.contains(near))
    }

    #[test]
    fn a_misspelt_street_and_a_house_name_left_out_are_nearly_one_home() {
        for (one, other) in [
            ("11 Windsor Court", "11 Windosr Ct"),
            ("11 Windsor Court", "11a windsorcourt"),
            ("Rose Cottage, 12 High Street", "12 High St"),
            ("12 High Street, Rose Cottage", "12 Rose Cottage"),
            ("Flat 3, 12 High Street", "3/12 High Sreet"),
        ] {
            assert!(nearly(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("11 Windsor Court", "12 Windsor Court"),
            ("Flat 3, 12 High Street", "Flat 4, 12 High Street"),
            ("12 St Mary's Road", "12 St John's Road"),
            ("11 Windsor Court", "11 Chapel Court"),
            ("Windsor Court", "Windsor Court"),
            ("11", "11"),
        ] {
            assert!(!nearly(one, other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn folding_never_panics(line: String) {
            let _ = fold(&line);
            assert!(near(&line).len() <= PARTS_MAX);
        }
    }
}
