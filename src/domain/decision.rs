//! What a decision hands to the store: one leaf, its opening, and the writes that go with it.
//!
//! A decision is a value. It names the version of every fact it rests on, and the store commits
//! it only if none of them has moved (P8).

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

use super::codes::DataClass;
use super::id::{
    DraftId, EmergencyId, Id, LineId, LinkId, OrgId, PersonId, ProposalId, ReferralId,
    SealedItemId, StopUseId, SubjectAccessId, WithdrawalId,
};
use super::leaf::Leaf;
use super::person::Token;
use super::seal::{Sealed, Slot};
use super::time::When;
use super::trail::TrailKey;

/// The unit of concurrency: everything about one thing moves its version.
///
/// Sets (her consents, links, tombstones) live inside one aggregate, so there are no phantoms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub enum Aggregate {
    /// An organisation with its teams, users, certificates, services and agreements.
    Organisation(OrgId),
    /// One organisation's own record of a person: her referrals, consents, assessments.
    Person(PersonId),
    /// A keyed token, with the records that carry it and the tombstones set on it.
    Token(Token),
    Referral(ReferralId),
    Proposal(ProposalId),
    /// One user of an organisation.
    User(OrgId, String),
    /// What an organisation's IG officer must decide.
    Queue(OrgId),
    /// What belongs to no one organisation: the directory, the first approvers.
    Settings,
    /// Who is enrolled, one item each that is never replaced. Apart from the settings, because
    /// hardly any decision needs it.
    Roll,
    /// The newest entry of an organisation's own: its version, and nothing else.
    Trail(OrgId),
    /// Legal holds in force, one item each, as the log knows what they hold.
    Held,
    /// How far the accounts of the log were looked at, whose time may be over. Apart from the
    /// settings, which every decision reads.
    Retention,
    /// An item that one agency's client sealed for another's.
    SealedItem(SealedItemId),
    /// The pages of a rulebook, by their hash; never changed.
    Rulebook([u8; 32]),
    /// What was decided about a pair of records. Both records name it, so that whoever reads one of
    /// them reads this too.
    Link(LinkId),
    /// A withdrawal or a pause, for the service that took it.
    Withdrawal(WithdrawalId),
    /// That one holder is to stop using what it was shown.
    StopUse(StopUseId),
    /// A request for what is held about a person; or what one who holds something is asked and says,
    /// so that its reply does not wait for another's.
    SubjectAccess(SubjectAccessId),
    /// That the glass was broken, and what was said of it afterwards.
    Emergency(EmergencyId),
    /// A referral that one person has begun and keeps for later.
    Draft(DraftId),
    /// One thing that is counted for a quarter's return.
    Line(LineId),
}

/// Index + 1 of the leaf whose commit last wrote the aggregate; 0 = never.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
)]
pub struct Version(pub u64);

/// The aggregates a decision looked at, each at the version it saw.
pub type ReadSet = Vec<(Aggregate, Version)>;

/// One fact, opened so that a decision can be made.
pub struct Fact {
    pub of: Aggregate,
    pub item: Id,
    pub bytes: Zeroizing<Vec<u8>>,
}

/// What the store knew when it was asked, and at which versions.
#[derive(Default)]
pub struct Facts {
    pub read: ReadSet,
    pub facts: Vec<Fact>,
    /// Parts of payload that exist: their classes are known, their content is not opened.
    pub parts: Vec<PartRef>,
}

/// Names one sealed part of payload without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRef {
    pub of: Aggregate,
    pub item: Id,
    pub class: DataClass,
}

/// A fact, encrypted. Facts hold what deciding needs (codes, dates, tokens), never names.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealedFact(pub(in crate::domain) Sealed);

/// Payload of one data class, encrypted after the firewall passed it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealedPart(pub(in crate::domain) Sealed);

impl SealedFact {
    pub fn sealed(&self) -> &Sealed {
        &self.0
    }

    pub fn into_sealed(self) -> Sealed {
        self.0
    }
}

impl SealedPart {
    pub fn sealed(&self) -> &Sealed {
        &self.0
    }

    pub fn into_sealed(self) -> Sealed {
        self.0
    }
}

/// What a ciphertext is bound to: its aggregate, item and class (255 for a fact).
pub fn seal_context(of: &Aggregate, item: Id, class: Option<DataClass>) -> Vec<u8> {
    let mut context = b"firedoor item v1".to_vec();
    // Writing to a Vec cannot fail; an empty context would only make the item unreadable.
    let _ = of.serialize(&mut context);
    context.extend_from_slice(item.bytes());
    context.push(class.map_or(255, |class| class as u8));
    context
}

/// What the opening of a leaf is bound to: the leaf's own id. Its bytes are those of a fact of
/// [`Aggregate::Settings`], so that one rule seals everything.
pub fn opening_context(leaf: Id) -> Vec<u8> {
    seal_context(&Aggregate::Settings, leaf, None)
}

/// Lists that pages and inboxes browse. Rebuildable; no decision rests on one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize)]
pub enum List {
    Inbox(OrgId),
    Sent(OrgId),
    Events(OrgId),
    /// Log entries of an organisation's own staff.
    Audit(OrgId),
    /// Log entries of one user.
    AuditUser(OrgId, String),
    /// Log entries about one person: all of them, for the reviewer, under the log's own pseudonym;
    /// and each organisation's, under a name for it alone ([`super::rules::Rules::subject_list`]).
    AuditSubject([u8; 16]),
    /// What an organisation's IG officer must decide.
    Queue(OrgId),
    Proposals,
    Organisations,
    /// Log entries of the operator's own staff, which every organisation sees (3.5.6).
    Operator,
    /// Log entries of others that concern an organisation.
    AuditConcerned(OrgId),
    /// Log entries behind one item of an organisation's queue.
    Alert(OrgId, Id),
    /// Ordinary accesses of an organisation's own staff, from which the weekly sample is drawn.
    Ordinary(OrgId),
    /// Sealed items that wait for a legal adviser, the oldest first.
    SealedFor(OrgId),
    /// All sealed items, each at the moment (milliseconds) from which something of it is to be
    /// destroyed.
    SealedDue,
    /// Pairs of records whose holder decides about them: those that wait first ([`super::linkage`]).
    Links(OrgId),
    /// Notices that an organisation has not answered, each at the moment (milliseconds) by which it
    /// is to.
    StopUses(OrgId),
    /// People whose consents an organisation is to go through with them again, each at the moment
    /// (milliseconds) of that.
    Reviews(OrgId),
    /// Requests for what is held about a person: those that an organisation took, and those that it
    /// is to reply to; the open ones first ([`super::subject_access`]).
    SubjectAccess(OrgId),
    /// Referrals of a transfer, each at the moment (milliseconds) from which something of it is to
    /// be done.
    TransfersDue,
    /// Requests for what is held about a person that have ended, each at the moment (milliseconds) from
    /// which their words are to be erased.
    AccessDue,
    /// Emergencies of an organisation of which nothing was said yet, each at the moment (milliseconds)
    /// by which it is to be.
    FollowUps(OrgId),
    /// Offers that wait for an answer, each at the moment (milliseconds) from which something of it is
    /// to be done.
    OffersDue,
    /// What one user keeps for later, in the order in which it was begun.
    Drafts(OrgId, String),
    /// All drafts, each at the moment (milliseconds) from which it is to be erased.
    DraftsDue,
    /// What is counted for an organisation's returns, each at the moment (milliseconds) when it was.
    Lines(OrgId),
    /// What an organisation is told because of her word: to stop using something, that a pause that it
    /// took runs, that what it was shown was corrected. All of it is in [`List::Events`] too.
    HerWord(OrgId),
}

/// Limits that are counted in the commit itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize)]
pub enum Counter {
    /// People asked about by one worker on one day.
    PeopleAsked {
        organisation: OrgId,
        user: String,
        day: i32,
    },
    /// Users never seen before, asserted by one system on one day.
    NewUsers { organisation: OrgId, day: i32 },
    /// Emergency views by one user in one 12-hour window.
    Emergencies {
        organisation: OrgId,
        user: String,
        half_day: i32,
    },
    /// Wrong second-factor codes by one user in one window.
    WrongCodes {
        organisation: OrgId,
        user: String,
        quarter_hour: i32,
    },
    /// Whether one worker named one person before in a window, so that she counts once there.
    SamePerson {
        organisation: OrgId,
        user: String,
        /// The log's own pseudonym of her, or of the name by which she was asked for.
        person: [u8; 16],
        window: Window,
    },
    /// Different people of one surname and postcode whom one worker asked about in a window.
    Household {
        organisation: OrgId,
        user: String,
        household: [u8; 16],
        window: Window,
    },
    /// Signs after those with which an item of a queue began.
    Signs { item: Id },
    /// Wrong codes of cards in one organisation, in one hour since 1970.
    CardTries { organisation: OrgId, hour: i64 },
    /// Requests of one organisation to hand one of its people over, on one day. `person` is its own
    /// record of her.
    Moves {
        organisation: OrgId,
        person: PersonId,
        day: i32,
    },
}

/// A stretch of time in which people are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize)]
pub enum Window {
    /// Days since 1970, in UTC.
    Day(i32),
    /// Half days since 1970, in UTC.
    HalfDay(i32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Writes or replaces a fact; the key of what it replaces is erased, unless it is held.
    Fact {
        of: Aggregate,
        item: Id,
        sealed: SealedFact,
    },
    /// Writes one part of payload.
    Part {
        of: Aggregate,
        item: Id,
        class: DataClass,
        sealed: SealedPart,
    },
    /// Removes a fact or part and erases its key, unless it is held.
    Remove {
        of: Aggregate,
        item: Id,
    },
    List {
        list: List,
        at: u64,
        item: Id,
    },
    /// Takes every entry of `item` off the list.
    Unlist {
        list: List,
        item: Id,
    },
    /// Adds to a counter; the commit is refused as `Limited` if it would pass `max`.
    Count {
        counter: Counter,
        by: u32,
        max: u32,
    },
    /// Keeps the keys of an item although it is removed or replaced: a court or the ICO ordered
    /// it (legal hold). What is removed is gone for every journey all the same; only destruction
    /// waits. Counts before everything else in its decision.
    Hold {
        of: Aggregate,
        item: Id,
    },
    /// Ends a hold, and erases the keys that it kept. Counts after everything else in its
    /// decision; without a hold it does nothing.
    Release {
        of: Aggregate,
        item: Id,
    },
    /// Makes the entry the next on an organisation's trail: the store puts into its leaf what leads
    /// there from the entry before, which only a commit knows. At most one in a decision.
    Follow {
        organisation: OrgId,
        key: TrailKey,
    },
    /// Erases the key of the account of an earlier entry, whose time is over. Its leaf stays, and
    /// with it the tree. Doing it again changes nothing; an entry that is not in the log yet is a
    /// fault. Moves no version.
    Forget {
        index: u64,
    },
}

/// The idempotency record of a request, kept for seven days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Keyed hash of organisation, team, user and `Idempotency-Key`.
    pub key: [u8; 16],
    /// Keyed hash of the method, path and body.
    pub request: [u8; 32],
    pub until: When,
    /// The status and ids to answer again; never data about a person. At most 4 KiB.
    pub reply: Vec<u8>,
}

/// Everything one attempt changes, and the leaf that says so.
pub struct Decision<T> {
    pub value: T,
    pub read: ReadSet,
    pub leaf: Leaf,
    /// The leaf's opening, encrypted; its hash is in the leaf.
    pub opening: SealedFact,
    pub writes: Vec<Write>,
    pub replay: Option<Replay>,
    /// A withdrawal, an emergency or a refusal: taken even when the disk is nearly full.
    pub urgent: bool,
    /// Reserved keys that the decision did not need: they go back to the pool.
    pub unused: Vec<Slot>,
}

/// One entry of a list. Sorted by `at`, then by the index of the leaf that listed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Listed {
    pub at: u64,
    pub index: u64,
    pub item: Id,
}

/// A decision without its value: what a backend needs in order to commit it.
pub struct Draft {
    pub read: ReadSet,
    pub leaf: Leaf,
    pub opening: SealedFact,
    pub writes: Vec<Write>,
    pub replay: Option<Replay>,
    /// A withdrawal, an emergency or a refusal: taken even when the disk is nearly full.
    pub urgent: bool,
}

impl<T> Decision<T> {
    pub fn split(self) -> (T, Draft) {
        let Self {
            value,
            read,
            leaf,
            opening,
            writes,
            replay,
            urgent,
            unused: _,
        } = self;
        (
            value,
            Draft {
                read,
                leaf,
                opening,
                writes,
                replay,
                urgent,
            },
        )
    }
}

impl Draft {
    /// The slots it uses; what was reserved beyond these goes back to the pool.
    pub fn slots(&self) -> Vec<Slot> {
        let written = self.writes.iter().filter_map(|write| match write {
            Write::Fact { sealed, .. } => Some(sealed.0.slot()),
            Write::Part { sealed, .. } => Some(sealed.0.slot()),
            Write::Remove { .. }
            | Write::List { .. }
            | Write::Unlist { .. }
            | Write::Count { .. }
            | Write::Hold { .. }
            | Write::Release { .. }
            | Write::Follow { .. }
            | Write::Forget { .. } => None,
        });
        std::iter::once(self.opening.0.slot())
            .chain(written)
            .collect()
    }
}
