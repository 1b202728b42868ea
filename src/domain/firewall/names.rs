//! Recognises the names of those who enforce immigration law, so that none of them is enrolled (F1).
//!
//! Used on what an applicant writes: the subject and the addresses of a certificate request, and
//! the names of an organisation or a team. It prefers to refuse: whoever bears such a name by
//! chance ("Care Home Office") is enrolled under another. It never reads what is written about a
//! person, and passing it proves nothing: two people still approve every enrolment.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What is longer than this is no name, and is refused unread.
pub const NAME_CHARS_MAX: usize = 1_024;

/// Found however they are spaced, joined or punctuated, if they begin where a word begins or lie
/// within one word. `&` is read as "and".
const PHRASES: &[&str] = &[
    "home office",
    "border force",
    "border agency",
    "border and immigration agency",
    "border security command",
    "immigration enforcement",
    "immigration compliance and enforcement",
    "immigration intelligence",
    "immigration removal",
    "immigration officer",
    "immigration and nationality directorate",
    "uk visas",
    "uk visa and immigration",
    "visas and immigration",
    "enforcement and removals",
    "removals enforcement",
    "returns enforcement",
    "national command and control unit",
    "passport office",
    // Run by Immigration Enforcement, though councils know it as a service of their own.
    "nrpf connect",
    // The same bodies in Welsh.
    "swyddfa gartref",
    "gorfodi mewnfudo",
    "gorfodaeth mewnfudo",
    "llu ffiniau",
    "llu'r ffiniau",
    "fisau a mewnfudo",
];

/// Short names: whole words only, so that "UK Vision Trust" is not UKVI.
const ACRONYMS: &[&str] = &["ukvi", "ukba", "ukbf", "hmpo"];

/// Whether the text names the Home Office, UKVI, Border Force, Immigration Enforcement or a part
/// of them, whatever its case, spacing, punctuation or look-alike letters.
pub fn immigration_enforcement_name(text: &str) -> bool {
    if text.chars().nth(NAME_CHARS_MAX).is_some() {
        return true;
    }
    // "H0me" hides a letter behind a digit; in "UKVI2" the digit is only a digit.
    [Digits::AreLetters, Digits::PartWords]
        .into_iter()
        .any(|digits| Joined::of(&skeleton(text, digits)).is_enforcement())
}

/// All words written as one, with the places where words begin.
struct Joined {
    /// ASCII letters only, so every place in it is a character.
    letters: String,
    /// Ascending; the last is the end of the text.
    edges: Vec<usize>,
}

impl Joined {
    fn of(skeleton: &str) -> Self {
        let mut joined = Self {
            letters: String::new(),
            edges: vec![0],
        };
        for word in skeleton.split(' ').filter(|word| !word.is_empty()) {
            joined.letters.push_str(word);
            joined.edges.push(joined.letters.len());
        }
        joined
    }

    fn is_enforcement(&self) -> bool {
        PHRASES.iter().any(|phrase| self.holds_phrase(phrase))
            || ACRONYMS.iter().any(|acronym| self.holds_word(acronym))
    }

    fn holds_phrase(&self, phrase: &str) -> bool {
        self.places(phrase).into_iter().any(|(from, to)| {
            (self.is_edge(from) || self.within_one_word(from, to)) && !self.is_officer(to)
        })
    }

    fn holds_word(&self, acronym: &str) -> bool {
        self.places(acronym)
            .into_iter()
            .any(|(from, to)| self.is_edge(from) && self.is_edge(to))
    }

    /// Where the name lies in the letters: from, to.
    fn places(&self, name: &str) -> Vec<(usize, usize)> {
        let needle = skeleton(name, Digits::AreLetters).replace(' ', "");
        (0..self.letters.len())
            .filter(|at| {
                let rest = self.letters.get(*at..);
                rest.is_some_and(|rest| rest.starts_with(&needle))
            })
            .map(|at| (at, at + needle.len()))
            .collect()
    }

    fn is_edge(&self, at: usize) -> bool {
        self.edges.binary_search(&at).is_ok()
    }

    fn within_one_word(&self, from: usize, to: usize) -> bool {
        !self.edges.iter().any(|edge| from < *edge && *edge < to)
    }

    /// "Home Officers' Club" is about people, not about the office.
    fn is_officer(&self, to: usize) -> bool {
        let next_edge = self.edges.iter().find(|edge| **edge >= to);
        let rest = next_edge.and_then(|edge| self.letters.get(to..*edge));
        matches!(rest, Some("r" | "rs"))
    }
}

#[derive(Clone, Copy)]
enum Digits {
    AreLetters,
    PartWords,
}

/// The text as the eye takes it: a-z, with a space for whatever parts words. `l` is written `i`,
/// because one shape serves for both.
fn skeleton(text: &str, digits: Digits) -> String {
    let mut plain = String::with_capacity(text.len());
    let visible = |c: &char| !is_combining_mark(*c) && !is_invisible(*c);
    for c in text.nfkd().filter(visible) {
        match twin(c).or_else(|| enclosed(c)) {
            Some(letter) => plain.push(letter),
            None if c == '&' => plain.push_str(" and "),
            None if c.is_ascii() => plain.push(c),
            None => plain.push_str(deunicode::deunicode_char(c).unwrap_or(" ")),
        }
    }
    plain
        .chars()
        .map(|c| match (c.to_ascii_lowercase(), digits) {
            ('l' | '|' | '!', _) | ('1', Digits::AreLetters) => 'i',
            ('@', _) | ('4', Digits::AreLetters) => 'a',
            ('$', _) | ('5', Digits::AreLetters) => 's',
            ('0', Digits::AreLetters) => 'o',
            ('3', Digits::AreLetters) => 'e',
            ('6' | '8', Digits::AreLetters) => 'b',
            ('7', Digits::AreLetters) => 't',
            ('9', Digits::AreLetters) => 'g',
            (letter @ 'a'..='z', _) => letter,
            _ => ' ',
        })
        .collect()
}

/// Signs without a width, which join what they stand in.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

/// The Latin letter that a character looks like. Looks come before sound: a transliterator reads
/// the Cyrillic `Н` as N, the eye as H. Whole-letter twins as in Unicode's `confusables.txt`
/// (UTS 39), for the letters that occur in the names above.
fn twin(c: char) -> Option<char> {
    Some(match c {
        'А' | 'а' | 'Α' | 'α' | 'ɑ' | 'Ꭺ' => 'a',
        'В' | 'в' | 'Β' | 'β' | 'ß' | 'Ь' | 'ь' => 'b',
        'С' | 'с' | 'Ϲ' | 'ϲ' | 'Ꮯ' | 'ᑕ' | '¢' => 'c',
        'ԁ' | 'Ꭰ' | 'ɗ' => 'd',
        'Е' | 'е' | 'Ε' | 'ε' | 'є' | 'Є' | 'Ꭼ' | '℮' | '€' => 'e',
        'Ϝ' | 'ϝ' | 'ƒ' | 'ſ' | 'Ғ' | 'ғ' => 'f',
        'ԍ' | 'Ԍ' | 'ɡ' | 'ց' | 'Ꮐ' => 'g',
        'Н' | 'н' | 'Η' | 'һ' | 'Һ' | 'հ' | 'Ꮋ' => 'h',
        'І' | 'і' | 'Ι' | 'ι' | 'ı' | 'ɩ' | 'Ӏ' | 'ӏ' | 'Ꭵ' | 'ǀ' | 'ו' | 'ן' => 'i',
        'К' | 'к' | 'Κ' | 'κ' | 'Ꮶ' => 'k',
        'М' | 'м' | 'Μ' | 'Ϻ' | 'Ꮇ' => 'm',
        'Ν' | 'ո' | 'п' | 'η' | 'Ո' | 'И' | 'и' => 'n',
        'О' | 'о' | 'Ο' | 'ο' | 'σ' | 'Օ' | 'օ' | 'ס' | 'Ⲟ' | 'ⲟ' | 'ø' | 'Ø' => 'o',
        'Р' | 'р' | 'Ρ' | 'ρ' | 'Ꮲ' => 'p',
        'г' | 'Ꭱ' | 'Я' | 'я' => 'r',
        'Ѕ' | 'ѕ' | 'Տ' | 'Ꮪ' | '§' => 's',
        'Т' | 'т' | 'Τ' | 'τ' | 'Ꭲ' | '†' => 't',
        'υ' | 'ս' | 'Ս' | 'ʋ' | 'µ' | 'μ' => 'u',
        'Ѵ' | 'ѵ' | 'ν' | 'Ꮩ' | '√' => 'v',
        'ԝ' | 'Ԝ' | 'ω' | 'ѡ' | 'Ꮃ' | 'ш' | 'Ш' => 'w',
        'Х' | 'х' | 'Χ' | 'χ' => 'x',
        'У' | 'у' | 'Υ' | 'γ' | 'ү' | 'Ү' | 'Ꭹ' => 'y',
        _ => return None,
    })
}

/// Letters in circles, squares and flags, which have no decomposition in Unicode.
fn enclosed(c: char) -> Option<char> {
    let nth = match c {
        '\u{1f150}'..='\u{1f169}' => u32::from(c) - 0x1f150,
        '\u{1f170}'..='\u{1f189}' => u32::from(c) - 0x1f170,
        '\u{1f1e6}'..='\u{1f1ff}' => u32::from(c) - 0x1f1e6,
        _ => return None,
    };
    char::from_u32(u32::from('a') + nth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REFUSED: &[&str] = &[
        "Home Office",
        "HOME OFFICE",
        "UK Home Office, Lunar House",
        "ukhomeoffice",
        "homeofficeteam",
        "HomeOffice-Liaison",
        "home-office",
        "home_office",
        "H.O.M.E. O.F.F.I.C.E.",
        "H o m e  O f f i c e",
        "homeoffice.gov.uk",
        "someone@digital.homeoffice.gov.uk",
        "spiffe://x.example/org/home-office/team/ie",
        "H0me 0ffice",
        "Home Offlce",
        "НОМЕ ОFFIСЕ",
        "Hоme Оffiсe",
        "Ｈｏｍｅ　Ｏｆｆｉｃｅ",
        "𝐇𝐨𝐦𝐞 𝒪𝒻𝒻𝒾𝒸ℯ",
        "ʜᴏᴍᴇ ᴏꜰꜰɪᴄᴇ",
        "🅷🅾🅼🅴 🅾🅵🅵🅸🅲🅴",
        "Ho\u{200b}me Off\u{ad}ice",
        "H\u{301}o\u{308}me Öffîcé",
        "Home O\u{fb03}ce",
        "UKVI",
        "u.k.v.i.",
        "UKVI2",
        "🇺🇰🇻🇮",
        "UK Visas & Immigration",
        "UK Visas and Immigration",
        "Border Force",
        "BorderForce Heathrow",
        "Bоrder-Fоrce",
        "UK Border Agency",
        "UKBA",
        "Immigration Enforcement",
        "immigration  enforcement (ICE)",
        "lmmigration Enf0rcement",
        "Yarl's Wood Immigration Removal Centre",
        "HM Passport Office",
        "NRPF Connect",
        "Y Swyddfa Gartref",
        "Llu'r Ffiniau",
        "Gorfodi Mewnfudo",
    ];

    const ACCEPTED: &[&str] = &[
        "",
        "Homestead Office Cleaning",
        "Border Collie Rescue",
        "Home Officers' Club",
        "Wholesome Offices",
        "Home from Home, Post Office Lane",
        "Office at Home Farm",
        "Metropolitan Police Service",
        "Border Counties Women's Aid",
        "Task Force on the Border",
        "Joint Council for the Welfare of Immigrants",
        "Immigration Law Advice Centre",
        "Immigration Advice Service",
        "Asylum Aid",
        "Bail for Immigration Detainees",
        "UK Vision Trust",
        "Enforcement of Housing Standards",
        "Mewnfudo Cymru",
        "Homerton Hospital",
        "London Borough of Hackney, Housing Office",
        "ukvision.example",
        "spiffe://firedoor.example/org/hackney-council/team/housing-office",
    ];

    #[test]
    fn those_who_enforce_immigration_law_are_recognised_however_they_write_it() {
        for name in REFUSED {
            assert!(immigration_enforcement_name(name), "{name}");
        }
    }

    #[test]
    fn near_misses_are_welcome() {
        for name in ACCEPTED {
            assert!(!immigration_enforcement_name(name), "{name}");
        }
    }

    #[test]
    fn what_is_too_long_to_be_a_name_is_refused() {
        assert!(!immigration_enforcement_name(&"a".repeat(NAME_CHARS_MAX)));
        assert!(immigration_enforcement_name(
            &"a".repeat(NAME_CHARS_MAX + 1)
        ));
    }

    proptest! {
        #[test]
        fn any_text_can_be_asked_about(text: String) {
            let _ = immigration_enforcement_name(&text);
        }

        #[test]
        fn no_surroundings_hide_the_name(before in "[a-z ]{0,20}", after in "[a-z ]{0,20}") {
            let name = format!("{before} Home-Office {after}");
            prop_assert!(immigration_enforcement_name(&name));
        }

        #[test]
        fn no_spacing_or_case_hides_the_name(gaps in prop::collection::vec("[ ._/-]{0,2}", 10),
                                            upper: [bool; 10]) {
            let mut name = String::new();
            for ((letter, gap), upper) in "homeoffice".chars().zip(gaps).zip(upper) {
                name.push(if upper { letter.to_ascii_uppercase() } else { letter });
                name.push_str(&gap);
            }
            prop_assert!(immigration_enforcement_name(&name));
        }
    }
}
