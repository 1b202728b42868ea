//! What a request promises of its clock, its handing over and its words.

use super::*;
use crate::domain::subject_access::{DELIVERED_MAX, WORDS_DAYS};

#[test]
fn it_is_handed_over_in_person_by_another_than_who_took_it_when_it_is_time() {
    let (mut town, alias) = she_asked();
    assert_eq!(field(&delivered(&mut town, alias)), "id", "too early");
    town.now = town.now.plus_days(25);
    let unchecked = Delivering {
        identity_checked: false,
        ..delivering()
    };
    let by = officer(Action::DeliverSubjectAccess);
    let done = delivered_by(&mut town, by, alias, &unchecked);
    nothing(&done, "identity-not-checked");
    let posted = Delivering {
        how: Some(Delivery::Posted),
        ..delivering()
    };
    let by = officer(Action::DeliverSubjectAccess);
    let done = delivered_by(&mut town, by, alias, &posted);
    assert_eq!(field(&done), "post_is_safe");
    let mut without = officer(Action::DeliverSubjectAccess);
    without.second_factor = false;
    let done = delivered_by(&mut town, without, alias, &delivering());
    assert_eq!(*refused(&done), Refusal::SecondFactorNeeded);
    let worker = attempt("lantern", Action::DeliverSubjectAccess);
    let done = delivered_by(&mut town, worker, alias, &delivering());
    assert!(matches!(refused(&done), Refusal::RoleNotAllowed { .. }));
    let done = delivered(&mut town, alias);
    assert_eq!(done.answer.told(), "subject-access-report");

    // Who took it cannot hand it over.
    let mut own = officer(Action::TakeSubjectAccess);
    own.role = Role::IgOfficer;
    let before = taking(AMINA, town.now.plus_days(-29));
    let alias = id(&taken_by(&mut town, own, &before));
    assert_eq!(field(&delivered(&mut town, alias)), "id");
}

#[test]
fn what_is_late_takes_an_explanation_and_comes_before_the_officer() {
    let (mut town, alias) = she_asked();
    let pressing_now = |town: &mut Town| {
        let mut seen = Vec::new();
        town.run(
            officer(Action::ReadAuditQueue),
            |rules, attempt, known, keys| {
                let ruling = Ruling::new(rules, attempt, known, keys);
                seen = pressing(&ruling, known);
                ruling.nothing("test")
            },
        );
        seen
    };
    assert!(pressing_now(&mut town).is_empty());
    town.now = town.now.plus_days(40);
    let late = pressing_now(&mut town);
    let overdue = late.iter().filter(|seen| seen.overdue && !seen.tells());
    assert_eq!(overdue.count(), 1);
    let done = delivered(&mut town, alias);
    assert_eq!(*refused(&done), Refusal::ExplanationNeeded);
    let unexplained = Stepping {
        more_time: Some(MoreTimeReason::Complex),
        ..stepping(AccessStep::MoreTime)
    };
    let done = steps(&mut town, alias, &unexplained);
    assert_eq!(*refused(&done), Refusal::ExplanationNeeded);
    let held = Stepping {
        explanation: because("We asked about her visa."),
        ..unexplained
    };
    let done = steps(&mut town, alias, &held);
    assert!(matches!(
        refused(&done),
        Refusal::ImmigrationContentFound(_)
    ));
    let explained = Stepping {
        explanation: because("Many agencies hold letters of many years."),
        ..held
    };
    let done = steps(&mut town, alias, &explained);
    assert!(!said(&done).overdue);
    assert!(pressing_now(&mut town).iter().all(|seen| seen.tells()));
    // Two months more, once.
    let done = steps(&mut town, alias, &explained);
    assert_eq!(*refused(&done), Refusal::AlreadyAnswered);
    town.now = town.now.plus_days(45);
    let done = delivered(&mut town, alias);
    let Answer::AccessReport(commission, release) = &done.answer else {
        panic!("{}", done.answer.told())
    };
    assert_eq!(commission.assembled.as_ref().unwrap().explanations.len(), 1);
    let plain = town.plain(&release.value().parts[0]);
    assert_eq!(plain, b"Many agencies hold letters of many years.");
}

/// As if she had asked on paper `days` ago.
fn asked_before(town: &mut Town, names: Names<'_>, days: i64) -> Id {
    let before = taking(names, town.now.plus_days(-days));
    let by = attempt("lantern", Action::TakeSubjectAccess);
    let done = taken_by(town, by, &before);
    assert_eq!(said(&done).state, AccessState::Ready);
    id(&done)
}

fn late() -> Delivering {
    Delivering {
        explanation: because("Your letter lay unopened."),
        ..delivering()
    }
}

fn delivered_late(town: &mut Town, alias: Id) -> Done {
    let by = officer(Action::DeliverSubjectAccess);
    delivered_with(town, by, (alias, &late()), &[of_hers(false)])
}

#[test]
fn who_had_no_time_to_answer_is_not_named_however_long_ago_she_asked() {
    let mut town = town();
    let hers = asked_before(&mut town, AMINA, 45);
    let nobodys = asked_before(&mut town, BEATA, 45);
    for alias in [hers, nobodys] {
        let done = delivered_late(&mut town, alias);
        nothing(&done, "nothing-held");
    }
    // Who has answered is told, and that others may still; nobody who has not.
    replies(&mut town, "trust", &says(ReplyCode::HoldsNothing));
    for (days, missing) in [(0, vec![]), (14, vec!["lantern", "met"])] {
        town.now = start().plus_days(days).plus_hours(2);
        let done = delivered_late(&mut town, hers);
        let Answer::AccessReport(commission, _) = &done.answer else {
            panic!("{}", done.answer.told())
        };
        let assembled = commission.assembled.as_ref().unwrap();
        assert_eq!(assembled.answers.len(), 1);
        let unanswered: Vec<&str> = assembled.unanswered.iter().map(OrgId::as_str).collect();
        assert_eq!(unanswered, missing);
        let until = start().day_began().plus_days(14);
        assert_eq!(assembled.open_until, (days == 0).then_some(until));
    }
}

#[test]
fn a_report_is_handed_over_again_but_not_without_end() {
    let (mut town, alias) = she_asked();
    town.now = town.now.plus_days(25);
    let by = officer(Action::DeliverSubjectAccess);
    // Not late, so that what is written about it is not kept.
    delivered_by(&mut town, by, alias, &late());
    for _ in 1..DELIVERED_MAX {
        let done = delivered(&mut town, alias);
        assert_eq!(done.answer.told(), "subject-access-report");
    }
    let request = town.known().accesses.into_values().next().unwrap();
    assert!(request.explanations.is_empty());
    assert_eq!(
        *refused(&delivered(&mut town, alias)),
        Refusal::AlreadyAnswered
    );
}

#[test]
fn the_clock_stands_still_while_she_is_asked_what_she_means() {
    let (mut town, alias) = she_asked();
    let done = steps(&mut town, alias, &stepping(AccessStep::Clarified));
    assert_eq!(*refused(&done), Refusal::AlreadyAnswered);
    let done = steps(&mut town, alias, &stepping(AccessStep::ClarificationAsked));
    let due = said(&done).due.unwrap();
    town.now = town.now.plus_days(50);
    let done = steps(&mut town, alias, &stepping(AccessStep::Clarified));
    assert!(!said(&done).overdue);
    assert!(said(&done).due.unwrap() >= due.plus_days(48));
}

#[test]
fn a_request_that_is_refused_says_why_and_asks_nobody_any_more() {
    let (mut town, alias) = she_asked();
    let refusing = Stepping {
        ground: Some(AccessRefusal::SheTookItBack),
        explanation: because("You told us that you do not want it any more."),
        ..stepping(AccessStep::Refused)
    };
    let done = steps(&mut town, alias, &refusing);
    assert_eq!(said(&done).state, AccessState::Refused);
    // It lies behind what is open, at whoever was asked and at whoever took it.
    for holder in ["lantern", "met", "trust"] {
        let one = AccessAsk::id_of(
            town.known().accesses.into_keys().next().unwrap(),
            &org(holder),
        );
        let there = (List::SubjectAccess(org(holder)), DONE, one.id());
        assert!(done.listed.contains(&there), "{holder}");
    }
    // Whoever took it can show her why.
    let shown = town.run(
        attempt("lantern", Action::ReadSubjectAccess),
        |rules, attempt, known, keys| show(rules, attempt, known, keys, alias),
    );
    let parts = shown.answer.parts();
    let why = b"You told us that you do not want it any more.";
    assert_eq!(town.plain(&parts[0]), why);
    let alias_there = alias_at(&town, "trust");
    let done = town.run(
        attempt("trust", Action::ReplySubjectAccess),
        |rules, attempt, known, keys| {
            let none = says(ReplyCode::HoldsNothing);
            reply(rules, attempt, known, keys, alias_there, &none)
        },
    );
    nothing(&done, "no such request");
    town.now = town.now.plus_days(25);
    assert_eq!(
        *refused(&delivered(&mut town, alias)),
        Refusal::AlreadyAnswered
    );
}

#[test]
fn words_that_are_held_send_the_whole_reply_back() {
    let (mut town, _) = she_asked();
    let before = town.facts().len();
    let mut two = holds(
        EntryAbout::CaseNotes,
        Article6::PublicTask,
        None,
        "Two calls in March.",
    );
    two.entries.extend(
        holds(
            EntryAbout::CaseNotes,
            Article6::PublicTask,
            None,
            "Her visa expired.",
        )
        .entries,
    );
    let done = replies(&mut town, "trust", &two);
    assert!(matches!(
        refused(&done),
        Refusal::ImmigrationContentFound(_)
    ));
    assert!(done.decided.subject.is_none());
    assert!(town.facts().len() <= before + 1);
    assert!(asks(&town).iter().all(|one| one.reply.is_none()));
    // A charity has no public task.
    let done = replies(
        &mut town,
        "lantern",
        &holds(EntryAbout::CaseNotes, Article6::PublicTask, None, "Notes."),
    );
    assert_eq!(field(&done), "basis");
}

#[test]
fn police_answer_for_theirs_but_are_not_shown_words_again() {
    let (mut town, _) = she_asked();
    replies(&mut town, "met", &report());
    let shown = shows(&mut town, "met");
    assert!(shown.answer.parts().is_empty());
    assert_eq!(
        said(&looks(&mut town, "met", "second", None)).state,
        AccessState::RepliesIn
    );
}

#[test]
fn it_is_taken_at_voluntary_and_health_services_and_by_no_tainted_team() {
    let mut town = town();
    for (at, may) in [
        ("lantern", true),
        ("harbour", true),
        ("trust", true),
        ("practice", true),
        ("met", false),
        ("council", false),
    ] {
        let done = taken(&mut town, at, AMINA, intake());
        let refused = matches!(done.answer, Answer::Refused(Refusal::RoleNotAllowed { .. }));
        assert_eq!(refused, !may, "{at}");
    }
    town.taint("harbour");
    let done = taken(&mut town, "harbour", AMINA, intake());
    assert!(matches!(done.answer, Answer::Nothing));
}

#[test]
fn what_could_find_nobody_is_not_said_to_be_in_hand() {
    let mut town = town();
    let done = taken(
        &mut town,
        "lantern",
        ["Amina", "", "", "", "", ""],
        intake(),
    );
    assert_eq!(field(&done), "identity");
    let tomorrow = taking(AMINA, town.now.plus_days(1));
    let by = attempt("lantern", Action::TakeSubjectAccess);
    let done = taken_by(&mut town, by, &tomorrow);
    assert_eq!(field(&done), "received_at");
}

#[test]
fn an_entry_of_hers_that_others_made_is_reason_enough_for_a_report() {
    let mut town = town();
    let alias = id(&taken(&mut town, "lantern", BEATA, intake()));
    town.now = town.now.plus_days(25);
    for (reading, told) in [(true, "nothing-to-show"), (false, "subject-access-report")] {
        let by = officer(Action::DeliverSubjectAccess);
        let done = delivered_with(&mut town, by, (alias, &delivering()), &[of_hers(reading)]);
        assert_eq!(done.answer.told(), told);
    }
}

#[test]
fn an_entry_is_named_apart_for_each_holder() {
    let (mut town, _) = she_asked();
    let done = replies(&mut town, "met", &report());
    let SeenOf::Asked { entries, .. } = &said(&done).of else {
        panic!("asked")
    };
    let stored = asks(&town).into_iter().find_map(|one| one.reply).unwrap();
    let inside: &Entry = &stored.entries[0];
    assert_ne!(entries[0].item, inside.item);
}

#[test]
fn whatever_lies_under_an_entry_only_words_come_out_and_to_police_and_tainted_teams_none() {
    let (mut town, alias) = she_asked();
    for holder in ["met", "trust", "lantern"] {
        let basis = match holder {
            "lantern" => Article6::Consent,
            _ => Article6::PublicTask,
        };
        let one = holds(EntryAbout::Crime, basis, None, "A page.");
        let said_so = replies(&mut town, holder, &one);
        assert_eq!(said_so.answer.told(), "subject-access-replied", "{holder}");
        looks(&mut town, holder, "second", None);
    }
    // The store is spoilt on purpose, as no journey would.
    town.spoil(|class| format!("class-{}-marker", class.code()));
    let only_words = |done: &Done| {
        let parts = done.answer.parts();
        assert!(parts.iter().all(|part| part.class == DataClass::Ft));
        parts.len()
    };
    assert_eq!(only_words(&shows(&mut town, "trust")), 1);
    assert_eq!(only_words(&shows(&mut town, "met")), 0);
    town.now = town.now.plus_days(25);
    assert_eq!(only_words(&delivered(&mut town, alias)), 3);
    town.taint("lantern");
    nothing(&delivered(&mut town, alias), "policy");
    town.taint("trust");
    nothing(&shows(&mut town, "trust"), "policy");
}

/// The night, at the time of the town.
fn night(town: &mut Town) {
    let known = town.known();
    let entries: Vec<Listed> = known
        .accesses
        .keys()
        .map(|id| Listed {
            at: 0,
            index: 0,
            item: id.id(),
        })
        .collect();
    let by = attempt("lantern", Action::ReadSubjectAccess);
    town.run(by, |rules, attempt, known, keys| {
        let due = erasing::Due {
            now: attempt.when,
            entries: &entries,
        };
        let made = erasing::erase_due(rules, attempt.when, &attempt.entropy, keys, known, &due)?;
        Ok(made.unwrap())
    });
}

/// When the night is to erase words, as one decision puts it down.
fn put_down(done: &Done) -> Vec<When> {
    let listed = done.listed.iter();
    let due = listed.filter(|(list, ..)| *list == List::AccessDue);
    due.map(|(_, at, _)| When::from_millis(i64::try_from(*at).unwrap()))
        .collect()
}

fn words_left(town: &Town) -> usize {
    let known = town.known();
    let parts = known.parts.iter();
    let hers = parts.filter(|part| matches!(part.of, Aggregate::SubjectAccess(_)));
    hers.count()
}

#[test]
fn the_words_go_ninety_days_after_it_was_handed_over_and_not_before() {
    let (mut town, alias) = she_asked();
    replies(&mut town, "trust", &letter());
    let done = looks(&mut town, "trust", "second", None);
    // A holder's reply ends nothing: the request is put down once, when it ends itself.
    assert_eq!(said(&done).state, AccessState::RepliesIn);
    assert!(put_down(&done).is_empty());
    let more = Stepping {
        more_time: Some(MoreTimeReason::Complex),
        explanation: because("Two services have long files."),
        ..stepping(AccessStep::MoreTime)
    };
    steps(&mut town, alias, &more);
    assert_eq!(words_left(&town), 2);
    // Whatever time it takes, what is not handed over is kept.
    town.now = town.now.plus_days(85);
    night(&mut town);
    assert_eq!(words_left(&town), 2);
    let done = delivered(&mut town, alias);
    assert_eq!(done.answer.told(), "subject-access-report");
    assert_eq!(put_down(&done), [town.now.plus_days(WORDS_DAYS)]);
    // A second copy does not lengthen it.
    town.now = town.now.plus_days(1);
    let done = delivered(&mut town, alias);
    assert_eq!(done.answer.told(), "subject-access-report");
    town.now = town.now.plus_days(WORDS_DAYS - 2);
    night(&mut town);
    assert_eq!(words_left(&town), 2);
    town.now = town.now.plus_days(1);
    night(&mut town);
    assert_eq!(words_left(&town), 0);
    assert_eq!(town.known().accesses.len(), 1);
    // Nothing half is handed over, and nothing new is written for it.
    town.attest("lantern");
    town.attest("met");
    assert_eq!(field(&delivered(&mut town, alias)), "id");
    nothing(&replies(&mut town, "met", &report()), "no such request");
    assert_eq!(words_left(&town), 0);
}

#[test]
fn the_words_of_a_request_that_was_refused_go_as_well() {
    let (mut town, alias) = she_asked();
    replies(&mut town, "trust", &letter());
    let refuse = Stepping {
        ground: Some(AccessRefusal::ALL[0]),
        explanation: because("We explained why, and whom to complain to."),
        ..stepping(AccessStep::Refused)
    };
    let done = steps(&mut town, alias, &refuse);
    assert_eq!(said(&done).state, AccessState::Refused);
    assert_eq!(put_down(&done), [town.now.plus_days(WORDS_DAYS)]);
    town.now = town.now.plus_days(WORDS_DAYS - 1);
    night(&mut town);
    assert_eq!(words_left(&town), 2);
    town.now = town.now.plus_days(1);
    night(&mut town);
    assert_eq!(words_left(&town), 0);
}

#[test]
fn a_report_that_is_late_comes_before_the_officer_of_who_took_it_by_its_rule() {
    let (mut town, alias) = she_asked();
    town.now = town.now.plus_days(40);
    let late = Delivering {
        explanation: because("Two people were ill."),
        ..delivering()
    };
    let by = officer(Action::DeliverSubjectAccess);
    let done = delivered_by(&mut town, by, alias, &late);
    assert_eq!(done.answer.told(), "subject-access-report");
    assert!(done.noted(RuleCode::AccessLate.code()));
    for (at, told) in [("lantern", true), ("reviewer", false), ("met", false)] {
        assert_eq!(has_item(&town, at, RuleCode::AccessLate), told, "{at}");
    }
}

#[test]
fn what_is_in_time_is_before_nobody() {
    let (mut town, alias) = she_asked();
    town.now = town.now.plus_days(25);
    let done = delivered(&mut town, alias);
    assert!(!done.noted(RuleCode::AccessLate.code()));
    assert!(!has_item(&town, "lantern", RuleCode::AccessLate));
}
