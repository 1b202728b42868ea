//! Certificates that end: what each is told of her own, and how her administrator renews it, with
//! nothing but a browser.
//!
//! A page without script cannot show a password and hand over a file at once. So the password comes
//! first: it follows from the mark of the form whose button then makes the file.

use base64::prelude::{BASE64_STANDARD, Engine};
use maud::{Markup, html};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::form::{Errors, Field};
use super::operator::notice;
use super::page::{Page, form, summary, trouble};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, list, text};
use super::words::day;
use crate::domain::codes::Role;
use crate::domain::handover::BundleForm;
use crate::domain::time::When;

/// Told this long before, on her first page.
const TOLD_DAYS: i64 = 45;
/// And so long before, on every page.
const TOLD_EVERYWHERE_DAYS: i64 = 7;

const ADMINISTERS: &[Role] = &[Role::OrgAdmin, Role::OperatorAdmin];

pub fn pages(pages: Pages) -> Pages {
    let whom = For::Roles(ADMINISTERS);
    pages
        .get("/renew", whom, ask)
        .post("/renew", whom, password)
        .post("/renew/file", whom, file)
}

/// Whether somebody in this role renews the certificates of her own organisation.
pub fn renews(role: Role) -> bool {
    ADMINISTERS.contains(&role)
}

/// When her own certificate ends, at the top of a page; nothing while there is time.
pub fn own_ends(visit: &Visit) -> Markup {
    let (at, left) = visit.certificate_ends();
    let told = match visit.path() {
        "/" => TOLD_DAYS,
        _ => TOLD_EVERYWHERE_DAYS,
    };
    html! { @if left <= told { (ends(at, left, renews(visit.role()))) } }
}

fn ends(at: When, left: i64, renews: bool) -> Markup {
    let left = match left {
        ..=0 => "today".to_owned(),
        1 => "in 1 day".to_owned(),
        left => format!("in {left} days"),
    };
    html! {
        div.notice {
            p {
                "Your certificate ends on " (day(&at.rfc3339())) ", " (left) ". "
                @if renews { a href="/renew" { "Renew it" } "." } @else { "Ask your administrator to renew it." }
            }
        }
    }
}

/// What a file is for, and the form that it opens in.
const COMPUTERS: [(&str, &str, BundleForm); 4] = [
    ("windows", "Windows 10 or 11", BundleForm::Modern),
    ("chromebook", "Chromebook or Linux", BundleForm::Modern),
    ("mac", "Mac, iPhone, iPad or Android", BundleForm::Legacy),
    ("old", "Older Windows", BundleForm::Legacy),
];

async fn ask(visit: Visit) -> Result<Page, Stop> {
    asked(&visit, &Errors::default(), None).await
}

async fn asked(visit: &Visit, errors: &Errors, refused: Option<&Reply>) -> Result<Page, Stop> {
    let me = visit.get("/v1/me").await?;
    let is_here = me.body.pointer("/renewals/here") == Some(&Value::Bool(true));
    let people = me.list("/renewals/people");
    let body = html! {
        @match refused { Some(reply) => { (trouble(reply)) } None => { (summary(errors)) } }
        h1 { "Renew a certificate" }
        @if !is_here { (elsewhere()) }
        @else if people.is_empty() {
            p { "Nobody in your organisation has a certificate of her own." }
        } @else {
            p {
                "She gets a new file, and a password that you tell her by telephone. Her certificate of now \
                 goes on working until its end, so that she is not shut out. It takes about ten minutes."
            }
            (form(visit, "/renew", &html! {
                (whose(people).radios(visit, errors))
                (computer().radios(visit.form(), errors, &COMPUTERS.map(|(code, words, _)| (code, words))))
                button { "Go on" }
            }))
        }
        @if !people.is_empty() { (held(people)) }
    };
    let status = match refused {
        Some(reply) => reply.status,
        None if errors.is_empty() => 200,
        None => 422,
    };
    Ok(Page::new("Certificates", body).status(status))
}

fn elsewhere() -> Markup {
    html! {
        div.notice {
            p { "This gateway does not make certificates itself. Telephone the operator: the number is in your \
                 enrolment letter." }
        }
        p { "Have ready:" }
        ul {
            li { "the short name of your organisation, and of her team" }
            li { "her name as it stands in her certificate, and on which day it ends" }
            li { "what computer or phone it is for" }
            li { "a telephone number on which you can be called back" }
        }
    }
}

fn computer() -> Field<'static> {
    Field {
        name: "computer",
        label: "What is it for?",
        hint: "If she uses two, renew once for each.",
        ..Field::default()
    }
}

/// Whose certificate, whose ends first, first.
struct Whose(Vec<(String, String)>);

fn whose(people: &[Value]) -> Whose {
    let each = |one: &Value| {
        let (user, team) = (text(one, "user"), text(one, "team"));
        let left = one
            .get("days_left")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let said = format!(
            "{user}, team {team}: {}, {}",
            notice(left).to_lowercase(),
            day(text(one, "at"))
        );
        (format!("{team}/{user}"), said)
    };
    Whose(people.iter().map(each).collect())
}

impl Whose {
    fn radios(&self, visit: &Visit, errors: &Errors) -> Markup {
        let field = Field {
            name: "whose",
            label: "Whose certificate?",
            ..Field::default()
        };
        let pairs: Vec<(&str, &str)> = self
            .0
            .iter()
            .map(|(code, words)| (code.as_str(), words.as_str()))
            .collect();
        field.radios(visit.form(), errors, &pairs)
    }
}

/// Who has which, for whoever takes one back.
fn held(people: &[Value]) -> Markup {
    html! {
        details {
            summary { "A file was lost, or a computer was stolen" }
            p {
                "A file that was lost opens only with its password. Renew again: that makes a new key. To take a \
                 certificate back at once, "
                a href="/take-away/certificate" { "revoke it" } " by the fingerprint of its key."
            }
            @for one in people {
                h3 { (text(one, "user")) ", team " (text(one, "team")) }
                ul { @for held in list(one, "certificates") {
                    li { "Ends on " (day(text(held, "at"))) ": " span.code { (text(held, "spki_sha256")) } }
                } }
            }
        }
    }
}

/// What was chosen, if both were.
fn chosen(visit: &Visit) -> Result<(&str, &str, BundleForm, &'static str), Errors> {
    let sent = visit.form();
    let mut errors = Errors::default();
    let whose = sent.get("whose").split_once('/');
    if whose.is_none() {
        errors.add("whose", "Choose whose certificate");
    }
    let computer = COMPUTERS
        .iter()
        .find(|(code, _, _)| *code == sent.get("computer"));
    if computer.is_none() {
        errors.add("computer", "Choose what it is for");
    }
    match (whose, computer) {
        (Some((team, user)), Some((_, words, form))) => Ok((team, user, *form, words)),
        (_, _) => Err(errors),
    }
}

/// The password, before there is anything that it opens.
async fn password(visit: Visit) -> Result<Page, Stop> {
    let (team, user, _, computer) = match chosen(&visit) {
        Ok(chosen) => chosen,
        Err(errors) => return asked(&visit, &errors, None).await,
    };
    let Some((mark, password)) = visit.mark_with_password() else {
        return Err(Stop::Fault);
    };
    let body = html! {
        p { a href="/renew" { "Somebody else" } }
        h1 { "Renew a certificate" }
        dl.rows {
            dt { "Whose" } dd { (user) ", team " (team) }
            dt { "For" } dd { (computer) }
        }
        ol {
            li {
                p { "Write this password on paper. It is shown only now." }
                p.code { b { (*password) } }
            }
            li {
                p { "Make the file. It is made once, and its key is kept nowhere else." }
                form method="post" action="/renew/file" autocomplete="off" {
                    input type="hidden" name="form" value=(mark);
                    input type="hidden" name="password" value=(*password);
                    input type="hidden" name="whose" value=(visit.form().get("whose"));
                    input type="hidden" name="computer" value=(visit.form().get("computer"));
                    button { "Renew and save the file" }
                }
            }
            li { p { "Give her the file " span.code { "certificate.p12" } ", then delete it here, also from Downloads and the bin." } }
            li {
                p {
                    "Telephone her and say the password. Never send it with the file. " a href="/help#import" { "Help" }
                    " shows her how to put the file on her computer. Then tear the paper up."
                }
            }
        }
    };
    Ok(Page::new("Certificates", body))
}

/// Renews, and hands the file over in the one reply.
async fn file(visit: Visit) -> Result<Page, Stop> {
    let (team, user, form, _) = match chosen(&visit) {
        Ok(chosen) => chosen,
        Err(errors) => return asked(&visit, &errors, None).await,
    };
    // A form that was kept over a sign-in has another mark, so the file would have another password.
    if visit.password().as_deref().map(String::as_str) != Some(visit.form().get("password")) {
        return Ok(again(
            "This page was open for too long, and nothing was made. Cross the password out.",
        ));
    }
    let asked_for = json!({ "user": user, "team": team, "form": form.code() });
    let done = visit.post("/v1/renewals", &asked_for).await?;
    if !done.is_ok() {
        return asked(&visit, &Errors::default(), Some(&done)).await;
    }
    if let Ok(bytes) = BASE64_STANDARD.decode(done.text("/p12"))
        && !bytes.is_empty()
    {
        let bytes = Zeroizing::new(bytes);
        return Ok(Page::bytes(
            "certificate.p12",
            "application/x-pkcs12",
            bytes,
        ));
    }
    Ok(match done.text("/says") {
        "" => again(
            "This file was made and handed over once, and its key is kept nowhere. If you do not have it, \
             renew again, with a new password. What was lost opens only with the old one.",
        ),
        says => again(says),
    })
}

fn again(says: &str) -> Page {
    let body = html! {
        h1 { "Renew a certificate" }
        div.wait { p { (says) } }
        p { a.button href="/renew" { "Renew again" } }
    };
    Page::new("Certificates", body).status(409)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_her_own_is_told_in_days_with_who_renews_it() {
        let at = When::parse("2026-12-22T09:00:00Z").unwrap();
        let said = |left, renews| ends(at, left, renews).0;
        let told = said(12, false);
        for part in [
            "22 December 2026, in 12 days.",
            "Ask your administrator to renew it.",
        ] {
            assert!(told.contains(part), "{told}");
        }
        assert!(said(1, false).contains("in 1 day."));
        assert!(said(0, false).contains(", today."));
        let hers = said(3, true);
        assert!(hers.contains("<a href=\"/renew\">Renew it</a>"), "{hers}");
    }

    #[test]
    fn every_kind_of_computer_has_a_form_of_file() {
        let legacy: Vec<&str> = COMPUTERS
            .iter()
            .filter(|(_, _, form)| *form == BundleForm::Legacy)
            .map(|(code, _, _)| *code)
            .collect();
        assert_eq!(legacy, ["mac", "old"]);
        let mut codes: Vec<&str> = COMPUTERS.iter().map(|(code, _, _)| *code).collect();
        codes.dedup();
        assert_eq!(codes.len(), COMPUTERS.len());
    }
}
