//! She asks what is held about her (`domain.md` 3.11): the request is taken, its clock is shown, and
//! whoever holds something replies in its own words. What is said to whoever takes it follows from the
//! calendar, and not from what is held.

pub mod deliver;
pub mod reply;

use maud::{Markup, html};
use serde_json::{Value, json};

use super::consents::next;
use super::form::{Errors, Field, Form};
use super::her;
use super::page::{self, Page, form};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, list, text};
use super::words::{date, moment, options, pairs, say, today};
use crate::domain::codes::{AccessRefusal, Authority, IdentityProof, Role};

/// Who takes and follows a request, as `policies/55-subject-access.cedar` names them.
const TAKES: &[Role] = &[
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
    Role::IgOfficer,
    Role::Dpo,
    Role::Caldicott,
];
/// Who sees what is asked of the own organisation, and replies.
const ANSWERS: For = For::Roles(&[
    Role::Officer,
    Role::VcopUnit,
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
    Role::LegalAdviser,
    Role::IgOfficer,
    Role::Dpo,
    Role::Caldicott,
]);

pub fn pages(pages: Pages) -> Pages {
    let pages = pages
        .get("/subject-access", ANSWERS, all)
        .get("/subject-access/new", For::Roles(TAKES), show_new)
        .post("/subject-access/new", For::Roles(TAKES), take)
        .get("/subject-access/{id}", ANSWERS, one)
        .post("/subject-access/{id}/step", For::Roles(TAKES), step);
    reply::pages(deliver::pages(pages), ANSWERS)
}

const HEADING: &str = "What is held about her";

async fn all(visit: Visit) -> Result<Page, Stop> {
    let after = visit.query().get("after");
    let path = if after.is_empty() {
        "/v1/subject-access".to_owned()
    } else {
        format!("/v1/subject-access?after={}", her::plain(after)?)
    };
    let reply = visit.get(&path).await?;
    let requests = reply.list("/requests");
    let body = html! {
        h1 { "Requests for what is held" }
        @if TAKES.contains(&visit.role()) {
            p { a.button href="/subject-access/new" { "She asks what is held about her" } }
        }
        @if !reply.is_ok() { (page::trouble(&reply)) }
        @else if requests.is_empty() { p { "Your organisation has none: none that it took, none to reply to." } }
        @else { (table(requests)) }
        @if !requests.is_empty() && let Some(next) = next(&reply.body) {
            p { a href=(format!("/subject-access?after={next}")) { "Those after these" } }
        }
    };
    Ok(Page::new("Requests", body).status(if reply.is_ok() { 200 } else { reply.status }))
}

fn kind(one: &Value) -> &'static str {
    match text(one, "kind") {
        "taken" => "You took it",
        _ => "You are asked",
    }
}

fn table(requests: &[Value]) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Requests" {
            table {
                caption { "The open ones first" }
                thead { tr {
                    th scope="col" { "Request" } th scope="col" { "State" } th scope="col" { "Due" }
                } }
                tbody {
                    @for one in requests {
                        tr {
                            th scope="row" {
                                a href=(format!("/subject-access/{}", text(one, "id"))) {
                                    (kind(one)) " " span.code { (text(one, "reference")) }
                                }
                            }
                            td { (say(text(one, "state"))) }
                            td { (due(one)) }
                        }
                    }
                }
            }
        }
    }
}

/// The clock, in words.
fn due(one: &Value) -> Markup {
    let left = one.get("days_left").and_then(Value::as_i64);
    let is_late = one.get("overdue") == Some(&Value::Bool(true));
    let at = date(text(one, "due"));
    html! {
        @if at.is_empty() { "The clock has not begun" }
        @else { (at) }
        @if is_late { " " span.tag.high { "Late" } }
        @else if let Some(left) = left {
            ", " @if left == 1 { "1 day left" } @else { (left) " days left" }
        }
    }
}

async fn show_new(visit: Visit) -> Result<Page, Stop> {
    asks(&visit, &html! {}, &Errors::default()).await
}

async fn asks(visit: &Visit, above: &Markup, errors: &Errors) -> Result<Page, Stop> {
    let said = visit.form();
    let notice = her::read_to_her(visit, "report", false).await?;
    let proofs = options(IdentityProof::ALL.iter().map(|one| one.code()));
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    let fields = html! {
        (notice)
        h2 { "Who is she?" }
        (her::who(said, errors))
        (field("identity_proof", "How do you know that it is she?",
               "Nothing is copied or kept. If you do not know yet, leave it: the clock begins when you do.")
            .radios(said, errors, &pairs(&proofs)))
        (field("received_at", "When did she ask?", "Leave this empty if it was today.")
            .date(said, errors))
        (field("delivery", "How does she want to have it?", "")
            .radios(said, errors, &[
                ("collected_in_person", "She collects it here"),
                ("read_aloud", "It is read to her here"),
                ("to_solicitor", "Her solicitor has it"),
                ("posted_where_she_says", "By post, where she says"),
            ]))
        (field("post_is_safe", "She said herself, alone, that post is safe there", "")
            .tick(said, errors))
        (field("safe_contact_checked", "I asked her, alone, how it is safe to reach her", "")
            .tick(said, errors))
        (somebody_else(said, errors))
        (field("not_asked", "Services that she does not want to know of it",
               "Their short names, one a line. They are not asked.")
            .area(said, errors, 2))
        button { "Take her request" }
    };
    let body = html! {
        (above)
        h1 { (HEADING) }
        p { "She asks; you write it down. You are told the same whether something is held or not." }
        (form(visit, "/subject-access/new", &fields))
    };
    Ok(Page::new("Request", body))
}

fn somebody_else(said: &Form, errors: &Errors) -> Markup {
    let authorities = options(Authority::ALL.iter().map(|one| one.code()));
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    let is_open = [
        "requester",
        "capacity",
        "authority",
        "other_party",
        "requester_identity",
    ]
    .iter()
    .any(|name| errors.of(name).is_some())
        || !matches!(said.get("requester"), "" | "herself");
    html! {
        details open[is_open] {
            summary { "Somebody asks for her, or she is under 18" }
            (field("requester", "Who asks?", "")
                .radios(said, errors, &[
                    ("herself", "She herself"), ("solicitor", "Her solicitor"),
                    ("parent_guardian", "A parent or guardian"), ("deputy", "Her deputy or attorney"),
                ]))
            (field("capacity", "Can she ask for herself?", "")
                .radios(said, errors, &[
                    ("adult", "She is an adult and can"),
                    ("competent_child", "She is under 18, understands, and asks"),
                    ("child_agrees", "She is under 18, understands, and says that a parent may ask"),
                    ("not_competent", "She cannot"),
                ]))
            (field("authority", "What did you see of the right to ask for her?", "")
                .radios(said, errors, &pairs(&authorities)))
            (field("other_party", "Is it he, or whoever she is to be kept safe from?",
                   "Unless it is not, nothing is handed out.")
                .radios(said, errors, &[("no", "No"), ("yes", "Yes"), ("unknown", "I cannot tell")]))
            (Field { name: "requester_identity.given_name", label: "First name of who asks", width: 20, longest: 100,
                     ..Field::default() }.text(said, errors))
            (Field { name: "requester_identity.family_name", label: "Last name of who asks", width: 20,
                     longest: 100, ..Field::default() }.text(said, errors))
            (field("requester_identity.birth_date", "Date of birth of who asks", "").date(said, errors))
        }
    }
}

/// What was written down, for the API.
fn request(visit: &Visit) -> Value {
    let said = visit.form();
    let mut body = json!({
        "identity": her::identity(said),
        "post_is_safe": said.get("post_is_safe") == "yes",
        "safe_contact_checked": said.get("safe_contact_checked") == "yes",
        "not_asked": her::lines(said.get("not_asked")),
    });
    for name in [
        "identity_proof",
        "delivery",
        "requester",
        "capacity",
        "authority",
        "other_party",
    ] {
        if let Some(value) = said.said(name) {
            her::put(&mut body, name, json!(value));
        }
    }
    let mut asking = json!({});
    for name in ["given_name", "family_name"] {
        if let Some(value) = said.said(&format!("requester_identity.{name}")) {
            her::put(&mut asking, name, json!(value));
        }
    }
    if let Some(born) = said.date("requester_identity.birth_date") {
        her::put(&mut asking, "birth_date", json!(born));
    }
    if asking != json!({}) {
        her::put(&mut body, "requester_identity", asking);
    }
    if let Some(asked) = said.date("received_at")
        && asked != today(visit.now())
    {
        her::put(
            &mut body,
            "received_at",
            json!(format!("{asked}T12:00:00Z")),
        );
    }
    body
}

async fn take(visit: Visit) -> Result<Page, Stop> {
    let reply = visit.post("/v1/subject-access", &request(&visit)).await?;
    if !reply.is_ok() {
        let errors = her::errors(&reply);
        let above = her::above(&reply, &errors);
        return Ok(asks(&visit, &above, &errors).await?.status(reply.status));
    }
    let id = reply.text("/id");
    if reply.is_nothing() || id.is_empty() {
        let body = html! { h1 { (HEADING) } (page::nothing(&reply)) };
        return Ok(Page::new("Request", body));
    }
    Ok(Page::go(&format!("/subject-access/{id}")))
}

async fn one(visit: Visit) -> Result<Page, Stop> {
    shown(&visit, &html! {}, &Errors::default()).await
}

/// One request, as it stands, with what can be done next.
pub async fn shown(visit: &Visit, above: &Markup, errors: &Errors) -> Result<Page, Stop> {
    let path = format!("/v1/subject-access/{}", her::id(visit)?);
    let found = visit.get(&path).await?;
    let body = html! {
        (above)
        h1 { (HEADING) }
        @if found.is_nothing() { (page::nothing(&found)) }
        @else if !found.is_ok() { (page::trouble(&found)) }
        @else if found.text("/kind") == "taken" { (taken(visit, &found, errors)?) }
        @else { (reply::asked(visit, &found, errors)?) }
    };
    Ok(Page::new("Request", body).status(if found.is_ok() { 200 } else { found.status }))
}

fn taken(visit: &Visit, found: &Reply, errors: &Errors) -> Result<Markup, Stop> {
    let steps = list(&found.body, "steps");
    let still = found.text("/clock_stands_still_for");
    let from = date(found.text("/can_be_handed_over_from"));
    let why = found.list("/explanations").iter().filter_map(Value::as_str);
    Ok(html! {
        dl.rows {
            dt { "Reference" } dd.code { (found.text("/reference")) }
            dt { "State" } dd { (say(found.text("/state"))) }
            dt { "She asked" } dd { (moment(found.text("/received_at"))) }
            dt { "Due" } dd { (due(&found.body)) }
            @if !still.is_empty() { dt { "The clock stands still" } dd { "Until it is settled: " (say(still).to_lowercase()) } }
            @if !from.is_empty() { dt { "Can be handed over from" } dd { (from) } }
            dt { "How she wants it" } dd { (say(found.text("/delivery"))) }
        }
        @for words in why { div.notice { p { (words) } } }
        h2 { "What happened" }
        ul { @for each in steps {
            li { (say(text(each, "step"))) ", " (moment(text(each, "at"))) ", by " (text(each, "by")) }
        } }
        @if TAKES.contains(&visit.role()) && !matches!(found.text("/state"), "delivered" | "refused") {
            (next_step(visit, errors)?)
        }
        (deliver::offered(visit, found)?)
    })
}

fn next_step(visit: &Visit, errors: &Errors) -> Result<Markup, Stop> {
    let said = visit.form();
    let field = |name, label, hint| Field {
        name,
        label,
        hint,
        ..Field::default()
    };
    let proofs = options(IdentityProof::ALL.iter().map(|one| one.code()));
    let grounds = options(AccessRefusal::ALL.iter().map(|one| one.code()));
    let fields = html! {
        (field("step", "What happened?", "")
            .radios(said, errors, &[
                ("identity_proved", "I know now that it is she"),
                ("identity_not_proved", "It could not be shown that it is she"),
                ("clarification_asked", "I asked her what she means"),
                ("clarified", "She said what she means"),
                ("more_time", "It takes two months more"),
                ("refused", "It is refused"),
            ]))
        (field("proof", "How do you know that it is she?", "If you know it now.")
            .select(said, errors, &pairs(&proofs)))
        (field("because", "Why does it take longer?", "If it does.")
            .select(said, errors, &[("complex", "It is complex"), ("many_requests", "She asked several times")]))
        (field("ground", "On which ground is it refused?", "If it is.")
            .select(said, errors, &pairs(&grounds)))
        (Field { name: "explanation", label: "Why, in plain words for her",
                 hint: "If it takes longer or is refused. She is told this.", longest: 1_000,
                 ..Field::default() }.area(said, errors, 3))
        button { "Write it down" }
    };
    let is_open = !errors.is_empty();
    let action = format!("/subject-access/{}/step", her::id(visit)?);
    Ok(html! {
        details open[is_open] { summary { "Something happened with it" } (form(visit, &action, &fields)) }
    })
}

async fn step(visit: Visit) -> Result<Page, Stop> {
    let id = her::id(&visit)?;
    let said = visit.form();
    let mut body = json!({ "step": said.get("step") });
    for name in ["proof", "because", "ground", "explanation"] {
        if let Some(value) = said.said(name) {
            her::put(&mut body, name, json!(value));
        }
    }
    let path = format!("/v1/subject-access/{id}/steps");
    let reply = visit.post(&path, &body).await?;
    after(&visit, &reply, id).await
}

/// After an act on a request: the request, or what was wrong.
pub async fn after(visit: &Visit, reply: &Reply, id: &str) -> Result<Page, Stop> {
    if !reply.is_ok() {
        let errors = her::errors(reply);
        let above = her::above(reply, &errors);
        return Ok(shown(visit, &above, &errors).await?.status(reply.status));
    }
    if reply.is_nothing() {
        let body = html! { h1 { (HEADING) } (page::nothing(reply)) };
        return Ok(Page::new("Request", body));
    }
    Ok(Page::go(&format!("/subject-access/{id}")))
}
