//! What the index finds, whom it forgets, and that it links as comparing with everybody would.

use super::super::token::Token;
use super::super::{RawFields, RawIdentifier, TokenKeys, resolve, resolve_known};
use super::*;
use jiff::civil::date;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn every(_: TokenKind) -> bool {
    true
}

fn numbers_only(kind: TokenKind) -> bool {
    kind == TokenKind::Nhs
}

fn person(given: &str, birth: &str, nhs: &str, postcode: &str) -> Vec<TaggedToken> {
    let mut fields = RawFields::default();
    fields.given_name = Some(given.to_owned());
    fields.family_name = Some("Khan".to_owned());
    fields.birth_date = Some(birth.to_owned());
    fields.nhs_number = Some(nhs.to_owned());
    fields.postcode = Some(postcode.to_owned());
    let keys = TokenKeys::derive(&[7; 32]);
    let found = resolve(RawIdentifier::new(fields), &keys, date(2026, 11, 20));
    found.ok().unwrap().0.tokens().to_vec()
}

const BORN: &str = "1990-05-02";
const N1: &str = "9990000018";
const N2: &str = "9990000026";

fn tagged(kind: TokenKind, bytes: [u8; 16]) -> TaggedToken {
    let token = Token::from_bytes(bytes);
    TaggedToken { kind, token }
}

#[test]
fn a_person_is_found_by_number_or_by_name_and_birth_and_her_twin_is_not() {
    let mut index = LinkIndex::new(every);
    let amina = person("Amina", BORN, N1, "E8 1DY");
    let her = index.insert(&amina).unwrap();
    index.insert(&person("Aisha", BORN, "", "E8 1DY")).unwrap();
    let tiers = |tokens: &[TaggedToken]| index.resolve(tokens).links;
    assert_eq!(tiers(&amina), [(her, Tier::Automatic)]);
    let number = person("Amina", "", N1, "");
    assert_eq!(tiers(&number), [(her, Tier::Automatic)]);
    let moved = person("Amina", BORN, "", "N1 9GU");
    assert_eq!(tiers(&moved), [(her, Tier::NameAndBirth)]);
    assert!(tiers(&person("Amina", BORN, N2, "E8 1DY")).is_empty());
    assert!(tiers(&[]).is_empty());
}

#[test]
fn a_token_that_is_no_key_is_compared_and_finds_nobody() {
    let mut index = LinkIndex::new(numbers_only);
    let whole = person("Amina", BORN, N1, "E8 1DY");
    let her = index.insert(&whole).unwrap();
    let without = person("Amina", BORN, "", "E8 1DY");
    assert!(index.candidates(&without).records.is_empty());
    // The number alone would be enough; the other given name says that it is not hers.
    let sister = person("Aisha", BORN, N1, "E8 1DY");
    assert_eq!(index.candidates(&sister).records, [her]);
    let links = index.resolve(&sister).links;
    assert!(!links.contains(&(her, Tier::Automatic)));
}

#[test]
fn a_key_that_begins_like_another_is_another() {
    let mut index = LinkIndex::new(every);
    let mut bytes = [1; 16];
    index.insert(&[tagged(TokenKind::Nhs, bytes)]).unwrap();
    assert!(
        index
            .candidates(&[tagged(TokenKind::NameBirth, bytes)])
            .records
            .is_empty()
    );
    bytes[6] = 2;
    assert!(
        index
            .candidates(&[tagged(TokenKind::Nhs, bytes)])
            .records
            .is_empty()
    );
}

#[test]
fn of_a_key_that_is_too_common_none_is_found_and_that_is_told() {
    let mut index = LinkIndex::new(every);
    let common = tagged(TokenKind::NhsBirth, [1; 16]);
    let own = |number: u8| tagged(TokenKind::Nhs, [100 + number; 16]);
    let mut numbers = Vec::new();
    for number in 0..=RECORDS_A_KEY_MAX as u8 {
        let before = index.candidates(&[common]);
        assert_eq!(before.records, numbers);
        assert!(!before.too_common);
        numbers.push(index.insert(&[common, own(number)]).unwrap());
    }
    let found = index.candidates(&[common]);
    assert!(found.records.is_empty() && found.too_common);
    // Her other key finds her all the same.
    let found = index.resolve(&[common, own(3)]);
    assert_eq!(found.links, [(numbers[3], Tier::Automatic)]);
    assert!(found.too_common);
    for number in numbers {
        index.remove(number);
    }
    assert!(index.candidates(&[common]).too_common);
    assert!(index.candidates(&[common]).records.is_empty());
}

#[test]
fn the_room_of_removed_records_is_used_again_and_their_numbers_are_not() {
    let mut index = LinkIndex::new(every);
    let of = |number: u32| {
        let mut bytes = [9; 16];
        bytes[..4].copy_from_slice(&(number.wrapping_mul(0x9e37_79b9)).to_be_bytes());
        TokenKind::ALL.map(|kind| tagged(kind, bytes))
    };
    for number in 0..2_000 {
        assert_eq!(index.insert(&of(number)).unwrap().get(), number);
    }
    for number in (0..2_000).filter(|number| number % 5 > 0) {
        index.remove(RecordNumber(number));
        index.remove(RecordNumber(number));
    }
    assert!(index.tokens.len() < 1_000 * TokenKind::ALL.len());
    for number in 0..2_000 {
        let kept = Some(RecordNumber(number)).filter(|_| number % 5 == 0);
        assert_eq!(index.candidates(&of(number)).records, Vec::from_iter(kept));
    }
    assert_eq!(index.insert(&of(1)).unwrap().get(), 2_000);
    index.remove(RecordNumber(7_000));
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<TaggedToken>),
    Remove(usize),
}

/// Few values of each kind, so that many are shared, by fewer records than are too many. A date
/// of birth comes with all that is made of one, as it always does.
fn some_tokens() -> impl Strategy<Value = Vec<TaggedToken>> {
    const DATED: [TokenKind; 4] = [
        TokenKind::Birth,
        TokenKind::BirthYear,
        TokenKind::BirthSlip,
        TokenKind::BirthSwap,
    ];
    let one = (0..TokenKind::ALL.len(), 0_u8..4).prop_map(|(kind, value)| {
        let kind = TokenKind::ALL[kind];
        let of = |kind: TokenKind| tagged(kind, [kind as u8 * 4 + value; 16]);
        if DATED.contains(&kind) {
            DATED.map(of).to_vec()
        } else {
            vec![of(kind)]
        }
    });
    proptest::collection::vec(one, 0..6).prop_map(|some| some.concat())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => some_tokens().prop_map(Step::Insert),
        1 => (0_usize..60).prop_map(Step::Remove),
    ]
}

/// Of few names and dates, so that most are near each other in one way or another.
fn somebody() -> impl Strategy<Value = Vec<TaggedToken>> {
    const GIVEN: [&str; 9] = [
        "Amina",
        "Aminah",
        "Amna",
        "Amira",
        "Mohammed Ali",
        "Ali",
        "Kate",
        "Katherine",
        "Khan",
    ];
    const BIRTHS: [&str; 5] = [BORN, "1990-02-05", "1990-05-03", "1990-01-01", ""];
    let picks = (
        0..GIVEN.len(),
        0..GIVEN.len(),
        0..BIRTHS.len(),
        0..3_usize,
        0..3_usize,
    );
    picks.prop_map(|(given, family, birth, nhs, home)| {
        let mut fields = RawFields::default();
        fields.given_name = Some(GIVEN[given].to_owned());
        fields.family_name = Some(GIVEN[family].to_owned());
        fields.birth_date = Some(BIRTHS[birth].to_owned());
        fields.nhs_number = Some(["", N1, N2][nhs].to_owned());
        fields.postcode = Some(["", "E8 1DY", "N1 9GU"][home].to_owned());
        let keys = TokenKeys::derive(&[7; 32]);
        let raw = RawIdentifier::new(fields);
        resolve_known(raw, &keys, date(2026, 11, 20))
            .0
            .tokens()
            .to_vec()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn people_near_each_other_are_linked_as_if_each_were_compared_with_all(
        held in proptest::collection::vec(somebody(), 0..20),
        asked in proptest::collection::vec(somebody(), 1..4),
    ) {
        let mut index = LinkIndex::new(TokenKind::is_key);
        for tokens in &held {
            index.insert(tokens).unwrap();
        }
        for asked in asked {
            let mut links = Vec::new();
            for (number, tokens) in (0..).zip(&held) {
                let key = asked.iter().any(|of| of.kind.is_key() && tokens.contains(of));
                let tier = tier(&Evidence::between(&asked, tokens));
                if key && tier != Tier::Never {
                    links.push((RecordNumber(number), tier));
                }
            }
            links.sort_by_key(|(number, tier)| (*tier as u8, *number));
            prop_assert_eq!(index.resolve(&asked).links, links);
        }
    }
}

proptest! {
    #[test]
    fn it_finds_what_comparing_with_every_record_finds(
        steps in proptest::collection::vec(step(), 0..60),
        asked in some_tokens(),
    ) {
        let mut index = LinkIndex::new(numbers_only);
        let mut all = LinkIndex::new(every);
        let mut model = BTreeMap::<RecordNumber, BTreeSet<TaggedToken>>::new();
        for step in steps {
            match step {
                Step::Insert(tokens) => {
                    let number = index.insert(&tokens).unwrap();
                    prop_assert_eq!(all.insert(&tokens), Ok(number));
                    prop_assert!(model.insert(number, tokens.into_iter().collect()).is_none());
                }
                Step::Remove(place) => {
                    let number = RecordNumber(place as u32);
                    index.remove(number);
                    all.remove(number);
                    if let Some(tokens) = model.get_mut(&number) {
                        tokens.clear();
                    }
                }
            }
        }
        for (index, is_key) in [(&index, numbers_only as fn(_) -> _), (&all, every)] {
            let keys: Vec<_> = asked.iter().filter(|of| is_key(of.kind)).collect();
            let shares = |tokens: &BTreeSet<_>| keys.iter().any(|key| tokens.contains(*key));
            let records: Vec<_> = model.iter().filter(|(_, tokens)| shares(tokens)).collect();
            let found = index.candidates(&asked);
            prop_assert!(!found.too_common);
            prop_assert_eq!(found.records, Vec::from_iter(records.iter().map(|one| *one.0)));
            let mut links = Vec::new();
            for (number, tokens) in records {
                let tokens: Vec<_> = tokens.iter().copied().collect();
                links.push((*number, tier(&Evidence::between(&asked, &tokens))));
            }
            links.retain(|(_, tier)| *tier != Tier::Never);
            links.sort_by_key(|(number, tier)| (*tier as u8, *number));
            prop_assert_eq!(index.resolve(&asked).links, links);
        }
    }
}
