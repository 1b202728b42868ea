//! A frame is read as it was written and in no other way, and its names with their key only.

use super::*;
use crate::domain::seal::{ItemKey, Slot};
use proptest::prelude::*;

fn leaf() -> Leaf {
    let mut bytes = [7; LEAF_BYTES];
    bytes[0] = 1;
    bytes[1] = 1;
    bytes[2..10].copy_from_slice(&1_767_225_600_000_i64.to_be_bytes());
    Leaf::parse(&bytes).unwrap()
}

fn sealed(slot: u64) -> Sealed {
    use crate::domain::decision::Aggregate;
    let key = ItemKey::new(Slot(slot), [2; 32]);
    crate::domain::seal::fact(&key, &Aggregate::Settings, Id::ZERO, b"plain", [3; 12])
        .sealed()
        .clone()
}

fn entry() -> Entry {
    let (of, item) = ([5; 16], Id::from_bytes([6; 16]));
    let class = DataClass::Id;
    Entry {
        leaf: leaf(),
        opening: sealed(1),
        changes: vec![
            Change::Fact {
                of,
                item,
                sealed: sealed(2),
            },
            Change::Part {
                of,
                item,
                class,
                sealed: sealed(3),
            },
            Change::Remove { of, item },
            Change::List {
                list: [8; 16],
                at: 9,
                item,
            },
            Change::Unlist {
                list: [8; 16],
                item,
            },
            Change::Count {
                counter: [10; 16],
                by: 11,
            },
        ],
        replay: Some(KeptReplay {
            key: [12; 16],
            request: [13; 32],
            until: 14,
            reply: vec![15, 16],
        }),
    }
}

fn keys() -> NamesKeys<'static> {
    NamesKeys::found_by(|slot| (slot == 21).then(|| [22; 32].into()))
}

fn frame() -> Vec<u8> {
    let (entry, _) = entry().encode(&NamesKey::new(21, &[22; 32])).unwrap();
    assemble(42, &[&entry, &entry], "note\n", &[17; 32]).unwrap()
}

/// The frame that [`frame`] makes, but for the names' nonce.
fn expect(bytes: &[u8]) {
    let frame = Frame::read(bytes).unwrap();
    assert_eq!((frame.first, frame.count, frame.note), (42, 2, "note\n"));
    assert_eq!(frame.previous, [17; 32]);
    for raw in frame.entries() {
        let found = raw.decode(&keys()).unwrap();
        assert_eq!(found.entry, entry());
        assert_eq!(found.names_slot, 21);
        let (leaf, opening) = raw.opening().unwrap();
        assert_eq!((leaf, opening), (entry().leaf, entry().opening));
        let at = |span: &Span| &frame.bytes[raw.at..][span.clone()];
        let head = at(found.spans.last().unwrap());
        assert_eq!(replay_in(head, &keys()).ok(), found.entry.replay);
        for (span, change) in found.spans.iter().zip(&found.entry.changes) {
            let content = Sealed::try_from_slice(at(span)).ok();
            assert_eq!(content.as_ref(), change.content());
        }
    }
}

#[test]
fn a_frame_reads_as_it_was_written() {
    expect(&frame());
}

#[test]
fn names_are_read_with_their_key_only_and_in_their_own_entry() {
    let bytes = frame();
    let frame = Frame::read(&bytes).unwrap();
    let raw = frame.entries().next().unwrap();
    let none = NamesKeys::found_by(|_| None);
    assert_eq!(raw.decode(&none).err(), Some(Unread::NoKey(21)));
    let other = NamesKeys::found_by(|_| Some([23; 32].into()));
    assert_eq!(raw.decode(&other).err(), Some(Unread::Damaged));
    for name in [[5_u8; 16], [8; 16], [10; 16], [12; 16]] {
        assert!(!bytes.windows(16).any(|window| window == name));
    }
    // Under the leaf of another entry, with a CRC that is right.
    let mut moved = bytes.clone();
    moved[raw.at + 4 + 10] ^= 1;
    let raw = RawEntry {
        at: 0,
        bytes: &moved[raw.at + 4..][..raw.bytes.len()],
    };
    assert!(raw.opening().is_some());
    assert_eq!(raw.decode(&keys()).err(), Some(Unread::Damaged));
}

/// A change of these bytes makes every journal that exists unreadable: never do it without a
/// new magic and a reader for the old one.
#[test]
fn the_bytes_of_a_frame_are_golden() {
    let golden = include_str!("../../../../tests/vectors/frame-v2.txt");
    let digits: Vec<char> = golden.chars().filter(char::is_ascii_hexdigit).collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect();
    expect(&bytes);
    // What is written now is laid out alike; the nonce of the names is another one each time.
    let made = frame();
    assert_eq!(made.len(), bytes.len());
    let mut head = vec![0; HEADER_BYTES + 4 + LEAF_BYTES];
    head.extend(borsh::to_vec(&entry().opening).unwrap());
    assert_eq!(made[..head.len()], bytes[..head.len()]);
}

/// As golden as the frame: 6 holds, 7 releases, 8 follows, 9 forgets.
#[test]
fn the_bytes_of_later_changes_are_golden() {
    let (of, item) = ([5; 16], Id::from_bytes([6; 16]));
    let later: [(u8, Change); 2] = [
        (6, Change::Hold { of, item }),
        (7, Change::Release { of, item }),
    ];
    for (number, change) in later {
        let bytes = [&[number][..], &of, item.bytes()].concat();
        assert_eq!(borsh::to_vec(&change).unwrap(), bytes);
    }
    let follow = [&[8][..], &of].concat();
    assert_eq!(borsh::to_vec(&Change::<()>::Follow { of }).unwrap(), follow);
    let forget = [&[9][..], &7_u64.to_le_bytes()].concat();
    assert_eq!(
        borsh::to_vec(&Change::<()>::Forget { slot: 7 }).unwrap(),
        forget
    );
}

#[test]
fn no_cut_and_no_flipped_bit_of_a_frame_is_read() {
    let bytes = frame();
    for length in 0..bytes.len() {
        assert!(Frame::read(&bytes[..length]).is_none(), "cut at {length}");
    }
    for at in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        assert!(Frame::read(&bytes).is_none(), "bit {at}");
    }
}

proptest! {
    #[test]
    fn reading_a_frame_never_panics(mut bytes: Vec<u8>, magic: bool) {
        if magic && bytes.len() > 4 {
            bytes[..4].copy_from_slice(&MAGIC);
        }
        if let Some(frame) = Frame::read(&bytes) {
            frame.entries().for_each(|entry| drop(entry.decode(&keys())));
        }
    }

    #[test]
    fn decoding_an_entry_never_panics(bytes: Vec<u8>) {
        let bytes = [leaf().bytes().as_slice(), &bytes].concat();
        let _ = RawEntry { at: 0, bytes: &bytes }.decode(&keys());
    }

    #[test]
    fn names_of_any_bytes_never_panic(names: Vec<u8>) {
        let key = NamesKey::new(21, &[22; 32]);
        let names = key.seal(&names, &names_place(&leaf())).unwrap();
        let (bytes, _) = entry().lay_out(&names).unwrap();
        let _ = RawEntry { at: 0, bytes: &bytes[4..] }.decode(&keys());
    }
}
