//! A new gateway, made and opened.

use super::*;
use crate::domain::codes::OrgKind;
use crate::domain::decision::Aggregate;
use std::fs;

fn plan() -> Plan {
    Plan {
        origin: "gateway.example.org/log".to_owned(),
        hosts: vec!["gateway.example.org".to_owned()],
        addresses: Vec::new(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
    }
}

fn founders(operator: &str, approvers: &[&str]) -> Result<Founders, CommandError> {
    let mut people = vec![Founder::operator(operator)?];
    for approver in approvers {
        people.push(Founder::approver(approver)?);
    }
    Founders::new(people)
}

fn refused(operator: &str, approvers: &[&str]) -> String {
    founders(operator, approvers).err().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_gateway_has_one_entry_and_its_people_their_keys() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("new");
    let people = founders(
        "borough:it:s-khan",
        &["haven:refuge:managers:j-obi", "dpc:reviewer:office:a-lee"],
    );
    let mut told = Vec::new();
    make(&at, &plan(), people.unwrap(), &mut told)
        .await
        .unwrap();
    let told = String::from_utf8(told).unwrap();
    for person in [
        "borough-s-khan/s-khan",
        "haven-j-obi/j-obi",
        "dpc-a-lee/a-lee",
    ] {
        assert!(at.join(format!("people/{person}.p12")).exists());
        assert!(told.contains(person), "{told}");
    }
    assert_eq!(told.matches("otpauth://totp/").count(), 3);
    assert_eq!(told.matches("shown only now: ").count(), 3);
    assert!(told.contains("firedoor doctor"));
    let vkey = fs::read_to_string(at.join("log.vkey")).unwrap();
    assert!(vkey.starts_with("gateway.example.org/log+"));

    let config = Config::read(&at.join("firedoor.toml")).unwrap();
    let gateway = gateway::open(&config).await.unwrap();
    assert_eq!(gateway.store.health().leaves, 1);
    let haven = crate::domain::id::OrgId::parse("haven").unwrap();
    let facts = gateway
        .store
        .facts(&[Aggregate::Organisation(haven.clone())])
        .await;
    let mut known = crate::domain::known::Known::default();
    known.add(facts.unwrap()).unwrap();
    let found = known.organisations.get(&haven).unwrap();
    assert_eq!((found.kind, found.certificates.len()), (OrgKind::Refuge, 1));
    gateway.store.close().await.unwrap();

    let again = founders("borough:it:s-khan", &["haven:refuge:managers:j-obi"]).unwrap();
    assert!(make(&at, &plan(), again, &mut Vec::new()).await.is_err());
}

#[test]
fn nobody_begins_alone() {
    let alone = "name an approver of another organisation";
    assert!(refused("borough:it:s-khan", &[]).starts_with(alone));
    assert!(refused("borough:it:s-khan", &["dpc:reviewer:office:a-lee"]).starts_with(alone));
    assert_eq!(
        refused(
            "haven:it:s-khan",
            &["haven:refuge:it:j-obi", "met:police:it:a-b"]
        ),
        "an organisation has one kind"
    );
    assert_eq!(
        refused(
            "borough:it:s-khan",
            &["met:police:it:a-b", "met:police:hq:a-b"]
        ),
        "each person is named once"
    );
}

#[test]
fn a_kind_that_enforces_immigration_law_cannot_be_written_down() {
    for kind in ["immigration_enforcement", "home_office", "operator"] {
        let told = refused("borough:it:s-khan", &[&format!("he:{kind}:team:a-b")]);
        assert!(
            told.starts_with("--approver: the kind is one of police, "),
            "{told}"
        );
    }
    let told = refused("uk-border-force:it:s-khan", &[]);
    assert!(told.contains("immigration law"), "{told}");
    assert!(refused("borough:it", &[]).contains("ORGANISATION:TEAM:USER"));
    assert!(refused("Borough:it:s-khan", &[]).contains("2 to 32 of a-z"));
}
