//! Outward names (P7): every id that leaves the gateway is an alias of the organisation it goes to.
//!
//! An alias is the id, enciphered under a key of that organisation, kind and epoch, so it needs no
//! table, is the same for the whole epoch, and two organisations cannot join their tables on it.
//! Ids are random, so an alias is as unguessable as the id.
//!
//! The key changes by itself every [`EPOCH_DAYS`]. An alias carries in its first two bits which of
//! four following epochs made it, and resolves in that epoch and the two after it: at least 400
//! days, at most 600. The key also depends on how often the organisation was suspended, so that a
//! suspension ends every alias of that organisation, and of no other. An alias that has ended reads
//! as the id of nothing, like any that was never given.

use std::sync::Arc;

use aes::Aes256;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::id::{Id, OrgId};
use super::time::When;

/// New aliases are made under another key after this many days, counted from 1970-01-01.
pub const EPOCH_DAYS: i64 = 200;
/// An alias resolves in the epoch that made it and in this many after it.
const EPOCHS_AFTER: i64 = 2;
const DAY_MS: i64 = 86_400_000;
/// The two bits that say which epoch made an alias. They are zero in every id that has one.
const EPOCH_BITS: u8 = 0b1100_0000;

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
    /// A withdrawal or a pause, to the service that took it.
    Withdrawal,
    /// That somebody is to stop using what it was shown, to whom that is.
    StopUse,
    /// The log's own pseudonym of a person; never shown, used to list her entries.
    LogSubject,
    /// A text that was held.
    Hold,
    /// A request for what is held about a person, or what its holder is asked for it.
    SubjectAccess,
    /// That the glass was broken, to the organisation that broke it.
    Emergency,
    /// A draft, to the organisation of whoever keeps it.
    Draft,
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
            Self::Withdrawal => "withdrawal",
            Self::StopUse => "stop-use",
            Self::LogSubject => "log-subject",
            Self::Hold => "hold",
            Self::SubjectAccess => "subject-access",
            Self::Emergency => "emergency",
            Self::Draft => "draft",
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

    /// The names of `organisation` at a time. `suspensions` is how often it was suspended.
    pub fn of(self: &Arc<Self>, organisation: &OrgId, suspensions: u32, at: When) -> Aliases {
        Aliases {
            key: Arc::clone(self),
            organisation: organisation.clone(),
            suspensions,
            epoch: epoch(at),
        }
    }
}

const fn epoch(at: When) -> i64 {
    at.millis().div_euclid(EPOCH_DAYS * DAY_MS)
}

/// When aliases are next made under another key, seen from `at`.
pub const fn next_epoch(at: When) -> When {
    When::from_millis((epoch(at) + 1) * EPOCH_DAYS * DAY_MS)
}

/// The names by which one organisation knows things at one time.
#[derive(Clone)]
pub struct Aliases {
    key: Arc<AliasKey>,
    organisation: OrgId,
    suspensions: u32,
    epoch: i64,
}

impl Aliases {
    /// Whose names they are.
    pub const fn organisation(&self) -> &OrgId {
        &self.organisation
    }

    /// The name under which the organisation knows `id`, which must be one that was drawn as such
    /// ([`Id::drawn`]): the first two bits of any other are lost.
    pub fn outward(&self, kind: AliasKind, id: Id) -> Id {
        let cipher = self.cipher(kind, self.epoch);
        let block = walk(id, |block| cipher.encrypt_block(block));
        let [first, rest @ ..] = block;
        let label = u8::try_from(self.epoch.rem_euclid(4)).unwrap_or(0) << 6;
        joined(first | label, rest)
    }

    /// The id behind a name; whether it exists is another question.
    pub fn inward(&self, kind: AliasKind, alias: Id) -> Id {
        let [first, ..] = *alias.bytes();
        let label = i64::from(first >> 6);
        // The fourth is the epoch to come: another node's clock may be a moment ahead.
        let mut epochs = self.epoch - EPOCHS_AFTER..=self.epoch + 1;
        let made_in = epochs.find(|epoch| epoch.rem_euclid(4) == label);
        let cipher = self.cipher(kind, made_in.unwrap_or(self.epoch));
        Id::from_bytes(walk(alias, |block| cipher.decrypt_block(block)))
    }

    fn cipher(&self, kind: AliasKind, epoch: i64) -> Aes256 {
        let mut key = [0_u8; 32];
        let info = format!(
            "alias v2/{}/{}/{}/{epoch}",
            kind.label(),
            self.organisation,
            self.suspensions
        );
        // Expansion of 32 bytes cannot fail.
        let _ = Hkdf::<Sha256>::new(None, &self.key.0).expand(info.as_bytes(), &mut key);
        let cipher = Aes256::new(&Array::from(key));
        key.zeroize();
        cipher
    }
}

/// Steps from one value of 126 bits to the next one that is again of 126 bits (cycle walking: Black
/// and Rogaway, "Ciphers with arbitrary finite domains", 2002). It takes four steps on average, and
/// ends, because a permutation comes back to where it began.
fn walk(from: Id, step: impl Fn(&mut Array<u8, aes::cipher::consts::U16>)) -> [u8; 16] {
    let [first, rest @ ..] = *from.bytes();
    let mut block = Array::from(*joined(first & !EPOCH_BITS, rest).bytes());
    loop {
        step(&mut block);
        let bytes: [u8; 16] = block.into();
        let [first, ..] = bytes;
        if first & EPOCH_BITS == 0 {
            return bytes;
        }
    }
}

fn joined(first: u8, rest: [u8; 15]) -> Id {
    let mut bytes = [first; 16];
    let (_, tail) = bytes.split_at_mut(1);
    tail.copy_from_slice(&rest);
    Id::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> Arc<AliasKey> {
        Arc::new(AliasKey::new([9; 32]))
    }

    fn org(name: &str) -> OrgId {
        OrgId::parse(name).unwrap()
    }

    fn day(day: i64) -> When {
        When::from_millis(day * DAY_MS)
    }

    proptest! {
        #[test]
        fn an_alias_reads_back_only_at_its_own_organisation(bytes: [u8; 16], at in 0_i64..60_000) {
            let key = key();
            let (a, b) = (key.of(&org("aa"), 0, day(at)), key.of(&org("bb"), 0, day(at)));
            let id = Id::drawn(bytes);
            let alias = a.outward(AliasKind::Person, id);
            prop_assert_eq!(a.inward(AliasKind::Person, alias), id);
            prop_assert_ne!(b.inward(AliasKind::Person, alias), id);
            prop_assert_ne!(a.inward(AliasKind::Referral, alias), id);
            prop_assert_ne!(b.outward(AliasKind::Person, id), alias);
        }

        #[test]
        fn an_alias_resolves_for_400_days_and_never_after_600(
            bytes: [u8; 16], made in 0_i64..60_000, later in 0_i64..2_000,
        ) {
            let key = key();
            let id = Id::drawn(bytes);
            let alias = key.of(&org("aa"), 0, day(made)).outward(AliasKind::Referral, id);
            let read = key.of(&org("aa"), 0, day(made + later)).inward(AliasKind::Referral, alias);
            if later <= 400 {
                prop_assert_eq!(read, id);
            } else if later >= 600 {
                prop_assert_ne!(read, id);
            }
        }

        #[test]
        fn a_clock_that_is_a_day_behind_reads_what_one_ahead_made(bytes: [u8; 16], at in 1_i64..60_000) {
            let key = key();
            let id = Id::drawn(bytes);
            let alias = key.of(&org("aa"), 0, day(at)).outward(AliasKind::Consent, id);
            let behind = key.of(&org("aa"), 0, day(at - 1));
            prop_assert_eq!(behind.inward(AliasKind::Consent, alias), id);
        }

        #[test]
        fn a_suspension_ends_every_alias_of_its_organisation_alone(bytes: [u8; 16], n in 0_u32..9) {
            let key = key();
            let id = Id::drawn(bytes);
            let (before, after) = (key.of(&org("aa"), n, day(1)), key.of(&org("aa"), n + 1, day(1)));
            let alias = before.outward(AliasKind::Person, id);
            prop_assert_ne!(after.inward(AliasKind::Person, alias), id);
            prop_assert_ne!(after.outward(AliasKind::Person, id), alias);
        }

        #[test]
        fn any_26_letters_read_as_some_id(bytes: [u8; 16], at in 0_i64..60_000) {
            let names = key().of(&org("aa"), 0, day(at));
            let inward = names.inward(AliasKind::Entry, Id::from_bytes(bytes));
            prop_assert_eq!(inward, Id::drawn(*inward.bytes()));
        }
    }

    #[test]
    fn the_next_epoch_gives_the_same_thing_another_name() {
        let (key, id) = (key(), Id::drawn([7; 16]));
        let begins = next_epoch(day(20_779));
        assert_eq!(begins, day(20_800));
        let now = key.of(&org("aa"), 0, begins.plus_millis(-1));
        let next = key.of(&org("aa"), 0, begins);
        assert_ne!(
            now.outward(AliasKind::Person, id),
            next.outward(AliasKind::Person, id)
        );
        assert_eq!(next_epoch(begins), day(21_000));
    }

    #[test]
    fn aliases_are_what_they_were() {
        let names = key().of(&org("aa"), 3, day(20_779));
        let alias = names.outward(AliasKind::Person, Id::drawn([7; 16]));
        insta::assert_snapshot!(alias, @"74B2D392DQKTB8DH9R43S9EX1S");
    }
}
