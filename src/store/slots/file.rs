//! The bytes of a slot file: one header, then one record for each slot, all under one epoch key.
//!
//! Nothing here writes a key that is not wrapped, or uses a nonce of its own making: every wrap
//! takes fresh randomness, because a slot that is written again under the same key must not repeat
//! one.

use std::io;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::{Zeroize, Zeroizing};

use crate::store::disk::DiskFile;

const MAGIC: &[u8; 16] = b"firedoor slots 1";
pub(super) const HEADER_BLOCK_BYTES: u64 = 4096;
/// magic 16 | journal id 16 | epoch 4 | nonce 12 | wrapped epoch key 48 | CRC32C 4.
const HEADER_BYTES: usize = 100;
/// begun 8 | cleared 8 | CRC32C 4, right behind the header. Zeros in files of the first version.
const BOOKS_BYTES: usize = 20;
/// epoch 4 | nonce 12 | wrapped item key 48.
pub(super) const RECORD_BYTES: usize = 64;
const NONCE_BYTES: usize = 12;

pub(super) type Key = Zeroizing<[u8; 32]>;
pub(super) type Record = [u8; RECORD_BYTES];

/// Whose slot file it is.
pub(super) struct Owner {
    pub(super) slot_key: Key,
    /// The journal that its slots belong to.
    pub(super) journal: [u8; 16],
}

/// A slot file with the key of its epoch. No `Debug`.
pub(super) struct Epoch {
    pub(super) file: DiskFile,
    pub(super) number: u32,
    /// When the epoch began, in milliseconds since 1970; 0 if it is not known.
    pub(super) begun: i64,
    /// Slots that were clear already when it began: what they held is destroyed.
    pub(super) cleared: u64,
    cipher: Aes256Gcm,
}

impl Epoch {
    /// Makes the first epoch in an empty file, and reads it back.
    pub(super) fn first(file: &DiskFile, owner: &Owner) -> io::Result<()> {
        let key = random_key()?;
        file.write_all_at(&header(owner, 1, &key, 0, 0)?, 0)?;
        file.sync_all()
    }

    /// Whether the header may be written: no slot was ever made in the file, and it holds nothing
    /// but our own header or a part of it. Whoever wrote that may have been stopped before it was
    /// durable. Anything else that lies in this place is not ours to overwrite.
    pub(super) fn is_to_begin(file: &DiskFile, owner: &Owner) -> io::Result<bool> {
        let length = file.length()?;
        if length > HEADER_BLOCK_BYTES {
            return Ok(false);
        }
        let mut header = vec![0; HEADER_BYTES.min(length as usize)];
        file.read_exact_at(&mut header, 0)?;
        let whole = header
            .split_last_chunk::<4>()
            .is_some_and(|(signed, sum)| signed.len() == HEADER_BYTES - 4 && *sum == crc(signed));
        if whole {
            return Ok(open_header(&header, owner).is_some());
        }
        let begun = header.iter().zip(MAGIC);
        let begun = begun.take_while(|(byte, magic)| byte == magic).count();
        let rest = header.get(begun..).unwrap_or_default();
        Ok(begun == MAGIC.len() || is_clear(rest))
    }

    /// `None` if the header is damaged or belongs to another key or journal.
    pub(super) fn read(file: DiskFile, owner: &Owner) -> io::Result<Option<Self>> {
        let mut block = [0; HEADER_BYTES + BOOKS_BYTES];
        match file.read_exact_at(&mut block, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let (head, books) = block.split_at(HEADER_BYTES);
        let Some((number, key)) = open_header(head, owner) else {
            return Ok(None);
        };
        let (counted, crc_of_books) = books.split_at(BOOKS_BYTES - 4);
        let (begun, cleared) = match crc_of_books == crc(counted) {
            true => counted.split_at(8),
            false => (&[][..], &[][..]),
        };
        Ok(Some(Self {
            file,
            number,
            begun: i64::from_le_bytes(begun.try_into().unwrap_or_default()),
            cleared: u64::from_le_bytes(cleared.try_into().unwrap_or_default()),
            cipher: Aes256Gcm::new(&(*key).into()),
        }))
    }

    /// An epoch in the making: `file` gets its header last, by [`Epoch::finish`], so that a file
    /// that is not complete opens with no key.
    pub(super) fn after(&self, file: DiskFile) -> io::Result<(Self, Key)> {
        let key = random_key()?;
        let number = self.number.checked_add(1);
        let made = Self {
            file,
            number: number.ok_or_else(|| io::Error::other("there is no further epoch"))?,
            begun: 0,
            cleared: 0,
            cipher: Aes256Gcm::new(&(*key).into()),
        };
        Ok((made, key))
    }

    /// Writes the header and syncs the whole file.
    pub(super) fn finish(&self, owner: &Owner, key: &Key) -> io::Result<()> {
        let header = header(owner, self.number, key, self.begun, self.cleared)?;
        self.file.write_all_at(&header, 0)?;
        self.file.sync_all()
    }

    /// How many records lie in the file.
    pub(super) fn records(&self) -> io::Result<u64> {
        let length = self.file.length()?;
        Ok(length.saturating_sub(HEADER_BLOCK_BYTES) / RECORD_BYTES as u64)
    }

    /// The record that wraps `key` for `slot`.
    pub(super) fn wrap(&self, slot: u64, key: &Key) -> io::Result<Record> {
        let epoch = self.number.to_le_bytes();
        let (nonce, wrapped) = wrap(&self.cipher, key, &record_context(slot, &epoch))?;
        let mut record = [0; RECORD_BYTES];
        let bytes = epoch.iter().chain(&nonce).chain(&wrapped);
        record
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, from)| *to = *from);
        Ok(record)
    }

    /// `None` if the record does not open under this epoch's key.
    pub(super) fn unwrap(&self, slot: u64, record: &[u8]) -> Option<Key> {
        let (epoch, rest) = record.split_at_checked(4)?;
        let (nonce, wrapped) = rest.split_at_checked(NONCE_BYTES)?;
        unwrap(&self.cipher, nonce, wrapped, &record_context(slot, epoch))
    }
}

pub(super) fn record_at(slot: u64) -> u64 {
    // Slot 0 is never used; it would lie inside the header block.
    HEADER_BLOCK_BYTES.saturating_add(slot.saturating_sub(1).saturating_mul(RECORD_BYTES as u64))
}

/// A slot that is all zeros holds no key: it was erased, or never made.
pub(super) fn is_clear(record: &[u8]) -> bool {
    record.iter().all(|byte| *byte == 0)
}

pub(super) fn random_key() -> io::Result<Key> {
    let mut key = Key::default();
    super::fill_random(key.as_mut())?;
    Ok(key)
}

fn header(owner: &Owner, epoch: u32, key: &Key, begun: i64, cleared: u64) -> io::Result<Vec<u8>> {
    let outer = Aes256Gcm::new(&(*owner.slot_key).into());
    let (nonce, wrapped) = wrap(&outer, key, &header_context(epoch))?;
    let mut header = [
        &MAGIC[..],
        &owner.journal,
        &epoch.to_le_bytes(),
        &nonce,
        &wrapped,
    ]
    .concat();
    header.extend_from_slice(&crc(&header));
    let books = [begun.to_le_bytes(), cleared.to_le_bytes()].concat();
    header.extend_from_slice(&books);
    header.extend_from_slice(&crc(&books));
    header.resize(HEADER_BLOCK_BYTES as usize, 0);
    Ok(header)
}

/// The number and key of the epoch.
fn open_header(head: &[u8], owner: &Owner) -> Option<(u32, Key)> {
    let (signed, sum) = head.split_last_chunk::<4>()?;
    let (magic, rest) = signed.split_at_checked(16)?;
    let (journal, rest) = rest.split_at_checked(16)?;
    let (epoch, rest) = rest.split_first_chunk::<4>()?;
    let (nonce, wrapped) = rest.split_at_checked(NONCE_BYTES)?;
    if magic != MAGIC || journal != owner.journal || *sum != crc(signed) {
        return None;
    }
    let number = u32::from_le_bytes(*epoch);
    let outer = Aes256Gcm::new(&(*owner.slot_key).into());
    let key = unwrap(&outer, nonce, wrapped, &header_context(number))?;
    Some((number, key))
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).to_le_bytes()
}

fn record_context(slot: u64, epoch: &[u8]) -> Vec<u8> {
    [b"firedoor slot v1".as_slice(), epoch, &slot.to_le_bytes()].concat()
}

fn header_context(epoch: u32) -> Vec<u8> {
    [b"firedoor epoch v1".as_slice(), &epoch.to_le_bytes()].concat()
}

fn wrap(
    cipher: &Aes256Gcm,
    key: &[u8; 32],
    aad: &[u8],
) -> io::Result<([u8; NONCE_BYTES], Vec<u8>)> {
    let mut nonce = [0; NONCE_BYTES];
    super::fill_random(&mut nonce)?;
    let payload = Payload { msg: key, aad };
    let wrapped = cipher
        .encrypt(&Nonce::from(nonce), payload)
        .map_err(|_| io::Error::other("a key could not be wrapped"))?;
    Ok((nonce, wrapped))
}

fn unwrap(cipher: &Aes256Gcm, nonce: &[u8], wrapped: &[u8], aad: &[u8]) -> Option<Key> {
    let nonce: [u8; NONCE_BYTES] = nonce.try_into().ok()?;
    let payload = Payload { msg: wrapped, aad };
    let mut plain = cipher.decrypt(&Nonce::from(nonce), payload).ok()?;
    let key = plain.as_slice().try_into().ok().map(Zeroizing::new);
    plain.zeroize();
    key
}
