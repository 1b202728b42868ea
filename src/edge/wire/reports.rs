//! What is written about the log: the request for a report, and the log in formats of others.

pub mod csv;
pub mod fhir;
pub mod ocsf;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{IdentityIn, Wrong};
use crate::domain::codes::{HandedTo, StaffNamesReason};
use crate::domain::id::OrgId;
use crate::domain::person::FieldError;
use crate::domain::report::Terms;
use crate::pipeline::Entry;

/// Organisations that have answered, at most.
const ANSWERED_MAX: usize = 64;

/// A format in which others read logs. Each is a pure mapping of what the reader may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// HL7 FHIR R4 AuditEvent, after the IHE profile Basic Audit Log Patterns.
    Fhir,
    /// OCSF API Activity (class 6003).
    Ocsf,
    /// RFC 4180.
    Csv,
}

impl Format {
    /// Of its word; `None` for another.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "fhir" => Some(Self::Fhir),
            "ocsf" => Some(Self::Ocsf),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fhir => "fhir",
            Self::Ocsf => "ocsf",
            Self::Csv => "csv",
        }
    }

    /// What comes before the entries, if the format has it.
    pub fn head(self) -> Option<String> {
        match self {
            Self::Fhir | Self::Ocsf => None,
            Self::Csv => Some(csv::head()),
        }
    }

    /// One entry of the log called `origin`: an object, or a line of text.
    pub fn entry(self, entry: &Entry, origin: &str) -> Value {
        match self {
            Self::Fhir => fhir::event(entry, origin),
            Self::Ocsf => ocsf::event(entry, origin),
            Self::Csv => Value::String(csv::line(entry)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A report that she asks for. The identifier is in the body, never in a path.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportIn {
    pub identity: IdentityIn,
    /// You saw in person that it is she who asks. Without it nothing is shown.
    #[serde(default)]
    pub identity_checked: bool,
    /// `herself` (the default) or `her_solicitor`; always in person.
    pub handed_to: Option<String>,
    /// Why your own workers are named; absent: they are not.
    pub staff_names: Option<String>,
    /// Organisations that have given her their own part of the answer.
    #[serde(default)]
    pub answered: Vec<String>,
}

impl ReportIn {
    /// Who it is about, and on which terms.
    ///
    /// # Errors
    /// The fields that are wrong, with what to do.
    pub fn parse(self) -> Result<(IdentityIn, Terms), Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let handed_to = wrong.maybe(
            "handed_to",
            self.handed_to.as_ref(),
            HandedTo::Herself,
            HandedTo::parse,
        );
        let staff_names = self
            .staff_names
            .and_then(|code| wrong.code("staff_names", &code, StaffNamesReason::parse));
        let answered: Vec<OrgId> = self
            .answered
            .iter()
            .take(ANSWERED_MAX)
            .filter_map(|id| OrgId::parse(id).ok())
            .collect();
        if answered.len() != self.answered.len() {
            wrong.add("answered", "give up to 64 short names of organisations");
        }
        let terms = Terms {
            handed_to,
            staff_names,
            answered,
            identity_checked: self.identity_checked,
        };
        wrong.finish((self.identity, terms))
    }
}
