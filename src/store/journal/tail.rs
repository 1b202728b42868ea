//! Whether what follows the last good frame can come from a write that was interrupted.
//!
//! A frame is acknowledged only after all of it was synced. A segment is zeroed beforehand, and a
//! disk writes a sector of 512 bytes or does not; so an interrupted write leaves a sector of its
//! frame unwritten, or at least without its end. A bad frame that was written everywhere may have
//! been acknowledged: it is damage, and must never be dropped. What cannot be told apart: a sector
//! of an acknowledged last frame that reads as zeros. Then only the mark, a receipt or a witness
//! shows that the log was longer.

use super::frame::{FRAME_DECISIONS_MAX, HEADER_BYTES, MAGIC, TRAILER_BYTES};
use borsh::BorshDeserialize;

const SECTOR_BYTES: usize = 512;
/// A sector that ends in so many zeros was perhaps not written to its end. What frames are made of
/// is random, or numbers of at most eight bytes.
const UNWRITTEN_BYTES: usize = 16;

/// What the frame here would have to say of itself.
pub struct Expected<'a> {
    /// The index of its first leaf.
    pub first: u64,
    /// The checkpoint of the frame before it.
    pub note: Option<&'a str>,
}

/// Whether `rest`, which begins at `offset` of its segment and reaches to the segment's end, may be
/// a frame whose write was interrupted. `rest` holds something that is not zero.
pub fn is_torn(rest: &[u8], offset: usize, expected: &Expected<'_>) -> bool {
    let Some(header) = rest.get(..HEADER_BYTES) else {
        // There was no room for a frame here.
        return false;
    };
    // To the end of the last sector that the header has a part in.
    let sectors = (offset + HEADER_BYTES).next_multiple_of(SECTOR_BYTES) - offset;
    if is_unwritten(rest.get(..sectors).unwrap_or(rest), offset) {
        return true;
    }
    let Some(length) = length_of(header, expected) else {
        return false;
    };
    match rest.split_at_checked(length) {
        Some((frame, after)) => is_unwritten(frame, offset) && after.iter().all(|byte| *byte == 0),
        None => false,
    }
}

/// Whether a sector that the bytes at `offset` have a part in was not written, or not to its end.
fn is_unwritten(bytes: &[u8], offset: usize) -> bool {
    let (first, others) = bytes.split_at(bytes.len().min(SECTOR_BYTES - offset % SECTOR_BYTES));
    let mut parts = std::iter::once(first).chain(others.chunks(SECTOR_BYTES));
    parts.any(|part| {
        let end = part.len().saturating_sub(UNWRITTEN_BYTES);
        let end = part.get(end..).unwrap_or_default();
        !end.is_empty() && end.iter().all(|byte| *byte == 0)
    })
}

/// The length of the frame, if its header is one that the writer would have made here.
fn length_of(mut header: &[u8], expected: &Expected<'_>) -> Option<usize> {
    let (magic, length, first, count, entries): ([u8; 4], u32, u64, u32, u32) =
        BorshDeserialize::deserialize(&mut header).ok()?;
    let (length, entries) = (length as usize, entries as usize);
    let note = length.checked_sub(HEADER_BYTES + TRAILER_BYTES)?;
    let note = note.checked_sub(entries)?;
    // All checkpoints of a log are equally long, but for the digits of their size.
    let digits = |size: u64| size.to_string().len();
    let after = first.checked_add(u64::from(count))?;
    let known = expected.note.map(|before| {
        let rest = before.len().saturating_sub(digits(expected.first));
        rest.saturating_add(digits(after))
    });
    let plausible = magic == MAGIC
        && first == expected.first
        && (1..=FRAME_DECISIONS_MAX).contains(&(count as usize))
        && known.is_none_or(|known| known == note);
    plausible.then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::journal::frame::assemble;
    use proptest::prelude::*;

    const NOTE: &str = "gw.example/log\n8\nb2Rk\n\n— gw.example/log c2lnbmF0dXJl\n";
    const BEFORE: &str = "gw.example/log\n7\nb2Rk\n\n— gw.example/log c2lnbmF0dXJl\n";
    const EXPECTED: Expected<'static> = Expected {
        first: 7,
        note: Some(BEFORE),
    };

    fn segment(offset: usize, bytes: usize) -> Vec<u8> {
        let mut entries = (bytes as u32).to_le_bytes().to_vec();
        entries.extend((0..bytes).map(|n| (n % 255) as u8 + 1));
        let mut segment = vec![0; offset];
        segment.extend(assemble(7, &[&entries], NOTE, &[9; 32]).unwrap());
        segment.resize(8192, 0);
        segment
    }

    fn end_of(segment: &[u8]) -> usize {
        segment.len() - segment.iter().rev().take_while(|byte| **byte == 0).count()
    }

    proptest! {
        #[test]
        fn a_frame_without_any_of_its_sectors_may_be_torn(
            offset in 0..1000_usize,
            bytes in 100..3000_usize,
            lost: u8,
        ) {
            let mut segment = segment(offset, bytes);
            let sectors = offset / SECTOR_BYTES..end_of(&segment).div_ceil(SECTOR_BYTES);
            let mut any = false;
            for (bit, sector) in sectors.enumerate() {
                if lost & (1 << (bit % 8)) != 0 {
                    any = true;
                    let from = (sector * SECTOR_BYTES).max(offset);
                    segment[from..(sector + 1) * SECTOR_BYTES].fill(0);
                }
            }
            prop_assume!(any && segment.iter().any(|byte| *byte != 0));
            prop_assert!(is_torn(&segment[offset..], offset, &EXPECTED));
        }

        #[test]
        fn a_frame_that_ends_early_may_be_torn(
            offset in 0..1000_usize,
            bytes in 100..3000_usize,
            missing in UNWRITTEN_BYTES..100,
        ) {
            let mut segment = segment(offset, bytes);
            let end = end_of(&segment);
            // The end may just lie in a sector of which less is missing.
            prop_assume!(end.is_multiple_of(SECTOR_BYTES) || end % SECTOR_BYTES > UNWRITTEN_BYTES);
            segment[end - missing..].fill(0);
            prop_assert!(is_torn(&segment[offset..], offset, &EXPECTED));
        }
    }

    /// The hash of the frame before is nines, so nothing here looks unwritten by chance.
    #[test]
    fn no_flipped_bit_makes_a_whole_frame_look_torn() {
        for offset in [0, 13, 490, 500] {
            let segment = segment(offset, 1000);
            for bit in offset * 8..end_of(&segment) * 8 {
                let mut segment = segment.clone();
                segment[bit / 8] ^= 1 << (bit % 8);
                assert!(!is_torn(&segment[offset..], offset, &EXPECTED), "bit {bit}");
            }
        }
    }

    #[test]
    fn what_no_writer_left_here_is_not_torn() {
        let mut segment = segment(0, 1000);
        segment[600..1024].fill(0);
        assert!(is_torn(&segment, 0, &EXPECTED));
        let other = Expected {
            first: 6,
            note: None,
        };
        assert!(!is_torn(&segment, 0, &other));
        let mut more = segment.clone();
        more[8000] = 1;
        assert!(!is_torn(&more, 0, &EXPECTED));
        assert!(!is_torn(&segment[..20], 0, &EXPECTED));
        assert!(!is_torn(&segment[..1100], 0, &EXPECTED));
    }

    /// Whatever lies there, it is judged.
    #[test]
    fn a_header_of_the_largest_numbers_is_no_torn_frame() {
        let mut segment = segment(0, 1000);
        segment[8..20].fill(0xff);
        assert!(!is_torn(&segment, 0, &EXPECTED));
    }
}
