//! What a question about prior assessments promises (P5, P8, P11).

use super::super::trial::*;
use super::*;
use crate::domain::codes::{
    Action, ConsentStrength, DataClass, Direction, Interpreter, Purpose, Role, ServiceFamily,
    WithdrawalScope,
};
use crate::domain::consent::Recipients;
use crate::domain::decision::PartRef;

use super::super::withdrawing::Wish;

fn ask(town: &mut Town, at: &str, subject: Subject) -> Done {
    ask_with(town, at, subject, Some(consent(Opens::Query, &[])))
}

fn ask_with(town: &mut Town, at: &str, subject: Subject, consent: Option<Consent>) -> Done {
    let question = Query {
        subject,
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
        Answer::Assessments(_, release) => &release.value().parts,
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
    let answers = crate::domain::assessment::Answers::decode(town.plain(part));
    assert_eq!(answers.ok().unwrap().grade.code(), "high");
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
fn name_and_birth_alone_show_nothing() {
    let mut town = Town::in_order();
    let named = ["Amina", "Khan", "1990-05-02", "", "", ""];
    town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    let alias = town.accepted("lantern", named);
    nothing(
        &ask(&mut town, "lantern", Subject::Referral(alias)),
        "none-held",
    );
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
