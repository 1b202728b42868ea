//! Names that are written for each other: short forms and spellings, from `variants.tsv`.
//!
//! Pairs are direct and never chained: Kate and Katie are both written for Katherine, and are not
//! one name for that. For finding records, and for nothing else, all names of one family of
//! spellings count as its first.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// One row: a name, a tab, and the names written for it, apart by spaces. All in `a-z`.
const TABLE: &str = include_str!("variants.tsv");

static VARIANTS: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(|| read(TABLE));

struct Entry {
    /// The first name of its family of spellings.
    first: &'static str,
    /// Each name written for this one, or that this one is written for.
    direct: Vec<&'static str>,
}

/// The names that are written for a folded name, or that it is written for; itself not among them.
pub(super) fn direct(folded: &str) -> &'static [&'static str] {
    VARIANTS.get(folded).map_or(&[], |entry| &entry.direct)
}

/// One name for all of a family of spellings; another name stands for itself.
pub(super) fn first<'a>(folded: &'a str) -> &'a str {
    VARIANTS.get(folded).map_or(folded, |entry| entry.first)
}

/// Each row of a table that is not a remark, with its names.
fn rows<'t>(table: &'t str) -> impl Iterator<Item = (&'t str, Vec<&'t str>)> {
    let rows = table.lines().filter(|row| !row.starts_with('#'));
    rows.filter_map(|row| row.split_once('\t'))
        .map(|(name, written)| (name, written.split_ascii_whitespace().collect()))
}

fn read(table: &'static str) -> HashMap<&'static str, Entry> {
    let mut direct: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut order = Vec::new();
    for (name, written) in rows(table) {
        order.push(name);
        for other in written {
            direct.entry(name).or_default().push(other);
            direct.entry(other).or_default().push(name);
        }
    }
    let mut firsts: BTreeMap<&str, &str> = BTreeMap::new();
    for first in order {
        let mut next = vec![first];
        while let Some(name) = next.pop() {
            if !firsts.contains_key(name) {
                firsts.insert(name, first);
                next.extend(direct.get(name).into_iter().flatten());
            }
        }
    }
    let entries = direct.into_iter().map(|(name, mut direct)| {
        direct.sort_unstable();
        direct.dedup();
        let first = firsts.get(name).copied().unwrap_or(name);
        (name, Entry { first, direct })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_direct_both_ways_and_not_chained() {
        assert!(direct("katherine").contains(&"kate"));
        assert!(direct("kate").contains(&"katherine"));
        assert!(direct("katie").contains(&"katherine"));
        assert!(!direct("kate").contains(&"katie"));
        assert_eq!(first("kate"), first("katie"));
        assert!(direct("nobodysname").is_empty());
        assert_eq!(first("nobodysname"), "nobodysname");
    }

    #[test]
    fn the_table_is_in_small_letters_without_repetition() {
        let mut seen = std::collections::BTreeSet::new();
        for (name, written) in rows(TABLE) {
            assert!(seen.insert(name), "{name} has two rows");
            assert!(!written.is_empty() && !written.contains(&name), "{name}");
            for word in written.iter().chain([&name]) {
                let plain = word.bytes().all(|byte| byte.is_ascii_lowercase());
                assert!(plain && word.len() >= 2, "{word}");
            }
        }
        assert!(seen.len() >= 300);
    }

    #[test]
    fn every_row_has_its_tab() {
        for row in TABLE.lines().filter(|row| !row.starts_with('#')) {
            assert!(row.contains('\t'), "{row}");
        }
    }
}
