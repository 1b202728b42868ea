//! What a pair of records that may be of one person promises (P5, P7).

use super::super::querying::{self, Query, Step};
use super::super::subject::Subject;
use super::super::trial::*;
use super::*;
use crate::domain::codes::Action;
use crate::domain::consent::Opens;
use crate::domain::person::Reason;

/// Her number on the record of somebody of another name, born on the same day.
const MISTYPED: Names<'static> = [
    "Roza",
    "Petrova",
    "1990-05-02",
    AMINA[3],
    "N1 9GU",
    "07700 900456",
];
/// Another woman altogether.
const NOBODY: Names<'static> = [
    "Carla",
    "Reyes",
    "1971-11-23",
    "9990000034",
    "SE1 7PB",
    "07700 900789",
];

/// The hospital assessed Amina; the service accepted, from police, somebody who bears her number.
fn met() -> (Town, Id) {
    let mut town = Town::in_order();
    town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    town.now = town.now.plus_hours(1);
    let alias = town.accepted("lantern", MISTYPED);
    (town, alias)
}

fn pairs(town: &Town) -> Vec<Linkage> {
    town.known().links.into_values().collect()
}

fn only(town: &Town) -> Linkage {
    let [pair] = pairs(town).try_into().unwrap();
    pair
}

fn ask(town: &mut Town, at: &str, alias: Id) -> Done {
    let question = Query {
        subject: Subject::Referral(alias),
        step: Step::Cards,
        consent: Some(consent(Opens::Query, &[])),
        onward_rule_accepted: true,
        card_code: None,
    };
    town.run(
        attempt(at, Action::QueryAssessments),
        |rules, attempt, known, keys| querying::query(rules, attempt, known, keys, &question),
    )
}

fn say(town: &mut Town, at: &str, link: LinkId, verdict: Verdict) -> Done {
    let action = match verdict {
        Verdict::Confirm => Action::ConfirmLink,
        Verdict::Reject | Verdict::Split => Action::RejectLink,
    };
    let aliases = town.rules.aliases_of(&org(at));
    let alias = aliases.outward(AliasKind::Link, link.id());
    town.run(attempt(at, action), |rules, attempt, known, keys| {
        decide(rules, attempt, known, keys, alias, verdict)
    })
}

fn seen(town: &mut Town, at: &str) -> Vec<SeenLink> {
    let entries: Vec<Listed> = pairs(town)
        .iter()
        .map(|pair| Listed {
            at: 0,
            index: 0,
            item: pair.id.id(),
        })
        .collect();
    let done = town.run(
        attempt(at, Action::ReadLinks),
        |rules, attempt, known, keys| list(rules, attempt, known, keys, &entries),
    );
    match done.answer {
        Answer::Links(links) => links,
        other => panic!("{}", other.told()),
    }
}

fn undone(town: &Town, at: &str) -> usize {
    let queue = town.queue(at);
    let undone = queue
        .iter()
        .filter(|item| item.rule == RuleCode::LinkUndone);
    undone.count()
}

#[test]
fn two_who_come_equally_close_wait_for_both_holders_until_one_says_that_it_is_not_her() {
    let mut town = Town::in_order();
    let asked = ["Amina", "Khan", "1990-05-02", "", "E8 1DY", ""];
    // Another woman of that name and day at the same postcode: she has a number of her own.
    let second = ["Amina", "Shah", "1990-05-02", "9990000026", "E8 1DY", ""];
    town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    town.now = town.now.plus_hours(1);
    let alias = town.accepted("lantern", asked);
    let done = ask(&mut town, "lantern", alias);
    assert!(!matches!(done.answer, Answer::Nothing));
    town.assess("council", second, &draft(start(), &["lantern"]));
    assert!(matches!(
        ask(&mut town, "lantern", alias).answer,
        Answer::Nothing
    ));
    let waiting: Vec<Linkage> = pairs(&town).into_iter().filter(|pair| pair.waits).collect();
    let holders: Vec<&str> = waiting.iter().map(|pair| pair.holder.as_str()).collect();
    assert_eq!(holders.len(), 2, "{holders:?}");
    assert!(waiting.iter().all(|pair| pair.tier == Tier::Possible));
    let theirs = waiting
        .iter()
        .find(|pair| pair.holder == org("council"))
        .unwrap();
    say(&mut town, "council", theirs.id, Verdict::Reject);
    let done = ask(&mut town, "lantern", alias);
    assert!(!matches!(done.answer, Answer::Nothing));
}

#[test]
fn what_the_tokens_leave_open_waits_for_who_holds_and_shows_the_asker_nothing() {
    let (mut town, alias) = met();
    let pair = only(&town);
    assert_eq!(
        (pair.holder.as_str(), pair.asker.as_str()),
        ("trust", "lantern")
    );
    assert_eq!(pair.state(), LinkState::Waiting);
    assert_eq!(pair.tier, Tier::Quarantine);
    assert!(pair.reasons.contains(&Reason::NumberSame));
    assert!(pair.reasons.contains(&Reason::GivenDifferent));
    let done = ask(&mut town, "lantern", alias);
    assert!(matches!(done.answer, Answer::Nothing));
    // To ask again, or to add what is there already, makes no second one.
    assert_eq!(pairs(&town), [pair]);
}

#[test]
fn the_holder_is_told_its_own_reference_and_kinds_of_field_and_nothing_of_the_other() {
    let (mut town, _) = met();
    let pair = only(&town);
    let [link] = seen(&mut town, "trust").try_into().unwrap();
    let aliases = town.rules.aliases_of(&org("trust"));
    let own = aliases.outward(AliasKind::Person, pair.held.id());
    assert_eq!(link.person, own);
    assert_eq!(link.since, pair.since.day_began());
    assert_ne!(link.since, pair.since);
    assert!(seen(&mut town, "lantern").is_empty());
    assert!(seen(&mut town, "harbour").is_empty());
}

#[test]
fn once_the_holder_confirms_the_asker_is_shown_and_after_a_split_no_more_and_is_told() {
    let (mut town, alias) = met();
    let link = only(&town).id;
    assert_eq!(
        say(&mut town, "trust", link, Verdict::Confirm)
            .answer
            .told(),
        "confirmed"
    );
    let done = ask(&mut town, "lantern", alias);
    assert_eq!(
        done.answer.told(),
        "assessments",
        "{:?}",
        done.decided.notes
    );
    assert!(only(&town).shown_at.is_some());

    let done = say(&mut town, "trust", link, Verdict::Split);
    assert_eq!(done.answer.told(), "split");
    // The entry of the split leads nobody to the hospital.
    assert!(done.decided.concerned.is_empty());
    let done = ask(&mut town, "lantern", alias);
    assert!(
        matches!(done.answer, Answer::Nothing),
        "{:?}",
        done.decided.notes
    );
    let queue = town.queue("lantern");
    let item = queue.iter().find(|item| item.rule == RuleCode::LinkUndone);
    let item = item.unwrap();
    assert_eq!(item.id, link.undone_item());
    assert_eq!(
        (item.organisation.as_str(), item.user.as_str()),
        ("lantern", "")
    );
    assert_eq!(item.at, town.now.day_began());
    assert_eq!(undone(&town, "trust"), 0);
}

#[test]
fn a_link_that_the_tokens_made_is_split_too_once_it_was_used() {
    let mut town = Town::in_order();
    town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    town.now = town.now.plus_hours(1);
    let alias = town.accepted("lantern", AMINA);
    assert!(pairs(&town).is_empty());
    assert_eq!(
        ask(&mut town, "lantern", alias).answer.told(),
        "assessments"
    );
    let pair = only(&town);
    assert_eq!(
        (pair.state(), pair.tier),
        (LinkState::Linked, Tier::Automatic)
    );
    // It is no question: there is nothing to confirm or reject.
    let done = say(&mut town, "trust", pair.id, Verdict::Confirm);
    assert_eq!(done.answer.told(), "already-answered");
    say(&mut town, "trust", pair.id, Verdict::Split);
    let done = ask(&mut town, "lantern", alias);
    assert!(
        matches!(done.answer, Answer::Nothing),
        "{:?}",
        done.decided.notes
    );
    assert_eq!(undone(&town, "lantern"), 1);
}

#[test]
fn whoever_relied_on_what_was_shown_does_not_count_as_such_after_a_split() {
    let mut town = Town::in_order();
    let assessment = town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    town.now = town.now.plus_hours(1);
    let alias = town.accepted("lantern", AMINA);
    ask(&mut town, "lantern", alias);
    let used = querying::relying::Use {
        subject: Subject::Referral(alias),
        reassessed_because: None,
    };
    let aliases = town.rules.aliases_of(&org("lantern"));
    let named = aliases.outward(AliasKind::Assessment, assessment);
    town.run(
        attempt("lantern", Action::RelyOnAssessment),
        |rules, attempt, known, keys| {
            querying::relying::rely_on(rules, attempt, known, keys, named, &used)
        },
    );
    let relied = |town: &Town| {
        let known = town.known();
        let mut held = known.people.values().flat_map(|person| &person.assessments);
        held.any(|assessment| !assessment.relied_on.is_empty())
    };
    assert!(relied(&town));
    let link = only(&town).id;
    say(&mut town, "trust", link, Verdict::Split);
    assert!(!relied(&town));
}

#[test]
fn a_pair_that_was_rejected_comes_back_only_if_a_record_changes_and_its_no_holds_meanwhile() {
    let (mut town, alias) = met();
    let link = only(&town).id;
    assert_eq!(
        say(&mut town, "trust", link, Verdict::Reject).answer.told(),
        "rejected"
    );
    ask(&mut town, "lantern", alias);
    assert_eq!(only(&town).state(), LinkState::Rejected);
    // Nobody was shown anything, so nobody is told.
    assert_eq!(undone(&town, "lantern"), 0);

    let moved = [
        MISTYPED[0],
        MISTYPED[1],
        MISTYPED[2],
        MISTYPED[3],
        "SE1 7PB",
        "",
    ];
    let again = town.accepted("lantern", moved);
    let pair = only(&town);
    assert_eq!(pair.state(), LinkState::Waiting);
    assert!(pair.is_parted());
    let done = ask(&mut town, "lantern", again);
    assert!(matches!(done.answer, Answer::Nothing));
    say(&mut town, "trust", link, Verdict::Confirm);
    assert_eq!(
        ask(&mut town, "lantern", again).answer.told(),
        "assessments"
    );
}

#[test]
fn to_say_the_same_again_changes_nothing_and_to_say_otherwise_is_too_late() {
    for (first, other) in [
        (Verdict::Confirm, Verdict::Reject),
        (Verdict::Reject, Verdict::Confirm),
        (Verdict::Split, Verdict::Confirm),
    ] {
        let (mut town, _) = met();
        let link = only(&town).id;
        say(&mut town, "trust", link, first);
        let pair = only(&town);
        town.now = town.now.plus_hours(1);
        let done = say(&mut town, "trust", link, first);
        assert_eq!(done.answer.told(), first.state().code());
        assert!(done.noted("decided-before"));
        let done = say(&mut town, "trust", link, other);
        assert_eq!(done.answer.told(), "already-answered");
        assert_eq!(only(&town), pair);
    }
}

#[test]
fn nobody_but_the_holder_decides_and_a_tainted_team_decides_nothing() {
    let (mut town, _) = met();
    let pair = only(&town);
    for at in ["lantern", "harbour", "practice"] {
        for verdict in [Verdict::Confirm, Verdict::Reject, Verdict::Split] {
            let done = say(&mut town, at, pair.id, verdict);
            assert!(matches!(done.answer, Answer::Nothing));
        }
    }
    let done = say(&mut town, "met", pair.id, Verdict::Confirm);
    assert_eq!(done.answer.told(), "role-not-allowed");
    town.taint("trust");
    let done = say(&mut town, "trust", pair.id, Verdict::Confirm);
    assert!(matches!(done.answer, Answer::Nothing));
    assert_eq!(only(&town), pair);
}

#[test]
fn a_yes_opens_only_what_its_speaker_holds_and_a_no_closes_both_ways() {
    let (mut town, _) = met();
    town.assess("lantern", MISTYPED, &draft(start(), &["trust"]));
    // The hospital has no referral of her, so it may not ask, and the service has nothing to decide.
    let pair = only(&town);
    say(&mut town, "trust", pair.id, Verdict::Confirm);
    let known = town.known();
    let tokens = |person| {
        known.people[&person]
            .record
            .as_ref()
            .unwrap()
            .tokens
            .clone()
    };
    let evidence = Evidence::between(&tokens(pair.held), &tokens(pair.other));
    assert_eq!(
        known.judged(pair.held, pair.other, &evidence),
        Tier::Automatic
    );
    assert_eq!(
        known.judged(pair.other, pair.held, &evidence),
        Tier::Quarantine
    );
    say(&mut town, "trust", pair.id, Verdict::Split);
    let known = town.known();
    assert_eq!(known.judged(pair.held, pair.other, &evidence), Tier::Never);
    assert_eq!(known.judged(pair.other, pair.held, &evidence), Tier::Never);
}

#[test]
fn a_record_that_contradicts_one_already_linked_is_not_joined() {
    let held = ["Ferhana", "Ossewa", "1986-07-19", AMINA[3], "E8 1DY", ""];
    let typo = ["Ferhara", "Ossewa", "1986-07-19", "", "E8 1DY", ""];
    let mut town = Town::in_order();
    town.assess("trust", held, &draft(start(), &["lantern"]));
    town.now = town.now.plus_hours(1);
    town.accepted("lantern", typo);
    let pair = only(&town);
    assert_eq!(
        (pair.state(), pair.tier),
        (LinkState::Waiting, Tier::Possible)
    );
    assert!(pair.reasons.contains(&Reason::GivenSimilar));
    // The practice's record is linked to the service's, and has another number than the hospital's.
    let other_number = [typo[0], typo[1], typo[2], NOBODY[3], typo[4], ""];
    town.assess("practice", other_number, &draft(start(), &[]));
    let link = pair.id;
    let state = |town: &Town| town.known().links[&link].state();
    let done = say(&mut town, "trust", link, Verdict::Confirm);
    assert_eq!(done.answer.told(), "check-your-answers");
    assert_eq!(state(&town), LinkState::Waiting);
    let done = say(&mut town, "trust", link, Verdict::Reject);
    assert_eq!(done.answer.told(), "rejected");
    assert_eq!(state(&town), LinkState::Rejected);
}

#[test]
fn two_numbers_are_two_people_whatever_was_confirmed() {
    let (mut town, alias) = met();
    let link = only(&town).id;
    say(&mut town, "trust", link, Verdict::Confirm);
    let pair = only(&town);
    let mut record = town.known().people[&pair.other].record.clone().unwrap();
    record.tokens.extend(tokens(NOBODY));
    town.put(
        Aggregate::Person(pair.other),
        singleton("person"),
        &Record::Person(record),
    );
    let done = ask(&mut town, "lantern", alias);
    assert!(
        matches!(done.answer, Answer::Nothing),
        "{:?}",
        done.decided.notes
    );
}

#[test]
fn a_withdrawal_reaches_what_was_confirmed_to_be_hers() {
    let (mut town, alias) = met();
    let link = only(&town).id;
    say(&mut town, "trust", link, Verdict::Confirm);
    let wish = super::super::withdrawing::Wish {
        scope: crate::domain::codes::WithdrawalScope::Everything,
        organisations: Vec::new(),
        classes: Vec::new(),
        purposes: Vec::new(),
        channel: "telephone".to_owned(),
        pause: false,
    };
    town.now = town.now.plus_hours(1);
    town.withdraw("trust", AMINA, &wish);
    let pair = only(&town);
    let known = town.known();
    assert_eq!(known.people[&pair.other].tombstones.len(), 1);
    let done = ask(&mut town, "lantern", alias);
    assert!(
        matches!(done.answer, Answer::Nothing),
        "{:?}",
        done.decided.notes
    );
}
