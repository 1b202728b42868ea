//! A person's request for what is held about her: who asks, how it was proved, how it is answered.
//! Closed lists, like all codes.

use borsh::{BorshDeserialize, BorshSerialize};

codes!(
    /// Who asks.
    Requester {
        Herself = "herself",
        Solicitor = "solicitor",
        ParentGuardian = "parent_guardian",
        Deputy = "deputy",
    }
);

codes!(
    /// Whether she can ask for herself. A child who understands asks herself, or says that a parent
    /// may.
    Capacity {
        Adult = "adult",
        CompetentChild = "competent_child",
        ChildAgrees = "child_agrees",
        NotCompetent = "not_competent",
    }
);

codes!(
    /// What the worker saw of the right of someone who asks for her.
    Authority {
        WrittenAuthority = "written_authority_seen",
        CourtOrder = "court_order_seen",
        LastingPower = "lasting_power_seen",
        ParentalResponsibility = "parental_responsibility_seen",
    }
);

codes!(
    /// How it was proved that it is she who asks. Every way is safe: in person or by what only she
    /// knows; nothing is copied, and nothing is sent to or from where she lives.
    IdentityProof {
        KnownToWorker = "known_to_worker",
        PaperSeen = "paper_seen_in_person",
        SafeWord = "safe_word_given",
        AnswersChecked = "answers_checked_in_person",
        SolicitorConfirms = "solicitor_confirms",
    }
);

codes!(
    /// How she is given the report.
    Delivery {
        Collected = "collected_in_person",
        ReadAloud = "read_aloud",
        ToSolicitor = "to_solicitor",
        /// Only where she herself said, alone, that post is safe there.
        Posted = "posted_where_she_says",
    }
);

codes!(
    /// What happened with a request, each with its time.
    AccessStep {
        Received = "received",
        IdentityProved = "identity_proved",
        IdentityNotProved = "identity_not_proved",
        /// She was asked what she means; the clock stands still until she answers.
        ClarificationAsked = "clarification_asked",
        Clarified = "clarified",
        /// Two months more, with an explanation to her.
        MoreTime = "more_time",
        Refused = "refused",
        Delivered = "delivered",
    }
);

codes!(
    /// Why the clock stands still.
    PauseReason { Identity = "identity", Clarification = "clarification" }
);

codes!(
    MoreTimeReason { Complex = "complex", ManyRequests = "many_requests" }
);

codes!(
    /// Why a request is not answered.
    AccessRefusal {
        IdentityNotProved = "identity_not_proved",
        NotEntitled = "not_entitled",
        Unfounded = "manifestly_unfounded",
        Excessive = "excessive",
        SheTookItBack = "she_took_it_back",
    }
);

codes!(
    /// Where a request stands, or what is asked of one who holds something.
    AccessState {
        Asked = "asked",
        WaitingForIdentity = "waiting_for_identity",
        InHand = "in_hand",
        RepliesIn = "replies_in",
        Redaction = "redaction",
        Ready = "ready",
        Delivered = "delivered",
        Refused = "refused",
    }
);

codes!(
    /// What one who holds something says.
    ReplyCode {
        Holds = "holds",
        HoldsNothing = "holds_nothing",
        /// We asked her safely, and it was not she: nothing is handed over.
        SheDidNotAsk = "she_did_not_ask",
    }
);

codes!(
    /// What an entry of a reply is about.
    EntryAbout {
        CaseNotes = "case_notes",
        Health = "health",
        SocialWork = "social_work",
        Crime = "crime",
        /// Something was sealed for her legal adviser; only she is told so.
        SealedItem = "sealed_for_adviser",
        Other = "other",
    }
);

impl EntryAbout {
    /// Nobody withholds or shows it before a professional has judged whether it would harm her or
    /// somebody (DPA 2018 Schedule 3).
    pub const fn needs_a_professional(self) -> bool {
        match self {
            Self::Health | Self::SocialWork => true,
            Self::CaseNotes | Self::Crime | Self::SealedItem | Self::Other => false,
        }
    }
}

codes!(
    /// Why an entry is left out of what she is given.
    Withheld {
        Informant = "third_party_informant",
        ChildsWords = "childs_words",
        OtherParty = "other_party",
        OtherPerson = "other_person",
        SeriousHarm = "serious_harm",
        CrimePrejudice = "crime_prejudice",
        LegalPrivilege = "legal_privilege",
    }
);

impl Withheld {
    /// It is about somebody else; what the others are is not told.
    pub const fn is_about_others(self) -> bool {
        match self {
            Self::Informant | Self::ChildsWords | Self::OtherParty | Self::OtherPerson => true,
            Self::SeriousHarm | Self::CrimePrejudice | Self::LegalPrivilege => false,
        }
    }
}
