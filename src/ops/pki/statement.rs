//! Signatures over a statement with the keys of people's certificates, for [`crate::domain::succession`].
//!
//! A line holds the public key and the signature, both in base64. Whose key it is, and whether she may
//! sign, is not known here.

use base64::prelude::{BASE64_STANDARD, Engine};
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef};
use openssl::sign::{Signer, Verifier};
use sha2::{Digest, Sha256};

use super::PkiError;
use crate::domain::succession::{NoSuccession, Signed, Statement};

/// Keys that sign with the hash inside take none.
fn digest<T: HasPublic>(key: &PKeyRef<T>) -> Option<MessageDigest> {
    match key.id() {
        Id::ED25519 | Id::ED448 => None,
        _ => Some(MessageDigest::sha256()),
    }
}

/// Adds a signature to `statement`, with a key in PEM.
///
/// # Errors
/// [`PkiError`]: it is no key.
pub fn sign_statement(statement: &mut Statement, key_pem: &[u8]) -> Result<(), PkiError> {
    let key = PKey::private_key_from_pem(key_pem)?;
    let mut signer = match digest(&key) {
        Some(digest) => Signer::new(digest, &key)?,
        None => Signer::new_without_digest(&key)?,
    };
    let signature = signer.sign_oneshot_to_vec(statement.text.as_bytes())?;
    let public = BASE64_STANDARD.encode(key.public_key_to_der()?);
    let line = format!("{public} {}", BASE64_STANDARD.encode(signature));
    // Signed again by the same person, the newer line counts.
    statement.signed.retain(|known| !known.starts_with(&public));
    statement.signed.push(line);
    Ok(())
}

/// Reads a statement and checks each of its signatures.
///
/// # Errors
/// [`NoSuccession::Form`] and [`NoSuccession::Signature`].
pub fn check_statement(file: &str) -> Result<Signed, NoSuccession> {
    let statement = Statement::parse(file)?;
    let mut keys = Vec::new();
    for (place, line) in (1..).zip(&statement.signed) {
        let key = signer_of(line, &statement.text).ok_or(NoSuccession::Signature(place))?;
        keys.push(key);
    }
    Ok(Signed { statement, keys })
}

/// SHA-256 of the public key that made the signature in this line; `None` if it is wrong.
fn signer_of(line: &str, text: &str) -> Option<[u8; 32]> {
    let (public, signature) = line.split_once(' ')?;
    let public = BASE64_STANDARD.decode(public).ok()?;
    let signature = BASE64_STANDARD.decode(signature).ok()?;
    let key = PKey::public_key_from_der(&public).ok()?;
    // The same key in another encoding would have another hash, which nobody enrolled.
    let mut verifier = match digest(&key) {
        Some(digest) => Verifier::new(digest, &key).ok()?,
        None => Verifier::new_without_digest(&key).ok()?,
    };
    let good = verifier.verify_oneshot(&signature, text.as_bytes());
    good.is_ok_and(|good| good)
        .then(|| Sha256::digest(&public).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pki::key_and_csr;

    #[test]
    fn a_signature_is_of_the_whole_text_and_of_its_key() {
        let mut statement = Statement::new("a head\n", "gw.example/log-2");
        let keys = ["one", "two"].map(|name| key_and_csr(name).unwrap().0);
        for key in [&keys[0], &keys[1], &keys[0]] {
            sign_statement(&mut statement, key).unwrap();
        }
        let file = statement.to_file();
        let signed = check_statement(&file).unwrap();
        let expected = [&keys[1], &keys[0]].map(|key| {
            let key = PKey::private_key_from_pem(key).unwrap();
            let hash: [u8; 32] = Sha256::digest(key.public_key_to_der().unwrap()).into();
            hash
        });
        assert_eq!(signed.keys, expected);
        let changed = check_statement(&file.replace("a head", "b head"));
        assert_eq!(changed, Err(NoSuccession::Signature(1)));
        let cut: String = file.chars().take(file.len() - 4).collect();
        assert_eq!(check_statement(&cut), Err(NoSuccession::Signature(2)));
        assert!(sign_statement(&mut statement, b"no key").is_err());
    }
}
