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
