//! One access attempt: who, what, why, when. Every attempt becomes one log leaf.

use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::codes::{Action, Purpose, Role};
use super::id::{Id, OrgId};
use super::peer::Peer;
use super::time::When;

/// The randomness of one attempt, drawn once at the edge, so that the same rules, attempt, body
/// and facts always give the same decision.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Entropy([u8; 32]);

impl Entropy {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Bytes for one use; each label gives independent ones (RFC 5869).
    pub fn bytes<const N: usize>(&self, label: &str) -> [u8; N] {
        let mut out = [0; N];
        // Expansion fails only past 8,160 bytes; all uses here are 12, 16 or 32.
        let _ = Hkdf::<Sha256>::new(None, &self.0).expand(label.as_bytes(), &mut out);
        out
    }

    pub fn id(&self, label: &str) -> Id {
        Id::drawn(self.bytes(label))
    }

    /// Independent randomness for a further try, or for one line of a batch.
    pub fn branch(&self, label: &str) -> Self {
        Self(self.bytes(label))
    }
}

/// The name of a user as her organisation knows her: 1 to 64 of letters, digits and `._@-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserName(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user reference is 1 to 64 of letters, digits and '. _ @ -'")]
pub struct BadUserName;

impl UserName {
    pub fn parse(text: &str) -> Result<Self, BadUserName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadUserName)
        }
    }

    /// A caller who did not say who she is; only ever refused.
    pub fn unnamed() -> Self {
        Self("-".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A digest of the request as it was received, for the salted request hash in the leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestDigest(pub [u8; 32]);

impl RequestDigest {
    pub fn of(method: &str, path: &str, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// The caller's key for doing a thing once: 1 to 64 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an Idempotency-Key is 1 to 64 printable ASCII characters")]
pub struct BadIdempotencyKey;

impl IdempotencyKey {
    pub fn parse(text: &str) -> Result<Self, BadIdempotencyKey> {
        if (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadIdempotencyKey)
        }
    }

    /// The key of one line of a batch: the header's, with the line's number.
    #[must_use]
    pub fn line(&self, number: usize) -> Self {
        Self(format!("{}#{number}", self.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One attempt.
pub struct Attempt {
    pub peer: Peer,
    pub user: UserName,
    pub role: Role,
    /// The user was asserted by a system's certificate, not proved by her own.
    pub asserted: bool,
    /// A second factor was given in the last ten minutes, bound to this certificate's key.
    pub second_factor: bool,
    pub action: Action,
    pub purpose: Purpose,
    pub when: When,
    pub entropy: Entropy,
    pub request: RequestDigest,
    pub idempotency: Option<IdempotencyKey>,
    /// `?check=only`: decide and explain the caller's own input, store nothing but the leaf.
    pub check_only: bool,
}

impl Attempt {
    pub fn organisation(&self) -> &OrgId {
        &self.peer.name().organisation
    }

    /// The same attempt, decided again: everything is equal but the randomness.
    #[must_use]
    pub fn again(&self, label: &str) -> Self {
        Self {
            peer: self.peer.clone(),
            user: self.user.clone(),
            role: self.role,
            asserted: self.asserted,
            second_factor: self.second_factor,
            action: self.action,
            purpose: self.purpose,
            when: self.when,
            entropy: self.entropy.branch(label),
            request: self.request,
            idempotency: self.idempotency.clone(),
            check_only: self.check_only,
        }
    }
}
