//! Lists are those of one change after another, whatever is killed, and only with their key.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const INBOX: ListKey = [0xff; 16];
const SENT: ListKey = [1; 16];

fn key() -> ListsKey {
    ListsKey::new(7, &[8; 32])
}

fn known(slot: u64) -> Option<ListsKey> {
    (slot == 7).then(key)
}

#[test]
fn an_index_whose_key_is_gone_or_another_one_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let fill = || {
        let index = Index::create(&path, &key()).unwrap();
        index.apply(&[(0, add(INBOX, 10, 1))], mark(1));
        index.close().unwrap();
        let names = index.db.iter().keys().map(Result::unwrap);
        assert!(names.into_iter().all(|name| !name.starts_with(&INBOX)));
    };
    let new = ListsKey::new(9, &[9; 32]);
    fill();
    let index = Index::open(&path, |_| None, &new).unwrap();
    assert_eq!(index.watermark(), None);
    drop(index);
    fill();
    let other = |slot| Some(ListsKey::new(slot, &[1; 32]));
    let index = Index::open(&path, other, &new).unwrap();
    assert_eq!(index.watermark(), None);
    assert!(index.list(&INBOX, None, 9).unwrap().is_empty());
    drop(index);
    fill();
    let index = Index::open(&path, known, &new).unwrap();
    assert_eq!(index.watermark(), Some(mark(1)));
    assert_eq!(items(index.list(&INBOX, None, 9).unwrap()), [1]);
}

fn item(n: u8) -> Id {
    Id::from_bytes([n; 16])
}

fn add(list: ListKey, at: u64, n: u8) -> ListChange {
    let item = item(n);
    ListChange::Add { list, at, item }
}

fn mark(leaves: u64) -> Watermark {
    Watermark {
        leaves,
        segment: 1,
        offset: 0,
        frame: [3; 32],
    }
}

fn items(found: Vec<Listed>) -> Vec<u8> {
    found.iter().map(|entry| entry.item.bytes()[0]).collect()
}

#[test]
fn a_list_is_read_in_order_from_both_ends_and_by_pages() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::create(&dir.path().join("index"), &key()).unwrap();
    let changes = [
        (1, add(INBOX, 20, 2)),
        (2, add(INBOX, 10, 1)),
        (3, add(INBOX, 20, 3)),
        (4, add(SENT, 15, 9)),
        (5, add(INBOX, u64::MAX, 4)),
    ];
    index.apply(&changes, mark(6));
    let all = index.list(&INBOX, None, 100).unwrap();
    assert_eq!(items(all.clone()), [1, 2, 3, 4]);
    assert_eq!(
        items(index.newest(&INBOX, None, 100).unwrap()),
        [4, 3, 2, 1]
    );
    assert_eq!(items(index.list(&INBOX, Some(all[0]), 2).unwrap()), [2, 3]);
    assert_eq!(items(index.newest(&INBOX, Some(all[2]), 1).unwrap()), [2]);
    assert_eq!(items(index.newest(&SENT, None, 9).unwrap()), [9]);
}

#[test]
fn every_entry_of_an_item_leaves_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::create(&dir.path().join("index"), &key()).unwrap();
    let (list, gone) = (INBOX, item(1));
    let changes = [
        (1, add(list, 10, 1)),
        (2, add(list, 30, 1)),
        (3, add(list, 20, 2)),
        (4, add(SENT, 10, 1)),
        (5, ListChange::RemoveAll { list, item: gone }),
    ];
    index.apply(&changes, mark(6));
    assert_eq!(items(index.list(&INBOX, None, 9).unwrap()), [2]);
    assert_eq!(items(index.list(&SENT, None, 9).unwrap()), [1]);
    // Applying the same again, as after a crash, changes nothing.
    index.apply(&changes, mark(6));
    assert_eq!(items(index.list(&INBOX, None, 9).unwrap()), [2]);
}

#[test]
fn a_trusted_index_keeps_its_watermark_and_a_damaged_one_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let index = Index::create(&path, &key()).unwrap();
    index.apply(&[(0, add(INBOX, 10, 1))], mark(1));
    index.close().unwrap();
    drop(index);
    let index = Index::open(&path, known, &key()).unwrap();
    assert_eq!(index.watermark(), Some(mark(1)));
    drop(index);
    let index = Index::create(&path, &key()).unwrap();
    assert_eq!(index.watermark(), None);
    index.close().unwrap();
    drop(index);
    std::fs::write(path.join("db"), b"not a database").unwrap();
    std::fs::write(path.join("conf"), b"garbage").unwrap();
    let index = Index::open(&path, known, &key()).unwrap();
    assert_eq!(index.watermark(), None);
    assert!(index.list(&INBOX, None, 9).unwrap().is_empty());
}

#[test]
fn a_list_longer_than_a_block_is_read_in_order_however_it_was_filled() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::create(&dir.path().join("index"), &key()).unwrap();
    let mut all = Vec::new();
    for batch in 0..12_u64 {
        let changes: Vec<_> = (batch * 40..batch * 40 + 40).collect();
        // Forwards, backwards, and all over the place.
        let at = |n: u64| match batch / 4 {
            0 => 1_000 + n,
            1 => 1_000 - n,
            _ => n * 7_919 % 2_003,
        };
        let changes = changes.into_iter().map(|n| (n, add(INBOX, at(n), n as u8)));
        let changes: Vec<_> = changes.collect();
        all.extend(changes.iter().map(|(index, change)| match *change {
            ListChange::Add { at, item, .. } => Listed {
                at,
                index: *index,
                item,
            },
            ListChange::RemoveAll { .. } => unreachable!(),
        }));
        index.apply(&changes, mark(batch));
    }
    all.sort();
    let (mut read, mut after) = (Vec::new(), None);
    while let Some(last) = {
        let page = index.list(&INBOX, after, 37).unwrap();
        read.extend_from_slice(&page);
        page.last().copied()
    } {
        after = Some(last);
    }
    assert_eq!(read, all);
    let (mut back, mut before) = (Vec::new(), None);
    while let Some(last) = {
        let page = index.newest(&INBOX, before, 41).unwrap();
        back.extend_from_slice(&page);
        page.last().copied()
    } {
        before = Some(last);
    }
    back.reverse();
    assert_eq!(back, all);
    assert!(index.list(&SENT, None, 9).unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_listed_and_unlisted_the_lists_are_those_of_one_change_after_another(
        batches in vec(vec((0_u8..8, 0_u8..3, 0_u64..50, 0_u8..12), 1..150), 1..12),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::create(&dir.path().join("index"), &key()).unwrap();
        let mut model = BTreeSet::new();
        let mut leaf = 0;
        for batch in batches {
            let mut changes = Vec::new();
            for (kind, list, at, n) in batch {
                leaf += at % 2;
                let list: ListKey = [list; 16];
                let item = item(n);
                if kind == 0 {
                    model.retain(|(in_list, entry): &(ListKey, Listed)| {
                        (in_list, entry.item) != (&list, item)
                    });
                    changes.push((leaf, ListChange::RemoveAll { list, item }));
                } else {
                    let index = leaf;
                    model.insert((list, Listed { at, index, item }));
                    changes.push((leaf, ListChange::Add { list, at, item }));
                }
            }
            index.apply(&changes, mark(leaf));
            for list in [[0; 16], [1; 16], [2; 16]] {
                let entries = model.iter().filter(|(of, _)| *of == list);
                let mut entries: Vec<Listed> = entries.map(|(_, entry)| *entry).collect();
                prop_assert_eq!(&index.list(&list, None, u16::MAX).unwrap(), &entries);
                entries.reverse();
                prop_assert_eq!(index.newest(&list, None, u16::MAX).unwrap(), entries);
            }
        }
    }
}

#[test]
fn what_a_kill_left_of_a_divided_block_is_not_seen_and_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::create(&dir.path().join("index"), &key()).unwrap();
    let changes: Vec<_> = (0..60).map(|n| (n, add(INBOX, n, n as u8))).collect();
    index.apply(&changes, mark(60));
    let whole = index
        .db
        .get(block_key(&key().hidden(&INBOX), &Entry::default()))
        .unwrap();
    // These do not go at the end, so the block is divided; then the old one comes back.
    let more: Vec<_> = (60..70).map(|n| (n, add(INBOX, n - 60, n as u8))).collect();
    index.apply(&more, mark(70));
    index
        .db
        .insert(
            block_key(&key().hidden(&INBOX), &Entry::default()),
            whole.unwrap(),
        )
        .unwrap();
    let all = index.list(&INBOX, None, 100).unwrap();
    let mut back = index.newest(&INBOX, None, 100).unwrap();
    back.reverse();
    assert_eq!(all, back);
    assert!(items(all).is_sorted_by_key(|n| n % 60));
    index.apply(&more, mark(70));
    let mut all = items(index.list(&INBOX, None, 100).unwrap());
    all.sort_unstable();
    assert_eq!(all, (0..70).collect::<Vec<u8>>());
    let gone = (20..70).map(|n| {
        let (list, item) = (INBOX, item(n));
        (70, ListChange::RemoveAll { list, item })
    });
    index.apply(&gone.collect::<Vec<_>>(), mark(71));
    let left = items(index.list(&INBOX, None, 100).unwrap());
    assert_eq!(left, (0..20).collect::<Vec<u8>>());
}
