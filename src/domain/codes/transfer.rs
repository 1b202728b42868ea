//! How a service hands somebody over, what must be done so that she can take part, and what news there
//! is of her. Closed lists, like all codes.

use borsh::{BorshDeserialize, BorshSerialize};

codes!(
    /// What becomes of the work of the service that hands her over (`domain.md` 3.3).
    TransferMode {
        /// Its work ends when a service in the other area has accepted her.
        HandOver = "hand_over",
        /// Both work with her until a date, but never before somebody has accepted her.
        KeepBoth = "keep_both",
        /// Its work ends at once, whether or not anybody has accepted her.
        Close = "close",
    }
);

codes!(
    /// What a service does so that she can take part. It says nothing of why.
    Adjustment {
        StepFree = "step_free",
        SignLanguage = "sign_language",
        LipSpeaker = "lip_speaker",
        LargePrint = "large_print",
        EasyRead = "easy_read",
        SpeakSlowly = "speak_slowly",
        MoreTime = "more_time",
        QuietRoom = "quiet_room",
        Supporter = "supporter",
        AtHome = "at_home",
        ChildCare = "child_care",
    }
);

codes!(
    /// Updates both ways on a referral, closed codes only.
    UpdateCode {
        SafeContactChanged = "safe_contact_changed",
        StopCalling = "stop_calling",
        NewIncident = "new_incident",
        BailChanged = "bail_changed",
        RiskRaised = "risk_raised",
        WrongPerson = "wrong_person",
        CallUsAboutHerSafety = "call_us_about_her_safety",
        /// Call whoever sent this: what could not be written can be said.
        CallReferrer = "call_referrer",
    }
);
