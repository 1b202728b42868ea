//! What one person takes away at once, what ends soon, and how the gateway is: for the operator and those
//! who govern. Nothing here is about anybody who is helped.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::entries::line;
use super::form::{Errors, Field, Form};
use super::monday::integrity;
use super::page::{Page, form, summary, trouble};
use super::proposals::{GOVERNS, taint};
use super::renew::renews;
use super::services::is_to_check;
use super::table::Pages;
use super::visit::{Reply, Stop, Visit, text};
use super::words::{day, last_day, say};
use crate::domain::codes::{OrgKind, Role, Taint};
use crate::domain::refusal::Refusal;

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/state", GOVERNS, state)
        .get("/take-away", GOVERNS, choose)
        .get("/take-away/{id}", GOVERNS, ask)
        .post("/take-away/{id}", GOVERNS, take)
}

async fn state(visit: Visit) -> Result<Page, Stop> {
    let me = visit.get("/v1/me").await?;
    let operator = me.text("/kind") == OrgKind::Operator.code();
    let ends = me.list("/ends");
    let body = html! {
        h1 { "State, and what ends soon" }
        h2 { "The log" }
        (integrity(&me))
        (restoring(&me))
        h2 { "What ends" }
        p {
            "Certificates, agreements and attestations "
            @if operator { "of every organisation" } @else { "of your organisation" }
            " that end within 45 days, or ended in the last 30. What is not renewed stops working on its day."
        }
        @if renews(visit.role()) { p { a href="/renew" { "Renew the certificate of one of your people" } } }
        @if me.list("/own_services").iter().any(is_to_check) {
            div.wait { p {
                "What a service of yours can meet was never said, or not looked at for 45 days. "
                a href="/services" { "Look whether it is right" } "."
            } }
        }
        @if ends.is_empty() {
            div.good { p { "Nothing ends within 45 days. This page is the notice: it tells you 45, 30, 14, 7 \
                 days and 1 day before." } }
        } @else { (ending(ends, visit.role())) }
        h2 { "Time" }
        p { "The gateway's clock says " (super::words::moment(me.text("/clock"))) "." }
        @if operator {
            p.hint {
                "Disk, memory and connections are told on the second port, at " span.code { "/ready" } " and "
                span.code { "/metrics" } "; " span.code { "firedoor doctor" } " says what to do."
            }
        }
    };
    Ok(Page::new("State", body))
}

/// After a restore: withdrawals are collected, and until then little is shown.
fn restoring(me: &Reply) -> Markup {
    let found = me.body.get("restoration").filter(|found| !found.is_null());
    html! {
        @if found.is_some() {
            div.wait {
                p {
                    "The gateway was restored from a copy. Organisations hand in withdrawals that it has \
                     forgotten; until all have, little is shown. " a href="/proposals" { "Going on without one" }
                    " takes two people."
                }
            }
        }
    }
}

fn ending(ends: &[Value], role: Role) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="What ends" {
            table {
                caption { "What ends, the first first" }
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "Organisation" }
                    th scope="col" { "Which" } th scope="col" { "What to do" }
                } }
                tbody { @for one in ends { (ends_row(one, role)) } }
            }
        }
    }
}

fn ends_row(one: &Value, role: Role) -> Markup {
    let left = one
        .get("days_left")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let what = text(one, "what");
    let user = text(one, "user");
    html! {
        tr {
            th scope="row" {
                span.tag.high[left < 7].soon[(7..30).contains(&left)] { (notice(left)) }
                br; (day(text(one, "at")))
            }
            td { (say(what)) }
            td { (text(one, "organisation")) }
            td {
                @if !user.is_empty() { (user) br; }
                @if !text(one, "team").is_empty() { "Team " (text(one, "team")) }
                (text(one, "reference"))
            }
            td {
                @match what {
                    "agreement" => { a href="/propose/agreement" { "Propose a new one" } }
                    "attestation" => { a href="/propose/attestation" { "Attest again" } }
                    // Whose it is stands here for her own organisation alone.
                    _ if renews(role) && !user.is_empty() => { a href="/renew" { "Renew it" } }
                    _ => { a href="/propose/certificate" { "Propose the next one" } }
                }
            }
        }
    }
}

/// In the steps of the notices: 45, 30, 14, 7 and 1.
pub fn notice(left: i64) -> String {
    match left {
        ..0 => "Ended".to_owned(),
        0 => "Ends today".to_owned(),
        1 => "1 day left".to_owned(),
        left => format!("{left} days left"),
    }
}

/// What one person may take away, and what it means.
const AWAY: [(&str, &str, &str); 6] = [
    (
        "leaver",
        "Remove somebody who leaves",
        "Her certificates and her second factor stop at once. What she did stays in the log.",
    ),
    (
        "certificate",
        "Revoke a certificate",
        "For a stolen laptop or a key that somebody else may have. It stops at once.",
    ),
    (
        "organisation",
        "Suspend an organisation",
        "None of its people or systems may do anything, and nothing is sent to it. Two people let it work \
         again; every name that it knew things by is then another one.",
    ),
    (
        "team",
        "Shut a team out",
        "It hosts, or works with, immigration enforcement. It is told nothing from now on. A proposal \
         lifts it.",
    ),
    (
        "service",
        "Close a service",
        "It takes no more referrals. Those that it has stay with it.",
    ),
    (
        "agreement",
        "End an agreement",
        "Without another one in date the organisation may not use the gateway.",
    ),
];

async fn choose(visit: Visit) -> Result<Page, Stop> {
    drop(visit);
    let body = html! {
        h1 { "Remove, suspend or close" }
        p { "Each takes effect at once, on your word alone, and is written in the log under your name." }
        ul.places { @for (kind, words, _) in AWAY { li { a href=(format!("/take-away/{kind}")) { (words) } } } }
    };
    Ok(Page::new("Changes", body))
}

type Kind = (&'static str, &'static str, &'static str);

fn known(visit: &Visit) -> Result<Kind, Stop> {
    let found = AWAY.iter().find(|(kind, _, _)| *kind == visit.id());
    found.copied().ok_or(Stop::Refused(Refusal::NotFound))
}

async fn ask(visit: Visit) -> Result<Page, Stop> {
    let kind = known(&visit)?;
    // Her own organisation is the usual one; the operator's acts are about others. A whole
    // organisation is written out by hand.
    let mut own = String::new();
    if visit.role() != Role::OperatorAdmin && kind.0 != "organisation" {
        own = format!("organisation={}", visit.organisation());
    }
    let sent = Form::parse(own.as_bytes());
    let body = asks(&visit, kind, &sent, None, &Errors::default()).await?;
    Ok(Page::new("Changes", body))
}

/// The agreements that she can end, each by its organisation and id as one value.
async fn agreements(visit: &Visit) -> Result<Vec<(String, String)>, Stop> {
    let me = visit.get("/v1/me").await?;
    let all = me.list("/can_end").iter();
    Ok(all
        .map(|one| {
            let value = format!("{} {}", text(one, "organisation"), text(one, "agreement"));
            let words = format!(
                "{}: {}, {} to {}",
                text(one, "organisation"),
                text(one, "reference"),
                day(text(one, "from")),
                last_day(text(one, "to")),
            );
            (value, words)
        })
        .collect())
}

async fn asks(
    visit: &Visit,
    kind: Kind,
    sent: &Form,
    refused: Option<&Reply>,
    errors: &Errors,
) -> Result<Markup, Stop> {
    let (kind, words, means) = kind;
    let agreements = match kind {
        "agreement" => agreements(visit).await?,
        _ => Vec::new(),
    };
    let agreements: Vec<(&str, &str)> = agreements
        .iter()
        .map(|(value, words)| (value.as_str(), words.as_str()))
        .collect();
    let none = kind == "agreement" && agreements.is_empty();
    let field = |name, label, hint, longest| Field {
        name,
        label,
        hint,
        width: 20,
        longest,
        ..Field::default()
    };
    let taints: Vec<(&str, &str)> = Taint::ALL
        .iter()
        .filter(|one| !matches!(one, Taint::None | Taint::Unattested))
        .map(|one| (one.code(), taint(one.code())))
        .collect();
    let short = "Its short name, for example: larkfield";
    Ok(html! {
        p { a href="/take-away" { "Something else" } }
        @match refused { Some(reply) if errors.is_empty() => { (trouble(reply)) } _ => { (summary(errors)) } }
        h1 { (words) }
        p { (means) }
        @if none { div.notice { p { "There is no agreement that you can end." } } }
        @else { (form(visit, &format!("/take-away/{kind}"), &html! {
            @if kind != "agreement" {
                (field("organisation", "Organisation", short, 32).text(sent, errors))
            }
            @match kind {
                "leaver" => {
                    (field("user", "User", "As in her certificate, for example: r-osei", 64).text(sent, errors))
                }
                "certificate" => {
                    (Field { width: 0, ..field("spki_sha256", "Fingerprint of its key",
                        "64 hexadecimal digits, as firedoor cert shows them.", 64) }.text(sent, errors))
                }
                "team" => {
                    (field("team", "Team", short, 32).text(sent, errors))
                    (field("taint", "Why", "", 0).radios(sent, errors, &taints))
                }
                "service" => { (field("service", "Service", short, 32).text(sent, errors)) }
                "agreement" => {
                    (field("agreement", "Which agreement?", "", 0).radios(sent, errors, &agreements))
                }
                _ => {}
            }
            @if kind == "organisation" { button { "See what ends" } }
            @else { button.grave { (words) ", now" } }
        })) }
    })
}

/// Between the name and the act: what ends with it.
fn is_meant(visit: &Visit, (kind, words, _): Kind) -> Markup {
    let organisation = visit.form().get("organisation");
    let own = organisation == visit.organisation();
    html! {
        p { a href="/take-away" { "Do nothing, and go back" } }
        h1 { (words) ": " (organisation) }
        p { "From now on:" }
        ul {
            li {
                "nobody of " b { (organisation) } " is shown anything or can do anything, and none of its systems is \
                 answered"
                @if own { ". " b { "This is your own organisation: that is you too" } }
            }
            li { "it is sent no referral, and is told nothing that is waiting for it" }
            li { "what it refers, assesses or records is not taken" }
            li { "what it did stays in the log, and withdrawals that it took stay in force" }
            li { "all names by which it knew people and referrals are other ones when it works again" }
        }
        p { "Only two people of other organisations can let it work again." }
        (form(visit, &format!("/take-away/{kind}"), &html! {
            input type="hidden" name="organisation" value=(organisation);
            input type="hidden" name="meant" value=(organisation);
            button.grave { "Suspend " (organisation) ", now" }
        }))
    }
}

/// The API's field as ours is called.
fn ours<'a>(kind: &str, name: &'a str) -> &'a str {
    match (kind, name) {
        ("certificate", "certificate") => "spki_sha256",
        ("agreement", "organisation") => "agreement",
        (_, name) => name,
    }
}

/// What is taken away, as the API takes it.
fn body(kind: &str, sent: &Form) -> Value {
    let organisation = sent.get("organisation");
    match kind {
        "leaver" => json!({
            "change": "remove_user", "organisation": organisation, "user": sent.get("user"),
        }),
        "certificate" => json!({
            "change": "revoke_certificate", "organisation": organisation,
            "spki_sha256": sent.get("spki_sha256"),
        }),
        "team" => json!({
            "change": "taint_team", "organisation": organisation, "team": sent.get("team"),
            "taint": sent.get("taint"),
        }),
        "service" => json!({
            "change": "close_service", "organisation": organisation, "service": sent.get("service"),
        }),
        "agreement" => {
            let (organisation, agreement) =
                sent.get("agreement").split_once(' ').unwrap_or_default();
            json!({
                "change": "end_agreement", "organisation": organisation, "agreement": agreement,
            })
        }
        _ => json!({ "change": "suspend_organisation", "organisation": organisation }),
    }
}

async fn take(visit: Visit) -> Result<Page, Stop> {
    let kind = known(&visit)?;
    let sent = visit.form();
    let organisation = sent.get("organisation");
    if kind.0 == "organisation" && !organisation.is_empty() && sent.get("meant") != organisation {
        return Ok(Page::new("Changes", is_meant(&visit, kind)));
    }
    let done = visit.post("/v1/narrowings", &body(kind.0, sent)).await?;
    if !done.is_ok() {
        let errors = done.errors().0.into_iter();
        let at = |(name, message): (String, String)| (ours(kind.0, &name).to_owned(), message);
        let errors = Errors(errors.map(at).collect());
        let page = asks(&visit, kind, sent, Some(&done), &errors).await?;
        return Ok(Page::new("Changes", page).status(done.status));
    }
    let body = html! {
        h1 { "Done" }
        div.good { p { (kind.1) ": it holds from now on." } }
        dl.rows {
            (line("Organisation", organisation))
            (line("Agreement", sent.get("agreement")))
            (line("User", sent.get("user")))
            (line("Team", sent.get("team")))
            (line("Service", sent.get("service")))
        }
        p { a href="/take-away" { "Something else" } }
    };
    Ok(Page::new("Changes", body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_is_said_in_days_and_what_to_do() {
        let told = [-1, 0, 1, 14].map(notice);
        assert_eq!(told, ["Ended", "Ends today", "1 day left", "14 days left"]);
        let system = json!({
            "what": "certificate", "organisation": "<b>x</b>", "at": "2026-12-01T00:00:00Z",
            "days_left": 3,
        });
        let row = ends_row(&system, Role::OrgAdmin);
        assert!(
            row.0.contains("tag high") && !row.0.contains("<b>x"),
            "{}",
            row.0
        );
        let hers = json!({ "what": "certificate", "user": "v-adeola", "days_left": 3 });
        let links = [
            (&hers, Role::OrgAdmin),
            (&hers, Role::IgOfficer),
            (&system, Role::OrgAdmin),
        ]
        .map(|(one, role)| ends_row(one, role).0.contains("href=\"/renew\""));
        assert_eq!(links, [true, false, false]);
    }

    #[test]
    fn each_way_to_take_something_away_is_one_change_of_the_api() {
        let sent = Form::parse(b"organisation=met&user=pc-ward");
        let changes = AWAY.map(|(kind, _, _)| body(kind, &sent)["change"].clone());
        assert_eq!(
            changes,
            [
                "remove_user",
                "revoke_certificate",
                "suspend_organisation",
                "taint_team",
                "close_service",
                "end_agreement",
            ]
        );
    }
}
