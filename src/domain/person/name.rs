//! Names as people write them, and folded to letters that can be compared.
//!
//! Folding loses much on purpose, so a folded name alone never says who someone is.

use borsh::{BorshDeserialize, BorshSerialize};
use deunicode::deunicode_char;
use unicode_normalization::UnicodeNormalization;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::field::BadField;
use super::line::Line;

/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// What forms hold when nobody knows the name. Two such records are not the same person.
const PLACEHOLDERS: [&str; 21] = [
    "anon",
    "anonymous",
    "baby",
    "babyboy",
    "babygirl",
    "declined",
    "fnu",
    "infant",
    "lnu",
    "nk",
    "nfn",
    "noname",
    "notgiven",
    "notknown",
    "notprovided",
    "notstated",
    "refused",
    "tbc",
    "twin",
    "unknown",
    "unnamed",
];

/// What stands before a given name and is none.
const TITLES: [&str; 12] = [
    "dr", "master", "miss", "mr", "mrs", "ms", "mx", "pc", "prof", "rev", "revd", "sir",
];

/// Words that join the parts of a name and are often left out.
const PARTICLES: [&str; 26] = [
    "abd", "abu", "al", "bin", "bint", "binti", "da", "das", "de", "del", "della", "den", "der",
    "di", "do", "dos", "du", "e", "el", "ibn", "la", "le", "mc", "ul", "van", "von",
];

/// A given, family or other name as it was written: 1 to 100 characters with at least one letter.
#[derive(ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct Name(Line<NAME_CHARS_MAX>);

impl Name {
    /// # Errors
    /// Too long, control characters, or no letter of any script.
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let line = Line::parse(text)?;
        if line.as_str().chars().any(char::is_alphabetic) {
            Ok(Self(line))
        } else {
            Err(BadField(
                "holds no letter; leave it out if the name is not known",
            ))
        }
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name in `a-z`, in parts. The same for composed and decomposed letters, capitals, and
    /// all kinds of apostrophe, hyphen and space.
    pub fn folded(&self) -> Folded {
        Folded::of(self.as_str())
    }
}

/// A name folded to parts of `a-z`: "Smith-O’Brien" is `smith`, `obrien`.
#[derive(ZeroizeOnDrop)]
pub struct Folded {
    parts: Vec<String>,
}

impl Folded {
    fn of(text: &str) -> Self {
        // Composed first: marks of some scripts are vowels, and dropping them would make
        // different names equal.
        let mut plain = Zeroizing::new(String::with_capacity(text.len().saturating_mul(4)));
        for letter in text.nfkc() {
            let written = deunicode_char(letter).unwrap_or_default();
            // A picture is told in words, which are nobody's name.
            if letter.is_alphabetic() || !written.contains(|one: char| one.is_ascii_alphabetic()) {
                plain.push_str(written);
            }
        }
        plain.make_ascii_lowercase();
        let mut folded = Self { parts: Vec::new() };
        for part in plain.split(|letter: char| {
            letter.is_ascii_whitespace() || matches!(letter, '-' | '_' | '/' | ',' | '&' | '+')
        }) {
            let mut kept = String::with_capacity(part.len());
            kept.extend(part.chars().filter(char::is_ascii_lowercase));
            if !kept.is_empty() {
                folded.parts.push(kept);
            }
        }
        folded
    }

    /// The parts in the order written; none if the script cannot be transliterated.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(String::as_str)
    }

    /// All parts together, so that "Mary Ann", "Mary-Ann" and "Maryann" agree.
    pub fn joined(&self) -> Zeroizing<String> {
        let bytes = self.parts.iter().map(String::len).sum();
        let mut joined = Zeroizing::new(String::with_capacity(bytes));
        for part in &self.parts {
            joined.push_str(part);
        }
        joined
    }

    /// The name as it is compared: without titles. `None` if it is empty or stands for "not known".
    pub fn known(&self) -> Option<Known> {
        let titles = self.parts.iter();
        let titles = titles.take_while(|part| TITLES.contains(&part.as_str()));
        let titles = titles.count().min(self.parts.len().saturating_sub(1));
        let parts: Vec<String> = self.parts.iter().skip(titles).cloned().collect();
        let whole = parts.concat();
        // "Baby of Amina", "Twin two Khan": the name of somebody else.
        let of_another = parts.len() > 1
            && matches!(
                parts.first().map(String::as_str),
                Some("baby" | "infant" | "twin")
            );
        let known = Known { whole, parts };
        let stands_for_nothing = PLACEHOLDERS.contains(&known.whole.as_str());
        (!known.whole.is_empty() && !stands_for_nothing && !of_another).then_some(known)
    }
}

/// A folded name that says something.
#[derive(ZeroizeOnDrop)]
pub struct Known {
    whole: String,
    parts: Vec<String>,
}

impl Known {
    /// All parts together, so that "Mary Ann", "Mary-Ann" and "Maryann" agree.
    pub fn whole(&self) -> &str {
        &self.whole
    }

    /// The parts that name someone: "de Souza e Silva" has `souza` and `silva`. A name of one part
    /// is its own part.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let names = |part: &str| part.len() > 1 && !PARTICLES.contains(&part);
        let none = !self.parts.iter().any(|part| names(part));
        let whole = none.then_some(self.whole.as_str());
        let parts = self.parts.iter().map(String::as_str);
        whole
            .into_iter()
            .chain(parts.filter(move |part| names(part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(text: &str) -> String {
        Name::parse(text)
            .ok()
            .unwrap()
            .folded()
            .joined()
            .to_string()
    }

    #[test]
    fn spellings_of_one_name_agree() {
        for (spellings, folded) in [
            (
                &[
                    "O’Brien",
                    "O'Brien",
                    "OBrien",
                    "o brien",
                    "Oʼbrien",
                    "O`Brien",
                ][..],
                "obrien",
            ),
            (&["Siân", "Sia\u{302}n", "SIAN", "Ｓｉａｎ"], "sian"),
            (&["Łukasz", "Lukasz"], "lukasz"),
            (&["Bjørn", "Bjorn"], "bjorn"),
            (&["Mary-Ann", "Mary Ann", "Mary‑Ann", "Maryann"], "maryann"),
            (&["Adé\u{301}", "Ade"], "ade"),
            (&["St. John", "St John", "StJohn"], "stjohn"),
            (&["Nguyễn", "Nguyen"], "nguyen"),
        ] {
            for spelling in spellings {
                assert_eq!(joined(spelling), folded, "{spelling}");
            }
        }
    }

    #[test]
    fn other_scripts_give_letters_and_stay_apart() {
        let names = ["Ольга", "محمد", "李娜", "रीता", "रेता", "Ελένη"];
        let folded: std::collections::BTreeSet<String> =
            names.iter().map(|name| joined(name)).collect();
        assert_eq!(folded.len(), names.len());
        assert!(folded.iter().all(|name| !name.is_empty()));
    }

    #[test]
    fn a_double_barrelled_name_has_parts() {
        let name = Name::parse("Smith–O’Brien Jones").ok().unwrap();
        let folded = name.folded();
        assert_eq!(
            folded.parts().collect::<Vec<_>>(),
            ["smith", "obrien", "jones"]
        );
    }

    #[test]
    fn a_name_that_nobody_knows_means_nothing() {
        for nobody in ["Unknown", "NOT KNOWN", "not-known", "N/K", "Baby Girl"] {
            assert!(Name::parse(nobody).ok().unwrap().folded().known().is_none());
        }
        assert!(Name::parse("Na").ok().unwrap().folded().known().is_some());
    }

    #[test]
    fn a_name_is_one_bounded_line_with_a_letter() {
        assert!(Name::parse(&"é".repeat(100)).is_ok());
        for bad in [
            "",
            "  ",
            "---",
            "12",
            "A\nB",
            "A\u{0}",
            "A\u{202E}B",
            &"a".repeat(101),
        ] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn folding_never_panics_and_leaves_only_small_letters(text: String) {
            if let Ok(name) = Name::parse(&text) {
                let folded = name.folded();
                prop_assert!(folded.joined().bytes().all(|byte| byte.is_ascii_lowercase()));
                prop_assert!(folded.parts().all(|part| !part.is_empty()));
            }
        }

        #[test]
        fn case_does_not_matter(text in "[A-Za-zÀ-ÖØ-öø-ÿ' -]{1,40}") {
            if let Ok(name) = Name::parse(&text) {
                prop_assert_eq!(name.folded().joined().to_string(), joined(&text.to_lowercase()));
            }
        }
    }
}
