//! An organisation's administrator says what one of its own services can meet, alone and at once.
//!
//! It lets nothing through and stops nothing: whoever is offered somebody is reminded of it, and no
//! other organisation is told.

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::Need;
use crate::domain::decision::Decision;
use crate::domain::id::ServiceId;
use crate::domain::known::Known;
use crate::domain::organisation::Meets;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::changes::directory_fact;
use super::own_staff::administers_in_person;
use super::wrong;
use crate::domain::journey::{Stop, caller, permit};

/// What a service can meet, as its administrator says it now: anew, or that it is still right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnWord {
    pub service: ServiceId,
    pub needs: Vec<Need>,
}

/// Takes down what a service of the caller's own organisation can meet.
pub fn say_meets(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    word: &OwnWord,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide(&mut ruling, known, word) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, word: &OwnWord) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    ruling.reason("say_what_we_meet");
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ())?;
    administers_in_person(&caller, attempt)?;
    let mut directory = known.directory.clone();
    let own = attempt.organisation();
    let found = directory
        .services
        .iter_mut()
        .find(|one| one.id == word.service && one.organisation == *own);
    let Some(service) = found else {
        return Err(wrong("service", "your organisation has no such service"));
    };
    let mut needs = word.needs.clone();
    needs.sort_unstable();
    needs.dedup();
    service.meets = Some(Meets {
        needs,
        said_at: attempt.when,
    });
    let (of, item, record) = directory_fact(directory);
    ruling.fact(of, item, &record);
    Ok(Answer::MeetsSaid)
}
