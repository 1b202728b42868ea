//! Outward names (P7): every id that leaves the gateway is an alias of the organisation it goes to.
//!
//! An alias is the id as one AES block under a key of that organisation and kind, so it needs no
//! table, is the same each time, and two organisations cannot join their tables on it. Ids are
//! random, so an alias is as unguessable as the id.

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::id::{Id, OrgId};

/// What an alias stands for. An alias of one kind never reads as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AliasKind {
    Person,
    Referral,
    Journey,
    Consent,
    Assessment,
    Proposal,
    Entry,
    SealedItem,
    /// A pair of records, to the organisation that decides about it.
    Link,
    /// The log's own pseudonym of a person; never shown, used to list her entries.
    LogSubject,
    /// A text that was held.
    Hold,
}

impl AliasKind {
    const fn label(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Referral => "referral",
            Self::Journey => "journey",
            Self::Consent => "consent",
            Self::Assessment => "assessment",
            Self::Proposal => "proposal",
            Self::Entry => "entry",
            Self::SealedItem => "sealed-item",
            Self::Link => "link",
            Self::LogSubject => "log-subject",
            Self::Hold => "hold",
        }
    }
}

/// The key from which each organisation's alias keys are derived.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct AliasKey([u8; 32]);

impl AliasKey {
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn cipher(&self, organisation: &OrgId, kind: AliasKind) -> Aes256 {
        let mut key = [0_u8; 32];
        let info = format!("alias v1/{}/{}", kind.label(), organisation);
        // Expansion of 32 bytes cannot fail.
        let _ = Hkdf::<Sha256>::new(None, &self.0).expand(info.as_bytes(), &mut key);
        let cipher = Aes256::new(&Array::from(key));
        key.zeroize();
        cipher
    }

    /// The name under which `organisation` knows `id`.
    pub fn outward(&self, organisation: &OrgId, kind: AliasKind, id: Id) -> Id {
        let mut block = Array::from(*id.bytes());
        self.cipher(organisation, kind).encrypt_block(&mut block);
        Id::from_bytes(block.into())
    }

    /// The id behind a name; whether it exists is another question.
    pub fn inward(&self, organisation: &OrgId, kind: AliasKind, alias: Id) -> Id {
        let mut block = Array::from(*alias.bytes());
        self.cipher(organisation, kind).decrypt_block(&mut block);
        Id::from_bytes(block.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_alias_reads_back_only_at_its_own_organisation(bytes: [u8; 16]) {
            let key = AliasKey::new([9; 32]);
            let (a, b) = (OrgId::parse("aa").unwrap(), OrgId::parse("bb").unwrap());
            let id = Id::from_bytes(bytes);
            let alias = key.outward(&a, AliasKind::Person, id);
            prop_assert_eq!(key.inward(&a, AliasKind::Person, alias), id);
            prop_assert_ne!(key.inward(&b, AliasKind::Person, alias), id);
            prop_assert_ne!(key.inward(&a, AliasKind::Referral, alias), id);
            prop_assert_ne!(key.outward(&b, AliasKind::Person, id), alias);
        }
    }
}
