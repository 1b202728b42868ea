//! PKCS#12: key, certificate and authority in one file, as browsers and phones import them.
//!
//! The file is as strong as its password, which must travel another way than the file.

use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::stack::Stack;
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::PkiError;
use crate::domain::handover::BundleForm;

/// Rounds of the modern form's key derivation; a guess costs as much.
const MODERN_ROUNDS: u32 = 600_000;
/// Old systems are slow or refuse more.
const LEGACY_ROUNDS: u32 = 100_000;

/// `friendly_name` is what the browser shows when it asks which certificate to use.
///
/// # Errors
/// [`PkiError::Password`], [`PkiError::Request`] if key and certificate do not belong together, or
/// [`PkiError::OpenSsl`] if this build of OpenSSL has no triple DES.
pub fn pkcs12(
    certificate_pem: &[u8],
    key_pem: &[u8],
    chain_pem: &[u8],
    friendly_name: &str,
    password: &str,
    form: BundleForm,
) -> Result<Zeroizing<Vec<u8>>, PkiError> {
    if !(12..=128).contains(&password.chars().count()) || password.contains('\0') {
        return Err(PkiError::Password);
    }
    if friendly_name.contains('\0') {
        return Err(PkiError::Request("the name holds a zero byte"));
    }
    let certificate = X509::from_pem(certificate_pem)?;
    let key = PKey::private_key_from_pem(key_pem)?;
    if !certificate.public_key()?.public_eq(&key) {
        return Err(PkiError::Request("the key is not the certificate's"));
    }
    let mut chain = Stack::new()?;
    for authority in X509::stack_from_pem(chain_pem)? {
        chain.push(authority)?;
    }
    let mut builder = Pkcs12::builder();
    builder
        .name(friendly_name)
        .pkey(&key)
        .cert(&certificate)
        .ca(chain);
    match form {
        BundleForm::Modern => builder
            .key_algorithm(Nid::AES_256_CBC)
            .cert_algorithm(Nid::AES_256_CBC)
            .key_iter(MODERN_ROUNDS)
            .mac_iter(MODERN_ROUNDS)
            .mac_md(MessageDigest::sha256()),
        BundleForm::Legacy => builder
            .key_algorithm(Nid::PBE_WITHSHA1AND3_KEY_TRIPLEDES_CBC)
            .cert_algorithm(Nid::PBE_WITHSHA1AND3_KEY_TRIPLEDES_CBC)
            .key_iter(LEGACY_ROUNDS)
            .mac_iter(LEGACY_ROUNDS)
            .mac_md(MessageDigest::sha1()),
    };
    Ok(Zeroizing::new(builder.build2(password)?.to_der()?))
}
