//! The inbox of a service (3.2): what is offered, by when she is to be called; no name in it.

pub mod answer;
pub mod back;
pub mod case;
pub mod moving;

use maud::{Markup, html};
use serde_json::Value;

use super::page::{self, Page};
use super::services::can_meet;
use super::table::{For, Pages};
use super::visit::{Reply, Stop, Visit, list, text};
use super::words::referral::borough;
use super::words::{day, moment, reference, say};
use crate::domain::codes::{Direction, Role};
use crate::domain::time::When;

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

/// Pages of the API that are read for one of ours: 400 people.
const PAGES_MAX: usize = 8;
/// So many are read if nothing before them waits for an answer: what is new stands last.
const PAGES_MOST: usize = 40;
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
    let pages = back::pages(pages);
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

/// What follows a page of the API's list: where it begins, or nothing. A cursor is always there, and a
/// page can be short though more follows, so it is looked at.
///
/// # Errors
/// The API could not be asked.
pub async fn following(
    visit: &Visit,
    path: &str,
    key: &str,
    reply: &Reply,
) -> Result<Option<String>, Stop> {
    let mut after = reply.text("/next").to_owned();
    for _ in 0..PAGES_MAX {
        let further = visit.get(&listing(path, &after)).await?;
        if !further.list(key).is_empty() {
            return Ok(Some(after));
        }
        let next = further.text("/next");
        if next == after || next.is_empty() {
            return Ok(None);
        }
        next.clone_into(&mut after);
    }
    Ok(Some(after))
}

/// A stretch of what is listed for the team, each offer with the cursor of the page on which it is found.
#[derive(Default)]
pub struct Listed {
    pub offers: Vec<(String, Value)>,
    /// When it was looked up.
    date: String,
    /// Where what was not read begins, if anything can follow.
    pub rest: Option<String>,
}

/// Reads the list from a cursor on, until it ends or `is_enough`. A page can hold fewer than it might
/// though more follow, because what is another team's or paused is left out of it; the list has ended
/// when its cursor goes no further.
///
/// # Errors
/// What the API refused.
pub async fn stretch(
    visit: &Visit,
    from: &str,
    is_enough: impl Fn(usize, &Listed) -> bool,
) -> Result<Result<Listed, Reply>, Stop> {
    let mut listed = Listed::default();
    let mut after = from.to_owned();
    for pages in 1.. {
        let reply = visit.get(&listing("/v1/inbox", &after)).await?;
        if !reply.is_ok() {
            return Ok(Err(reply));
        }
        reply.text("/date").clone_into(&mut listed.date);
        let offers = reply.list("/offers").iter().cloned();
        listed
            .offers
            .extend(offers.map(|offer| (after.clone(), offer)));
        let next = reply.text("/next").to_owned();
        if next == after || next.is_empty() {
            listed.rest = None;
            break;
        }
        after.clone_from(&next);
        listed.rest = Some(next);
        if is_enough(pages, &listed) {
            break;
        }
    }
    Ok(Ok(listed))
}

pub fn is_open(offer: &Value) -> bool {
    matches!(text(offer, "status"), "offered" | "waiting")
}

/// Where an offer stands: by when she is to be called, then by how much the Code wants her put first.
/// Among equals she who has waited longer, since an id is random.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place(u64, u8, u8, u64, String);

impl Place {
    fn of(offer: &Value) -> Self {
        let at = |key| When::parse(text(offer, key)).map_or(0, When::place);
        let urgency = match text(offer, "urgency") {
            "high" => 0,
            "standard" => 1,
            _ => 2,
        };
        let first = u8::try_from(list(offer, "priority_category").len()).unwrap_or(u8::MAX);
        let (by, since) = (at("contact_by"), at("offered_at"));
        let id = text(offer, "id").to_owned();
        Self(by, urgency, u8::MAX - first, since, id)
    }

    fn parse(said: &str) -> Option<Self> {
        let mut parts = said.split('-');
        let (by, urgency) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let (first, since) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self(by, urgency, first, since, parts.next()?.to_owned()))
    }

    fn written(&self) -> String {
        let Self(by, urgency, first, since, id) = self;
        format!("{by}-{urgency}-{first}-{since}-{id}")
    }
}

/// The open offers of one page, in order, and the link to those after them. Each is on one page.
struct ToAnswer<'a> {
    cards: Vec<&'a (String, Value)>,
    more: Option<String>,
}

/// Those after `past`. The list is in the order of contact-by: of the last moment that was read, more
/// may follow, so what is of it waits for the next page, on which all of it is put in order.
fn to_answer<'a>(listed: &'a Listed, past: Option<&Place>) -> ToAnswer<'a> {
    let is_left = |offer: &Value, past: Option<&Place>| {
        is_open(offer) && past.is_none_or(|past| Place::of(offer) > *past)
    };
    let offers = listed.offers.iter();
    let mut cards: Vec<_> = offers.filter(|(_, offer)| is_left(offer, past)).collect();
    cards.sort_by_cached_key(|(_, offer)| Place::of(offer));
    if let (Some(_), Some((_, last))) = (&listed.rest, listed.offers.last()) {
        let whole = cards.partition_point(|(_, offer)| Place::of(offer).0 < Place::of(last).0);
        // Unless all of it is of one moment.
        if whole > 0 {
            cards.truncate(whole);
        }
    }
    cards.truncate(CARDS_MAX);
    let past = cards
        .last()
        .map(|(_, offer)| Place::of(offer))
        .or(past.cloned());
    let mut left = listed.offers.iter();
    let left = left.find(|(_, offer)| is_left(offer, past.as_ref()));
    let begins = left.map(|(after, _)| after).or(listed.rest.as_ref());
    let past = past.map(|past| past.written()).unwrap_or_default();
    let more = begins.map(|after| format!("/inbox?after={after}&past={past}"));
    ToAnswer { cards, more }
}

async fn inbox(visit: Visit) -> Result<Page, Stop> {
    let (from, past) = (visit.query().get("after"), visit.query().get("past"));
    let past = Place::parse(past);
    let is_enough = |pages: usize, listed: &Listed| {
        let found = || !to_answer(listed, past.as_ref()).cards.is_empty();
        pages >= PAGES_MOST || (pages >= PAGES_MAX && found())
    };
    let listed = match stretch(&visit, from, is_enough).await? {
        Ok(listed) => listed,
        Err(reply) => return Ok(page::refused(reply)),
    };
    let ToAnswer { cards, more } = to_answer(&listed, past.as_ref());
    let is_first = from.is_empty() && past.is_none();
    let body = html! {
        h1 { "Inbox" }
        h2 { "To answer" }
        @if !cards.is_empty() {
            p.hint { "In the order in which they should be called, the soonest first." }
        } @else if more.is_none() && is_first {
            p { "Nothing waits for an answer. Looked at " (moment(&listed.date)) "." }
        } @else if more.is_none() {
            p { "Nothing more waits for an answer." }
        } @else {
            p { "Nothing so far waits for an answer. There is more: look on." }
        }
        @for (after, offer) in cards { (card(offer, after)) }
        @if let Some(more) = more { p { a.button href=(more) { "More to answer" } } }
        @if is_first { (with_you(&listed)) }
        @else { p { a href="/inbox" { "Back to the first" } } }
    };
    Ok(Page::new("Inbox", body))
}

/// Those who were accepted and are not closed, the latest first.
fn accepted_of(listed: &Listed) -> Vec<&Value> {
    let offers = listed.offers.iter().map(|(_, offer)| offer);
    let mut with_you: Vec<&Value> = offers.filter(|offer| !is_open(offer)).collect();
    with_you.sort_by_key(|offer| std::cmp::Reverse(text(offer, "details_passed_at").to_owned()));
    with_you
}

fn with_you(listed: &Listed) -> Markup {
    let with_you = accepted_of(listed);
    html! {
        h2 { "With you" }
        (table(with_you.iter().take(ROWS_MAX).copied(), listed.rest.is_some()))
        @if with_you.len() > ROWS_MAX || listed.rest.is_some() {
            p { a href="/accepted" { "Everybody who is with you" } }
        }
    }
}

/// Everybody who was accepted and is not closed: the table alone, so that it stays small.
async fn accepted(visit: Visit) -> Result<Page, Stop> {
    let from = visit.query().get("after");
    let listed = match stretch(&visit, from, |pages, _| pages >= PAGES_MAX).await? {
        Ok(listed) => listed,
        Err(reply) => return Ok(page::refused(reply)),
    };
    let body = html! {
        h1 { "With you" }
        (table(accepted_of(&listed).into_iter(), listed.rest.is_some()))
        @if let Some(rest) = &listed.rest {
            p { a.button href=(format!("/accepted?after={rest}")) { "More who are with you" } }
        }
        p { a href="/inbox" { "Back to the inbox" } }
    };
    Ok(Page::new("Inbox", body))
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

/// Whether it was reported to police.
pub fn reported(code: &str) -> String {
    match code {
        "declined" => "No, she did not want that".to_owned(),
        "unknown" => "Not known".to_owned(),
        code => say(code),
    }
}

/// To whom she would like to speak, if she said so.
pub fn worker(code: &str) -> &'static str {
    match code {
        "woman" => "A woman",
        "man" => "A man",
        _ => "",
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
    let worker = worker(said("worker_gender"));
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
            // Most are the victim herself.
            @if !matches!(said("party_role"), "" | "victim") {
                dt { "She is" } dd { (say(said("party_role"))) }
            }
            dt { "Needs" } dd { @if words("needs").is_empty() { "Not said" } @else { (words("needs")) } }
            (can_meet(offer))
            @if !words("priority_category").is_empty() {
                dt { "Priority" } dd { (words("priority_category")) }
            }
            dt { "Lives in" } dd { @if said("area").is_empty() { "Not said" } @else { (borough(said("area"))) } }
            @if !said("reported_to_police").is_empty() {
                dt { "Reported to police" } dd { (reported(said("reported_to_police"))) }
            }
            @if !worker.is_empty() { dt { "Wants to speak to" } dd { (worker) } }
            dt { "Reference" } dd.code { (reference(said("id"))) }
        }
    }
}

fn table<'a>(offers: impl Iterator<Item = &'a Value>, further: bool) -> Markup {
    let mut offers = offers.peekable();
    match offers.peek() {
        None if further => return html! { p { "Nobody in this part of the list: look further." } },
        None => return html! { p { "You are working with nobody yet." } },
        Some(_) => {}
    }
    html! {
        div.table tabindex="0" role="region" aria-label="With you" {
            table {
                caption { "People you have accepted" }
                thead { tr { th scope="col" { "Reference" } th scope="col" { "Offence" }
                    th scope="col" { "Accepted" } } }
                tbody {
                    @for offer in offers {
                        @let id = text(offer, "id");
                        tr {
                            // Beside the reference: on a telephone the columns after it are out of sight.
                            th scope="row" {
                                a href=(format!("/inbox/{id}")) { (reference(id)) }
                                @if !list(offer, "updates").is_empty() { " " span.tag.soon { "News" } }
                            }
                            td { (say(text(offer, "offence_group"))) }
                            td { (day(text(offer, "details_passed_at"))) }
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
        offers.sort_by_key(|offer| Place::of(offer));
        assert_eq!(offers, [&early, &first, &late]);
    }

    #[test]
    fn of_two_who_are_equal_she_who_has_waited_longer_stands_first() {
        let offer = |id: &str, offered_at: &str, priority: &[&str]| {
            json!({
                "id": id, "offered_at": offered_at, "contact_by": "2026-04-03T10:00:00Z",
                "urgency": "standard", "priority_category": priority,
            })
        };
        let older = offer("Z", "2026-04-01T10:00:00Z", &[]);
        let newer = offer("A", "2026-04-01T10:00:01Z", &[]);
        let same = offer("B", "2026-04-01T10:00:01Z", &[]);
        let first = offer("Y", "2026-04-01T10:00:02Z", &["vulnerable"]);
        let mut offers = [&same, &newer, &older, &first];
        offers.sort_by_key(|offer| Place::of(offer));
        assert_eq!(offers, [&first, &older, &newer, &same]);
        // The link to the next page says the same place.
        let place = Place::of(&older);
        assert!(Place::parse(&place.written()) == Some(place));
    }

    /// Offers in the order of the API's list, one of `each` still open, many to be called by one moment.
    fn many(count: usize, each: usize) -> Vec<(String, Value)> {
        let offer = |number: usize| {
            let by = When::from_millis(number as i64 / 90 * 60_000);
            let first: &[&str] = if number.is_multiple_of(5) {
                &["vulnerable"]
            } else {
                &[]
            };
            json!({
                "id": format!("{number:026}"), "contact_by": by.rfc3339(), "urgency": "standard",
                "offered_at": When::from_millis((number * 7 % 90) as i64 * 1_000).rfc3339(),
                "priority_category": first,
                "status": if number.is_multiple_of(each) { "offered" } else { "accepted" },
            })
        };
        (0..count)
            .map(|number| (format!("C{}", number / 50 * 50), offer(number)))
            .collect()
    }

    /// As `stretch` reads: from the cursor, in whole pages.
    fn read(all: &[(String, Value)], from: &str, past: Option<&Place>) -> Listed {
        let begins: usize = from.strip_prefix('C').map_or(0, |at| at.parse().unwrap());
        let mut listed = Listed::default();
        for pages in 1.. {
            let end = (begins + pages * 50).min(all.len());
            listed.offers = all[begins..end].to_vec();
            listed.rest = (end < all.len()).then(|| format!("C{end}"));
            let found = !to_answer(&listed, past).cards.is_empty();
            if listed.rest.is_none() || pages >= PAGES_MOST || (pages >= PAGES_MAX && found) {
                break;
            }
        }
        listed
    }

    #[test]
    fn page_after_page_shows_each_open_offer_once_and_in_order() {
        let counts = [0, 1, 40, 41, 450, 900];
        for (count, each) in counts
            .into_iter()
            .flat_map(|count| [(count, 1), (count, 12)])
        {
            let all = many(count, each);
            let mut wanted: Vec<&Value> = all.iter().map(|(_, offer)| offer).collect();
            wanted.retain(|offer| is_open(offer));
            wanted.sort_by_cached_key(|offer| Place::of(offer));
            let (mut from, mut past, mut seen) = (String::new(), None, Vec::new());
            loop {
                let listed = read(&all, &from, past.as_ref());
                let page = to_answer(&listed, past.as_ref());
                assert!(page.cards.len() <= CARDS_MAX);
                seen.extend(page.cards.iter().map(|(_, offer)| offer.clone()));
                let Some(more) = page.more else { break };
                let more = more.strip_prefix("/inbox?after=").unwrap();
                let (after, place) = more.split_once("&past=").unwrap();
                assert!(!page.cards.is_empty(), "{count}: it goes on");
                (from, past) = (after.to_owned(), Place::parse(place));
            }
            assert!(seen.iter().eq(wanted), "{count}");
        }
    }

    #[test]
    fn behind_four_hundred_who_are_accepted_a_new_offer_is_found() {
        let mut all = many(900, 1);
        for (_, offer) in &mut all[..890] {
            offer["status"] = json!("accepted");
        }
        let listed = read(&all, "", None);
        let wanted = all[890..]
            .iter()
            .filter(|(_, offer)| is_open(offer))
            .count();
        assert_eq!(to_answer(&listed, None).cards.len(), wanted);
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
