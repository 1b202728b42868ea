//! An organisation reads what it recorded itself of a person, what was replaced and taken back too.
//! Nothing of any other organisation is in it, not even that something was shown or relied on.

use crate::domain::answer::{Answer, Release, parts};
use crate::domain::assessment::{ASSESSMENT_CLASSES, Assessment};
use crate::domain::attempt::Attempt;
use crate::domain::decision::Decision;
use crate::domain::firewall::{Screenable, screen};
use crate::domain::id::Id;
use crate::domain::known::Known;
use crate::domain::policy::Ask;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::super::subject::Subject;
use super::super::{Stop, about_caller, caller, mark, permit};
use super::OWN;
use super::replacing::own_assessments;

/// Assessments in one history, the newest first.
pub const HISTORY_MAX: usize = 50;

/// The caller's own assessments of her.
pub fn read(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    subject: &Subject,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.asked(&ASSESSMENT_CLASSES);
    ruling.object(subject.outward(), None);
    match decide(&mut ruling, known, subject) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, subject: &Subject) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let mut ask: Ask = caller.ask(attempt, caller.as_recipient());
    ask.classes = ASSESSMENT_CLASSES.to_vec();
    ask.own = true;
    about_caller(ruling, &ask)?;
    let found = subject.find(ruling.rules(), attempt, known);
    let found = found.ok_or(Stop::Nothing("no-own-record"))?;
    ruling.subject(&found.tokens);
    let own = attempt.organisation();
    let mine = own_assessments(known, found.person).filter(|one| one.source == *own);
    let mut mine: Vec<Assessment> = mine.cloned().collect();
    mine.sort_by_key(|one| std::cmp::Reverse(one.recorded_at));
    mine.truncate(HISTORY_MAX);
    if mine.is_empty() {
        return Err(Stop::Nothing("none-recorded"));
    }
    let items: Vec<Id> = mine
        .iter()
        .flat_map(|one| [one.card_item, one.answers_item])
        .collect();
    let release: Release = parts(known, &items);
    let screened = screen(permit(ruling, &ask, release)?, OWN);
    mark(ruling, &screened);
    ruling.sources(mine.len());
    ruling.disclosed(&screened.value().classes());
    Ok(Answer::OwnAssessments(mine, screened))
}
