//! Are two records of the same person? From keyed tokens alone, by tiers, never by a sum of points.
//!
//! A wrong link is a disclosure, so a miss is preferred. Surname, address, postcode and telephone
//! never add up to a link: they only corroborate a given name with a full date of birth.

use borsh::{BorshDeserialize, BorshSerialize};

use super::token::{TaggedToken, Token, TokenKind};

/// How sure a link is, and so what it may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Tier {
    /// An NHS number, or name and birth with one corroborator: linked.
    Automatic = 1,
    /// Name and full date of birth, nothing else: told only that something exists, until one
    /// corroborator is confirmed.
    NameAndBirth = 2,
    /// A person at the holding agency must confirm; the asker sees nothing.
    Possible = 3,
    /// Not linked.
    Never = 4,
    /// One official number on what seem to be two people: not linked, and somebody must find out
    /// whose number it is.
    Quarantine = 5,
}

impl Tier {
    /// The word in tables and replies.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Automatic => "auto",
            Self::NameAndBirth => "name_dob",
            Self::Possible => "possible",
            Self::Never => "never",
            Self::Quarantine => "quarantine",
        }
    }
}

/// What two records say of one fact. A record that does not hold it neither agrees nor contradicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Same,
    Different,
    Missing,
}

/// What two records have in common, kind by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub(super) nhs: Said,
    pub(super) nhs_given: Said,
    pub(super) nhs_birth: Said,
    pub(super) name_birth: Said,
    /// A postcode, telephone or e-mail shared by the same name and birth.
    pub(super) corroborated: bool,
}

impl Evidence {
    /// Compares the tokens of two records, in any order. The result is the same both ways round.
    pub fn between(one: &[TaggedToken], other: &[TaggedToken]) -> Self {
        let said = |kind| compare(one, other, kind);
        let corroborators = [
            TokenKind::NameBirthPostcode,
            TokenKind::NameBirthPhone,
            TokenKind::NameBirthEmail,
        ];
        Self {
            nhs: said(TokenKind::Nhs),
            nhs_given: said(TokenKind::NhsGiven),
            nhs_birth: said(TokenKind::NhsBirth),
            name_birth: said(TokenKind::NameBirth),
            corroborated: corroborators
                .into_iter()
                .any(|kind| shares(one, other, kind)),
        }
    }
}

/// The tier of a pair (rules A1, A2 without similarity, and A2n of the linkage study).
pub fn tier(evidence: &Evidence) -> Tier {
    match (evidence.nhs, evidence.name_birth) {
        // Two numbers are two people, whatever else agrees.
        (Said::Different, _) => Tier::Never,
        // The number of a twin or a mother, typed on the wrong record. A changed surname alone
        // is no contradiction: those who fled and those who married have one.
        (Said::Same, _)
            if evidence.nhs_given == Said::Different || evidence.nhs_birth == Said::Different =>
        {
            Tier::Quarantine
        }
        (Said::Same, _) => Tier::Automatic,
        (Said::Missing, Said::Same) if evidence.corroborated => Tier::Automatic,
        (Said::Missing, Said::Same) => Tier::NameAndBirth,
        (Said::Missing, Said::Different | Said::Missing) => Tier::Never,
    }
}

fn of_kind(tokens: &[TaggedToken], kind: TokenKind) -> impl Iterator<Item = Token> {
    tokens
        .iter()
        .filter(move |tagged| tagged.kind == kind)
        .map(|tagged| tagged.token)
}

fn shares(one: &[TaggedToken], other: &[TaggedToken], kind: TokenKind) -> bool {
    of_kind(one, kind).any(|token| of_kind(other, kind).any(|same| same == token))
}

/// A record has at most one token of these kinds. Should a set hold several, any that the other
/// does not have counts as a difference: prefer a miss.
fn compare(one: &[TaggedToken], other: &[TaggedToken], kind: TokenKind) -> Said {
    let within = |all: &[TaggedToken], some: &[TaggedToken]| {
        of_kind(some, kind).all(|token| of_kind(all, kind).any(|same| same == token))
    };
    if of_kind(one, kind).next().is_none() || of_kind(other, kind).next().is_none() {
        Said::Missing
    } else if within(one, other) && within(other, one) {
        Said::Same
    } else {
        Said::Different
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RawFields, RawIdentifier, TokenKeys, resolve};
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    /// given, family, birth, NHS number, postcode, telephone, e-mail
    type Row<'a> = [&'a str; 7];

    fn tokens(row: Row) -> Vec<TaggedToken> {
        let [given, family, birth, nhs, postcode, phone, email] = row.map(str::to_owned);
        let mut fields = RawFields::default();
        fields.given_name = Some(given);
        fields.family_name = Some(family);
        fields.birth_date = Some(birth);
        fields.nhs_number = Some(nhs);
        fields.postcode = Some(postcode);
        fields.phone = vec![phone];
        fields.email = vec![email];
        let keys = TokenKeys::derive(&[7; 32]);
        let found = resolve(RawIdentifier::new(fields), &keys, date(2026, 11, 20));
        found.ok().unwrap().0.tokens().to_vec()
    }

    const N1: &str = "9990000018";
    const N2: &str = "9990000026";
    const P: &str = "07700 900123";
    const E: &str = "a@example.org";
    const AMINA: Row = ["Amina", "Khan", "1990-05-02", N1, "E8 1DY", P, E];
    const NAME: Row = ["Amina", "Khan", "1990-05-02", "", "", "", ""];

    #[test]
    fn tiers_of_pairs() {
        let rows: [(&str, Row, Row); 22] = [
            ("itself", AMINA, AMINA),
            (
                "number and name",
                AMINA,
                ["Amina", "Khan", "1990-05-02", N1, "", "", ""],
            ),
            (
                "number, no birth",
                AMINA,
                ["Amina", "Khan", "", N1, "", "", ""],
            ),
            (
                "number, year only",
                AMINA,
                ["Amina", "Khan", "1990-01-01", N1, "", "", ""],
            ),
            (
                "number, new surname",
                AMINA,
                ["Amina", "Shah", "1990-05-02", N1, "", "", ""],
            ),
            (
                "number, surname only",
                AMINA,
                ["", "Khan", "", N1, "", "", ""],
            ),
            (
                "number, other given",
                AMINA,
                ["Aisha", "Khan", "1990-05-02", N1, "E8 1DY", P, E],
            ),
            (
                "number, other given, no birth",
                AMINA,
                ["Aisha", "Khan", "", N1, "", "", ""],
            ),
            (
                "number, other birth",
                AMINA,
                ["Amina", "Khan", "1990-05-03", N1, "E8 1DY", P, E],
            ),
            (
                "two numbers, all else same",
                AMINA,
                ["Amina", "Khan", "1990-05-02", N2, "E8 1DY", P, E],
            ),
            (
                "name, birth, postcode",
                AMINA,
                ["amina", "KHAN", "1990-05-02", "", "e81dy", "", ""],
            ),
            (
                "name, birth, phone",
                AMINA,
                ["Amina", "Khan", "1990-05-02", "", "", "+447700900123", ""],
            ),
            (
                "name, birth, email",
                AMINA,
                ["Amina", "Khan", "1990-05-02", "", "", "", "A@EXAMPLE.ORG"],
            ),
            (
                "name, birth, moved",
                AMINA,
                ["Amina", "Khan", "1990-05-02", "", "N1 9GU", "", ""],
            ),
            ("name and birth", AMINA, NAME),
            (
                "name and year",
                AMINA,
                ["Amina", "Khan", "1990-01-01", "", "E8 1DY", P, E],
            ),
            (
                "both year only",
                ["Amina", "Khan", "1990-01-01", "", "E8 1DY", P, E],
                ["Amina", "Khan", "1990-01-01", "", "E8 1DY", P, E],
            ),
            (
                "sister at home",
                AMINA,
                ["Aisha", "Khan", "1992-03-04", "", "E8 1DY", P, E],
            ),
            (
                "twin at home",
                AMINA,
                ["Aisha", "Khan", "1990-05-02", "", "E8 1DY", P, E],
            ),
            (
                "initial",
                AMINA,
                ["A", "Khan", "1990-05-02", "", "E8 1DY", P, E],
            ),
            (
                "new surname, no number",
                AMINA,
                ["Amina", "Shah", "1990-05-02", "", "E8 1DY", P, E],
            ),
            (
                "only home in common",
                AMINA,
                ["", "Khan", "", "", "E8 1DY", P, E],
            ),
        ];
        let table: Vec<String> = rows
            .into_iter()
            .map(|(what, one, other)| {
                let (one, other) = (tokens(one), tokens(other));
                let found = tier(&Evidence::between(&one, &other));
                assert_eq!(found, tier(&Evidence::between(&other, &one)), "{what}");
                format!("{what}: {}", found.word())
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"), @"
        itself: auto
        number and name: auto
        number, no birth: auto
        number, year only: auto
        number, new surname: auto
        number, surname only: auto
        number, other given: quarantine
        number, other given, no birth: quarantine
        number, other birth: quarantine
        two numbers, all else same: never
        name, birth, postcode: auto
        name, birth, phone: auto
        name, birth, email: auto
        name, birth, moved: name_dob
        name and birth: name_dob
        name and year: never
        both year only: never
        sister at home: never
        twin at home: never
        initial: never
        new surname, no number: never
        only home in common: never
        ");
    }

    #[test]
    fn nothing_in_common_is_never_a_link() {
        assert_eq!(tier(&Evidence::between(&[], &[])), Tier::Never);
        assert_eq!(tier(&Evidence::between(&tokens(AMINA), &[])), Tier::Never);
    }

    #[test]
    fn a_set_with_two_numbers_never_agrees_with_one() {
        let mut two = tokens(AMINA);
        two.extend(tokens(["Amina", "Khan", "1990-05-02", N2, "", "", ""]));
        assert_eq!(tier(&Evidence::between(&two, &tokens(AMINA))), Tier::Never);
    }

    fn some_tokens() -> impl Strategy<Value = Vec<TaggedToken>> {
        let one = (0..TokenKind::ALL.len(), 0_u8..3).prop_map(|(kind, byte)| TaggedToken {
            kind: TokenKind::ALL[kind],
            token: Token::from_bytes([byte; 16]),
        });
        proptest::collection::vec(one, 0..8)
    }

    proptest! {
        #[test]
        fn links_are_the_same_both_ways_and_need_a_shared_strong_token(
            one in some_tokens(),
            other in some_tokens(),
        ) {
            let found = tier(&Evidence::between(&one, &other));
            prop_assert_eq!(found, tier(&Evidence::between(&other, &one)));
            let strong = [TokenKind::Nhs, TokenKind::NameBirth];
            let shared = strong.into_iter().any(|kind| shares(&one, &other, kind));
            prop_assert!(shared || found == Tier::Never);
        }
    }
}
