//! What is said after an emergency. Closed lists, like all codes: there is no place for words about
//! her under nobody's record.

use borsh::{BorshDeserialize, BorshSerialize};

codes!(
    /// What was done, with what was shown or without anything.
    EmergencyAct {
        CalledSafePerson = "called_safe_person",
        CalledService = "called_service",
        /// Somebody was not told, or not let in.
        KeptSomebodyAway = "kept_somebody_away",
        ToldSafeguardingLead = "told_safeguarding_lead",
        ProtectedChild = "protected_child",
        CalledPolice = "called_police",
        GaveHelpline = "gave_helpline",
        Other = "other",
        /// Alone, or not at all.
        Nothing = "nothing",
    }
);

codes!(
    /// Whether she agrees now, as she was asked afterwards. It is no record of her consent.
    AskedAfterwards {
        Agrees = "agrees",
        Refuses = "refuses",
        /// She still cannot say.
        CannotSay = "cannot_say",
        NotAsked = "not_asked",
    }
);
