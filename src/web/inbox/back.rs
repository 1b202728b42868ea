//! By her name somebody sees that the service knows her or the other party: within a day she is handed
//! back, with one of three reasons and no words.

use maud::{Markup, html};
use serde_json::json;

use super::RECEIVES;
use super::moving::MOVES;
use crate::domain::codes::ConflictKind;
use crate::domain::refusal::Refusal;
use crate::domain::time::When;
use crate::web::form::{Errors, Field};
use crate::web::page::{Page, form, nothing, summary, trouble};
use crate::web::referral::link;
use crate::web::table::{For, Pages};
use crate::web::visit::{Reply, Stop, Visit};
use crate::web::words::{Options, moment, pairs, reference};

pub fn pages(pages: Pages) -> Pages {
    pages
        .get("/inbox/{id}/back", For::Roles(RECEIVES), asks)
        .post("/inbox/{id}/back", For::Roles(RECEIVES), hand_back)
}

/// On the case: the way back while there is one, and then what to do instead.
pub fn offered(visit: &Visit, id: &str, reply: &Reply) -> Markup {
    let until = reply.text("/referral/hand_back_until");
    let left = left(reply.text("/date"), until);
    html! {
        @if let Some(left) = left {
            p.hint {
                a href=(format!("/inbox/{id}/back")) { "We have a conflict: hand her back" }
                " - " (left) ", until " (moment(until)) "."
            }
        } @else {
            details {
                summary { "Somebody here turns out to know her or the other party" }
                (instead(visit, id))
            }
        }
    }
}

/// How long it is possible, from when the page was made.
fn left(now: &str, until: &str) -> Option<String> {
    let left = When::parse(until)?.millis() - When::parse(now)?.millis();
    match left / 3_600_000 {
        _ if left <= 0 => None,
        0 => Some("less than an hour left".to_owned()),
        1 => Some("1 hour left".to_owned()),
        hours => Some(format!("{hours} hours left")),
    }
}

fn instead(visit: &Visit, id: &str) -> Markup {
    html! {
        p {
            "Let nobody who knows either of them contact her, and tell your manager at once. "
            @if MOVES.contains(&visit.role()) {
                "Ask her whether another service may take over, and "
                a href=(format!("/inbox/{id}/move")) { "move her there" }
                ": the area may be the same."
            } @else {
                "Ask a colleague who may move her to another service."
            }
        }
    }
}

fn conflicts() -> Options {
    ConflictKind::ALL
        .iter()
        .map(|one| {
            let words = match one {
                ConflictKind::KnowsHer => "Somebody here knows her",
                ConflictKind::KnowsOtherParty => "Somebody here knows or helps the other party",
                ConflictKind::StaffRelated => "Somebody here is related to one of them",
            };
            (one.code(), words.to_owned())
        })
        .collect()
}

fn question(visit: &Visit, id: &str, above: &Markup, errors: &Errors) -> Markup {
    let conflicts = conflicts();
    let field = Field {
        name: "reason",
        label: "What is the conflict?",
        hint: "Only your own information governance officer sees this. Whoever sent her does not.",
        ..Field::default()
    };
    let inner = html! {
        (field.radios(visit.form(), errors, &pairs(&conflicts)))
        div.buttons {
            button { "Hand her back" }
            a.button.second href=(format!("/inbox/{id}")) { "Keep her" }
        }
    };
    html! {
        (above)
        h1 { "Hand back " (reference(id)) }
        p {
            "This is possible for 24 hours after you accepted her. From then on nobody here can open who \
             she is, and she is offered to another service if she lets it."
        }
        div.notice {
            p { "What you printed, saved or wrote down cannot be called back from here. Destroy it." }
        }
        (form(visit, &format!("/inbox/{id}/back"), &inner))
    }
}

async fn asks(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let body = question(&visit, &id, &html! {}, &Errors::default());
    Ok(Page::new("Inbox", body))
}

async fn hand_back(visit: Visit) -> Result<Page, Stop> {
    let id = link(&visit).ok_or(Stop::Refused(Refusal::NotFound))?;
    let body = json!({ "reason": visit.form().get("reason") });
    let path = format!("/v1/referrals/{id}/hand-back");
    let reply = visit.post(&path, &body).await?;
    if reply.status == 422 {
        let mut errors = Errors::default();
        for (field, _) in reply.errors().0 {
            errors.add(&field, "Choose the conflict");
        }
        let above = if errors.is_empty() {
            trouble(&reply)
        } else {
            summary(&errors)
        };
        let body = question(&visit, &id, &above, &errors);
        return Ok(Page::new("Inbox", body).status(reply.status));
    }
    let body = html! {
        @if !reply.is_ok() {
            h1 { "This was not done" }
            p { (reply.text("/detail")) }
            @if reply.problem() == "hand-back-over" { (instead(&visit, &id)) }
        } @else if reply.is_nothing() {
            h1 { "Inbox" }
            (nothing(&reply))
        } @else if reply.text("/result") == "passed-on" {
            h1 { "This has ended for you" }
            div.wait { p { (reply.text("/says")) } }
        } @else {
            h1 { "You have handed her back" }
            div.wait { p { (reply.text("/says")) } }
        }
        p { a.button href="/inbox" { "Back to the inbox" } }
    };
    Ok(Page::new("Inbox", body).status(reply.status))
}

#[cfg(test)]
mod tests {
    use super::left;

    #[test]
    fn the_hours_that_are_left_are_whole_and_none_when_it_is_over() {
        let until = "2026-04-03T10:00:00Z";
        let says = |now: &str| left(now, until);
        assert_eq!(says("2026-04-02T10:00:01Z").unwrap(), "23 hours left");
        assert_eq!(says("2026-04-03T08:59:00Z").unwrap(), "1 hour left");
        assert_eq!(
            says("2026-04-03T09:00:01Z").unwrap(),
            "less than an hour left"
        );
        assert_eq!(says(until), None);
        assert_eq!(left("2026-04-03T10:00:00Z", ""), None);
    }
}
