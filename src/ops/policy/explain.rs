//! `firedoor policy explain`: why a request is decided as it is, in words.
//!
//! It asks the policies what the gateway would ask them, about facts that come from a file. It reads
//! no store, so that it tells nothing of anyone.

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::codes::{
    Action, Article6, ConsentDepth, ConsentStrength, DataClass, OffenceGroup, OrgKind, Purpose,
    Role,
};
use crate::domain::explaining::{Explained, Matched, explain};
use crate::domain::firewall::Text;
use crate::domain::id::{OrgId, TeamId};
use crate::domain::policy::{Actor, Ask, ConsentState, Policies, Recipient, Relationship};
use crate::domain::rulebook::Rulebook;
use crate::ops::cert::hex;
use crate::ops::cli::{CommandError, CommandResult};
use crate::ops::rules::{self, RulesError};

pub const HELP: &str = "REQUEST is JSON, or - for standard input; what is left out is false, none, or as \
the asker's:\n\n\
{ \"action\": \"query_assessments\", \"purpose\": \"prior_assessment\",\n\
\x20 \"asker\": { \"organisation\": \"larkfield\", \"kind\": \"voluntary_specialist\", \"role\": \"adviser\",\n\
\x20             \"agreement\": true },\n\
\x20 \"giver\": \"nhs_trust\", \"classes\": [\"op\", \"sp\"], \"relationship\": \"accepted_from_another\",\n\
\x20 \"consent\": { \"strength\": \"explicit\", \"live\": true, \"covers\": true } }\n\n\
Of the asker too: tainted, suspended, person (a person's certificate), second_factor. Besides: \
recipient (as the asker), source_consent (with from_another), step (exists, cards or answers; a consent has a depth of these), \
identity_sure, offence, basis, own, text_held, emergency_confirmed, proposer.\n\n\
With --entry the file is one entry of the log as `firedoor audit list --json` shows it to those who hold \
what it is about: the sentences of the rules that it names.\n\n\
Example: firedoor policy explain request.json\n\
Example: firedoor policy explain --entry entry.json --policies policies --json";

const INPUT_BYTES_MAX: u64 = 1024 * 1024;

#[derive(clap::Args)]
pub struct Args {
    /// JSON, or - for standard input
    file: PathBuf,
    /// The file is an entry of the log
    #[arg(long)]
    entry: bool,
    /// A folder of policies, instead of those built in
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestIn {
    action: String,
    purpose: String,
    asker: SideIn,
    recipient: Option<SideIn>,
    giver: Option<String>,
    #[serde(default)]
    classes: Vec<String>,
    #[serde(default)]
    own: bool,
    relationship: Option<String>,
    offence: Option<String>,
    basis: Option<String>,
    consent: Option<ConsentIn>,
    source_consent: Option<ConsentIn>,
    step: Option<String>,
    #[serde(default)]
    identity_sure: bool,
    #[serde(default)]
    text_held: bool,
    #[serde(default)]
    emergency_confirmed: bool,
    proposer: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SideIn {
    organisation: String,
    kind: String,
    role: Option<String>,
    #[serde(default)]
    tainted: bool,
    #[serde(default)]
    suspended: bool,
    #[serde(default)]
    person: bool,
    #[serde(default)]
    second_factor: bool,
    #[serde(default)]
    agreement: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentIn {
    strength: String,
    #[serde(default)]
    live: bool,
    #[serde(default)]
    covers: bool,
    #[serde(default)]
    from_another: bool,
    depth: Option<String>,
}

pub fn run(args: &Args) -> CommandResult {
    let book = match &args.policies {
        None => Rulebook::built_in().map_err(RulesError::BuiltIn)?,
        Some(dir) => {
            rules::book(dir)?.ok_or_else(|| format!("{} holds no policies", dir.display()))?
        }
    };
    let text = read(&args.file)?;
    let (words, value) = match args.entry {
        true => entry(&book.policies, book.hash(), &text)?,
        false => request(&book.policies, &text)?,
    };
    let mut out = io::stdout().lock();
    match args.json {
        true => writeln!(out, "{value:#}")?,
        false => out.write_all(words.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<String, CommandError> {
    let mut text = String::new();
    let source: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin().lock()),
        false => Box::new(
            std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?,
        ),
    };
    source.take(INPUT_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn request(policies: &Policies, text: &str) -> Result<(String, Value), CommandError> {
    let input: RequestIn = serde_json::from_str(text)
        .map_err(|error| format!("the request is not understood: {error}"))?;
    let held = match input.text_held {
        true => Text::Held,
        false => Text::Clear,
    };
    let ask = ask(input)?;
    let found = explain(policies, &ask, held)
        .ok_or("a policy fails on this request, so it is refused, and so is every other like it")?;
    Ok((words(&found), value(&found)))
}

fn code<T>(what: &str, text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, CommandError> {
    parse(text).ok_or_else(|| format!("{what}: there is no code '{text}'").into())
}

fn maybe<T>(
    what: &str,
    text: Option<&String>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, CommandError> {
    text.map(|text| code(what, text, parse)).transpose()
}

fn organisation(text: &str) -> Result<OrgId, CommandError> {
    code("organisation", text, |text| OrgId::parse(text).ok())
}

fn ask(input: RequestIn) -> Result<Ask, CommandError> {
    let action = code("action", &input.action, Action::parse)?;
    let relationship = |text: &str| {
        let mut all = Relationship::ALL.iter().copied();
        all.find(|one| one.code() == text)
    };
    let own = organisation(&input.asker.organisation)?;
    let role = input.asker.role.as_ref().ok_or("asker: give a role")?;
    let actor = Actor {
        organisation: own.clone(),
        kind: code("kind", &input.asker.kind, OrgKind::parse)?,
        active: !input.asker.suspended,
        team: code("team", "team", |text| TeamId::parse(text).ok())?,
        tainted: input.asker.tainted,
        role: code("role", role, Role::parse)?,
        role_assertable: true,
        person_certificate: input.asker.person,
        second_factor: input.asker.second_factor,
        agreement_in_date: input.asker.agreement,
    };
    let recipient = side(input.recipient.as_ref().unwrap_or(&input.asker))?;
    let mut classes = Vec::new();
    for class in &input.classes {
        classes.push(code("classes", class, DataClass::parse)?);
    }
    Ok(Ask {
        action,
        purpose: code("purpose", &input.purpose, Purpose::parse)?,
        actor,
        certificate_organisation: own,
        recipient,
        giver: maybe("giver", input.giver.as_ref(), OrgKind::parse)?,
        classes,
        own: input.own,
        relationship: maybe("relationship", input.relationship.as_ref(), relationship)?
            .unwrap_or(Relationship::None),
        offence: maybe("offence", input.offence.as_ref(), OffenceGroup::parse)?,
        basis: maybe("basis", input.basis.as_ref(), Article6::parse)?,
        consent: input.consent.map(consent).transpose()?,
        source_consent: input.source_consent.map(consent).transpose()?,
        step: maybe("step", input.step.as_ref(), ConsentDepth::parse)?,
        identity_sure: input.identity_sure,
        emergency_confirmed: input.emergency_confirmed,
        proposer: input.proposer.as_deref().map(organisation).transpose()?,
    })
}

fn side(input: &SideIn) -> Result<Recipient, CommandError> {
    Ok(Recipient {
        organisation: organisation(&input.organisation)?,
        kind: code("kind", &input.kind, OrgKind::parse)?,
        active: !input.suspended,
        tainted: input.tainted,
        agreement_in_date: input.agreement,
    })
}

fn consent(input: ConsentIn) -> Result<ConsentState, CommandError> {
    Ok(ConsentState {
        strength: code("strength", &input.strength, ConsentStrength::parse)?,
        live: input.live,
        covers: input.covers,
        from_another: input.from_another,
        depth: maybe("depth", input.depth.as_ref(), ConsentDepth::parse)?,
    })
}

fn words(found: &Explained) -> String {
    let mut text = String::new();
    // A String takes everything.
    let _ = match found.refused {
        None => writeln!(text, "Permitted."),
        Some(why) => writeln!(text, "Refused: {why}."),
    };
    let permits = ("Permits that match", "No policy permits it.");
    let forbids = ("Forbids that match; one is enough", "No policy forbids it.");
    for ((some, none), list) in [(permits, &found.permits), (forbids, &found.forbids)] {
        let _ = match list.is_empty() {
            true => writeln!(text, "{none}"),
            false => writeln!(text, "{some}:"),
        };
        for one in list {
            let _ = writeln!(text, "  {}: {}", one.id, one.says);
        }
    }
    for told in &found.classes {
        let class = told.class.code();
        let _ = match told.dropped {
            None => writeln!(text, "{class} is told."),
            Some((cell, rule)) => {
                writeln!(text, "{class} is dropped by the firewall: {cell} ({rule}).")
            }
        };
    }
    for change in &found.instead {
        let _ = writeln!(text, "It would be permitted if {change}.");
    }
    if found.refused.is_some() && found.instead.is_empty() {
        let _ = writeln!(
            text,
            "No single change of those that we try would permit it."
        );
    }
    text
}

fn matched(list: &[Matched]) -> Vec<Value> {
    list.iter()
        .map(|one| json!({ "id": one.id, "says": one.says }))
        .collect()
}

fn value(found: &Explained) -> Value {
    let classes = found.classes.iter().map(|told| {
        json!({
            "class": told.class.code(),
            "told": told.dropped.is_none(),
            "cell": told.dropped.map(|(cell, _)| cell),
            "rule": told.dropped.map(|(_, rule)| rule),
        })
    });
    json!({
        "permitted": found.refused.is_none(),
        "why": found.refused.map(|why| why.to_string()),
        "permits": matched(&found.permits),
        "forbids": matched(&found.forbids),
        "classes": classes.collect::<Vec<_>>(),
        "instead": found.instead,
    })
}

/// The rules that an entry names, each with its sentence.
fn entry(policies: &Policies, hash: [u8; 32], text: &str) -> Result<(String, Value), CommandError> {
    let entry: Value =
        serde_json::from_str(text).map_err(|error| format!("the entry is not JSON: {error}"))?;
    let decided = entry.get("decided").filter(|decided| decided.is_object());
    let decided =
        decided.ok_or("the entry does not show what was decided: its holder sees that")?;
    let outer = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let part = |name: &str| {
        decided
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let mut words = format!("Outcome {}, told '{}'.\n", outer("outcome"), outer("told"));
    let mut named = Vec::new();
    for id in part("rule").split_whitespace() {
        let says = policies.says(id);
        let shown = says.unwrap_or("not in these policies, or cut short in the entry");
        let _ = writeln!(words, "  {id}: {shown}");
        named.push(json!({ "id": id, "says": says }));
    }
    if named.is_empty() {
        words.push_str(
            "  It names no policy: none permitted it, or the refusal was of another kind.\n",
        );
    }
    let mark = |name: &str| decided.pointer(name).and_then(Value::as_str);
    if let Some((rule, class)) = mark("/firewall/rule").zip(mark("/firewall/class")) {
        let _ = writeln!(words, "The firewall dropped {class} ({rule}).");
    }
    if part("policy") != hex(&hash) {
        let other = part("policy");
        let _ = writeln!(
            words,
            "It was decided by other policies than these: GET /v1/policies/{other}"
        );
    }
    let value = json!({
        "outcome": outer("outcome"), "told": outer("told"), "policy": part("policy"), "rules": named,
    });
    Ok((words, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        request(&Policies::shipped().unwrap(), text).unwrap().0
    }

    const OFFICER: &str = r#"{ "action": "query_assessments", "purpose": "prior_assessment",
        "asker": { "organisation": "met", "kind": "police", "role": "officer", "agreement": true },
        "classes": ["sp", "im"] }"#;

    #[test]
    fn a_refusal_is_told_with_each_forbid_and_its_sentence() {
        let words = told(OFFICER);
        assert!(words.starts_with("Refused: "), "{words}");
        assert!(words.contains("No policy permits it."), "{words}");
        assert!(
            words.contains("Forbids that match; one is enough:"),
            "{words}"
        );
        assert!(words.contains("  F02.immigration-never: "), "{words}");
        assert!(words.contains("No single change"), "{words}");
    }

    #[test]
    fn what_is_permitted_is_told_class_by_class_and_a_lapsed_agreement_is_named() {
        let reading = |agreement: bool| {
            told(&format!(
                r#"{{ "action": "read_referral_status", "purpose": "onward_referral",
                "asker": {{ "organisation": "met", "kind": "police", "role": "officer",
                "agreement": {agreement} }}, "classes": ["op"], "relationship": "sender" }}"#
            ))
        };
        let words = reading(true);
        assert!(
            words.starts_with("Permitted.\nPermits that match:"),
            "{words}"
        );
        assert!(words.contains("op is told."), "{words}");
        let words = reading(false);
        let instead = "It would be permitted if the asker's agreement were in date.";
        assert!(words.contains(instead), "{words}");
    }

    #[test]
    fn an_entry_is_told_with_the_sentences_of_its_rules() {
        let entry_text = r#"{ "outcome": "permit", "told": "proposals", "decided": {
            "rule": "governance.administer other.rule", "policy": "00",
            "firewall": { "rule": "F6", "class": "ip" } } }"#;
        let policies = Policies::shipped().unwrap();
        let (words, value) = entry(&policies, [7; 32], entry_text).unwrap();
        insta::assert_snapshot!(words, @r"
        Outcome permit, told 'proposals'.
          governance.administer: Administrators, information-governance officers and the operator propose, approve, narrow, see proposals and, after a restore, hand in withdrawals.
          other.rule: not in these policies, or cut short in the entry
        The firewall dropped ip (F6).
        It was decided by other policies than these: GET /v1/policies/00
        ");
        let asker = r#"{ "outcome": "permit", "told": "proposals", "decided": null }"#;
        assert!(entry(&policies, [7; 32], asker).is_err());
        assert!(value["rules"][1]["says"].is_null());
    }

    #[test]
    fn a_request_is_read_strictly() {
        let policies = Policies::shipped().unwrap();
        let more = OFFICER.replacen('{', r#"{ "name": "x","#, 1);
        let wrong = OFFICER.replace("officer", "home_office");
        for bad in [more.as_str(), wrong.as_str(), "{}"] {
            assert!(request(&policies, bad).is_err());
        }
    }
}
