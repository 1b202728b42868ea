//! What is said about an assessment beside its answers. Closed lists, like all codes.

use borsh::{BorshDeserialize, BorshSerialize};

codes!(
    /// Why a grade was judged as it was, beside the words of whoever judged.
    JudgementReason {
        ViolenceGrowing = "violence_growing",
        ThreatsToKill = "threats_to_kill",
        Strangulation = "strangulation",
        Weapons = "weapons",
        SexualViolence = "sexual_violence",
        StalkingOrContact = "stalking_or_contact",
        CoerciveControl = "coercive_control",
        SeparationOrLeaving = "separation_or_leaving",
        PregnancyOrBaby = "pregnancy_or_baby",
        ChildrenAtRisk = "children_at_risk",
        HerFear = "her_fear",
        Isolation = "isolation",
        RepeatIncidents = "repeat_incidents",
        OrderBroken = "order_broken",
        Suicidal = "suicidal",
        OtherPartySuicidal = "other_party_suicidal",
        MoreThanOneOtherParty = "more_than_one_other_party",
        /// What was seen is worse than what could be said.
        MoreThanWasSaid = "more_than_was_said",
        ProtectionInPlace = "protection_in_place",
    }
);

codes!(
    /// How one assessment takes the place of another of the same source.
    ReplaceHow {
        /// What was recorded was wrong.
        Correction = "correction",
        /// It was right, and she was assessed again.
        Reassessment = "reassessment",
    }
);

codes!(
    ReplaceReason {
        SlipOfThePen = "slip_of_the_pen",
        LeftOut = "left_out",
        SheCorrected = "she_corrected",
        WrongGrade = "wrong_grade",
        RiskChanged = "risk_changed",
        NeedsChanged = "needs_changed",
        ReviewDue = "review_due",
    }
);

codes!(
    /// Why an assessment should never have been there.
    WithdrawnBecause {
        WrongPerson = "wrong_person",
        RecordedTwice = "recorded_twice",
        NeverSaid = "never_said",
    }
);

codes!(
    /// Why a service graded otherwise than another that it was shown.
    DisagreementReason {
        SheToldMore = "she_told_more",
        ChangedSince = "changed_since",
        OtherTool = "other_tool",
        SpecialistKnowledge = "specialist_knowledge",
        SeenByUs = "seen_by_us",
        LanguageOrInterpreter = "language_or_interpreter",
        OtherPartyWasPresent = "other_party_was_present",
    }
);
