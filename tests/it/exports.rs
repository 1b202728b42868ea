//! The exports of the log, read by parsers that we did not write: HL7's FHIR models, the published
//! schema of OCSF, and Python's reader of CSV. `tests/outside/install` installs them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "fixtures: a failure here is a failed test"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use firedoor::domain::audit::{
    Side, SomeOrganisation, VisibleDecision, VisibleEntry, VisibleOutcome,
};
use firedoor::domain::codes::{Action, Purpose};
use firedoor::domain::id::{Id, OrgId, TeamId};
use firedoor::domain::opening::FirewallMark;
use firedoor::domain::time::When;
use firedoor::edge::wire::reports::Format;
use firedoor::pipeline::Entry;
use serde_json::{Value, json};

const ORIGIN: &str = "town.firedoor.example/log";

/// Every action, outcome and side, with all that may be said and with nothing of it.
fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    let sides = [Side::Asking, Side::Holding, Side::Operator, Side::Reviewer];
    for (number, action) in Action::ALL.iter().enumerate() {
        for outcome in VisibleOutcome::ALL {
            for side in sides {
                for full in [false, true] {
                    let index = entries.len() as u64;
                    let purpose = Purpose::ALL[number % Purpose::ALL.len()];
                    let mut seen = entry(*action, outcome, side);
                    seen.purpose = purpose.code().to_owned();
                    seen.asserted = full;
                    let shows = matches!(side, Side::Holding | Side::Reviewer);
                    if full {
                        seen.reason = Some("life_at_risk".to_owned());
                        seen.object = Some(Id::from_bytes([7; 16]));
                        seen.asked = vec!["op".to_owned(), "sp".to_owned()];
                    }
                    seen.decided = shows.then(|| decision(full, outcome));
                    entries.push(Entry {
                        index,
                        at: When::from_millis(1_775_160_600_000 + index as i64 * 10_000),
                        seen,
                        evidence: None,
                    });
                }
            }
        }
    }
    entries
}

fn entry(action: Action, outcome: VisibleOutcome, side: Side) -> VisibleEntry {
    let told = match (action, outcome) {
        (_, VisibleOutcome::Deny) => "role-not-allowed",
        (_, VisibleOutcome::Empty) => "nothing-to-show",
        (Action::AcceptReferral, VisibleOutcome::Permit) => "released",
        (Action::BreakGlass, VisibleOutcome::Permit) => "emergency-view",
        (_, VisibleOutcome::Permit | VisibleOutcome::Error) => "done",
    };
    VisibleEntry {
        side,
        organisation: SomeOrganisation::Named(OrgId::parse("met").unwrap()),
        team: TeamId::parse("response").unwrap(),
        // What an organisation calls its worker is the only text that is not ours.
        user: "=HYPERLINK(\"http://x\",\"4417\"), PC".to_owned(),
        role: "officer".to_owned(),
        certificate: [0xC1; 32],
        asserted: true,
        purpose: String::new(),
        reason: None,
        action: action.code().to_owned(),
        object: None,
        asked: Vec::new(),
        told: told.to_owned(),
        outcome,
        decided: None,
    }
}

fn decision(full: bool, outcome: VisibleOutcome) -> VisibleDecision {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let mut decision = VisibleDecision {
        rule: String::new(),
        policy: [7; 32],
        person: None,
        consents: Vec::new(),
        basis: None,
        relationship: None,
        firewall: None,
        disclosed: Vec::new(),
        concerned: Vec::new(),
        sources: 0,
        notes: Vec::new(),
    };
    if full {
        decision.rule = "assessment.query F8".to_owned();
        decision.person = Some(Id::from_bytes([5; 16]));
        decision.consents = vec![Id::from_bytes([6; 16]), Id::from_bytes([8; 16])];
        decision.basis = Some("consent".to_owned());
        decision.relationship = Some("accepted_from_another".to_owned());
        decision.firewall = Some(FirewallMark {
            rule: "F5".to_owned(),
            class: "ft".to_owned(),
        });
        if outcome == VisibleOutcome::Permit {
            decision.disclosed = list(&["op", "sp"]);
        }
        decision.concerned = vec![
            SomeOrganisation::Named(OrgId::parse("st-hildas").unwrap()),
            SomeOrganisation::Hidden,
        ];
        decision.sources = 2;
        decision.notes = list(&["stopped-by-withdrawal", "@note"]);
    }
    decision
}

/// An export as `firedoor audit export` writes it.
fn export(format: Format, entries: &[Entry]) -> String {
    let list = entries.iter().map(|entry| format.entry(entry, ORIGIN));
    match format {
        Format::Fhir => {
            let list: Vec<Value> = list.map(|event| json!({ "resource": event })).collect();
            json!({ "resourceType": "Bundle", "type": "collection", "entry": list }).to_string()
        }
        Format::Ocsf => list.map(|event| format!("{event}\n")).collect(),
        Format::Csv => {
            let lines = list.map(|line| line.as_str().unwrap().to_owned());
            let lines = std::iter::once(format.head().unwrap()).chain(lines);
            lines.map(|line| format!("{line}\r\n")).collect()
        }
    }
}

/// What the outside reader says of a text.
fn read(format: Format, text: &str) -> (bool, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/outside/venv/bin/python");
    assert!(
        python.exists(),
        "{} is not there: run tests/run once, or tests/outside/install alone",
        python.display()
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("export");
    fs::write(&file, text).unwrap();
    let out = Command::new(python)
        .arg(root.join("tests/outside/report.py"))
        .arg(format.word())
        .arg(&file)
        .output()
        .unwrap();
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(out.status.code().is_some_and(|code| code < 2), "{said}");
    assert!(!said.contains("Traceback"), "{said}");
    (out.status.success(), said)
}

#[test]
fn every_export_is_read_by_a_parser_of_others() {
    let entries = entries();
    assert_eq!(entries.len(), Action::ALL.len() * 32);
    for format in [Format::Fhir, Format::Ocsf, Format::Csv] {
        let (read, said) = read(format, &export(format, &entries));
        assert!(read, "{}: {said}", format.word());
        assert_eq!(said.trim(), format!("{} entries", entries.len()));
    }
}

#[test]
fn the_parsers_of_others_refuse_what_is_not_right() {
    let entries = &entries()[..8];
    let broken = [
        (Format::Fhir, "\"recorded\"", "\"recordd\""),
        (Format::Fhir, "\"agent\":[", "\"agnt\":["),
        (Format::Ocsf, "\"class_uid\":6003", "\"class_uid\":6004"),
        (Format::Ocsf, "\"time\"", "\"tme\""),
        (Format::Csv, "\"'=HYPERLINK", "\"=HYPERLINK"),
        (Format::Csv, ",met,", ",me,t,"),
    ];
    for (format, from, to) in broken {
        let text = export(format, entries);
        let text = text.replacen(from, to, 1);
        assert_ne!(text, export(format, entries), "{from}");
        let (read, said) = read(format, &text);
        assert!(!read, "{} {from}: {said}", format.word());
    }
}

#[test]
fn an_export_says_no_more_than_its_reader_sees() {
    let mut hidden = entries();
    hidden.retain(|entry| entry.seen.decided.is_none());
    for format in [Format::Fhir, Format::Ocsf, Format::Csv] {
        let text = export(format, &hidden);
        for word in [
            "st-hildas",
            "stopped-by-withdrawal",
            "F8",
            "accepted_from_another",
        ] {
            assert!(!text.contains(word), "{} {word}", format.word());
        }
    }
}

/// BALP names a profile only where its entry has what the profile asks for.
#[test]
fn a_profile_is_named_where_it_is_kept() {
    let mut named = std::collections::BTreeMap::<String, usize>::new();
    for entry in entries() {
        let event = Format::Fhir.entry(&entry, ORIGIN);
        let Some(profile) = event.pointer("/meta/profile/0").and_then(Value::as_str) else {
            continue;
        };
        let name = profile.rsplit_once("IHE.BasicAudit.").unwrap().1.to_owned();
        let agents = event["agent"].as_array().unwrap();
        let kinds = |name: &str| {
            let list = event["entity"].as_array().map_or(&[][..], Vec::as_slice);
            list.iter()
                .filter(|entity| entity.pointer("/type/code") == Some(&json!(name)))
                .count()
        };
        assert!(agents.len() >= 2 && agents.iter().all(|agent| agent.get("who").is_some()));
        match name.as_str() {
            "AuthZconsent" => assert!(kinds("1") == 1 && kinds("Consent") >= 1),
            "PrivacyDisclosure.Source" => {
                assert!(kinds("1") == 1 && event["entity"].as_array().unwrap().len() >= 2);
                let source = agents
                    .iter()
                    .find(|agent| agent.pointer("/type/coding/0/code") == Some(&json!("110153")))
                    .unwrap();
                // The source of what was told is who recorded it.
                assert_eq!(source["who"], event["source"]["observer"]);
            }
            "PatientQuery" => assert!(kinds("1") == 1 && kinds("2") == 1),
            "Query" => assert!(kinds("1") == 0 && kinds("2") == 1),
            "PatientCreate" => assert!(kinds("1") == 1 && kinds("2") == 1),
            "Create" => assert!(kinds("1") == 0 && kinds("2") == 1),
            other => unreachable!("{other}"),
        }
        *named.entry(name).or_default() += 1;
    }
    let names: Vec<&str> = named.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "AuthZconsent",
            "Create",
            "PatientCreate",
            "PatientQuery",
            "PrivacyDisclosure.Source",
            "Query"
        ]
    );
}
