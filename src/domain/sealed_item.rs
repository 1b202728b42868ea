//! An item that one agency's client seals for a legal adviser's (`domain.md` 3.9): what the gateway
//! holds of it, which is nothing that it could read.
//!
//! Immigration information has this one carrier (F2, F4). What is in it, and her consent to each
//! piece, lies inside the ciphertext and is checked by the two clients; no word for it is here.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};

use super::codes::{Custody, DataClass, OrgKind, Purpose};
use super::consent::Tombstone;
use super::id::{Id, OrgId, SealedItemId, WithdrawalId};
use super::organisation::Organisation;
use super::person::TaggedToken;
use super::policy::Recipient;
use super::time::When;

/// An item that nobody collects is destroyed after this long.
pub const WAITS_DAYS: i64 = 14;
/// What is known of an item is kept this long, so that a stop can still reach who collected it: the
/// longest that her consent may last, and a day.
pub const KEPT_DAYS: i64 = 367;

/// The sizes of a box, in bytes: 1, 4, 16 and 64 KiB. It is filled up to one of them before it is
/// sealed, so that its size says little.
pub const BOX_BYTES: [usize; 4] = [1_024, 4_096, 16_384, 65_536];

/// A box whose size is one of [`BOX_BYTES`].
#[derive(Clone, PartialEq, Eq)]
pub struct SealedBox(Vec<u8>);

/// The box has another size than a client of ours gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed item has 1, 4, 16 or 64 KiB: seal it with `firedoor client seal`")]
pub struct NotABox;

impl SealedBox {
    /// # Errors
    /// [`NotABox`].
    pub fn parse(bytes: Vec<u8>) -> Result<Self, NotABox> {
        match BOX_BYTES.contains(&bytes.len()) {
            true => Ok(Self(bytes)),
            false => Err(NotABox),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The size as the log says it.
    pub fn bucket(&self) -> String {
        format!("box-{}-kib", self.0.len() / 1_024)
    }
}

/// A salted hash of what was sealed. The salt is inside the box, so to the gateway it tells nothing;
/// with the salt it shows to a court, say, what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Commitment(pub [u8; 32]);

impl Commitment {
    pub fn of(salt: &[u8; 32], content: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"firedoor sealed item commitment v1");
        hash.update(salt);
        hash.update(content);
        Self(hash.finalize().into())
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// To what a box is bound: it opens only as coming from this organisation, for that one, with this
/// commitment.
pub struct Binding<'a> {
    pub sender: &'a OrgId,
    pub recipient: &'a OrgId,
    pub commitment: Commitment,
}

impl Binding<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for name in [self.sender.as_str(), self.recipient.as_str()] {
            bytes.extend_from_slice(&(name.len() as u64).to_be_bytes());
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes.extend_from_slice(&self.commitment.0);
        bytes
    }
}

/// What two people read to each other over the telephone before the first item: 26 characters that
/// stand for an adviser's name and public key (128 bits of SHA-256).
pub fn fingerprint(organisation: &OrgId, public_key: &[u8; 32]) -> Id {
    let mut hash = Sha256::new();
    hash.update(b"firedoor sealed item key v1");
    hash.update((organisation.as_str().len() as u64).to_be_bytes());
    hash.update(organisation.as_str());
    hash.update(public_key);
    let digest: [u8; 32] = hash.finalize().into();
    let mut short = [0; 16];
    for (to, from) in short.iter_mut().zip(digest) {
        *to = from;
    }
    Id::from_bytes(short)
}

/// One item as the gateway knows it: who, for whom, until when, whose word it rests on, and nothing
/// of what.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealedItem {
    pub id: SealedItemId,
    pub sender: OrgId,
    pub recipient: OrgId,
    pub sealed_at: When,
    pub commitment: Commitment,
    /// The part that holds the box.
    pub part: Id,
    pub collected_at: Option<When>,
    pub stopped_at: Option<When>,
    /// Whose word it rests on, so that her withdrawal at any service reaches it (3.4). Gone as soon as
    /// there is nothing left that a withdrawal could stop.
    pub tokens: Vec<TaggedToken>,
    /// When she agreed, as its sender's client says; what she agreed to is in the box.
    pub consented_at: When,
    /// Pauses that it is or was held back by, each with its end.
    pub pauses: Vec<(WithdrawalId, When)>,
    /// It came on a consent older than a withdrawal and was stopped at once: the task of the service
    /// that took that.
    pub stopped_for: Option<OrgId>,
}

/// What a withdrawal must name to reach an item, if it names kinds of information.
const STOPPED_CLASSES: [DataClass; 2] = [DataClass::Sealed, DataClass::Im];
/// Or if it names purposes: the one that the gateway is told.
const PURPOSE: Purpose = Purpose::LegalAdvice;

/// Whether a withdrawal stops what `sender` seals for `recipient` on a consent given at
/// `consented_at`.
pub fn is_stopped(
    tombstone: &Tombstone,
    (sender, recipient): (&OrgId, &OrgId),
    consented_at: When,
) -> bool {
    let ends = [sender, recipient];
    tombstone.at >= consented_at && tombstone.stops(&ends, &STOPPED_CLASSES, PURPOSE)
}

impl SealedItem {
    /// Whether it is held back by a pause.
    pub fn is_paused(&self, now: When) -> bool {
        self.pauses.iter().any(|(_, until)| now < *until)
    }

    /// Held back by the pause `by` until then.
    pub fn pause(&mut self, by: WithdrawalId, until: When) {
        self.pauses.retain(|(one, _)| *one != by);
        self.pauses.push((by, until));
    }

    /// The pause `by` was lifted; whether it was one of its own.
    pub fn lift(&mut self, by: WithdrawalId, now: When) -> bool {
        let own = self.pauses.iter_mut().find(|(one, _)| *one == by);
        own.is_some_and(|(_, until)| {
            *until = (*until).min(now);
            true
        })
    }

    /// The moment from which it is collected no more.
    pub fn until(&self) -> When {
        self.sealed_at.plus_days(WAITS_DAYS)
    }

    /// The moment from which nothing is known of it.
    pub fn forgotten_at(&self) -> When {
        self.sealed_at.plus_days(KEPT_DAYS)
    }

    /// Neither collected nor stopped nor paused nor too old.
    pub fn waits(&self, now: When) -> bool {
        self.collected_at.is_none()
            && self.stopped_at.is_none()
            && !self.is_paused(now)
            && now < self.until()
    }
}

/// Who regulates a legal adviser, as two people confirmed when it was enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regulated {
    /// `sra` (Solicitors Regulation Authority) or `iaa` (Immigration Advice Authority).
    pub regulator: &'static str,
    pub number: String,
}

/// The regulator and number of a legal adviser; `None` without a number in the regulator's form:
/// SRA up to 7 digits, IAA a letter and 9 digits.
pub fn regulated(organisation: &Organisation) -> Option<Regulated> {
    if organisation.kind != OrgKind::LegalAdviser {
        return None;
    }
    let mut identifiers = organisation.identifiers.iter();
    identifiers.find_map(|(kind, number)| {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let regulator = match kind.as_str() {
            "sra" if (1..=7).contains(&number.len()) && digits(number) => "sra",
            "iaa" if number.len() == 10 => {
                let rest = number.strip_prefix(|first: char| first.is_ascii_uppercase());
                rest.filter(|rest| digits(rest)).map(|_| "iaa")?
            }
            _ => return None,
        };
        Some(Regulated {
            regulator,
            number: number.clone(),
        })
    })
}

/// What a sender's client needs in order to seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdviserKey {
    pub organisation: OrgId,
    pub name: String,
    pub regulated: Regulated,
    pub public_key: [u8; 32],
}

/// Why an organisation cannot be sent an item. About the organisation, never about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotReceive {
    #[error("this organisation can not receive this")]
    NotOne,
    #[error("this adviser's certificate has ended: the adviser must renew it first")]
    CertificateEnded,
}

/// The key to which an item is sealed, if the organisation is a regulated adviser that can open one.
/// That it is active, untainted and has agreed is policy's to say.
///
/// # Errors
/// [`CannotReceive`].
pub fn adviser_key(organisation: &Organisation, now: When) -> Result<AdviserKey, CannotReceive> {
    let regulated = regulated(organisation).ok_or(CannotReceive::NotOne)?;
    let key = organisation.hpke_public_key;
    let public_key = key
        .filter(|_| organisation.custody == Custody::Own)
        .ok_or(CannotReceive::NotOne)?;
    let mut certificates = organisation.certificates.iter();
    if !certificates.any(|certificate| certificate.in_force(now)) {
        return Err(CannotReceive::CertificateEnded);
    }
    Ok(AdviserKey {
        organisation: organisation.id.clone(),
        name: organisation.name.clone(),
        regulated,
        public_key,
    })
}

/// An adviser as recipient, by the strictest of its teams (F3): all of them have the one key.
pub fn as_recipient(organisation: &Organisation, now: When) -> Recipient {
    let mut teams = organisation.teams.iter();
    Recipient {
        organisation: organisation.id.clone(),
        kind: organisation.kind,
        active: organisation.active(now),
        tainted: organisation.teams.is_empty()
            || teams.any(|team| organisation.tainted(&team.id, now)),
        agreement_in_date: organisation.agreement(now).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::journey::scene;

    fn adviser(identifiers: &[(&str, &str)]) -> Organisation {
        let mut adviser = scene::organisation("quay", OrgKind::LegalAdviser, &[]);
        let owned = |(kind, number): &(&str, &str)| ((*kind).to_owned(), (*number).to_owned());
        adviser.identifiers = identifiers.iter().map(owned).collect();
        adviser
    }

    #[test]
    fn an_adviser_is_regulated_by_a_number_in_its_regulators_form() {
        for (kind, number, is) in [
            ("sra", "123456", true),
            ("sra", "", false),
            ("sra", "12345678", false),
            ("sra", "12a456", false),
            ("iaa", "F200100001", true),
            ("iaa", "f200100001", false),
            ("iaa", "2001000012", false),
            ("iaa", "F20010001", false),
            ("charity_no", "123456", false),
        ] {
            let found = regulated(&adviser(&[(kind, number)]));
            assert_eq!(found.is_some(), is, "{kind} {number}");
        }
        assert_eq!(regulated(&adviser(&[])), None);
        let mut police = adviser(&[("sra", "123456")]);
        police.kind = OrgKind::Police;
        assert_eq!(regulated(&police), None);
    }

    #[test]
    fn one_tainted_team_taints_the_whole_adviser() {
        let mut adviser = adviser(&[("sra", "123456")]);
        let now = scene::start();
        assert!(!as_recipient(&adviser, now).tainted);
        let mut other = adviser.teams[0].clone();
        other.id = scene::team("contract");
        other.attestation = None;
        adviser.teams.push(other);
        assert!(as_recipient(&adviser, now).tainted);
        adviser.teams.clear();
        assert!(as_recipient(&adviser, now).tainted);
    }

    #[test]
    fn a_box_has_one_of_four_sizes() {
        for bytes in BOX_BYTES {
            assert!(SealedBox::parse(vec![0; bytes]).is_ok());
            assert!(SealedBox::parse(vec![0; bytes + 1]).is_err());
        }
        assert!(SealedBox::parse(Vec::new()).is_err());
    }

    #[test]
    fn a_fingerprint_is_of_the_name_and_the_key() {
        let quay = scene::org("quay");
        let one = fingerprint(&quay, &[1; 32]);
        assert_ne!(one, fingerprint(&quay, &[2; 32]));
        assert_ne!(one, fingerprint(&scene::org("quays"), &[1; 32]));
    }
}
