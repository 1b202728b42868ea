//! What became of an assessment that was shown: relied on, or asked again and why (AS-02).
//!
//! Only what was shown as a card or with its answers can be relied on; the reply never tells which.

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::assessment::Reliance;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{ConsentDepth, ReassessReason};
use crate::domain::decision::{Aggregate, Decision};
use crate::domain::id::Id;
use crate::domain::known::Known;
use crate::domain::record::Record;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::super::subject::Subject;
use super::super::{Stop, about_caller, caller, permit};
use super::sources::Asker;

/// What an organisation did with an assessment that it was shown.
pub struct Use {
    pub subject: Subject,
    /// Why it asked her again all the same; nothing if it relied on what it was shown.
    pub reassessed_because: Option<ReassessReason>,
}

/// "Relied on this", or why she was asked again. The reply is the same whatever was found.
pub fn rely_on(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    used: &Use,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let inward = ruling.aliases().inward(AliasKind::Assessment, alias);
    ruling.object(Some(alias), Some(inward));
    match decide_reliance(&mut ruling, known, inward, used) {
        // That there is nothing to rely on would tell.
        Ok(()) => ruling.finish(Answer::ReliedOn),
        Err(Stop::Nothing(why)) => {
            ruling.note(why);
            ruling.finish(Answer::ReliedOn)
        }
        Err(stop @ Stop::Refuse(_)) => ruling.stop(stop),
    }
}

fn decide_reliance(ruling: &mut Ruling<'_>, known: &Known, id: Id, used: &Use) -> Result<(), Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let mut ask = caller.ask(attempt, caller.as_recipient());
    about_caller(ruling, &ask)?;
    if let Some(because) = used.reassessed_because {
        ruling.reason(because.code());
    }
    let asker = Asker::of(ruling, known, &used.subject)?;
    ask.relationship = asker.relationship;
    ruling.relationship(ask.relationship.code());
    let sources = asker.sources(known, attempt, &asker.consents, ConsentDepth::Cards);
    let source = sources
        .iter()
        .find(|source| source.assessment.id.id() == id)
        .ok_or(Stop::Nothing("not-linked"))?;
    if !asker.came_from(known, &source.assessment.source) {
        ruling.concerns(&source.assessment.source);
    }
    source.held_back(ask.relationship).map_err(Stop::Nothing)?;
    if !source.assessment.was_shown_to(attempt.organisation()) {
        return Err(Stop::Nothing("not-shown"));
    }
    permit(ruling, &source.ask(&ask), ())?;
    let own = attempt.organisation();
    let mut assessment = source.assessment.clone();
    // One for each organisation, so that a list of them cannot grow without end.
    assessment
        .relied_on
        .retain(|relied| relied.organisation != *own);
    assessment.relied_on.push(Reliance {
        organisation: own.clone(),
        at: attempt.when,
        reassessed_because: used.reassessed_because,
    });
    let of = Aggregate::Person(assessment.person);
    ruling.fact(of, id, &Record::Assessment(assessment));
    Ok(())
}
