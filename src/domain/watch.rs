//! The rules that put something before an information-governance officer, as data (`domain.md` 3.5
//! and 3.10): how many signs within how long, whom to tell, until when, in which words.
//!
//! How each rule is looked for is in [`super::journey::watching`]; what is in a queue, in
//! [`super::audit`]. A rule adds an item. It must never refuse or permit anything.

mod burst;
mod files;
mod habit;
pub mod sample;

pub use burst::{Bursts, Came, Sign, Tally};
pub use habit::{Asked, Habit};

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};

use super::audit::Severity;

/// Why the rules cannot be used; says what to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("watch/rules.toml: {0}")]
pub struct BadWatch(pub String);

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $code:literal),+ $(,)?) => {
        /// What the program knows how to look for. New ones go at the end: the number is stored.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize,
        )]
        pub enum RuleCode { $($(#[$doc])* $variant),+ }

        impl RuleCode {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            pub fn parse(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.code() == code)
            }
        }
    };
}

rules! {
    /// An emergency view was opened, found or not.
    GlassBroken = "btg.opened",
    /// A police user is pressed for where someone is or what her status is.
    StatusShaped = "probe.status_shaped",
    /// The status of a closed referral, again.
    Reread = "probe.reread",
    /// A team that the firewall shuts out asked.
    Tainted = "firewall.tainted",
    /// The asker's own work with her has ended.
    AfterClosure = "read.after_closure",
    /// The asker's team has no referral about her.
    NoRelationship = "read.no_relationship",
    /// Two people of one surname and postcode.
    Household = "asked.household",
    /// Someone whom the asker's organisation flagged.
    Flagged = "flag.person",
    /// The asker herself, or someone of her surname and postcode.
    OwnRecord = "flag.own",
    /// More people than usual.
    Bulk = "bulk.people",
    Denied = "denied.repeated",
    /// At an hour unlike the user's own.
    Hours = "hours.unlike",
    /// The operator's own staff.
    Operator = "operator.acted",
    /// Ordinary accesses drawn at random.
    Sample = "sample.weekly",
    /// A note on a high-risk offer was held, and nothing came in its place.
    MissingNote = "note.missing",
    /// What was shown across a link was of somebody else.
    LinkUndone = "link.undone",
    /// She withdrew, and a holder did not say what it did.
    StopUseOverdue = "stop_use.overdue",
    /// A read of her by a service that handed her over.
    AfterTransfer = "read.after_transfer",
    /// What was released was of somebody else than whom it was about.
    WrongPerson = "update.wrong_person",
    /// Who asked what is held about her was not she.
    NotHers = "subject_access.not_hers",
}

/// Whose officers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// The user's own organisation.
    Own,
    /// Organisations that hold what was asked about.
    Concerned,
    Reviewer,
}

/// One rule. Every limit is explained in `policies/watch/rules.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRule {
    pub code: RuleCode,
    pub severity: Severity,
    pub window_minutes: u32,
    pub threshold: u32,
    pub tell: Vec<Tell>,
    pub names_user: bool,
    pub due_hours: u32,
    pub escalate_hours: u32,
    /// What must be known of a user before she is compared with herself; 0 where that is not done.
    pub history: u32,
    /// So many times her usual day.
    pub times: u32,
    /// And at least so many.
    pub least: u32,
    says: String,
}

impl WatchRule {
    /// Where the limit was compared already: one sign is enough.
    #[must_use]
    pub fn at_once(&self) -> Self {
        Self {
            threshold: 1,
            ..self.clone()
        }
    }

    /// The sentence shown, with its figures.
    pub fn says(&self, count: u32, minutes: u32, usual: u32) -> String {
        let figures = [
            ("{count}", count),
            ("{minutes}", minutes),
            ("{limit}", self.threshold),
            ("{usual}", usual),
        ];
        figures
            .into_iter()
            .fold(self.says.clone(), |text, (name, figure)| {
                text.replace(name, &figure.to_string())
            })
    }
}

/// The rules in force, each exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    version: String,
    rules: BTreeMap<RuleCode, WatchRule>,
}

impl Watch {
    /// Reads the rules.
    ///
    /// # Errors
    /// The first thing that is unknown, missing, out of its limits or there twice.
    pub fn parse(text: &str) -> Result<Self, BadWatch> {
        files::watch(text).map_err(BadWatch)
    }

    /// As the file says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `None` never happens: parsing sees to it that each is there.
    pub fn rule(&self, code: RuleCode) -> Option<&WatchRule> {
        self.rules.get(&code)
    }

    pub fn rules(&self) -> impl Iterator<Item = &WatchRule> {
        self.rules.values()
    }
}

#[cfg(test)]
mod tests;
