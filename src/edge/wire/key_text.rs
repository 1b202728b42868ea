//! Keys and secrets as partners write them: hexadecimal and base32. An error repeats none of it.

use super::{Secret, Wrong};
use crate::domain::organisation::TotpSecret;

pub fn hex32(wrong: &mut Wrong, field: &'static str, text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut out = [0; 32];
    let mut well = text.len() == 64;
    for (to, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let (high, low) = (pair.first().copied(), pair.last().copied());
        match (high.and_then(digit), low.and_then(digit)) {
            (Some(high), Some(low)) => *to = u8::try_from(high * 16 + low).unwrap_or(0),
            (_, _) => well = false,
        }
    }
    if !well {
        wrong.add(field, "give 64 hexadecimal digits");
    }
    well.then_some(out)
}

pub fn secret(wrong: &mut Wrong, text: Option<Secret>) -> Option<TotpSecret> {
    let text = text?;
    let bytes = totp_rs::Secret::try_from_base32(text.text()).ok();
    let bytes: Option<[u8; 20]> = bytes.and_then(|bytes| bytes.as_ref().try_into().ok());
    if bytes.is_none() {
        wrong.add("totp_secret", "give 32 characters of base32 (20 bytes)");
    }
    bytes.map(TotpSecret::new)
}
