//! How much of a log entry its reader sees (`domain.md` 3.5.6): one total function.
//!
//! The asking side, its IG officer included, sees who, why, what and the word that the asker was
//! told; never the true reason, the sources or the rule, from which it could tell what is held.
//! Who holds sees what was decided. Which other organisations are concerned is for the
//! independent reviewer alone.

use std::ops::Range;

use super::super::alias::{AliasKind, Aliases};
use super::super::codes::{Action, OrgKind};
use super::super::id::{Id, OrgId, TeamId};
use super::super::opening::{Decided, FirewallMark, Opening, Outcome, Part};
use super::super::refusal::Refusal;
use super::super::time::When;

/// Who reads the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    pub organisation: OrgId,
    pub kind: OrgKind,
    /// Her own team is tainted, or has not attested in time.
    pub tainted: bool,
}

/// Which entries a reader sees at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Every entry.
    All,
    /// Those of her own organisation's staff and of the operator's, and of others that concern it.
    OwnAndConcerned,
    /// Those of her own organisation's staff and of the operator's.
    Own,
}

impl Viewer {
    /// IG officers of health and voluntary bodies see accesses by others to the people that they
    /// serve; those of other bodies, and of tainted teams, see their own staff's entries and coded
    /// alerts, nothing of what others did.
    pub const fn reach(&self) -> Reach {
        match self.kind {
            OrgKind::Reviewer => Reach::All,
            _ if self.tainted => Reach::Own,
            OrgKind::NhsTrust
            | OrgKind::NhsGp
            | OrgKind::Sarc
            | OrgKind::VoluntaryGeneric
            | OrgKind::VoluntarySpecialist
            | OrgKind::ByAndFor
            | OrgKind::Refuge => Reach::OwnAndConcerned,
            OrgKind::Police
            | OrgKind::Icb
            | OrgKind::LocalAuthority
            | OrgKind::Court
            | OrgKind::Cafcass
            | OrgKind::Cps
            | OrgKind::Wcu
            | OrgKind::Probation
            | OrgKind::LegalAdviser
            | OrgKind::Commissioner
            | OrgKind::Operator => Reach::Own,
        }
    }
}

/// A reading of the log that was permitted: which entries, by whom, and which of them to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub indices: Vec<u64>,
    pub viewer: Viewer,
    pub filter: Filter,
}

/// A stretch of the log that may be counted for a reader, as far as she may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub within: Range<u64>,
    pub viewer: Viewer,
}

/// From which side an entry is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Her own organisation's worker asked.
    Asking,
    /// Her own organisation is concerned by what another did.
    Holding,
    /// The operator's staff or the gateway itself: seen by every organisation.
    Operator,
    /// The independent reviewer.
    Reviewer,
}

impl Side {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Holding => "holding",
            Self::Operator => "operator",
            Self::Reviewer => "reviewer",
        }
    }

    /// The parts of an entry that may be handed out in checkable form. Who holds is not given what
    /// was asked, which has the asker's own ids, nor what was decided, which names others; both are
    /// told in [`VisibleEntry`], under the reader's own names.
    pub const fn parts(self) -> &'static [Part] {
        match self {
            Self::Asking => &[Part::Who, Part::Why, Part::What],
            Self::Holding | Self::Operator => &[Part::Who, Part::Why],
            Self::Reviewer => &Part::ALL,
        }
    }
}

/// An organisation as the reader may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SomeOrganisation {
    Named(OrgId),
    /// Another one, which she is not to know (F7).
    Hidden,
}

impl SomeOrganisation {
    pub fn text(&self) -> &str {
        match self {
            Self::Named(id) => id.as_str(),
            Self::Hidden => "a specialist service",
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisibleOutcome {
    Permit,
    Deny,
    Empty,
    Error,
}

impl VisibleOutcome {
    pub const ALL: [Self; 4] = [Self::Permit, Self::Deny, Self::Empty, Self::Error];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Deny => "deny",
            Self::Empty => "empty",
            Self::Error => "error",
        }
    }

    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// As the asker could tell, from the word alone: an offer that went nowhere was "offered".
    fn told(word: &str) -> Self {
        if Refusal::is_code(word) {
            Self::Deny
        } else if word == "nothing-to-show" {
            Self::Empty
        } else {
            Self::Permit
        }
    }

    const fn true_one(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Permit => Self::Permit,
            Outcome::Deny => Self::Deny,
            Outcome::Empty => Self::Empty,
            Outcome::Error => Self::Error,
        }
    }
}

/// A log entry, as far as its reader may see it. Like the entry, it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct VisibleEntry {
    pub side: Side,
    pub organisation: SomeOrganisation,
    pub team: TeamId,
    pub user: String,
    pub role: String,
    /// SHA-256 of the certificate's public key.
    pub certificate: [u8; 32],
    /// Asserted by a system, as against shown by the person's own certificate.
    pub asserted: bool,
    pub purpose: String,
    pub reason: Option<String>,
    pub action: String,
    /// The thing concerned, under the reader's own organisation's name for it.
    pub object: Option<Id>,
    pub asked: Vec<String>,
    /// The word that the asker was told.
    pub told: String,
    pub outcome: VisibleOutcome,
    /// For the holding side and the reviewer.
    pub decided: Option<VisibleDecision>,
}

/// What was found and decided. Like the entry, it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct VisibleDecision {
    /// The policies that decided.
    pub rule: String,
    /// SHA-256 of the policy set.
    pub policy: [u8; 32],
    /// The person, under a name that only this organisation's readers see.
    pub person: Option<Id>,
    pub consents: Vec<Id>,
    pub basis: Option<String>,
    pub relationship: Option<String>,
    pub firewall: Option<FirewallMark>,
    pub disclosed: Vec<String>,
    pub concerned: Vec<SomeOrganisation>,
    pub sources: u16,
    pub notes: Vec<String>,
}

/// The side from which `viewer` sees the entry; `None` if she does not see it at all.
///
/// That an organisation is concerned was settled when the entry was made, by its relationship to
/// the person at that time.
fn side(viewer: &Viewer, opening: &Opening) -> Option<Side> {
    let reach = viewer.reach();
    if reach == Reach::All {
        return Some(Side::Reviewer);
    }
    if opening.who.organisation == viewer.organisation {
        return Some(Side::Asking);
    }
    let concerned = opening.decided.concerned.contains(&viewer.organisation);
    if concerned && reach == Reach::OwnAndConcerned {
        return Some(Side::Holding);
    }
    let operators = opening.decided.notes.iter().any(|note| note == OPERATOR);
    operators.then_some(Side::Operator)
}

/// The note that marks an entry of the operator's own staff or of the gateway.
pub const OPERATOR: &str = "operator";

/// What `viewer` sees of an entry, under her own organisation's names. Total: every entry, every
/// viewer.
pub fn visible(viewer: &Viewer, aliases: &Aliases, opening: &Opening) -> Option<VisibleEntry> {
    let side = side(viewer, opening)?;
    let Opening {
        who,
        why,
        what,
        decided,
        salts: _,
        request_salt: _,
    } = opening;
    let sees_decision = match side {
        Side::Asking | Side::Operator => false,
        Side::Holding | Side::Reviewer => true,
    };
    // The asker's organisation gets the name it used itself, and no other organisation does (P7).
    let object = match side {
        Side::Asking => what.object,
        Side::Operator => None,
        Side::Holding | Side::Reviewer => decided
            .object
            .map(|id| aliases.outward(alias_kind(&what.action), id)),
    };
    Some(VisibleEntry {
        side,
        organisation: SomeOrganisation::Named(who.organisation.clone()),
        team: who.team.clone(),
        user: who.user.clone(),
        role: who.role.clone(),
        certificate: who.certificate,
        asserted: who.asserted,
        purpose: why.purpose.clone(),
        reason: why.reason.clone(),
        action: what.action.clone(),
        object,
        asked: what.asked.clone(),
        told: decided.told.clone(),
        outcome: if sees_decision {
            VisibleOutcome::true_one(decided.outcome)
        } else {
            VisibleOutcome::told(&decided.told)
        },
        decided: sees_decision.then(|| decision(viewer, side, aliases, decided)),
    })
}

fn decision(viewer: &Viewer, side: Side, aliases: &Aliases, decided: &Decided) -> VisibleDecision {
    let own = &viewer.organisation;
    let named = |organisation: &OrgId| {
        if side == Side::Reviewer || organisation == own {
            SomeOrganisation::Named(organisation.clone())
        } else {
            SomeOrganisation::Hidden
        }
    };
    let person = decided.subject.map(Id::from_bytes);
    VisibleDecision {
        rule: decided.rule.clone(),
        policy: decided.policy,
        person: person.map(|id| aliases.outward(AliasKind::LogSubject, id)),
        consents: decided
            .consents
            .iter()
            .map(|id| aliases.outward(AliasKind::Consent, *id))
            .collect(),
        basis: decided.basis.clone(),
        relationship: decided.relationship.clone(),
        firewall: decided.firewall.clone(),
        disclosed: decided.disclosed.clone(),
        concerned: decided.concerned.iter().map(named).collect(),
        sources: decided.sources,
        notes: decided.notes.clone(),
    }
}

/// What the object of an action is, so that it reads as the reader's own name for it.
fn alias_kind(action: &str) -> AliasKind {
    let Some(action) = Action::parse(action) else {
        return AliasKind::Entry;
    };
    match action {
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
        | Action::UpdateReferral
        | Action::TransferReferral
        | Action::ReadEvents => AliasKind::Referral,
        Action::RecordConsent | Action::WithdrawConsent | Action::ReadConsents => {
            AliasKind::Consent
        }
        Action::Withdraw | Action::IssueCard => AliasKind::Person,
        Action::SettleWithdrawal => AliasKind::Withdrawal,
        Action::AnswerStopUse => AliasKind::StopUse,
        Action::RecordAssessment
        | Action::QueryAssessments
        | Action::RelyOnAssessment
        | Action::WithdrawAssessment
        | Action::ReadOwnAssessments => AliasKind::Assessment,
        Action::Propose | Action::Approve | Action::ReadProposals => AliasKind::Proposal,
        Action::SealItem | Action::CollectItem => AliasKind::SealedItem,
        Action::ReadLinks | Action::ConfirmLink | Action::RejectLink => AliasKind::Link,
        Action::TakeSubjectAccess
        | Action::ReadSubjectAccess
        | Action::MoveSubjectAccess
        | Action::ReplySubjectAccess
        | Action::RedactSubjectAccess
        | Action::DeliverSubjectAccess => AliasKind::SubjectAccess,
        Action::FollowUpEmergency => AliasKind::Emergency,
        Action::KeepDraft | Action::OpenDraft | Action::EraseDraft => AliasKind::Draft,
        Action::ScreenText
        | Action::BreakGlass
        | Action::ReadAudit
        | Action::ReadReturn
        | Action::ReadAuditSubject
        | Action::ReportSubject
        | Action::ReadAuditQueue
        | Action::DecideAuditItem
        | Action::FlagPerson
        | Action::OpenSeal
        | Action::Narrow
        | Action::SecondFactor
        | Action::ReadDevices
        | Action::AddDevice
        | Action::RemoveDevice
        | Action::Reconcile
        | Action::Unknown => AliasKind::Entry,
    }
}

/// What the reader looks for. It is put to what she sees, never to what is hidden from her.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A user of her own organisation.
    pub user: Option<String>,
    pub action: Option<Action>,
    pub outcome: Option<VisibleOutcome>,
    pub purpose: Option<String>,
    pub from: Option<When>,
    /// Exclusive.
    pub to: Option<When>,
    /// Whose worker asked.
    pub organisation: Option<OrgId>,
    /// A person under the name by which the reader's entries call her. It settles which list is
    /// read; nothing else is looked at.
    pub person: Option<Id>,
    /// Only users asserted by a system, or only proved persons.
    pub asserted: Option<bool>,
    /// With each entry its proof, and the parts of it that this reader may open.
    pub evidence: bool,
}

impl Filter {
    /// Whether an entry is kept whose account is erased: by its time, and only if nothing is asked
    /// that the account would have to answer. A user's entries are named by a list of her own,
    /// unless the viewer reads all there are.
    pub fn keeps_erased(&self, viewer: &Viewer, at: When) -> bool {
        let named = self.user.is_none() || viewer.reach() != Reach::All;
        let asks = self.action.is_some() || self.outcome.is_some() || self.purpose.is_some();
        named && !asks && self.holds(at)
    }

    fn holds(&self, at: When) -> bool {
        self.from.is_none_or(|from| from.coarse() <= at) && self.to.is_none_or(|to| at < to)
    }

    pub fn keeps(&self, at: When, entry: &VisibleEntry) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        is(&self.user, &entry.user)
            && (self.user.is_none() || matches!(entry.side, Side::Asking | Side::Reviewer))
            && is(&self.purpose, &entry.purpose)
            && self
                .organisation
                .as_ref()
                .is_none_or(|wanted| entry.organisation == SomeOrganisation::Named(wanted.clone()))
            && self.asserted.is_none_or(|wanted| wanted == entry.asserted)
            && self
                .action
                .is_none_or(|wanted| wanted.code() == entry.action)
            && self.outcome.is_none_or(|wanted| wanted == entry.outcome)
            && self.holds(at)
    }
}

#[cfg(test)]
mod tests;
