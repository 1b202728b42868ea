//! Invented people without end, each made again from her number, and requests about them.
//!
//! Names are as unequal as real ones: the commonest family name is of about one in a hundred, the
//! commonest given name of one in forty. They are put together from syllables, and whom they
//! happen to fit is chance. NHS numbers are of the 999 range, which is never issued: six in ten of
//! the first million people have one, each her own, and those after them none, because the range
//! is at its end and a number that seven people share is found nowhere. Telephone numbers are those
//! kept for drama, a thousand; e-mail addresses are at example.org and differ.

use crate::domain::person::{RawFields, RawIdentifier};
use crate::ops::bench::crowd::nhs_number;
use crate::ops::bench::dice::Dice;

const GIVEN_FIRST: [&str; 24] = [
    "A", "Be", "Car", "Dil", "E", "Far", "Gwen", "Ha", "I", "Jas", "Kat", "Lu", "Mar", "Na", "O",
    "Pre", "Ra", "Sha", "Ta", "U", "Vi", "Wa", "Ya", "Zo",
];
const GIVEN_LAST: [&str; 16] = [
    "mina", "lia", "dith", "noza", "fua", "reen", "sha", "bel", "kira", "ndra", "tou", "via",
    "wen", "yan", "zeta", "rys",
];
const FAMILY_FIRST: [&str; 20] = [
    "Ab", "Bel", "Con", "Dun", "El", "Far", "Gil", "Hos", "Iv", "Jab", "Kar", "Low", "Men", "Nov",
    "Ok", "Pri", "Ras", "Sul", "Tam", "Wil",
];
const FAMILY_MIDDLE: [&str; 20] = [
    "a", "ber", "co", "da", "en", "fi", "go", "ha", "is", "jo", "ke", "lo", "mu", "ni", "or", "pa",
    "ra", "se", "ti", "zo",
];
const FAMILY_LAST: [&str; 10] = [
    "son", "ley", "wick", "man", "ova", "dar", "ton", "ski", "gh", "well",
];
/// Postcode areas of London.
const AREAS: [&str; 8] = ["E", "EC", "N", "NW", "SE", "SW", "W", "WC"];
const UNITS: [char; 20] = [
    'A', 'B', 'D', 'E', 'F', 'G', 'H', 'J', 'L', 'N', 'P', 'Q', 'R', 'S', 'T', 'U', 'W', 'X', 'Y',
    'Z',
];
/// The weight of a name is one in its rank and this.
const RANKS_BEFORE_FIRST_GIVEN: u64 = 10;
const RANKS_BEFORE_FIRST_FAMILY: u64 = 20;
const WEIGHT_OF_ONE: u64 = 1 << 40;
const FIRST_YEAR: u64 = 1935;
const YEARS: u64 = 90;
/// Days that every month has.
const DAYS: u64 = 28;

/// Names with the share of people that each and all before it have.
struct Names {
    names: Vec<String>,
    ends: Vec<u64>,
}

impl Names {
    /// Zipf's law with a flat head (Mandelbrot), over names in an order that no syllable rules.
    fn new(mut names: Vec<String>, before_first: u64) -> Self {
        let mut dice = Dice::new(names.len() as u64);
        names.sort_by_cached_key(|_| dice.next());
        let mut end = 0;
        let ends = (0..names.len() as u64)
            .map(|rank| {
                end += WEIGHT_OF_ONE / (rank + 1 + before_first);
                end
            })
            .collect();
        Self { names, ends }
    }

    fn one(&self, dice: &mut Dice) -> String {
        let at = dice.below(self.ends.last().copied().unwrap_or(1));
        let place = self.ends.partition_point(|end| *end <= at);
        self.names.get(place).cloned().unwrap_or_default()
    }
}

/// A request to resolve someone, and which record is hers if she is known.
pub struct Request {
    pub raw: RawIdentifier,
    pub known: Option<u32>,
}

/// The people of the bench: the same number is the same person.
pub struct People {
    given: Names,
    family: Names,
}

impl People {
    pub fn new() -> Self {
        let given = GIVEN_FIRST
            .iter()
            .flat_map(|first| GIVEN_LAST.map(|last| format!("{first}{last}")));
        let family = FAMILY_FIRST.iter().flat_map(|first| {
            FAMILY_MIDDLE
                .iter()
                .flat_map(move |middle| FAMILY_LAST.map(|last| format!("{first}{middle}{last}")))
        });
        Self {
            given: Names::new(given.collect(), RANKS_BEFORE_FIRST_GIVEN),
            family: Names::new(family.collect(), RANKS_BEFORE_FIRST_FAMILY),
        }
    }

    pub fn person(&self, number: u64) -> RawIdentifier {
        RawIdentifier::new(self.fields(number))
    }

    /// Every second request is of one of the first `persons`, the others of nobody among them.
    pub fn request(&self, turn: u64, persons: u64) -> Request {
        let mut dice = Dice::new(!turn);
        if turn % 2 == 1 {
            let stranger = persons + dice.next() / 2;
            return Request {
                raw: self.person(stranger),
                known: None,
            };
        }
        let number = dice.below(persons);
        let mut fields = self.fields(number);
        self.change(&mut fields, &mut dice);
        Request {
            raw: RawIdentifier::new(fields),
            known: u32::try_from(number).ok(),
        }
    }

    /// What another agency has of the same person: less, or something else.
    fn change(&self, fields: &mut RawFields, dice: &mut Dice) {
        match dice.below(8) {
            0 => fields.nhs_number = None,
            1 => fields.postcode = None,
            2 => fields.postcode = Some(postcode(dice)),
            3 => fields.family_name = Some(self.family.one(dice)),
            4 => {
                fields.phone.clear();
                fields.email.clear();
            }
            5 => fields.birth_date = Some(birth(dice)),
            // As she is held.
            _ => {}
        }
    }

    pub fn fields(&self, number: u64) -> RawFields {
        let mut dice = Dice::new(number.wrapping_mul(0xd134_2543_de82_ef95));
        let mut fields = RawFields::default();
        fields.given_name = Some(self.given.one(&mut dice));
        fields.family_name = Some(self.family.one(&mut dice));
        fields.birth_date = Some(birth(&mut dice));
        // One in eleven has no check digit, which leaves 60 in a hundred.
        if dice.in_a_hundred(66) {
            fields.nhs_number = nhs_number(number);
        }
        if dice.in_a_hundred(90) {
            fields.postcode = Some(postcode(&mut dice));
        }
        if dice.in_a_hundred(70) {
            fields
                .phone
                .push(format!("07700 900{:03}", dice.below(1_000)));
        }
        if dice.in_a_hundred(40) {
            fields.email.push(format!("p{number}@example.org"));
        }
        fields
    }
}

fn birth(dice: &mut Dice) -> String {
    let (year, month) = (FIRST_YEAR + dice.below(YEARS), 1 + dice.below(12));
    format!("{year}-{month:02}-{:02}", 1 + dice.below(DAYS))
}

fn postcode(dice: &mut Dice) -> String {
    let (area, district) = (dice.of(&AREAS), 1 + dice.below(20));
    let (sector, first, last) = (dice.below(10), dice.of(&UNITS), dice.of(&UNITS));
    format!("{area}{district} {sector}{first}{last}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::{Identity, Person, TokenKeys, TokenKind, resolve};
    use jiff::civil::date;
    use std::collections::BTreeMap;

    fn resolved(raw: RawIdentifier) -> (Person, Identity) {
        let keys = TokenKeys::derive(&[7; 32]);
        resolve(raw, &keys, date(2026, 11, 20)).ok().unwrap()
    }

    #[test]
    fn a_number_is_always_the_same_person_and_everybody_can_be_resolved() {
        let people = People::new();
        let again = People::new();
        let mut with_number = 0;
        for number in 0..500 {
            let (person, _) = resolved(people.person(number));
            assert_eq!(person, resolved(again.person(number)).0);
            with_number += u32::from(person.tokens().iter().any(|of| of.kind == TokenKind::Nhs));
        }
        assert!((250..350).contains(&with_number), "{with_number}");
    }

    #[test]
    fn names_are_unequal_and_none_is_of_everyone() {
        let people = People::new();
        let (mut given, mut family) = (BTreeMap::new(), BTreeMap::new());
        for number in 0..20_000 {
            let fields = people.fields(number);
            *given.entry(fields.given_name.clone()).or_insert(0) += 1;
            *family.entry(fields.family_name.clone()).or_insert(0) += 1;
        }
        assert!(given.len() > 350 && family.len() > 3_000);
        let most = |counts: &BTreeMap<_, i32>| *counts.values().max().unwrap();
        assert!((400..600).contains(&most(&given)), "{}", most(&given));
        assert!((120..250).contains(&most(&family)), "{}", most(&family));
    }

    #[test]
    fn half_of_the_requests_are_of_people_who_are_known() {
        let people = People::new();
        let known = (0..100).filter_map(|turn| people.request(turn, 10).known);
        let known: Vec<u32> = known.collect();
        assert_eq!(known.len(), 50);
        assert!(known.iter().all(|number| *number < 10));
    }
}
