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
