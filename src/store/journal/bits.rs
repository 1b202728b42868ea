//! Every single bit of a journal, flipped: it is noticed and named, or it is padding.

use super::damage::{Place, crash, frames_of, place, test_segments};
use super::frame::Frame;
use super::names_key::NamesKeys;
use super::recovery::{FrameAt, recover};
use super::*;
use crate::domain::leaf::{LEAF_BYTES, Leaf};
use crate::store::Store;
use crate::store::contract::{Attempt, id, of};

const ENTRIES: u64 = 1_000;

/// One fact, under a leaf without the zeros that a test's leaf has.
async fn write_entry(store: &Store, n: u64) {
    let attempt = Attempt::new(store, 1).await;
    let mut decision = attempt.fact(&of(n), id(n), b"fact").decision(());
    let mut bytes = [0; LEAF_BYTES];
    getrandom::fill(&mut bytes).unwrap();
    bytes[..2].copy_from_slice(&[1, 1]);
    bytes[2..26].copy_from_slice(&decision.leaf.bytes()[2..26]);
    decision.leaf = Leaf::parse(&bytes).unwrap();
    store.commit(decision).await.unwrap();
}

async fn journal_of(entries: u64) -> (Place, Vec<FrameAt>) {
    let place = place(1024 * 1024);
    let store = place.store();
    for n in 0..entries {
        write_entry(&store, n).await;
    }
    let frames = frames_of(&store);
    crash(store);
    (place, frames)
}

#[tokio::test]
async fn every_flipped_bit_of_a_journal_is_noticed_or_in_padding() {
    let long = std::env::var_os("FIREDOOR_LONG").is_some();
    let step = if long { 1 } else { 97 };
    let (place, frames) = journal_of(ENTRIES).await;
    assert_eq!(frames.len() as u64, ENTRIES);
    let segments = frames.last().unwrap().segment;
    let mut flipped = 0_u64;
    for segment in 1..=segments {
        let mut bytes = std::fs::read(place.segment(segment)).unwrap();
        let mut end = 0;
        for at in frames.iter().filter(|at| at.segment == segment) {
            let (from, to) = (at.offset as usize, (at.offset + at.length) as usize);
            assert_eq!(from, end, "frames lie side by side");
            assert!(Frame::read(&bytes[from..]).is_some());
            for bit in (from * 8..to * 8).step_by(step) {
                bytes[bit / 8] ^= 1 << (bit % 8);
                // What names the place is the offset at which no frame is read.
                assert!(Frame::read(&bytes[from..]).is_none(), "bit {bit}");
                bytes[bit / 8] ^= 1 << (bit % 8);
                flipped += 1;
            }
            end = to;
        }
        // The rest is padding.
        assert!(bytes[end..].iter().all(|byte| *byte == 0));
    }
    assert!(flipped > 1_000_000 / step as u64, "{flipped}");
}

/// Through a whole recovery: every part of a frame, in the first, the middle and the last one, and
/// the padding. The last frame was acknowledged, so that dropping it would be a loss.
#[tokio::test]
async fn a_flipped_bit_stops_the_start_at_its_frame_wherever_it_is() {
    let (place, frames) = journal_of(7).await;
    let whole = std::fs::read(place.segment(1)).unwrap();
    let slots = place.slot_file();
    let keys = NamesKeys::of(&slots);
    let refused = |bytes: &[u8]| {
        let segments = test_segments(bytes);
        let verifier = place.config().keys.log;
        let found = recover(&segments.1, verifier.verifier(), 0, &keys);
        // Nothing is repaired, or cleared away, before someone has looked.
        assert!(std::fs::read(segments.1.path(1)).unwrap() == bytes || found.is_ok());
        found.map(|found| found.tree.size())
    };
    for frame in [&frames[0], &frames[3], &frames[6]] {
        let length = frame.length as usize;
        // Magic, length, first index, count, length of the entries, of an entry, the leaf, opening,
        // names and contents, checkpoint, hash of the frame before, CRC.
        let mut places = vec![
            0, 3, 4, 5, 6, 7, 8, 15, 16, 18, 20, 22, 24, 28, 100, 300, 400, 500,
        ];
        places.extend([60, 38, 36, 20, 5, 4, 1].map(|back| length - back));
        for at in places {
            for bit in [0, 3, 7] {
                let mut bytes = whole.clone();
                bytes[frame.offset as usize + at] ^= 1 << bit;
                match refused(&bytes) {
                    Err(OpenError::Damaged { file, byte, .. }) => {
                        assert!(file.ends_with("0000000001.seg"));
                        assert_eq!(byte, u64::from(frame.offset), "byte {at}, bit {bit}");
                    }
                    Err(other) => panic!("byte {at}, bit {bit}: {other}"),
                    Ok(size) => panic!("byte {at}, bit {bit}: opened with {size}"),
                }
            }
        }
    }
    let end = (frames[6].offset + frames[6].length) as usize;
    for at in [end, end + 1, end + 700, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        match refused(&bytes) {
            // Behind the last frame nothing was ever written: it is cleared, or named.
            Ok(size) => assert_eq!(size, 7),
            Err(OpenError::Damaged { byte, .. }) => assert_eq!(byte, end as u64),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(refused(&whole).unwrap(), 7);
}

#[tokio::test]
async fn keys_that_a_flipped_bit_hides_are_told_apart_from_erased_ones() {
    let (place, _) = journal_of(2).await;
    let slots = place.config().slots;
    let whole = std::fs::read(&slots).unwrap();
    // The header; the key of the names; one of the first entry.
    for at in [
        10,
        40,
        70,
        99,
        4096 + 2,
        4096 + 60,
        4160 + 2,
        4160 + 10,
        4160 + 60,
    ] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&slots, &bytes).unwrap();
        match place.try_open() {
            Err(OpenError::SlotsKey(_)) => assert!(at < 4096),
            Err(OpenError::NamesKeyMissing { slot: 1, .. }) => {
                assert!((4096..4160).contains(&at), "byte {at}");
            }
            Err(other) => panic!("byte {at}: {other}"),
            Ok(store) => {
                assert!(at >= 4160, "byte {at}");
                let facts = store.facts(&[of(0)]).await;
                let entries = super::damage::journal(&store).entries(&[0]).await;
                assert!(facts.is_err() || entries.is_err(), "byte {at}");
            }
        }
    }
}
