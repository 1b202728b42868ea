//! A person as the gateway compares her: every keyed token that her identifiers give.

use zeroize::Zeroizing;

use super::birth::BirthDate;
use super::identity::Identity;
use super::name::Known;
use super::police::PncId;
use super::token::{TaggedToken, Token, TokenKeys, TokenKind};
use super::{address, sound, variants};

/// Shortest given name that counts: an initial would make twins equal.
const GIVEN_LETTERS_MIN: usize = 2;

/// Shortest name of which a slip of one letter leaves something to recognise.
const SLIP_LETTERS_MIN: usize = 4;

/// Longest name of which slips are looked for: each letter is a token.
const SLIP_LETTERS_MAX: usize = 16;

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
    /// them, as of a name without a date of birth, a record is never found and never linked.
    pub fn tokens(&self) -> &[TaggedToken] {
        &self.tokens
    }

    /// Of surname and postcode. It speaks of a family, not of her: it is never kept with a record
    /// and links nothing. The rules of the watch compare it, within hours and with who was flagged.
    pub const fn household(&self) -> Option<Token> {
        self.household
    }

    pub(super) fn of(identity: &Identity, keys: &TokenKeys) -> Self {
        let Identity { who, whereabouts } = identity;
        let given = who.given_name().and_then(|name| name.folded().known());
        let given = given.filter(|name| name.whole().len() >= GIVEN_LETTERS_MIN);
        let family = who.family_name().and_then(|name| name.folded().known());
        let birth = who.birth_date();
        let full = birth.filter(|date| !date.year_only());

        let mut making = Making {
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
        if let Some(postcode) = whereabouts.postcode() {
            making.add(TokenKind::Postcode, &[postcode.as_str()]);
        }
        for phone in whereabouts.phones() {
            making.add(TokenKind::Phone, &[phone.as_str()]);
        }
        for email in whereabouts.emails() {
            making.add(TokenKind::Email, &[email.as_str()]);
        }
        if let Some(home) = whereabouts.address_line().and_then(address::fold) {
            making.add(TokenKind::Address, &[&home]);
        }
        let household = family.as_ref().zip(whereabouts.postcode());
        let household =
            household.map(|(family, home)| keys.household(&[family.whole(), home.as_str()]));
        Self {
            tokens: making.finish(),
            household,
        }
    }

    /// The same person with a police number, which no record of a victim may hold: for the lane of
    /// the other party, and for measuring.
    pub fn with_police_number(mut self, number: &PncId, keys: &TokenKeys) -> Self {
        self.tokens
            .push(keys.token(TokenKind::Pnc, &[number.as_str()]));
        self.tokens.sort_unstable();
        self.tokens.dedup();
        self
    }
}

/// The kinds in which one of her two names is compared.
struct NameKinds {
    whole: TokenKind,
    part: TokenKind,
    variant: TokenKind,
    edit: TokenKind,
    sound: TokenKind,
}

const GIVEN: NameKinds = NameKinds {
    whole: TokenKind::Given,
    part: TokenKind::GivenPart,
    variant: TokenKind::GivenVariant,
    edit: TokenKind::GivenEdit,
    sound: TokenKind::GivenSound,
};

const FAMILY: NameKinds = NameKinds {
    whole: TokenKind::Family,
    part: TokenKind::FamilyPart,
    variant: TokenKind::FamilyVariant,
    edit: TokenKind::FamilyEdit,
    sound: TokenKind::FamilySound,
};

struct Making<'k> {
    keys: &'k TokenKeys,
    tokens: Vec<TaggedToken>,
}

impl Making<'_> {
    fn add(&mut self, kind: TokenKind, parts: &[&str]) {
        self.tokens.push(self.keys.token(kind, parts));
    }

    fn name(&mut self, name: &Known, kinds: &NameKinds) {
        let whole = name.whole();
        self.add(kinds.whole, &[whole]);
        for part in name.parts().take(PARTS_MAX) {
            self.add(kinds.part, &[part]);
        }
        for variant in variants::direct(whole) {
            // One token for the pair, which only these two names give.
            self.add(kinds.variant, &in_order(whole, variant));
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
        if let Some(family) = family {
            self.add(TokenKind::Names, &in_order(given.whole(), family.whole()));
        }
        let Some(birth) = birth else {
            return;
        };
        let first = coarse(given.whole());
        let last = family.map(|family| coarse(family.whole()));
        if let Some(last) = &last {
            self.add(TokenKind::NamesYear, &[&first, last, &birth.year()]);
        }
        if birth.year_only() {
            return;
        }
        let day = birth.iso();
        self.add(TokenKind::GivenBirth, &[&first, &day]);
        for part in given.parts().take(2) {
            self.add(TokenKind::GivenBirth, &[&coarse(part), &day]);
        }
        if let Some(last) = &last {
            self.add(TokenKind::NamesDay, &[&first, last, &birth.day_of_year()]);
            let [one, other] = in_order(&first, last);
            self.add(TokenKind::NamesBirth, &[one, other, &day]);
            if let Some(initial) = given.whole().get(..1) {
                self.add(TokenKind::InitialFamilyBirth, &[initial, last, &day]);
            }
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
