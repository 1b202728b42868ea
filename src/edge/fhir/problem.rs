//! Why a FHIR message is refused: which element, and what to do. Never a value that was sent.

use std::fmt;

use crate::domain::person::FieldError;

/// The kind of refusal: it decides the HTTP status, the BaRS error code and the FHIR issue type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not well-formed JSON or XML, or nested, repeated or cut where it must not be.
    Structure,
    /// More bytes than are read.
    TooLong,
    /// A `Content-Type` that is not FHIR R4 in JSON or XML.
    MediaType,
    /// Sound FHIR, but not the message that this operation takes.
    WrongMessage,
    /// An element that must be there is not.
    Required,
    /// An element holds what it must not.
    Value,
    /// Consent that does not serve for the service that the message is for.
    ConsentNeeded,
    /// No service of that id takes referrals here.
    NotFound,
    /// The same message id with another body.
    Conflict,
    /// Nothing that the caller may be shown: the same whatever there is.
    Nothing,
    /// It was answered before.
    Answered,
    /// There is no such address here.
    NoRoute,
    /// The address is there, and not for this method.
    NoMethod,
    /// The reply is wanted in a form that none is written in.
    NotAcceptable,
    /// The caller may not.
    Forbidden,
    /// Too many calls.
    SlowDown,
    /// It could not be recorded, so nothing was done.
    CannotRecord,
}

impl Kind {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Structure | Self::WrongMessage => 400,
            Self::Forbidden => 403,
            Self::NotFound | Self::Nothing | Self::NoRoute => 404,
            Self::NoMethod => 405,
            Self::NotAcceptable => 406,
            Self::Conflict | Self::Answered => 409,
            Self::TooLong => 413,
            Self::MediaType => 415,
            Self::Required | Self::Value | Self::ConsentNeeded => 422,
            Self::SlowDown => 429,
            Self::CannotRecord => 503,
        }
    }

    /// `OperationOutcome.issue.code` (FHIR R4 issue types).
    pub const fn issue_type(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::TooLong => "too-long",
            Self::MediaType => "not-supported",
            Self::WrongMessage => "invariant",
            Self::Required => "required",
            Self::Value => "value",
            Self::ConsentNeeded => "business-rule",
            Self::NotFound | Self::Nothing => "not-found",
            Self::Answered => "conflict",
            Self::NoRoute | Self::NoMethod | Self::NotAcceptable => "not-supported",
            Self::Conflict => "duplicate",
            Self::Forbidden => "forbidden",
            Self::SlowDown => "throttled",
            Self::CannotRecord => "transient",
        }
    }

    /// `OperationOutcome.issue.details.coding.code` (NHS `http-error-codes`; REC: the receiver
    /// says), where that list has one that fits.
    pub const fn nhs_code(self) -> Option<&'static str> {
        match self {
            Self::Structure | Self::TooLong | Self::MediaType | Self::WrongMessage => {
                Some("REC_BAD_REQUEST")
            }
            Self::Required | Self::Value | Self::ConsentNeeded => Some("REC_UNPROCESSABLE_ENTITY"),
            Self::NotFound | Self::Nothing | Self::NoRoute => Some("REC_NOT_FOUND"),
            Self::NoMethod | Self::NotAcceptable => Some("REC_BAD_REQUEST"),
            Self::Conflict | Self::Answered => Some("REC_CONFLICT"),
            Self::Forbidden => Some("REC_FORBIDDEN"),
            Self::SlowDown | Self::CannotRecord => None,
        }
    }
}

/// One refusal. It holds the path of an element and a fixed sentence, so it may be shown and logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    element: Option<String>,
    says: &'static str,
}

impl Problem {
    /// `element` is a FHIR path such as `Patient.birthDate`, never a value.
    pub fn new(kind: Kind, element: impl Into<String>, says: &'static str) -> Self {
        Self {
            kind,
            element: Some(element.into()),
            says,
        }
    }

    /// A refusal that no element stands for: of bytes, or of a caller.
    pub const fn whole(kind: Kind, says: &'static str) -> Self {
        Self {
            kind,
            element: None,
            says,
        }
    }

    /// The message is for a service that takes no referrals here.
    pub fn no_such_service() -> Self {
        Self::new(
            Kind::NotFound,
            "MessageHeader.destination.endpoint",
            "no service of this id takes referrals here; look it up in the Directory of Services",
        )
    }

    /// A field of [`super::NewReferral`] that the domain refused, named as the sender wrote it.
    pub fn of_field(error: &FieldError) -> Self {
        Self::new(Kind::Value, element_of(error.field), error.message)
    }

    /// A field of the form that a Consent becomes.
    pub fn of_consent_field(error: &FieldError) -> Self {
        let element = super::her_word::element_of(error.field);
        Self::new(Kind::Value, element, error.message)
    }

    /// A field of the form that a QuestionnaireResponse becomes.
    pub fn of_assessment_field(error: &FieldError) -> Self {
        let element = super::assessment::element_of(error.field);
        Self::new(Kind::Value, element, error.message)
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The FHIR path of what is wrong.
    pub fn element(&self) -> Option<&str> {
        self.element.as_deref()
    }

    /// What is wrong and what to do.
    pub fn says(&self) -> &'static str {
        self.says
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.element {
            Some(element) => write!(out, "{element}: {}", self.says),
            None => out.write_str(self.says),
        }
    }
}

impl std::error::Error for Problem {}

/// The element that a field of the domain was read from.
pub fn element_of(field: &str) -> &'static str {
    match field {
        "given_name" => "Patient.name.given",
        "family_name" => "Patient.name.family",
        "other_names" => "Patient.name",
        "birth_date" => "Patient.birthDate",
        "sex" => "Patient.gender",
        "nhs_number" => "Patient.identifier",
        "address_line" => "Patient.address.line",
        "postcode" => "Patient.address.postalCode",
        "note" => "ServiceRequest.note",
        "onward_rule_accepted" => "Encounter.extension(onward-rule-accepted)",
        // Telephone and e-mail of the person, and the safe contact made from them.
        _ => "Patient.telecom",
    }
}
