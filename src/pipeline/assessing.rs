//! Assessments: told once, asked for, relied on, corrected, taken back.

use super::{Answered, Gateway, Read};
use crate::domain::attempt::Attempt;
use crate::domain::decision::Window;
use crate::domain::id::Id;
use crate::domain::journey::assessing::taking_back::{self, Mistake};
use crate::domain::journey::assessing::{self, history};
use crate::domain::journey::querying;
use crate::domain::journey::querying::relying::{self, Use};
use crate::domain::journey::subject::Subject;
use crate::store::Fault;

impl Gateway {
    /// An assessment, told once, on the caller's own record of her.
    pub async fn record_assessment(
        &self,
        attempt: Attempt,
        subject: &Subject,
        draft: &assessing::Draft,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Subject(subject)],
            |rules, attempt, known, keys| {
                assessing::record(rules, attempt, known, keys, subject, draft)
            },
        )
        .await
    }

    /// One of the caller's own is taken back.
    pub async fn take_back_assessment(
        &self,
        attempt: Attempt,
        alias: Id,
        mistake: &Mistake,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Subject(&mistake.subject)],
            |rules, attempt, known, keys| {
                taking_back::take_back(rules, attempt, known, keys, alias, mistake)
            },
        )
        .await
    }

    /// The caller's own, as history.
    pub async fn own_assessments(
        &self,
        attempt: Attempt,
        subject: &Subject,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Subject(subject)],
            |rules, attempt, known, keys| history::read(rules, attempt, known, keys, subject),
        )
        .await
    }

    /// Has she been assessed before?
    pub async fn query_assessments(
        &self,
        attempt: Attempt,
        query: &querying::Query,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[
                Read::Of(&query.card()),
                Read::Subject(&query.subject),
                Read::Withdrawals,
                Read::ReferralsOfPeople,
                Read::Counted(&query.subject, Window::day),
            ],
            |rules, attempt, known, keys| querying::query(rules, attempt, known, keys, query),
        )
        .await
    }

    /// What became of an assessment that was shown.
    pub async fn rely_on(
        &self,
        attempt: Attempt,
        alias: Id,
        used: &Use,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[
                Read::Subject(&used.subject),
                Read::Withdrawals,
                Read::ReferralsOfPeople,
            ],
            |rules, attempt, known, keys| {
                relying::rely_on(rules, attempt, known, keys, alias, used)
            },
        )
        .await
    }
}
