//! The keys of advisers that somebody compared over the telephone, one file each in the bundle.
//!
//! The gateway names the key. Were it to name another's, all else would be of no use; so the first
//! time, and after every change, two people read 26 characters to each other.

use std::path::{Path, PathBuf};

use super::super::ClientFault;
use super::super::receipts::write_own;
use super::{SealFault, typed_fingerprint};
use crate::domain::id::{Id, OrgId};
use crate::domain::sealed_item::fingerprint;

const PINS: &str = "pins";

/// In groups of four, as one reads it aloud.
pub fn spoken(fingerprint: Id) -> String {
    let text: Vec<char> = fingerprint.to_string().chars().collect();
    let groups: Vec<String> = text.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

/// Goes on only with a key that was compared: now, by `given`, or before.
///
/// # Errors
/// [`SealFault`]: not compared yet, another key than before, or not the one that was read out.
pub fn settle(
    bundle: Option<&Path>,
    to: &OrgId,
    public_key: &[u8; 32],
    given: Option<&str>,
) -> Result<(), ClientFault> {
    let actual = fingerprint(to, public_key);
    let kept: Option<PathBuf> = bundle.map(|bundle| bundle.join(PINS).join(to.as_str()));
    let name = to.as_str().to_owned();
    if let Some(given) = given {
        if typed_fingerprint(given)? != actual {
            return Err(SealFault::WrongPin(name).into());
        }
        return match kept {
            Some(path) => write_own(&path, format!("{actual}\n").as_bytes()),
            None => Ok(()),
        };
    }
    let earlier = match kept.filter(|path| path.exists()) {
        Some(path) => super::super::read_text(&path)?,
        None => return Err(SealFault::NotPinned(name, spoken(actual)).into()),
    };
    match typed_fingerprint(&earlier)? == actual {
        true => Ok(()),
        false => Err(SealFault::KeyChanged(name, spoken(actual)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_used_once_it_was_compared_and_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = Some(dir.path());
        let quay = OrgId::parse("quay").unwrap();
        let (one, other) = ([1; 32], [2; 32]);
        let pin = |key| spoken(fingerprint(&quay, key));
        let fault = |key: &[u8; 32], given: Option<&str>| {
            settle(bundle, &quay, key, given).unwrap_err().to_string()
        };
        assert!(
            fault(&one, None).contains(&pin(&one)),
            "it is shown at first"
        );
        assert!(fault(&one, Some(&pin(&other))).contains("not the fingerprint"));
        assert!(fault(&one, Some("no")).contains("26 letters"));
        // None of these was kept.
        assert!(fault(&one, None).contains("not pinned"));
        settle(bundle, &quay, &one, Some(&pin(&one).to_lowercase())).unwrap();
        settle(bundle, &quay, &one, None).unwrap();
        assert!(fault(&other, None).contains("another key"));
        settle(bundle, &quay, &other, Some(&pin(&other))).unwrap();
        settle(bundle, &quay, &other, None).unwrap();
        assert!(fault(&one, None).contains("another key"));
        // The same key under another name is another.
        let quays = OrgId::parse("quays").unwrap();
        assert!(settle(bundle, &quays, &other, None).is_err());
    }
}
