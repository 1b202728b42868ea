//! The closed code lists of the domain (`GET /v1/codes`). A code that is not here does not parse.
//!
//! There is deliberately no code for an immigration-enforcement organisation, for an immigration
//! purpose, or for anyone's immigration status.

use borsh::{BorshDeserialize, BorshSerialize};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize,
            BorshDeserialize,
        )]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            pub fn parse(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.code() == code)
            }
        }
    };
}

codes!(
    /// What kind of body an organisation is (`domain.md` 4.1). Decides its firewall row.
    OrgKind {
        Police = "police",
        NhsTrust = "nhs_trust",
        NhsGp = "nhs_gp",
        Icb = "icb",
        LocalAuthority = "local_authority",
        VoluntaryGeneric = "voluntary_generic",
        VoluntarySpecialist = "voluntary_specialist",
        ByAndFor = "by_and_for",
        Refuge = "refuge",
        Sarc = "sarc",
        Court = "court",
        Cafcass = "cafcass",
        Cps = "cps",
        Wcu = "wcu",
        Probation = "probation",
        LegalAdviser = "legal_adviser",
        Commissioner = "commissioner",
        Operator = "operator",
        Reviewer = "reviewer",
    }
);

impl OrgKind {
    /// Health bodies: between these, implied consent for direct care may serve.
    pub const fn is_health(self) -> bool {
        matches!(self, Self::NhsTrust | Self::NhsGp | Self::Sarc | Self::Icb)
    }

    /// Voluntary bodies may not rely on public task (`domain.md` 2.3).
    pub const fn is_voluntary(self) -> bool {
        matches!(
            self,
            Self::VoluntaryGeneric | Self::VoluntarySpecialist | Self::ByAndFor | Self::Refuge
        )
    }
}

codes!(
    /// Why a team may not be told (F3, F13). Anything but `none` is tainted.
    Taint {
        None = "none",
        HostsHomeOffice = "hosts_home_office",
        UsesNrpfConnect = "uses_nrpf_connect",
        OverseasVisitorTeam = "overseas_visitor_team",
        ImmigrationJointOp = "immigration_joint_op",
        Unattested = "unattested",
    }
);

codes!(
    /// What a user does. One request is made in one role.
    Role {
        Reviewer = "reviewer",
        Officer = "officer",
        VcopUnit = "vcop_unit",
        Triage = "triage",
        Adviser = "adviser",
        Clinician = "clinician",
        EdSenior = "ed_senior",
        SocialWorker = "social_worker",
        Housing = "housing",
        MaracCoordinator = "marac_coordinator",
        MaracMember = "marac_member",
        CourtOfficer = "court_officer",
        LegalAdviser = "legal_adviser",
        IgOfficer = "ig_officer",
        Caldicott = "caldicott",
        Dpo = "dpo",
        Analyst = "analyst",
        OrgAdmin = "org_admin",
        OperatorAdmin = "operator_admin",
    }
);

impl Role {
    /// Roles that always act under a person's own certificate and a second factor.
    pub const fn needs_person_certificate(self) -> bool {
        matches!(
            self,
            Self::IgOfficer | Self::Caldicott | Self::OperatorAdmin | Self::Reviewer
        )
    }
}

codes!(
    /// Why a request is made. There is no immigration purpose (F1).
    Purpose {
        Support = "support",
        SafetyPlanning = "safety_planning",
        OnwardReferral = "onward_referral",
        PriorAssessment = "prior_assessment",
        Marac = "marac",
        LegalAdvice = "legal_advice",
        CourtSupport = "court_support",
        Emergency = "emergency",
        Audit = "audit",
        Administration = "administration",
    }
);

codes!(
    /// The classes of data (`domain.md` 3.0.1). A sealed part holds exactly one.
    DataClass {
        /// Operational: reference, offence group, priority, borough, needs, dates.
        Op = "op",
        /// Identity: names, birth date, NHS number, crime reference, addresses.
        Id = "id",
        /// Location and safe contact. The highest lethality.
        Loc = "loc",
        /// Special category: health, religion, ethnicity, disability, risk answers.
        Sp = "sp",
        /// Immigration. Never delivered to anyone (P4).
        Im = "im",
        /// Immigration proxy: interpreter language, by-and-for preference.
        Ip = "ip",
        /// The other party.
        Perp = "perp",
        /// Free text: assume it holds every class above.
        Ft = "ft",
        /// Metadata: counts, times, sizes, counterparts.
        Met = "met",
        /// Sealed by one agency's client for another's; the gateway cannot read it
        /// ([`super::sealed_item`]).
        Sealed = "sealed",
    }
);

impl DataClass {
    /// No consent that the gateway holds opens these: one never moves, and of the other she says to
    /// whom inside the box.
    pub const fn no_consent_opens(self) -> bool {
        matches!(self, Self::Im | Self::Sealed)
    }
}

codes!(
    /// What is attempted. The same words name the Cedar action and the log entry.
    Action {
        OfferReferral = "offer_referral",
        ReadReferralStatus = "read_referral_status",
        ReadInbox = "read_inbox",
        AcceptReferral = "accept_referral",
        DeclineReferral = "decline_referral",
        WaitReferral = "wait_referral",
        CloseReferral = "close_referral",
        ReadReferral = "read_referral",
        AddNote = "add_note",
        UpdateReferral = "update_referral",
        ReadEvents = "read_events",
        ScreenText = "screen_text",
        RecordConsent = "record_consent",
        WithdrawConsent = "withdraw_consent",
        Withdraw = "withdraw",
        RecordAssessment = "record_assessment",
        QueryAssessments = "query_assessments",
        RelyOnAssessment = "rely_on_assessment",
        BreakGlass = "break_glass",
        ReadAudit = "read_audit",
        ReadAuditSubject = "read_audit_subject",
        ReadAuditQueue = "read_audit_queue",
        DecideAuditItem = "decide_audit_item",
        Propose = "propose",
        Approve = "approve",
        Narrow = "narrow",
        ReadProposals = "read_proposals",
        SecondFactor = "second_factor",
        /// A path or method that does not exist, an unreadable body, too many calls.
        Unknown = "unknown",
        /// Hands in withdrawals that a restored gateway has forgotten.
        Reconcile = "reconcile",
        /// The report that she asks for: what is held about her, and who was told what.
        ReportSubject = "report_subject",
        /// An organisation flags a person, so that its own workers' attempts about her are noticed.
        FlagPerson = "flag_person",
        /// Learns which of one's own people a log entry is about, with a second person's approval.
        OpenSeal = "open_seal",
        /// An agency's client hands in what it sealed to a legal adviser's.
        SealItem = "seal_item",
        /// The legal adviser's client fetches it, once; its sender sees that advice is arranged.
        CollectItem = "collect_item",
        /// What must be decided about records that may be of one of the caller's own people.
        ReadLinks = "read_links",
        /// Another record is of the same person as one's own.
        ConfirmLink = "confirm_link",
        /// It is not: before anything was linked, or after.
        RejectLink = "reject_link",
        /// Codes on a card of hers: to withdraw anywhere, and to let a service ask once.
        IssueCard = "issue_card",
        /// A pause becomes a withdrawal, or she was asked safely and it ends.
        SettleWithdrawal = "settle_withdrawal",
        /// Who was shown something says what became of it after she withdrew.
        AnswerStopUse = "answer_stop_use",
        /// One's own consents that are to be gone through with her again.
        ReadConsents = "read_consents",
        /// She asks, at any service, what is held about her.
        TakeSubjectAccess = "take_subject_access",
        /// What became of it, and what one's own organisation is asked for.
        ReadSubjectAccess = "read_subject_access",
        /// Identity is proved, she is asked what she means, it takes longer, it is refused.
        MoveSubjectAccess = "move_subject_access",
        /// Who holds something says what, in its own words.
        ReplySubjectAccess = "reply_subject_access",
        /// A second person looks at what is to be left out.
        RedactSubjectAccess = "redact_subject_access",
        /// The report is made for her and handed over.
        DeliverSubjectAccess = "deliver_subject_access",
        /// The service that works with her asks one in another area to take over.
        TransferReferral = "transfer_referral",
        /// An organisation takes back what it recorded of the wrong woman, twice or by mistake.
        WithdrawAssessment = "withdraw_assessment",
        /// An organisation reads its own assessments of a person, those that ended too.
        ReadOwnAssessments = "read_own_assessments",
        /// A senior says what was done after the glass was broken, or reads of what that is not said yet.
        FollowUpEmergency = "follow_up_emergency",
        /// A person looks at what she proves herself with.
        ReadDevices = "read_devices",
        /// Begins with one more, or shows that it works.
        AddDevice = "add_device",
        /// One of several goes.
        RemoveDevice = "remove_device",
        /// A service that accepted her finds that it knows her or the other party, and lets her go on.
        HandBackReferral = "hand_back_referral",
        /// Keeps a referral that is half filled in, for whoever fills it in.
        KeepDraft = "keep_draft",
        /// Finds it again: what one keeps, and what is in it.
        OpenDraft = "open_draft",
        /// Throws it away.
        EraseDraft = "erase_draft",
        /// What a quarter came to, for the commissioner of one's own services: counts.
        ReadReturn = "read_return",
    }
);

codes!(
    OffenceGroup {
        DomesticAbuse = "domestic_abuse",
        SexualOffence = "sexual_offence",
        CsaCse = "csa_cse",
        Stalking = "stalking",
        Harassment = "harassment",
        HonourBasedFmFgm = "honour_based_fm_fgm",
        ModernSlavery = "modern_slavery",
        HateCrime = "hate_crime",
        ViolenceInjury = "violence_injury",
        ViolenceNoInjury = "violence_no_injury",
        Robbery = "robbery",
        Burglary = "burglary",
        Theft = "theft",
        Vehicle = "vehicle",
        FraudCyber = "fraud_cyber",
        Asb = "asb",
        HomicideBereaved = "homicide_bereaved",
        RoadDeath = "road_death",
        Other = "other",
        NoneDisclosed = "none_disclosed",
    }
);

impl OffenceGroup {
    /// The Code passes details on only with explicit consent for domestic and sexual offences and
    /// bereaved relatives (DM:282); an unknown group counts as one of these (`domain.md` 3.0.6).
    pub const fn needs_explicit_consent(self) -> bool {
        match self {
            Self::DomesticAbuse
            | Self::SexualOffence
            | Self::CsaCse
            | Self::Stalking
            | Self::HonourBasedFmFgm
            | Self::ModernSlavery
            | Self::HomicideBereaved
            | Self::RoadDeath
            | Self::Other
            | Self::NoneDisclosed => true,
            Self::Harassment
            | Self::HateCrime
            | Self::ViolenceInjury
            | Self::ViolenceNoInjury
            | Self::Robbery
            | Self::Burglary
            | Self::Theft
            | Self::Vehicle
            | Self::FraudCyber
            | Self::Asb => false,
        }
    }

    /// Where the abuser may answer the phone, safe contact is mandatory.
    pub const fn needs_safe_contact(self) -> bool {
        matches!(
            self,
            Self::DomesticAbuse | Self::SexualOffence | Self::Stalking | Self::HonourBasedFmFgm
        )
    }
}

codes!(
    /// How the referral came about.
    Direction {
        SelfReferral = "self",
        Family = "family",
        Police = "police",
        Health = "health",
        LocalAuthority = "local_authority",
        Voluntary = "voluntary",
        Helpline = "helpline",
        ActionFraud = "action_fraud",
        Marac = "marac",
        Transfer = "transfer",
    }
);

codes!(
    PartyRole {
        Victim = "victim",
        Witness = "witness",
        BereavedRelative = "bereaved_relative",
        FamilySpokesperson = "family_spokesperson",
        ParentGuardian = "parent_guardian",
        ChildVictim = "child_victim",
    }
);

codes!(
    ReportedToPolice { Yes = "yes", No = "no", Declined = "declined", Unknown = "unknown" }
);

codes!(
    /// The Code's enhanced-rights groups; several may be true at once.
    PriorityCategory {
        MostSerious = "most_serious",
        PersistentlyTargeted = "persistently_targeted",
        Vulnerable = "vulnerable",
        Intimidated = "intimidated",
    }
);

codes!(
    Need {
        HousingSafe = "housing_safe",
        Emotional = "emotional",
        MhTalking = "mh_talking",
        MhClinical = "mh_clinical",
        LegalFamily = "legal_family",
        LegalCriminalCourt = "legal_criminal_court",
        LegalAdviceOther = "legal_advice_other",
        DebtBenefits = "debt_benefits",
        Substance = "substance",
        Health = "health",
        ChildSupport = "child_support",
        Employment = "employment",
        SafetyDevice = "safety_device",
        CourtSupport = "court_support",
        PretrialTherapy = "pretrial_therapy",
        Compensation = "compensation",
        Interpreter = "interpreter",
        Accessibility = "accessibility",
        PeerSupport = "peer_support",
        Restorative = "restorative",
    }
);

codes!(
    /// A preference about the worker's gender.
    WorkerGender { Any = "any", Woman = "woman", Man = "man" }
);

codes!(
    Instrument {
        SafelivesDash24 = "safelives_dash_24",
        Dash27 = "dash_27",
        Dara = "dara",
        MhCommon = "mh_common",
        NeedsStar = "needs_star",
        DashYe = "dash_ye",
        ProviderOwn = "provider_own",
    }
);

codes!(
    /// Why a service asked again although it was shown an assessment.
    ReassessReason {
        RiskChanged = "risk_changed",
        OutOfDate = "out_of_date",
        Incomplete = "incomplete",
        OtherTool = "other_tool",
        Disagree = "disagree",
        SheAsked = "she_asked",
    }
);

codes!(
    Grade { Standard = "standard", Medium = "medium", High = "high" }
);

codes!(
    GradeBasis {
        Score = "score",
        ProfessionalJudgement = "professional_judgement",
        Escalation = "escalation",
        SpecialistReview = "specialist_review",
    }
);

codes!(
    /// An answer to one question of an instrument; three ways of not knowing are kept apart.
    ItemAnswer { Yes = "yes", No = "no", Unknown = "unknown", Declined = "declined", NotAsked = "not_asked" }
);

codes!(
    DeclineReason {
        Full = "full",
        OutOfArea = "out_of_area",
        Gender = "gender",
        Age = "age",
        RiskTooHigh = "risk_too_high",
        RiskTooLow = "risk_too_low",
        Substance = "substance",
        MhThreshold = "mh_threshold",
        NoInterpreter = "no_interpreter",
        Access = "access",
        Conflict = "conflict",
        Unreachable = "unreachable",
        VictimDeclined = "victim_declined",
        Other = "other",
    }
);

codes!(
    /// Why a service that accepted her cannot keep her: the one reason that is seen only with a name.
    ConflictKind {
        KnowsHer = "knows_her",
        KnowsOtherParty = "knows_other_party",
        StaffRelated = "staff_related",
    }
);

codes!(
    CloseOutcome {
        TakeUp = "take_up",
        Safety = "safety",
        Wellbeing = "wellbeing",
        Housing = "housing",
        CjEngaged = "cj_engaged",
        NotReached = "not_reached",
        SheEnded = "she_ended",
        Other = "other",
    }
);

codes!(
    /// Where a referral stands, as the receiving side sees it.
    ReferralStatus {
        Offered = "offered",
        Waiting = "waiting",
        Accepted = "accepted",
        Declined = "declined",
        Closed = "closed",
        Withdrawn = "withdrawn",
        Expired = "expired",
    }
);

codes!(
    /// The three words a referrer sees (`domain.md` 3.0.6).
    SenderStatus { Recorded = "recorded", WithAService = "with_a_service", Closed = "closed" }
);

codes!(YesNoUnknown { Yes = "yes", No = "no", Unknown = "unknown" });

codes!(
    /// The five service families (DAC:689).
    ServiceFamily {
        Accommodation = "accommodation_based",
        Community = "community_based_and_recovery",
        OpenAccess = "open_access",
        BehaviourChange = "behaviour_change",
        Prevention = "prevention_awareness",
    }
);

codes!(
    /// GDPR Article 6 bases (`domain.md` 4.0).
    Article6 {
        Consent = "consent",
        LegalObligation = "legal_obligation",
        Vital = "vital",
        PublicTask = "public_task",
        RecognisedLi = "recognised_li",
        Legitimate = "legitimate",
    }
);

impl Article6 {
    /// A charity cannot pick public task (`domain.md` 2.3).
    pub const fn open_to(self, kind: OrgKind) -> bool {
        match self {
            Self::Consent | Self::Vital | Self::RecognisedLi | Self::LegalObligation => true,
            Self::PublicTask => !kind.is_voluntary() && !matches!(kind, OrgKind::LegalAdviser),
            Self::Legitimate => matches!(kind, OrgKind::LegalAdviser),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn immigration_enforcement_cannot_be_written_down() {
        for word in [
            "immigration_enforcement",
            "home_office",
            "border_force",
            "ukvi",
        ] {
            assert_eq!(OrgKind::parse(word), None);
            assert_eq!(Purpose::parse(word), None);
        }
        assert!(
            Purpose::ALL
                .iter()
                .all(|purpose| !purpose.code().contains("immigration"))
        );
    }

    #[test]
    fn codes_are_read_back_as_written() {
        for need in Need::ALL {
            assert_eq!(Need::parse(need.code()), Some(*need));
        }
        assert_eq!(Need::parse("nrpf"), None);
    }

    #[test]
    fn a_charity_cannot_pick_public_task() {
        assert!(!Article6::PublicTask.open_to(OrgKind::ByAndFor));
        assert!(Article6::PublicTask.open_to(OrgKind::Police));
    }
}

mod assessment;
mod consent;
mod emergency;
mod governance;
mod other_party;
mod subject_access;
mod transfer;
pub use assessment::{
    DisagreementReason, JudgementReason, ReplaceHow, ReplaceReason, WithdrawnBecause,
};
pub use consent::{
    Competence, ConsentDecision, ConsentDepth, ConsentHow, ConsentStrength, GivenBy, Interpreter,
    LawfulKeeping, Parent, StopUseReply, WithdrawalScope,
};
pub use emergency::{AskedAfterwards, EmergencyAct};
pub use governance::{
    Custody, EmergencyReason, HandedTo, HoldReason, SealReason, StaffNamesReason, WrongHold,
};
pub use other_party::{OtherPartyRisk, Relation};
pub use subject_access::{
    AccessRefusal, AccessState, AccessStep, Authority, Capacity, Delivery, EntryAbout,
    IdentityProof, MoreTimeReason, PauseReason, ReplyCode, Requester, Withheld,
};
pub use transfer::{Adjustment, TransferMode, UpdateCode};
