//! How parsed personal data is laid out inside a sealed part: a version byte, then borsh.
//!
//! The bytes are plain. They must go into the sealing call and nowhere else.

use std::io::{Error, ErrorKind, Read, Result as IoResult, Write};

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

/// The first byte of a layout. Reading any other version is an error, never a guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version<const N: u8>;

impl<const N: u8> BorshSerialize for Version<N> {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        writer.write_all(&[N])
    }
}

impl<const N: u8> BorshDeserialize for Version<N> {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        if u8::deserialize_reader(reader)? == N {
            Ok(Self)
        } else {
            Err(Error::new(ErrorKind::InvalidData, "unknown layout version"))
        }
    }
}

/// A sealed part opened, but what was in it is not what this version of Firedoor writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed part does not hold what it should; it may be from a newer version of firedoor")]
pub struct BadEncoding;

/// The bytes to seal, wiped when dropped. Sized beforehand, so that growing leaves no copy behind.
pub(in crate::domain) fn encode<T: BorshSerialize>(
    value: &T,
) -> Result<Zeroizing<Vec<u8>>, BadEncoding> {
    let bytes = borsh::object_length(value).map_err(|_| BadEncoding)?;
    let mut out = Zeroizing::new(Vec::with_capacity(bytes));
    value.serialize(&mut *out).map_err(|_| BadEncoding)?;
    Ok(out)
}

/// Reads what [`encode`] wrote; trailing bytes are an error.
pub(in crate::domain) fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, BadEncoding> {
    borsh::from_slice(bytes).map_err(|_| BadEncoding)
}
