//! What a senior sends after an emergency: codes, and no words.

use serde::Deserialize;
use utoipa::ToSchema;

use super::Wrong;
use crate::domain::codes::{AskedAfterwards, EmergencyAct};
use crate::domain::emergency::DONE_MAX;
use crate::domain::journey::emergency::following_up::Said;
use crate::domain::person::FieldError;

/// What was done after the glass was broken, and whether she agrees now. There is no place for words:
/// the record of what was done for her is your own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowUpIn {
    /// `called_safe_person`, `called_service`, `kept_somebody_away`, `told_safeguarding_lead`,
    /// `protected_child`, `called_police`, `gave_helpline`, `other`, at most four; or `nothing`
    /// alone.
    pub done: Vec<String>,
    /// Whether she agrees now that what is known is shared with you: `agrees`, `refuses`, `cannot_say`
    /// or `not_asked`. It is not her consent, which you record apart.
    pub she_now: String,
}

impl FollowUpIn {
    /// # Errors
    /// What is missing, unknown or there twice.
    pub fn parse(&self) -> Result<Said, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let mut done = wrong.codes("done", &self.done, EmergencyAct::parse);
        let asked = wrong.code("she_now", &self.she_now, AskedAfterwards::parse);
        done.sort_unstable();
        done.dedup();
        if self.done.is_empty() || done.len() < self.done.len() {
            wrong.add(
                "done",
                "say what was done, each once; nothing, if nothing was",
            );
        }
        if done.len() > DONE_MAX {
            wrong.add("done", "at most four, those that mattered most");
        }
        if done.len() > 1 && done.contains(&EmergencyAct::Nothing) {
            wrong.add("done", "nothing stands alone: leave it out, or the others");
        }
        let asked = asked.unwrap_or(AskedAfterwards::NotAsked);
        wrong.finish(Said { done, asked })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(done: &[&str], she_now: &str) -> Result<Said, Vec<FieldError>> {
        FollowUpIn {
            done: done.iter().map(|code| (*code).to_owned()).collect(),
            she_now: she_now.to_owned(),
        }
        .parse()
    }

    #[test]
    fn what_is_said_at_once_fits_into_the_entry() {
        let mut acts: Vec<usize> = EmergencyAct::ALL
            .iter()
            .map(|one| one.code().len())
            .collect();
        acts.sort_unstable_by(|a, b| b.cmp(a));
        let longest: usize = acts.iter().take(DONE_MAX).map(|length| length + 1).sum();
        let asked = AskedAfterwards::ALL.iter().map(|one| one.code().len());
        assert!(longest + asked.max().unwrap() <= crate::domain::opening::CODE_BYTES_MAX);
    }

    #[test]
    fn what_was_done_is_codes_and_nothing_stands_alone() {
        let said = parse(&["gave_helpline", "called_service"], "agrees");
        assert_eq!(said.ok().unwrap().done.len(), 2);
        assert!(parse(&["nothing"], "cannot_say").is_ok());
        for wrong in [
            parse(&[], "agrees"),
            parse(&["nothing", "called_police"], "agrees"),
            parse(&["called_police", "called_police"], "agrees"),
            parse(
                &[
                    "called_police",
                    "other",
                    "called_service",
                    "gave_helpline",
                    "protected_child",
                ],
                "agrees",
            ),
            parse(&["her visa expired"], "agrees"),
            parse(&["called_police"], "yes"),
        ] {
            assert!(wrong.is_err());
        }
    }
}
