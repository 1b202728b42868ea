//! Questions about earlier assessments, and the breaking of the glass.

use super::acts::WOMEN;
use super::model::{Assessed, Said};
use super::*;
use crate::domain::consent::Opens;
use crate::domain::firewall::hold::Unread;
use crate::domain::journey::emergency::{Glass, break_glass};
use crate::domain::journey::querying::{Query, Step, query};
use crate::domain::journey::subject::Subject;

impl Play {
    pub fn ask(
        &mut self,
        by: &'static str,
        her: usize,
        consented: Option<(ConsentDepth, u16)>,
        step: ConsentDepth,
        which: usize,
    ) -> Checked {
        let has_record = self.own_name(by, her).is_some();
        let known: Vec<Id> = self.model.assessments.iter().map(|held| held.id).collect();
        let asked_for = among(known.len(), which).map(|which| known[which]);
        let names = self.names(by);
        let one = asked_for.unwrap_or(Id::ZERO);
        let said = consented.map(|(depth, days)| {
            let mut said = consent(Opens::Query, &[]);
            said.depth = Some(depth);
            self.said_now(&mut said, days);
            said
        });
        let until = said.as_ref().map(|said| said.until);
        let question = Query {
            subject: Subject::Tokens(tokens(WOMEN[her]), None),
            step: match step {
                ConsentDepth::Exists => Step::Exists,
                ConsentDepth::Cards => Step::Cards,
                ConsentDepth::Answers => Step::Answers(names.outward(AliasKind::Assessment, one)),
            },
            consent: said,
            onward_rule_accepted: true,
            card_code: None,
        };
        let done = self.run(
            attempt(by, Action::QueryAssessments),
            |rules, attempt, known, keys| query(rules, attempt, known, keys, &question),
        );
        if done.limited {
            return Ok(());
        }
        if let Some((depth, until)) = consented.map(|(depth, _)| depth).zip(until)
            && has_record
            && by != "met"
        {
            self.model.said.push(Said {
                by,
                her,
                when: self.town.now,
                until,
                opens: Opens::Query,
                to: by,
                permits: true,
                depth,
                with: None,
                id: None,
                taken_back: false,
                doubted: false,
                review_at: None,
            });
        }
        // Who handed her over must not read in its own log where she is.
        for first in self.model.came_from(self.at(), by, her) {
            prop_assert!(
                !done.decided.concerned.contains(&org(first)),
                "{} is told",
                first
            );
        }
        let of_one = step == ConsentDepth::Answers;
        let covers = |model: &Model, at: At| -> Vec<Id> {
            let all = model.assessments.iter();
            let covered = all.filter(|held| {
                held.her == her
                    && model.may_show(at, held, by, step)
                    && (!of_one || Some(held.id) == asked_for)
            });
            let mut covered: Vec<Id> = covered.map(|held| held.id).collect();
            covered.sort_unstable();
            covered
        };
        let covered = covers(&self.model, self.at());
        let more = |model: &Model, at: At| covers(model, at).len() > covered.len();
        self.held_back(more);
        let mut shown: Vec<Id> = match &done.answer {
            // That there is something, and nothing of it.
            Answer::AssessmentExists { is_sure } => {
                prop_assert!(*is_sure && step == ConsentDepth::Exists && !covered.is_empty());
                covered.clone()
            }
            Answer::Assessments(list, _) => list.iter().map(|held| held.id.id()).collect(),
            Answer::ItemAnswers(held, _) => vec![held.id.id()],
            Answer::Nothing | Answer::Refused(_) => Vec::new(),
            other => return Err(TestCaseError::fail(other.told())),
        };
        shown.sort_unstable();
        prop_assert_eq!(&shown, &covered, "{} asks about {}", by, her);
        self.shown += shown.len();
        if !shown.is_empty() {
            self.saw("an assessment shown");
        }
        Ok(())
    }

    pub fn break_glass(&mut self, her: usize) -> Checked {
        let glass = Glass {
            subject: Subject::Tokens(tokens(WOMEN[her]), None),
            reason: EmergencyReason::LifeAtRisk,
            words: Unread::new("reason", "She may be killed before she is seen.".to_owned()),
            on_shift: true,
            confirm: true,
            onward_rule_accepted: true,
        };
        let done = self.run(
            attempt("trust", Action::BreakGlass),
            |rules, attempt, known, keys| break_glass(rules, attempt, known, keys, &glass),
        );
        if done.limited {
            return Ok(());
        }
        let at = self.at();
        let may =
            |held: &&Assessed| held.her == her && self.model.may_open_in_an_emergency(at, held);
        let open: Vec<&Assessed> = self.model.assessments.iter().filter(may).collect();
        let (opened, lines) = match &done.answer {
            Answer::Emergency(list, lines, _) => {
                (list.iter().map(|held| held.id.id()).collect(), lines.len())
            }
            Answer::Nothing => (Vec::new(), 0),
            other => return Err(TestCaseError::fail(other.told())),
        };
        for id in &opened {
            prop_assert!(
                open.iter().any(|held| held.id == *id),
                "an emergency opened what she stopped, or another's"
            );
        }
        // The newest risk of each source, if any of it may be opened.
        let mut sources: Vec<&str> = open.iter().map(|held| held.at).collect();
        sources.sort_unstable();
        sources.dedup();
        prop_assert_eq!(opened.len(), sources.len());
        // The one service with a line that is answered at night, while it works with her.
        let works = self.model.offers.iter().any(|offer| {
            (offer.to, offer.her) == ("lantern", her)
                && self.model.stand(at, offer) == Stand::Accepted
        });
        prop_assert_eq!(lines, usize::from(works));
        if !opened.is_empty() {
            self.saw("an emergency view");
        }
        Ok(())
    }
}
