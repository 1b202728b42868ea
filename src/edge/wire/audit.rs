//! The JSON of the audit routes.

use serde::Deserialize;
use utoipa::ToSchema;

use super::governance::{complete, user_name};
use super::reports::Format;
use super::{IdentityIn, Wrong};
use crate::domain::audit::{Filter, QueueVerdict, VisibleOutcome};
use crate::domain::codes::{Action, Purpose};
use crate::domain::id::{Id, OrgId};
use crate::domain::journey::flagging::FLAG_DAYS_MAX;
use crate::domain::person::FieldError;
use crate::pipeline::Page;

/// A flag lasts this long unless stated.
const FLAG_DAYS: u16 = 365;
/// Entries of one page that come with their proofs.
pub const EVIDENCE_ENTRIES_MAX: u16 = 50;

/// Entries of one part of the log.
const PART_ENTRIES_MAX: u16 = 1_000;

/// What to look for in the log: of a query string, or in a body.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct AuditQueryIn {
    /// A user of your own organisation.
    pub user: Option<String>,
    pub action: Option<String>,
    /// `permit`, `deny`, `empty` or `error`.
    pub outcome: Option<String>,
    pub purpose: Option<String>,
    /// RFC 3339.
    pub from: Option<String>,
    /// RFC 3339, exclusive.
    pub to: Option<String>,
    /// The `next` of the page before.
    pub before: Option<u64>,
    /// Entries to look at, at most 200; with evidence 50.
    pub max: Option<u16>,
    /// Whose worker asked.
    pub organisation: Option<String>,
    /// A person, as `decided.person` of an entry names her.
    pub person: Option<String>,
    /// `proved` or `asserted`: a person's own certificate, or a system that names its user.
    pub identity: Option<String>,
    /// With each entry its proof, and what of it you may open in checkable form.
    pub evidence: Option<bool>,
    /// `fhir`, `ocsf` or `csv`; absent: the fields of this API.
    pub format: Option<String>,
    /// No entries, but where parts of so many of them begin; at most 1000. Not of one person.
    pub parts: Option<u16>,
}

/// What to look for, where, and how to show it.
pub struct AuditQuery {
    pub filter: Filter,
    pub page: Page,
    pub format: Option<Format>,
    pub parts: Option<u16>,
}

impl AuditQueryIn {
    /// # Errors
    /// The fields that are wrong, with what to do.
    pub fn parse(self) -> Result<AuditQuery, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        if let Some(user) = &self.user {
            user_name(&mut wrong, "user", user);
        }
        let evidence = self.evidence.unwrap_or(false);
        let purpose = self
            .purpose
            .and_then(|purpose| wrong.code("purpose", &purpose, Purpose::parse));
        let filter = Filter {
            user: self.user,
            action: self
                .action
                .and_then(|action| wrong.code("action", &action, Action::parse)),
            outcome: self
                .outcome
                .and_then(|outcome| wrong.code("outcome", &outcome, VisibleOutcome::parse)),
            purpose: purpose.map(|purpose| purpose.code().to_owned()),
            from: wrong.when("from", self.from.as_ref()),
            to: wrong.when("to", self.to.as_ref()),
            organisation: self.organisation.and_then(|organisation| {
                let parsed = OrgId::parse(&organisation).ok();
                if parsed.is_none() {
                    wrong.add("organisation", "give the short name of an organisation");
                }
                parsed
            }),
            person: self.person.and_then(|person| {
                let parsed = Id::parse(&person);
                if parsed.is_none() {
                    wrong.add(
                        "person",
                        "give the 26 characters that an entry names her by",
                    );
                }
                parsed
            }),
            asserted: self.identity.and_then(|identity| match identity.as_str() {
                "proved" => Some(false),
                "asserted" => Some(true),
                _ => {
                    wrong.add("identity", "give 'proved' or 'asserted'");
                    None
                }
            }),
            evidence,
        };
        let format = self.format.and_then(|format| {
            let parsed = Format::parse(&format);
            if parsed.is_none() {
                wrong.add("format", "give 'fhir', 'ocsf' or 'csv'");
            }
            parsed
        });
        if self
            .parts
            .is_some_and(|size| !(1..=PART_ENTRIES_MAX).contains(&size))
        {
            wrong.add("parts", "give a number from 1 to 1000");
        }
        let max = self.max.unwrap_or(0);
        let page = Page {
            before: self.before,
            max: match max {
                0 if evidence => EVIDENCE_ENTRIES_MAX,
                max if evidence => max.min(EVIDENCE_ENTRIES_MAX),
                max => max,
            },
        };
        wrong.finish(AuditQuery {
            filter,
            page,
            format,
            parts: self.parts,
        })
    }
}

/// A look-up of what the log holds about a person: the identifier is in the body, never in a path.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditSubjectIn {
    pub identity: IdentityIn,
    #[serde(default)]
    pub filter: AuditQueryIn,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueDecisionIn {
    /// `accept`, `ask` or `escalate`.
    pub decision: String,
}

impl QueueDecisionIn {
    pub fn parse(&self) -> Result<QueueVerdict, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let verdict = wrong.code("decision", &self.decision, QueueVerdict::parse);
        complete(wrong, verdict)
    }
}

/// A person to be flagged for your own organisation's workers.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagIn {
    pub identity: IdentityIn,
    /// Her user name, if she works for your organisation; then her family counts too.
    pub user: Option<String>,
    /// The flag ends by itself after so many days, at most 730; 365 unless stated.
    pub days: Option<u16>,
}

impl FlagIn {
    /// The user and the days; the identity is resolved apart.
    pub fn checked(&self) -> Result<(Option<String>, u16), Vec<FieldError>> {
        let mut wrong = Wrong::default();
        if let Some(user) = &self.user {
            user_name(&mut wrong, "user", user);
        }
        let days = self.days.unwrap_or(FLAG_DAYS);
        if !(1..=FLAG_DAYS_MAX).contains(&days) {
            wrong.add("days", "give a number from 1 to 730");
        }
        wrong.finish((self.user.clone(), days))
    }
}
