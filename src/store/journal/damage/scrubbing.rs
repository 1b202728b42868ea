//! What a start does not read, the scrub does.

use super::*;
use crate::store::journal::scrub::Progress;

async fn written(place: &Place) -> Vec<FrameAt> {
    let store = place.store();
    write_facts(&store, 0..60).await;
    let frames = frames_of(&store);
    store.close().await.unwrap();
    assert!(frames.last().unwrap().segment > 2);
    frames
}

fn damage(place: &Place, segment: u32, byte: u32) {
    let mut bytes = std::fs::read(place.segment(segment)).unwrap();
    bytes[byte as usize] ^= 1;
    std::fs::write(place.segment(segment), bytes).unwrap();
}

#[tokio::test]
async fn a_sound_journal_is_read_to_its_end_and_told_of_on_the_way() {
    let place = place(SEGMENT_BYTES_MIN);
    written(&place).await;
    let store = place.store();
    let (tell, told) = std::sync::mpsc::channel();
    let read = journal(&store).verify(move |progress| tell.send(progress).unwrap());
    assert_eq!(read.await.unwrap(), 60);
    let told: Vec<Progress> = told.iter().collect();
    assert!(told.len() > 2);
    assert_eq!(told.last().unwrap(), &Progress { leaves: 60, of: 60 });
    assert_eq!(store.health().stopped, None);
}

#[tokio::test]
async fn damage_that_the_start_does_not_read_stops_the_store_and_is_named() {
    let place = place(SEGMENT_BYTES_MIN);
    let frames = written(&place).await;
    let damaged = frames[1];
    damage(&place, 1, damaged.offset + 99);
    let store = place.store();
    // The scrub in the background may have come to it before.
    let fault = journal(&store).verify(|_| {}).await.unwrap_err();
    let named = format!(
        "segment 1 of the journal is damaged at byte {}:",
        damaged.offset
    );
    assert!(fault.to_string().contains(&named), "{fault}");
    assert!(store.health().stopped.unwrap().starts_with(&named));
    let refused = store.commit(
        Attempt {
            keys: vec![ItemKey::new(crate::domain::seal::Slot(1), [0; 32])],
            read: vec![],
            writes: vec![],
            replay: None,
            when: crate::store::contract::START,
            urgent: true,
            opening: vec![],
        }
        .decision(()),
    );
    assert!(matches!(refused.await, Err(Fault::CannotRecord(_))));
    // No mark of an orderly end is left.
    assert!(store.close().await.is_err());
}

#[tokio::test]
async fn what_follows_the_frames_of_a_full_segment_must_be_zeros() {
    let place = place(SEGMENT_BYTES_MIN);
    let frames = written(&place).await;
    let last = frames.iter().rfind(|frame| frame.segment == 1).unwrap();
    let padding = last.offset + last.length + 3;
    damage(&place, 1, padding);
    let store = place.store();
    let fault = journal(&store).verify(|_| {}).await.unwrap_err();
    assert!(
        fault.to_string().contains(&format!("at byte {padding}:")),
        "{fault}"
    );
}

/// Writes the table file of the first segment again, with another value so many bytes before the end
/// of its changes, under the right key and with the right CRC.
fn forge(place: &Place, back: usize, value: u8) {
    let path = place.data().join("journal/0000000001.table");
    let mut table = place.table(1).unwrap();
    table.forge(back, value);
    let slots = place.slot_file();
    let written = table.write(&Disk::Real, &path, &NamesKeys::of(&slots));
    written.unwrap();
}

#[tokio::test]
async fn a_table_file_that_is_not_of_its_frames_is_made_anew() {
    let place = place(SEGMENT_BYTES_MIN);
    written(&place).await;
    let before = place.table(1).unwrap();
    // The end of the last change.
    forge(&place, 1, 0xee);
    assert_ne!(place.table(1).unwrap(), before);
    let store = place.store();
    let fault = journal(&store).verify(|_| {}).await.unwrap_err();
    let said = fault.to_string();
    assert!(
        said.contains("table file") && said.contains("restart"),
        "{said}"
    );
    assert!(!said.contains("backup"), "{said}");
    drop(store);
    assert_eq!(place.table(1).unwrap(), before);
    let store = place.store();
    assert_eq!(journal(&store).verify(|_| {}).await.unwrap(), 60);
    expect_facts(&store, 0..60).await;
}

/// Its CRC is right, so nothing but the decoding tells.
#[tokio::test]
async fn a_table_file_that_does_not_decode_is_left_for_the_frames_and_made_anew() {
    let place = place(SEGMENT_BYTES_MIN);
    written(&place).await;
    let before = place.table(1).unwrap();
    // The kind of the last change, which is a fact put in its place: 53 bytes follow.
    forge(&place, 54, 0xee);
    let store = place.store();
    expect_facts(&store, 0..60).await;
    assert_eq!(journal(&store).verify(|_| {}).await.unwrap(), 60);
    drop(store);
    assert_eq!(place.table(1).unwrap(), before);
}

/// Sealed, so that a change of it does not even open.
#[tokio::test]
async fn a_table_file_that_was_changed_with_a_right_crc_is_left_for_the_frames() {
    let place = place(SEGMENT_BYTES_MIN);
    written(&place).await;
    let before = place.table(1).unwrap();
    let path = place.data().join("journal/0000000001.table");
    let mut other = std::fs::read(&path).unwrap();
    let crc_at = other.len() - 4;
    other[crc_at - 40] ^= 1;
    let crc = crc32c::crc32c(&other[..crc_at]).to_le_bytes();
    other[crc_at..].copy_from_slice(&crc);
    std::fs::write(&path, other).unwrap();
    let store = place.store();
    expect_facts(&store, 0..60).await;
    assert_eq!(journal(&store).verify(|_| {}).await.unwrap(), 60);
    drop(store);
    assert_eq!(place.table(1).unwrap(), before);
}

#[tokio::test]
async fn tables_beside_full_segments_are_used_and_made_again_if_lost_or_damaged() {
    let place = place(SEGMENT_BYTES_MIN);
    let store = place.store();
    write_facts(&store, 0..60).await;
    let removing = Attempt::new(&store, 1).await.remove(&of(3), id(3));
    removing.fact(&of(3), id(4), b"fact 3").logged(&store).await;
    store.close().await.unwrap();
    drop(store);
    let table = |n: u32| place.data().join(format!("journal/{n:010}.table"));
    let said = |n: u32| place.table(n);
    let before = [said(1).unwrap(), said(2).unwrap()];
    let store = place.store();
    expect_facts(&store, 0..60).await;
    crash(store);
    std::fs::remove_file(table(1)).unwrap();
    let mut second = std::fs::read(table(2)).unwrap();
    let middle = second.len() / 2;
    second[middle] ^= 1;
    std::fs::write(table(2), second).unwrap();
    let store = place.store();
    expect_facts(&store, 0..60).await;
    crash(store);
    assert_eq!([said(1).unwrap(), said(2).unwrap()], before);
    // The table of other frames does not pass for this one's.
    std::fs::copy(table(2), table(1)).unwrap();
    expect_facts(&place.store(), 0..60).await;
}
