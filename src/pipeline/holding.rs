//! What is logged of held text, and "this was wrong".

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{Action, WrongHold};
use crate::domain::firewall::hold::Unread;
use crate::domain::id::Id;
use crate::domain::journey::reading;
use crate::domain::refusal::Refusal;

use super::{Answered, Fault, Gateway};

impl Gateway {
    /// What the text screen would hold, while writing.
    pub async fn screen_text(&self, attempt: Attempt, text: &Unread) -> Result<Answered, Fault> {
        self.run(attempt, &[], |rules, attempt, known, keys| {
            reading::screen_text(rules, attempt, known, keys, text)
        })
        .await
    }

    /// A hold is said to have been wrong; nothing passes by it.
    pub async fn say_wrong(
        &self,
        attempt: Attempt,
        hold: Id,
        because: WrongHold,
    ) -> Result<Answered, Fault> {
        self.run(attempt, &[], |rules, attempt, known, keys| {
            reading::say_wrong(rules, attempt, known, keys, hold, because)
        })
        .await
    }

    /// The entry of texts that were held while their attempt went on: apart from the attempt's, so
    /// that neither says that such words were written about her. Told only once both are durable.
    pub(super) async fn log_held(
        &self,
        apart: Attempt,
        answered: Answered,
    ) -> Result<Answered, Fault> {
        let goes_on = match &answered.answer {
            // Its own entry says that text was held, or nothing was to be stored.
            Answer::Refused(Refusal::ImmigrationContentFound(_)) | Answer::Checked { .. } => false,
            answer => !answer.held().is_empty(),
        };
        if goes_on {
            let holds = answered.answer.held();
            self.run(apart, &[], |rules, attempt, known, keys| {
                reading::held(rules, attempt, known, keys, holds)
            })
            .await?;
        }
        Ok(answered)
    }
}

/// The attempt under which texts of `attempt` are logged as held.
pub(super) fn apart(attempt: &Attempt) -> Attempt {
    Attempt {
        action: Action::ScreenText,
        idempotency: None,
        ..attempt.again("held")
    }
}
