//! A request that the solver found, for a reader who knows the work and not the program.

use cedar_policy::{Entity, EntityUid, EvalResult};
use cedar_policy_symcc::Env;
use serde_json::{Map, Value, json};

/// One line each: what of the request, and how it is.
pub struct Words(Vec<(&'static str, String)>);

impl Words {
    pub fn of(case: &Env) -> Self {
        let context = |name: &str| case.request.context().and_then(|all| all.get(name));
        let entity = |uid: Option<&EntityUid>| uid.and_then(|uid| case.entities.get(uid));
        let worker = entity(case.request.principal());
        let own = worker.and_then(|worker| uid(worker, "organisation"));
        let mut lines = Vec::new();
        if let Some(worker) = worker {
            lines.push(("who", who(worker, entity(own.as_ref()))));
        }
        let certificate = member(context("certificateOrganisation"));
        if certificate != own {
            lines.push(("certificate", "of another organisation".to_owned()));
        }
        if let Some(action) = case.request.action() {
            lines.push(("does", plain(action)));
        }
        lines.push(("purpose", code(context("purpose"))));
        if let Some(told) = member(context("recipient")) {
            let tainted = truth(context("recipientTainted"));
            let to = organisation(entity(Some(&told)));
            let taint = if tainted { ", a tainted team" } else { "" };
            let itself = if Some(&told) == own.as_ref() {
                "its own organisation"
            } else {
                "another organisation"
            };
            lines.push(("told", format!("{itself}, {to}{taint}")));
        }
        lines.push(("what", classes(context("classes"))));
        lines.push((
            "from",
            match truth(context("own")) {
                true => "what the one who is told supplied itself".to_owned(),
                false => format!("another, a body of kind {}", code(context("giver"))),
            },
        ));
        lines.push(("relationship", code(context("relationship"))));
        lines.push((
            "offence",
            context("offence").map_or("not said".to_owned(), |offence| code(Some(offence))),
        ));
        lines.push((
            "basis",
            basis(context("basis"), context("basisOpenToGiver")),
        ));
        lines.push(("consent", consent(context("consent"))));
        lines.push(("source's consent", consent(context("sourceConsent"))));
        if truth(context("emergencyConfirmed")) {
            lines.push(("emergency", "confirmed".to_owned()));
        }
        if let Some(proposer) = member(context("proposer")) {
            let whose = if Some(&proposer) == own.as_ref() {
                "the same organisation"
            } else {
                "another organisation"
            };
            lines.push(("proposed by", whose.to_owned()));
        }
        Self(lines)
    }

    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(name, text)| format!("{name:17}{text}"))
    }

    pub fn to_json(&self) -> Value {
        let all: Map<String, Value> = self
            .0
            .iter()
            .map(|(name, text)| ((*name).to_owned(), json!(text)))
            .collect();
        Value::Object(all)
    }
}

fn who(worker: &Entity, organisation_of: Option<&Entity>) -> String {
    let role = uid(worker, "role").map_or(String::new(), |role| plain(&role));
    let mut text = format!("{role} in {}", organisation(organisation_of));
    let flag = |name: &str| truth(worker.attr(name).and_then(Result::ok));
    if flag("teamTainted") {
        text.push_str(", in a tainted team");
    }
    if !flag("roleAssertable") {
        text.push_str(", in a role that the certificate may not use");
    }
    text.push_str(match (flag("personCertificate"), flag("secondFactor")) {
        (true, true) => ", in person with a second factor",
        (true, false) => ", in person without a second factor",
        (false, true) => ", through a system with a second factor",
        (false, false) => ", through a system",
    });
    text
}

fn organisation(entity: Option<&Entity>) -> String {
    let Some(entity) = entity else {
        return "an organisation that is not known".to_owned();
    };
    let kind = uid(entity, "kind").map_or("unknown".to_owned(), |kind| plain(&kind));
    let flag = |name: &str| truth(entity.attr(name).and_then(Result::ok));
    let mut text = format!("a body of kind {kind}");
    if !flag("active") {
        text.push_str(", suspended");
    }
    if !flag("agreementInDate") {
        text.push_str(", without an agreement in date");
    }
    text
}

fn consent(value: Option<EvalResult>) -> String {
    let Some(EvalResult::Record(record)) = value else {
        return "none".to_owned();
    };
    let flag = |name: &str, yes: &str, no: &str| match truth(record.get(name).cloned()) {
        true => yes.to_owned(),
        false => no.to_owned(),
    };
    [
        code(record.get("strength").cloned()),
        flag("live", "live", "withdrawn, refused or ended"),
        flag("covers", "covers this", "does not cover this"),
        flag(
            "fromAnother",
            "recorded by another",
            "recorded by the asker",
        ),
    ]
    .join(", ")
}

fn basis(basis: Option<EvalResult>, open: Option<EvalResult>) -> String {
    let Some(basis) = basis else {
        return "none".to_owned();
    };
    let open = if truth(open) { "open" } else { "not open" };
    format!("{}, {open} to the giver", code(Some(basis)))
}

fn classes(value: Option<EvalResult>) -> String {
    let Some(EvalResult::Set(set)) = value else {
        return "nothing".to_owned();
    };
    let mut all: Vec<String> = set
        .iter()
        .map(|class| match code(Some(class.clone())).as_str() {
            "op" => "operational facts".to_owned(),
            "id" => "who she is".to_owned(),
            "loc" => "where she is".to_owned(),
            "sp" => "how she is (special category)".to_owned(),
            "im" => "IMMIGRATION DATA".to_owned(),
            "ip" => "her language or another proxy".to_owned(),
            "perp" => "the other party".to_owned(),
            "ft" => "free text".to_owned(),
            "met" => "counts, times and counterparts".to_owned(),
            other => other.to_owned(),
        })
        .collect();
    all.sort();
    if all.is_empty() {
        "nothing".to_owned()
    } else {
        all.join("; ")
    }
}

fn uid(entity: &Entity, name: &str) -> Option<EntityUid> {
    member(entity.attr(name).and_then(Result::ok))
}

fn member(value: Option<EvalResult>) -> Option<EntityUid> {
    match value {
        Some(EvalResult::EntityUid(uid)) => Some(uid),
        Some(_) | None => None,
    }
}

fn code(value: Option<EvalResult>) -> String {
    member(value).map_or("not said".to_owned(), |uid| plain(&uid))
}

fn plain(uid: &EntityUid) -> String {
    uid.id().unescaped().replace('_', " ")
}

fn truth(value: Option<EvalResult>) -> bool {
    matches!(value, Some(EvalResult::Bool(true)))
}
