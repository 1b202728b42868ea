//! Who sees what of the log, as a table that a person reviews.

use std::sync::Arc;

use super::*;
use crate::domain::alias::AliasKey;
use crate::domain::opening::{What, Who, Why};
use proptest::prelude::*;

fn org(name: &str) -> OrgId {
    OrgId::parse(name).unwrap()
}

/// A charity asked about a person whom the hospital and a refuge hold; nothing was shown, because
/// she had withdrawn.
fn query(asker: &str) -> Opening {
    Opening {
        who: Who {
            organisation: org(asker),
            team: TeamId::parse("main").unwrap(),
            user: "w7".to_owned(),
            role: "adviser".to_owned(),
            certificate: [0xC1; 32],
            asserted: true,
        },
        why: Why {
            purpose: "prior_assessment".to_owned(),
            reason: None,
            case: Some(Id::from_bytes([1; 16])),
        },
        what: What {
            action: "query_assessments".to_owned(),
            object: Some(Id::from_bytes([2; 16])),
            asked: vec!["sp".to_owned()],
        },
        decided: Decided {
            outcome: Outcome::Permit,
            told: "nothing-to-show".to_owned(),
            rule: "assessment.withdrawn".to_owned(),
            policy: [3; 32],
            subject: Some([4; 16]),
            object: Some(Id::from_bytes([5; 16])),
            consents: vec![Id::from_bytes([6; 16])],
            basis: Some("consent".to_owned()),
            relationship: Some("accepted_from_another".to_owned()),
            firewall: Some(FirewallMark {
                rule: "F5".to_owned(),
                class: "ft".to_owned(),
            }),
            disclosed: vec!["sp".to_owned()],
            concerned: vec![
                org("hospital"),
                org("refuge"),
                org("police"),
                org("council"),
            ],
            sources: 2,
            notes: vec!["stopped-by-withdrawal".to_owned()],
        },
        salts: [[0; 32]; 4],
        request_salt: [0; 32],
    }
}

fn operators() -> Opening {
    let mut opening = query("operator");
    opening.what.action = "narrow".to_owned();
    opening.decided.notes = vec![OPERATOR.to_owned()];
    opening.decided.told = "narrowed".to_owned();
    opening
}

fn viewer(organisation: &str, kind: OrgKind, tainted: bool) -> Viewer {
    Viewer {
        organisation: org(organisation),
        kind,
        tainted,
    }
}

fn names(viewer: &Viewer) -> Aliases {
    let at = When::from_millis(1_775_160_600_000);
    Arc::new(AliasKey::new([2; 32])).of(&viewer.organisation, 0, at)
}

/// Everything that an entry shows, in one text.
fn everything(entry: &VisibleEntry) -> String {
    let mut shown = format!(
        "{}: {}/{}/{} as {}{} for {}; {} {:?}; told {} = {}",
        entry.side.code(),
        entry.organisation.text(),
        entry.team,
        entry.user,
        entry.role,
        if entry.asserted { " (asserted)" } else { "" },
        entry.purpose,
        entry.action,
        entry.asked,
        entry.told,
        entry.outcome.code(),
    );
    if entry.object.is_some() {
        shown += "; object";
    }
    if let Some(decided) = &entry.decided {
        let concerned: Vec<&str> = decided
            .concerned
            .iter()
            .map(SomeOrganisation::text)
            .collect();
        shown += &format!(
            "; rule {}, {} sources, {:?}, disclosed {:?}, {} consents, person {}, concerned {}",
            decided.rule,
            decided.sources,
            decided.notes,
            decided.disclosed,
            decided.consents.len(),
            decided.person.is_some(),
            concerned.join(" + "),
        );
    }
    shown
}

fn row(what: &str, viewer: &Viewer, opening: &Opening) -> String {
    let seen = visible(viewer, &names(viewer), opening);
    let seen = seen.map_or("-".to_owned(), |entry| everything(&entry));
    format!("{what}\n    {seen}")
}

#[test]
fn each_reader_sees_her_side_and_no_more() {
    let charity = viewer("charity", OrgKind::ByAndFor, false);
    let hospital = viewer("hospital", OrgKind::NhsTrust, false);
    let by_charity = query("charity");
    let rows = [
        row("the asker's own IG officer", &charity, &by_charity),
        row("a holder's", &hospital, &by_charity),
        row(
            "a holder's, in a tainted team",
            &viewer("hospital", OrgKind::NhsTrust, true),
            &by_charity,
        ),
        row(
            "police, concerned",
            &viewer("police", OrgKind::Police, false),
            &by_charity,
        ),
        row(
            "a council, concerned",
            &viewer("council", OrgKind::LocalAuthority, false),
            &by_charity,
        ),
        row(
            "a charity, not concerned",
            &viewer("other", OrgKind::Refuge, false),
            &by_charity,
        ),
        row(
            "the reviewer",
            &viewer("reviewer", OrgKind::Reviewer, false),
            &by_charity,
        ),
        row(
            "police, of their own officer",
            &viewer("police", OrgKind::Police, false),
            &query("police"),
        ),
        row(
            "police, of the operator's staff",
            &viewer("police", OrgKind::Police, false),
            &operators(),
        ),
        row("a charity, of the operator's staff", &charity, &operators()),
        row("a holder, of the operator's staff", &hospital, &operators()),
    ];
    insta::assert_snapshot!(rows.join("\n"), @r#"
    the asker's own IG officer
        asking: charity/main/w7 as adviser (asserted) for prior_assessment; query_assessments ["sp"]; told nothing-to-show = empty; object
    a holder's
        holding: charity/main/w7 as adviser (asserted) for prior_assessment; query_assessments ["sp"]; told nothing-to-show = permit; object; rule assessment.withdrawn, 2 sources, ["stopped-by-withdrawal"], disclosed ["sp"], 1 consents, person true, concerned hospital + a specialist service + a specialist service + a specialist service
    a holder's, in a tainted team
        -
    police, concerned
        -
    a council, concerned
        -
    a charity, not concerned
        -
    the reviewer
        reviewer: charity/main/w7 as adviser (asserted) for prior_assessment; query_assessments ["sp"]; told nothing-to-show = permit; object; rule assessment.withdrawn, 2 sources, ["stopped-by-withdrawal"], disclosed ["sp"], 1 consents, person true, concerned hospital + refuge + police + council
    police, of their own officer
        asking: police/main/w7 as adviser (asserted) for prior_assessment; query_assessments ["sp"]; told nothing-to-show = empty; object
    police, of the operator's staff
        operator: operator/main/w7 as adviser (asserted) for prior_assessment; narrow ["sp"]; told narrowed = permit
    a charity, of the operator's staff
        operator: operator/main/w7 as adviser (asserted) for prior_assessment; narrow ["sp"]; told narrowed = permit
    a holder, of the operator's staff
        holding: operator/main/w7 as adviser (asserted) for prior_assessment; narrow ["sp"]; told narrowed = permit; object; rule assessment.withdrawn, 2 sources, ["operator"], disclosed ["sp"], 1 consents, person true, concerned hospital + a specialist service + a specialist service + a specialist service
    "#);
}

#[test]
fn an_asker_cannot_tell_withdrawn_from_unknown() {
    let asker = viewer("charity", OrgKind::ByAndFor, false);
    let withdrawn = query("charity");
    let mut unknown = query("charity");
    unknown.decided = Decided {
        told: withdrawn.decided.told.clone(),
        outcome: Outcome::Empty,
        rule: String::new(),
        policy: [9; 32],
        subject: None,
        object: None,
        consents: Vec::new(),
        basis: None,
        relationship: None,
        firewall: None,
        disclosed: Vec::new(),
        concerned: Vec::new(),
        sources: 0,
        notes: Vec::new(),
    };
    assert!(
        visible(&asker, &names(&asker), &withdrawn) == visible(&asker, &names(&asker), &unknown)
    );
}

#[test]
fn two_organisations_see_a_person_under_different_names() {
    let person = |organisation: &str| {
        let viewer = viewer(organisation, OrgKind::Refuge, false);
        let entry = visible(&viewer, &names(&viewer), &query("charity")).unwrap();
        let decided = entry.decided.unwrap();
        (entry.object, decided.person, decided.consents)
    };
    let (hospital, refuge) = (person("hospital"), person("refuge"));
    assert_ne!(hospital.0, refuge.0);
    assert_ne!(hospital.1, refuge.1);
    assert_ne!(hospital.2, refuge.2);
    assert_ne!(hospital.1, Some(Id::from_bytes([4; 16])));
}

#[test]
fn a_filter_is_put_to_what_is_seen() {
    let asker = viewer("charity", OrgKind::ByAndFor, false);
    let entry = visible(&asker, &names(&asker), &query("charity")).unwrap();
    let at = When::from_millis(20_000);
    let keeps = |filter: Filter| filter.keeps(at, &entry);
    // It was a permit in truth; the asker was told nothing, so it counts as empty.
    assert!(!keeps(Filter {
        outcome: Some(VisibleOutcome::Permit),
        ..Filter::default()
    }));
    assert!(keeps(Filter {
        outcome: Some(VisibleOutcome::Empty),
        ..Filter::default()
    }));
    assert!(keeps(Filter {
        user: Some("w7".to_owned()),
        ..Filter::default()
    }));
    assert!(!keeps(Filter {
        user: Some("w8".to_owned()),
        ..Filter::default()
    }));
    assert!(!keeps(Filter {
        action: Some(Action::Withdraw),
        ..Filter::default()
    }));
    assert!(keeps(Filter {
        from: Some(When::from_millis(25_000)),
        ..Filter::default()
    }));
    assert!(!keeps(Filter {
        to: Some(at),
        ..Filter::default()
    }));
    // A user of another organisation is not looked for.
    let holder = viewer("hospital", OrgKind::NhsTrust, false);
    let entry = visible(&holder, &names(&holder), &query("charity")).unwrap();
    let filter = Filter {
        user: Some("w7".to_owned()),
        ..Filter::default()
    };
    assert!(!filter.keeps(at, &entry));
}

fn any_kind() -> impl Strategy<Value = OrgKind> {
    proptest::sample::select(OrgKind::ALL)
}

proptest! {
    /// Whatever was found: the asking side sees the same if the asker was told the same.
    #[test]
    fn what_was_found_does_not_reach_the_asking_side(
        kind in any_kind().prop_filter("the reviewer sees all", |kind| *kind != OrgKind::Reviewer),
        tainted: bool,
        sources: u16,
        rule in "[a-z.]{0,20}",
        subject: Option<[u8; 16]>,
        concerned in proptest::sample::subsequence(vec!["charity", "hospital", "police"], 0..3),
        outcome in proptest::sample::select(vec![Outcome::Permit, Outcome::Deny, Outcome::Empty]),
    ) {
        let viewer = viewer("charity", kind, tainted);
        let plain = query("charity");
        let mut other = query("charity");
        other.decided.sources = sources;
        other.decided.rule = rule;
        other.decided.subject = subject;
        other.decided.concerned = concerned.into_iter().map(org).collect();
        other.decided.outcome = outcome;
        prop_assert!(visible(&viewer, &names(&viewer), &plain) == visible(&viewer, &names(&viewer), &other));
    }

    /// F7: no reader of the police, of a council, or of a tainted team, is shown the name of any
    /// other organisation but the operator's.
    #[test]
    fn police_and_tainted_readers_see_no_counterparts_name(
        kind in any_kind(),
        tainted: bool,
        actor in proptest::sample::select(vec!["police", "hospital", "refuge", "charity", "operator"]),
    ) {
        prop_assume!(kind != OrgKind::Reviewer);
        prop_assume!(tainted || matches!(kind, OrgKind::Police | OrgKind::LocalAuthority));
        let viewer = viewer("police", kind, tainted);
        let opening = if actor == "operator" { operators() } else { query(actor) };
        if let Some(entry) = visible(&viewer, &names(&viewer), &opening) {
            let shown = everything(&entry);
            for name in ["hospital", "refuge", "charity", "council"] {
                prop_assert!(!shown.contains(name), "{}", shown);
            }
            prop_assert!(entry.decided.is_none());
        }
    }
}
