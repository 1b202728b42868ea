//! A small charity's day on its pages: an officer refers, a volunteer accepts, declines, puts on the
//! list and closes; without script.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::ops::demo::borough::SERVICE;
use firedoor::ops::demo::people::{NEUTRAL_NOTE, NOTE, TEST_PEOPLE, her, referral};
use serde_json::{Value, json};

use crate::pages::{Seen, Visitor};
use crate::people;
use crate::town::{Town, ago};

/// What an officer fills in.
pub fn filled() -> Vec<(&'static str, &'static str)> {
    vec![
        ("do", "send"),
        ("offence_group", "domestic_abuse"),
        ("reported_to_police", "yes"),
        ("area", "E09000022"),
        ("risk_summary.instrument", "safelives_dash_24"),
        ("risk_summary.grade", "high"),
        ("risk_summary.assessed_at-day", "1"),
        ("risk_summary.assessed_at-month", "4"),
        ("risk_summary.assessed_at-year", "2026"),
        ("needs", "housing_safe"),
        ("needs", "legal_advice_other"),
        ("urgency", "high"),
        ("consent.decision", "permit"),
        ("consent.how", "spoken"),
        ("consent.other_party_present", "no"),
        ("consent.interpreter", "professional"),
        ("consent.language", "ur"),
        ("service", SERVICE),
        ("identity.given_name", "Amina"),
        ("identity.family_name", "Karim"),
        ("identity.birth_date-day", "14"),
        ("identity.birth_date-month", "3"),
        ("identity.birth_date-year", "1991"),
        ("identity.nhs_number", "999 000 0018"),
        ("safe_contact.modes", "phone"),
        ("safe_contact.number", "07700 900123"),
        ("safe_contact.who_may_answer", "only she herself"),
        ("safe_contact.code_word", "library card"),
        ("safe_contact.language_need", "ur"),
    ]
}

pub fn with<'a>(
    mut fields: Vec<(&'a str, &'a str)>,
    changed: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    fields.retain(|(name, _)| changed.iter().all(|(given, _)| given != name));
    fields.extend(changed);
    fields
}

/// The id in a path of the page: what stands between `before` and `after`.
pub fn id_in(seen: &Seen, before: &str, after: &str) -> String {
    let links = seen.links();
    let found = links.iter().find_map(|(path, _)| {
        let path = path.split(['?', '#']).next()?;
        let id = path.strip_prefix(before)?.strip_suffix(after)?;
        (id.len() == 26).then(|| id.to_owned())
    });
    found.unwrap_or_else(|| panic!("no {before}..{after} in {links:?}"))
}

async fn offer(town: &Town, sent: &Value) -> Value {
    let said = town.desk("met").await.post("/v1/referrals", sent).await;
    assert_eq!(said.status, 201, "{}", said.whole());
    said.body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_rewords_a_note_and_a_volunteer_accepts_and_reads_it() {
    let town = Town::start().await;
    let mut officer = Visitor::sign_in(&town, "met-browser").await;
    let form = officer.get("/new").await;
    assert!(
        form.text
            .contains("Do not record immigration status. It is never needed and never shared."),
        "{}",
        form.text
    );

    // First the words are looked at: nothing is sent, and nothing typed is lost.
    let before = town.leaves();
    let checked = officer
        .post("/new", &with(filled(), &[("do", "check"), ("note", NOTE)]))
        .await;
    assert_eq!(checked.status, 422, "{}", checked.text);
    assert!(
        checked.html.contains("<mark>visa expired</mark>"),
        "{}",
        checked.html
    );
    assert!(checked.text.contains("Nothing has been sent yet"));
    assert!(checked.html.contains("value=\"library card\""));
    assert_eq!(town.leaves(), before + 1);

    // Sent all the same, the referral goes on without it.
    let sent = officer
        .post("/new", &with(filled(), &[("note", NOTE)]))
        .await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    assert!(
        sent.heading().starts_with("Offered: R-"),
        "{}",
        sent.heading()
    );
    assert!(sent.html.contains("<mark>visa expired</mark>"));
    for words in ["Pass on by", "the end of", "Hand over now", "0808 2000 247"] {
        assert!(sent.text.contains(words), "{words}: {}", sent.text);
    }
    let id = id_in(&sent, "/sent/", "");
    let path = format!("/new/{id}/note");
    let held = officer.post(&path, &[("note", NOTE)]).await;
    assert_eq!(held.status, 422);
    assert!(held.html.contains("<mark>visa expired</mark>"));
    // The same form once more does not say that a held note went.
    let mark = sent.hidden(&path);
    let mark = &mark.iter().find(|(name, _)| name == "form").unwrap().1;
    let again = officer
        .clone()
        .post_with(mark, &path, &[("note", NOTE)])
        .await;
    assert_eq!(again.heading(), "This was sent already", "{}", again.text);
    let taken = officer.post(&path, &[("note", NEUTRAL_NOTE)]).await;
    assert_eq!(taken.heading(), "The note is on its way", "{}", taken.text);

    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let inbox = adviser.get("/inbox").await;
    assert_eq!(inbox.title(), "Inbox - Messages");
    for words in [
        "Domestic abuse",
        "High risk",
        "Urgent",
        "Lambeth",
        "A safe place to live",
    ] {
        assert!(inbox.text.contains(words), "{words}: {}", inbox.text);
    }
    for hers in ["Amina", "Karim", "900123", "library", "Urdu", "visa"] {
        assert!(!inbox.text.contains(hers), "{hers}: {}", inbox.text);
    }
    let offered = id_in(&inbox, "/inbox/", "/answer");
    let answer = adviser.get(&format!("/inbox/{offered}/answer")).await;
    assert!(!answer.text.contains("Amina"));
    assert!(
        answer.html.contains("value=\"v-adeola\""),
        "the worker is herself"
    );

    // Not without the onward rule.
    let accept = format!("/inbox/{offered}/accept");
    let refused = adviser.post(&accept, &[("worker", "v-adeola")]).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("Tick that you accept this"));
    assert!(!refused.text.contains("Amina"));
    let yes = [("worker", "v-adeola"), ("onward_rule_accepted", "yes")];
    let case = adviser.post(&accept, &yes).await;
    assert_eq!(
        (case.status, case.heading().as_str()),
        (200, "Amina Karim"),
        "{}",
        case.text
    );
    assert_eq!(case.title(), "Inbox - Messages");
    for words in [
        "14 March 1991",
        "Reported to police Yes",
        "07700 900123",
        "only she herself",
        "library card",
        "Never leave a message",
        "Never send a text",
        "Urdu",
        NEUTRAL_NOTE,
        "You may not pass this on for immigration purposes",
    ] {
        assert!(case.text.contains(words), "{words}: {}", case.text);
    }
    let again = adviser.get(&format!("/inbox/{offered}")).await;
    assert_eq!(again.heading(), "Amina Karim");

    // The officer sees three words, and nothing of whom.
    officer.get("/sent").await;
    let status = officer.get(&format!("/sent/{id}")).await;
    assert!(status.text.contains("With a service"), "{}", status.text);
    for hers in ["Larkfield", "Service 14", "v-adeola", "Amina"] {
        assert!(!status.text.contains(hers), "{hers}: {}", status.text);
    }

    // One click for the charity's own system.
    let file = adviser.get(&format!("/inbox/{offered}/file")).await;
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"case.json\""
    );
    let case: Value = serde_json::from_str(&file.html).unwrap();
    assert_eq!(case["family_name"], "Karim");
    assert_eq!(case["safe_contact"]["code_word"], "library card");
    assert_eq!(case["needs"][0], "A safe place to live");

    adviser.get(&format!("/inbox/{offered}/close")).await;
    let closed = adviser
        .post(
            &format!("/inbox/{offered}/close"),
            &[("outcomes", "take_up"), ("outcomes", "safety")],
        )
        .await;
    assert!(closed.heading().starts_with("Closed"), "{}", closed.text);
    let gone = adviser.get(&format!("/inbox/{offered}")).await;
    assert!(
        gone.text.contains("There is nothing we can show you"),
        "{}",
        gone.text
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_is_declined_with_a_reason_or_waits_and_is_accepted_by_one_of_two() {
    let town = Town::start().await;
    offer(&town, &referral(SERVICE, &her(), ago(2), None)).await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let inbox = adviser.get("/inbox").await;
    let id = id_in(&inbox, "/inbox/", "/answer");
    let answer = format!("/inbox/{id}/answer");
    adviser.get(&answer).await;

    let wait = format!("/inbox/{id}/wait");
    let waits = adviser.post(&wait, &[]).await;
    assert_eq!(
        waits.heading(),
        "She is on your waiting list",
        "{}",
        waits.text
    );
    assert!(
        adviser
            .get("/inbox")
            .await
            .text
            .contains("On your waiting list")
    );

    // Two of one team press the button in the same moment: one has her.
    let mut one = adviser.clone();
    let mut two = adviser.clone();
    one.get(&answer).await;
    two.get(&answer).await;
    let accept = format!("/inbox/{id}/accept");
    let yes = [("worker", "v-adeola"), ("onward_rule_accepted", "yes")];
    let (first, second) = tokio::join!(one.post(&accept, &yes), two.post(&accept, &yes));
    let mut told = [&first, &second];
    told.sort_by_key(|seen| seen.status);
    assert_eq!((told[0].status, told[1].status), (200, 409));
    assert_eq!(told[0].heading(), "Amina Karim");
    assert!(
        told[1].text.contains("already been answered"),
        "{}",
        told[1].text
    );
    assert!(!told[1].text.contains("Amina"));
    // The very form that was answered, sent once more, tells nothing anew.
    let (winner, mut visitor) = if first.status == 200 {
        (first, one)
    } else {
        (second, two)
    };
    assert_eq!(winner.status, 200);
    visitor.get(&answer).await;
    let late = visitor
        .post(&format!("/inbox/{id}/decline"), &[("reason", "full")])
        .await;
    assert_eq!(late.status, 409, "{}", late.text);

    // Another one is not for them: with a reason only.
    offer(
        &town,
        &referral(SERVICE, &TEST_PEOPLE[1].identity(), ago(2), None),
    )
    .await;
    let inbox = adviser.get("/inbox").await;
    let id = id_in(&inbox, "/inbox/", "/answer");
    adviser.get(&format!("/inbox/{id}/answer")).await;
    let decline = format!("/inbox/{id}/decline");
    let refused = adviser.post(&decline, &[]).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.text.contains("Choose the reason"),
        "{}",
        refused.text
    );
    let declined = adviser.post(&decline, &[("reason", "full")]).await;
    assert_eq!(
        declined.heading(),
        "You have said that it is not for you",
        "{}",
        declined.text
    );
    let inbox = adviser.get("/inbox").await;
    assert!(
        inbox.text.contains("Nothing waits for an answer"),
        "{}",
        inbox.text
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_comes_back_with_everything_that_is_wrong_beside_its_field() {
    let town = Town::start().await;
    let mut officer = Visitor::sign_in(&town, "met-browser").await;
    officer.get("/new").await;
    let empty = officer.post("/new", &[("do", "send")]).await;
    assert_eq!(empty.status, 422);
    for says in [
        "Choose the kind of offence",
        "Say whether she agrees",
        "Choose a service",
        "Give at least one name",
    ] {
        // Above the form with a link, and at the field.
        assert_eq!(
            empty.text.matches(says).count(),
            2,
            "{says}: {}",
            empty.text
        );
    }
    let wrong = [
        ("identity.nhs_number", "9990000019"),
        ("identity.birth_date-month", "13"),
        ("safe_contact.number", "12"),
        ("area_other", "Lambeth"),
        ("consent.interpreter", "family"),
    ];
    let fields = with(filled(), &wrong);
    let first = officer.post("/new", &fields).await;
    assert_eq!(first.status, 422);
    assert!(first.html.contains("id=\"area-error\""), "{}", first.text);
    assert!(
        first.html.contains("id=\"consent-interpreter-error\""),
        "{}",
        first.text
    );
    let fields = with(filled(), &wrong[..2]);
    let second = officer.post("/new", &fields).await;
    assert_eq!(second.status, 422);
    for at in ["identity-nhs_number-error", "identity-birth_date-error"] {
        assert!(
            second.html.contains(&format!("id=\"{at}\"")),
            "{at}: {}",
            second.text
        );
    }
    let unsafe_way = officer.post("/new", &with(filled(), &wrong[2..3])).await;
    assert!(
        unsafe_way.html.contains("id=\"safe_contact-number-error\""),
        "{}",
        unsafe_way.text
    );
    for seen in [&first, &second, &unsafe_way] {
        // No word that only programs understand.
        for word in ["GET /v1", "RFC", "legal_basis", "code we know"] {
            assert!(!seen.text.contains(word), "{word}: {}", seen.text);
        }
    }
    // Words about immigration in the answers on safe contact send the whole form back, marked.
    let words = [(
        "safe_contact.who_may_answer",
        "her sister, whose visa expired",
    )];
    let held = officer.post("/new", &with(filled(), &words)).await;
    assert_eq!(held.status, 422, "{}", held.text);
    assert!(held.html.contains("<mark>"), "{}", held.text);
    assert!(
        held.html
            .contains("id=\"safe_contact-who_may_answer-error\""),
        "{}",
        held.html
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn her_no_is_recorded_and_nothing_is_offered() {
    let town = Town::start().await;
    let mut officer = Visitor::sign_in(&town, "met-browser").await;
    officer.get("/new").await;
    let no = [("consent.decision", "deny"), ("service", "")];
    let seen = officer.post("/new", &with(filled(), &no)).await;
    assert_eq!(
        seen.heading(),
        "Recorded: she does not want this",
        "{}",
        seen.text
    );
    assert!(seen.text.contains("self-referral card"));
    let inbox = Visitor::sign_in(&town, "larkfield-browser")
        .await
        .get("/inbox")
        .await;
    assert!(
        inbox.text.contains("Nothing waits for an answer"),
        "{}",
        inbox.text
    );
    assert!(officer.get("/sent").await.text.contains("Nothing was sent"));
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_is_sent_twice_refers_her_once() {
    let town = Town::start().await;
    let mut officer = Visitor::sign_in(&town, "met-browser").await;
    let mark = officer.get("/new").await.hidden("/new");
    let mark = &mark.iter().find(|(name, _)| name == "form").unwrap().1;
    let first = officer.post_with(mark, "/new", &filled()).await;
    assert!(first.heading().starts_with("Offered"), "{}", first.text);
    let second = officer.post_with(mark, "/new", &filled()).await;
    assert_eq!(second.heading(), "This was sent already", "{}", second.text);
    let sent = officer.get("/sent").await;
    assert_eq!(sent.html.matches("scope=\"row\"").count(), 1);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_anywhere_is_shown_and_never_run() {
    const SCRIPT: &str = "<script>alert(1)</script>";
    let town = Town::start().await;
    let mut officer = Visitor::sign_in(&town, "met-browser").await;
    officer.get("/new").await;
    let mut names: Vec<&str> = filled().iter().map(|(name, _)| *name).collect();
    names.extend([
        "note",
        "identity.other_names",
        "other_party.family_name",
        "child_of.given_name",
    ]);
    names.retain(|name| *name != "do");
    for name in names {
        let seen = officer
            .post("/new", &with(filled(), &[(name, SCRIPT)]))
            .await;
        assert!(!seen.html.contains(SCRIPT), "{name}");
    }
    // What the API takes reaches the case page, and the file, as words.
    let mut sent = referral(
        SERVICE,
        &TEST_PEOPLE[2].identity(),
        ago(2),
        Some("<b>bold</b> <img src=x>"),
    );
    for field in ["hours", "who_may_answer", "code_word"] {
        sent["safe_contact"][field] = json!("<i>x</i>\"'>");
    }
    offer(&town, &sent).await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let inbox = adviser.get("/inbox").await;
    for (path, _) in inbox.links() {
        let Some(id) = path
            .strip_prefix("/inbox/")
            .and_then(|rest| rest.strip_suffix("/answer"))
        else {
            continue;
        };
        adviser.get(&path).await;
        let yes = [("worker", "v-adeola"), ("onward_rule_accepted", "yes")];
        let case = adviser.post(&format!("/inbox/{id}/accept"), &yes).await;
        for tag in ["<b>bold", "<img", "<i>x", "<script>alert"] {
            assert!(!case.html.contains(tag), "{tag}: {}", case.html);
        }
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_goes_both_ways_by_code() {
    let town = Town::start().await;
    let sent = offer(&town, &referral(SERVICE, &her(), ago(2), None)).await;
    let sent = sent["id"].as_str().unwrap();
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let id = id_in(&adviser.get("/inbox").await, "/inbox/", "/answer");
    adviser.get(&format!("/inbox/{id}/answer")).await;
    let yes = [("worker", "v-adeola"), ("onward_rule_accepted", "yes")];
    adviser.post(&format!("/inbox/{id}/accept"), &yes).await;

    let mut officer = Visitor::sign_in(&town, "met-browser").await;
    let path = format!("/sent/{sent}/update");
    officer.get(&path).await;
    let none = officer.post(&path, &[]).await;
    assert_eq!(none.status, 422);
    assert!(none.text.contains("Choose what has changed"));
    let half = officer
        .post(&path, &[("code", "safe_contact_changed")])
        .await;
    assert_eq!(half.status, 422, "{}", half.text);
    let new = [
        ("code", "safe_contact_changed"),
        ("safe_contact.modes", "phone"),
        ("safe_contact.number", "07700 900999"),
        ("safe_contact.who_may_answer", "her sister may"),
    ];
    let told = officer.post(&path, &new).await;
    assert!(told.heading().starts_with("Taken"), "{}", told.text);
    let case = adviser.get(&format!("/inbox/{id}")).await;
    assert!(case.text.contains("07700 900999"), "{}", case.text);
    assert!(!case.text.contains("07700 900123"), "{}", case.text);
    assert!(
        case.text
            .contains("How it is safe to reach her has changed")
    );
    assert!(adviser.get("/inbox").await.text.contains("News"));

    // Police hear back only if she agrees, or a life is at risk.
    let path = format!("/inbox/{id}/update");
    adviser.get(&path).await;
    let call = ("code", "call_us_about_her_safety");
    let refused = adviser.post(&path, &[call]).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let told = adviser.post(&path, &[call, ("life_at_risk", "yes")]).await;
    assert!(told.heading().starts_with("Taken"), "{}", told.text);
    let status = officer.get(&format!("/sent/{sent}")).await;
    assert!(
        status.text.contains("Call us about her safety"),
        "{}",
        status.text
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn she_moves_and_nobody_asks_where() {
    let town = Town::start().await;
    offer(&town, &referral(SERVICE, &her(), ago(2), None)).await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let id = id_in(&adviser.get("/inbox").await, "/inbox/", "/answer");
    adviser.get(&format!("/inbox/{id}/answer")).await;
    let yes = [("worker", "v-adeola"), ("onward_rule_accepted", "yes")];
    adviser.post(&format!("/inbox/{id}/accept"), &yes).await;
    let path = format!("/inbox/{id}/move");
    let form = adviser.get(&path).await;
    // Who she is goes along and stays on no screen; what was not released is asked.
    for hers in [
        "Karim",
        "Amina",
        "identity.given_name",
        "identity.nhs_number",
    ] {
        assert!(!form.html.contains(hers), "{hers}: {}", form.text);
    }
    assert!(form.html.contains("identity.other_names"), "{}", form.text);
    assert!(!form.html.contains("address_line") && !form.html.contains("postcode"));
    let empty = adviser.post(&path, &[]).await;
    assert_eq!(empty.status, 422);
    let fields = [
        ("area", "E09000022"),
        ("service_family", "community_based_and_recovery"),
        ("mode", "hand_over"),
        ("consent.decision", "permit"),
        ("consent.how", "spoken"),
        ("consent.other_party_present", "no"),
        ("safe_contact.modes", "phone"),
        ("safe_contact.number", "07700 900777"),
        ("identity.given_name", "Somebody else"),
    ];
    let asked = adviser.post(&path, &fields).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    assert!(
        asked
            .heading()
            .starts_with("A service there is being asked"),
        "{}",
        asked.text
    );
    let case = adviser.get(&format!("/inbox/{id}")).await;
    assert!(
        case.text.contains("No service there has accepted her yet"),
        "{}",
        case.text
    );
    town.stop().await;
}

/// The offers on a page of the inbox.
fn offered(seen: &Seen) -> Vec<String> {
    let links = seen.links().into_iter();
    let accepts = links.filter(|(_, says)| says.starts_with("Accept"));
    accepts
        .map(|(path, _)| path.split('?').next().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_inbox_stays_small_and_is_ordered_by_need() {
    let town = Town::start().await;
    let met = town.desk("met").await;
    let mut sent = 0;
    for number in 0..64 {
        let said = met
            .post("/v1/referrals", &people::referral(number, SERVICE))
            .await;
        // Where the offence wants more than the invented line says, it is refused.
        assert!(matches!(said.status, 201 | 422), "{}", said.whole());
        sent += usize::from(said.status == 201);
    }
    assert!(sent > 50, "{sent}");
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let inbox = adviser.get("/inbox").await;
    // More than one page of the API's list: none of it is lost.
    assert_eq!(inbox.html.matches("<article").count(), 40);
    assert!(inbox.length < 100_000, "{}", inbox.length);
    let mut shown: Vec<String> = offered(&inbox);
    let mut page = inbox.links();
    while let Some((more, _)) = page.iter().find(|(_, says)| says == "More to answer") {
        let next = adviser.get(more).await;
        shown.extend(offered(&next));
        page = next.links();
    }
    assert_eq!(shown.len(), sent);
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), sent);
    // What was sent comes in pages too; the last says that it is the last.
    let mut officer = Visitor::sign_in(&town, "met-browser").await;
    let first = officer.get("/sent").await;
    assert_eq!(first.html.matches("scope=\"row\"").count(), 50);
    let more = first.links().into_iter().find(|(_, says)| says == "More");
    let second = officer.get(&more.unwrap().0).await;
    assert_eq!(second.html.matches("scope=\"row\"").count(), sent - 50);
    let more = |(path, _): &(String, String)| path.starts_with("/sent?after=");
    assert!(!second.links().iter().any(more), "{}", second.text);
    // An offer of a later page of the list is found, with its cursor and without.
    let links = inbox.links().into_iter();
    let mut answers = links.filter(|(_, says)| says.starts_with("Accept"));
    let (last, _) = answers.next_back().unwrap();
    for path in [last.as_str(), last.split('?').next().unwrap()] {
        let answer = adviser.get(path).await;
        assert!(
            answer.text.contains("Accept and see who she is"),
            "{}",
            answer.text
        );
    }
    let first = inbox.html.split("<article").nth(1).unwrap();
    assert!(first.contains("Urgent"), "{first}");
    town.stop().await;
}
