//! Her word and what was assessed, at a browser without script: asked for, recorded, stopped, opened in
//! an emergency, requested by her. What is not to be shown is the same page as about a woman of whom
//! nobody ever heard.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use firedoor::domain::codes::Role;
use firedoor::ops::demo::borough::{CHARITY, SERVICE};
use firedoor::ops::demo::people::{
    DO_NOT_TELL, SAFE_PERSON, assessment, consent_to_ask, her, nobody, referral,
};
use serde_json::{Value, json};

use crate::pages::{Seen, Visitor};
use crate::town::{Town, ago};

/// How she said it, alone with the worker.
const ALONE: [(&str, &str); 4] = [
    ("consent.how", "spoken"),
    ("consent.language", "en"),
    ("consent.interpreter", "none"),
    ("consent.other_party_present", "no"),
];

/// Police refer her and the charity accepts; the charity's own reference of her.
async fn accepted(town: &Town, identity: &Value) -> String {
    let officer = town.desk("met").await;
    let sent = referral(SERVICE, identity, ago(2), None);
    let said = officer.post("/v1/referrals", &sent).await;
    assert_eq!(said.status, 201, "{}", said.whole());
    let triage = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let inbox = triage.get("/v1/inbox").await;
    let mut offers = inbox.list("/offers").iter();
    let open = offers.find(|offer| offer["status"] == "offered").unwrap();
    let path = format!("/v1/referrals/{}/accept", open["id"].as_str().unwrap());
    let accept = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let said = triage.post(&path, &accept).await;
    said.text("/person").unwrap().to_owned()
}

/// The hospital assessed her, and she lets the charity see it.
async fn assessed(town: &Town, change: Value) {
    let mut body = assessment(ago(3), CHARITY);
    let changed = change.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(changed);
    let said = town
        .desk("st-hildas")
        .await
        .post("/v1/assessments", &body)
        .await;
    assert_eq!(said.status, 201, "{}", said.whole());
}

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [ALONE.as_slice(), more].concat()
}

/// Who she is, as it is typed in.
fn typed(identity: &Value) -> Vec<(&'static str, String)> {
    let text = |key: &str| identity[key].as_str().unwrap().to_owned();
    let born = text("birth_date");
    let part = |range: std::ops::Range<usize>| born.get(range).unwrap().to_owned();
    vec![
        ("identity.given_name", text("given_name")),
        ("identity.family_name", text("family_name")),
        ("identity.nhs_number", text("nhs_number")),
        ("identity.birth_date-day", part(8..10)),
        ("identity.birth_date-month", part(5..7)),
        ("identity.birth_date-year", part(0..4)),
    ]
}

fn all<'a>(
    typed: &'a [(&'static str, String)],
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let typed = typed.iter().map(|(name, value)| (*name, value.as_str()));
    typed.chain(more.iter().copied()).collect()
}

/// The page without what P5 lets differ: the marks of its forms and the code to read aloud.
pub fn silent(seen: &Seen) -> String {
    let mut html = seen.html.clone();
    for (start, end) in [
        ("name=\"form\" value=\"", "\""),
        ("ask for help: <b class=\"code\">", "</b>"),
    ] {
        let mut parts = html.split(start);
        let mut bare = parts.next().unwrap().to_owned();
        for part in parts {
            bare.push_str(part.split_once(end).unwrap().1);
        }
        html = bare;
    }
    html
}

/// The whole page is the one about a woman whom nobody knows.
fn is_alike(seen: &Seen, nothing: &Seen) {
    assert_eq!(seen.status, nothing.status);
    assert_eq!(silent(seen), silent(nothing));
    assert_eq!(seen.length, nothing.length);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_asks_in_three_steps_and_says_that_she_relied_on_it() {
    let town = Town::start().await;
    let script = "<script>alert('she')</script>";
    assessed(
        &town,
        json!({ "judgement_reasons": [script], "adjustments": [script] }),
    )
    .await;
    let person = accepted(&town, &her()).await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let path = format!("/ask/{person}");

    let seen = adviser.get(&path).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert!(seen.text.contains("Read this to her"), "{}", seen.text);
    // Nobody said whether she agrees.
    let seen = adviser.post(&path, &with(&[])).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    assert!(
        seen.text.contains("Say whether she agrees"),
        "{}",
        seen.text
    );
    // The rule about passing on is not accepted, and how she said it is missing.
    let seen = adviser
        .post(
            &path,
            &[("agrees_exists", "now"), ("consent.how", "spoken")],
        )
        .await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    assert!(!seen.text.contains("GET /v1"), "{}", seen.text);

    let fields = with(&[("agrees_exists", "now"), ("onward_rule_accepted", "yes")]);
    let seen = adviser.post(&path, &fields).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert!(
        seen.text.contains("An earlier assessment exists."),
        "{}",
        seen.text
    );
    assert!(!seen.text.contains("High"), "{}", seen.text);

    let fields = with(&[("agrees_cards", "now"), ("onward_rule_accepted", "yes")]);
    let seen = adviser.post(&path, &fields).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    for said in [
        "SafeLives Dash, 24 questions (2015)",
        "Ticks 16",
        "High by professional judgement",
        "The violence is growing",
        "Clinician, health, trained in this tool",
        "A safe place to live",
        "You can stop this at any time.",
    ] {
        assert!(seen.text.contains(said), "{said}: {}", seen.text);
    }
    for never in [DO_NOT_TELL, SAFE_PERSON, "hildas", "St Hilda"] {
        assert!(!seen.html.contains(never), "{never}");
    }
    // What was written by another service is shown and never run.
    assert!(!seen.html.contains("<script>alert"), "{}", seen.html);
    assert!(seen.html.contains("&lt;script&gt;alert"), "{}", seen.html);

    let used = seen.hidden(&format!("{path}/used"));
    let id = used
        .iter()
        .find(|(name, _)| name == "assessment")
        .unwrap()
        .1
        .clone();
    // Without a choice the form comes back with what there is to choose from, and can go on.
    let choice = format!("{id} SafeLives Dash");
    let fields = with(&[
        ("agrees_answers", "now"),
        ("onward_rule_accepted", "yes"),
        ("step", "answers"),
        ("choice", &choice),
    ]);
    let seen = adviser.clone().post(&path, &fields).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    assert!(
        seen.html.contains("id=\"assessment-error\""),
        "{}",
        seen.text
    );
    assert!(
        seen.html.contains(&format!(
            "type=\"radio\" name=\"assessment\" value=\"{id}\""
        )),
        "{}",
        seen.html
    );
    let fields = with(&[
        ("agrees_answers", "now"),
        ("onward_rule_accepted", "yes"),
        ("assessment", &id),
        ("step", "answers"),
    ]);
    let seen = adviser.post(&path, &fields).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert!(
        seen.text.contains("Q1 injury in this incident Yes"),
        "{}",
        seen.text
    );
    assert!(seen.length < 100_000);

    let seen = adviser
        .post(&format!("{path}/used"), &[("used", "relied")])
        .await;
    assert_eq!(
        (seen.status, seen.heading().as_str()),
        (200, "Noted"),
        "{}",
        seen.text
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_page_about_a_woman_whom_nobody_may_show_is_the_page_about_nobody() {
    let town = Town::start().await;
    // Held, and not shared with the charity; and not accepted by it.
    assessed(&town, json!({ "consents": [] })).await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let more = with(&[("agrees_exists", "now"), ("onward_rule_accepted", "yes")]);
    let mut pages = Vec::new();
    for identity in [her(), nobody()] {
        let typed = typed(&identity);
        adviser.get("/ask").await;
        pages.push(adviser.post("/ask", &all(&typed, &more)).await);
    }
    assert_eq!(pages[0].status, 200);
    assert!(
        pages[0].text.contains("There is nothing we can show you."),
        "{}",
        pages[0].text
    );
    is_alike(&pages[0], &pages[1]);
    // Nothing that was typed is on it.
    assert!(!pages[0].html.contains("Karim"), "{}", pages[0].html);

    // By a reference that is none, and one of a woman of whom nothing may be shown.
    let person = accepted(&town, &her()).await;
    let mut pages = Vec::new();
    for id in [person.as_str(), "0123456789ABCDEFGHJKMNPQRS"] {
        let path = format!("/ask/{id}");
        adviser.get(&path).await;
        pages.push(adviser.post(&path, &more).await);
    }
    is_alike(&pages[0], &pages[1]);

    // A withdrawal is taken in the same words.
    let stop = [
        ("scope", "everything"),
        ("pause", "no"),
        ("channel", "telephone"),
    ];
    let mut pages = Vec::new();
    for identity in [her(), nobody()] {
        let typed = typed(&identity);
        adviser.get("/stop").await;
        pages.push(adviser.post("/stop", &all(&typed, &stop)).await);
    }
    let main = |seen: &Seen| {
        let html = silent(seen);
        html.split_once("<a href=\"/stopped/").unwrap().0.to_owned()
    };
    assert_eq!(pages[0].heading(), "It is stopped", "{}", pages[0].text);
    assert_eq!(main(&pages[0]), main(&pages[1]));
    assert_eq!(pages[0].length, pages[1].length);

    // And her own request for what is held.
    let mut pages = Vec::new();
    for identity in [her(), nobody()] {
        let typed = typed(&identity);
        adviser.get("/subject-access/new").await;
        let more = [
            ("identity_proof", "known_to_worker"),
            ("safe_contact_checked", "yes"),
        ];
        let seen = adviser
            .post("/subject-access/new", &all(&typed, &more))
            .await;
        assert_eq!(seen.status, 303, "{}", seen.text);
        let id = seen.goes_to().rsplit('/').next().unwrap().to_owned();
        pages.push((adviser.follow().await, id));
    }
    let bare = |(seen, id): &(Seen, String)| {
        assert_eq!(seen.status, 200, "{}", seen.text);
        let reference = short_of(&seen.text);
        silent(seen).replace(id, "").replace(&reference, "")
    };
    assert_eq!(bare(&pages[0]), bare(&pages[1]));
    town.stop().await;
}

/// The short reference that a request shows.
fn short_of(text: &str) -> String {
    let (_, after) = text.split_once("Reference ").unwrap();
    after.split_once(' ').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_assessment_is_recorded_in_the_order_of_the_form_and_can_be_taken_back() {
    let town = Town::start().await;
    let person = accepted(&town, &her()).await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let path = format!("/record/{person}");
    let tools = adviser.get(&path).await;
    let (to, _) = tools
        .links()
        .into_iter()
        .find(|(_, says)| says == "SafeLives Dash, 24 questions, 2015")
        .unwrap();
    let seen = adviser.get(&to).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    let places: Vec<usize> = (1..=24)
        .map(|number| seen.html.find(&format!("item-q{number}\"")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(seen.length < 100_000);

    // A judged grade needs a reason, and what was filled in comes back.
    let items: Vec<(String, &str)> = (1..=24)
        .map(|number| (format!("item-q{number}"), "yes"))
        .collect();
    let mut fields: Vec<(&str, &str)> = items
        .iter()
        .map(|(name, answer)| (name.as_str(), *answer))
        .collect();
    fields.extend([("grade", "high"), ("basis", "professional_judgement")]);
    let seen = adviser.post(&path, &fields).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    assert!(seen.text.contains("Say why you graded so"), "{}", seen.text);
    assert!(
        seen.html
            .contains("name=\"item-q24\" value=\"yes\" checked"),
        "{}",
        seen.html
    );

    // Words about immigration are held, and nothing is kept.
    let mut held = fields.clone();
    held.push(("judgement_reasons", "Her visa expired in March"));
    let seen = adviser.post(&path, &held).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    assert!(
        seen.text.contains("words about immigration"),
        "{}",
        seen.text
    );

    fields.extend([
        ("judgement_codes", "violence_growing"),
        ("shares", "yes"),
        ("consent.recipients", "community_based_and_recovery"),
        ("consent.depth", "cards"),
    ]);
    let fields = with(&fields);
    let seen = adviser.post(&path, &fields).await;
    assert_eq!(
        (seen.status, seen.heading().as_str()),
        (200, "Recorded"),
        "{}",
        seen.text
    );
    assert!(seen.text.contains("Ticks: 24"), "{}", seen.text);

    let path = format!("/recorded/{person}");
    let seen = adviser.get(&path).await;
    assert!(seen.text.contains("Recorded by v-adeola"), "{}", seen.text);
    let hidden = seen.hidden(&path);
    let id = &hidden
        .iter()
        .find(|(name, _)| name == "assessment")
        .unwrap()
        .1;
    let because = format!("because-{id}");
    let seen = adviser.post(&path, &[]).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    let seen = adviser.post(&path, &[(&because, "never_said")]).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert!(seen.text.contains("It is gone."), "{}", seen.text);
    let seen = adviser.get(&path).await;
    assert!(seen.text.contains("Taken back"), "{}", seen.text);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn she_stops_it_with_her_card_anywhere_and_a_doubt_is_settled_later() {
    let town = Town::start().await;
    assessed(&town, json!({})).await;
    let person = accepted(&town, &her()).await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let path = format!("/card/{person}");
    adviser.get(&path).await;
    let card = adviser.post(&path, &[]).await;
    assert_eq!(card.status, 200, "{}", card.text);
    let (_, after) = card.html.split_once("<p class=\"code\">").unwrap();
    let code = after.split_once("</p>").unwrap().0.to_owned();

    let mut nurse = Visitor::sign_in(&town, "st-hildas-browser").await;
    nurse.get("/stop").await;
    let seen = nurse
        .post(
            "/stop",
            &[("scope", "service"), ("pause", "yes"), ("card_code", &code)],
        )
        .await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    assert!(
        seen.text.contains("Say which she wants to stop"),
        "{}",
        seen.text
    );
    let seen = nurse
        .post(
            "/stop",
            &[
                ("scope", "purpose"),
                ("purposes", "prior_assessment"),
                ("pause", "yes"),
                ("channel", "card"),
                ("card_code", &code),
            ],
        )
        .await;
    assert_eq!(
        (seen.status, seen.heading().as_str()),
        (200, "It is stopped"),
        "{}",
        seen.text
    );
    assert!(!seen.text.contains("72"), "{}", seen.text);
    assert!(!seen.html.contains(&code), "{}", seen.html);
    let (later, _) = seen
        .links()
        .into_iter()
        .find(|(to, _)| to.starts_with("/stopped/"))
        .unwrap();

    // It is in force.
    let ask = format!("/ask/{person}");
    adviser.get(&ask).await;
    let more = with(&[("agrees_exists", "now"), ("onward_rule_accepted", "yes")]);
    let seen = adviser.post(&ask, &more).await;
    assert!(
        seen.text.contains("nothing we can show you"),
        "{}",
        seen.text
    );

    // It was not her word, says whoever asked her; but not before that is said.
    nurse.get(&later).await;
    let seen = nurse.post(&later, &[("how", "lift")]).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    let seen = nurse
        .post(&later, &[("how", "lift"), ("asked_her_safely", "yes")])
        .await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert!(seen.text.contains("It was not her word."), "{}", seen.text);
    adviser.get(&ask).await;
    let seen = adviser.post(&ask, &more).await;
    assert!(
        seen.text.contains("An earlier assessment exists"),
        "{}",
        seen.text
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_was_shown_something_is_told_to_stop_and_says_what_became_of_it() {
    let town = Town::start().await;
    assessed(&town, json!({})).await;
    let person = accepted(&town, &her()).await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let seen = adviser.get("/notices").await;
    assert!(
        seen.text.contains("There is nothing here."),
        "{}",
        seen.text
    );
    let ask = json!({
        "person": person, "step": "cards", "onward_rule_accepted": true,
        "consent": consent_to_ask(ago(1)),
    });
    let charity = town.desk("larkfield").await;
    let said = charity.post("/v1/assessments/query", &ask).await;
    assert_eq!(said.result(), "assessments", "{}", said.whole());
    let stop = json!({ "identity": her(), "scope": "everything", "channel": "telephone" });
    let helpline = town.desk("harbour").await;
    assert_eq!(helpline.post("/v1/withdrawals", &stop).await.status, 200);

    // Among all the news, and by itself.
    let triage = charity.clone().as_user("r-osei", Role::Triage);
    let all = triage.get("/v1/events").await;
    let hers = triage.get("/v1/events?only=her_word").await;
    assert!(all.list("/events").len() > 1, "{}", all.whole());
    assert_eq!(hers.list("/events").len(), 1, "{}", hers.whole());
    assert!(hers.list("/events")[0]["stop_use"].is_string());
    let odd = triage.get("/v1/events?only=mine").await;
    assert_eq!(odd.status, 422, "{}", odd.whole());
    assert!(odd.whole().contains("her_word"), "{}", odd.whole());

    let seen = adviser.get("/notices").await;
    assert!(
        seen.text.contains("Stop using what you were shown"),
        "{}",
        seen.text
    );
    assert!(!seen.text.contains("Karim"), "{}", seen.text);
    let links = seen.links().into_iter();
    let to: Vec<String> = links
        .map(|(to, _)| to)
        .filter(|to| to.starts_with("/notices/"))
        .collect();
    let [to] = to.as_slice() else {
        panic!("{to:?}");
    };
    adviser.get(to).await;
    let seen = adviser.post(to, &[("reply", "kept_by_law")]).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    let seen = adviser.post(to, &[("reply", "restricted")]).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert!(seen.text.contains("It is noted."), "{}", seen.text);
    let seen = adviser.get("/notices").await;
    assert!(
        seen.text
            .contains("You said We keep it, and use it for nothing"),
        "{}",
        seen.text
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn her_yes_and_her_no_are_written_down_and_come_up_again() {
    let town = Town::start().await;
    let person = accepted(&town, &her()).await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let path = format!("/consent/{person}");
    adviser.get(&path).await;
    let seen = adviser.post(&path, &[]).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    let yes = with(&[
        ("about", "ask"),
        ("decision", "permit"),
        ("consent.depth", "cards"),
    ]);
    let seen = adviser.post(&path, &yes).await;
    assert_eq!(
        (seen.status, seen.heading().as_str()),
        (200, "Recorded"),
        "{}",
        seen.text
    );
    // A relative interpreted: not so.
    adviser.get(&path).await;
    let mut through = yes.clone();
    through.retain(|(name, _)| *name != "consent.interpreter");
    through.push(("consent.interpreter", "family"));
    let seen = adviser.post(&path, &through).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    assert!(
        seen.text.contains("A relative interpreted"),
        "{}",
        seen.text
    );
    // He was there: it is recorded, and the worker is warned.
    let mut there = yes.clone();
    there.retain(|(name, _)| *name != "consent.other_party_present");
    there.push(("consent.other_party_present", "yes"));
    let seen = adviser.post(&path, &there).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert!(seen.text.contains("Ask her again alone"), "{}", seen.text);
    // No.
    adviser.get(&path).await;
    let no = with(&[("about", "share"), ("decision", "deny")]);
    let seen = adviser.post(&path, &no).await;
    assert_eq!(
        (seen.status, seen.heading().as_str()),
        (200, "Recorded"),
        "{}",
        seen.text
    );

    // One whose day has come.
    let mut due = consent_to_ask(ago(30));
    due["review_at"] = json!(ago(1).rfc3339());
    due["purposes"] = json!(["support"]);
    due.as_object_mut().unwrap().remove("depth");
    let charity = town.desk("larkfield").await;
    let said = charity
        .post("/v1/consents", &json!({ "person": person, "consent": due }))
        .await;
    assert_eq!(said.status, 201, "{}", said.whole());
    let seen = adviser.get("/consents").await;
    assert!(seen.text.contains(&person), "{}", seen.text);
    let actions = seen.actions();
    let back = actions
        .iter()
        .find(|to| to.starts_with("/consents/"))
        .unwrap();
    let seen = adviser.post(back, &[]).await;
    assert_eq!(
        (seen.status, seen.heading().as_str()),
        (200, "Taken back"),
        "{}",
        seen.text
    );
    let seen = adviser.get("/consents").await;
    assert!(
        seen.text.contains("none whose day has come"),
        "{}",
        seen.text
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_emergency_is_confirmed_shown_once_and_followed_up() {
    let town = Town::start().await;
    assessed(&town, json!({ "do_not_tell": ["<b>him</b>"] })).await;
    let mut nurse = Visitor::sign_in(&town, "st-hildas-browser").await;
    let known = typed(&her());
    let unknown = typed(&nobody());
    let why = [
        ("reason", "life_at_risk"),
        ("text", "Unconscious after an assault, who is safe?"),
        ("on_shift", "yes"),
    ];
    // Too few words, not on shift.
    nurse.get("/emergency").await;
    let short = [("reason", "life_at_risk"), ("text", "now")];
    let seen = nurse.post("/emergency", &all(&known, &short)).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    assert!(
        seen.text.contains("at least 20 characters"),
        "{}",
        seen.text
    );
    assert!(!seen.text.contains("send true"), "{}", seen.text);

    // Who will be told: the same words, known or not.
    let mut pages = Vec::new();
    for who in [&known, &unknown] {
        nurse.get("/emergency").await;
        let seen = nurse.post("/emergency", &all(who, &why)).await;
        assert_eq!(
            (seen.status, seen.heading().as_str()),
            (428, "Who will be told"),
            "{}",
            seen.text
        );
        assert!(seen.text.contains("any service that holds something"));
        let mut bare = silent(&seen);
        for (name, value) in who {
            bare = bare.replace(
                &format!("name=\"{name}\" value=\"{value}\""),
                &format!("name=\"{name}\""),
            );
        }
        pages.push(bare);
    }
    assert_eq!(pages[0], pages[1]);
    // The last form was of the unknown woman. Not understood, then opened: nothing, and no less asked.
    let seen = nurse.post("/emergency", &[]).await;
    assert_eq!(
        (seen.status, seen.heading().as_str()),
        (422, "Who will be told"),
        "{}",
        seen.text
    );
    let nothing = nurse
        .post("/emergency", &[("onward_rule_accepted", "yes")])
        .await;
    assert_eq!(nothing.status, 200, "{}", nothing.text);
    assert!(nothing.text.contains("0808 2000 247"), "{}", nothing.text);
    assert!(nothing.text.contains("Within 24 hours"), "{}", nothing.text);

    nurse.get("/emergency").await;
    let confirm = nurse.post("/emergency", &all(&known, &why)).await;
    let mark = confirm.mark().unwrap();
    let view = nurse
        .post("/emergency", &[("onward_rule_accepted", "yes")])
        .await;
    assert_eq!(view.status, 200, "{}", view.text);
    for said in [
        "You can read this for 60 minutes",
        "High assessed on",
        SAFE_PERSON,
        "<b>him</b>",
    ] {
        assert!(view.text.contains(said), "{said}: {}", view.text);
    }
    assert!(!view.html.contains("<b><b>him"), "{}", view.html);
    assert_eq!(view.header("refresh"), "3600; url=/ended");
    assert!(!view.html.contains("Karim"));
    // Loaded again it is not shown again.
    let mut again = all(&known, &why);
    again.extend([("confirm", "yes"), ("onward_rule_accepted", "yes")]);
    let seen = nurse.post_with(&mark, "/emergency", &again).await;
    assert!(!seen.text.contains(SAFE_PERSON), "{}", seen.text);
    assert!(
        seen.text.contains("shown once"),
        "{} {}",
        seen.status,
        seen.text
    );

    let list = nurse.get("/emergencies").await;
    let links: Vec<String> = list
        .links()
        .into_iter()
        .map(|(to, _)| to)
        .filter(|to| to.starts_with("/emergencies/"))
        .collect();
    assert_eq!(links.len(), 2, "{}", list.text);
    for to in &links {
        nurse.get(to).await;
        let wrong = nurse.post(to, &[("she_now", "cannot_say")]).await;
        assert_eq!(wrong.status, 422, "{}", wrong.text);
        let seen = nurse
            .post(
                to,
                &[("done", "called_safe_person"), ("she_now", "cannot_say")],
            )
            .await;
        assert_eq!(seen.status, 200, "{}", seen.text);
        assert!(seen.text.contains("Ask her as soon as"), "{}", seen.text);
    }
    let list = nurse.get("/emergencies").await;
    assert!(
        list.text.contains("it was said what was done"),
        "{}",
        list.text
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_clock_of_her_request_begins_when_it_is_known_that_it_is_she() {
    let town = Town::start().await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let typed = typed(&nobody());
    adviser.get("/subject-access/new").await;
    let more = [("safe_contact_checked", "yes")];
    let seen = adviser
        .post("/subject-access/new", &all(&typed, &more))
        .await;
    assert_eq!(seen.status, 303, "{}", seen.text);
    let step = format!("{}/step", seen.goes_to());
    let seen = adviser.follow().await;
    assert!(
        seen.text.contains("The clock has not begun"),
        "{}",
        seen.text
    );
    let seen = adviser.post(&step, &[("step", "identity_proved")]).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    let known = [("step", "identity_proved"), ("proof", "known_to_worker")];
    let seen = adviser.post(&step, &known).await;
    assert_eq!(seen.status, 303, "{}", seen.text);
    let seen = adviser.follow().await;
    assert!(seen.text.contains("days left"), "{}", seen.text);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn her_request_is_taken_and_each_holder_replies_with_two_people() {
    let town = Town::start().await;
    assessed(&town, json!({})).await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let typed = typed(&her());
    adviser.get("/subject-access/new").await;
    // Long ago, so that it can be handed over today.
    let asked = ago(24 * 45).day();
    let part = |range: std::ops::Range<usize>| asked.get(range).unwrap();
    let more = [
        ("identity_proof", "known_to_worker"),
        ("safe_contact_checked", "yes"),
        ("delivery", "read_aloud"),
        ("received_at-day", part(8..10)),
        ("received_at-month", part(5..7)),
        ("received_at-year", part(0..4)),
    ];
    let seen = adviser
        .post("/subject-access/new", &all(&typed, &more))
        .await;
    assert_eq!(seen.status, 303, "{}", seen.text);
    let at = seen.goes_to().to_owned();
    let seen = adviser.follow().await;
    assert!(seen.text.contains("Late"), "{}", seen.text);

    let mut nurse = Visitor::sign_in(&town, "st-hildas-browser").await;
    let list = nurse.get("/subject-access").await;
    let (to, _) = list
        .links()
        .into_iter()
        .find(|(_, says)| says.starts_with("You are asked"))
        .unwrap();
    nurse.get(&to).await;
    let script = "<script>alert(1)</script> what we asked you";
    let seen = nurse
        .post(
            &format!("{to}/reply"),
            &[
                ("code", "holds"),
                ("about-1", "case_notes"),
                ("basis-1", "recognised_li"),
                ("what-1", script),
            ],
        )
        .await;
    assert_eq!(seen.status, 303, "{}", seen.text);
    let seen = nurse.follow().await;
    assert!(seen.text.contains("what we asked you"), "{}", seen.text);
    assert!(!seen.html.contains("<script>alert"), "{}", seen.html);
    // The same person is no second one.
    let redact = format!("{to}/redact");
    let mut guardian = Visitor::sign_in(&town, "st-hildas-caldicott").await;
    let seen = guardian.get(&to).await;
    assert!(seen.text.contains("what we asked you"), "{}", seen.text);
    let seen = guardian.post(&redact, &[]).await;
    assert_eq!(seen.status, 303, "{}", seen.text);
    let seen = guardian.follow().await;
    assert!(seen.text.contains("Second look m-farouk"), "{}", seen.text);

    // It is handed over by another than who took it, and not before anybody saw that it is she.
    let mut officer = Visitor::sign_in(&town, "larkfield-ig").await;
    let seen = officer.get(&at).await;
    let deliver = format!("{at}/deliver");
    assert!(seen.links().iter().any(|(to, _)| *to == deliver));
    officer.get(&deliver).await;
    let late = ("explanation", "Your letter lay unopened. We are sorry.");
    let seen = officer.post(&deliver, &[late]).await;
    assert_eq!(seen.status, 422, "{}", seen.text);
    assert!(!seen.text.contains("what we asked you"), "{}", seen.text);
    officer.get(&deliver).await;
    let seen = officer
        .post(&deliver, &[late, ("identity_checked", "yes")])
        .await;
    assert_eq!(
        (seen.status, seen.heading().as_str()),
        (200, "WHAT WE HOLD ABOUT YOU"),
        "{}",
        seen.text
    );
    assert!(seen.text.contains("what we asked you"), "{}", seen.text);
    assert!(!seen.html.contains("<script>alert"), "{}", seen.html);
    town.stop().await;
}
