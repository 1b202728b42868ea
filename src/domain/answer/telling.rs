//! What an answer comes to in one word, and what of it is opened or goes back to its author.

use super::{Answer, Offered};
use crate::domain::decision::PartRef;
use crate::domain::firewall::hold::Hold;
use crate::domain::refusal::Refusal;
use crate::domain::stop_use::Settling;

impl Answer {
    /// The texts that go back to their author.
    pub fn held(&self) -> &[Hold] {
        match self {
            Self::Refused(
                Refusal::ImmigrationContentFound(held) | Refusal::ConfirmEmergency { held, .. },
            )
            | Self::Checked { held }
            | Self::Noted { held, .. }
            | Self::Screened { held }
            | Self::Held(held)
            | Self::Offered(Offered { held, .. }) => held,
            _ => &[],
        }
    }

    /// The word for the log: what the caller was told.
    pub fn told(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Nothing => "nothing-to-show",
            Self::Checked { .. } => "checked",
            Self::Replayed { .. } => "replayed",
            Self::Offered(_) => "offered",
            Self::DeclinedByVictim => "declined-by-victim",
            Self::Status(_) => "status",
            Self::Sent(_) => "sent-list",
            Self::Inbox(_) => "inbox",
            Self::Answered { status, .. } => status.code(),
            Self::Released(..) => "released",
            Self::Noted { .. } => "noted",
            Self::Updated { .. } => "updated",
            Self::Events(_) => "events",
            Self::Screened { .. } => "screened",
            Self::Held(_) => "held",
            Self::SaidWrong => "said-wrong",
            Self::Consented { .. } => "consent-recorded",
            Self::Withdrawn { .. } | Self::TookWord { .. } => "withdrawn",
            Self::PauseSettled { how, .. } => match how {
                Settling::Confirm => "pause-confirmed",
                Settling::Lift => "pause-lifted",
            },
            Self::StopUseAnswered { .. } => "stop-use-answered",
            Self::CardIssued(_) => "card-issued",
            Self::ConsentsDue(_) => "consents-due",
            Self::Consent(_) => "consent",
            Self::Assessed { .. } => "assessment-recorded",
            Self::AssessmentWithdrawn => "assessment-withdrawn",
            Self::OwnAssessments(..) => "own-assessments",
            Self::AssessmentExists { .. } => "assessment-exists",
            Self::ItemAnswers(..) => "assessment-answers",
            Self::Assessments(..) => "assessments",
            Self::ReliedOn => "relied-on",
            Self::Emergency(..) => "emergency-view",
            Self::Entries(_) => "entries",
            Self::Report(_) => "report",
            Self::Figures(_) => "figures",
            Self::Queue(_) => "queue",
            Self::QueueItem(..) => "queue-item",
            Self::Flagged => "flagged",
            Self::SealOpened(_) => "seal-opened",
            Self::Watched => "watched",
            Self::QueueDecided => "queue-decided",
            Self::Trail(_) => "trail",
            Self::Proposed(_) => "proposed",
            Self::Proposals(_) => "proposals",
            Self::Approved(_) => "approved",
            Self::Narrowed => "narrowed",
            Self::Issued => "issued",
            Self::MeetsSaid => "meets-said",
            Self::Founded => "founded",
            Self::SessionOpened { .. } => "session-opened",
            Self::PasskeyAsked(_) => "passkey-asked",
            Self::Devices(_) => "devices",
            Self::TakenAgain => "withdrawal-taken-again",
            Self::Reconciling(_) => "reconciling",
            Self::Restored => "restored",
            Self::Forgot => "accounts-erased",
            Self::AdviserKey(_) => "adviser-key",
            Self::ItemSealed { .. } => "item-sealed",
            Self::AdviceArranged { .. } => "advice-arranged",
            Self::WaitingItems(_) => "waiting-items",
            Self::ItemCollected { .. } => "item-collected",
            Self::ItemDestroyed => "item-destroyed",
            Self::Links(_) => "links",
            Self::LinkDecided { state, .. } => state.code(),
            Self::Access(seen, _) => seen.told,
            Self::AccessList(_) => "subject-access-list",
            Self::AccessReport(..) => "subject-access-report",
            Self::TransferAsked { .. } => "transfer-waits",
            Self::HandedOver(_) => "transferred",
            Self::TakenBack(_) => "taken-back",
            Self::MovedOn => "moved-on",
            Self::PassedOn(_) => "passed-on",
            Self::HandedBack(_) => "handed-back",
            Self::FollowedUp { .. } => "emergency-followed-up",
            Self::Emergencies(_) => "emergencies",
        }
    }

    /// Whether it says something that is stored about a person. None of these leaves while
    /// withdrawals are being collected ([`super::restoration`]).
    pub const fn tells_of_a_person(&self) -> bool {
        match self {
            Self::Released(..)
            | Self::Assessments(..)
            | Self::AssessmentExists { .. }
            | Self::ItemAnswers(..)
            | Self::OwnAssessments(..)
            | Self::Emergency(..)
            | Self::Status(_)
            | Self::Sent(_)
            | Self::Inbox(_)
            | Self::Events(_)
            | Self::Report(_)
            | Self::ReliedOn
            | Self::Consent(_)
            | Self::AdviceArranged { .. }
            | Self::WaitingItems(_)
            | Self::Links(_)
            | Self::ConsentsDue(_)
            | Self::AccessList(_)
            | Self::AccessReport(..)
            | Self::HandedOver(_)
            | Self::TakenBack(_)
            | Self::PassedOn(_)
            | Self::ItemCollected { .. } => true,
            Self::Access(seen, _) => seen.tells(),
            Self::Refused(_)
            | Self::Nothing
            | Self::Checked { .. }
            | Self::Replayed { .. }
            | Self::Offered(_)
            | Self::DeclinedByVictim
            | Self::Answered { .. }
            | Self::Noted { .. }
            | Self::Updated { .. }
            | Self::Screened { .. }
            | Self::Held(_)
            | Self::SaidWrong
            | Self::Consented { .. }
            | Self::Withdrawn { .. }
            | Self::TookWord { .. }
            | Self::PauseSettled { .. }
            | Self::StopUseAnswered { .. }
            | Self::CardIssued(_)
            | Self::Assessed { .. }
            | Self::AssessmentWithdrawn
            | Self::Entries(_)
            | Self::Figures(_)
            | Self::Queue(_)
            | Self::QueueItem(..)
            | Self::Flagged
            | Self::SealOpened(_)
            | Self::Watched
            | Self::QueueDecided
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
            | Self::Forgot
            | Self::AdviserKey(_)
            | Self::ItemSealed { .. }
            | Self::LinkDecided { .. }
            | Self::TransferAsked { .. }
            | Self::HandedBack(_)
            | Self::MovedOn
            | Self::FollowedUp { .. }
            | Self::Emergencies(_)
            | Self::ItemDestroyed => false,
        }
    }

    /// The parts that the firewall let through and the store may now open.
    pub fn parts(&self) -> &[PartRef] {
        match self {
            Self::Released(_, release)
            | Self::Assessments(_, release)
            | Self::OwnAssessments(_, release)
            | Self::ItemAnswers(_, release)
            | Self::Emergency(_, _, release)
            | Self::Access(_, Some(release))
            | Self::AccessReport(_, release)
            | Self::ItemCollected { release, .. } => &release.value().parts,
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
            | Self::ReliedOn
            | Self::Entries(_)
            | Self::Report(_)
            | Self::Figures(_)
            | Self::Queue(_)
            | Self::QueueItem(..)
            | Self::Flagged
            | Self::SealOpened(_)
            | Self::Watched
            | Self::QueueDecided
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
            | Self::Forgot
            | Self::AdviserKey(_)
            | Self::ItemSealed { .. }
            | Self::AdviceArranged { .. }
            | Self::WaitingItems(_)
            | Self::Links(_)
            | Self::LinkDecided { .. }
            | Self::Access(_, None)
            | Self::AccessList(_)
            | Self::TransferAsked { .. }
            | Self::HandedOver(_)
            | Self::TakenBack(_)
            | Self::MovedOn
            | Self::PassedOn(_)
            | Self::HandedBack(_)
            | Self::FollowedUp { .. }
            | Self::Emergencies(_)
            | Self::ItemDestroyed => &[],
        }
    }
}
