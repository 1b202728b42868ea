//! What an attempt comes to, before it is logged. Only a logged answer can become a reply.

use super::assessment::Assessment;
use super::audit::{Desk, Reading, SeenItem, Stretch};
use super::codes::DataClass;
use super::codes::{AskedAfterwards, ReferralStatus, SenderStatus, StopUseReply, WithdrawalScope};
use super::consent::Consent;
use super::decision::PartRef;
use super::device::{Ceremony, Devices};
use super::draft::SeenDraft;
use super::emergency::SeenEmergency;
use super::firewall::hold::Hold;
use super::firewall::{Joins, Screenable, Screened};
use super::governance::Proposal;
use super::id::{
    AssessmentId, ConsentId, EmergencyId, Id, LinkId, ProposalId, ReferralId, SealedItemId,
    StopUseId, WithdrawalId,
};
use super::journey::carding::Printed;
use super::journey::consenting::DueConsent;
use super::known::Known;
use super::linkage::{LinkState, SeenLink};
use super::organisation::CanMeet;
use super::referral::{PassOnBy, Referral, Update};
use super::refusal::Refusal;
use super::report::{Commission, Counting};
use super::sealed_item::{AdviserKey, SealedItem};
use super::stop_use::{NoticeState, PauseState, Settling, Shown};
use super::subject_access::SeenAccess;
use super::time::When;
use super::trail::TrailKey;

mod telling;

/// One answer of the gateway. What it says of a person is the same for all that is not hers to
/// know: [`Answer::Nothing`].
pub enum Answer {
    Refused(Refusal),
    /// Nothing held, not for you, withdrawn, firewalled: one answer for all (F8).
    Nothing,
    /// `?check=only`: the request would be taken, without the texts that are held.
    Checked {
        held: Vec<Hold>,
    },
    /// The same request was made before: its status and what it made, never data again.
    Replayed {
        /// The entry that the request made the first time; its receipt is given again.
        index: [u64; 1],
        status: u16,
        told: String,
        made: Option<Id>,
        /// Of a withdrawal: what the caller was given to keep.
        counterfoil: Option<Vec<u8>>,
    },
    Offered(Offered),
    /// She does not want her details passed on; that is recorded, and the duty is done.
    DeclinedByVictim,
    Status(Seen),
    Sent(Vec<Seen>),
    Inbox(Vec<SeenOffer>),
    /// Accepted, declined, waiting or closed, as the receiving side said.
    Answered {
        referral: ReferralId,
        status: ReferralStatus,
    },
    /// Identity and safe contact, to the service that accepted.
    Released(Box<Referral>, Screened<Release>),
    /// A note was taken; nobody is told whether it was held but its author.
    Noted {
        referral: ReferralId,
        held: Vec<Hold>,
    },
    Updated {
        referral: ReferralId,
    },
    Events(Vec<Event>),
    /// What would be held, while writing.
    Screened {
        held: Vec<Hold>,
    },
    /// Texts of another attempt were held: the entry that says so, and of whom nothing.
    Held(Vec<Hold>),
    /// A hold is said to have been wrong.
    SaidWrong,
    Consented {
        consent: ConsentId,
    },
    /// A consent of the caller's own, as it was recorded.
    Consent(Box<Consent>),
    /// A consent or a withdrawal takes effect from now.
    Withdrawn {
        at: When,
    },
    /// Her word that less be shared takes effect from now, a pause alike.
    TookWord {
        withdrawal: WithdrawalId,
        at: When,
        scope: WithdrawalScope,
    },
    /// A pause became a withdrawal, or ended.
    PauseSettled {
        withdrawal: WithdrawalId,
        how: Settling,
    },
    /// What became of what the caller's organisation was shown.
    StopUseAnswered {
        notice: StopUseId,
        code: StopUseReply,
    },
    /// The codes of a card, shown once.
    CardIssued(Box<Printed>),
    /// The caller's own consents that are to be gone through with her again.
    ConsentsDue(Vec<DueConsent>),
    Assessed {
        assessment: AssessmentId,
        /// `None` where the tool counts nothing.
        ticks: Option<u16>,
    },
    /// What the organisation recorded by mistake is gone.
    AssessmentWithdrawn,
    /// Its own of her, those that ended too.
    OwnAssessments(Vec<Assessment>, Screened<Release>),
    /// An earlier assessment exists, and no more.
    AssessmentExists {
        /// More than a name and a date of birth say that it is hers.
        is_sure: bool,
    },
    /// The cards of every assessment that may be shown, never the latest only (AS-05). Their ids and
    /// sources are the gateway's own: outside, an id is an alias and a source is named only where
    /// F7 allows.
    Assessments(Vec<Assessment>, Screened<Release>),
    /// Every answer of one.
    ItemAnswers(Box<Assessment>, Screened<Release>),
    ReliedOn,
    /// The newest assessment of each source, and lines that are answered day and night.
    Emergency(Vec<Assessment>, Vec<String>, Screened<Release>),
    /// Log entries to open for the reader, and how much of each she may see.
    Entries(Reading),
    /// The report that she asks for, to be written once its entries are opened.
    Report(Box<Commission>),
    /// What must be decided, after what happened lately.
    Queue(Box<Desk>),
    /// One item, with the entries around it.
    QueueItem(Box<SeenItem>, Reading),
    /// What a month came to, to be counted once its entries are opened.
    Figures(Box<Counting>),
    /// The caller may read what a quarter came to.
    Return,
    QueueDecided,
    /// The key of the caller's organisation's own trail.
    Trail(TrailKey),
    Proposed(ProposalId),
    Proposals(Vec<Proposal>),
    Approved(ProposalId),
    Narrowed,
    /// A certificate of the caller's own organisation is listed.
    Issued,
    /// What a service of the caller's own organisation can meet is taken down.
    MeetsSaid,
    /// The first facts of an empty log.
    Founded,
    /// The second factor was right; the edge opens a session bound to the certificate's key.
    SessionOpened {
        until: When,
        /// She has only one device, and was not told so before.
        wants_spare: bool,
    },
    /// A passkey of hers is asked for.
    PasskeyAsked(Ceremony),
    /// What the caller proves herself with.
    Devices(Box<Devices>),
    /// A withdrawal that was handed in again holds, whether or not it was known.
    TakenAgain,
    /// How far the collecting of withdrawals has come.
    Reconciling(Collected),
    /// The gateway found itself restored from a copy.
    Restored,
    /// A person is on the register of the caller's own organisation.
    Flagged,
    /// The seal on whom an entry is about was opened for the caller's organisation. Whether that
    /// has a record of her is looked up with what the entry then says.
    SealOpened(Reading),
    /// The gateway itself moved a queue on, or drew a sample.
    Watched,
    /// The gateway erased accounts of the log whose time was over.
    Forgot,
    /// To which key an item for a legal adviser is to be sealed.
    AdviserKey(AdviserKey),
    /// A sealed item waits for its adviser.
    ItemSealed {
        item: SealedItemId,
        until: When,
    },
    /// What the sender of an item is told of it, whatever became of it.
    AdviceArranged {
        item: SealedItemId,
    },
    WaitingItems(Vec<WaitingItem>),
    /// A sealed item, to its adviser, once.
    ItemCollected {
        item: SealedItemId,
        sealed: Box<SealedItem>,
        service: String,
        release: Screened<Release>,
    },
    ItemDestroyed,
    /// What the caller's organisation is to decide about its own records, and what it decided.
    Links(Vec<SeenLink>),
    LinkDecided {
        link: LinkId,
        state: LinkState,
    },
    /// A request for what is held about her, as the caller's organisation sees it; with what that
    /// said itself.
    Access(Box<SeenAccess>, Option<Screened<Release>>),
    AccessList(Vec<SeenAccess>),
    /// The report that she asked for, with what each who holds something said; to be written once all
    /// is opened.
    AccessReport(Box<Commission>, Screened<Release>),
    /// She is to be handed over: it waits, wherever it went and whatever comes of it.
    TransferAsked {
        referral: ReferralId,
    },
    /// To the service that handed her over: its work has ended, and nothing of where she is.
    HandedOver(Box<Referral>),
    /// To a service that held it: it was of another person.
    TakenBack(Box<Referral>),
    /// To a service that did not answer in time: it was passed on.
    PassedOn(ReferralId),
    /// To a service that accepted her and cannot keep her: the same wherever she goes on to.
    HandedBack(ReferralId),
    /// The gateway itself moved transfers or offers on.
    MovedOn,
    /// What was done after the glass was broken, and whether she agrees now.
    FollowedUp {
        emergency: EmergencyId,
        asked: AskedAfterwards,
    },
    /// The organisation's own emergencies of which nothing was said yet.
    Emergencies(Vec<SeenEmergency>),
    /// What was begun is kept until then, with these of its fields.
    DraftKept {
        draft: SeenDraft,
        kept: Vec<&'static str>,
    },
    /// The caller's own drafts.
    Drafts(Vec<SeenDraft>),
    /// What is in one of them.
    Draft(SeenDraft, Screened<Release>),
    DraftErased,
}

/// Where a restoration stands, for an organisation that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Organisations that have not handed in theirs; none of them is named.
    pub waits_for: usize,
    /// Nothing is disclosed yet.
    pub open: bool,
    /// It is proven that this log has lost entries.
    pub rolled_back: bool,
}

/// What a referrer is told when the offer is made. Equal whether or not it went anywhere.
pub struct Offered {
    pub referral: ReferralId,
    pub journey: Id,
    pub pass_on_by: Option<PassOnBy>,
    pub contact_by: When,
    /// Of high urgency: its sender is told at once whom to call meanwhile.
    pub is_urgent: bool,
    pub held: Vec<Hold>,
    /// What a FHIR message held that has no place here; said to the sender only.
    pub left_behind: Vec<String>,
    /// The other party was there when she agreed to it, as the sender said.
    pub he_was_there: bool,
}

/// A referral as the service sees it that is asked, or that has accepted it.
#[derive(Debug)]
pub struct SeenOffer {
    pub referral: Referral,
    /// While it is to be answered, if any need is recorded.
    pub can_meet: Option<CanMeet>,
}

/// A referral as its sender sees it.
pub struct Seen {
    pub referral: ReferralId,
    pub external: Option<String>,
    pub status: SenderStatus,
    pub offered_at: When,
    pub pass_on_by: Option<PassOnBy>,
    /// No service accepted her in time: its sender is shown the line that is answered day and night.
    pub no_answer: bool,
    /// What the service sent back, in codes.
    pub updates: Vec<Update>,
}

/// Something that happened on an organisation's own referrals, or on an item that was sealed to it.
pub struct Event {
    pub at: u64,
    pub index: u64,
    pub on: Happened,
    pub code: String,
}

/// On what something happened, under the name that the organisation has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    Referral(Id),
    SealedItem(Id),
    StopUse(SeenNotice),
    /// A pause that this organisation took.
    Pause(SeenPause),
    /// What the organisation was shown was corrected or taken back: under its own name for her.
    Corrected {
        person: Id,
        since: When,
    },
}

/// A notice as its holder sees it: of its own record, by the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenNotice {
    pub id: Id,
    pub person: Id,
    pub shown: Vec<Shown>,
    pub state: NoticeState,
    pub since: When,
    pub destroyed_from: When,
    pub reply_by: When,
    pub replied: Option<StopUseReply>,
}

/// A pause as who took it sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenPause {
    pub id: Id,
    pub state: PauseState,
    pub until: When,
}

/// An item that waits for its adviser to collect it.
pub struct WaitingItem {
    pub item: SealedItemId,
    /// Who sealed it.
    pub service: String,
    pub until: When,
}

/// Parts to be opened after the leaf, each of one class.
pub struct Release {
    pub parts: Vec<PartRef>,
}

impl Screenable for Release {
    fn classes(&self) -> Vec<DataClass> {
        let mut classes: Vec<DataClass> = self.parts.iter().map(|part| part.class).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    fn keep(mut self, allowed: impl Fn(DataClass) -> bool) -> Self {
        self.parts.retain(|part| allowed(part.class));
        self
    }
}

impl Joins for Release {
    fn join(&mut self, other: Self) {
        self.parts.extend(other.parts);
    }
}

impl Answer {
    /// The entries of the log that it opens, and how much of them its reader may see.
    pub const fn reading(&self) -> Option<&Reading> {
        match self {
            Self::Entries(reading) | Self::QueueItem(_, reading) | Self::SealOpened(reading) => {
                Some(reading)
            }
            Self::Report(commission) | Self::AccessReport(commission, _) => {
                Some(&commission.reading)
            }
            Self::Refused(_)
            | Self::Nothing
            | Self::Checked { .. }
            | Self::Replayed { .. }
            | Self::Offered(_)
            | Self::DeclinedByVictim
            | Self::Status(_)
            | Self::Sent(_)
            | Self::Inbox(_)
            | Self::Answered { .. }
            | Self::Released(..)
            | Self::Noted { .. }
            | Self::Updated { .. }
            | Self::Events(_)
            | Self::Screened { .. }
            | Self::Held(_)
            | Self::SaidWrong
            | Self::Consented { .. }
            | Self::Consent(_)
            | Self::Withdrawn { .. }
            | Self::TookWord { .. }
            | Self::PauseSettled { .. }
            | Self::StopUseAnswered { .. }
            | Self::CardIssued(_)
            | Self::ConsentsDue(_)
            | Self::Assessed { .. }
            | Self::AssessmentWithdrawn
            | Self::AssessmentExists { .. }
            | Self::OwnAssessments(..)
            | Self::ItemAnswers(..)
            | Self::Assessments(..)
            | Self::ReliedOn
            | Self::Queue(_)
            | Self::Figures(_)
            | Self::Return
            | Self::Emergency(..)
            | Self::QueueDecided
            | Self::Flagged
            | Self::Watched
            | Self::Forgot
            | Self::Trail(_)
            | Self::Proposed(_)
            | Self::Proposals(_)
            | Self::Approved(_)
            | Self::Narrowed
            | Self::Issued
            | Self::MeetsSaid
            | Self::Founded
            | Self::SessionOpened { .. }
            | Self::PasskeyAsked(_)
            | Self::Devices(_)
            | Self::TakenAgain
            | Self::Reconciling(_)
            | Self::Restored
            | Self::AdviserKey(_)
            | Self::ItemSealed { .. }
            | Self::AdviceArranged { .. }
            | Self::WaitingItems(_)
            | Self::ItemCollected { .. }
            | Self::Links(_)
            | Self::LinkDecided { .. }
            | Self::Access(..)
            | Self::AccessList(_)
            | Self::TransferAsked { .. }
            | Self::HandedOver(_)
            | Self::TakenBack(_)
            | Self::MovedOn
            | Self::PassedOn(_)
            | Self::HandedBack(_)
            | Self::FollowedUp { .. }
            | Self::Emergencies(_)
            | Self::DraftKept { .. }
            | Self::Drafts(_)
            | Self::Draft(..)
            | Self::DraftErased
            | Self::ItemDestroyed => None,
        }
    }

    /// The stretch of the log that it counts, and for whom.
    pub fn stretch(&self) -> Option<&Stretch> {
        if let Self::Queue(desk) = self {
            return Some(&desk.stretch);
        }
        match self {
            Self::Figures(counting) => Some(&counting.stretch),
            _ => None,
        }
    }

    /// Reads the idempotency record: status, id and word, as [`super::ruling`] wrote them.
    pub fn replayed(index: u64, reply: &[u8]) -> Self {
        let status = reply
            .first_chunk()
            .map_or(200, |bytes| u16::from_be_bytes(*bytes));
        let made = reply
            .get(2..)
            .and_then(|rest| rest.first_chunk())
            .map(|bytes| Id::from_bytes(*bytes))
            .filter(|id| *id != Id::ZERO);
        let rest = reply.get(18..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0);
        let (told, kept) = rest.split_at(end.unwrap_or(rest.len()));
        Self::Replayed {
            index: [index],
            status,
            told: String::from_utf8_lossy(told).into_owned(),
            made,
            counterfoil: kept.get(1..).map(<[u8]>::to_vec),
        }
    }
}

/// The parts of `items` that exist, with their classes.
pub fn parts(known: &Known, items: &[Id]) -> Release {
    Release {
        parts: known
            .parts
            .iter()
            .filter(|part| items.contains(&part.item))
            .cloned()
            .collect(),
    }
}
