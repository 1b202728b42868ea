//! The glass is broken (`domain.md` 3.6): first why, then who will be told, then the emergency view;
//! and a day later what was done. Every page is the same whoever holds something, but for the view.

use maud::{Markup, html};
use serde_json::{Value, json};

use super::form::{Errors, Field, Form};
use super::her;
use super::page::{self, Page, form};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, list, text};
use super::words::referral::language;
use super::words::{day, moment, number, options, pairs, say};
use crate::domain::codes::{AskedAfterwards, EmergencyAct, Role};

const WHOM: For = For::Roles(&[Role::EdSenior]);
/// How long the view may stay on the screen: the time that it is good for.
const VIEW_MINUTES: i64 = crate::domain::emergency::VIEW_MINUTES;

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/emergency", WHOM, show)
        .post("/emergency", WHOM, open)
        .get("/emergencies", WHOM, waiting)
        .get("/emergencies/{id}", WHOM, show_follow_up)
        .post("/emergencies/{id}", WHOM, follow_up)
}

async fn show(visit: Visit) -> Result<Page, Stop> {
    Ok(asks(&visit, &html! {}, &Errors::default()))
}

const REASONS: [(&str, &str); 3] = [
    ("life_at_risk", "A life is at risk"),
    (
        "cannot_consent_and_harm_likely",
        "She cannot be asked, and harm is likely",
    ),
    ("child_at_risk", "A child is at risk"),
];

fn asks(visit: &Visit, above: &Markup, errors: &Errors) -> Page {
    let said = visit.form();
    let reason = Field {
        name: "reason",
        label: "Why do you open it?",
        ..Field::default()
    };
    let words = Field {
        name: "text",
        label: "Why can it not wait?",
        hint: "At least 20 characters. It is not kept here: write it into her notes too.",
        longest: 1_000,
        ..Field::default()
    };
    let on_shift = Field {
        name: "on_shift",
        label: "I am the senior on shift",
        ..Field::default()
    };
    let fields = html! {
        h2 { "Who is she?" }
        p.hint { "Her NHS number, or her names and date of birth." }
        (her::who(said, errors))
        (reason.radios(said, errors, &REASONS))
        (words.area(said, errors, 3))
        (on_shift.tick(said, errors))
        button { "Go on: read who will be told" }
    };
    let body = html! {
        (above)
        h1 { "You are opening emergency information" }
        p { "You see how high the risk is, who must not be told, who is safe, and whom to call now. No \
             address and no notes. Nothing is opened before the next page." }
        (form(visit, "/emergency", &fields))
        p { a href="/emergencies" { "Say what was done after an emergency" } }
    };
    Page::new("Emergency", body)
}

fn body(said: &Form, confirm: bool) -> Value {
    json!({
        "identity": her::identity(said),
        "reason": said.get("reason"),
        "text": said.get("text"),
        "on_shift": said.get("on_shift") == "yes",
        "confirm": confirm,
        "onward_rule_accepted": said.get("onward_rule_accepted") == "yes",
    })
}

async fn open(visit: Visit) -> Result<Page, Stop> {
    let said = visit.form();
    let confirms = said.get("confirm") == "yes";
    let reply = visit.post("/v1/emergency", &body(said, confirms)).await?;
    if reply.problem() == "confirm-emergency" {
        return Ok(confirm(&visit, &reply, &Errors::default()));
    }
    if reply.is_ok() {
        return Ok(view(&reply));
    }
    let errors = her::errors(&reply);
    if errors.of("onward_rule_accepted").is_some() {
        return told_again(&visit, &errors).await;
    }
    let above = her::above(&reply, &errors);
    Ok(asks(&visit, &above, &errors).status(reply.status))
}

/// Who will be told, once more, because the rule was not accepted.
async fn told_again(visit: &Visit, errors: &Errors) -> Result<Page, Stop> {
    let reply = visit
        .post_also("-told", "/v1/emergency", &body(visit.form(), false))
        .await?;
    let mut page = confirm(visit, &reply, errors);
    page.status = 422;
    Ok(page)
}

/// 428: who will be told. The words are the same whoever holds something.
fn confirm(visit: &Visit, reply: &Reply, errors: &Errors) -> Page {
    let said = visit.form();
    let told = reply.list("/told").iter().filter_map(Value::as_str);
    let held = !reply.list("/held").is_empty();
    let rule = Field {
        name: "onward_rule_accepted",
        label: "I understand who will be told, and do not pass this on for immigration purposes",
        ..Field::default()
    };
    let fields = html! {
        (her::carried(said))
        @for name in ["reason", "text", "on_shift"] {
            input type="hidden" name=(name) value=(said.get(name));
        }
        input type="hidden" name="confirm" value="yes";
        (rule.tick(said, errors))
        div.buttons {
            button.grave { "Open emergency information" }
            a.button.second href="/emergency" { "Do not open it" }
        }
    };
    let body = html! {
        (page::summary(errors))
        h1 { "Who will be told" }
        p { "When you open it, these are told at once:" }
        ul { @for one in told { li { (one) } } }
        p { "They are told whether or not anything is found. Within 24 hours you say what you did." }
        @if held {
            div.wait { p { "Your reason has words about immigration in it. It is not kept, and stops \
                           nothing; leave them out of her notes." } }
        }
        (form(visit, "/emergency", &fields))
    };
    Page::new("Emergency", body).status(reply.status)
}

/// The emergency view, or the words for nothing. It is shown once.
fn view(reply: &Reply) -> Page {
    let id = reply.text("/id");
    let after = html! {
        h2 { "Afterwards" }
        p { "Within 24 hours say what you did, and whether she agrees now; or have the senior on shift do it. \
             Nobody is shown this a second time." }
        @if !id.is_empty() {
            p { a href=(format!("/emergencies/{id}")) { "Say what was done" }
                ", by " (moment(reply.text("/follow_up_by"))) "." }
        }
    };
    if reply.is_nothing() {
        let body = html! { h1 { "Emergency information" } (page::nothing(reply)) (after) };
        return Page::new("Emergency", body);
    }
    if reply.body.get("replayed") == Some(&Value::Bool(true)) {
        let body = html! {
            h1 { "Emergency information" }
            p { "It was shown once, and is not shown again. If you need it still, open it anew." }
            p { a href="/emergency" { "Open emergency information" } }
            (after)
        };
        return Page::new("Emergency", body);
    }
    let ends = reply.text("/view_ends_at");
    let minutes = reply
        .body
        .get("minutes")
        .and_then(Value::as_i64)
        .unwrap_or(VIEW_MINUTES);
    let body = html! {
        h1 { "Emergency information" }
        div.wait {
            p { "You can read this for " b data-minutes=(minutes) { (minutes) " minutes" }
                ", until " (moment(ends)) ". It is shown once: do not load the page again." }
        }
        (risk(reply))
        (safety(reply))
        (lines_and_language(reply))
        (after)
    };
    let mut page = Page::new("Emergency", body);
    page.stays_minutes = minutes;
    page
}

/// The highest first, whenever it was: none replaces another.
fn risk(reply: &Reply) -> Markup {
    let mut risks: Vec<&Value> = reply.list("/risk").iter().collect();
    risks.sort_by_key(|one| match text(one, "grade") {
        "high" => 0,
        "medium" => 1,
        _ => 2,
    });
    let child = risks
        .iter()
        .any(|one| one.get("child_at_risk") == Some(&Value::Bool(true)));
    html! {
        h2 { "Risk" }
        @if risks.is_empty() { p { "No grade is recorded." } }
        @if child { p { b { "A child may be in danger." } } }
        ul.plain {
            @for one in risks {
                li {
                    span.tag.high[text(one, "grade") == "high"] { (say(text(one, "grade"))) }
                    " assessed on " (day(text(one, "assessed_at")))
                }
            }
        }
    }
}

/// What several services recorded alike is said once.
fn once(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        if !distinct.contains(&line) {
            distinct.push(line);
        }
    }
    distinct
}

fn safety(reply: &Reply) -> Markup {
    let all = reply.list("/safety");
    let not_told = all.iter().flat_map(|one| list(one, "do_not_tell"));
    let not_told = once(not_told.filter_map(Value::as_str).map(str::to_owned));
    let safe = all.iter().map(|one| {
        let number = number(text(one, "safe_person_phone"));
        format!("{} {number}", text(one, "safe_person"))
    });
    let safe = once(safe);
    html! {
        @if !not_told.is_empty() {
            div.card {
                h2 { "Do not tell, do not let in" }
                ul { @for who in &not_told { li { b { (who) } } } }
            }
        }
        @if !safe.is_empty() {
            div.card { h2 { "Safe to call" } ul { @for who in &safe { li { b { (who) } } } } }
        }
    }
}

fn lines_and_language(reply: &Reply) -> Markup {
    let lines = reply.list("/service_lines");
    let languages = reply.list("/interpreter_languages");
    html! {
        @if !lines.is_empty() {
            h2 { "A service that answers now" }
            ul { @for line in lines.iter().filter_map(Value::as_str) { li { (line) } } }
        }
        @if !languages.is_empty() {
            h2 { "She needs an interpreter for" }
            ul {
                @for code in languages.iter().filter_map(Value::as_str) { li { (language(code)) } }
            }
        }
    }
}

async fn waiting(visit: Visit) -> Result<Page, Stop> {
    let reply = visit.get("/v1/emergencies").await?;
    let list = reply.list("/emergencies");
    let body = html! {
        h1 { "Emergencies to follow up" }
        @if !reply.is_ok() { (page::trouble(&reply)) }
        @else if list.is_empty() { p { "Of every emergency it was said what was done." } }
        @else {
            div.table tabindex="0" role="region" aria-label="Emergencies" {
                table {
                    caption { "Of these nothing was said yet. Any senior on shift may." }
                    thead { tr {
                        th scope="col" { "Opened" } th scope="col" { "By" } th scope="col" { "Say it by" }
                        th scope="col" { "What was done" }
                    } }
                    tbody {
                        @for one in list {
                            tr {
                                th scope="row" { (moment(text(one, "at"))) }
                                td { (text(one, "user")) }
                                td { (moment(text(one, "follow_up_by")))
                                    @if text(one, "status") == "late" { " " span.tag.high { "Late" } } }
                                td { a href=(format!("/emergencies/{}", text(one, "id"))) {
                                    "Say what was done"
                                    span.away { " after " (moment(text(one, "at"))) } } }
                            }
                        }
                    }
                }
            }
        }
    };
    Ok(Page::new("Emergencies", body).status(if reply.is_ok() { 200 } else { reply.status }))
}

async fn show_follow_up(visit: Visit) -> Result<Page, Stop> {
    asks_after(&visit, &html! {}, &Errors::default())
}

fn asks_after(visit: &Visit, above: &Markup, errors: &Errors) -> Result<Page, Stop> {
    let acts = options(EmergencyAct::ALL.iter().map(|one| one.code()));
    let asked = [
        (AskedAfterwards::Agrees.code(), "She agrees"),
        (AskedAfterwards::Refuses.code(), "She does not want it"),
        (AskedAfterwards::CannotSay.code(), "She cannot say yet"),
        (AskedAfterwards::NotAsked.code(), "Nobody has asked her yet"),
    ];
    let done = Field {
        name: "done",
        label: "What was done?",
        hint: "At most four, those that mattered most. What happened belongs into her notes, not here.",
        ..Field::default()
    };
    let now = Field {
        name: "she_now",
        label: "Does she agree now that you may be told what is known?",
        ..Field::default()
    };
    let fields = html! {
        (done.boxes(visit.form(), errors, &pairs(&acts)))
        (now.radios(visit.form(), errors, &asked))
        button { "Say so" }
    };
    let body = html! {
        (above)
        h1 { "What was done" }
        (form(visit, &format!("/emergencies/{}", her::id(visit)?), &fields))
    };
    Ok(Page::new("Emergencies", body))
}

async fn follow_up(visit: Visit) -> Result<Page, Stop> {
    let id = her::id(&visit)?;
    let done: Vec<&str> = visit.form().all("done").collect();
    let body = json!({ "done": done, "she_now": visit.form().get("she_now") });
    let path = format!("/v1/emergencies/{id}/follow-up");
    let reply = visit.post(&path, &body).await?;
    if !reply.is_ok() {
        let errors = her::errors(&reply);
        let above = her::above(&reply, &errors);
        return Ok(asks_after(&visit, &above, &errors)?.status(reply.status));
    }
    let next = match visit.form().get("she_now") {
        "agrees" => {
            "Taken. This is not her consent: record that too, in her words, with how it was given."
        }
        "refuses" => "Taken. If she wants what is shared about her to stop, take that at once.",
        _ => {
            "Taken. Ask her as soon as she can be asked alone and in safety, and say it here again."
        }
    };
    let notice = her::read_to_her(&visit, "emergency", false).await?;
    let body = html! {
        h1 { "What was done" }
        @if reply.is_nothing() { (page::nothing(&reply)) }
        @else {
            div.good { p { (next) } }
            @if visit.form().get("she_now") == "refuses" { p { a href="/stop" { "She wants to stop something" } } }
            details { summary { "When it is safe to tell her" } (notice) }
        }
        p { a href="/emergencies" { "Emergencies to follow up" } }
    };
    Ok(Page::new("Emergencies", body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_risk_comes_first_and_what_is_said_twice_is_read_once() {
        let safety = json!({
            "do_not_tell": ["<i>his brother</i>"], "safe_person": "Leila",
            "safe_person_phone": "+447700900456",
        });
        let reply = Reply {
            status: 200,
            body: json!({
                "risk": [
                    { "grade": "medium", "assessed_at": "2026-04-02T20:10:00Z", "child_at_risk": true },
                    { "grade": "high", "assessed_at": "2026-03-02T20:10:00Z" },
                ],
                "safety": [safety, safety],
            }),
        };
        let page = view(&reply);
        let shown = page.body.0;
        let at = |what: &str| shown.find(what).unwrap();
        assert!(at("High") < at("Medium"), "{shown}");
        assert!(shown.contains("A child may be in danger"), "{shown}");
        assert_eq!(shown.matches("Leila 07700 900456").count(), 1, "{shown}");
        assert_eq!(shown.matches("&lt;i&gt;his brother").count(), 1, "{shown}");
        assert_eq!(page.stays_minutes, 60);
    }
}
