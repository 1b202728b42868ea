//! Custody `own`: what was released is sealed to the organisation's own key, and only its client
//! opens it. The private key stays in the bundle; the gateway never sees it.

use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;
use zeroize::Zeroizing;

use super::ClientFault;
use super::caller::Said;
use crate::domain::custody;
use crate::domain::id::Id;
use crate::ops::pki::write_secret;

/// The private key of an organisation's own custody, as 64 hexadecimal digits.
pub const CUSTODY_KEY: &str = "custody.key";

/// Makes a key pair, keeps the private key in `bundle`, and returns the public key in hexadecimal,
/// as `hpke_public_key` takes it.
///
/// # Errors
/// [`ClientFault`] if there is a key already, or the file cannot be written.
pub fn keygen(bundle: &Path) -> Result<String, ClientFault> {
    let path = bundle.join(CUSTODY_KEY);
    if path.exists() {
        return Err(ClientFault::CustodyKeyExists(path));
    }
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(|_| ClientFault::NoRandomness)?;
    let (private, public) = custody::key_pair(&seed);
    let text = Zeroizing::new(hex(private.as_slice()));
    write_secret(&path, text.as_bytes())
        .map_err(|error| ClientFault::File(path, std::io::Error::other(error)))?;
    Ok(hex(&public))
}

/// Opens a release that is sealed to this organisation, if the bundle holds the key.
///
/// # Errors
/// [`ClientFault`] if there is no key in the bundle, or the box does not open with it.
pub fn open(bundle: Option<&PathBuf>, said: &mut Said) -> Result<(), ClientFault> {
    let Some(released) = said.body.get("released") else {
        return Ok(());
    };
    let Some(first) = boxed_in(released) else {
        return Ok(());
    };
    let path = bundle
        .map(|bundle| bundle.join(CUSTODY_KEY))
        .ok_or(ClientFault::NoCustodyKey)?;
    let text = Zeroizing::new(super::read_text(&path)?);
    let key = unhex(text.trim()).ok_or(ClientFault::NoCustodyKey)?;
    let mut opened = unsealed(&key, first)?;
    // How to reach her changed since: the new one lies in a box of its own, and what is in the first
    // box must not be used any more.
    let contact = released.get("safe_contact");
    let contact = contact.and_then(boxed_in);
    let contact = contact.map(|found| unsealed(&key, found)).transpose()?;
    let stopped = released.get("safe_contact_stopped").cloned();
    if let Value::Object(map) = &mut opened {
        if stopped.is_some() || contact.is_some() {
            map.remove("safe_contact");
        }
        if let Some(contact) = contact {
            map.insert("safe_contact".to_owned(), contact);
        }
        if let Some(stopped) = stopped {
            map.insert("safe_contact_stopped".to_owned(), stopped);
        }
    }
    if let Value::Object(map) = &mut said.body {
        map.insert("released".to_owned(), opened);
        said.bytes = Value::Object(map.clone()).to_string().into();
    }
    Ok(())
}

/// A box, and the name to which it is bound.
fn boxed_in(value: &Value) -> Option<(Id, &str)> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    Some((Id::parse(text("sealed_as")?)?, text("sealed_to_you")?))
}

fn unsealed(key: &[u8; 32], (referral, sealed): (Id, &str)) -> Result<Value, ClientFault> {
    let boxed = BASE64_STANDARD
        .decode(sealed)
        .map_err(|_| ClientFault::BoxClosed)?;
    let plain = custody::open(key, referral, &boxed).map_err(|_| ClientFault::BoxClosed)?;
    serde_json::from_slice(&plain).map_err(|_| ClientFault::BoxClosed)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes from 64 hexadecimal digits.
pub(super) fn unhex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        let digits = text.get(at * 2..at * 2 + 2)?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests;
