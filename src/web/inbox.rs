//! The inbox of a service (3.2): what is offered, by when she is to be called; no name in it.

pub mod answer;
pub mod case;
pub mod moving;

use maud::{Markup, html};
use serde_json::Value;

use super::page::{self, Page};
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, list, text};
use super::words::referral::borough;
use super::words::{day, moment, reference, say};
use crate::domain::codes::{Direction, Role};

/// Roles that a service answers offers in.
pub const RECEIVES: &[Role] = &[
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
    Role::LegalAdviser,
];

/// Entries of one page of the API.
const PAGE: usize = 50;
/// Pages of the API that are read for one of ours: 400 people.
const PAGES_MAX: usize = 8;
/// What one page shows, so that it stays below 100 kB on a slow line.
const CARDS_MAX: usize = 40;
const ROWS_MAX: usize = 60;

pub fn pages(pages: Pages) -> Pages {
    let pages = pages.get("/inbox", For::Roles(RECEIVES), inbox).get(
        "/accepted",
        For::Roles(RECEIVES),
        accepted,
    );
    let pages = answer::pages(pages);
    let pages = case::pages(pages);
    moving::pages(pages)
}

/// A page of the API's list. A cursor is letters and digits, and tells nothing.
pub fn listing(path: &str, after: &str) -> String {
    let is_cursor = !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_cursor {
        format!("{path}?after={after}")
    } else {
        path.to_owned()
    }
}

/// The link to the next page of a list, if it can have one.
pub fn next(path: &str, reply: &Reply, shown: usize) -> Markup {
    html! {
        @if shown >= PAGE {
            p { a href=(format!("{path}?after={}", reply.text("/next"))) { "Show more" } }
        }
    }
}

/// Everything that is listed for the team, each with the cursor of the page on which it is found.
pub struct Listed {
    pub offers: Vec<(String, Value)>,
    /// When it was looked up.
    date: String,
    /// There may be more than is read for one page.
    is_cut: bool,
}

/// Reads the list to its end. A page can hold fewer than it might though more follow, because what is
/// another team's or paused is left out of it; it has ended when its cursor goes no further.
///
/// # Errors
/// What the API refused.
pub async fn whole_list(visit: &Visit) -> Result<Result<Listed, Reply>, Stop> {
    let mut listed = Listed {
        offers: Vec::new(),
        date: String::new(),
        is_cut: true,
    };
    let mut after = String::new();
    for _ in 0..PAGES_MAX {
        let reply = visit.get(&listing("/v1/inbox", &after)).await?;
        if !reply.is_ok() {
            return Ok(Err(reply));
        }
        reply.text("/date").clone_into(&mut listed.date);
        let offers = reply.list("/offers").iter().cloned();
        listed
            .offers
            .extend(offers.map(|offer| (after.clone(), offer)));
        let next = reply.text("/next");
        if next == after || next.is_empty() {
            listed.is_cut = false;
            break;
        }
        next.clone_into(&mut after);
    }
    Ok(Ok(listed))
}

pub fn is_open(offer: &Value) -> bool {
    matches!(text(offer, "status"), "offered" | "waiting")
}

async fn inbox(visit: Visit) -> Result<Page, Stop> {
    let listed = match whole_list(&visit).await? {
        Ok(listed) => listed,
        Err(reply) => return Ok(page::refused(reply)),
    };
    let (mut open, mut with_you): (Vec<&(String, Value)>, Vec<_>) =
        listed.offers.iter().partition(|(_, offer)| is_open(offer));
    open.sort_by_key(|(_, offer)| order(offer));
    with_you
        .sort_by_key(|(_, offer)| std::cmp::Reverse(text(offer, "details_passed_at").to_owned()));
    let body = html! {
        h1 { "Inbox" }
        h2 { "To answer" }
        @if listed.is_cut {
            div.wait {
                p { b { "There is more than this page can show. Close what is done, and look again: new \
                         offers may stand behind it." } }
            }
        }
        @if open.is_empty() && listed.is_cut {
            p { "Nothing that this page can show waits for an answer." }
        } @else if open.is_empty() {
            p { "Nothing waits for an answer. Looked at " (moment(&listed.date)) "." }
        } @else {
            p.hint { "In the order in which they should be called, the soonest first." }
        }
        @for (after, offer) in open.iter().take(CARDS_MAX) { (card(offer, after)) }
        @if open.len() > CARDS_MAX {
            div.wait { p { b { (open.len() - CARDS_MAX) " more wait. Answer these first." } } }
        }
        h2 { "With you" }
        @if with_you.is_empty() { p { "You have accepted nobody who is not closed again." } }
        @else { (table(with_you.iter().take(ROWS_MAX).map(|(_, offer)| offer))) }
        @if with_you.len() > ROWS_MAX { p { a href="/accepted" { "All " (with_you.len()) " people with you" } } }
    };
    Ok(Page::new("Inbox", body))
}

/// Everybody who was accepted and is not closed: the table alone, so that it stays small.
async fn accepted(visit: Visit) -> Result<Page, Stop> {
    let listed = match whole_list(&visit).await? {
        Ok(listed) => listed,
        Err(reply) => return Ok(page::refused(reply)),
    };
    let mut with_you: Vec<&Value> = listed
        .offers
        .iter()
        .map(|(_, offer)| offer)
        .filter(|offer| !is_open(offer))
        .collect();
    with_you.sort_by_key(|offer| std::cmp::Reverse(text(offer, "details_passed_at").to_owned()));
    let body = html! {
        h1 { "With you" }
        (table(with_you.into_iter()))
        p { a href="/inbox" { "Back to the inbox" } }
    };
    Ok(Page::new("Inbox", body))
}

/// By when she is to be called, then by how much the Code wants her put first; never by arrival.
fn order(offer: &Value) -> (String, u8, std::cmp::Reverse<usize>) {
    let urgency = match text(offer, "urgency") {
        "high" => 0,
        "standard" => 1,
        _ => 2,
    };
    let by = text(offer, "contact_by").to_owned();
    let first = list(offer, "priority_category").len();
    (by, urgency, std::cmp::Reverse(first))
}

fn card(offer: &Value, after: &str) -> Markup {
    let id = text(offer, "id");
    let link = listing(&format!("/inbox/{id}/answer"), after);
    html! {
        article.card {
            h3 { (say(text(offer, "offence_group"))) " " (tags(offer)) }
            (withdrew(offer))
            (rows(offer))
            @if text(offer, "direction") == Direction::Transfer.code() {
                p.hint { "She moves to your area. You are asked about links before you accept." }
            }
            div.buttons {
                a.button href=(link) { "Accept" span.away { " " (reference(id)) } }
                a.button.second href=(format!("{link}#no")) { "Not for us" span.away { " " (reference(id)) } }
                @if text(offer, "status") == "offered" {
                    a.button.second href=(format!("{link}#wait")) {
                        "Put on waiting list" span.away { " " (reference(id)) }
                    }
                }
            }
        }
    }
}

/// What must be seen first.
pub fn tags(offer: &Value) -> Markup {
    let risk = text(offer, "risk_grade");
    html! {
        @if text(offer, "urgency") == "high" { span.tag.high { "Urgent" } " " }
        @if risk == "high" { span.tag.high { "High risk" } " " }
        @else if risk == "medium" { span.tag.soon { "Medium risk" } " " }
        @else if risk == "standard" { span.tag { "Standard risk" } " " }
        @if text(offer, "status") == "waiting" { span.tag.fine { "On your waiting list" } }
    }
}

/// She said no since, and may have said yes again: the worker asks her first.
pub fn withdrew(offer: &Value) -> Markup {
    let on = text(offer, "she_withdrew_on");
    html! {
        @if !on.is_empty() {
            div.wait {
                p { b { "She withdrew on " (day(on)) ". Ask her safely, before anything else, whether she wants this." } }
            }
        }
    }
}

/// What a service knows before it accepts: nothing that names her.
pub fn rows(offer: &Value) -> Markup {
    let said = |key: &str| text(offer, key);
    let words = |key: &str| -> String {
        let codes = list(offer, key).iter().filter_map(Value::as_str);
        codes.map(say).collect::<Vec<_>>().join(", ")
    };
    let answer = offer.get("answer").unwrap_or(&Value::Null);
    let worker = match said("worker_gender") {
        "woman" => "A woman",
        "man" => "A man",
        _ => "",
    };
    html! {
        dl.rows {
            dt { "Call her by" } dd { b { (moment(said("contact_by"))) } }
            @if !text(answer, "by").is_empty() {
                dt { "Answer by" }
                dd {
                    (moment(text(answer, "by")))
                    @match text(answer, "state") {
                        "late" => { " " span.tag.high { "Late: it may go to another service" } },
                        "amber" => { " " span.tag.soon { "Soon" } },
                        _ => {},
                    }
                }
            }
            dt { "Needs" } dd { @if words("needs").is_empty() { "Not said" } @else { (words("needs")) } }
            @if !words("priority_category").is_empty() {
                dt { "Priority" } dd { (words("priority_category")) }
            }
            dt { "Lives in" } dd { @if said("area").is_empty() { "Not said" } @else { (borough(said("area"))) } }
            @if !worker.is_empty() { dt { "Wants to speak to" } dd { (worker) } }
            dt { "Reference" } dd.code { (reference(said("id"))) }
        }
    }
}

fn table<'a>(offers: impl Iterator<Item = &'a Value>) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="With you" {
            table {
                caption { "People you have accepted" }
                thead { tr { th scope="col" { "Reference" } th scope="col" { "Offence" }
                    th scope="col" { "Accepted" } th scope="col" { "News" } } }
                tbody {
                    @for offer in offers {
                        @let id = text(offer, "id");
                        tr {
                            th scope="row" { a href=(format!("/inbox/{id}")) { (reference(id)) } }
                            td { (say(text(offer, "offence_group"))) }
                            td { (day(text(offer, "details_passed_at"))) }
                            td { @if !list(offer, "updates").is_empty() { span.tag.soon { "News" } } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn she_who_is_to_be_called_first_stands_first() {
        let early = json!({ "contact_by": "2026-04-02T10:00:00Z", "urgency": "low" });
        let late = json!({ "contact_by": "2026-04-03T10:00:00Z", "urgency": "high" });
        let first = json!({
            "contact_by": "2026-04-03T10:00:00Z", "urgency": "high",
            "priority_category": ["vulnerable"],
        });
        let mut offers = [&late, &first, &early];
        offers.sort_by_key(|offer| order(offer));
        assert_eq!(offers, [&early, &first, &late]);
    }

    #[test]
    fn a_card_warns_of_a_withdrawal_and_holds_odd_values_inert() {
        let offer = json!({
            "id": "<script>", "offence_group": "<script>alert(1)</script>", "status": "offered",
            "area": "<img src=x>", "she_withdrew_on": "2026-04-02T10:00:00Z",
        });
        let shown = card(&offer, "").0;
        assert!(shown.contains("She withdrew on 2 April 2026"), "{shown}");
        assert!(
            !shown.contains("<script>") && !shown.contains("<img"),
            "{shown}"
        );
    }

    #[test]
    fn only_a_cursor_is_asked_for() {
        assert_eq!(listing("/v1/inbox", "AB12"), "/v1/inbox?after=AB12");
        assert_eq!(listing("/v1/inbox", "a&b=c"), "/v1/inbox");
        assert_eq!(listing("/v1/inbox", ""), "/v1/inbox");
    }
}
