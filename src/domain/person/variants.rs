//! Names that are written for each other: spellings and short forms, from `variants.tsv`.
//!
//! Pairs are direct and never chained: Kate and Katie are both short for Katherine, and are not one
//! name for that. For finding records, and for nothing else, all names that hang together count as
//! the first of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// Rows of three kinds, as its head says; all names in `a-z`.
const TABLE: &str = include_str!("variants.tsv");

static VARIANTS: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(|| read(TABLE));

/// What the table says of one name.
pub(super) struct Entry {
    /// The first of all names that hang together with it.
    first: &'static str,
    /// The spellings it has, each by its first: two names that share one are one name.
    pub(super) spellings: Vec<&'static str>,
    /// Pairs of a name and its short form, of which it is one: two names that share a pair, but
    /// no spelling, are written for each other.
    pub(super) short: Vec<[&'static str; 2]>,
}

/// `None`: a name that stands for itself only.
pub(super) fn of(folded: &str) -> Option<&'static Entry> {
    VARIANTS.get(folded)
}

/// One name for all that hang together; another name stands for itself.
pub(super) fn first(folded: &str) -> &str {
    of(folded).map_or(folded, |entry| entry.first)
}

enum Row<'t> {
    Spelling(Vec<&'t str>),
    Short(&'t str, Vec<&'t str>),
    Listed(Vec<&'t str>),
}

fn rows<'t>(table: &'t str) -> impl Iterator<Item = Row<'t>> {
    let rows = table.lines().filter(|row| !row.starts_with('#'));
    let names = |text: &'t str| text.split_ascii_whitespace().collect();
    rows.filter_map(move |row| match row.split_once('\t')? {
        ("spelling", all) => Some(Row::Spelling(names(all))),
        ("listed", all) => Some(Row::Listed(names(all))),
        ("short", rest) => {
            let (name, short) = rest.split_once('\t')?;
            Some(Row::Short(name, names(short)))
        }
        _ => None,
    })
}

fn read(table: &'static str) -> HashMap<&'static str, Entry> {
    let mut near: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut beside = |one, other| {
        near.entry(one).or_default().push(other);
        near.entry(other).or_default().push(one);
    };
    let mut alone = Vec::new();
    let mut spellings: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in rows(table) {
        match row {
            Row::Spelling(names) => {
                let first = names.first().copied().unwrap_or_default();
                for name in names {
                    spellings.entry(name).or_default().push(first);
                    beside(first, name);
                }
            }
            Row::Listed(names) => alone.extend(names),
            Row::Short(..) => {}
        }
    }
    // A short form is short for every spelling of the name.
    let alike = |name| spellings.get(name).cloned().unwrap_or_else(|| vec![name]);
    let mut pairs: BTreeMap<&str, Vec<[&str; 2]>> = BTreeMap::new();
    for row in rows(table) {
        if let Row::Short(name, forms) = row {
            for form in forms {
                beside(name, form);
                for long in alike(name) {
                    for brief in alike(form) {
                        pairs.entry(long).or_default().push([long, brief]);
                        pairs.entry(brief).or_default().push([long, brief]);
                    }
                }
            }
        }
    }
    for name in alone {
        near.entry(name).or_default();
    }
    let firsts = firsts(&near);
    let entries = firsts.into_iter().map(|(name, first)| {
        let alike = alike(name);
        let pairs = alike.iter().filter_map(|spelling| pairs.get(spelling));
        let mut short: Vec<[&str; 2]> = pairs.flatten().copied().collect();
        short.sort_unstable();
        short.dedup();
        let spellings = spellings.get(name).cloned().unwrap_or_default();
        let entry = Entry {
            first,
            spellings,
            short,
        };
        (name, entry)
    });
    entries.collect()
}

/// Of each name the first, in the alphabet, of all that hang together with it.
fn firsts<'t>(near: &BTreeMap<&'t str, Vec<&'t str>>) -> BTreeMap<&'t str, &'t str> {
    let mut firsts = BTreeMap::new();
    for first in near.keys() {
        let mut next = vec![*first];
        while let Some(name) = next.pop() {
            if !firsts.contains_key(name) {
                firsts.insert(name, *first);
                next.extend(near.get(name).into_iter().flatten());
            }
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_name(one: &str, other: &str) -> bool {
        let (one, other) = (of(one).unwrap(), of(other).unwrap());
        one.spellings
            .iter()
            .any(|first| other.spellings.contains(first))
    }

    fn short(one: &str, other: &str) -> bool {
        let (one, other) = (of(one).unwrap(), of(other).unwrap());
        one.short.iter().any(|pair| other.short.contains(pair))
    }

    #[test]
    fn pairs_are_direct_and_not_chained() {
        assert!(short("katherine", "kate") && short("kate", "kathryn"));
        assert!(!short("kate", "katie") && !short("carl", "charlie"));
        assert!(one_name("mohammed", "maxamed") && one_name("ayesha", "caasha"));
        assert!(!one_name("aisha", "fatima"));
        assert_eq!(first("kate"), first("katie"));
        assert!(of("nobodysname").is_none());
        assert_eq!(first("nobodysname"), "nobodysname");
    }

    #[test]
    fn the_table_has_rows_of_three_kinds_in_small_letters() {
        let mut count = 0;
        for row in TABLE.lines().filter(|row| !row.starts_with('#')) {
            let mut words = row.split(['\t', ' ']);
            assert!(
                matches!(words.next(), Some("spelling" | "short" | "listed")),
                "{row}"
            );
            let names: Vec<&str> = words.collect();
            assert!(names.len() >= 2, "{row}");
            let unlike: std::collections::BTreeSet<&&str> = names.iter().collect();
            assert_eq!(unlike.len(), names.len(), "{row}");
            for name in names {
                let plain = name.bytes().all(|byte| byte.is_ascii_lowercase());
                assert!(plain && name.len() >= 2, "{row}");
            }
            count += 1;
        }
        assert_eq!(rows(TABLE).count(), count);
        assert!(count >= 400);
    }

    #[test]
    fn no_name_hangs_together_with_half_of_the_table() {
        let mut families: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in VARIANTS.values() {
            *families.entry(entry.first).or_default() += 1;
        }
        let largest = families.values().max().copied().unwrap_or_default();
        assert!(largest <= 120, "{largest}");
    }
}
