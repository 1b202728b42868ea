//! How she consents, and who speaks for her. Closed lists, like all codes.

use borsh::{BorshDeserialize, BorshSerialize};

codes!(
    /// How far a consent to earlier assessments reaches, each step with all before it: that one
    /// exists, what a card says of it, every answer.
    ConsentDepth { Exists = "exists", Cards = "cards", Answers = "answers" }
);

codes!(ConsentDecision { Permit = "permit", Deny = "deny" });

codes!(
    /// How firmly consent was given. Implied serves only between health bodies.
    ConsentStrength { Explicit = "explicit", Implied = "implied" }
);

codes!(
    ConsentHow { Spoken = "spoken", Written = "written", Bsl = "bsl", Digital = "digital" }
);

codes!(
    GivenBy { Herself = "self", ParentGuardian = "parent_guardian", LpaDeputy = "lpa_deputy" }
);

codes!(
    Interpreter { None = "none", Professional = "professional", Family = "family" }
);

codes!(
    /// Whose word it can be. A child who understands speaks for herself (Gillick); for another one a
    /// parent does, never one whom it is to be kept safe from.
    Competence {
        Adult = "adult",
        GillickCompetent = "gillick_competent",
        ParentForChild = "parent_for_child",
    }
);

codes!(
    /// Who speaks for a child that cannot.
    Parent {
        Mother = "mother",
        Father = "father",
        Guardian = "guardian",
        LocalAuthority = "local_authority",
    }
);

codes!(
    WithdrawalScope {
        Everything = "everything",
        Service = "service",
        Class = "class",
        Purpose = "purpose",
    }
);

codes!(
    /// What became of what a service was shown, after she withdrew.
    StopUseReply {
        Deleted = "deleted",
        /// Kept, and used for nothing.
        Restricted = "restricted",
        KeptByLaw = "kept_by_law",
        NotFound = "not_found",
    }
);

codes!(
    /// By which law something is kept although she withdrew.
    LawfulKeeping {
        ChildAtRisk = "child_at_risk",
        AdultAtRisk = "adult_at_risk",
        CourtOrder = "court_order",
        CrimeInvestigation = "crime_investigation",
        LegalClaim = "legal_claim",
        HealthRecord = "health_record",
        OtherDuty = "other_duty",
    }
);
