//! From pairs to people: what several records say together.
//!
//! Records that are linked automatically, each to the next, are one person's, unless any two of
//! them contradict each other: then none of those links stands without somebody who looks. Between
//! two people so found the closest pair of records decides. Records themselves are never merged:
//! all this is computed anew from their tokens, so a link that is undone leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};

use super::link::{Evidence, Tier, contradicts, tier};
use super::token::TaggedToken;

/// Most records of one person; more of them are a fault of the data, and not linked on.
pub const CLUSTER_RECORDS_MAX: usize = 64;

/// The tier of each pair that is linked or may be, or is to be quarantined, the lower place first.
///
/// `compared` are the pairs of places in `records` that share a key. Pairs that are not among them
/// may be linked through a third record. Where the records of a second person, who contradicts the
/// first, come as close to somebody, neither is more than possible.
pub fn settle(
    records: &[&[TaggedToken]],
    compared: impl IntoIterator<Item = (usize, usize)>,
) -> BTreeMap<(usize, usize), Tier> {
    let between = |one: usize, other: usize| {
        let (one, other) = (records.get(one)?, records.get(other)?);
        Some(Evidence::between(one, other))
    };
    let mut settled = BTreeMap::new();
    for (one, other) in compared {
        let found = between(one, other).map(|evidence| tier(&evidence));
        match found {
            Some(Tier::Never) | None => {}
            Some(found) => {
                settled.insert((one.min(other), one.max(other)), found);
            }
        }
    }
    let contradict = |ones: &[usize], others: &[usize]| {
        ones.iter().any(|one| {
            others.iter().any(|other| {
                one != other && between(*one, *other).is_none_or(|found| contradicts(&found))
            })
        })
    };
    let mut people = People::of(records.len(), &settled);
    let refused: BTreeSet<usize> = people
        .members
        .iter()
        .enumerate()
        .filter(|(_, all)| all.len() > CLUSTER_RECORDS_MAX || contradict(all, all))
        .map(|(person, _)| person)
        .collect();
    for ((one, _), found) in &mut settled {
        if *found == Tier::Automatic
            && people
                .of_record(*one)
                .is_some_and(|who| refused.contains(&who))
        {
            *found = Tier::Possible;
        }
    }
    if !refused.is_empty() {
        people = People::of(records.len(), &settled);
    }

    // The closest pair of records between two people.
    let mut closest: BTreeMap<(usize, usize), Tier> = BTreeMap::new();
    for ((one, other), found) in &settled {
        let (Some(one), Some(other)) = (people.of_record(*one), people.of_record(*other)) else {
            continue;
        };
        if one != other && matches!(found, Tier::NameAndBirth | Tier::Possible) {
            let pair = (one.min(other), one.max(other));
            let best = closest.entry(pair).or_insert(*found);
            if *found == Tier::NameAndBirth {
                *best = Tier::NameAndBirth;
            }
        }
    }
    closest.retain(|(one, other), _| !contradict(people.records(*one), people.records(*other)));
    let rivals = rivals(&people, &closest, contradict);
    for ((one, other), best) in &mut closest {
        if rivals.contains(one) || rivals.contains(other) {
            *best = Tier::Possible;
        }
    }

    for all in &people.members {
        for (place, one) in all.iter().enumerate() {
            for other in all.iter().skip(place + 1) {
                settled.insert((*one, *other), Tier::Automatic);
            }
        }
    }
    for ((first, second), best) in closest {
        for one in people.records(first) {
            for other in people.records(second) {
                let pair = (*one.min(other), *one.max(other));
                settled.insert(pair, best);
            }
        }
    }
    settled
}

/// Those to whom two others come close who contradict each other.
fn rivals(
    people: &People,
    closest: &BTreeMap<(usize, usize), Tier>,
    contradict: impl Fn(&[usize], &[usize]) -> bool,
) -> BTreeSet<usize> {
    let mut near: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (one, other) in closest.keys() {
        near.entry(*one).or_default().push(*other);
        near.entry(*other).or_default().push(*one);
    }
    let torn = near.into_iter().filter(|(_, others)| {
        others.iter().enumerate().any(|(place, one)| {
            let rest = others.iter().skip(place + 1);
            let mut rest = rest.map(|other| people.records(*other));
            rest.any(|other| contradict(people.records(*one), other))
        })
    });
    torn.map(|(person, _)| person).collect()
}

/// Which records are linked automatically, each to the next.
struct People {
    of: Vec<usize>,
    /// In order of their places.
    members: Vec<Vec<usize>>,
}

impl People {
    fn of(records: usize, settled: &BTreeMap<(usize, usize), Tier>) -> Self {
        let mut beside: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for ((one, other), found) in settled {
            if *found == Tier::Automatic {
                beside.entry(*one).or_default().push(*other);
                beside.entry(*other).or_default().push(*one);
            }
        }
        let mut of = vec![usize::MAX; records];
        let mut members = Vec::new();
        for first in 0..records {
            let mut all = Vec::new();
            let mut next = vec![first];
            while let Some(record) = next.pop() {
                let Some(person) = of.get_mut(record).filter(|person| **person == usize::MAX)
                else {
                    continue;
                };
                *person = members.len();
                all.push(record);
                next.extend(beside.get(&record).into_iter().flatten());
            }
            if !all.is_empty() {
                all.sort_unstable();
                members.push(all);
            }
        }
        Self { of, members }
    }

    fn of_record(&self, record: usize) -> Option<usize> {
        self.of.get(record).copied()
    }

    fn records(&self, person: usize) -> &[usize] {
        self.members.get(person).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RawFields, RawIdentifier, TokenKeys, resolve_known};
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    /// given, family, birth, NHS number, postcode, telephone
    type Row<'a> = [&'a str; 6];

    fn tokens(row: Row) -> Vec<TaggedToken> {
        let [given, family, birth, nhs, postcode, phone] = row.map(str::to_owned);
        let mut fields = RawFields::default();
        fields.given_name = Some(given);
        fields.family_name = Some(family);
        fields.birth_date = Some(birth);
        fields.nhs_number = Some(nhs);
        fields.postcode = Some(postcode);
        fields.phone = vec![phone];
        let keys = TokenKeys::derive(&[7; 32]);
        let raw = RawIdentifier::new(fields);
        resolve_known(raw, &keys, date(2026, 11, 20))
            .0
            .tokens()
            .to_vec()
    }

    fn settled(rows: &[Row]) -> Vec<(usize, usize, &'static str)> {
        let records: Vec<Vec<TaggedToken>> = rows.iter().map(|row| tokens(*row)).collect();
        let records: Vec<&[TaggedToken]> = records.iter().map(Vec::as_slice).collect();
        let all = (0..rows.len()).flat_map(|one| (0..one).map(move |other| (other, one)));
        let pairs = settle(&records, all).into_iter();
        pairs
            .map(|((one, other), tier)| (one, other, tier.word()))
            .collect()
    }

    const N1: &str = "9990000018";
    const N2: &str = "9990000026";
    const P: &str = "07700 900123";

    #[test]
    fn a_record_between_two_links_them_if_nothing_contradicts() {
        let police = ["Amina", "Khan", "1990-05-02", "", "E8 1DY", P];
        let health = ["Amina", "Khan", "1990-05-02", N1, "E8 1DY", ""];
        let charity = ["Amina", "Khan", "1990-05-02", "", "", P];
        assert_eq!(settled(&[health, charity]), [(0, 1, "name_dob")]);
        assert_eq!(
            settled(&[health, charity, police]),
            [(0, 1, "auto"), (0, 2, "auto"), (1, 2, "auto")]
        );
        // Her number leads to a record without a date, and from there nowhere alone.
        let undated = ["Amina", "Khan", "", N1, "", ""];
        assert_eq!(
            settled(&[charity, health, undated]),
            [(0, 1, "name_dob"), (0, 2, "name_dob"), (1, 2, "auto")]
        );
    }

    #[test]
    fn links_are_refused_where_two_of_the_records_contradict() {
        let bridge = ["Amina", "Khan", "1990-05-02", "", "E8 1DY", P];
        let one = ["Amina", "Khan", "1990-05-02", N1, "E8 1DY", ""];
        let other = ["Amina", "Khan", "1990-05-02", N2, "", P];
        assert_eq!(
            settled(&[one, bridge, other]),
            [(0, 1, "possible"), (1, 2, "possible")]
        );
    }

    #[test]
    fn a_second_person_who_comes_as_close_lowers_the_tier() {
        let asked = ["Amina", "Khan", "1990-05-02", "", "", ""];
        let one = ["Amina", "Khan", "1990-05-02", N1, "E8 1DY", ""];
        let other = ["Amina", "Khan", "1990-05-02", N2, "N1 9GU", ""];
        assert_eq!(settled(&[asked, one]), [(0, 1, "name_dob")]);
        assert_eq!(
            settled(&[asked, one, other]),
            [(0, 1, "possible"), (0, 2, "possible")]
        );
    }

    #[test]
    fn a_number_on_two_people_is_quarantined_and_links_nobody_through_it() {
        let one = ["Amina", "Khan", "1990-05-02", N1, "E8 1DY", ""];
        let other = ["Aisha", "Khan", "1992-03-04", N1, "E8 1DY", ""];
        assert_eq!(settled(&[one, other]), [(0, 1, "quarantine")]);
    }

    #[test]
    fn too_many_records_are_nobody() {
        let row = ["Amina", "Khan", "1990-05-02", N1, "", ""];
        let rows = vec![row; CLUSTER_RECORDS_MAX + 1];
        assert!(
            settled(&rows)
                .iter()
                .all(|(_, _, tier)| *tier == "possible")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_order_of_records_does_not_matter(
            picks in proptest::collection::vec(0_usize..8, 2..7),
        ) {
            let some = [
                ["Amina", "Khan", "1990-05-02", N1, "E8 1DY", ""],
                ["Amina", "Khan", "1990-05-02", "", "E8 1DY", P],
                ["Amina", "Khan", "1990-05-02", N2, "", P],
                ["Aisha", "Khan", "1990-05-02", "", "E8 1DY", P],
                ["Amina", "Shah", "1990-05-02", "", "", P],
                ["Khan", "Amina", "1990-05-02", "", "", ""],
                ["Amina", "Khan", "1990-01-01", "", "", ""],
                ["Amina", "Khan", "", N1, "", ""],
            ];
            let rows: Vec<Row> = picks.iter().map(|pick| some[*pick]).collect();
            let mut turned = rows.clone();
            turned.reverse();
            let last = rows.len() - 1;
            let mut back: Vec<_> = settled(&turned)
                .into_iter()
                .map(|(one, other, tier)| (last - other, last - one, tier))
                .collect();
            back.sort_unstable();
            prop_assert_eq!(settled(&rows), back);
        }
    }
}
