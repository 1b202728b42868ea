//! An organisation takes back an assessment that should never have been there: of the wrong woman,
//! recorded twice, never said. Its parts are destroyed; that it was there stays, for its own
//! organisation.

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::assessment::{Assessment, Ended, EndedHow, mistaken_item};
use crate::domain::attempt::Attempt;
use crate::domain::codes::{DataClass, WithdrawnBecause};
use crate::domain::decision::{Aggregate, Decision, Write};
use crate::domain::id::Id;
use crate::domain::known::Known;
use crate::domain::record::Record;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::super::subject::Subject;
use super::super::{Stop, caller, linking, permit};
use super::replacing::own_assessments;
use super::telling::tell_shown;

/// What is taken back, and why.
pub struct Mistake {
    pub subject: Subject,
    pub because: WithdrawnBecause,
}

/// Takes back the assessment that the caller's organisation knows as `alias`.
pub fn take_back(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    mistake: &Mistake,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.asked(&[DataClass::Op]);
    ruling.reason(mistake.because.code());
    let inward = ruling.aliases().inward(AliasKind::Assessment, alias);
    ruling.object(Some(alias), Some(inward));
    match decide(&mut ruling, known, inward, mistake) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    id: Id,
    mistake: &Mistake,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let mut ask = caller.ask(attempt, caller.as_recipient());
    ask.own = true;
    permit(ruling, &ask, ())?;
    let found = mistake.subject.find(ruling.rules(), attempt, known);
    let found = found.ok_or(Stop::Nothing("no-own-record"))?;
    ruling.subject(&found.tokens);
    let own = attempt.organisation();
    let mine = |one: &&Assessment| one.source == *own && one.is_about_her();
    let mut all = own_assessments(known, found.person).filter(mine);
    let wrong = all.find(|one| one.id.id() == id);
    let wrong = wrong.ok_or(Stop::Nothing("no-such-assessment"))?;
    destroy(ruling, wrong);
    tell_shown(ruling, known, wrong);
    if mistake.because == WithdrawnBecause::WrongPerson {
        tell(ruling, wrong);
    }
    // What it had replaced was right after all; unless another stands in its place by now.
    let before = wrong.replaces.as_ref().filter(|_| wrong.stands());
    let before = before.map(|replaced| replaced.of);
    let replaced_by_it = |one: &&Assessment| {
        let ended = one.ended.as_ref().map(|ended| ended.how);
        ended == Some(EndedHow::ReplacedBy(wrong.id))
    };
    let restored = own_assessments(known, found.person)
        .filter(|one| Some(one.id) == before)
        .find(replaced_by_it);
    if let Some(restored) = restored {
        let restored = Assessment {
            ended: None,
            ..restored.clone()
        };
        ruling.note("stands-again");
        write(ruling, restored);
    }
    write(
        ruling,
        Assessment {
            ended: Some(Ended {
                at: attempt.when,
                by: attempt.user.as_str().to_owned(),
                how: EndedHow::Withdrawn(mistake.because),
            }),
            shown: Vec::new(),
            relied_on: Vec::new(),
            ..wrong.clone()
        },
    );
    Ok(Answer::AssessmentWithdrawn)
}

fn write(ruling: &mut Ruling<'_>, assessment: Assessment) {
    let (of, item) = (Aggregate::Person(assessment.person), assessment.id.id());
    ruling.fact(of, item, &Record::Assessment(assessment));
}

/// Keys first: what a withdrawn assessment said opens for nobody, its own organisation neither.
fn destroy(ruling: &mut Ruling<'_>, wrong: &Assessment) {
    let of = Aggregate::Person(wrong.person);
    let parts = [wrong.card_item, wrong.answers_item, wrong.emergency_item];
    for item in parts.into_iter().chain(wrong.safety_item) {
        let of = of.clone();
        ruling.write(Write::Remove { of, item });
    }
}

/// Whoever was shown it learns that it was of somebody else, and not of whom or from whom.
fn tell(ruling: &mut Ruling<'_>, wrong: &Assessment) {
    for one in &wrong.shown {
        let item = mistaken_item(wrong.id, &one.organisation);
        linking::tell(ruling, item, &one.organisation);
    }
}
