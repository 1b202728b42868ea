//! The tools with which she is assessed, as data (`domain.md` 2.4, 4.4): versions, codes of the
//! questions, which of them count as ticks, how long what they find is shown.
//!
//! No grade is ever made here of a number of ticks, and no number of one tool is turned into
//! another's. Labels are our own words: a form belongs to whoever published it.

use std::collections::BTreeMap;

use super::assessment::{Item, NEEDS_DAYS_VALID, RISK_DAYS_VALID};
use super::codes::{Grade, Instrument, ItemAnswer};
use super::person::FieldError;

mod file;

/// The files that are built in, by the code of their instrument.
pub const BUILT_IN_INSTRUMENTS: [(Instrument, &str); 7] = [
    (
        Instrument::SafelivesDash24,
        include_str!("../../policies/instruments/safelives_dash_24.toml"),
    ),
    (
        Instrument::Dash27,
        include_str!("../../policies/instruments/dash_27.toml"),
    ),
    (
        Instrument::Dara,
        include_str!("../../policies/instruments/dara.toml"),
    ),
    (
        Instrument::MhCommon,
        include_str!("../../policies/instruments/mh_common.toml"),
    ),
    (
        Instrument::NeedsStar,
        include_str!("../../policies/instruments/needs_star.toml"),
    ),
    (
        Instrument::DashYe,
        include_str!("../../policies/instruments/dash_ye.toml"),
    ),
    (
        Instrument::ProviderOwn,
        include_str!("../../policies/instruments/provider_own.toml"),
    ),
];

/// Versions and questions of one tool, at most.
pub const VERSIONS_MAX: usize = 16;
pub const QUESTIONS_MAX: usize = super::assessment::ITEMS_MAX;

/// For the operator: what to change in which file. Holds nothing about a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("instruments/{file}.toml: {what}")]
pub struct BadInstrument {
    pub file: &'static str,
    pub what: String,
}

/// All tools; each of the closed list once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruments(BTreeMap<Instrument, Tool>);

/// One tool, whatever its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    pub instrument: Instrument,
    pub name: String,
    pub versions: Vec<String>,
    /// Its grade is a risk, which moves: what is not a risk is shown for longer.
    pub is_risk: bool,
    /// From the day of the assessment.
    pub days_valid: u16,
    pub grades: Vec<Grade>,
    pub questions: Vec<Question>,
    /// What a number of ticks is usually taken for in local practice. Shown beside the ticks.
    pub usual: Vec<Band>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// 1 to 32 of `a-z`, `0-9` and `_`.
    pub code: String,
    pub label: String,
    pub ticks: bool,
    /// `yes` says that a child is in danger, which an emergency is told.
    pub child_at_risk: bool,
    /// The versions that ask it; empty for all.
    pub versions: Vec<String>,
}

/// Both ends are of the band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    pub from: u16,
    pub to: u16,
    pub grade: Grade,
}

impl Instruments {
    /// Reads one text for each instrument; see `policies/instruments`.
    ///
    /// # Errors
    /// The first thing that is unknown, missing, out of bounds or there twice, and in which file.
    pub fn parse<T: AsRef<str>>(files: &[(Instrument, T)]) -> Result<Self, BadInstrument> {
        let mut tools = BTreeMap::new();
        for (instrument, text) in files {
            let bad = |what| BadInstrument {
                file: instrument.code(),
                what,
            };
            let tool = file::read(*instrument, text.as_ref()).map_err(bad)?;
            if tools.insert(*instrument, tool).is_some() {
                return Err(bad("this instrument is there twice".to_owned()));
            }
        }
        let missing = Instrument::ALL.iter().find(|one| !tools.contains_key(one));
        match missing {
            Some(instrument) => Err(BadInstrument {
                file: instrument.code(),
                what: "this instrument is missing".to_owned(),
            }),
            None => Ok(Self(tools)),
        }
    }

    pub fn built_in() -> Result<Self, BadInstrument> {
        Self::parse(&BUILT_IN_INSTRUMENTS)
    }

    /// In the order of the closed list.
    pub fn all(&self) -> impl Iterator<Item = &Tool> {
        self.0.values()
    }

    /// `None` never: [`Self::parse`] takes nothing less than all of them.
    pub fn tool(&self, instrument: Instrument) -> Option<&Tool> {
        self.0.get(&instrument)
    }
}

impl Tool {
    /// The questions of one version; `None` if there is no such version.
    fn asked<'a>(&'a self, version: &'a str) -> Option<impl Iterator<Item = &'a Question>> {
        self.versions.iter().any(|known| known == version).then(|| {
            self.questions
                .iter()
                .filter(move |question| question.is_in(version))
        })
    }

    /// Whether these are answers to this version of the tool. Codes are named in the reply by field
    /// only: what was sent is never repeated.
    pub fn check(&self, version: &str, items: &[Item], grade: Grade) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        let mut add = |field, message| wrong.push(FieldError { field, message });
        if !self.grades.contains(&grade) {
            add(
                "grade",
                "this tool has no such grade; GET /v1/codes lists them under instruments",
            );
        }
        let Some(asked) = self.asked(version) else {
            add(
                "instrument_version",
                "this tool has no such version; GET /v1/codes lists them under instruments",
            );
            return wrong;
        };
        let codes: Vec<&str> = asked.map(|question| &*question.code).collect();
        if items.iter().any(|item| !codes.contains(&&*item.code)) {
            add(
                "items.code",
                "this version has no such question; GET /v1/codes lists them under instruments",
            );
        }
        let mut given: Vec<&str> = items.iter().map(|item| &*item.code).collect();
        given.sort_unstable();
        if given.windows(2).any(|pair| pair.first() == pair.last()) {
            add("items", "each question has one answer");
        }
        wrong
    }

    /// How many questions that count were answered with yes; `None` where this tool counts nothing.
    pub fn ticks(&self, items: &[Item]) -> Option<u16> {
        let counts = |code: &str| {
            let mut counting = self.questions.iter().filter(|question| question.ticks);
            counting.any(|question| question.code == code)
        };
        let ticked = items
            .iter()
            .filter(|item| item.answer == ItemAnswer::Yes && counts(&item.code));
        let any = self.questions.iter().any(|question| question.ticks);
        any.then(|| u16::try_from(ticked.count()).unwrap_or(u16::MAX))
    }

    /// Whether an answer says that a child is in danger. That nobody asked is no answer.
    pub fn child_at_risk(&self, items: &[Item]) -> bool {
        let asks = |code: &str| {
            let mut asking = self.questions.iter().filter(|one| one.child_at_risk);
            asking.any(|question| question.code == code)
        };
        let mut said = items.iter().filter(|item| item.answer == ItemAnswer::Yes);
        said.any(|item| asks(&item.code))
    }

    /// What numbers of ticks are usually taken for, in words; `None` where no practice is known. It
    /// says nothing of any woman.
    pub fn usual_words(&self) -> Option<String> {
        let bands: Vec<String> = self
            .usual
            .iter()
            .map(|band| format!("{} to {}: {}", band.from, band.to, band.grade.code()))
            .collect();
        (!bands.is_empty()).then(|| {
            format!(
                "Usual in local practice, and no grade: {}.",
                bands.join(", ")
            )
        })
    }
}

impl Question {
    pub fn is_in(&self, version: &str) -> bool {
        self.versions.is_empty() || self.versions.iter().any(|known| known == version)
    }
}

/// How long what a tool finds is shown if its file does not say, and at most.
const fn days_valid(is_risk: bool) -> i64 {
    if is_risk {
        RISK_DAYS_VALID
    } else {
        NEEDS_DAYS_VALID
    }
}

#[cfg(test)]
mod tests;
