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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::codes::{Action, Role};
    use crate::domain::journey::scene::{Person, Scene, org, start, told, written};

    const HAVEN: Person<'_> = ("haven", "ha1", Role::OrgAdmin);

    fn said(scene: &mut Scene, by: Person<'_>, days: i64, needs: &[Need]) -> Decision<Ruled> {
        let attempt = scene.attempt(by, Action::Propose, start().plus_days(days));
        let word = OwnWord {
            service: ServiceId::parse("haven-line").unwrap(),
            needs: needs.to_vec(),
        };
        scene.run(&attempt, |rules, attempt, known, keys| {
            say_meets(rules, attempt, known, keys, &word)
        })
    }

    #[test]
    fn an_administrator_says_it_for_her_own_service_alone_and_at_once() {
        let mut scene = Scene::borough();
        for other in [
            ("hospital", "na1", Role::OrgAdmin),
            ("police", "pa1", Role::OrgAdmin),
            ("operator", "op1", Role::OperatorAdmin),
            ("haven", "hi1", Role::IgOfficer),
        ] {
            let decision = said(&mut scene, other, 0, &[Need::Health]);
            assert_ne!(told(&decision), "meets-said", "{other:?}");
            assert!(written(&decision).is_empty(), "{other:?}");
        }
        let needs = [Need::Health, Need::Emotional, Need::Health];
        assert_eq!(told(&said(&mut scene, HAVEN, 0, &needs)), "meets-said");
        let meets = |scene: &Scene| {
            let services = scene.known.directory.services.iter();
            let own = services.filter(|one| one.organisation == org("haven"));
            let meets = own.filter_map(|one| one.meets.clone());
            meets.collect::<Vec<_>>()
        };
        let once = Meets {
            needs: vec![Need::Emotional, Need::Health],
            said_at: start(),
        };
        assert_eq!(meets(&scene), std::slice::from_ref(&once));
        // Said again, it is right from then on.
        said(&mut scene, HAVEN, 46, &once.needs);
        let again = Meets {
            said_at: start().plus_days(46),
            ..once
        };
        assert_eq!(meets(&scene), [again]);
    }
}
