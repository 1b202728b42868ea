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

#[tokio::test]
async fn a_table_file_that_is_not_of_its_frames_is_made_anew() {
    let place = place(SEGMENT_BYTES_MIN);
    written(&place).await;
    let table = place.data().join("journal/0000000001.table");
    let before = std::fs::read(&table).unwrap();
    // The end of the last change, with a CRC that is right.
    let mut other = before.clone();
    let crc_at = other.len() - 4;
    other[crc_at - 1] ^= 1;
    let crc = crc32c::crc32c(&other[..crc_at]).to_le_bytes();
    other[crc_at..].copy_from_slice(&crc);
    std::fs::write(&table, other).unwrap();
    let store = place.store();
    let fault = journal(&store).verify(|_| {}).await.unwrap_err();
    let said = fault.to_string();
    assert!(
        said.contains("table file") && said.contains("restart"),
        "{said}"
    );
    assert!(!said.contains("backup"), "{said}");
    drop(store);
    assert_eq!(std::fs::read(&table).unwrap(), before);
    let store = place.store();
    assert_eq!(journal(&store).verify(|_| {}).await.unwrap(), 60);
    expect_facts(&store, 0..60).await;
}

/// Its CRC is right, so nothing but the decoding tells.
#[tokio::test]
async fn a_table_file_that_does_not_decode_is_left_for_the_frames_and_made_anew() {
    let place = place(SEGMENT_BYTES_MIN);
    written(&place).await;
    let table = place.data().join("journal/0000000001.table");
    let before = std::fs::read(&table).unwrap();
    let mut other = before.clone();
    let crc_at = other.len() - 4;
    // The kind of the last change, which is a fact put in its place: 53 bytes follow.
    other[crc_at - 54] = 0xee;
    let crc = crc32c::crc32c(&other[..crc_at]).to_le_bytes();
    other[crc_at..].copy_from_slice(&crc);
    std::fs::write(&table, &other).unwrap();
    let store = place.store();
    expect_facts(&store, 0..60).await;
    assert_eq!(std::fs::read(&table).unwrap(), before);
    assert_eq!(journal(&store).verify(|_| {}).await.unwrap(), 60);
}
