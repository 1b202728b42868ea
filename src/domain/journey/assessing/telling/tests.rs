//! Who hears that what it was shown was corrected, what of it, and what nobody hears.

use super::super::super::trial::*;
use super::super::taking_back::{Mistake, take_back};
use super::super::{Draft, Replaces, record};
use super::TOLD_MAX;
use crate::domain::alias::AliasKind;
use crate::domain::answer::{Answer, Happened};
use crate::domain::codes::{Action, ReplaceHow, ReplaceReason, WithdrawnBecause};
use crate::domain::consent::Opens;
use crate::domain::decision::{Aggregate, Listed};
use crate::domain::id::{Id, LinkId, PersonId};
use crate::domain::journey::querying::{Query, Step, query};
use crate::domain::journey::reading;
use crate::domain::journey::settling::tests::wish;
use crate::domain::journey::subject::Subject;
use crate::domain::linkage::Linkage;
use crate::domain::record::{Record, singleton};

/// The hospital assessed her for both services; one was shown the cards, the other asked nothing.
fn shown() -> (Town, Id) {
    let mut town = Town::in_order();
    let recorded = town.assess("trust", AMINA, &draft(start(), &["lantern", "harbour"]));
    town.now = town.now.plus_hours(1);
    town.accepted("lantern", AMINA);
    town.accepted("harbour", AMINA);
    asks(&mut town, "assessments");
    (town, recorded)
}

fn asks(town: &mut Town, told: &str) {
    let question = Query {
        subject: Subject::Tokens(tokens(AMINA), None),
        step: Step::Cards,
        consent: Some(consent(Opens::Query, &[])),
        onward_rule_accepted: true,
        card_code: None,
    };
    let done = town.run(
        attempt("lantern", Action::QueryAssessments),
        |rules, attempt, known, keys| query(rules, attempt, known, keys, &question),
    );
    assert_eq!(done.answer.told(), told);
}

/// In the place of the one that the hospital knows by `old`.
fn replaced(town: &mut Town, old: Id, how: ReplaceHow) -> Done {
    let names = town.rules.aliases_of(&org("trust"));
    let mut again: Draft = draft(start(), &["lantern"]);
    again.replaces = Some(Replaces {
        assessment: names.outward(AliasKind::Assessment, old),
        how,
        because: ReplaceReason::SheCorrected,
    });
    let subject = Subject::Tokens(tokens(AMINA), None);
    town.run(
        attempt("trust", Action::RecordAssessment),
        |rules, attempt, known, keys| record(rules, attempt, known, keys, &subject, &again),
    )
}

/// What an organisation's events say of records that were corrected.
fn told(town: &mut Town, at: &str) -> Vec<(Id, String)> {
    let known = town.known();
    let entries: Vec<Listed> = known
        .corrected
        .keys()
        .map(|id| Listed {
            at: 0,
            index: 0,
            item: id.id(),
        })
        .collect();
    let done = town.run(
        attempt(at, Action::ReadEvents),
        |rules, attempt, known, keys| reading::list(rules, attempt, known, keys, &entries),
    );
    let Answer::Events(events) = done.answer else {
        panic!("{}", done.answer.told());
    };
    let of = |on: &Happened| match on {
        Happened::Corrected { person, since } => {
            assert_eq!(since.millis() % 86_400_000, 0, "by the day");
            *person
        }
        other => panic!("{other:?}"),
    };
    let events = events.iter();
    let events = events.map(|event| (of(&event.on), event.code.clone()));
    events.collect()
}

/// An organisation's own name for its own record of her.
fn own_record(town: &Town, at: &str) -> Id {
    let known = town.known();
    let own = |id: &&PersonId| {
        let record = known.people[*id].record.as_ref().unwrap();
        record.organisation == org(at)
    };
    let id = known.people.keys().find(own).unwrap();
    let names = town.rules.aliases_of(&org(at));
    names.outward(AliasKind::Person, id.id())
}

#[test]
fn who_was_shown_it_is_told_to_ask_again_under_its_own_record_and_nobody_else_is() {
    let (mut town, old) = shown();
    let done = replaced(&mut town, old, ReplaceHow::Correction);
    assert_eq!(done.answer.told(), "assessment-recorded");
    let hers = own_record(&town, "lantern");
    let events = told(&mut town, "lantern");
    assert_eq!(events, [(hers, "shown_record_corrected".to_owned())]);
    for at in ["harbour", "council"] {
        assert!(told(&mut town, at).is_empty(), "{at}");
    }
    // Neither the entry nor the notice says who was told or by whom.
    assert!(!done.decided.concerned.contains(&org("lantern")));
    asks(&mut town, "assessments");
}

#[test]
fn what_is_taken_back_is_told_whatever_the_mistake_was() {
    for because in WithdrawnBecause::ALL {
        let (mut town, old) = shown();
        let names = town.rules.aliases_of(&org("trust"));
        let alias = names.outward(AliasKind::Assessment, old);
        let mistake = Mistake {
            subject: Subject::Tokens(tokens(AMINA), None),
            because: *because,
        };
        let done = town.run(
            attempt("trust", Action::WithdrawAssessment),
            |rules, attempt, known, keys| take_back(rules, attempt, known, keys, alias, &mistake),
        );
        assert_eq!(done.answer.told(), "assessment-withdrawn");
        assert_eq!(told(&mut town, "lantern").len(), 1);
        assert!(told(&mut town, "harbour").is_empty());
    }
}

#[test]
fn a_new_assessment_tells_nobody() {
    let (mut town, old) = shown();
    replaced(&mut town, old, ReplaceHow::Reassessment);
    assert!(town.known().corrected.is_empty());
}

#[test]
fn that_she_withdrew_meanwhile_does_not_show() {
    let (mut town, old) = shown();
    town.now = town.now.plus_hours(1);
    town.withdraw("council", AMINA, &wish(false));
    replaced(&mut town, old, ReplaceHow::Correction);
    assert_eq!(told(&mut town, "lantern").len(), 1);
}

#[test]
fn an_entry_says_once_that_some_were_told_and_the_reviewer_hears_of_who_is_left_out() {
    for (more, left_out) in [(TOLD_MAX - 1, false), (TOLD_MAX, true)] {
        let (mut town, old) = shown();
        let links = town.known().links.into_values();
        let across: Vec<Linkage> = links.filter(|pair| pair.shown_at.is_some()).collect();
        let [pair] = across.as_slice() else {
            panic!("{}", across.len())
        };
        for number in 0..more {
            let number = u8::try_from(number).unwrap();
            let other = PersonId(Id::from_bytes([number; 16]));
            let id = LinkId::of(pair.held, other);
            let one = Linkage {
                id,
                other,
                ..pair.clone()
            };
            let of = Aggregate::Link(id);
            town.put(of, singleton("linkage"), &Record::Linkage(one));
        }
        let done = replaced(&mut town, old, ReplaceHow::Correction);
        assert_eq!(town.known().corrected.len(), TOLD_MAX);
        let notes = done.decided.notes.iter();
        let said = notes.filter(|note| *note == "who-was-shown-asks-again");
        assert_eq!(said.count(), 1);
        assert_eq!(done.noted("who-was-shown-left-out"), left_out);
        assert_eq!(done.decided.concerned.contains(&org("reviewer")), left_out);
    }
}
