//! The container of a copy: a plain POSIX tar (ustar), so that any `tar` can list it.
//!
//! Only regular files with short names, all for their owner alone. Reading accepts exactly what
//! writing makes: no links, no folders, no long names, nothing that could lead elsewhere.

pub const BLOCK_BYTES: usize = 512;
/// Eleven octal digits.
pub const FILE_BYTES_MAX: u64 = (1 << 33) - 1;
const NAME_BYTES: usize = 100;
const CHECKSUM_AT: std::ops::Range<usize> = 148..156;

/// A file's name and length, as they stand before it.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    pub length: u64,
}

impl Header {
    /// `None` if the name or the length has no room.
    pub fn to_block(&self) -> Option<[u8; BLOCK_BYTES]> {
        let name = self.name.as_bytes();
        if name.is_empty() || name.len() >= NAME_BYTES || self.length > FILE_BYTES_MAX {
            return None;
        }
        let size = format!("{:011o}\0", self.length);
        let fields: [(usize, &[u8]); 8] = [
            (0, name),
            (100, b"0000600\0"),
            (108, b"0000000\0"),
            (116, b"0000000\0"),
            (124, size.as_bytes()),
            (136, b"00000000000\0"),
            (156, b"0"),
            (257, b"ustar\x0000"),
        ];
        let mut block = [0; BLOCK_BYTES];
        for (at, bytes) in fields {
            put(&mut block, at, bytes);
        }
        let sum = format!("{:06o}\0 ", checksum(&block));
        put(&mut block, CHECKSUM_AT.start, sum.as_bytes());
        Some(block)
    }

    /// `None` for anything that [`Header::to_block`] does not make.
    pub fn parse(block: &[u8; BLOCK_BYTES]) -> Option<Self> {
        let name = block.get(..NAME_BYTES)?.split(|byte| *byte == 0).next()?;
        let digits = std::str::from_utf8(block.get(124..135)?).ok()?;
        let header = Self {
            name: std::str::from_utf8(name).ok()?.to_owned(),
            length: u64::from_str_radix(digits, 8).ok()?,
        };
        (header.to_block()? == *block).then_some(header)
    }
}

/// Zeros after a file, up to the next block.
pub fn padding(length: u64) -> usize {
    let over = (length % BLOCK_BYTES as u64) as usize;
    (BLOCK_BYTES - over) % BLOCK_BYTES
}

fn put(block: &mut [u8], at: usize, bytes: &[u8]) {
    let from = block.iter_mut().skip(at);
    from.zip(bytes).for_each(|(to, byte)| *to = *byte);
}

/// The sum of all bytes, with spaces where the sum itself stands.
fn checksum(block: &[u8]) -> u32 {
    let byte = |(at, byte): (usize, &u8)| match CHECKSUM_AT.contains(&at) {
        true => u32::from(b' '),
        false => u32::from(*byte),
    };
    block.iter().enumerate().map(byte).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_header_is_read_as_it_was_written(name in "[a-z0-9/.]{1,99}", length in 0..=FILE_BYTES_MAX) {
            let header = Header { name, length };
            prop_assert_eq!(Header::parse(&header.to_block().unwrap()), Some(header));
        }

        #[test]
        fn no_flipped_bit_of_a_header_is_read(length in 0..=FILE_BYTES_MAX, bit in 0..512_usize * 8) {
            let name = "journal/0000000001.seg".to_owned();
            let mut block = Header { name, length }.to_block().unwrap();
            block[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Header::parse(&block), None);
        }
    }

    #[test]
    fn a_file_that_has_no_room_is_refused() {
        let header = |name: &str, length| {
            let name = name.to_owned();
            Header { name, length }.to_block()
        };
        assert!(header("", 1).is_none());
        assert!(header(&"n".repeat(100), 1).is_none());
        assert!(header("n", FILE_BYTES_MAX + 1).is_none());
    }

    #[test]
    fn padding_fills_the_block() {
        for (length, zeros) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)] {
            assert_eq!(padding(length), zeros);
        }
    }
}
