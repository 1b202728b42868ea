//! What is stored as a fact, and under which item. One versioned codec for all of it: borsh.
//!
//! A fact holds codes, dates, ids and keyed tokens. Never a name, a number or a free text.

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};

use super::assessment::Assessment;
use super::assessment::corrected::Corrected;
use super::audit::{MissingNote, QueueItem, QueueTally};
use super::card::{Card, CardCode};
use super::consent::{Consent, Tombstone};
use super::draft::Draft;
use super::emergency::Emergency;
use super::governance::{Approvers, InForce, Proposal};
use super::id::{Id, LinkId, OrgId, PersonId, ReferralId, SealedItemId};
use super::linkage::Linkage;
use super::organisation::{Directory, Flag, Organisation, User};
use super::person::{Beside, TaggedToken};
use super::referral::Referral;
use super::restoration::Restoration;
use super::retention::{Held, Progress};
use super::returns::Line;
use super::rulebook::{Adopted, Page};
use super::sealed_item::SealedItem;
use super::stop_use::{StopUse, Withdrawal};
use super::subject_access::{AccessAsk, SubjectAccess};
use super::time::When;

/// One more whenever a fact changes its shape, so that a store of another build is told apart.
const VERSION: u8 = 3;

/// One organisation's own record of a person: its tokens, and nothing that names her.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PersonRecord {
    pub organisation: OrgId,
    pub tokens: Vec<TaggedToken>,
    pub created_at: When,
    /// Of a child: the parent under whom it was recorded. Nothing links it with its record under
    /// another.
    pub parent: Option<Beside>,
}

/// A person's part in a referral, on the record of the sending or the receiving organisation.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PersonReferral {
    pub referral: ReferralId,
    pub sent: bool,
    pub at: When,
}

/// A record that carries a token.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Holder {
    pub organisation: OrgId,
    pub person: PersonId,
}

/// Every kind of fact. New kinds go at the end: the number of each is on disk.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "read or written one at a time, never kept in numbers"
)]
pub enum Record {
    Organisation(Organisation),
    User(User),
    Directory(Directory),
    Approvers(Approvers),
    Proposal(Proposal),
    Person(PersonRecord),
    PersonReferral(PersonReferral),
    Consent(Consent),
    Assessment(Assessment),
    Tombstone(Tombstone),
    Holder(Holder),
    Referral(Referral),
    /// The referral that a sender's own name stands for.
    External(ReferralId),
    QueueItem(QueueItem),
    /// An organisation that was enrolled, whatever became of it.
    Member(OrgId),
    Restoration(Restoration),
    Hold(InForce),
    /// More of what made an item of a queue.
    Tally(QueueTally),
    /// The newest week whose sample was drawn for a queue ([`super::watch::sample::Week`]).
    Sampled(i64),
    /// A person whom an organisation flagged.
    Flag(Flag),
    /// The seal on a person was opened under a proposal.
    SealOpened(When),
    Held(Held),
    Retention(Progress),
    SealedItem(SealedItem),
    /// In the queue of the organisation whose note it is.
    MissingNote(MissingNote),
    Adopted(Adopted),
    /// Every file of a rulebook.
    Pages(Vec<Page>),
    Linkage(Linkage),
    /// On the record of a person: a pair that it is part of.
    PartOf(LinkId),
    Withdrawal(Withdrawal),
    StopUse(StopUse),
    /// On the token that the code makes.
    CardCode(CardCode),
    /// On an organisation's own record of her.
    Card(Card),
    SubjectAccess(SubjectAccess),
    AccessAsk(AccessAsk),
    /// On a token of hers: an item that rests on her word.
    SealedOf(SealedItemId),
    /// Beside the notices to stop using something.
    Corrected(Corrected),
    Emergency(Emergency),
    Draft(Draft),
    Line(Line),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored fact was written by another build of this program; go on with that build")]
pub struct UnknownForm;

impl Record {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        // Writing to a Vec cannot fail.
        let _ = self.serialize(&mut bytes);
        bytes
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, UnknownForm> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => Self::try_from_slice(rest).map_err(|_| UnknownForm),
            Some(_) | None => Err(UnknownForm),
        }
    }
}

/// The item of a fact of which an aggregate has only one.
pub fn singleton(name: &str) -> Id {
    let hash: [u8; 32] = Sha256::digest(format!("firedoor item/{name}")).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(hash.get(..16).unwrap_or(&[0; 16]));
    Id::from_bytes(bytes)
}
