//! The report as a person reads it, and what it must never say.

use super::sheet::LINE_CHARS;
use super::*;
use crate::domain::audit::{Filter, VisibleDecision, VisibleOutcome};
use crate::domain::codes::Action;
use crate::domain::codes::Competence;
use crate::domain::codes::WithdrawalScope;
use crate::domain::codes::YesNoUnknown;
use crate::domain::codes::{ConsentHow, ConsentStrength, DataClass, GivenBy, Interpreter, Purpose};
use crate::domain::consent::{Opens, Recipients};
use crate::domain::id::{ConsentId, Id, TeamId};
use crate::domain::journey::scene::{org, organisation, start};
use crate::domain::rules::Rules;

fn people() -> BTreeMap<OrgId, Organisation> {
    [
        ("met-police", "Metropolitan Police", OrgKind::Police),
        (
            "larkfield",
            "Larkfield Support",
            OrgKind::VoluntarySpecialist,
        ),
        ("st-hildas", "St Hilda's Hospital", OrgKind::NhsTrust),
        ("rosewood", "Rosewood Refuge", OrgKind::Refuge),
        ("reviewer", "Independent Reviewer", OrgKind::Reviewer),
    ]
    .into_iter()
    .map(|(id, name, kind)| {
        let mut found = organisation(id, kind, &[]);
        found.name = name.to_owned();
        (org(id), found)
    })
    .collect()
}

fn entry(who: &str, action: Action, told: &str, disclosed: &[&str]) -> VisibleEntry {
    let outcome = match told {
        "nothing-to-show" => VisibleOutcome::Empty,
        "role-not-allowed" | "confirm-emergency" => VisibleOutcome::Deny,
        _ => VisibleOutcome::Permit,
    };
    VisibleEntry {
        side: Side::Reviewer,
        organisation: SomeOrganisation::Named(org(who)),
        team: TeamId::parse("main").unwrap(),
        user: "w-4417".to_owned(),
        role: "adviser".to_owned(),
        certificate: [0xC1; 32],
        asserted: true,
        purpose: "support".to_owned(),
        reason: None,
        action: action.code().to_owned(),
        object: None,
        asked: Vec::new(),
        told: told.to_owned(),
        outcome,
        decided: Some(VisibleDecision {
            rule: "F8".to_owned(),
            policy: [7; 32],
            person: None,
            consents: Vec::new(),
            basis: Some("consent".to_owned()),
            relationship: None,
            firewall: None,
            disclosed: disclosed.iter().map(|code| (*code).to_owned()).collect(),
            concerned: vec![
                SomeOrganisation::Named(org("larkfield")),
                SomeOrganisation::Hidden,
            ],
            sources: 1,
            notes: Vec::new(),
        }),
    }
}

/// What the demonstration's story does to one woman.
fn story() -> Vec<(When, VisibleEntry)> {
    let days = |days| start().plus_days(days);
    let mut opened = entry(
        "st-hildas",
        Action::BreakGlass,
        "emergency-view",
        &["sp", "loc"],
    );
    opened.purpose = "emergency".to_owned();
    opened.reason = Some("life_at_risk".to_owned());
    if let Some(decided) = &mut opened.decided {
        decided.basis = Some("vital".to_owned());
    }
    vec![
        (
            days(0),
            entry("met-police", Action::OfferReferral, "offered", &[]),
        ),
        (
            days(1),
            entry(
                "larkfield",
                Action::AcceptReferral,
                "released",
                &["id", "loc"],
            ),
        ),
        (
            days(2),
            entry(
                "larkfield",
                Action::RecordAssessment,
                "assessment-recorded",
                &[],
            ),
        ),
        (
            days(4),
            entry("st-hildas", Action::BreakGlass, "confirm-emergency", &[]),
        ),
        (days(4), opened),
        (
            days(6),
            entry(
                "rosewood",
                Action::QueryAssessments,
                "assessments",
                &["op", "sp"],
            ),
        ),
        (
            days(7),
            entry(
                "met-police",
                Action::QueryAssessments,
                "role-not-allowed",
                &[],
            ),
        ),
        (
            days(8),
            entry(
                "met-police",
                Action::QueryAssessments,
                "nothing-to-show",
                &[],
            ),
        ),
        (
            days(9),
            entry("larkfield", Action::Withdraw, "withdrawn", &[]),
        ),
        (
            days(10),
            entry("reviewer", Action::ReadAuditSubject, "entries", &[]),
        ),
    ]
}

fn consent() -> Consent {
    Consent {
        id: ConsentId(Id::from_bytes([1; 16])),
        recorded_by: org("larkfield"),
        decision: ConsentDecision::Permit,
        strength: ConsentStrength::Explicit,
        opens: Opens::Share,
        recipients: Recipients::default(),
        classes: vec![DataClass::Id, DataClass::Loc],
        purposes: vec![Purpose::Support],
        items: Vec::new(),
        depth: None,
        given_by: GivenBy::Herself,
        competence: Competence::Adult,
        parent: None,
        how: ConsentHow::Spoken,
        language: None,
        interpreter: Interpreter::None,
        other_party_present: YesNoUnknown::No,
        notice_version: None,
        given_at: start(),
        from: start(),
        until: start().plus_days(365),
        review_at: None,
        paused: false,
        withdrawn_at: Some(start().plus_days(9)),
    }
}

fn commission(by: &str, kind: OrgKind, handed_to: HandedTo) -> Commission {
    Commission {
        reading: Reading {
            indices: Vec::new(),
            viewer: Viewer {
                organisation: org(by),
                kind,
                tainted: false,
            },
            filter: Filter::default(),
        },
        held: Held {
            referrals: vec![
                (start(), org("met-police"), true),
                (start(), org("larkfield"), false),
            ],
            consents: vec![consent()],
            assessments: vec![(start().plus_days(2), org("larkfield"))],
            stops: vec![Tombstone {
                until: None,
                at: start().plus_days(9),
                taken_by: org("larkfield"),
                scope: WithdrawalScope::Everything,
                organisations: Vec::new(),
                classes: Vec::new(),
                purposes: Vec::new(),
                tokens: Vec::new(),
            }],
        },
        terms: Terms {
            handed_to,
            staff_names: None,
            answered: vec![org("larkfield")],
            identity_checked: true,
        },
        whole: true,
        assembled: None,
    }
}

fn written(commission: &Commission, story: &[(When, VisibleEntry)]) -> String {
    let entries: Vec<Seen<'_>> = story.iter().rev().map(|(at, entry)| (*at, entry)).collect();
    let clock = &Rules::for_tests().clock;
    write(
        commission,
        &entries,
        &people(),
        clock,
        (&Said::new(), start().plus_days(11)),
    )
}

fn whole() -> String {
    let commission = commission("reviewer", OrgKind::Reviewer, HandedTo::Herself);
    written(&commission, &story())
}

#[test]
fn the_report_of_the_woman_of_the_demonstration() {
    insta::assert_snapshot!(whole(), @"
    WHAT WE HOLD ABOUT YOU

    Made on 13 April 2026 by Independent Reviewer.

    To be given to you in person. Nobody may post it, email it or leave it
    for you. Keep it only where it is safe. You can ask us to keep it for
    you.

    Services that help people use a shared system. With it they ask each
    other to help you. The system writes down each time someone uses it
    about you. This page says what is written there. It does not say where
    you live. It does not say what you told anyone.


    What is held about you
    ----------------------

    * Metropolitan Police asked a service to help you, on 2 April 2026.
    * Larkfield Support was asked to help you, on 2 April 2026.
    * Larkfield Support wrote down answers you gave about your safety and
      your needs, on 4 April 2026. They are locked. Ask Larkfield Support to
      read them with you.


    Who did what, and who was told something
    ----------------------------------------

    * 2 April 2026: Metropolitan Police asked a service to help you. It did
      not say who you are.
      Why: to support you.
      What gave it the right: you agreed.
    * 3 April 2026: Larkfield Support agreed to help you.
      It was told: your name and date of birth and how to reach you safely.
      Why: to support you.
      What gave it the right: you agreed.
    * 4 April 2026: Larkfield Support wrote down answers you gave about your
      safety and your needs.
      Why: to support you.
      What gave it the right: you agreed.
    * 8 April 2026: A specialist service read answers you gave before, so
      that you need not say it all again.
      It was told: what kind of help you need and answers about your health
      and safety.
      Why: to support you.
      What gave it the right: you agreed.


    Emergencies
    -----------

    * 6 April 2026: St Hilda's Hospital opened some of your details without
      asking you first.
      It said: a life was in danger.
      It was told: answers about your health and safety and how to reach you
      safely.
      Why: someone may have been in danger.
      What gave it the right: it was to save a life.
      This is only for danger. Someone else must check each time, within
      three days, if it was right.


    Who asked and was told nothing
    ------------------------------

    * A police force: 9 April 2026 and 10 April 2026.


    What you agreed to, and what you stopped
    ----------------------------------------

    * 2 April 2026: you agreed to sharing your name and date of birth and
      how to reach you safely. Larkfield Support wrote it down.
      You stopped this on 11 April 2026.
    * 11 April 2026: you told Larkfield Support to stop all sharing. From
      that moment it was stopped.

    You can change your mind at any time. You need no reason.


    Who checked this record
    -----------------------

    People whose job is to see that your details are used fairly looked at
    this record on 12 April 2026.


    What is not on this page
    ------------------------

    The names of workers are left out. You can ask for one, and say why you
    need it.

    Some services are called 'a specialist service', so that nobody who
    finds this page can tell where you get help.

    Metropolitan Police has its own file. It has not answered.

    St Hilda's Hospital has its own file. It has not answered.

    A specialist service has its own file. It has not answered.

    Counts are made from this system, such as how many people asked for
    help. Nobody can see you in them.


    If you think something is wrong
    -------------------------------

    * Tell Independent Reviewer first. It must tell you within 30 days that
      it has your complaint.
    * You can also tell the Information Commissioner's Office. It checks how
      people's details are used, and it is free. Phone 0303 123 1113, or see
      ico.org.uk/make-a-complaint.
    * You can ask a support worker or a solicitor to do this for you.
    ");
}

/// Words that mean something to us only, or that give a place or a person away.
const FORBIDDEN: [&str; 44] = [
    "leaf",
    "leaves",
    "token",
    "alias",
    "hash",
    "policy",
    "policies",
    "spki",
    "certificate",
    "gateway",
    "firedoor",
    "break-glass",
    "glass",
    "pseudonym",
    "merkle",
    "receipt",
    "checkpoint",
    "permit",
    "deny",
    "denied",
    "outcome",
    "purpose",
    "disclos",
    "screen",
    "firewall",
    "caldicott",
    "data protection officer",
    "ig officer",
    "nothing-to-show",
    "release",
    "referral",
    "assessment",
    "subject",
    "entry",
    "entries",
    "query",
    "queries",
    "opening",
    "consent",
    "basis",
    "refuge",
    "rosewood",
    "4417",
    "adviser",
];

#[test]
fn no_internal_word_no_worker_and_no_refuge_is_in_it() {
    let text = whole();
    let lower = text.to_lowercase();
    for word in FORBIDDEN {
        assert!(!lower.contains(word), "{word}");
    }
    assert!(!text.contains('_'), "a code");
    let rule = |word: &&str| {
        let mut letters = word.chars();
        letters.next() == Some('F') && letters.next().is_some_and(|c| c.is_ascii_digit())
    };
    assert_eq!(text.split_whitespace().find(rule), None);
    assert!(text.lines().all(|line| line.chars().count() <= LINE_CHARS));
}

/// The automated readability index (Senter and Smith, 1967): 7 is a reader of twelve or thirteen.
#[test]
fn it_reads_at_the_age_of_twelve() {
    let text = whole().replace("ico.org.uk/make-a-complaint", "site");
    let words: Vec<&str> = text
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .collect();
    let letters: usize = words
        .iter()
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).count())
        .sum();
    let sentences = words
        .iter()
        .filter(|word| word.ends_with(['.', ':']))
        .count();
    let (letters, sentences) = (letters as f64, sentences as f64);
    let count = words.len() as f64;
    let index = 4.71 * letters / count + 0.5 * count / sentences - 21.43;
    assert!(index < 7.0, "{index}");
}

#[test]
fn who_was_turned_down_is_told_by_kind_never_by_name() {
    let only: Vec<_> = story()
        .into_iter()
        .filter(|(_, entry)| entry.outcome != VisibleOutcome::Permit)
        .collect();
    let mut commission = commission("reviewer", OrgKind::Reviewer, HandedTo::HerSolicitor);
    commission.held = Held::default();
    let text = written(&commission, &only);
    assert!(text.contains("A police force"), "{text}");
    assert!(!text.contains("Metropolitan"), "{text}");
}

#[test]
fn her_solicitor_is_told_the_names_of_specialist_services() {
    let commission = commission("reviewer", OrgKind::Reviewer, HandedTo::HerSolicitor);
    let text = written(&commission, &story());
    assert!(text.contains("Rosewood Refuge"));
    let head: String = text.chars().take(400).collect();
    assert!(head.contains("your solicitor in person"), "{head}");
}

#[test]
fn workers_are_named_only_where_it_was_decided_and_only_ones_own() {
    let mut commission = commission("larkfield", OrgKind::VoluntarySpecialist, HandedTo::Herself);
    let own = |entry: VisibleEntry| VisibleEntry {
        side: Side::Asking,
        decided: None,
        ..entry
    };
    let mut story = story();
    story[1].1 = own(story[1].1.clone());
    assert!(!written(&commission, &story).contains("4417"));
    commission.terms.staff_names = Some(StaffNamesReason::EssentialToHerRights);
    let text = written(&commission, &story);
    assert_eq!(text.matches("4417").count(), 1, "{text}");
    assert!(text.contains("Larkfield Support (worker w-4417)"), "{text}");
}

#[test]
fn a_service_that_must_not_be_found_does_not_sign_the_page() {
    let mut commission = commission("rosewood", OrgKind::Refuge, HandedTo::Herself);
    commission.held = Held::default();
    let text = written(&commission, &story());
    assert!(!text.contains("Rosewood"));
    assert!(text.contains("the service that gave you this page"));
    assert!(text.contains("Others may hold something about you too."));
}
