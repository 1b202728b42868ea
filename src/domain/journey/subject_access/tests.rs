//! What a request for what is held about her promises (3.11, P5, P11).

mod asked_for_her;
mod in_time;

use super::super::trial::*;
use super::delivering::{Delivering, Looked, deliver};
use super::replying::{Replying, Said, redact, reply, show};
use super::*;
use crate::domain::codes::{
    Action, Article6, Authority, Capacity, Delivery, EntryAbout, OrgKind, Purpose, ReplyCode,
    Requester, Role, Withheld, YesNoUnknown,
};
use crate::domain::id::{TeamId, UserId};
use crate::domain::journey::reporting::ListedEntry;
use crate::domain::organisation::Certificate;
use crate::domain::peer::{Peer, SpiffeName};
use crate::domain::person::{Lane, TokenKind};
use crate::domain::subject_access::{Entry, SeenOf, Words};
use crate::domain::watch::RuleCode;

fn intake() -> Intake {
    Intake {
        requester: Requester::Herself,
        capacity: Capacity::Adult,
        authority: None,
        other_party: YesNoUnknown::Unknown,
        proof: Some(IdentityProof::KnownToWorker),
        delivery: Delivery::Collected,
        post_is_safe: false,
        contact_checked: true,
        not_asked: Vec::new(),
    }
}

/// Amina was assessed at the hospital, and referred by police to the service that accepted.
fn town() -> Town {
    let mut town = Town::in_order();
    let mut service = organisation("lantern", OrgKind::VoluntarySpecialist);
    service.certificates.push(Certificate {
        spki_sha256: [8; 32],
        user: Some("officer".to_owned()),
        ..service.certificates[0].clone()
    });
    town.enrol(service);
    town.assess("trust", AMINA, &draft(start(), &["lantern"]));
    town.accepted("lantern", AMINA);
    town
}

fn who_asks(given: &str, family: &str, birth: &str) -> Asker {
    let mut made = beside(&[Lane::OtherParty, Lane::Parent], given, family, birth).into_iter();
    Asker {
        other_party: made.next().unwrap(),
        parent: made.next().unwrap(),
    }
}

/// A woman who is nobody's other party.
fn asking(intake: &Intake) -> Option<Asker> {
    let needed = matches!(
        intake.requester,
        Requester::ParentGuardian | Requester::Deputy
    );
    needed.then(|| who_asks("Grace", "Adeyemi", "1984-11-30"))
}

/// She asked herself, then.
fn taking(names: Names<'_>, received_at: When) -> Taking {
    Taking {
        tokens: tokens(names),
        asking: None,
        intake: intake(),
        received_at,
    }
}

fn taken_by(town: &mut Town, by: Attempt, taking: &Taking) -> Done {
    town.run(by, |rules, attempt, known, keys| {
        take(rules, attempt, known, keys, taking)
    })
}

fn taken(town: &mut Town, at: &str, names: Names<'_>, intake: Intake) -> Done {
    let taking = Taking {
        asking: asking(&intake),
        intake,
        ..taking(names, town.now)
    };
    taken_by(town, attempt(at, Action::TakeSubjectAccess), &taking)
}

/// She asked at lantern; its name for that.
fn she_asked() -> (Town, Id) {
    let mut town = town();
    let alias = id(&taken(&mut town, "lantern", AMINA, intake()));
    (town, alias)
}

/// A worker of one who holds something, for a purpose that is open to her.
fn at(holder: &str, action: Action) -> Attempt {
    let mut attempt = attempt(holder, action);
    if holder == "met" {
        attempt.purpose = Purpose::OnwardReferral;
    }
    attempt
}

fn said(done: &Done) -> &SeenAccess {
    match &done.answer {
        Answer::Access(seen, _) => seen,
        other => panic!("{}", other.told()),
    }
}

fn id(done: &Done) -> Id {
    said(done).id.id()
}

fn asks(town: &Town) -> Vec<AccessAsk> {
    town.known().access_asks.into_values().collect()
}

fn asked_names(town: &Town) -> Vec<String> {
    let mut names: Vec<String> = asks(town)
        .iter()
        .map(|one| one.holder.to_string())
        .collect();
    names.sort();
    names
}

/// What is asked of an organisation, under its name.
fn alias_at(town: &Town, holder: &str) -> Id {
    let asks = asks(town);
    let one = asks.iter().find(|one| one.holder == org(holder)).unwrap();
    let aliases = town.rules.aliases_of(&org(holder));
    aliases.outward(AliasKind::SubjectAccess, one.id.id())
}

fn words(what: &str) -> Words {
    Words {
        what: what.to_owned(),
        why: String::new(),
    }
}

fn holds(about: EntryAbout, basis: Article6, withheld: Option<Withheld>, what: &str) -> Replying {
    Replying {
        code: ReplyCode::Holds,
        entries: vec![Said {
            about,
            basis,
            withheld,
            words: words(what),
        }],
    }
}

fn letter() -> Replying {
    let what = "A letter about your arm.";
    holds(EntryAbout::Health, Article6::PublicTask, None, what)
}

fn report() -> Replying {
    holds(EntryAbout::Crime, Article6::PublicTask, None, "A report.")
}

fn says(code: ReplyCode) -> Replying {
    Replying {
        code,
        entries: Vec::new(),
    }
}

fn replies(town: &mut Town, holder: &str, replying: &Replying) -> Done {
    let alias = alias_at(town, holder);
    town.run(
        at(holder, Action::ReplySubjectAccess),
        |rules, attempt, known, keys| reply(rules, attempt, known, keys, alias, replying),
    )
}

fn looks(town: &mut Town, holder: &str, user: &str, withheld: Option<Withheld>) -> Done {
    let alias = alias_at(town, holder);
    let shown = shows(town, holder);
    let SeenOf::Asked { entries, .. } = &said(&shown).of else {
        panic!("asked")
    };
    let entry = entries[0].item;
    let mut attempt = at(holder, Action::RedactSubjectAccess);
    attempt.user = crate::domain::attempt::UserName::parse(user).unwrap();
    town.run(attempt, |rules, attempt, known, keys| {
        redact(rules, attempt, known, keys, alias, entry, withheld)
    })
}

fn shows(town: &mut Town, holder: &str) -> Done {
    let alias = alias_at(town, holder);
    town.run(
        at(holder, Action::ReadSubjectAccess),
        |rules, attempt, known, keys| show(rules, attempt, known, keys, alias),
    )
}

fn officer(action: Action) -> Attempt {
    let mut attempt = attempt("lantern", action);
    let name = SpiffeName {
        organisation: org("lantern"),
        team: TeamId::parse("team").unwrap(),
        user: Some(UserId::parse("officer").unwrap()),
    };
    attempt.peer = Peer::for_tests(name, [8; 32]);
    attempt.user = crate::domain::attempt::UserName::parse("officer").unwrap();
    attempt.role = Role::IgOfficer;
    attempt.purpose = Purpose::Audit;
    attempt.asserted = false;
    attempt.second_factor = true;
    attempt
}

fn delivering() -> Delivering {
    Delivering {
        how: None,
        post_is_safe: false,
        identity_checked: true,
        explanation: None,
    }
}

fn delivered_by(town: &mut Town, by: Attempt, alias: Id, delivering: &Delivering) -> Done {
    delivered_with(town, by, (alias, delivering), &[])
}

/// With these entries of the log.
fn delivered_with(
    town: &mut Town,
    by: Attempt,
    (alias, delivering): (Id, &Delivering),
    listed: &[ListedEntry],
) -> Done {
    let looked = Looked {
        listed,
        whole: true,
    };
    town.run(by, |rules, attempt, known, keys| {
        deliver(rules, attempt, known, keys, alias, (delivering, &looked))
    })
}

/// An entry that is certainly hers.
fn of_hers(reading: bool) -> ListedEntry {
    ListedEntry {
        index: 3,
        kinds: vec![TokenKind::Nhs, TokenKind::NhsGiven, TokenKind::NhsBirth],
        reading,
    }
}

fn delivered(town: &mut Town, alias: Id) -> Done {
    let by = officer(Action::DeliverSubjectAccess);
    delivered_by(town, by, alias, &delivering())
}

fn steps(town: &mut Town, alias: Id, stepping: &Stepping) -> Done {
    town.run(
        attempt("lantern", Action::MoveSubjectAccess),
        |rules, attempt, known, keys| step(rules, attempt, known, keys, alias, stepping),
    )
}

fn stepping(step: AccessStep) -> Stepping {
    Stepping {
        step,
        proof: None,
        more_time: None,
        ground: None,
        explanation: None,
    }
}

fn because(text: &str) -> Option<Unread> {
    Some(Unread::new("explanation", text.to_owned()))
}

fn nothing(done: &Done, why: &str) {
    assert!(
        matches!(done.answer, Answer::Nothing),
        "{}",
        done.answer.told()
    );
    assert!(done.noted(why), "{:?}", done.decided.notes);
}

fn refused(done: &Done) -> &Refusal {
    match &done.answer {
        Answer::Refused(refusal) => refusal,
        other => panic!("{}", other.told()),
    }
}

fn field(done: &Done) -> &'static str {
    match refused(done) {
        Refusal::CheckYourAnswers(wrong) => wrong[0].field,
        other => panic!("{}", other.code()),
    }
}

#[test]
fn whoever_takes_it_sees_the_same_whatever_is_held() {
    let mut town = town();
    let known = taken(&mut town, "lantern", AMINA, intake());
    let nobody = taken(&mut town, "lantern", BEATA, intake());
    let mut alike = said(&known).clone();
    alike.id = said(&nobody).id;
    assert_eq!(&alike, said(&nobody));
    assert_eq!(asked_names(&town), ["lantern", "met", "trust"]);
    assert!(
        known.decided.concerned.is_empty(),
        "nobody else's officer is told"
    );
    // And on each day after, whatever they reply.
    replies(&mut town, "trust", &says(ReplyCode::HoldsNothing));
    let entries = [id(&known), id(&nobody)].map(|alias| {
        let aliases = town.rules.aliases_of(&org("lantern"));
        Listed {
            at: 0,
            index: 0,
            item: aliases.inward(AliasKind::SubjectAccess, alias),
        }
    });
    for _ in 0..5 {
        let done = town.run(
            attempt("lantern", Action::ReadSubjectAccess),
            |rules, attempt, known, keys| list(rules, attempt, known, keys, &entries),
        );
        let Answer::AccessList(seen) = done.answer else {
            panic!("a list")
        };
        let [one, mut other] = <[SeenAccess; 2]>::try_from(seen).unwrap();
        other.id = one.id;
        assert_eq!(one, other);
        town.now = town.now.plus_days(7);
    }
}

#[test]
fn who_holds_something_is_asked_once_by_the_day_and_not_told_by_whom() {
    let mut town = town();
    let mut wish = intake();
    wish.not_asked = vec![org("met")];
    taken(&mut town, "harbour", AMINA, wish);
    assert_eq!(asked_names(&town), ["lantern", "trust"]);
    let shown = shows(&mut town, "trust");
    let seen = said(&shown);
    let SeenOf::Asked {
        people,
        since,
        entries,
        ..
    } = &seen.of
    else {
        panic!("asked")
    };
    assert_eq!((people.len(), entries.len()), (1, 0));
    assert_eq!(since.millis() % 86_400_000, 0);
    assert_eq!(seen.state, AccessState::Asked);
    // Nobody else's request, and nobody else's name for it.
    let alias = alias_at(&town, "trust");
    for other in ["lantern", "harbour", "met"] {
        let done = town.run(
            at(other, Action::ReadSubjectAccess),
            |rules, attempt, known, keys| show(rules, attempt, known, keys, alias),
        );
        nothing(&done, "no such request");
    }
}

#[test]
fn before_it_is_proved_who_she_is_nobody_is_asked() {
    let mut town = town();
    let mut wish = intake();
    wish.proof = None;
    let done = taken(&mut town, "lantern", AMINA, wish);
    let alias = id(&done);
    assert_eq!(said(&done).state, AccessState::WaitingForIdentity);
    assert_eq!(said(&done).due, None);
    assert!(asks(&town).is_empty());
    let failed = steps(&mut town, alias, &stepping(AccessStep::IdentityNotProved));
    nothing(&failed, "identity-not-proved");
    nothing(&delivered(&mut town, alias), "identity-not-proved");
    assert!(asks(&town).is_empty());
    town.now = town.now.plus_days(10);
    let unsaid = steps(&mut town, alias, &stepping(AccessStep::IdentityProved));
    assert_eq!(field(&unsaid), "proof");
    let proved = Stepping {
        proof: Some(IdentityProof::SafeWord),
        ..stepping(AccessStep::IdentityProved)
    };
    let done = steps(&mut town, alias, &proved);
    assert_eq!(said(&done).state, AccessState::InHand);
    assert_eq!(asked_names(&town), ["lantern", "met", "trust"]);
    let request = town.known().accesses.into_values().next().unwrap();
    let what: Vec<&str> = request.steps.iter().map(|step| step.what.code()).collect();
    assert_eq!(what, ["received", "identity_not_proved", "identity_proved"]);
    assert_eq!(request.clock.pauses[0].reason, PauseReason::Identity);
}

#[test]
fn a_parent_who_may_be_the_other_party_and_the_other_party_himself_are_given_nothing() {
    let mut town = town();
    let parent = Intake {
        requester: Requester::ParentGuardian,
        capacity: Capacity::NotCompetent,
        authority: Some(Authority::ParentalResponsibility),
        ..intake()
    };
    let mut ids = Vec::new();
    for other_party in [YesNoUnknown::Yes, YesNoUnknown::Unknown] {
        let asked = Intake {
            other_party,
            ..parent.clone()
        };
        let done = taken(&mut town, "lantern", AMINA, asked);
        assert_eq!(done.answer.told(), "subject-access-taken");
        ids.push(id(&done));
    }
    let his = ["Imran", "Khan", "1988-01-20", "", "E8 1DY", "07700 900123"];
    let done = taken(&mut town, "lantern", his, intake());
    ids.push(id(&done));
    assert!(asks(&town).is_empty());
    town.now = town.now.plus_days(25);
    for (alias, why) in ids.iter().zip([
        "the-other-party-may-be-asking",
        "the-other-party-may-be-asking",
        "nothing-held",
    ]) {
        nothing(&delivered(&mut town, *alias), why);
    }
    // A parent of whom it is known that he is not.
    let mother = Intake {
        other_party: YesNoUnknown::No,
        ..parent
    };
    taken(&mut town, "lantern", AMINA, mother);
    assert_eq!(asked_names(&town), ["lantern", "met", "trust"]);
}

#[test]
fn a_part_is_complete_when_two_people_have_looked_and_only_then_told() {
    let (mut town, alias) = she_asked();
    let done = replies(&mut town, "trust", &letter());
    assert_eq!(said(&done).state, AccessState::Redaction);
    assert!(done.decided.firewall.is_none());
    assert_eq!(field(&looks(&mut town, "trust", "worker", None)), "entry");
    // The holder's own words are shown to the second person.
    let shown = shows(&mut town, "trust");
    let parts = shown.answer.parts();
    let plain = Words::decode(town.plain(&parts[0])).unwrap();
    assert_eq!(plain.what, "A letter about your arm.");
    let done = looks(&mut town, "trust", "second", None);
    assert_eq!(said(&done).state, AccessState::RepliesIn);
    let again = replies(&mut town, "trust", &letter());
    assert_eq!(*refused(&again), Refusal::AlreadyAnswered);
    // Police leave theirs at one person's look: it is not told, and they have not answered.
    let note = holds(
        EntryAbout::Crime,
        Article6::PublicTask,
        Some(Withheld::Informant),
        "Who told us.",
    );
    replies(&mut town, "met", &note);
    town.now = town.now.plus_days(25);
    let done = delivered(&mut town, alias);
    let Answer::AccessReport(commission, release) = &done.answer else {
        panic!("{}", done.answer.told())
    };
    let assembled = commission.assembled.as_ref().unwrap();
    let answered: Vec<&str> = assembled
        .answers
        .iter()
        .map(|one| one.holder.as_str())
        .collect();
    let missing: Vec<&str> = assembled.unanswered.iter().map(OrgId::as_str).collect();
    assert_eq!((answered, missing), (vec!["trust"], vec!["lantern", "met"]));
    assert_eq!(release.value().parts.len(), 1);
    // What is held is told of who has answered for it, and of nobody else.
    assert!(commission.held.referrals.is_empty());
    assert_eq!(commission.held.assessments.len(), 1);
    assert_eq!(done.decided.concerned, [org("trust")]);
    let request = town.known().accesses.into_values().next().unwrap();
    assert!(matches!(request.ended, Some(Ended::Delivered(_))));
    // What comes later is given later.
    let done = looks(&mut town, "met", "second", Some(Withheld::Informant));
    assert_eq!(said(&done).state, AccessState::RepliesIn);
    let done = delivered(&mut town, alias);
    let Answer::AccessReport(commission, release) = &done.answer else {
        panic!("{}", done.answer.told())
    };
    let assembled = commission.assembled.as_ref().unwrap();
    assert_eq!(assembled.answers.len(), 2);
    assert!(assembled.answers[0].left_out_for_others || assembled.answers[1].left_out_for_others);
    assert_eq!(
        release.value().parts.len(),
        1,
        "what is left out stays closed"
    );
}

fn has_item(town: &Town, at: &str, code: RuleCode) -> bool {
    town.queue(at).iter().any(|item| item.rule == code)
}

#[test]
fn if_she_says_that_she_did_not_ask_nothing_is_opened() {
    let (mut town, alias) = she_asked();
    replies(&mut town, "trust", &says(ReplyCode::HoldsNothing));
    let done = replies(&mut town, "met", &says(ReplyCode::SheDidNotAsk));
    assert_eq!(done.decided.concerned, [org("reviewer")]);
    // By its rule, in the entry and before who asked her and the reviewer; not where it was taken.
    assert!(done.noted(RuleCode::AccessNotHers.code()));
    for (at, told) in [("met", true), ("reviewer", true), ("lantern", false)] {
        assert_eq!(has_item(&town, at, RuleCode::AccessNotHers), told, "{at}");
    }
    town.now = town.now.plus_days(25);
    nothing(&delivered(&mut town, alias), "she-did-not-ask");
}
