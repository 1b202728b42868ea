//! What a question about prior assessments promises (P5, P8, P11).

use super::super::trial::*;
use super::relying::{Use, rely_on};
use super::*;
use crate::domain::assessment::{Answers, Card, Reliance};
use crate::domain::codes::{
    Action, ConsentStrength, DataClass, Direction, Grade, Interpreter, Purpose, Role,
    ServiceFamily, WithdrawalScope,
};
use crate::domain::codes::{ReassessReason, ReplaceHow, ReplaceReason};
use crate::domain::consent::Recipients;
use crate::domain::decision::PartRef;
use crate::domain::journey::assessing::Replaces;
use crate::domain::known;

use super::super::withdrawing::Wish;

fn ask(town: &mut Town, at: &str, subject: Subject) -> Done {
    ask_with(town, at, subject, Some(consent(Opens::Query, &[])))
}

fn ask_with(town: &mut Town, at: &str, subject: Subject, consent: Option<Consent>) -> Done {
    ask_step(town, at, subject, consent, Step::Cards)
}

fn ask_step(
    town: &mut Town,
    at: &str,
    subject: Subject,
    consent: Option<Consent>,
    step: Step,
) -> Done {
    let question = Query {
        subject,
        step,
        consent,
        onward_rule_accepted: true,
        card_code: None,
    };
    town.run(
        attempt(at, Action::QueryAssessments),
        |rules, attempt, known, keys| query(rules, attempt, known, keys, &question),
    )
}

fn by_name(names: Names<'_>) -> Subject {
    Subject::Tokens(tokens(names), None)
}

/// The hospital assessed her and may tell the service; the service accepted a police referral.
fn told_once() -> (Town, Id) {
    let mut town = Town::in_order();
    town.assess("trust", AMINA, &draft(start(), &["lantern", "council"]));
    town.now = town.now.plus_hours(1);
    let alias = town.accepted("lantern", AMINA);
    (town, alias)
}

fn shown(done: &Done) -> &[PartRef] {
    match &done.answer {
        Answer::Assessments(_, release) | Answer::ItemAnswers(_, release) => &release.value().parts,
        _ => &[],
    }
}

#[track_caller]
fn nothing(done: &Done, why: &str) {
    assert!(
        matches!(done.answer, Answer::Nothing),
        "{}",
        done.answer.told()
    );
    assert!(done.answer.parts().is_empty());
    assert!(done.noted(why), "{:?}", done.decided.notes);
    // The reason is in the part of the entry that the asker's receipt does not open.
    assert_eq!(done.decided.told, "nothing-to-show");
}

fn everything() -> Wish {
    Wish {
        scope: WithdrawalScope::Everything,
        organisations: Vec::new(),
        classes: Vec::new(),
        purposes: Vec::new(),
        channel: "telephone".to_owned(),
        pause: false,
    }
}

#[test]
fn with_both_consents_she_need_not_tell_it_again() {
    let (mut town, alias) = told_once();
    let done = ask(&mut town, "lantern", Subject::Referral(alias));
    let [part] = shown(&done) else {
        panic!("{:?}", done.decided.notes);
    };
    assert_eq!(part.class, DataClass::Sp);
    let card = Card::decode(town.plain(part));
    assert_eq!(card.ok().unwrap().grade.code(), "high");
    assert_eq!(done.decided.disclosed, ["sp"]);
    assert_eq!(done.decided.consents.len(), 2);
    assert_eq!(done.decided.concerned, [org("trust")]);
    assert_eq!(done.decided.relationship.unwrap(), "accepted_from_another");
    // The consent to ask is on record now.
    let again = ask_with(&mut town, "lantern", by_name(AMINA), None);
    assert_eq!(shown(&again).len(), 1);
}

#[test]
fn only_the_answers_are_released_never_who_is_safe_nor_what_came_with_the_referral() {
    let (mut town, alias) = told_once();
    let done = ask(&mut town, "lantern", Subject::Referral(alias));
    let held: Vec<DataClass> = town.known().parts.iter().map(|part| part.class).collect();
    assert!(held.contains(&DataClass::Loc) && held.contains(&DataClass::Id));
    let plain: Vec<&[u8]> = shown(&done).iter().map(|part| town.plain(part)).collect();
    for word in ["sister", "brother", "900789", "Khan"] {
        let found = |bytes: &[u8]| bytes.windows(word.len()).any(|at| at == word.as_bytes());
        assert!(!plain.iter().any(|bytes| found(bytes)), "{word}");
    }
}

#[test]
fn a_relationship_that_the_asker_made_alone_opens_nothing() {
    for direction in [Direction::SelfReferral, Direction::Family] {
        let (mut town, _) = told_once();
        town.assess("trust", BEATA, &draft(start(), &["lantern"]));
        let alias = town.refer("met", "lantern", BEATA, direction);
        town.accept("lantern", alias);
        let done = ask(&mut town, "lantern", Subject::Referral(alias));
        nothing(&done, "relationship-self-made");
        assert_eq!(done.decided.concerned, [org("trust")]);
    }
    let (mut town, _) = told_once();
    town.assess("trust", BEATA, &draft(start(), &["lantern"]));
    let alias = town.refer("lantern", "lantern", BEATA, Direction::Voluntary);
    town.accept("lantern", alias);
    nothing(
        &ask(&mut town, "lantern", Subject::Referral(alias)),
        "relationship-self-made",
    );
}

#[test]
fn an_offer_that_is_not_accepted_opens_nothing() {
    let (mut town, _) = told_once();
    let alias = town.refer("met", "council", AMINA, Direction::Police);
    nothing(
        &ask(&mut town, "council", Subject::Referral(alias)),
        "no-own-record",
    );
    nothing(
        &ask(&mut town, "council", by_name(AMINA)),
        "no-accepted-referral",
    );
}

#[test]
fn what_the_asker_adds_to_its_own_record_turns_nobody_into_another() {
    let (mut town, alias) = told_once();
    town.assess("trust", BEATA, &draft(start(), &["lantern"]));
    // Its record of Amina now carries Beata's tokens as well, and none of Amina's.
    let known = town.known();
    let person = Subject::Referral(alias)
        .record(
            Rules::for_tests(),
            &attempt("lantern", Action::QueryAssessments),
            &known,
        )
        .unwrap();
    let mut record = known.people[&person].record.clone().unwrap();
    record.tokens = tokens(BEATA);
    let of = Aggregate::Person(person);
    town.put(
        of,
        crate::domain::record::singleton("person"),
        &Record::Person(record),
    );
    let done = ask(&mut town, "lantern", Subject::Referral(alias));
    nothing(&done, "not-linked");
}

#[test]
fn where_two_people_come_equally_close_neither_is_shown() {
    let mut town = Town::in_order();
    let asked = ["Amina", "Khan", "1990-05-02", "", "E8 1DY", ""];
    let first = ["Amina", "Khan", "1990-05-02", "9990000018", "E8 1DY", ""];
    // Another woman of that name and day at the same postcode: she has a number of her own.
    let second = ["Amina", "Shah", "1990-05-02", "9990000026", "E8 1DY", ""];
    town.assess("trust", first, &draft(start(), &["lantern"]));
    town.now = town.now.plus_hours(1);
    let alias = town.accepted("lantern", asked);
    let done = ask(&mut town, "lantern", Subject::Referral(alias));
    assert!(!shown(&done).is_empty());
    town.assess("council", second, &draft(start(), &["lantern"]));
    let done = ask(&mut town, "lantern", Subject::Referral(alias));
    nothing(&done, "none-held");
}

#[test]
fn name_and_birth_alone_tell_that_something_exists_and_no_more() {
    let mut town = Town::in_order();
    let named = ["Amina", "Khan", "1990-05-02", "", "", ""];
    let id = town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    let alias = town.accepted("lantern", named);
    let names = town.rules.aliases_of(&org("lantern"));
    let named_so = names.outward(AliasKind::Assessment, id);
    let asks = |town: &mut Town, step| {
        let hers = Some(consent(Opens::Query, &[]));
        ask_step(town, "lantern", Subject::Referral(alias), hers, step)
    };
    let done = asks(&mut town, Step::Exists);
    assert!(matches!(
        done.answer,
        Answer::AssessmentExists { is_sure: false }
    ));
    assert!(done.noted("name-and-birth-only") && done.answer.parts().is_empty());
    // Whose it may be learns of the question, since the answer told of what it holds.
    assert_eq!(done.decided.concerned, [org("trust")]);
    for (step, why) in [
        (Step::Cards, "none-held"),
        (Step::Answers(named_so), "no-such-assessment"),
    ] {
        nothing(&asks(&mut town, step), why);
    }
    // Her no counts where it may be hers.
    let mut stopped = town.copy();
    stopped.now = stopped.now.plus_hours(1);
    let purpose = Wish {
        scope: WithdrawalScope::Purpose,
        purposes: vec![Purpose::PriorAssessment],
        ..everything()
    };
    stopped.withdraw(
        "council",
        ["Amina", "Khan", "1990-05-02", "", "N1 9GU", ""],
        &purpose,
    );
    let done = asks(&mut stopped, Step::Exists);
    nothing(&done, "consent-stopped");
    // The holder is asked, and says that both are of her.
    let known = town.known();
    let pair = known.links.values().find(|pair| pair.waits).unwrap().id;
    let theirs = town.rules.aliases_of(&org("trust"));
    let pair = theirs.outward(AliasKind::Link, pair.id());
    let said = town.run(
        attempt("trust", Action::ConfirmLink),
        |rules, attempt, known, keys| {
            let verdict = crate::domain::linkage::Verdict::Confirm;
            linking::decide(rules, attempt, known, keys, pair, verdict)
        },
    );
    assert_eq!(said.answer.told(), "confirmed");
    let done = asks(&mut town, Step::Exists);
    assert!(matches!(
        done.answer,
        Answer::AssessmentExists { is_sure: true }
    ));
    assert_eq!(shown(&asks(&mut town, Step::Cards)).len(), 1);
}

#[test]
fn a_corroborator_in_the_askers_own_record_is_as_good_as_the_holders_word() {
    let mut town = Town::in_order();
    let named = ["Amina", "Khan", "1990-05-02", "", "", ""];
    town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    let alias = town.accepted("lantern", named);
    let with_home = ["Amina", "Khan", "1990-05-02", "", "E8 1DY", ""];
    let own = Subject::Referral(alias);
    assert!(matches!(
        ask_step(
            &mut town,
            "lantern",
            own,
            Some(consent(Opens::Query, &[])),
            Step::Exists
        )
        .answer,
        Answer::AssessmentExists { is_sure: false }
    ));
    // She says where she lives, and the service records it with its own assessment.
    let known = town.known();
    let asker = Subject::Referral(alias);
    let person = asker.record(
        town.rules,
        &attempt("lantern", Action::QueryAssessments),
        &known,
    );
    let person = person.unwrap();
    let mut record = known.people[&person].record.clone().unwrap();
    record.tokens.extend(tokens(with_home));
    record.tokens.sort_unstable();
    record.tokens.dedup();
    let of = Aggregate::Person(person);
    town.put(
        of,
        crate::domain::record::singleton("person"),
        &Record::Person(record),
    );
    assert_eq!(
        shown(&ask(&mut town, "lantern", Subject::Referral(alias))).len(),
        1
    );
}

#[test]
fn two_women_of_one_name_and_day_hide_each_other_at_the_first_step_too() {
    let mut town = Town::in_order();
    let named = ["Amina", "Khan", "1990-05-02", "", "", ""];
    town.assess(
        "trust",
        ["Amina", "Khan", "1990-05-02", "9990000018", "", ""],
        &draft(start(), &["lantern"]),
    );
    town.assess(
        "council",
        ["Amina", "Khan", "1990-05-02", "9990000026", "", ""],
        &draft(start(), &["lantern"]),
    );
    let alias = town.accepted("lantern", named);
    let hers = Some(consent(Opens::Query, &[]));
    let done = ask_step(
        &mut town,
        "lantern",
        Subject::Referral(alias),
        hers,
        Step::Exists,
    );
    nothing(&done, "none-held");
}

#[test]
fn the_highest_grade_is_shown_however_many_lower_ones_came_later() {
    let (mut town, alias) = told_once();
    for _ in 0..25 {
        town.now = town.now.plus_hours(1);
        let mut lower = draft(town.now, &["lantern"]);
        lower.card.grade = Grade::Standard;
        town.assess("trust", AMINA, &lower);
    }
    let done = ask(&mut town, "lantern", Subject::Referral(alias));
    let Answer::Assessments(list, _) = &done.answer else {
        panic!("{:?}", done.decided.notes)
    };
    assert_eq!(list.len(), SHOWN_MAX);
    assert_eq!(list[0].grade, Grade::High);
    assert!(list[1..].iter().all(|one| one.grade == Grade::Standard));
    let newest = list.iter().map(|one| one.recorded_at).max();
    assert_eq!(newest, Some(town.now));
}

#[test]
fn each_step_tells_its_own_and_says_in_the_log_which_it_was() {
    let (mut town, alias) = told_once();
    let mut asks = |step| {
        let hers = Some(consent(Opens::Query, &[]));
        let done = ask_step(&mut town, "lantern", Subject::Referral(alias), hers, step);
        let plain: Vec<Vec<u8>> = shown(&done)
            .iter()
            .map(|part| town.plain(part).to_vec())
            .collect();
        (done, plain)
    };
    let (exists, plain) = asks(Step::Exists);
    assert!(matches!(
        exists.answer,
        Answer::AssessmentExists { is_sure: true }
    ));
    assert!(plain.is_empty());
    assert_eq!(
        (
            exists.why.reason.as_deref(),
            exists.decided.disclosed.as_slice()
        ),
        (Some("exists"), ["op".to_owned()].as_slice())
    );
    let (cards, plain) = asks(Step::Cards);
    assert_eq!(cards.why.reason.as_deref(), Some("cards"));
    let [card] = plain.as_slice() else { panic!() };
    let card = Card::decode(card).ok().unwrap();
    assert_eq!((card.ticks, card.grade.code()), (Some(2), "high"));
    let Answer::Assessments(list, _) = &cards.answer else {
        panic!()
    };
    let names = Rules::for_tests().aliases_of(&org("lantern"));
    let one = names.outward(AliasKind::Assessment, list[0].id.id());
    let (answers, plain) = asks(Step::Answers(one));
    assert_eq!(answers.why.reason.as_deref(), Some("answers"));
    assert_eq!(plain.len(), 2);
    let items = plain.iter().find_map(|plain| {
        Answers::decode(plain)
            .ok()
            .filter(|found| !found.items.is_empty())
    });
    assert_eq!(items.unwrap().items.len(), 3);
    let (nobodys, _) = asks(Step::Answers(Id::from_bytes([5; 16])));
    nothing(&nobodys, "no-such-assessment");
}

#[test]
fn a_step_that_either_consent_does_not_reach_is_the_uniform_nothing() {
    use ConsentDepth::{Answers as All, Cards, Exists};
    for (share, query, reached) in [
        (All, All, 3),
        (All, Cards, 2),
        (Cards, All, 2),
        (All, Exists, 1),
        (Exists, All, 1),
        (Exists, Exists, 1),
    ] {
        let mut town = Town::in_order();
        let mut given = draft(start(), &["lantern"]);
        given.consents[0].depth = Some(share);
        let id = town.assess("trust", AMINA, &given);
        let alias = town.accepted("lantern", AMINA);
        let names = town.rules.aliases_of(&org("lantern"));
        let one = names.outward(AliasKind::Assessment, id);
        for (place, step) in (1..).zip([Step::Exists, Step::Cards, Step::Answers(one)]) {
            let mut hers = consent(Opens::Query, &[]);
            hers.depth = Some(query);
            let done = ask_step(
                &mut town,
                "lantern",
                Subject::Referral(alias),
                Some(hers),
                step,
            );
            if place <= reached {
                assert_ne!(
                    done.answer.told(),
                    "nothing-to-show",
                    "{share:?} {query:?} {step:?}"
                );
            } else {
                let why = if share < step.depth() {
                    "no-consent-to-share"
                } else {
                    "no-consent-to-ask"
                };
                nothing(&done, why);
            }
        }
    }
}

#[test]
fn what_was_replaced_is_shown_to_nobody_else() {
    let (mut town, alias) = told_once();
    let first = town.known();
    let first = first
        .people
        .values()
        .flat_map(|person| &person.assessments)
        .next()
        .unwrap()
        .id;
    let theirs = town.rules.aliases_of(&org("trust"));
    town.now = town.now.plus_hours(1);
    let mut again = draft(town.now, &["lantern"]);
    again.replaces = Some(Replaces {
        assessment: theirs.outward(AliasKind::Assessment, first.id()),
        how: ReplaceHow::Reassessment,
        because: ReplaceReason::RiskChanged,
    });
    let second = town.assess("trust", AMINA, &again);
    let done = ask(&mut town, "lantern", Subject::Referral(alias));
    let Answer::Assessments(list, _) = &done.answer else {
        panic!("{:?}", done.decided.notes)
    };
    assert_eq!(
        list.iter().map(|one| one.id.id()).collect::<Vec<_>>(),
        [second]
    );
    assert!(done.noted("replaced-or-withdrawn"));
    let names = town.rules.aliases_of(&org("lantern"));
    let old = names.outward(AliasKind::Assessment, first.id());
    let hers = Some(consent(Opens::Query, &[]));
    let done = ask_step(
        &mut town,
        "lantern",
        by_name(AMINA),
        hers,
        Step::Answers(old),
    );
    nothing(&done, "replaced-or-withdrawn");
}

#[test]
fn the_reply_is_the_same_for_all_five_reasons() {
    // None held.
    let mut town = Town::in_order();
    let alias = town.accepted("lantern", BEATA);
    nothing(
        &ask(&mut town, "lantern", Subject::Referral(alias)),
        "none-held",
    );
    // Held, but she has not consented: to sharing, to asking.
    let mut town = Town::in_order();
    town.assess("trust", AMINA, &draft(start(), &[]));
    let alias = town.accepted("lantern", AMINA);
    nothing(
        &ask(&mut town, "lantern", Subject::Referral(alias)),
        "no-consent-to-share",
    );
    let (mut town, alias) = told_once();
    nothing(
        &ask_with(&mut town, "lantern", Subject::Referral(alias), None),
        "no-consent-to-ask",
    );
    // Out of date.
    let mut town = Town::in_order();
    let mut short = draft(start(), &["lantern"]);
    short.valid_until = Some(start().plus_days(1));
    town.assess("trust", AMINA, &short);
    town.now = start().plus_days(1);
    let alias = town.accepted("lantern", AMINA);
    nothing(
        &ask(&mut town, "lantern", Subject::Referral(alias)),
        "out-of-date",
    );
    // Withdrawn.
    let (mut town, _) = told_once();
    town.now = town.now.plus_hours(1);
    town.withdraw("council", AMINA, &everything());
    nothing(
        &ask(&mut town, "lantern", by_name(AMINA)),
        "no-accepted-referral",
    );
    // Firewalled.
    let (mut town, alias) = told_once();
    town.taint("lantern");
    nothing(
        &ask(&mut town, "lantern", Subject::Referral(alias)),
        "firewalled",
    );
    // And nobody knows her at all.
    nothing(
        &ask(&mut town, "lantern", by_name(BEATA)),
        "no-accepted-referral",
    );
    nothing(
        &ask(
            &mut town,
            "lantern",
            Subject::Person(Id::from_bytes([5; 16])),
        ),
        "no-own-record",
    );
}

#[test]
fn her_withdrawal_stops_what_she_consented_to_before_it() {
    let stops = [
        (
            WithdrawalScope::Purpose,
            Vec::new(),
            vec![Purpose::PriorAssessment],
        ),
        (WithdrawalScope::Class, vec![DataClass::Sp], Vec::new()),
    ];
    for (scope, classes, purposes) in stops {
        let (mut town, alias) = told_once();
        assert_eq!(
            shown(&ask(&mut town, "lantern", Subject::Referral(alias))).len(),
            1
        );
        town.now = town.now.plus_hours(1);
        let wish = Wish {
            scope,
            classes,
            purposes,
            ..everything()
        };
        town.withdraw("council", AMINA, &wish);
        town.now = town.now.plus_hours(1);
        let done = ask_with(&mut town, "lantern", by_name(AMINA), None);
        nothing(&done, "consent-stopped");
        // New consent to ask is not enough: the hospital's is older than her withdrawal.
        let mut fresh = consent(Opens::Query, &[]);
        fresh.given_at = town.now;
        fresh.from = town.now;
        let done = ask_with(&mut town, "lantern", by_name(AMINA), Some(fresh));
        nothing(&done, "consent-stopped");
        // What she tells and allows anew is shown.
        town.assess("trust", AMINA, &draft(town.now, &["lantern"]));
        let done = ask_with(&mut town, "lantern", by_name(AMINA), None);
        assert_eq!(shown(&done).len(), 1, "{:?}", done.decided.notes);
    }
}

#[test]
fn consent_of_another_recipient_purpose_or_class_does_not_cover() {
    let changes: [fn(&mut Consent); 4] = [
        |consent| consent.recipients.organisations = vec![org("harbour")],
        |consent| {
            consent.recipients = Recipients {
                organisations: Vec::new(),
                families: vec![ServiceFamily::Accommodation],
            };
        },
        |consent| consent.purposes = vec![Purpose::Support],
        |consent| consent.classes = vec![DataClass::Op],
    ];
    for change in changes {
        let mut town = Town::in_order();
        let mut other = draft(start(), &["lantern"]);
        change(&mut other.consents[0]);
        town.assess("trust", AMINA, &other);
        let alias = town.accepted("lantern", AMINA);
        let done = ask(&mut town, "lantern", Subject::Referral(alias));
        nothing(&done, "no-consent-to-share");
    }
    // A family of services that the asker runs does cover.
    let mut town = Town::in_order();
    let mut family = draft(start(), &["harbour"]);
    family.consents[0].recipients.families = vec![ServiceFamily::Community];
    town.assess("trust", AMINA, &family);
    let alias = town.accepted("lantern", AMINA);
    assert_eq!(
        shown(&ask(&mut town, "lantern", Subject::Referral(alias))).len(),
        1
    );
}

#[test]
fn consent_given_through_a_relative_or_only_implied_opens_nothing_here() {
    type Change = fn(&mut Consent);
    let changes: [(Change, &str); 2] = [
        (
            |consent| consent.interpreter = Interpreter::Family,
            "no-consent-to-share",
        ),
        (
            |consent| consent.strength = ConsentStrength::Implied,
            "firewalled",
        ),
    ];
    for (change, why) in changes {
        let mut town = Town::in_order();
        let mut weak = draft(start(), &["lantern"]);
        change(&mut weak.consents[0]);
        town.assess("trust", AMINA, &weak);
        let alias = town.accepted("lantern", AMINA);
        nothing(&ask(&mut town, "lantern", Subject::Referral(alias)), why);
    }
}

#[test]
fn one_source_without_consent_hides_itself_and_not_the_other() {
    let mut town = Town::in_order();
    // Implied consent serves between health bodies, explicit consent anywhere.
    let mut implied = draft(start(), &["practice"]);
    implied.consents[0].strength = ConsentStrength::Implied;
    town.assess("trust", AMINA, &implied);
    town.assess("harbour", AMINA, &draft(start(), &["practice"]));
    town.assess("council", AMINA, &draft(start(), &["lantern"]));
    let alias = town.accepted("practice", AMINA);
    let done = ask(&mut town, "practice", Subject::Referral(alias));
    let Answer::Assessments(assessments, release) = &done.answer else {
        panic!("{:?}", done.decided.notes);
    };
    let mut sources: Vec<&str> = assessments.iter().map(|one| one.source.as_str()).collect();
    sources.sort_unstable();
    assert_eq!(sources, ["harbour", "trust"]);
    assert_eq!(release.value().parts.len(), 2);
    assert_eq!(done.decided.concerned.len(), 3);
    assert_eq!(done.decided.sources, 2);
}

#[test]
fn consent_speaks_of_what_was_there_when_she_gave_it() {
    let mut town = Town::in_order();
    town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    town.now = town.now.plus_hours(1);
    town.assess("trust", AMINA, &draft(town.now, &[]));
    let alias = town.accepted("lantern", AMINA);
    let done = ask(&mut town, "lantern", Subject::Referral(alias));
    assert_eq!(shown(&done).len(), 1, "only the one that she spoke of");
    assert!(done.noted("no-consent-to-share"));
}

#[test]
fn consent_recorded_apart_opens_what_was_there_before() {
    let mut town = Town::in_order();
    let id = town.assess("trust", AMINA, &draft(start(), &[]));
    town.now = town.now.plus_hours(1);
    let alias = town.accepted("lantern", AMINA);
    let known = town.known();
    let holds = |person: &known::Person| person.assessments.iter().any(|one| one.id.id() == id);
    let (person, _) = known.people.iter().find(|(_, one)| holds(one)).unwrap();
    let names = Rules::for_tests().aliases_of(&org("trust"));
    let person = names.outward(AliasKind::Person, person.id());
    let mut later = consent(Opens::Share, &["lantern"]);
    later.given_at = town.now;
    let done = town.run(
        attempt("trust", Action::RecordConsent),
        |rules, attempt, known, keys| {
            super::super::consenting::record(rules, attempt, known, keys, person, &later)
        },
    );
    assert_eq!(done.answer.told(), "consent-recorded");
    let done = ask(&mut town, "lantern", Subject::Referral(alias));
    assert_eq!(shown(&done).len(), 1, "{:?}", done.decided.notes);
}

#[test]
fn her_later_refusal_outweighs_her_consent() {
    let (mut town, alias) = told_once();
    town.now = town.now.plus_hours(1);
    let mut refusal = draft(town.now, &["lantern"]);
    refusal.consents[0].decision = crate::domain::codes::ConsentDecision::Deny;
    town.assess("trust", AMINA, &refusal);
    let done = ask(&mut town, "lantern", Subject::Referral(alias));
    nothing(&done, "consent-stopped");
}

#[test]
fn a_tainted_team_gets_nothing_and_another_team_of_the_same_body_is_no_recipient() {
    let mut town = Town::in_order();
    town.assess("trust", AMINA, &draft(start(), &["council"]));
    let alias = town.accepted("council", AMINA);
    assert_eq!(
        shown(&ask(&mut town, "council", Subject::Referral(alias))).len(),
        1
    );
    town.taint("council");
    nothing(
        &ask(&mut town, "council", Subject::Referral(alias)),
        "firewalled",
    );
}

#[test]
fn police_are_refused_whatever_is_held() {
    for names in [AMINA, BEATA] {
        let (mut town, _) = told_once();
        let done = ask(&mut town, "met", by_name(names));
        assert_eq!(done.answer.told(), "role-not-allowed");
        assert!(done.decided.concerned.is_empty());
        // Nor in a role that others may use.
        let question = Query {
            subject: by_name(names),
            step: Step::Exists,
            consent: None,
            onward_rule_accepted: true,
            card_code: None,
        };
        let mut posing = attempt("met", Action::QueryAssessments);
        posing.role = Role::Adviser;
        let done = town.run(posing, |rules, attempt, known, keys| {
            query(rules, attempt, known, keys, &question)
        });
        assert_eq!(done.answer.told(), "role-not-allowed");
    }
}

#[test]
fn different_people_are_counted_found_or_not_and_the_same_one_once() {
    let (mut town, alias) = told_once();
    // The agreement of the town says two a day.
    for _ in 0..5 {
        assert!(!ask(&mut town, "lantern", Subject::Referral(alias)).limited);
        assert!(!ask(&mut town, "lantern", by_name(AMINA)).limited);
    }
    assert!(!ask(&mut town, "lantern", by_name(BEATA)).limited);
    assert!(
        ask(
            &mut town,
            "lantern",
            Subject::Person(Id::from_bytes([5; 16]))
        )
        .limited
    );
    town.now = town.now.plus_days(1);
    let next = ask(
        &mut town,
        "lantern",
        Subject::Person(Id::from_bytes([5; 16])),
    );
    assert!(!next.limited);
}

#[test]
fn relying_on_one_is_recorded_at_its_source_and_the_reply_never_tells() {
    let (mut town, alias) = told_once();
    ask(&mut town, "lantern", Subject::Referral(alias));
    let id = {
        let known = town.known();
        let mut all = known.people.values().flat_map(|person| &person.assessments);
        all.next().unwrap().id.id()
    };
    let rules = Rules::for_tests();
    let outward = |at: &str| {
        rules
            .aliases_of(&org(at))
            .outward(AliasKind::Assessment, id)
    };
    let use_it = |town: &mut Town, at: &str, names, because| {
        let used = Use {
            subject: by_name(names),
            reassessed_because: because,
        };
        town.run(
            attempt(at, Action::RelyOnAssessment),
            |rules, attempt, known, keys| rely_on(rules, attempt, known, keys, outward(at), &used),
        )
    };
    let relied = |town: &Town| -> Vec<Reliance> {
        let known = town.known();
        let all = known.people.values().flat_map(|person| &person.assessments);
        all.flat_map(|assessment| assessment.relied_on.clone())
            .collect()
    };
    // Nobody relies on what only exists to her.
    let (mut before, other) = told_once();
    let hers = Some(consent(Opens::Query, &[]));
    ask_step(
        &mut before,
        "lantern",
        Subject::Referral(other),
        hers,
        Step::Exists,
    );
    assert!(use_it(&mut before, "lantern", AMINA, None).noted("not-shown"));
    assert!(relied(&before).is_empty());
    // Of no use to those who may not see it, and they are told the same.
    for (at, names) in [("council", AMINA), ("harbour", BEATA), ("lantern", BEATA)] {
        assert_eq!(
            use_it(&mut town, at, names, None).answer.told(),
            "relied-on"
        );
        assert!(relied(&town).is_empty());
    }
    assert_eq!(
        use_it(&mut town, "met", AMINA, None).answer.told(),
        "role-not-allowed"
    );
    let because = Some(ReassessReason::RiskChanged);
    assert_eq!(
        use_it(&mut town, "lantern", AMINA, None).answer.told(),
        "relied-on"
    );
    assert_eq!(
        use_it(&mut town, "lantern", AMINA, because).answer.told(),
        "relied-on"
    );
    let [reliance] = relied(&town).try_into().unwrap();
    assert_eq!(reliance.organisation, org("lantern"));
    assert_eq!(reliance.reassessed_because, because);
}
