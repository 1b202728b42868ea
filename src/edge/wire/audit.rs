//! The JSON of the audit routes.

use serde::Deserialize;
use utoipa::ToSchema;

use super::governance::complete;
use super::{IdentityIn, Wrong, short};
use crate::domain::audit::{Filter, QueueVerdict, VisibleOutcome};
use crate::domain::codes::{Action, Purpose};
use crate::domain::journey::flagging::FLAG_DAYS_MAX;
use crate::domain::person::FieldError;
use crate::pipeline::Page;

/// A flag lasts this long unless stated.
const FLAG_DAYS: u16 = 365;

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
    /// Entries to look at, at most 200.
    pub max: Option<u16>,
}

impl AuditQueryIn {
    pub fn parse(self) -> Result<(Filter, Page), Vec<FieldError>> {
        let mut wrong = Wrong::default();
        if let Some(user) = &self.user {
            short(&mut wrong, "user", user, 64);
        }
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
        };
        let page = Page {
            before: self.before,
            max: self.max.unwrap_or(0),
        };
        wrong.finish((filter, page))
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
            short(&mut wrong, "user", user, 64);
        }
        let days = self.days.unwrap_or(FLAG_DAYS);
        if !(1..=FLAG_DAYS_MAX).contains(&days) {
            wrong.add("days", "give a number from 1 to 730");
        }
        wrong.finish((self.user.clone(), days))
    }
}
