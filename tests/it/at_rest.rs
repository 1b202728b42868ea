//! P6 by trying: whoever has the data folder, the slots and a copy, but not the root key, finds nobody
//! with a dictionary; nor does whoever gets the root key to an old folder or copy, but not the slots;
//! and two folders under other keys have nothing in common about the same people.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "fixtures: a failure here is a failed test"
)]

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use aho_corasick::AhoCorasick;
use borsh::BorshSerialize;
use firedoor::domain::decision::Aggregate;
use firedoor::domain::person::{RawFields, RawIdentifier, TokenKeys, resolve};
use firedoor::ops::clock::now;
use firedoor::ops::keys::{KeySource, KeyUse, RootKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::canary::{files, forms};
use super::no_joining::story;
use super::people::Person;
use super::town::Town;

const FIREDOOR: &str = env!("CARGO_BIN_EXE_firedoor");

/// The data folder, the slots beside the root key, and a copy that was made while it served.
async fn at_rest(town: Town, name: &str) -> (Town, Vec<Vec<u8>>) {
    let copy = town.dir.path().join(format!("{name}.tar"));
    let config = town.dir.path().join("firedoor.toml");
    let arguments = [
        PathBuf::from("backup"),
        copy.clone(),
        "--config".into(),
        config,
    ];
    let ran = tokio::task::spawn_blocking(move || Command::new(FIREDOOR).args(arguments).output());
    let ran = ran.await.unwrap().unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let (town, read) = town
        .restarted_after(|config| {
            let paths = files(&config.data_dir).into_iter().chain([copy]);
            let paths = paths.chain(files(&config.key_path.with_file_name("slots")));
            paths.map(|path| without_padding(&path)).collect()
        })
        .await;
    (town, read)
}

/// Most of a segment is zeros that wait to be written.
fn without_padding(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0);
    bytes.truncate(end.map_or(0, |at| at + 1));
    bytes
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn base32(bytes: &[u8], alphabet: &[u8; 32]) -> Vec<u8> {
    let mut bits = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1));
    let mut text = Vec::new();
    while let Some(first) = bits.next() {
        let digit = (1..5).fold(first, |digit, _| digit << 1 | bits.next().unwrap_or(0));
        text.push(alphabet[usize::from(digit)]);
    }
    text
}

/// How somebody who has the data but no key would look for a number: as it is written, and the
/// beginnings of what may have been made of it.
fn dictionary(number: &str) -> Vec<Vec<u8>> {
    let spaced = format!("{} {} {}", &number[..3], &number[3..6], &number[6..]);
    let mut all = forms(number);
    all.extend(forms(&spaced));
    let number = number.as_bytes();
    let as_integer: u64 = String::from_utf8_lossy(number).parse().unwrap();
    all.push(as_integer.to_le_bytes().to_vec());
    all.push(as_integer.to_be_bytes().to_vec());
    let mut digests = vec![Sha256::digest(number).to_vec()];
    let keys: [&[u8]; 8] = [
        b"",
        &[0; 32],
        b"nhs",
        b"nhs_number",
        b"key",
        b"firedoor",
        b"firedoor/link/v1",
        number,
    ];
    digests.extend(keys.iter().map(|key| hmac(key, number)));
    for digest in digests {
        let start = &digest[..8];
        let hex: String = start.iter().map(|byte| format!("{byte:02x}")).collect();
        all.push(start.to_vec());
        all.push(hex.to_uppercase().into_bytes());
        all.push(hex.into_bytes());
        all.push(base32(&digest, b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")[..12].to_vec());
        all.push(base32(&digest, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")[..12].to_vec());
    }
    all
}

/// What the names at rest of a woman's tokens are, with the keys.
fn names_with_keys(town: &Town, person: &Person) -> Vec<Vec<u8>> {
    let root = RootKey::read(&town.config.key_path).unwrap();
    let link = TokenKeys::derive(&root.key(KeyUse::Link).unwrap());
    let index_key = root.key(KeyUse::StoreIndex).unwrap();
    let mut fields = RawFields::default();
    fields.given_name = Some(person.given_name.to_owned());
    fields.family_name = Some(person.family_name.to_owned());
    fields.birth_date = Some(person.birth_date.clone());
    fields.nhs_number = Some(person.nhs_number.clone());
    let raw = RawIdentifier::new(fields);
    let today = town
        .running
        .app
        .gateway
        .rules
        .load()
        .clock
        .date(now())
        .unwrap();
    let (known, _) = resolve(raw, &link, today).unwrap();
    let tokens = known.tokens().iter();
    tokens
        .map(|tagged| {
            let mut message = b"firedoor aggregate v1\0".to_vec();
            Aggregate::Token(tagged.token)
                .serialize(&mut message)
                .unwrap();
            hmac(index_key.as_slice(), &message)[..16].to_vec()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dictionary_of_every_number_finds_nobody_without_the_keys() {
    let numbers = [0, 1, 2, 3];
    let town = Town::start().await;
    story(&town, &numbers).await;
    let (town, files) = at_rest(town, "copy").await;
    assert!(files.iter().map(Vec::len).sum::<usize>() > 100_000);
    let people: Vec<Person> = numbers.iter().map(|number| Person::new(*number)).collect();
    let words: Vec<Vec<u8>> = people
        .iter()
        .flat_map(|person| dictionary(&person.nhs_number))
        .collect();
    let searched = AhoCorasick::new(&words).unwrap();
    for bytes in &files {
        let found = searched.find(bytes.as_slice());
        let found = found.map(|found| &words[found.pattern().as_usize()]);
        assert_eq!(found, None);
    }
    town.stop().await;
}

fn opened(key: &[u8], nonce: &[u8], sealed: &[u8], place: &[&[u8]]) -> Option<Vec<u8>> {
    let nonce: [u8; 12] = nonce.try_into().ok()?;
    let (msg, aad) = (sealed, &*place.concat());
    let cipher = <Aes256Gcm as aes_gcm::KeyInit>::new_from_slice(key).ok()?;
    cipher
        .decrypt(&Nonce::from(nonce), Payload { msg, aad })
        .ok()
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// The key in a slot: the epoch key out of `header`, the record out of `records`.
fn slot_key(root: &RootKey, header: &[u8], records: &[u8], slot: &[u8]) -> Option<Vec<u8>> {
    let outer = root.key(KeyUse::StoreSlots).unwrap();
    let place: [&[u8]; 2] = [b"firedoor epoch v1", &header[32..36]];
    let epoch = opened(outer.as_slice(), &header[36..48], &header[48..96], &place)?;
    let at = u64::from_le_bytes(slot.try_into().unwrap()) - 1;
    let at = 4096 + usize::try_from(at).unwrap() * 64;
    let record = records.get(at..at + 64)?;
    let place: [&[u8]; 3] = [b"firedoor slot v1", &record[..4], slot];
    opened(&epoch, &record[4..16], &record[16..], &place)
}

/// What is named in a segment, read as `src/store/README.md` says and by nothing of the store.
fn named_in(segment: &[u8], root: &RootKey, header: &[u8], records: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut frame) = (Vec::new(), segment);
    while frame.starts_with(b"FDJ2") {
        let mut entries = &frame[24..24 + number(frame, 20)];
        while !entries.is_empty() {
            let entry = &entries[4..4 + number(entries, 0)];
            entries = &entries[4 + entry.len()..];
            // leaf 256 | opening: slot 8, nonce 12, length 4 | names: slot 8, length 4
            let names = 256 + 24 + number(entry, 276);
            let (slot, sealed) = (&entry[names..names + 8], names + 12);
            let sealed = &entry[sealed..sealed + number(entry, names + 8)];
            let Some(key) = slot_key(root, header, records, slot) else {
                continue;
            };
            let key = hmac(&key, b"firedoor names key v1\0");
            let place: [&[u8]; 2] = [b"firedoor names v1", &entry[10..26]];
            found.push(opened(&key, &sealed[..12], &sealed[12..], &place).unwrap());
        }
        frame = &frame[number(frame, 4)..];
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_and_the_root_key_of_later_find_nobody_without_the_slot_file() {
    let numbers = [0, 1];
    let town = Town::start().await;
    story(&town, &numbers).await;
    let people: Vec<Person> = numbers.iter().map(|number| Person::new(*number)).collect();
    let words = people.iter().map(|person| names_with_keys(&town, person));
    let words: Vec<AhoCorasick> = words.map(|all| AhoCorasick::new(all).unwrap()).collect();
    let found = |files: &[Vec<u8>]| {
        let in_any = |names: &&AhoCorasick| files.iter().any(|bytes| names.is_match(bytes));
        words.iter().filter(in_any).count()
    };
    let (town, old) = at_rest(town, "copy").await;
    town.running.app.gateway.store.rewrap(now()).await.unwrap();
    let (town, new) = at_rest(town, "later").await;
    // All that the root key gives is there to search with; in no file is a name as it is.
    assert_eq!((found(&old), found(&new)), (0, 0));

    let slots = |files: &[Vec<u8>]| {
        let slots = files
            .iter()
            .find(|bytes| bytes.starts_with(b"firedoor slots 1"));
        slots.unwrap().clone()
    };
    let (before, after) = (slots(&old), slots(&new));
    let root = RootKey::read(&town.config.key_path).unwrap();
    let search = |files: &[Vec<u8>], header: &[u8], records: &[u8]| {
        let segments = files.iter().filter(|bytes| bytes.starts_with(b"FDJ2"));
        let named: Vec<Vec<u8>> = segments
            .flat_map(|segment| named_in(segment, &root, header, records))
            .collect();
        found(&named)
    };
    // The records of the old slot file are worth nothing since the epoch key over them was destroyed.
    assert_eq!(search(&old, &after, &before), 0);
    // The slot file of now finds everyone, before and after: they are in what was searched, the
    // gateway can read them, and that is why no copy holds this file.
    assert_eq!(search(&old, &after, &after), people.len());
    assert_eq!(search(&new, &after, &after), people.len());
    town.stop().await;
}

/// Strings of eight bytes without a zero, at least six of them different, without four figures in a
/// row and without the high bytes of a moment of today: what is left out is counters, lengths, in
/// figures too, and times.
fn strings(files: &[Vec<u8>]) -> HashSet<u64> {
    let moment = now().millis().to_le_bytes();
    let little = [moment[3], moment[4], moment[5]];
    let big = [moment[5], moment[4], moment[3]];
    let mut found = HashSet::new();
    // Most of a segment is zeros that wait to be written.
    let runs = files
        .iter()
        .flat_map(|bytes| bytes.split(|byte| *byte == 0));
    for window in runs.flat_map(|run| run.windows(8)) {
        let (place, kinds) = window
            .iter()
            .fold((0_u64, [0_u64; 4]), |(place, mut kinds), byte| {
                kinds[usize::from(byte >> 6)] |= 1 << (byte & 63);
                (place << 8 | u64::from(*byte), kinds)
            });
        let different: u32 = kinds.iter().map(|kinds| kinds.count_ones()).sum();
        let timed = || window.windows(3).any(|part| part == little || part == big);
        let counts = || {
            window
                .windows(4)
                .any(|part| part.iter().all(u8::is_ascii_digit))
        };
        if different >= 6 && !timed() && !counts() {
            found.insert(place);
        }
    }
    found
}

/// Of `strings`, those of which no five bytes stand in `files`: a constant and what stands beside it
/// by chance has them there too, and what was made of a key has not.
fn without_constants(strings: &[[u8; 8]], files: &[Vec<u8>]) -> Vec<[u8; 8]> {
    let parts: Vec<&[u8]> = strings
        .iter()
        .flat_map(|string| string.windows(5))
        .collect();
    let searched = AhoCorasick::new(&parts).unwrap();
    let mut seen = BTreeSet::new();
    for bytes in files {
        for found in searched.find_overlapping_iter(bytes.as_slice()) {
            seen.insert(parts[found.pattern().as_usize()].to_vec());
        }
    }
    let known = |string: &[u8; 8]| string.windows(5).any(|part| seen.contains(part));
    let left = strings.iter().filter(|string| !known(string));
    left.copied().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_folders_with_other_keys_and_the_same_people_share_only_constants() {
    let mut folders = Vec::new();
    // The third holds others: what it shares too is nobody's.
    for numbers in [[0, 1], [0, 1], [30, 31]] {
        let town = Town::start().await;
        story(&town, &numbers).await;
        let (town, files) = at_rest(town, "copy").await;
        town.stop().await;
        folders.push(files);
    }
    let (one, other) = (strings(&folders[0]), strings(&folders[1]));
    assert!(one.len() > 50_000);
    let shared = one.intersection(&other).map(|string| string.to_be_bytes());
    let shared: Vec<[u8; 8]> = shared.collect();
    assert!(!shared.is_empty(), "constants at least are found");
    let shared = without_constants(&shared, &folders[2]);
    assert!(shared.is_empty(), "{shared:02x?}");
}
