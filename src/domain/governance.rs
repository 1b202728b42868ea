//! Who may change what (P11): what widens needs a second person of another organisation, what
//! narrows takes one person, at once.

use borsh::{BorshDeserialize, BorshSerialize};

use super::codes::{HoldReason, SealReason, Taint};
use super::id::{Id, OrgId, ProposalId, ReferralId, ServiceId, TeamId};
use super::organisation::{Agreement, Certificate, Organisation, Service, Team, TotpSecret};
use super::rulebook::Revision;
use super::time::When;

/// A proposal that nobody approves ends after this long.
pub const PROPOSAL_DAYS_MAX: i64 = 30;
/// Proposals of one organisation that may wait for approval at once.
pub const PROPOSALS_OPEN_MAX: usize = 50;

/// A change that lets more through. It takes effect only when approved.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Widening {
    Enrol(Organisation),
    AddTeam {
        organisation: OrgId,
        team: Team,
    },
    /// Says that a team hosts no immigration enforcement, or no longer.
    Attest {
        organisation: OrgId,
        team: TeamId,
        taint: Taint,
    },
    AddAgreement {
        organisation: OrgId,
        agreement: Agreement,
    },
    /// An organisation's first certificate, or one for a user who had none.
    AddCertificate {
        organisation: OrgId,
        certificate: Certificate,
        /// The second-factor secret of a user who has none.
        totp_secret: Option<TotpSecret>,
    },
    /// A new service, or one that takes referrals again.
    OpenService(Service),
    /// Lifts a suspension.
    Resume {
        organisation: OrgId,
    },
    /// After a restore: no longer waits for the withdrawals of an organisation that does not come.
    GoOnWithout {
        organisation: OrgId,
    },
    /// Sets or ends a legal hold. Neither shows anything to anyone; but what is held is not
    /// destroyed, which she was promised, so no one does it alone.
    Hold(Hold),
    /// Lets an officer learn once which of her own organisation's people a log entry is about.
    OpenSeal(SealOpening),
    /// Lifts the taint of a whole organisation. What its teams attest counts as before.
    LiftTaint {
        organisation: OrgId,
    },
    /// Puts another rulebook in force, whether it lets more through or less: who may judge that
    /// alone could undo what others agreed on (F10).
    Revise(Revision),
}

/// The seal on whom one log entry is about (3.5): nothing of identity is behind it, only the name
/// by which the officer's own organisation knows her, if it knows her at all.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealOpening {
    /// The proposer's own.
    pub organisation: OrgId,
    /// The index of the entry.
    pub entry: u64,
    pub reason: SealReason,
}

/// A legal hold on what a referral of the proposer's organisation carries.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Hold {
    pub organisation: OrgId,
    pub referral: ReferralId,
    pub change: HoldChange,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum HoldChange {
    Set {
        reason: HoldReason,
        /// When someone must look whether it is still needed.
        review_at: When,
    },
    /// What was removed meanwhile is destroyed by the next change of key.
    End,
}

/// A hold in force, as a fact of its referral.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct InForce {
    pub items: Vec<Id>,
    pub reason: HoldReason,
    pub review_at: When,
    pub set_at: When,
    pub proposed_by: OrgId,
}

impl Widening {
    /// A copy that may be shown: without the second-factor secret, which is only its user's.
    #[must_use]
    pub fn without_secret(&self) -> Self {
        let mut shown = self.clone();
        if let Self::AddCertificate { totp_secret, .. } = &mut shown {
            *totp_secret = None;
        }
        shown
    }

    /// The user that it is about, if it names one.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::AddCertificate { certificate, .. } => certificate.user.as_deref(),
            Self::Enrol(_)
            | Self::AddTeam { .. }
            | Self::Attest { .. }
            | Self::AddAgreement { .. }
            | Self::OpenService(_)
            | Self::Resume { .. }
            | Self::GoOnWithout { .. }
            | Self::LiftTaint { .. }
            | Self::Hold(_)
            | Self::OpenSeal(_)
            | Self::Revise(_) => None,
        }
    }

    /// The rulebook that it would put in force.
    pub const fn revision(&self) -> Option<&Revision> {
        match self {
            Self::Revise(revision) => Some(revision),
            Self::Enrol(_)
            | Self::AddTeam { .. }
            | Self::Attest { .. }
            | Self::AddAgreement { .. }
            | Self::AddCertificate { .. }
            | Self::OpenService(_)
            | Self::Resume { .. }
            | Self::GoOnWithout { .. }
            | Self::LiftTaint { .. }
            | Self::Hold(_)
            | Self::OpenSeal(_) => None,
        }
    }

    /// The hold that it sets or ends.
    pub const fn hold(&self) -> Option<&Hold> {
        match self {
            Self::Hold(hold) => Some(hold),
            Self::Enrol(_)
            | Self::AddTeam { .. }
            | Self::Attest { .. }
            | Self::AddAgreement { .. }
            | Self::AddCertificate { .. }
            | Self::OpenService(_)
            | Self::Resume { .. }
            | Self::GoOnWithout { .. }
            | Self::LiftTaint { .. }
            | Self::OpenSeal(_)
            | Self::Revise(_) => None,
        }
    }

    /// The seal that it opens.
    pub const fn seal(&self) -> Option<&SealOpening> {
        match self {
            Self::OpenSeal(seal) => Some(seal),
            Self::Enrol(_)
            | Self::AddTeam { .. }
            | Self::Attest { .. }
            | Self::AddAgreement { .. }
            | Self::AddCertificate { .. }
            | Self::OpenService(_)
            | Self::Resume { .. }
            | Self::GoOnWithout { .. }
            | Self::LiftTaint { .. }
            | Self::Hold(_)
            | Self::Revise(_) => None,
        }
    }

    /// The organisation that it is about.
    pub fn organisation(&self) -> &OrgId {
        match self {
            Self::Enrol(organisation) => &organisation.id,
            Self::AddTeam { organisation, .. }
            | Self::Attest { organisation, .. }
            | Self::AddAgreement { organisation, .. }
            | Self::AddCertificate { organisation, .. }
            | Self::Resume { organisation }
            | Self::LiftTaint { organisation }
            | Self::GoOnWithout { organisation } => organisation,
            Self::OpenService(service) => &service.organisation,
            Self::Hold(hold) => &hold.organisation,
            Self::OpenSeal(seal) => &seal.organisation,
            Self::Revise(revision) => &revision.organisation,
        }
    }

    pub const fn code(&self) -> &'static str {
        match self {
            Self::Enrol(_) => "enrol_organisation",
            Self::AddTeam { .. } => "add_team",
            Self::Attest { .. } => "attest_team",
            Self::AddAgreement { .. } => "add_agreement",
            Self::AddCertificate { .. } => "add_certificate",
            Self::OpenService(_) => "open_service",
            Self::Resume { .. } => "resume_organisation",
            Self::GoOnWithout { .. } => "go_on_without",
            Self::LiftTaint { .. } => "lift_taint",
            Self::OpenSeal(_) => "open_seal",
            Self::Revise(_) => "change_policy",
            Self::Hold(hold) => match hold.change {
                HoldChange::Set { .. } => "hold_referral",
                HoldChange::End => "end_hold",
            },
        }
    }
}

/// A change that lets less through. One person, at once, logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Narrowing {
    SuspendOrganisation {
        organisation: OrgId,
    },
    RevokeCertificate {
        organisation: OrgId,
        spki_sha256: [u8; 32],
    },
    TaintTeam {
        organisation: OrgId,
        team: TeamId,
        taint: Taint,
    },
    /// All its teams, now and later, until two people lift it.
    TaintOrganisation {
        organisation: OrgId,
        taint: Taint,
    },
    EndAgreement {
        organisation: OrgId,
        agreement: Id,
    },
    RemoveUser {
        organisation: OrgId,
        user: String,
    },
    CloseService {
        organisation: OrgId,
        service: ServiceId,
    },
}

impl Narrowing {
    /// The user that it is about, if it names one.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::RemoveUser { user, .. } => Some(user),
            Self::SuspendOrganisation { .. }
            | Self::RevokeCertificate { .. }
            | Self::TaintTeam { .. }
            | Self::TaintOrganisation { .. }
            | Self::EndAgreement { .. }
            | Self::CloseService { .. } => None,
        }
    }

    pub const fn organisation(&self) -> &OrgId {
        match self {
            Self::SuspendOrganisation { organisation }
            | Self::RevokeCertificate { organisation, .. }
            | Self::TaintTeam { organisation, .. }
            | Self::TaintOrganisation { organisation, .. }
            | Self::EndAgreement { organisation, .. }
            | Self::RemoveUser { organisation, .. }
            | Self::CloseService { organisation, .. } => organisation,
        }
    }

    pub const fn code(&self) -> &'static str {
        match self {
            Self::SuspendOrganisation { .. } => "suspend_organisation",
            Self::RevokeCertificate { .. } => "revoke_certificate",
            Self::TaintTeam { .. } => "taint_team",
            Self::TaintOrganisation { .. } => "taint_organisation",
            Self::EndAgreement { .. } => "end_agreement",
            Self::RemoveUser { .. } => "remove_user",
            Self::CloseService { .. } => "close_service",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    pub id: ProposalId,
    pub widening: Widening,
    pub proposed_by: OrgId,
    pub proposed_user: String,
    pub proposed_at: When,
    pub until: When,
    pub approved: Option<Approval>,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Approval {
    pub organisation: OrgId,
    pub user: String,
    pub at: When,
}

/// The people named at `init`, of two organisations, so that the first approval is possible.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Approvers {
    pub first: Vec<(OrgId, String)>,
    /// Independent reviewers: they see every red item (`domain.md` 3.10).
    pub reviewers: Vec<OrgId>,
}

impl Proposal {
    /// Neither approved nor ended.
    pub fn waits(&self, now: When) -> bool {
        self.approved.is_none() && now < self.until
    }
}
