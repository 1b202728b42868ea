//! A person as the gateway compares her: every keyed token that her identifiers give.

use zeroize::Zeroizing;

use super::birth::BirthDate;
use super::identity::Identity;
use super::name::Known;
use super::police::PncId;
use super::token::{Lane, TaggedToken, Token, TokenKeys, TokenKind};
use super::{address, sound, variants};

/// Shortest given name that counts: an initial would make twins equal.
const GIVEN_LETTERS_MIN: usize = 2;

/// Shortest name of which a slip of one letter leaves something to recognise.
const SLIP_LETTERS_MIN: usize = 3;

/// Longest name of which slips are looked for: each letter is a token.
const SLIP_LETTERS_MAX: usize = 16;

/// Letters that a name begins with, where it may be misspelt after them.
const START_LETTERS: usize = 2;

/// Parts of a name that are compared on their own.
const PARTS_MAX: usize = 4;

/// Keyed tokens and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    tokens: Vec<TaggedToken>,
    household: Option<Token>,
}

impl Person {
    /// Sorted, without repetition; some 50 of them. Without a key ([`TokenKind::is_key`]) among
    /// them, as of a name and nothing else, a record is never found and never linked.
    pub fn tokens(&self) -> &[TaggedToken] {
        &self.tokens
    }

    /// Of surname and postcode. It speaks of a family, not of her: it is never kept with a record
    /// and links nothing. The rules of the watch compare it, within hours and with who was flagged.
    pub const fn household(&self) -> Option<Token> {
        self.household
    }

    pub(super) fn of(identity: &Identity, keys: &TokenKeys) -> Self {
        Self::in_lane(Lane::Hers, identity, keys)
    }

    /// The same of somebody else than her: [`super::beside`] alone keeps these.
    pub(super) fn in_lane(lane: Lane, identity: &Identity, keys: &TokenKeys) -> Self {
        let Identity { who, whereabouts } = identity;
        let given = who.given_name().and_then(|name| name.folded().known());
        let given = given.filter(|name| name.whole().len() >= GIVEN_LETTERS_MIN);
        let family = who.family_name().and_then(|name| name.folded().known());
        let birth = who.birth_date();
        let full = birth.filter(|date| !date.year_only());

        let mut making = Making {
            lane,
            keys,
            tokens: Vec::with_capacity(64),
        };
        if let Some(number) = who.nhs_number() {
            making.add(TokenKind::Nhs, &[number.as_str()]);
            if let Some(given) = &given {
                making.add(TokenKind::NhsGiven, &[number.as_str(), given.whole()]);
            }
            if let Some(birth) = full {
                making.add(TokenKind::NhsBirth, &[number.as_str(), &birth.iso()]);
            }
        }
        if let Some(given) = &given {
            making.name(given, &GIVEN);
            if variants::of(given.whole()).is_some() {
                making.add(TokenKind::GivenListed, &[]);
            }
        }
        if let Some(family) = &family {
            making.name(family, &FAMILY);
        }
        if let Some(birth) = birth {
            making.birth(birth);
        }
        if let Some(given) = &given {
            making.keys_of_name_and_birth(given, family.as_ref(), birth);
        }
        if let (Some(given), Some(family), Some(birth)) = (&given, &family, full) {
            let birth = birth.iso();
            let mut with = |kind, other: &[&str]| {
                let name_birth = [given.whole(), family.whole(), birth.as_str()];
                making.add(kind, &[&name_birth, other].concat());
            };
            with(TokenKind::NameBirth, &[]);
            if let Some(postcode) = whereabouts.postcode() {
                with(TokenKind::NameBirthPostcode, &[postcode.as_str()]);
            }
            for phone in whereabouts.phones() {
                with(TokenKind::NameBirthPhone, &[phone.as_str()]);
            }
            for email in whereabouts.emails() {
                with(TokenKind::NameBirthEmail, &[email.as_str()]);
            }
        }
        let names = given.as_ref().zip(family.as_ref());
        let starts = names.and_then(|(given, family)| {
            let [given, family] = [given, family].map(|name| name.whole().get(..START_LETTERS));
            given.zip(family)
        });
        if let Some((given, family)) = starts {
            making.starts(given, family, full);
        }
        let names = names.map(|(given, family)| [coarse(given.whole()), coarse(family.whole())]);
        let names = names
            .as_ref()
            .map(|[given, family]| in_order(given, family));
        let mut reached = |alone, with_names, at: &str| {
            making.add(alone, &[at]);
            if let Some([one, other]) = names {
                making.add(with_names, &[one, other, at]);
            }
        };
        if let Some(postcode) = whereabouts.postcode() {
            let at = postcode.as_str();
            reached(TokenKind::Postcode, TokenKind::NamesPostcode, at);
        }
        for phone in whereabouts.phones() {
            reached(TokenKind::Phone, TokenKind::NamesPhone, phone.as_str());
        }
        for email in whereabouts.emails() {
            reached(TokenKind::Email, TokenKind::NamesEmail, email.as_str());
        }
        if let Some(line) = whereabouts.address_line() {
            if let Some(home) = address::fold(line) {
                making.add(TokenKind::Address, &[&home]);
            }
            for home in address::near(line) {
                making.add(TokenKind::AddressNear, &[&home]);
                if let Some((given, family)) = starts {
                    let [one, other] = in_order(given, family);
                    making.add(TokenKind::StartsHome, &[one, other, &home]);
                }
            }
        }
        let household = family.as_ref().zip(whereabouts.postcode());
        let household =
            household.map(|(family, home)| keys.household(&[family.whole(), home.as_str()]));
        Self {
            tokens: making.finish(),
            household,
        }
    }

    /// The same person with a police number, for measuring: no record of a victim may hold one.
    pub fn with_police_number(self, number: &PncId, keys: &TokenKeys) -> Self {
        self.numbered(Lane::Hers, number, keys)
    }

    /// With a police number in a lane.
    pub(super) fn numbered(mut self, lane: Lane, number: &PncId, keys: &TokenKeys) -> Self {
        self.tokens
            .push(keys.token(lane, TokenKind::Pnc, &[number.as_str()]));
        self.tokens.sort_unstable();
        self.tokens.dedup();
        self
    }
}

/// The kinds in which one of her two names is compared.
struct NameKinds {
    whole: TokenKind,
    part: TokenKind,
    spelling: TokenKind,
    short: Option<TokenKind>,
    edit: TokenKind,
    sound: TokenKind,
}

const GIVEN: NameKinds = NameKinds {
    whole: TokenKind::Given,
    part: TokenKind::GivenPart,
    spelling: TokenKind::GivenSpelling,
    short: Some(TokenKind::GivenShort),
    edit: TokenKind::GivenEdit,
    sound: TokenKind::GivenSound,
};

const FAMILY: NameKinds = NameKinds {
    whole: TokenKind::Family,
    part: TokenKind::FamilyPart,
    spelling: TokenKind::FamilySpelling,
    short: None,
    edit: TokenKind::FamilyEdit,
    sound: TokenKind::FamilySound,
};

struct Making<'k> {
    lane: Lane,
    keys: &'k TokenKeys,
    tokens: Vec<TaggedToken>,
}

impl Making<'_> {
    fn add(&mut self, kind: TokenKind, parts: &[&str]) {
        self.tokens.push(self.keys.token(self.lane, kind, parts));
    }

    fn name(&mut self, name: &Known, kinds: &NameKinds) {
        let whole = name.whole();
        self.add(kinds.whole, &[whole]);
        for part in name.parts().take(PARTS_MAX) {
            match variants::of(part).map(|entry| &entry.spellings) {
                Some(spellings) if !spellings.is_empty() => {
                    for first in spellings {
                        self.add(kinds.part, &[first]);
                    }
                }
                Some(_) | None => self.add(kinds.part, &[part]),
            }
        }
        if let Some(entry) = variants::of(whole) {
            for first in &entry.spellings {
                self.add(kinds.spelling, &[first]);
            }
            if let Some(kind) = kinds.short {
                for pair in &entry.short {
                    self.add(kind, pair);
                }
            }
        }
        let sound = Zeroizing::new(sound::of(whole));
        if sound.len() >= 2 {
            self.add(kinds.sound, &[&sound]);
        }
        if (SLIP_LETTERS_MIN..=SLIP_LETTERS_MAX).contains(&whole.len()) {
            self.add(kinds.edit, &[whole]);
            for place in 0..whole.len() {
                // Leaving out either of two equal neighbours gives the same.
                if let Some((before, rest)) = whole.split_at_checked(place)
                    && let Some((letter, after)) = rest.split_at_checked(1)
                    && !before.ends_with(letter)
                {
                    let left = Zeroizing::new([before, after].concat());
                    self.add(kinds.edit, &[&left]);
                }
            }
        }
    }

    /// What both names begin with. Where that is the same of both, it does not show which is which.
    fn starts(&mut self, given: &str, family: &str, full: Option<&BirthDate>) {
        if given == family {
            return;
        }
        let [one, other] = in_order(given, family);
        self.add(TokenKind::Starts, &[one, other]);
        if one == given {
            self.add(TokenKind::GivenFirst, &[]);
        }
        if let Some(birth) = full {
            self.add(TokenKind::StartsBirth, &[one, other, &birth.iso()]);
        }
    }

    fn birth(&mut self, birth: &BirthDate) {
        self.add(TokenKind::BirthYear, &[&birth.year()]);
        if birth.year_only() {
            return;
        }
        self.add(TokenKind::Birth, &[&birth.iso()]);
        self.add(TokenKind::BirthSwap, &[&birth.unordered()]);
        for slip in birth.slips() {
            self.add(TokenKind::BirthSlip, &[&slip]);
        }
    }

    /// No key without a form of the given name and a part of the date of birth.
    fn keys_of_name_and_birth(
        &mut self,
        given: &Known,
        family: Option<&Known>,
        birth: Option<&BirthDate>,
    ) {
        let first = coarse(given.whole());
        let last = family.map(|family| coarse(family.whole()));
        if let Some(family) = family {
            self.add(TokenKind::Names, &in_order(given.whole(), family.whole()));
            let sounds = [given, family].map(|name| Zeroizing::new(sound::of(name.whole())));
            let [one, other] = &sounds;
            self.add(TokenKind::NamesSound, &in_order(one, other));
        }
        let Some(birth) = birth else {
            return;
        };
        let both = last.as_ref().map(|last| in_order(&first, last));
        if let Some([one, other]) = both {
            self.add(TokenKind::NamesYear, &[one, other, &birth.year()]);
        }
        if birth.year_only() {
            return;
        }
        let day = birth.iso();
        self.add(TokenKind::GivenBirth, &[&first, &day]);
        // A misspelt name is in no table.
        let sound = Zeroizing::new(sound::of(given.whole()));
        self.add(TokenKind::GivenBirth, &[&sound, &day]);
        for part in given.parts().take(2) {
            self.add(TokenKind::GivenBirth, &[&coarse(part), &day]);
        }
        if let Some(start) = given.whole().get(..3) {
            self.add(TokenKind::GivenStartBirth, &[start, &day]);
        }
        if let (Some(initial), Some(last)) = (given.whole().get(..1), &last) {
            self.add(TokenKind::InitialFamilyBirth, &[initial, last, &day]);
        }
        if let Some([one, other]) = both {
            self.add(TokenKind::NamesDay, &[one, other, &birth.day_of_year()]);
            self.add(TokenKind::NamesBirth, &[one, other, &day]);
        }
    }

    fn finish(self) -> Vec<TaggedToken> {
        let mut tokens = self.tokens;
        tokens.sort_unstable();
        tokens.dedup();
        tokens
    }
}

/// The sound of the name that all of a family of spellings count as.
fn coarse(name: &str) -> Zeroizing<String> {
    Zeroizing::new(sound::of(variants::first(name)))
}

/// Two names in alphabetical order, so that it does not matter which is which.
fn in_order<'a>(one: &'a str, other: &'a str) -> [&'a str; 2] {
    [one.min(other), one.max(other)]
}

#[cfg(test)]
mod tests {
    use super::super::{RawFields, RawIdentifier, resolve, resolve_known};
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn keys() -> TokenKeys {
        TokenKeys::derive(&[7; 32])
    }

    fn fields(given: &str, family: &str, birth: &str) -> RawFields {
        let mut fields = RawFields::default();
        fields.given_name = Some(given.to_owned());
        fields.family_name = Some(family.to_owned());
        fields.birth_date = Some(birth.to_owned());
        fields
    }

    fn whole() -> RawFields {
        let mut all = fields("Siân", "O’Brien", "1990-05-02");
        all.nhs_number = Some("9990000018".to_owned());
        all.postcode = Some("E8 1DY".to_owned());
        all.phone = vec!["07700 900123".to_owned(), "+447700900123".to_owned()];
        all.email = vec!["a@example.org".to_owned(), "b@example.org".to_owned()];
        all.address_line = Some("Flat 3, 12 High Street".to_owned());
        all
    }

    fn person(fields: RawFields) -> Person {
        resolve(RawIdentifier::new(fields), &keys(), date(2026, 11, 20))
            .ok()
            .unwrap()
            .0
    }

    fn kinds(person: &Person, of: fn(TokenKind) -> bool) -> Vec<TokenKind> {
        let kinds = person.tokens().iter().map(|tagged| tagged.kind);
        let mut kinds: Vec<TokenKind> = kinds.filter(|kind| of(*kind)).collect();
        kinds.dedup();
        kinds
    }

    #[test]
    fn every_identifier_gives_its_tokens() {
        let found = kinds(&person(whole()), |_| true);
        let absent = [
            TokenKind::Pnc,
            // Her name is in no row of the table with others.
            TokenKind::GivenSpelling,
            TokenKind::GivenShort,
            TokenKind::FamilySpelling,
            // "ob" comes before "si".
            TokenKind::GivenFirst,
        ];
        let expected: Vec<TokenKind> = TokenKind::ALL
            .into_iter()
            .filter(|kind| !absent.contains(kind))
            .collect();
        assert_eq!(found, expected);
        let known = kinds(&person(fields("Kate", "Hussain", "1990-05-02")), |_| true);
        for kind in [TokenKind::GivenShort, TokenKind::FamilySpelling] {
            assert!(known.contains(&kind), "{kind:?}");
        }
    }

    #[test]
    fn nobody_is_found_without_a_given_name_and_a_date_or_a_number() {
        let key = TokenKind::is_key;
        let none: [TokenKind; 0] = [];
        for (given, family, birth) in [
            ("", "O’Brien", "1990-05-02"),
            ("S.", "O’Brien", "1990-05-02"),
            ("Unknown", "O’Brien", "1990-05-02"),
            ("Siân", "", "1990-01-01"),
        ] {
            let mut all = whole();
            all.nhs_number = None;
            all.given_name = Some(given.to_owned());
            all.family_name = Some(family.to_owned());
            all.birth_date = Some(birth.to_owned());
            assert_eq!(kinds(&person(all), key), none, "{given} {family} {birth}");
        }
        // Both names and where she is reached find a record without a date, for somebody to look at.
        let mut undated = whole();
        undated.nhs_number = None;
        undated.birth_date = None;
        let by_home = [
            TokenKind::NamesPostcode,
            TokenKind::NamesPhone,
            TokenKind::NamesEmail,
            TokenKind::StartsHome,
        ];
        assert_eq!(kinds(&person(undated), key), by_home);
        let year = person(fields("Siân", "O’Brien", "1990-01-01"));
        assert_eq!(kinds(&year, key), [TokenKind::NamesYear]);
        assert_eq!(kinds(&year, TokenKind::names_in_log), none);
        let mut number = fields("S", "O’Brien", "1990-01-01");
        number.nhs_number = Some("9990000018".to_owned());
        assert_eq!(kinds(&person(number), key), [TokenKind::Nhs]);
    }

    #[test]
    fn spelling_does_not_change_a_token_and_where_a_name_ends_does() {
        assert_eq!(
            person(fields("SIAN", "O'Brien", "1990-05-02")),
            person(fields("Ms Siân", "OBrien", "1990-05-02"))
        );
        assert_ne!(
            person(fields("Ann", "Abell", "1990-05-02")),
            person(fields("Anna", "Bell", "1990-05-02"))
        );
    }

    #[test]
    fn a_police_number_is_added_only_where_asked() {
        let number = PncId::parse("2012/52494Q").ok().unwrap();
        let plain = person(whole());
        let with = plain.clone().with_police_number(&number, &keys());
        assert_eq!(with.tokens().len(), plain.tokens().len() + 1);
        assert!(with.tokens().is_sorted());
    }

    #[test]
    fn what_cannot_be_read_counts_as_not_known_where_people_are_measured() {
        let mut odd = fields("Siân", "O’Brien", "soon");
        odd.postcode = Some("nowhere".to_owned());
        let (found, errors) = resolve_known(RawIdentifier::new(odd), &keys(), date(2026, 11, 20));
        let told: Vec<&str> = errors.iter().map(|error| error.field).collect();
        assert_eq!(told, ["birth_date", "postcode"]);
        assert_eq!(found, person(fields("Siân", "O’Brien", "")));
    }

    /// Stored tokens must be found again for years: these bytes may only change with
    /// `NORMALISER_VERSION`.
    #[test]
    fn tokens_of_version_two_are_fixed() {
        let table: Vec<String> = person(whole())
            .tokens()
            .iter()
            .filter(|tagged| tagged.kind.is_key() || tagged.kind.names_in_log())
            .map(|TaggedToken { kind, token }| {
                format!("{kind:?} {:032x}", u128::from_be_bytes(*token.bytes()))
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"), @"
        Nhs 5d70ca65312815c0c86673ec3bdf2b38
        NhsGiven 7a36f3d2bec1b4d9f27a31632a97748f
        NhsBirth 62a1cd9df81a4bf98e52ea0739ecf232
        NameBirth 57be5ff299c7779f846029f57186bcba
        NameBirthPostcode 7673c96c80aa05875662da6cb90faef9
        NameBirthPhone b08fd1811ac18f1acfed0ea2c35a90a6
        NameBirthEmail 18a9359c02162dae1f88cea2f2b9c380
        NameBirthEmail 35e8a6d99df7344a799d58885bb5be6d
        GivenBirth 93480f913f438c53d5fc857a66f2033d
        GivenStartBirth 3142a9f075474a5561230d66897b0457
        NamesBirth 920084807179dbec75d3f09c9fc30fe3
        NamesYear 6d9409caacebabdf556cd9565e64b871
        NamesDay 57d46d018e2f9ca74d8092e596b14890
        InitialFamilyBirth 34b478fc13285dba7bc0f6783e6773f7
        NamesPostcode 9fbd3172f7fcfd93f2f34ae6eae1b1bc
        NamesPhone d531cc9d89ed431e8402dbb393f11b58
        NamesEmail 4421cf388a92d87d93357265051521a7
        NamesEmail 8d10f6e11abc8c63868a4d04d6bcccd5
        StartsBirth b4c822cb6ce158c31db1a6f15b16edb2
        StartsHome d13a996a53daa37712910123583eab4d
        ");
    }

    proptest! {
        #[test]
        fn resolving_never_panics(given: String, family: String, other: String) {
            let mut raw = fields(&given, &family, "1990-05-02");
            raw.other_names = vec![other.clone()];
            raw.address_line = Some(other);
            let (found, _) = resolve_known(RawIdentifier::new(raw), &keys(), date(2026, 11, 20));
            prop_assert!(found.tokens().len() <= 128);
        }

        #[test]
        fn long_and_accented_names_never_panic(
            given in "[\\p{L}\\p{M}'’ -]{0,60}",
            family in "[\\p{Latin}\\p{M}'’ -]{0,100}",
        ) {
            let raw = RawIdentifier::new(fields(&given, &family, "1990-05-02"));
            let _ = resolve_known(raw, &keys(), date(2026, 11, 20));
        }
    }
}
