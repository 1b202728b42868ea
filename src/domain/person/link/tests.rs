//! What two records say of each other, pair by pair.

use super::super::token::Token;
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
    let rows: [(&str, Row, Row); 44] = [
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
            "number, short name, year only",
            ["Katherine", "Bell", "1980-01-01", N1, "", "", ""],
            ["Kate", "Smith", "1980-07-06", N1, "", "", ""],
        ),
        (
            "another spelling, at home",
            ["Mohammed", "Khan", "1990-05-02", "", "E8 1DY", "", ""],
            ["Muhammad", "Khan", "1990-05-02", "", "E8 1DY", "", ""],
        ),
        (
            "short name",
            ["Katherine", "Bell", "1980-07-06", "", "", "", ""],
            ["Kate", "Bell", "1980-07-06", "", "", "", ""],
        ),
        (
            "two short names of one",
            ["Katie", "Bell", "1980-07-06", "", "E8 1DY", P, ""],
            ["Kate", "Bell", "1980-07-06", "", "E8 1DY", P, ""],
        ),
        (
            "brothers of one first name",
            ["Mohammed Ali", "Khan", "1990-05-02", "", "E8 1DY", P, ""],
            ["Mohammed Hasan", "Khan", "1990-05-02", "", "E8 1DY", P, ""],
        ),
        (
            "second given name left out",
            ["Amina Noor", "Khan", "1990-05-02", "", "", "", ""],
            NAME,
        ),
        (
            "misspelt, at home",
            AMINA,
            ["Amnia", "Khan", "1990-05-02", "", "E8 1DY", "", ""],
        ),
        (
            "misspelt",
            AMINA,
            ["Amnia", "Khan", "1990-05-02", "", "", "", ""],
        ),
        (
            "twins whose names are alike",
            ["Gerald", "Bell", "1990-05-02", "", "E8 1DY", P, ""],
            ["Gerard", "Bell", "1990-05-02", "", "E8 1DY", P, ""],
        ),
        (
            "surname misspelt",
            AMINA,
            ["Amina", "Kahn", "1990-05-02", "", "", "", ""],
        ),
        (
            "half of a double surname",
            ["Ana", "Silva Santos", "1990-05-02", "", "", "", ""],
            ["Ana", "Santos", "1990-05-02", "", "", "", ""],
        ),
        (
            "new surname, moved",
            AMINA,
            ["Amina", "Shah", "1990-05-02", "", "", "", ""],
        ),
        (
            "no surname, at home",
            AMINA,
            ["Amina", "", "1990-05-02", "", "E8 1DY", "", ""],
        ),
        (
            "swapped",
            AMINA,
            ["Khan", "Amina", "1990-05-02", "", "", "", ""],
        ),
        (
            "swapped, at home",
            AMINA,
            ["Khan", "Amina", "1990-05-02", "", "E8 1DY", "", ""],
        ),
        (
            "swapped, misspelt",
            AMINA,
            ["Kahn", "Aamina", "1990-05-02", "", "", "", ""],
        ),
        (
            "day and month swapped",
            AMINA,
            ["Amina", "Khan", "1990-02-05", "", "", "", ""],
        ),
        (
            "one digit",
            AMINA,
            ["Amina", "Khan", "1990-05-12", "", "", "", ""],
        ),
        (
            "one digit, at home",
            AMINA,
            ["Amina", "Khan", "1990-05-12", "", "E8 1DY", "", ""],
        ),
        (
            "another decade, at home",
            AMINA,
            ["Amina", "Khan", "1980-05-02", "", "E8 1DY", P, E],
        ),
        (
            "name and year, moved",
            AMINA,
            ["Amina", "Khan", "1990-01-01", "", "", "", ""],
        ),
        (
            "misspelt, one digit, moved",
            AMINA,
            ["Amnia", "Khan", "1990-05-12", "", "", "", ""],
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
    number, other birth: auto
    two numbers, all else same: never
    name, birth, postcode: auto
    name, birth, phone: auto
    name, birth, email: auto
    name, birth, moved: name_dob
    name and birth: name_dob
    name and year: possible
    both year only: possible
    sister at home: never
    twin at home: never
    initial: never
    new surname, no number: auto
    number, short name, year only: auto
    another spelling, at home: possible
    short name: possible
    two short names of one: possible
    brothers of one first name: never
    second given name left out: possible
    misspelt, at home: name_dob
    misspelt: possible
    twins whose names are alike: possible
    surname misspelt: name_dob
    half of a double surname: name_dob
    new surname, moved: possible
    no surname, at home: auto
    swapped: name_dob
    swapped, at home: auto
    swapped, misspelt: possible
    day and month swapped: name_dob
    one digit: possible
    one digit, at home: auto
    another decade, at home: never
    name and year, moved: possible
    misspelt, one digit, moved: never
    only home in common: never
    ");
}

/// given, family, birth, postcode, address
type AtHome<'a> = [&'a str; 5];

fn tier_of(one: AtHome, other: AtHome) -> &'static str {
    let [one, other] = [one, other].map(|[given, family, birth, postcode, address]| {
        let mut fields = RawFields::default();
        fields.given_name = Some(given.to_owned());
        fields.family_name = Some(family.to_owned());
        fields.birth_date = Some(birth.to_owned());
        fields.postcode = Some(postcode.to_owned());
        fields.address_line = Some(address.to_owned());
        let keys = TokenKeys::derive(&[7; 32]);
        let found = resolve(RawIdentifier::new(fields), &keys, date(2026, 11, 20));
        found.ok().unwrap().0.tokens().to_vec()
    });
    let found = tier(&Evidence::between(&one, &other));
    assert_eq!(found, tier(&Evidence::between(&other, &one)));
    // What nobody finds is not linked, whatever the tokens say.
    let shared = one
        .iter()
        .find(|tagged| tagged.kind.is_key() && other.contains(tagged));
    let tier = if shared.is_some() { found } else { Tier::Never };
    tier.word()
}

const BORN: &str = "1990-05-02";
const HOUSE: &str = "12 Windsor Court";
const MISSPELT: &str = "12 Windsr Corut, Hackney";
const NEXT_DOOR: &str = "14 Windsor Court";
const CALEB: AtHome = ["Caleb", "Dixon", BORN, "E8 1DY", HOUSE];

#[test]
fn swapped_and_misspelt_names_are_possible_and_names_that_only_begin_so_are_not() {
    // Neither sounds the same: one letter is another.
    assert_eq!(tier_of(CALEB, ["Dixom", "Caleb", BORN, "", ""]), "possible");
    assert_eq!(
        tier_of(CALEB, ["Dixon", "Calev", "1990-05-12", "", HOUSE]),
        "possible"
    );
    assert_eq!(
        tier_of(CALEB, ["Dixon", "Calev", "1990-05-12", "", ""]),
        "never"
    );
    assert_eq!(
        tier_of(CALEB, ["Dixon", "Calev", "1985-05-02", "", HOUSE]),
        "never"
    );
    // In the same order they are two names, and so is a twin's whose own name begins as hers.
    assert_eq!(
        tier_of(CALEB, ["Casper", "Diaz", BORN, "E8 1DY", HOUSE]),
        "never"
    );
    assert_eq!(
        tier_of(CALEB, ["Casper", "Dixon", BORN, "E8 1DY", HOUSE]),
        "never"
    );
    let marta = ["Marta", "Mason", BORN, "E8 1DY", HOUSE];
    assert_eq!(
        tier_of(marta, ["Maxine", "Malone", BORN, "E8 1DY", HOUSE]),
        "never"
    );
}

#[test]
fn without_a_date_both_names_and_a_home_are_possible_and_a_brother_is_not() {
    let undated = |given, family, home| tier_of(CALEB, [given, family, "", "", home]);
    assert_eq!(undated("Caleb", "Dixon", HOUSE), "possible");
    assert_eq!(undated("Caleb", "Dixen", HOUSE), "possible");
    assert_eq!(undated("Caleb", "Dixon", MISSPELT), "possible");
    assert_eq!(undated("Dixon", "Caleb", HOUSE), "possible");
    assert_eq!(undated("Dixon", "Calev", HOUSE), "possible");
    assert_eq!(undated("Caleb", "Dixon", NEXT_DOOR), "never");
    assert_eq!(undated("Caleb", "Shaw", HOUSE), "never");
    assert_eq!(undated("Casper", "Dixon", HOUSE), "never");
    assert_eq!(undated("", "Dixon", HOUSE), "never");
    // A misspelling is in no table of names; two names that are alike are both in it.
    let gerald = ["Gerald", "Bell", BORN, "E8 1DY", HOUSE];
    assert_eq!(
        tier_of(gerald, ["Geralld", "Bell", "", "", HOUSE]),
        "possible"
    );
    assert_eq!(
        tier_of(gerald, ["Gerard", "Bell", "", "E8 1DY", HOUSE]),
        "never"
    );
    // Father and son share all but the date of birth.
    assert_eq!(
        tier_of(CALEB, ["Caleb", "Dixon", "1961-09-30", "E8 1DY", HOUSE]),
        "never"
    );
}

#[test]
fn a_home_that_is_nearly_the_same_puts_before_a_person_and_links_nothing() {
    let near = |given, family, birth| tier_of(CALEB, [given, family, birth, "", MISSPELT]);
    assert_eq!(near("Calebb", "Shaw", BORN), "possible");
    assert_eq!(
        tier_of(CALEB, ["Calebb", "Shaw", BORN, "", NEXT_DOOR]),
        "never"
    );
    assert_eq!(near("Dixon", "Caleb", "1990-05-12"), "possible");
    // It makes no tier surer.
    assert_eq!(near("Caleb", "Dixon", BORN), "name_dob");
    assert_eq!(near("Caleb", "Dixon", "1990-05-12"), "possible");
    assert_eq!(near("Caleb", "Shaw", BORN), "possible");
    assert_eq!(near("Casper", "Dixon", BORN), "never");
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
    two.reverse();
    assert_eq!(tier(&Evidence::between(&two, &tokens(AMINA))), Tier::Never);
}

#[test]
fn nobody_is_linked_by_all_that_carries_no_link() {
    let names = [
        Names::Exact,
        Names::Spelling,
        Names::Short,
        Names::Misspelt,
        Names::Slip,
        Names::Part,
        Names::Sound,
        Names::Different,
        Names::Missing,
    ];
    let births = [
        Births::Exact,
        Births::Swapped,
        Births::Slip,
        Births::YearOnly,
        Births::Different,
        Births::Missing,
    ];
    for number in [Number::Different, Number::Missing] {
        for given in [Names::Different, Names::Missing] {
            for (family, birth) in names
                .iter()
                .flat_map(|name| births.map(|birth| (*name, birth)))
            {
                for corroborated in [false, true] {
                    let evidence = Evidence {
                        number,
                        given,
                        family,
                        swapped: Swapped::No,
                        birth,
                        corroborated,
                        home_near: true,
                    };
                    assert_eq!(tier(&evidence), Tier::Never, "{evidence:?}");
                }
            }
        }
    }
}

fn some_tokens() -> impl Strategy<Value = Vec<TaggedToken>> {
    let one = (0..TokenKind::ALL.len(), 0_u8..3).prop_map(|(kind, byte)| TaggedToken {
        kind: TokenKind::ALL[kind],
        token: Token::from_bytes([byte; 16]),
    });
    proptest::collection::vec(one, 0..24)
}

proptest! {
    #[test]
    fn records_that_share_nothing_that_carries_a_link_are_not_linked(
        one in some_tokens(),
        other in some_tokens(),
    ) {
        let mut other = other;
        other.retain(|tagged| !CARRYING.has(*tagged) || !one.contains(tagged));
        let found = Evidence::between(&one, &other);
        prop_assert!(found.number != Number::Same && found.swapped == Swapped::No);
        prop_assert!(matches!(found.given, Names::Different | Names::Missing));
        prop_assert_eq!(tier(&found), Tier::Never);
    }

    #[test]
    fn links_are_the_same_both_ways_and_need_a_given_name_with_a_date_or_a_number(
        one in some_tokens(),
        other in some_tokens(),
    ) {
        let found = tier(&Evidence::between(&one, &other));
        prop_assert_eq!(found, tier(&Evidence::between(&other, &one)));
        let given = [
            TokenKind::Given,
            TokenKind::GivenSpelling,
            TokenKind::GivenShort,
            TokenKind::GivenEdit,
            TokenKind::GivenPart,
            TokenKind::GivenSound,
            TokenKind::Names,
            TokenKind::NamesSound,
            TokenKind::Starts,
        ];
        let born = [
            TokenKind::Birth,
            TokenKind::BirthYear,
            TokenKind::BirthSlip,
            TokenKind::BirthSwap,
        ];
        let shared = |kinds: &[TokenKind]| {
            kinds.iter().any(|kind| {
                one.iter().any(|tagged| tagged.kind == *kind && other.contains(tagged))
            })
        };
        let number = shared(&[TokenKind::Nhs, TokenKind::Pnc]);
        let strong = number || shared(&given) && shared(&born);
        let home = [
            TokenKind::Postcode,
            TokenKind::Phone,
            TokenKind::Email,
            TokenKind::Address,
            TokenKind::AddressNear,
        ];
        let to_look_at = shared(&given) && shared(&home) && found == Tier::Possible;
        prop_assert!(strong || to_look_at || found == Tier::Never);
    }
}
