//! A withdrawal as the agency that took it keeps it: sealed, so that it tells nobody anything, and
//! enough to make it again in a gateway that was restored from an older copy and has forgotten it.
//!
//! The key comes from the root key alone, so that a counterfoil outlives the data and the key
//! slots. It holds codes, ids and keyed tokens, never a name; and it only ever narrows: nothing
//! here can let more through.

use base64::prelude::{BASE64_STANDARD, Engine};
use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

use super::consent::{Consent, Tombstone};
use super::id::{Id, OrgId, PersonId, ReferralId};
use super::seal::{ItemKey, Sealed, Slot};
use super::time::When;

/// The length of what is sealed, in bytes: one for all, so that it tells nothing. It has room for a
/// hundred tokens beside 32 organisations; what does not fit takes another of the same.
pub const PLAIN_BYTES: usize = 3_072;
/// The longest text that is read as one.
pub const TEXT_BYTES_MAX: usize = 15 * 1024;

const VERSION: u8 = 1;
const CONTEXT: &[u8] = b"firedoor counterfoil v1";
/// Its key lies in no slot.
const NO_SLOT: Slot = Slot(0);

/// A word of hers, and the log entry that took it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Counterfoil {
    pub entry: Id,
    pub word: Word,
}

/// Every way in which less is shared from then on. New kinds go at the end: agencies keep these.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Word {
    /// She withdrew (3.4).
    Withdrew {
        tombstone: Tombstone,
        /// The item under which the tombstone lies.
        item: Id,
        channel: String,
    },
    /// She declined a referral and wants no later one either (3.0.6).
    Declined { tombstone: Tombstone, item: Id },
    /// She took one consent back.
    TookBack {
        person: PersonId,
        consent: Id,
        at: When,
    },
    /// She refused: consents whose decision is `deny`.
    Refused {
        person: PersonId,
        consents: Vec<Consent>,
        at: When,
    },
    /// The sender took its own offers back.
    Revoked {
        by: OrgId,
        referrals: Vec<ReferralId>,
        at: When,
    },
}

impl Word {
    /// When it was said; it counts from then on, whenever it is made again.
    pub const fn at(&self) -> When {
        match self {
            Self::Withdrew { tombstone, .. } | Self::Declined { tombstone, .. } => tombstone.at,
            Self::TookBack { at, .. } | Self::Refused { at, .. } | Self::Revoked { at, .. } => *at,
        }
    }

    /// The word for the log.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Withdrew { .. } => "withdrawal",
            Self::Declined { .. } => "future-offers-declined",
            Self::TookBack { .. } => "consent-withdrawn",
            Self::Refused { .. } => "consent-refused",
            Self::Revoked { .. } => "offers-revoked",
        }
    }
}

impl Counterfoil {
    /// Seals it under a key that comes from the root key. AES-256-GCM; the nonce is random.
    pub fn seal(&self, key: &[u8; 32], nonce: [u8; 12]) -> Vec<u8> {
        let mut plain = Zeroizing::new(Vec::with_capacity(PLAIN_BYTES));
        // Writing to a Vec cannot fail; a half would not be read back.
        let _ = self.serialize(&mut *plain);
        let length = plain.len().div_ceil(PLAIN_BYTES) * PLAIN_BYTES;
        plain.resize(length, 0);
        let sealed = ItemKey::new(NO_SLOT, *key).seal(&plain, CONTEXT, nonce);
        let mut bytes = vec![VERSION];
        let _ = sealed.serialize(&mut bytes);
        bytes
    }

    /// `None` if it was sealed under another key, or a bit of it was changed.
    pub fn open(key: &[u8; 32], bytes: &[u8]) -> Option<Self> {
        let (&VERSION, sealed) = bytes.split_first()? else {
            return None;
        };
        let sealed = Sealed::try_from_slice(sealed).ok()?;
        if sealed.slot() != NO_SLOT {
            return None;
        }
        let plain = sealed.open(&ItemKey::new(NO_SLOT, *key), CONTEXT)?;
        let mut rest = plain.as_slice();
        let read = Self::deserialize(&mut rest).ok()?;
        rest.iter().all(|byte| *byte == 0).then_some(read)
    }

    /// As an agency keeps it: base64.
    pub fn to_text(sealed: &[u8]) -> String {
        BASE64_STANDARD.encode(sealed)
    }

    /// Reads the text that an agency kept.
    pub fn parse(key: &[u8; 32], text: &str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let sealed = BASE64_STANDARD.decode(text.trim()).ok()?;
        Self::open(key, &sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::codes::WithdrawalScope;
    use super::super::person::{TaggedToken, Token, TokenKind};
    use super::*;
    use proptest::prelude::*;

    fn withdrew(tokens: u8, organisations: u8) -> Counterfoil {
        let token = |n| TaggedToken {
            kind: TokenKind::Nhs,
            token: Token::from_bytes([n; 16]),
        };
        let named = |n| OrgId::parse(&format!("an-organisation-with-a-name-{n}")).unwrap();
        Counterfoil {
            entry: Id::from_bytes([7; 16]),
            word: Word::Withdrew {
                tombstone: Tombstone {
                    at: When::from_millis(5),
                    until: None,
                    taken_by: named(0),
                    scope: WithdrawalScope::Service,
                    organisations: (0..organisations).map(named).collect(),
                    classes: Vec::new(),
                    purposes: Vec::new(),
                    tokens: (0..tokens).map(token).collect(),
                },
                item: Id::from_bytes([8; 16]),
                channel: "telephone".to_owned(),
            },
        }
    }

    #[test]
    fn it_opens_with_its_key_and_has_one_length_whatever_is_in_it() {
        let key = [1; 32];
        let revoked = Counterfoil {
            entry: Id::ZERO,
            word: Word::Revoked {
                by: OrgId::parse("met").unwrap(),
                referrals: Vec::new(),
                at: When::from_millis(9),
            },
        };
        let all = [withdrew(0, 0), withdrew(1, 1), withdrew(90, 32), revoked];
        let mut lengths = Vec::new();
        for one in &all {
            let text = Counterfoil::to_text(&one.seal(&key, [2; 12]));
            assert_eq!(Counterfoil::parse(&key, &text).as_ref(), Some(one));
            assert_eq!(Counterfoil::parse(&[3; 32], &text), None);
            lengths.push(text.len());
        }
        lengths.dedup();
        assert_eq!(lengths.len(), 1);
        // More than one length holds is still whole.
        let large = withdrew(250, 32);
        let sealed = large.seal(&key, [2; 12]);
        assert_eq!(Counterfoil::open(&key, &sealed), Some(large));
    }

    proptest! {
        #[test]
        fn no_changed_bit_is_accepted(at: prop::sample::Index, bit in 0..8_u8) {
            let key = [1; 32];
            let mut sealed = withdrew(3, 1).seal(&key, [2; 12]);
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(Counterfoil::open(&key, &sealed), None);
        }

        #[test]
        fn reading_never_panics(text: String) {
            prop_assert_eq!(Counterfoil::parse(&[1; 32], &text), None);
        }
    }
}
