//! Custody `own`: on acceptance identity is re-sealed to the accepting organisation, and the
//! gateway's own key to it is destroyed (`design.md` 6).
//!
//! The same boxes carry the items that one agency's client seals for another's
//! ([`super::sealed_item`]); those the gateway never has in the clear.
//!
//! HPKE base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The gateway
//! holds the public key only, so it cannot open what it has sealed.

use std::convert::Infallible;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

use super::attempt::Entropy;
use super::id::Id;
use super::sealed_item::Binding;

const RELEASE: &[u8] = b"firedoor release v1";
const ITEM: &[u8] = b"firedoor sealed item v1";
/// The encapsulated key, before the ciphertext.
const ENCAPPED_BYTES: usize = 32;
/// By how much a box is longer than what is in it: the encapsulated key, and the tag of AES-GCM.
pub const BOX_OVER_BYTES: usize = ENCAPPED_BYTES + 16;

/// The box does not open, or the key is not an X25519 key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the box does not open with this key, or is bound to something else")]
pub struct Unopened;

/// An attempt's entropy as the random source that HPKE draws from, so that the same decision gives
/// the same box.
struct Drawn<'a> {
    entropy: &'a Entropy,
    drawn: u32,
}

impl TryRng for Drawn<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        for chunk in into.chunks_mut(32) {
            self.drawn = self.drawn.saturating_add(1);
            let bytes: [u8; 32] = self.entropy.bytes(&format!("hpke {}", self.drawn));
            for (to, from) in chunk.iter_mut().zip(bytes) {
                *to = from;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Drawn<'_> {}

/// Seals `plain` to an organisation's public key. `referral` is its own alias of the referral.
///
/// # Errors
/// The key is not an X25519 public key.
pub fn reseal(
    public_key: &[u8; 32],
    referral: Id,
    plain: &[u8],
    entropy: &Entropy,
) -> Result<Vec<u8>, Unopened> {
    seal(public_key, RELEASE, referral.bytes(), plain, entropy)
}

/// Opens a box at the organisation's own client.
///
/// # Errors
/// Another key, another referral, or a changed box.
pub fn open(
    private_key: &[u8; 32],
    referral: Id,
    boxed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    unseal(private_key, RELEASE, referral.bytes(), boxed)
}

/// Seals an item at its sender's client, for a legal adviser's. The box is longer than `plain` by
/// [`BOX_OVER_BYTES`].
///
/// # Errors
/// The key is not an X25519 public key.
pub fn seal_item(
    public_key: &[u8; 32],
    binding: &Binding<'_>,
    plain: &[u8],
    entropy: &Entropy,
) -> Result<Vec<u8>, Unopened> {
    seal(public_key, ITEM, &binding.bytes(), plain, entropy)
}

/// Opens an item at the legal adviser's client.
///
/// # Errors
/// Another key, sender, recipient or commitment, or a changed box.
pub fn open_item(
    private_key: &[u8; 32],
    binding: &Binding<'_>,
    boxed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    unseal(private_key, ITEM, &binding.bytes(), boxed)
}

fn seal(
    public_key: &[u8; 32],
    info: &[u8],
    bound_to: &[u8],
    plain: &[u8],
    entropy: &Entropy,
) -> Result<Vec<u8>, Unopened> {
    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(public_key).map_err(|_| Unopened)?;
    let mut rng = Drawn { entropy, drawn: 0 };
    let (encapped, sealed) = hpke::single_shot_seal_with_rng::<
        AesGcm256,
        HkdfSha256,
        X25519HkdfSha256,
    >(&OpModeS::Base, &key, info, plain, bound_to, &mut rng)
    .map_err(|_| Unopened)?;
    let mut boxed = encapped.to_bytes().to_vec();
    boxed.extend_from_slice(&sealed);
    Ok(boxed)
}

fn unseal(
    private_key: &[u8; 32],
    info: &[u8],
    bound_to: &[u8],
    boxed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    let key =
        <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(private_key).map_err(|_| Unopened)?;
    let (encapped, sealed) = boxed.split_at_checked(ENCAPPED_BYTES).ok_or(Unopened)?;
    let encapped =
        <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapped).map_err(|_| Unopened)?;
    hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &key,
        &encapped,
        info,
        sealed,
        bound_to,
    )
    .map(Zeroizing::new)
    .map_err(|_| Unopened)
}

/// The public key of a private one.
///
/// # Errors
/// It is no X25519 key.
pub fn public_key(private_key: &[u8; 32]) -> Result<[u8; 32], Unopened> {
    let key =
        <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(private_key).map_err(|_| Unopened)?;
    Ok(X25519HkdfSha256::sk_to_pk(&key).to_bytes().into())
}

/// A new key pair from 32 random bytes: private, public.
pub fn key_pair(seed: &[u8; 32]) -> (Zeroizing<[u8; 32]>, [u8; 32]) {
    let (private, public) = X25519HkdfSha256::derive_keypair(seed);
    let mut secret = Zeroizing::new([0; 32]);
    for (to, from) in secret.iter_mut().zip(private.to_bytes()) {
        *to = from;
    }
    (secret, public.to_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::OrgId;
    use crate::domain::sealed_item::Commitment;

    #[test]
    fn an_item_opens_only_for_its_recipient_from_its_sender_as_committed() {
        let (private, public) = key_pair(&[5; 32]);
        let (a, b) = (OrgId::parse("aa").unwrap(), OrgId::parse("bb").unwrap());
        let commitment = Commitment([4; 32]);
        let binding = |sender, recipient, commitment| Binding {
            sender,
            recipient,
            commitment,
        };
        let right = binding(&a, &b, commitment);
        let boxed = seal_item(&public, &right, b"hers", &Entropy::new([7; 32])).unwrap();
        assert_eq!(boxed.len(), 4 + BOX_OVER_BYTES);
        assert_eq!(
            open_item(&private, &right, &boxed).unwrap().as_slice(),
            b"hers"
        );
        for wrong in [
            binding(&b, &b, commitment),
            binding(&a, &a, commitment),
            binding(&a, &b, Commitment([5; 32])),
        ] {
            assert!(open_item(&private, &wrong, &boxed).is_err());
        }
        // Nor is it a release, whatever it is bound to.
        assert!(open(&private, Id::ZERO, &boxed).is_err());
        assert_eq!(public_key(&private), Ok(public));
    }

    #[test]
    fn only_the_organisation_opens_its_box_and_only_for_its_referral() {
        let (private, public) = key_pair(&[5; 32]);
        let (other, _) = key_pair(&[6; 32]);
        let referral = Id::from_bytes([1; 16]);
        let entropy = Entropy::new([7; 32]);
        let boxed = reseal(&public, referral, b"a name", &entropy).unwrap();
        assert_eq!(
            open(&private, referral, &boxed).unwrap().as_slice(),
            b"a name"
        );
        assert!(open(&other, referral, &boxed).is_err());
        assert!(open(&private, Id::from_bytes([2; 16]), &boxed).is_err());
        for at in [0, 31, 32, boxed.len() - 1] {
            let mut changed = boxed.clone();
            changed[at] ^= 1;
            assert!(open(&private, referral, &changed).is_err(), "byte {at}");
        }
        assert!(open(&private, referral, &boxed[..20]).is_err());
        assert_eq!(
            reseal(&public, referral, b"a name", &entropy).unwrap(),
            boxed
        );
    }
}
