//! Asks Cedar whether an attempt is permitted. Fails closed.
//!
//! The rules are files (`policies/`), loaded by [`Policies`]; this module says what they may look
//! at, asks, and words a refusal. It never permits anything by itself: an error of any kind is a
//! refusal, and the wording of a refusal has no say in the decision.

mod cedar;
mod denial;
mod load;
pub mod proof;
mod vocabulary;

pub use denial::{Denied, DeniedWhy};
pub use load::{BadPolicies, PROOF_NAME, Policies, SCHEMA_NAME, Unproved, set_hash};
pub use vocabulary::beyond_the_firewall;

use super::codes::{
    Action, Article6, ConsentDepth, ConsentStrength, DataClass, OffenceGroup, OrgKind, Purpose,
    Role,
};
use super::id::{OrgId, TeamId};

/// Who asks, as the certificate and the store say.
#[derive(Clone, Debug)]
pub struct Actor {
    pub organisation: OrgId,
    pub kind: OrgKind,
    /// Enrolled, not suspended.
    pub active: bool,
    pub team: TeamId,
    /// The team is tainted or its attestation has lapsed (F3, F13).
    pub tainted: bool,
    pub role: Role,
    /// The role is among those this certificate or user may use.
    pub role_assertable: bool,
    /// A person's certificate, as against a system's assertion.
    pub person_certificate: bool,
    pub second_factor: bool,
    /// A sharing agreement of this organisation is in date.
    pub agreement_in_date: bool,
}

/// Who ends up holding what flows. For a read it is the actor's own team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub organisation: OrgId,
    pub kind: OrgKind,
    pub active: bool,
    pub tainted: bool,
    pub agreement_in_date: bool,
}

/// What ties the asking side to the person, in the order of strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relationship {
    None,
    /// It sent the referral.
    Sender,
    /// The referral was offered to its service and is not yet accepted.
    OfferedTo,
    /// It accepted, but made the relationship alone (sender = acceptor, self, family): opens
    /// nothing of other organisations (P11).
    AcceptedOwn,
    /// It accepted a referral that another organisation made.
    AcceptedFromAnother,
}

impl Relationship {
    pub const ALL: &'static [Self] = &[
        Self::None,
        Self::Sender,
        Self::OfferedTo,
        Self::AcceptedOwn,
        Self::AcceptedFromAnother,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sender => "sender",
            Self::OfferedTo => "offered_to",
            Self::AcceptedOwn => "accepted_own",
            Self::AcceptedFromAnother => "accepted_from_another",
        }
    }
}

/// The consent that would cover this flow, with everything about its life already reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsentState {
    pub strength: ConsentStrength,
    /// In date, not withdrawn, not denied, and newer than every tombstone.
    pub live: bool,
    /// Its scope names this recipient (or its family of services), these classes, this purpose.
    pub covers: bool,
    /// Recorded by an organisation other than the actor's (the source's share-consent, P11).
    pub from_another: bool,
    /// How far it reaches into earlier assessments; `None` reaches none of them.
    pub depth: Option<ConsentDepth>,
}

impl ConsentState {
    /// For a flow that brings no consent of its own (it rests on another basis) while a tombstone
    /// of hers names its recipient: her no stands. It is weak in every other point, so that an
    /// offer that lacked consent anyway is worded as if nothing were stored about her.
    pub const WITHDRAWN: Self = Self {
        strength: ConsentStrength::Implied,
        live: false,
        covers: false,
        from_another: false,
        depth: None,
    };

    /// The steps of a question about earlier assessments that it reaches.
    fn steps(&self) -> impl Iterator<Item = ConsentDepth> + use<> {
        let depth = self.depth;
        let all = ConsentDepth::ALL.iter().copied();
        all.filter(move |step| depth.is_some_and(|depth| *step <= depth))
    }
}

/// Everything policy may look at. Values only; the gateway puts them in from facts it read.
#[derive(Clone, Debug)]
pub struct Ask {
    pub action: Action,
    pub purpose: Purpose,
    pub actor: Actor,
    /// The organisation in the client certificate; must be the actor's.
    pub certificate_organisation: OrgId,
    pub recipient: Recipient,
    /// The kind of body that the data come from: the sender of the referral that is accepted or
    /// read, the source of the assessment. `None` where the actor gives (an offer). Implied consent
    /// and the article 6 basis are judged by it.
    pub giver: Option<OrgKind>,
    /// The classes about to flow to the recipient (or be written). What is not named here is
    /// dropped by the firewall, whatever the table says.
    pub classes: Vec<DataClass>,
    /// Everything that flows was supplied by the recipient's own organisation, about this person.
    pub own: bool,
    pub relationship: Relationship,
    pub offence: Option<OffenceGroup>,
    pub basis: Option<Article6>,
    /// The consent of the asking side (an offer's own consent; a query's query-consent).
    pub consent: Option<ConsentState>,
    /// For prior assessments: the share-consent recorded with the source.
    pub source_consent: Option<ConsentState>,
    /// How far a question about prior assessments goes; `None` for everything else.
    pub step: Option<ConsentDepth>,
    /// For such a question: more than a name and a date of birth say that the source's record is of
    /// her (or the source said so).
    pub identity_sure: bool,
    /// For break-glass: reason given, confirmed, and on shift. For an update to police: life is
    /// at risk.
    pub emergency_confirmed: bool,
    /// For an approval: the organisation that proposed.
    pub proposer: Option<OrgId>,
}

impl Ask {
    fn giver_kind(&self) -> OrgKind {
        self.giver.unwrap_or(self.actor.kind)
    }

    fn basis_open_to_giver(&self) -> bool {
        self.basis
            .is_some_and(|basis| basis.open_to(self.giver_kind()))
    }

    /// Whether her consent serves for the parts that need it, beyond what permitted the action.
    fn consented(&self) -> bool {
        let between_health = self.giver_kind().is_health() && self.recipient.kind.is_health();
        let serves = |consent: Option<ConsentState>| {
            consent.is_some_and(|consent| {
                let firm = match consent.strength {
                    ConsentStrength::Explicit => true,
                    ConsentStrength::Implied => between_health,
                };
                consent.live && consent.covers && firm
            })
        };
        match self.action {
            Action::QueryAssessments => serves(self.consent) && serves(self.source_consent),
            Action::OfferReferral
            | Action::ReadReferralStatus
            | Action::ReadInbox
            | Action::AcceptReferral
            | Action::DeclineReferral
            | Action::WaitReferral
            | Action::CloseReferral
            | Action::HandBackReferral
            | Action::ReadReferral
            | Action::AddNote
            | Action::UpdateReferral | Action::TransferReferral
            | Action::ReadEvents
            | Action::ScreenText
            | Action::RecordConsent
            | Action::WithdrawConsent
            | Action::Withdraw
            | Action::RecordAssessment
            | Action::RelyOnAssessment
            | Action::BreakGlass
            | Action::FollowUpEmergency
            | Action::KeepDraft | Action::OpenDraft | Action::EraseDraft
            | Action::ReadReturn
            | Action::ReadAudit
            | Action::ReadAuditSubject
            | Action::ReportSubject
            | Action::ReadAuditQueue
            | Action::DecideAuditItem
            | Action::FlagPerson
            | Action::OpenSeal
            | Action::Propose
            | Action::Approve
            | Action::Narrow
            | Action::ReadProposals
            | Action::SecondFactor
            | Action::ReadDevices
            | Action::AddDevice
            | Action::RemoveDevice
            | Action::Reconcile
            // Her consent is inside the box, where only the two clients see it.
            | Action::SealItem
            | Action::CollectItem
            | Action::ReadLinks
            | Action::ConfirmLink
            | Action::RejectLink
            | Action::IssueCard
            | Action::SettleWithdrawal
            | Action::AnswerStopUse
            | Action::ReadConsents
            | Action::TakeSubjectAccess
            | Action::ReadSubjectAccess
            | Action::MoveSubjectAccess
            | Action::ReplySubjectAccess
            | Action::RedactSubjectAccess
            | Action::DeliverSubjectAccess
            | Action::WithdrawAssessment
            | Action::ReadOwnAssessments
            | Action::Unknown => serves(self.consent),
        }
    }
}

/// What the firewall needs to know of a permitted ask.
#[derive(Clone, Debug)]
pub(super) struct Grounds {
    pub(super) action: Action,
    pub(super) recipient: Recipient,
    /// The recipient is the asker's own organisation.
    pub(super) to_self: bool,
    pub(super) classes: Vec<DataClass>,
    /// Policy was asked about what the recipient itself supplied.
    pub(super) own: bool,
    pub(super) relationship: Relationship,
    /// A consent that is live, covers this flow and is firm enough between these two bodies.
    pub(super) consented: bool,
    pub(super) emergency: bool,
}

/// A value that some policy permits and none forbids, with its recipient. Only [`authorise`]
/// makes one; it stands for one event, so it is not `Clone`.
pub struct Permitted<T> {
    value: T,
    grounds: Grounds,
    rules: Vec<String>,
}

impl<T> Permitted<T> {
    /// The `@id`s of the policies that permitted, sorted; for the log.
    pub fn rules(&self) -> &[String] {
        &self.rules
    }

    pub fn recipient(&self) -> &Recipient {
        &self.grounds.recipient
    }

    pub(super) fn into_parts(self) -> (T, Grounds, Vec<String>) {
        (self.value, self.grounds, self.rules)
    }
}

/// Without the value, which may be about a person.
impl<T> std::fmt::Debug for Permitted<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permitted")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// Decides whether `value` may go on. Pure: the same policies and ask give the same answer.
///
/// # Errors
/// [`Denied`], when no policy permits, one forbids, or any policy could not be evaluated.
pub fn authorise<T>(policies: &Policies, ask: &Ask, value: T) -> Result<Permitted<T>, Denied> {
    let verdict = policies.ask(ask).map_err(|_| Denied::policy_failed())?;
    if !verdict.allowed {
        return Err(Denied {
            why: denial::diagnose(policies, ask),
            rules: verdict.rules,
        });
    }
    Ok(Permitted {
        value,
        grounds: Grounds {
            action: ask.action,
            recipient: ask.recipient.clone(),
            to_self: ask.recipient.organisation == ask.actor.organisation,
            classes: ask.classes.clone(),
            own: ask.own,
            relationship: ask.relationship,
            consented: ask.consented(),
            emergency: ask.emergency_confirmed,
        },
        rules: verdict.rules,
    })
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use tests::{any_ask, good_offer};
