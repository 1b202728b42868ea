//! Reasons and terms that those give who govern, audit and answer for what is held. Closed lists, like
//! all codes: what is not in them is refused.

use borsh::{BorshDeserialize, BorshSerialize};

codes!(
    /// Why something must be kept although she withdrew or its time is over.
    HoldReason {
        CourtOrder = "court_order",
        IcoOrder = "ico_order",
        SubjectAccess = "subject_access",
        PoliceInvestigation = "police_investigation",
        Litigation = "litigation",
        SafeguardingReview = "safeguarding_review",
    }
);

codes!(
    /// To whom the report about her is handed, always in person.
    HandedTo { Herself = "herself", HerSolicitor = "her_solicitor" }
);

codes!(
    /// Why the report names the workers who saw something (a balance that a person struck).
    StaffNamesReason {
        EssentialToHerRights = "essential_to_her_rights",
        StaffAgreed = "staff_agreed",
        Ordered = "ordered",
    }
);

codes!(
    /// Why an officer must know whom an entry of the log is about.
    SealReason {
        Misuse = "misuse",
        Complaint = "complaint",
        SafeguardingReview = "safeguarding_review",
        SubjectAccess = "subject_access",
        RegulatorOrder = "regulator_order",
    }
);

codes!(
    /// Why the glass is broken (`domain.md` 3.6).
    EmergencyReason {
        LifeAtRisk = "life_at_risk",
        CannotConsent = "cannot_consent_and_harm_likely",
        ChildAtRisk = "child_at_risk",
    }
);

codes!(
    /// Who holds identity and safe contact once a referral is accepted (`design.md` 6).
    Custody { Own = "own", Gateway = "gateway" }
);

codes!(
    /// Why its author says that a hold was wrong. There is no place for her words (F2).
    WrongHold {
        /// A word means something else here.
        EverydayWord = "everyday_word",
        /// It speaks of a service, not of her.
        AboutAService = "about_a_service",
        NameOrPlace = "name_or_place",
        OtherNumber = "other_number",
        ReadableLanguage = "readable_language",
        Other = "other",
    }
);
