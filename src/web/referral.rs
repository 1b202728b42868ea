//! A referral from a page (3.1): a short form, her word as two big choices, and what to hand over.
//!
//! There is no field for status, nationality, visa or passport, and none may be added.

pub mod consent;
pub mod contact;
pub mod drafts;
mod fields;
pub mod held;
pub mod person;

use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::form::{Errors, Form};
use super::her;
use super::page::{self, Page, form, summary};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, text};
use super::words::{beginning, moment, reference};
use crate::domain::codes::{Article6, ConsentDecision, Direction, OrgKind, Role};
use crate::domain::id::Id;

/// Roles that refer her on.
pub const SENDS: &[Role] = &[
    Role::Officer,
    Role::VcopUnit,
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
    Role::LegalAdviser,
];

pub fn pages(pages: Pages) -> Pages {
    let pages = pages
        .get("/new", For::Roles(SENDS), begin)
        .post("/new", For::Roles(SENDS), send);
    drafts::pages(held::pages(pages))
}

/// The id that a path names, written as the API writes it; `None` if it is none.
pub fn link(visit: &Visit) -> Option<String> {
    Id::parse(visit.id()).map(|id| id.to_string())
}

/// Whether who sends this is police; the services to choose from.
struct Caller {
    kind: Option<OrgKind>,
    services: Vec<(String, String, String)>,
}

async fn caller(visit: &Visit) -> Result<Caller, Stop> {
    let me = visit.get("/v1/me").await?;
    let services = me.list("/services").iter().filter_map(|service| {
        let takes = service.get("takes_referrals").and_then(Value::as_bool);
        let said = |key| text(service, key).to_owned();
        takes
            .unwrap_or_default()
            .then(|| (said("id"), fields::service(service), said("family")))
    });
    Ok(Caller {
        kind: OrgKind::parse(me.text("/kind")),
        services: services.collect(),
    })
}

impl Caller {
    /// Where a referral of theirs comes from, in the field's list.
    const fn direction(&self) -> Direction {
        match self.kind {
            Some(OrgKind::Police) => Direction::Police,
            Some(OrgKind::LocalAuthority) => Direction::LocalAuthority,
            Some(kind) if kind.is_health() => Direction::Health,
            Some(_) | None => Direction::Voluntary,
        }
    }

    fn family(&self, service: &str) -> Option<&str> {
        let found = self.services.iter().find(|(id, _, _)| id == service);
        found.map(|(_, _, family)| family.as_str())
    }
}

async fn begin(visit: Visit) -> Result<Page, Stop> {
    let caller = caller(&visit).await?;
    let kept = drafts::not_sent_yet(&visit).await?;
    let (empty, none) = (Form::default(), Errors::default());
    let body = asks(&visit, &caller, &empty, &html! {}, &kept, &none);
    Ok(Page::new("New", body))
}

/// The form with what is filled in; `above` it what is wrong, and `kept` what there is besides.
fn asks(
    visit: &Visit,
    caller: &Caller,
    filled: &Form,
    above: &Markup,
    kept: &Markup,
    errors: &Errors,
) -> Markup {
    let services: Vec<(&str, &str)> = caller
        .services
        .iter()
        .map(|(id, name, _)| (id.as_str(), name.as_str()))
        .collect();
    let inner = html! {
        @if let Some(draft) = filled.said("draft") {
            input type="hidden" name="draft" value=(draft);
        }
        (fields::all(filled, errors, &services, caller.kind))
    };
    html! {
        (above)
        h1 { "Refer her to a service" }
        div.notice {
            p { b { "Do not record immigration status. It is never needed and never shared." } }
        }
        (kept)
        (form(visit, "/new", &inner))
    }
}

/// The form as it was sent, with what is to be put right.
fn again(visit: &Visit, caller: &Caller, above: &Markup, errors: &Errors) -> Markup {
    asks(visit, caller, visit.form(), above, &html! {}, errors)
}

async fn send(visit: Visit) -> Result<Page, Stop> {
    let caller = caller(&visit).await?;
    match visit.form().get("do") {
        "check" => return check_words(&visit, &caller).await,
        "keep" => return drafts::keep(&visit, &caller).await,
        _ => {}
    }
    let errors = missing(visit.form());
    if !errors.is_empty() {
        let body = again(&visit, &caller, &summary(&errors), &errors);
        return Ok(Page::new("New", body).status(422));
    }
    let reply = visit
        .post("/v1/referrals", &body(visit.form(), &caller))
        .await?;
    if reply.is_ok() {
        let left = drafts::done_with(&visit).await?;
        return Ok(sent(&visit, &reply, &left));
    }
    let mut errors = corrected(&reply);
    if reply.problem() == "consent-needed" && visit.form().said("legal_basis.art6").is_some() {
        errors.add(
            "legal_basis.art6",
            "This cannot be relied on here: ask her, and say whether she agrees",
        );
    }
    let above = html! {
        @if errors.is_empty() { (page::trouble(&reply)) } @else { (summary(&errors)) }
        @if let Some(held) = reply.body.get("held") {
            div.wait { (held::marked(visit.form().get(text(held, "what")), held)) }
        }
    };
    let body = again(&visit, &caller, &above, &errors);
    Ok(Page::new("New", body).status(reply.status))
}

/// "Check the words first": the form comes back, with what would be held.
async fn check_words(visit: &Visit, caller: &Caller) -> Result<Page, Stop> {
    let written = visit.form().get("note");
    if written.is_empty() {
        let mut errors = Errors::default();
        errors.add("note", "Write the note first, then check it");
        let body = again(visit, caller, &summary(&errors), &errors);
        return Ok(Page::new("New", body).status(422));
    }
    let reply = visit
        .post("/v1/screen", &json!({ "text": written }))
        .await?;
    let (status, above) = match reply.body.get("held") {
        Some(held) if held.is_object() => (
            422,
            html! {
                div.summary role="alert" tabindex="-1" id="summary" {
                    h2 { "Nothing has been sent yet" }
                    (held::marked(written, held))
                    p { a href="#note" { "Change the note" } }
                }
            },
        ),
        Some(_) if reply.is_ok() => (
            200,
            html! {
                div.good role="status" tabindex="-1" id="summary" {
                    p { b { "The note can go as it is." } " Nothing has been sent yet." }
                }
            },
        ),
        // The same form once more: what was found then is not said again.
        None if reply.is_ok() => (
            200,
            html! {
                div.notice role="status" tabindex="-1" id="summary" {
                    p { "This form was checked already. Check the words again from here." }
                }
            },
        ),
        Some(_) | None => (reply.status, page::trouble(&reply)),
    };
    let body = again(visit, caller, &above, &Errors::default());
    Ok(Page::new("New", body).status(status))
}

/// What must be there before it is worth asking the API, which judges all of it.
fn missing(form: &Form) -> Errors {
    let mut errors = Errors::default();
    let is_declined = form.get("consent.decision") == ConsentDecision::Deny.code();
    if form.said("offence_group").is_none() {
        errors.add("offence_group", "Choose the kind of offence");
    }
    if form.said("consent.decision").is_some() {
        consent::missing(form, &mut errors);
    } else if form.said("legal_basis.art6").is_none() {
        errors.add(
            "consent.decision",
            "Say whether she agrees, or that she does not want this",
        );
    }
    if form.said("consent.decision").is_some() && form.said("legal_basis.art6").is_some() {
        errors.add(
            "legal_basis.art6",
            "Choose one: what she said, or another ground. Not both",
        );
    }
    if form.get("consent.widely") == "yes" && form.get("consent.decision") != "permit" {
        errors.add(
            "consent.widely",
            "Only if she agrees: another service may be asked on her word alone",
        );
    }
    if form.get("consent.stop_future_offers") == "yes" && !is_declined {
        errors.add(
            "consent.stop_future_offers",
            "This is only for when she does not want this",
        );
    }
    if form.said("service").is_none() && !is_declined {
        errors.add("service", "Choose a service");
    }
    let has_name = ["given_name", "family_name"]
        .iter()
        .any(|key| form.said(&format!("identity.{key}")).is_some());
    if !has_name {
        errors.add("identity.given_name", "Give at least one name");
    }
    let risk = ["instrument", "grade"].map(|key| form.said(&format!("risk_summary.{key}")));
    if risk.iter().any(Option::is_some) && risk.iter().any(Option::is_none) {
        errors.add(
            "risk_summary.instrument",
            "Give both the tool and the result, or neither",
        );
    }
    errors
}

/// The form, as the API takes it.
fn body(form: &Form, caller: &Caller) -> Value {
    let mut map = Map::new();
    let mut set = |key: &str, value: Value| {
        map.insert(key.to_owned(), value);
    };
    let all = |name: &'static str| -> Vec<&str> { form.all(name).collect() };
    let is_declined = form.get("consent.decision") == ConsentDecision::Deny.code();
    // Nothing is sent to a service that she does not want; the API wants a name all the same.
    let any = caller.services.first().map(|(id, _, _)| id.as_str());
    let any = any.filter(|_| is_declined).unwrap_or_default();
    let service = form.said("service").unwrap_or(any);
    set("service", json!(service));
    set("direction", json!(caller.direction().code()));
    set("offence_group", json!(form.get("offence_group")));
    for key in ["party_role", "reported_to_police", "urgency"] {
        if let Some(value) = form.said(key) {
            set(key, json!(value));
        }
    }
    if let Some(area) = form.said("area_other").or_else(|| form.said("area")) {
        set("area", json!(area));
    }
    if let Some(day) = form.date("reported_at") {
        set("reported_at", json!(beginning(&day)));
    }
    if let Some(instrument) = form.said("risk_summary.instrument") {
        let day = form.date("risk_summary.assessed_at").unwrap_or_default();
        set(
            "risk_summary",
            json!({
                "instrument": instrument,
                "grade": form.get("risk_summary.grade"),
                "assessed_at": beginning(&day),
            }),
        );
    }
    set("priority_category", json!(all("priority_category")));
    set("needs", json!(all("needs")));
    if let Some(gender) = form.said("preferences.worker_gender") {
        set("preferences", json!({ "worker_gender": gender }));
    }
    set("identity", person::body(form));
    if let Some(contact) = contact::body(form) {
        set("safe_contact", contact);
    }
    if let Some(party) = person::other_party_body(form) {
        set("other_party", party);
    }
    if let Some(parent) = consent::child_of(form) {
        set("child_of", parent);
    }
    if let Some(note) = form.said("note") {
        set("note", json!(note));
    }
    if let Some(mut word) = consent::body(form) {
        if is_declined && form.get("consent.stop_future_offers") == "yes" {
            her::put(&mut word, "stop_future_offers", json!(true));
        }
        // She may let another service of the same kind be asked, if this one cannot take her.
        let family = caller.family(service).filter(|_| !is_declined);
        if let Some(family) = family.filter(|_| form.get("consent.widely") == "yes") {
            her::put(&mut word, "recipients", json!({ "families": [family] }));
        }
        set("consent", word);
    } else if let Some(basis) = form.said("legal_basis.art6").and_then(Article6::parse) {
        set("legal_basis", json!({ "art6": basis.code() }));
    }
    Value::Object(map)
}

/// What the API refused, at the fields of our forms.
pub fn corrected(reply: &Reply) -> Errors {
    let mut errors = her::errors_at(reply, ours);
    if reply.problem() == "consent-needed" {
        errors.add("consent.decision", reply.text("/detail"));
    }
    if let Some(held) = reply.body.get("held") {
        errors.add(&ours(text(held, "what")), text(held, "says"));
    }
    errors
}

/// Where one of the API's fields is asked for: how to reach her stands here beside who she is.
fn ours(field: &str) -> String {
    match field {
        "modes" | "number" | "email" | "hours" | "who_may_answer" | "code_word" | "letters"
        | "language_need" => format!("safe_contact.{field}"),
        "text" | "safe_contact" => "safe_contact.modes".to_owned(),
        "fields" | "draft" => "offence_group".to_owned(),
        other => her::ours(other),
    }
}

/// What was done, and what to do now.
fn sent(visit: &Visit, reply: &Reply, left: &Markup) -> Page {
    let id = reply.text("/id");
    let body = match reply.text("/result") {
        "declined-by-victim" => html! {
            h1 { "Recorded: she does not want this" }
            p { (reply.text("/says")) }
            p { a href="/new" { "Refer somebody else" } }
        },
        _ if reply.body.get("replayed").is_some() => html! {
            h1 { "This was sent already" }
            p { "It was sent once, and once only. If your note was held, add it anew." }
            @if !id.is_empty() { p { a href=(format!("/sent/{id}")) { "See how it stands" } } }
        },
        _ => offered(visit, reply, id),
    };
    Page::new("New", html! { (body) (left) })
}

fn offered(visit: &Visit, reply: &Reply, id: &str) -> Markup {
    let due = reply.text("/pass_on_by/date");
    let held = reply.body.get("held").filter(|held| held.is_object());
    html! {
        @if let Some(held) = held {
            div.summary role="alert" tabindex="-1" id="summary" {
                h2 {
                    @if text(held, "what") == "note" { "Your note was not sent" }
                    @else { "Some of your words were not sent" }
                }
                @let written = visit.form().get(text(held, "what"));
                (held::marked(written, held))
            }
        }
        h1 { "Offered: " (reference(id)) }
        div.good {
            p { "The service is told what she needs, and not who she is. It is told who she is when it \
                 accepts her." }
        }
        @if !reply.text("/warning").is_empty() { div.wait { p { (reply.text("/warning")) } } }
        @if !reply.text("/meanwhile").is_empty() {
            div.wait { p { b { (reply.text("/meanwhile")) } } }
        }
        dl.rows {
            dt { "Reference" } dd.code { (reference(id)) }
            @if !due.is_empty() {
                dt { "Pass on by" } dd { "the end of " (super::words::weekday(due)) }
            }
            dt { "A service should call her by" } dd { (moment(reply.text("/contact_by"))) }
            dt { "Hand over now" } dd { (reply.text("/hand_over")) }
        }
        @if let Some(held) = held.filter(|held| text(held, "what") == "note") {
            h2 { "Send the note, worded anew" }
            (held::again(visit, id, visit.form(), &Errors::default()))
            (held::was_wrong(visit, held))
        }
        p { a href=(format!("/sent/{id}")) { "See how it stands" } " - "
            a href="/new" { "Refer somebody else" } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charity() -> Caller {
        let service = (
            "advice".to_owned(),
            "Advice".to_owned(),
            "open_access".to_owned(),
        );
        Caller {
            kind: Some(OrgKind::VoluntaryGeneric),
            services: vec![service],
        }
    }

    #[test]
    fn what_is_empty_is_not_sent() {
        let form = Form::parse(b"offence_group=burglary&service=advice&area=&sex=&note=");
        let body = body(&form, &charity());
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "service",
                "direction",
                "offence_group",
                "priority_category",
                "needs",
                "identity"
            ]
        );
    }

    #[test]
    fn another_service_is_asked_only_if_she_said_so() {
        let whole = "offence_group=burglary&service=advice&consent.decision=permit&consent.how=spoken\
                     &consent.other_party_present=no";
        let narrow = body(&Form::parse(whole.as_bytes()), &charity());
        assert!(narrow.pointer("/consent/recipients").is_none());
        let wide = format!("{whole}&consent.widely=yes");
        let wide = body(&Form::parse(wide.as_bytes()), &charity());
        assert_eq!(wide["consent"]["recipients"]["families"][0], "open_access");
    }

    #[test]
    fn another_service_is_asked_on_her_word_alone() {
        for word in ["legal_basis.art6=public_task", "consent.decision=deny"] {
            let form = format!("offence_group=burglary&consent.widely=yes&{word}");
            let errors = missing(&Form::parse(form.as_bytes()));
            assert!(errors.of("consent.widely").is_some(), "{word}");
        }
    }

    #[test]
    fn only_a_ground_that_a_body_can_have_is_offered_to_it() {
        let form = |kind| {
            let (form, errors) = (Form::default(), Errors::default());
            fields::all(&form, &errors, &[], Some(kind)).0
        };
        let (charity, police) = (form(OrgKind::VoluntaryGeneric), form(OrgKind::Police));
        assert!(police.contains("Our public task") && !charity.contains("Our public task"));
        for shown in [charity, police] {
            assert!(shown.contains("A life is at risk") && !shown.contains("Our legitimate"));
        }
        assert!(form(OrgKind::LegalAdviser).contains("Our legitimate interest"));
    }

    #[test]
    fn everything_that_is_missing_is_said_at_once() {
        let fields: Vec<String> = missing(&Form::default())
            .0
            .into_iter()
            .map(|(field, _)| field)
            .collect();
        assert_eq!(
            fields,
            [
                "offence_group",
                "consent.decision",
                "service",
                "identity.given_name"
            ]
        );
    }

    #[test]
    fn the_form_has_no_place_for_her_status() {
        let form = fields::all(&Form::default(), &Errors::default(), &[], None);
        let form = form.0.to_lowercase();
        for word in [
            "nationality",
            "visa",
            "passport",
            "recourse",
            "country",
            "asylum",
        ] {
            assert!(!form.contains(word), "{word}");
        }
    }
}
