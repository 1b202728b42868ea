//! What two people change together: proposals, what each would change, approval by the second person,
//! and plain forms for the common ones. Nothing here is about anybody who is helped.

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::entries::{class, named};
use super::form::{Errors, Field, Form};
use super::page::{self, Page, form, summary, trouble};
use super::renew::renews;
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, list, text};
use super::words::{begins, moment, say};
use crate::domain::codes::{DataClass, OrgKind, Purpose, Role, ServiceFamily, Taint};
use crate::domain::refusal::Refusal;

/// Who governs, and who only looks, as `policies/60-governance.cedar` says.
pub const GOVERNS: For = For::Roles(&[Role::IgOfficer, Role::OrgAdmin, Role::OperatorAdmin]);
const LOOKS: For = For::Roles(&[
    Role::IgOfficer,
    Role::OrgAdmin,
    Role::OperatorAdmin,
    Role::Reviewer,
]);

/// So many are enough for a page, and so often the API is asked for them.
const ENOUGH: usize = 20;
const READS_MAX: usize = 10;

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/proposals", LOOKS, proposals)
        .post("/proposals/{id}/approve", GOVERNS, approve)
        .get("/propose", GOVERNS, kinds)
        .get("/propose/{id}", GOVERNS, ask)
        .post("/propose/{id}", GOVERNS, propose)
}

async fn proposals(visit: Visit) -> Result<Page, Stop> {
    listed(&visit, None).await
}

async fn listed(visit: &Visit, refused: Option<Reply>) -> Result<Page, Stop> {
    let after: String = visit
        .query()
        .get("after")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let mut after = after;
    let mut found: Vec<Value> = Vec::new();
    let mut all = false;
    // A page of the API has those alone that she may see, and may have none; only one without a
    // cursor is the last.
    for _ in 0..READS_MAX {
        let path = if after.is_empty() {
            "/v1/proposals".to_owned()
        } else {
            format!("/v1/proposals?after={after}")
        };
        let read = visit.get(&path).await?;
        if !read.is_ok() {
            return Ok(page::refused(read));
        }
        found.extend(read.list("/proposals").iter().cloned());
        read.text("/next").clone_into(&mut after);
        all = after.is_empty();
        if all || found.len() >= ENOUGH {
            break;
        }
    }
    let now = visit.now().rfc3339();
    let waits = |one: &&Value| {
        one.get("approved").is_none_or(Value::is_null) && text(one, "until") > now.as_str()
    };
    let (waiting, over): (Vec<&Value>, Vec<&Value>) = found.iter().partition(waits);
    let body = html! {
        @if let Some(reply) = &refused { (trouble(reply)) }
        h1 { "Changes that two people make" }
        p {
            "What lets more through takes effect only when a person of another organisation approves it. \
             What lets less through takes one person, at once: "
            a href="/take-away" { "remove, suspend or close" } "."
        }
        @if visit.role() != Role::Reviewer { p { a.button href="/propose" { "Propose a change" } } }
        @if renews(visit.role()) {
            p { "For your own people you need nobody else: " a href="/renew" { "renew a certificate" } "." }
        }
        h2 { "Waiting for a second person" }
        @if waiting.is_empty() && all { p { "Nothing waits." } }
        @else if waiting.is_empty() { p { "Nothing waits among these. See the older ones too." } }
        @for one in &waiting { (card(visit, one, true)) }
        @if !over.is_empty() {
            h2 { "Approved, or ended" }
            @for one in &over { (card(visit, one, false)) }
        }
        @if !all { p { a.button.second href=(format!("/proposals?after={after}")) { "Older changes" } } }
    };
    let status = refused.map_or(200, |reply| reply.status);
    Ok(Page::new("Changes", body).status(status))
}

fn card(visit: &Visit, one: &Value, waits: bool) -> Markup {
    let (about, by) = (text(one, "about"), text(one, "proposed_by"));
    let own = visit.organisation();
    let approved = one.get("approved").filter(|approved| !approved.is_null());
    // The gateway decides; this only spares a button that it would refuse.
    let may = waits && visit.role() != Role::Reviewer && by != own && about != own;
    html! {
        article.card {
            h3 { (change(text(one, "change"))) ": " (about) }
            dl.rows {
                dt { "Proposed by" } dd { (by) ", " (moment(text(one, "proposed_at"))) }
                @if waits { dt { "Ends by itself" } dd { (moment(text(one, "until"))) } }
                @if let Some(approved) = approved {
                    dt { "Approved by" } dd {
                        (text(approved, "organisation")) ", " (moment(text(approved, "at")))
                    }
                }
                @if !waits && approved.is_none() { dt { "Ended" } dd { "Nobody approved it in time" } }
                (details(one.get("details").unwrap_or(&Value::Null)))
                @if let Some(seal) = one.get("seal").filter(|seal| !seal.is_null()) {
                    dt { "Why" } dd { (say(text(seal, "reason"))) }
                }
                @if let Some(hold) = one.get("hold").filter(|hold| !hold.is_null()) {
                    dt { "Why" } dd { (say(text(hold, "reason"))) }
                    dt { "To be looked at again" } dd { (moment(text(hold, "review_at"))) }
                }
                @if let Some(policies) = one.get("policies").filter(|policies| !policies.is_null()) {
                    dt { "What changes" } dd {
                        ul { @for one in list(policies, "differences") {
                            li { (say(text(one, "what"))) " " (text(one, "name")) ": " (text(one, "how"))
                                @if !text(one, "says").is_empty() { ". " (text(one, "says")) } }
                        } }
                    }
                    dt { "The new rules" } dd.code { (text(policies, "hash")) }
                }
            }
            @if may {
                (page::button(visit, &format!("/proposals/{}/approve", text(one, "id")), "Approve this change"))
            } @else if waits && by == own {
                p.hint { "A person of another organisation must approve this." }
            } @else if waits && about == own {
                p.hint { "Your own organisation is concerned, so another one must approve this." }
            }
        }
    }
}

/// Fields of a change, in the order of the API's names.
fn details(details: &Value) -> Markup {
    let fields = details.as_object().into_iter().flat_map(Map::iter);
    html! {
        @for (name, value) in fields {
            @if !value.is_null() { dt { (label(name)) } dd { (told(name, value)) } }
        }
    }
}

fn label(name: &str) -> String {
    match name {
        "attested" => "What is attested".to_owned(),
        "not_after" => "Ends".to_owned(),
        "of_a_person" => "Whose".to_owned(),
        "spki_sha256" => "Fingerprint of the key".to_owned(),
        "people_a_day" => "People that one worker may ask about in a day".to_owned(),
        "classes" => "Kinds of data".to_owned(),
        "standing" => "Offers that it always takes".to_owned(),
        "standing_areas" => "In these areas".to_owned(),
        other => say(other),
    }
}

/// An agreement or a certificate within a change, which is shown whole; not a team and what is attested.
fn is_part(value: &Value) -> bool {
    value.is_object() && value.get("attested").is_none()
}

fn told(name: &str, value: &Value) -> Markup {
    match value {
        Value::Bool(of_a_person) if name == "of_a_person" => {
            html! { (if *of_a_person { "A person of that organisation" } else { "A system" }) }
        }
        Value::Array(all) => html! {
            @for (place, one) in all.iter().enumerate() {
                @if place > 0 && !is_part(one) { ", " }
                @match one {
                    Value::Object(_) if is_part(one) => { dl.rows { (details(one)) } }
                    Value::Object(_) => { (text(one, "team")) " (" (taint(text(one, "attested"))) ")" }
                    other => { (other.as_str().map(class).unwrap_or_default()) }
                }
            }
            @if all.is_empty() { "None" }
        },
        Value::String(code) => match name {
            "from" | "to" | "not_after" => html! { (moment(code)) },
            "attested" => html! { (taint(code)) },
            "kind" | "family" | "custody" => html! { (say(code)) },
            "spki_sha256" => html! { span.code { (code) } },
            _ => html! { (code) },
        },
        other => html! { (other.to_string()) },
    }
}

/// What is attested of a team, in words.
pub fn taint(code: &str) -> &'static str {
    match Taint::parse(code) {
        Some(Taint::None) => "no immigration staff, no shared systems",
        Some(Taint::HostsHomeOffice) => "hosts Home Office staff",
        Some(Taint::UsesNrpfConnect) => "uses NRPF Connect",
        Some(Taint::OverseasVisitorTeam) => "an overseas visitor team",
        Some(Taint::ImmigrationJointOp) => "works jointly with immigration enforcement",
        Some(Taint::Unattested) | None => "nothing is attested",
    }
}

/// A change in words.
fn change(code: &str) -> String {
    match code {
        "enrol_organisation" => "Enrol an organisation".to_owned(),
        "attest_team" => "Attest a team".to_owned(),
        "open_service" => "Open a service".to_owned(),
        "resume_organisation" => "Let an organisation work again".to_owned(),
        "go_on_without" => "Go on without the withdrawals of".to_owned(),
        "lift_taint" => "Lift what shuts all teams out".to_owned(),
        "open_seal" => "Learn once whom an entry is about".to_owned(),
        "change_policy" => "Put other rules in force".to_owned(),
        "hold_referral" => "Keep what a referral carries".to_owned(),
        "end_hold" => "End such a hold".to_owned(),
        other => say(other),
    }
}

async fn approve(visit: Visit) -> Result<Page, Stop> {
    let path = format!("/v1/approvals/{}", named(&visit)?);
    let done = visit.post(&path, &json!({})).await?;
    if done.is_ok() {
        return Ok(Page::go("/proposals"));
    }
    listed(&visit, Some(done)).await
}

/// The changes that have a form here. The others come from a command line, with files.
const FORMS: [(&str, &str); 8] = [
    ("organisation", "Enrol an organisation"),
    ("team", "Add a team to an organisation"),
    ("attestation", "Attest a team, every 90 days"),
    ("agreement", "Add a sharing agreement"),
    ("certificate", "Add a certificate"),
    ("service", "Open a service"),
    ("resume", "Let a suspended organisation work again"),
    (
        "lift-taint",
        "Lift what shuts all teams of an organisation out",
    ),
];

async fn kinds(visit: Visit) -> Result<Page, Stop> {
    drop(visit);
    let body = html! {
        h1 { "Propose a change" }
        p { "Nothing changes until a person of another organisation approves." }
        ul.places {
            @for (kind, words) in FORMS { li { a href=(format!("/propose/{kind}")) { (words) } } }
        }
        p.hint {
            "New rules, a legal hold, and going on after a restore are proposed with "
            span.code { "firedoor client propose" } "."
        }
    };
    Ok(Page::new("Changes", body))
}

fn known(visit: &Visit) -> Result<(&'static str, &'static str), Stop> {
    let found = FORMS.iter().find(|(kind, _)| *kind == visit.id());
    found.copied().ok_or(Stop::Refused(Refusal::NotFound))
}

async fn ask(visit: Visit) -> Result<Page, Stop> {
    let (kind, words) = known(&visit)?;
    Ok(Page::new(
        "Changes",
        asks(&visit, kind, words, None, &Errors::default()),
    ))
}

fn asks(
    visit: &Visit,
    kind: &str,
    words: &str,
    refused: Option<&Reply>,
    errors: &Errors,
) -> Markup {
    let sent = visit.form();
    html! {
        p { a href="/propose" { "Another change" } }
        @match refused { Some(reply) if errors.is_empty() => { (trouble(reply)) } _ => { (summary(errors)) } }
        h1 { (words) }
        (form(visit, &format!("/propose/{kind}"), &html! {
            (fields(kind, sent, errors))
            button { "Propose this" }
        }))
    }
}

fn pairs<'a>(codes: impl Iterator<Item = &'a str>) -> Vec<(&'a str, String)> {
    // `class` says every other code as `say` does.
    codes.map(|code| (code, class(code))).collect()
}

fn fields(kind: &str, sent: &Form, errors: &Errors) -> Markup {
    let field = |name, label, hint, width, longest| Field {
        name,
        label,
        hint,
        width,
        longest,
        ..Field::default()
    };
    let short = "2 to 32 of a-z, 0-9 and '-', for example: larkfield";
    let organisation = field("organisation", "Organisation", short, 20, 32).text(sent, errors);
    let team = field("team", "Team", short, 20, 32).text(sent, errors);
    let name = |label, hint| field("name", label, hint, 0, 100).text(sent, errors);
    let taints: Vec<(&str, &str)> = Taint::ALL
        .iter()
        .filter(|one| **one != Taint::Unattested)
        .map(|one| (one.code(), taint(one.code())))
        .collect();
    let attested =
        field("taint", "What is attested of the team", "", 0, 0).radios(sent, errors, &taints);
    let select = |name, label, all: Vec<(&'static str, String)>| {
        let all: Vec<(&str, &str)> = all
            .iter()
            .map(|(code, words)| (*code, words.as_str()))
            .collect();
        field(name, label, "", 0, 0).select(sent, errors, &all)
    };
    let boxes = |name, label, all: Vec<(&'static str, String)>| {
        let all: Vec<(&str, &str)> = all
            .iter()
            .map(|(code, words)| (*code, words.as_str()))
            .collect();
        field(name, label, "", 0, 0).boxes(sent, errors, &all)
    };
    let area = field(
        "area",
        "Area",
        "A GSS code, for example E09000022. Leave it empty if it has none.",
        10,
        9,
    )
    .text(sent, errors);
    match kind {
        "organisation" => html! {
            (organisation)
            (name("Its name", "As it is registered."))
            (select("kind", "What kind of body it is", pairs(OrgKind::ALL.iter().map(|one| one.code()))))
            (area)
            (team)
            (field("team_name", "Name of that team", "", 0, 100).text(sent, errors))
            (attested)
            (field("duty_line", "Telephone that is answered day and night", "Leave it empty if there is none.", 20, 30)
                .text(sent, errors))
        },
        "team" => html! { (organisation) (team) (name("Its name", "")) (attested) },
        "attestation" => html! { (organisation) (team) (attested) },
        "agreement" => html! {
            (organisation)
            (field("reference", "Reference of the agreement", "", 0, 100).text(sent, errors))
            (boxes("classes", "Kinds of data", pairs(DataClass::ALL.iter().filter(|one| !one.no_consent_opens()).map(|one| one.code()))))
            (boxes("purposes", "Purposes", pairs(Purpose::ALL.iter().map(|one| one.code()))))
            (field("from", "From the day", "", 0, 0).date(sent, errors))
            (field("to", "Up to and with the day", "At most three years later.", 0, 0).date(sent, errors))
            (Field { inputmode: "numeric", ..field("people_a_day", "People that one worker may ask about in a day", "30 if you leave it empty.", 4, 3) }
                .text(sent, errors))
        },
        "certificate" => html! {
            (organisation)
            (team)
            (field("user", "User, if it is a person's", "As in her certificate. Leave it empty for a system.", 20, 64).text(sent, errors))
            (boxes("roles", "Roles", pairs(Role::ALL.iter().map(|one| one.code()))))
            (field("spki_sha256", "Fingerprint of its key", "64 hexadecimal digits, as firedoor cert shows them.", 0, 64).text(sent, errors))
            (field("not_after", "Its last day", "", 0, 0).date(sent, errors))
            (field("totp_secret", "Secret of her second factor", "If she has none yet. It is shown to nobody.", 0, 64).text(&Form::default(), errors))
        },
        "service" => html! {
            (field("service", "Service", short, 20, 32).text(sent, errors))
            (organisation)
            (team)
            (name("Its public name", "Say nothing in it of whom it is for."))
            (select("family", "What it does", pairs(ServiceFamily::ALL.iter().map(|one| one.code()))))
            (area)
        },
        _ => organisation,
    }
}

/// A change as the API takes it.
fn body(kind: &str, sent: &Form) -> Value {
    let said = |name: &str| sent.said(name).map(str::to_owned);
    let get = |name: &str| sent.get(name).to_owned();
    let all = |name: &str| sent.all(name).map(str::to_owned).collect::<Vec<_>>();
    // A day begins in London, and its last day is over when the next begins.
    let day = |name: &str, after: i64| {
        let day = sent.date(name).unwrap_or_default();
        begins(&day, after).unwrap_or(day)
    };
    let areas: Vec<String> = said("area").into_iter().collect();
    let organisation = get("organisation");
    match kind {
        "organisation" => json!({ "change": "enrol_organisation", "organisation": {
            "id": organisation, "name": get("name"), "kind": get("kind"), "areas": areas,
            "teams": [{ "id": get("team"), "name": get("team_name"), "taint": said("taint") }],
            "duty_line": said("duty_line"),
        } }),
        "team" => json!({ "change": "add_team", "organisation": organisation, "team": {
            "id": get("team"), "name": get("name"), "taint": said("taint"),
        } }),
        "attestation" => json!({
            "change": "attest_team", "organisation": organisation, "team": get("team"),
            "taint": get("taint"),
        }),
        "agreement" => {
            json!({ "change": "add_agreement", "organisation": organisation, "agreement": {
            "reference": get("reference"), "classes": all("classes"), "purposes": all("purposes"),
            "from": day("from", 0), "to": day("to", 1),
            "people_a_day": said("people_a_day").map(|text| text.parse::<u32>().unwrap_or(0)),
        } })
        }
        "certificate" => json!({
            "change": "add_certificate", "organisation": organisation,
            "certificate": {
                "spki_sha256": get("spki_sha256"), "team": get("team"), "user": said("user"),
                "roles": all("roles"), "not_after": day("not_after", 1),
            },
            "totp_secret": said("totp_secret"),
        }),
        "service" => json!({ "change": "open_service", "service": {
            "id": get("service"), "organisation": organisation, "team": get("team"),
            "public_name": get("name"), "family": get("family"), "area": said("area"),
        } }),
        "resume" => json!({ "change": "resume_organisation", "organisation": organisation }),
        _ => json!({ "change": "lift_taint", "organisation": organisation }),
    }
}

/// The API's field as ours is called: the last of its names, but for a few.
fn ours(kind: &str, name: &str) -> String {
    let last = name.rsplit('.').next().unwrap_or(name);
    match (kind, last) {
        ("organisation", "id") if name.contains("team") => "team",
        ("organisation", "name") if name.contains("team") => "team_name",
        ("organisation", "id") => "organisation",
        ("organisation", "areas") => "area",
        ("organisation", "teams") | ("team", "id") => "team",
        ("agreement", "agreement") => "reference",
        ("certificate", "certificate") => "spki_sha256",
        ("service", "id") => "service",
        ("service", "public_name") => "name",
        // When it was attested: that is now.
        (_, "at" | "by") => "taint",
        (_, last) => last,
    }
    .to_owned()
}

/// What the API says to whoever writes a time, for somebody who fills in a day.
fn on_paper(message: &str) -> String {
    if message.contains("date, time and offset") {
        return "Give a day, month and year that there are".to_owned();
    }
    message.to_owned()
}

async fn propose(visit: Visit) -> Result<Page, Stop> {
    let (kind, words) = known(&visit)?;
    let done = visit
        .post("/v1/proposals", &body(kind, visit.form()))
        .await?;
    if done.is_ok() {
        return Ok(Page::go("/proposals"));
    }
    let errors = done.errors().0.into_iter();
    let errors = Errors(
        errors
            .map(|(name, message)| (ours(kind, &name), on_paper(&message)))
            .collect(),
    );
    let body = asks(&visit, kind, words, Some(&done), &errors);
    Ok(Page::new("Changes", body).status(done.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_api_stand_at_the_fields_of_the_form() {
        assert_eq!(ours("organisation", "organisation.teams.id"), "team");
        assert_eq!(ours("organisation", "organisation.id"), "organisation");
        assert_eq!(
            ours("certificate", "certificate.spki_sha256"),
            "spki_sha256"
        );
        assert_eq!(ours("certificate", "certificate"), "spki_sha256");
        assert_eq!(ours("agreement", "agreement"), "reference");
        assert_eq!(ours("organisation", "organisation.teams"), "team");
        assert_eq!(ours("team", "team.attestation.at"), "taint");
        assert_eq!(ours("service", "service.public_name"), "name");
    }

    #[test]
    fn details_of_a_change_are_shown_and_never_run() {
        let shown = details(&json!({
            "name": "<script>alert(1)</script>", "of_a_person": false, "teams": [
                { "team": "advice", "attested": "none" },
            ],
        }));
        let shown = shown.0;
        assert!(
            !shown.contains("<script>") && shown.contains("A system"),
            "{shown}"
        );
        assert!(shown.contains("advice (no immigration staff"), "{shown}");
    }

    #[test]
    fn days_of_an_agreement_are_whole() {
        let sent = Form::parse(
            b"organisation=haven&from-day=1&from-month=7&from-year=2026&to-day=31&to-month=12\
              &to-year=2026",
        );
        let change = body("agreement", &sent);
        assert_eq!(change["agreement"]["from"], "2026-06-30T23:00:00Z");
        assert_eq!(change["agreement"]["to"], "2027-01-01T00:00:00Z");
    }
}
