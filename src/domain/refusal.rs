//! What a caller is refused, and the words for it (`domain.md` 3.0.5).
//!
//! Errors about the caller are exact. About a person there is only `nothing-to-show`, which is
//! not an error and is not in this list.

use super::firewall::hold::{Hold, WhyHeld};
use super::person::FieldError;
use super::time::When;
use super::witnessing::Lapse;

/// A reason that is the caller's to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    CertificateNotAccepted,
    AgreementExpired {
        ended: Option<When>,
    },
    OrganisationSuspended,
    RoleNotAllowed {
        role: &'static str,
    },
    PurposeNotAllowed {
        purpose: &'static str,
    },
    SecondFactorNeeded,
    /// What is wrong with the caller's own input, field by field.
    CheckYourAnswers(Vec<FieldError>),
    /// A field that no form has; `nationality` for one. The name, if it is a plain word.
    UnknownField {
        name: Option<String>,
    },
    MissingField {
        name: String,
    },
    /// Policies that are proposed do not load: every problem, each a sentence.
    PoliciesDoNotLoad(Vec<String>),
    ConsentNeeded,
    /// A deadline has passed or will pass, or something is refused to her: why, in words for her.
    ExplanationNeeded,
    /// A text is held, and nothing can go on without it: `handling=strict`, or a short answer that
    /// would be dangerous by halves.
    ImmigrationContentFound(Vec<Hold>),
    AlreadySent,
    AlreadyAnswered,
    /// A conflict that was found too late for a hand back.
    HandBackOver,
    ConfirmEmergency {
        told: Vec<String>,
        /// Her reason in words would be held, if it were kept.
        held: Vec<Hold>,
    },
    SlowDown {
        retry_after_s: u32,
    },
    /// A policy failed; nothing is permitted.
    PolicyFailed,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    NotJson,
    /// A file, or a form that could carry one (F12).
    NoAttachments,
    CrossSite,
    /// What was asked would let immigration enforcement in (F1).
    NotEnrollable,
    /// An approval needs a second person of another organisation (P11).
    SecondOrganisationNeeded,
    /// Withdrawals made since a copy are being collected; nothing is shown about anyone.
    Restoring {
        since: When,
    },
    /// Too long no quorum of witnesses has seen the log.
    Unwitnessed {
        lapse: Lapse,
        since: When,
    },
    /// The witnesses say that the gateway's clock is wrong.
    ClockOff,
}

/// After how long it is worth asking again for what the gateway itself holds back.
pub const HELD_BACK_RETRY_S: u32 = 300;

/// What to do instead of sending a file (F12), in every form in which one is refused.
pub const NO_ATTACHMENTS: &str = "Nothing here takes a file, a picture or a document. Put what the \
     service needs to know into the fields; once it has accepted, she or you can show it a document \
     in person.";

/// Every code of [`Refusal::code`].
const CODES: [&str; 27] = [
    "certificate-not-accepted",
    "agreement-expired",
    "organisation-suspended",
    "role-not-allowed",
    "purpose-not-allowed",
    "second-factor-needed",
    "check-your-answers",
    "consent-needed",
    "explanation-needed",
    "immigration-content-found",
    "already-sent",
    "already-answered",
    "hand-back-over",
    "confirm-emergency",
    "slow-down",
    "policy-failed",
    "route-absent",
    "method-not-allowed",
    "too-large",
    "not-json",
    "no-attachments",
    "cross-site",
    "not-enrollable",
    "second-organisation-needed",
    "restoring",
    "unwitnessed",
    "clock-off",
];

impl Refusal {
    /// The last part of the problem `type`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::CertificateNotAccepted => "certificate-not-accepted",
            Self::AgreementExpired { .. } => "agreement-expired",
            Self::OrganisationSuspended => "organisation-suspended",
            Self::RoleNotAllowed { .. } => "role-not-allowed",
            Self::PurposeNotAllowed { .. } => "purpose-not-allowed",
            Self::SecondFactorNeeded => "second-factor-needed",
            Self::CheckYourAnswers(_)
            | Self::UnknownField { .. }
            | Self::MissingField { .. }
            | Self::PoliciesDoNotLoad(_) => "check-your-answers",
            Self::ConsentNeeded => "consent-needed",
            Self::ExplanationNeeded => "explanation-needed",
            Self::ImmigrationContentFound(_) => "immigration-content-found",
            Self::AlreadySent => "already-sent",
            Self::AlreadyAnswered => "already-answered",
            Self::HandBackOver => "hand-back-over",
            Self::ConfirmEmergency { .. } => "confirm-emergency",
            Self::SlowDown { .. } => "slow-down",
            Self::PolicyFailed => "policy-failed",
            Self::NotFound => "route-absent",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::TooLarge => "too-large",
            Self::NotJson => "not-json",
            Self::NoAttachments => "no-attachments",
            Self::CrossSite => "cross-site",
            Self::NotEnrollable => "not-enrollable",
            Self::SecondOrganisationNeeded => "second-organisation-needed",
            Self::Restoring { .. } => "restoring",
            Self::Unwitnessed { .. } => "unwitnessed",
            Self::ClockOff => "clock-off",
        }
    }

    /// Whether a word of the log says that an attempt was refused.
    pub fn is_code(word: &str) -> bool {
        CODES.contains(&word)
    }

    /// Whether it is the gateway that cannot answer now. The same request may be made again, and
    /// says nothing about who made it.
    pub const fn is_of_gateway(&self) -> bool {
        matches!(
            self,
            Self::Restoring { .. } | Self::Unwitnessed { .. } | Self::ClockOff
        )
    }

    pub const fn status(&self) -> u16 {
        match self {
            Self::CertificateNotAccepted => 401,
            Self::AgreementExpired { .. }
            | Self::OrganisationSuspended
            | Self::RoleNotAllowed { .. }
            | Self::PurposeNotAllowed { .. }
            | Self::SecondFactorNeeded
            | Self::CrossSite
            | Self::PolicyFailed
            | Self::SecondOrganisationNeeded => 403,
            Self::CheckYourAnswers(_)
            | Self::UnknownField { .. }
            | Self::MissingField { .. }
            | Self::PoliciesDoNotLoad(_)
            | Self::ConsentNeeded
            | Self::ExplanationNeeded
            | Self::ImmigrationContentFound(_)
            | Self::AlreadySent
            | Self::NotEnrollable => 422,
            Self::AlreadyAnswered | Self::HandBackOver => 409,
            Self::ConfirmEmergency { .. } => 428,
            Self::SlowDown { .. } => 429,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::TooLarge => 413,
            Self::NotJson | Self::NoAttachments => 415,
            Self::Restoring { .. } | Self::Unwitnessed { .. } | Self::ClockOff => 503,
        }
    }

    /// One sentence for the person who reads it: what happened and what to do.
    pub fn detail(&self) -> String {
        match self {
            Self::CertificateNotAccepted => {
                "Your computer's certificate is out of date or not known. Call your \
                 organisation's administrator."
                    .to_owned()
            }
            Self::AgreementExpired { ended: Some(at) } => format!(
                "Your organisation's sharing agreement ended on {}.",
                at.rfc3339().get(..10).unwrap_or_default()
            ),
            Self::AgreementExpired { ended: None } => {
                "Your organisation has no sharing agreement yet.".to_owned()
            }
            Self::OrganisationSuspended => {
                "Your organisation is suspended. Call the operator.".to_owned()
            }
            Self::RoleNotAllowed { role } => {
                format!(
                    "The role '{role}' may not do this. Use a role that may, or ask a colleague."
                )
            }
            Self::PurposeNotAllowed { purpose } => {
                format!("The purpose '{purpose}' is not open to your role.")
            }
            Self::SecondFactorNeeded => {
                "Enter the six-digit code from your phone first (POST /v1/second-factor)."
                    .to_owned()
            }
            Self::PoliciesDoNotLoad(_) => {
                "These policies cannot be used. Each problem is listed.".to_owned()
            }
            Self::CheckYourAnswers(_) | Self::UnknownField { .. } | Self::MissingField { .. } => {
                "Some answers need another look. Each is listed with what to do.".to_owned()
            }
            Self::ConsentNeeded => "For this offence you must record her explicit consent, or \
                                    record that she declined."
                .to_owned(),
            Self::ExplanationNeeded => {
                "The deadline has passed or will pass, or you say no. Write \
                                        why, in plain words for her, and send it again."
                    .to_owned()
            }
            Self::ImmigrationContentFound(holds) => held_says(holds),
            Self::AlreadySent => "This Idempotency-Key was used with another body. Use a new key \
                                  for a new request."
                .to_owned(),
            Self::AlreadyAnswered => "This has already been answered.".to_owned(),
            Self::HandBackOver => {
                "You accepted her more than 24 hours ago, so you cannot hand her \
                                   back. Let nobody who knows her or the other party contact her. \
                                   Ask her whether another service may take over, and move her \
                                   there (transfer); the area may be the same."
                    .to_owned()
            }
            Self::ConfirmEmergency { .. } => "You are opening emergency information. You may not \
                                              pass it on for immigration purposes. Read who will \
                                              be told, then send the request again with \
                                              \"confirm\": true and \"onward_rule_accepted\": \
                                              true."
                .to_owned(),
            Self::SlowDown { retry_after_s } => {
                format!("Too many requests. Try again in {retry_after_s} seconds.")
            }
            Self::PolicyFailed => {
                "A sharing rule could not be evaluated, so nothing is permitted. Call the operator."
                    .to_owned()
            }
            Self::NotFound => "There is no such page or service here.".to_owned(),
            Self::MethodNotAllowed => "This address does not take that method.".to_owned(),
            Self::TooLarge => {
                "The request is larger than 256 KiB. Send less, or several requests.".to_owned()
            }
            Self::NotJson => "Send JSON with Content-Type: application/json.".to_owned(),
            Self::NoAttachments => NO_ATTACHMENTS.to_owned(),
            Self::CrossSite => "Requests from another site's pages are refused.".to_owned(),
            Self::NotEnrollable => "An organisation that enforces immigration law, or hosts those \
                                    who do, can not be enrolled."
                .to_owned(),
            Self::SecondOrganisationNeeded => {
                "A second person, of another organisation than the proposer's, must approve this."
                    .to_owned()
            }
            Self::Restoring { since } => format!(
                "The gateway was restored from a copy and is collecting withdrawals made since {}. \
                 Until then it shows nothing about anyone. If someone may be in danger, telephone.",
                since.rfc3339()
            ),
            Self::Unwitnessed { lapse, since } => {
                let held = match lapse {
                    Lapse::Whole | Lapse::Banner | Lapse::NoWidening => {
                        "Until they have, nobody can be enrolled and no rule can be changed."
                    }
                    Lapse::NoReads => {
                        "Until they have, no assessment is shown, nobody can be enrolled and no \
                         rule can be changed. Ask her, or telephone the service; in an emergency \
                         use the emergency request, which goes on."
                    }
                };
                format!(
                    "Not enough independent witnesses have seen the gateway's log since {}. \
                     {held} This is not about you or your certificate: tell the operator.",
                    since.rfc3339()
                )
            }
            Self::ClockOff => "The gateway's clock differs from its witnesses' by more than five \
                               minutes. Until it is set nothing is shown about anyone but in an \
                               emergency. Tell the operator."
                .to_owned(),
        }
    }
}

fn held_says(holds: &[Hold]) -> String {
    let words = holds.iter().flat_map(|hold| &hold.words);
    let words: Vec<String> = words.map(|word| format!("'{}'", word.text)).collect();
    let unread = holds.iter().all(|hold| hold.why == WhyHeld::Unreadable);
    if unread || words.is_empty() {
        return "We cannot read a text that you sent, so it may not go on. Write it in plain \
                English, or leave it out and telephone."
            .to_owned();
    }
    format!(
        "We found words about immigration: {}. Remove them. No service here needs them.",
        words.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_refusals_are_listed() {
        let all = [
            Refusal::CertificateNotAccepted,
            Refusal::AgreementExpired { ended: None },
            Refusal::OrganisationSuspended,
            Refusal::RoleNotAllowed { role: "" },
            Refusal::PurposeNotAllowed { purpose: "" },
            Refusal::SecondFactorNeeded,
            Refusal::CheckYourAnswers(Vec::new()),
            Refusal::ConsentNeeded,
            Refusal::ExplanationNeeded,
            Refusal::ImmigrationContentFound(Vec::new()),
            Refusal::AlreadySent,
            Refusal::AlreadyAnswered,
            Refusal::HandBackOver,
            Refusal::ConfirmEmergency {
                told: Vec::new(),
                held: Vec::new(),
            },
            Refusal::SlowDown { retry_after_s: 1 },
            Refusal::PolicyFailed,
            Refusal::NotFound,
            Refusal::MethodNotAllowed,
            Refusal::TooLarge,
            Refusal::NotJson,
            Refusal::NoAttachments,
            Refusal::CrossSite,
            Refusal::NotEnrollable,
            Refusal::SecondOrganisationNeeded,
            Refusal::Restoring {
                since: When::from_millis(0),
            },
            Refusal::Unwitnessed {
                lapse: Lapse::NoReads,
                since: When::from_millis(0),
            },
            Refusal::ClockOff,
        ];
        assert_eq!(all.each_ref().map(Refusal::code), CODES);
        assert!(!Refusal::is_code("nothing-to-show"));
    }
}
