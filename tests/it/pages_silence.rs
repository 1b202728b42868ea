//! P5 for pages: a police officer does all that his pages let him do about one woman, in towns that
//! differ in what others hold of her and do with her. Whatever that is, each page that he gets is the
//! one of the town in which nobody knows her: status, headers, length and every byte outside the
//! fields that P5 names.
//!
//! She is the same in each town, so that what he types himself makes no difference either.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::sync::{Arc, LazyLock};

use firedoor::domain::codes::Role;
use firedoor::domain::id::Id;
use firedoor::ops::demo::borough::{CHARITY, OTHER_SERVICE, SERVICE};
use firedoor::ops::demo::people::{
    NEUTRAL_NOTE, NOTE, assessment, consent_to_ask, emergency, her, nobody, referral,
};
use regex::{Captures, Regex};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::pages::{Seen, Visitor};
use crate::pages_provider::{filled, id_in, with};
use crate::sealed_items;
use crate::town::{Said, Town, ago};

/// Towns that run at once.
const AT_ONCE: usize = 6;

/// What others hold of her, or do with her, that no page of his may show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody knows her and nobody answers.
    Unknown,
    Assessed,
    Sealed,
    Withdrawn,
    Paused,
    /// Another's referral says that she is who somebody is to be kept safe from.
    OtherParty,
    Emergency,
    AsksWhatIsHeld,
    /// All of that which goes together.
    KnownToAll,
    /// After he referred her.
    DeclinedLater,
    WaitsLater,
    WithdrawnLater,
    PausedLater,
    /// A service accepted: this he is told, and no more.
    AcceptedLater,
    AcceptedAndShown,
    AcceptedAndEmergency,
    AcceptedAndWithdrawn,
}

/// The first of each row is what the others must equal.
const ROWS: [&[State]; 2] = [
    &[
        State::Unknown,
        State::Assessed,
        State::Sealed,
        State::Withdrawn,
        State::Paused,
        State::OtherParty,
        State::Emergency,
        State::AsksWhatIsHeld,
        State::KnownToAll,
        State::DeclinedLater,
        State::WaitsLater,
        State::WithdrawnLater,
        State::PausedLater,
    ],
    &[
        State::AcceptedLater,
        State::AcceptedAndShown,
        State::AcceptedAndEmergency,
        State::AcceptedAndWithdrawn,
    ],
];

fn done(said: &Said) {
    assert!(said.status < 300, "{}", said.whole());
}

async fn assessed(town: &Town, with: &str) {
    let hospital = town.desk("st-hildas").await;
    done(
        &hospital
            .post("/v1/assessments", &assessment(ago(30), with))
            .await,
    );
}

/// The hospital refers her to the charity, with more said if there is more.
async fn referred_by_the_hospital(town: &Town, who: &Value, other_party: Option<Value>) {
    let mut sent = referral(SERVICE, who, ago(20), None);
    sent["direction"] = json!("health");
    if let Some(party) = other_party {
        sent["other_party"] = party;
    }
    done(
        &town
            .desk("st-hildas")
            .await
            .post("/v1/referrals", &sent)
            .await,
    );
}

/// The charity answers the one offer that is open: by which path, with what.
async fn answers(town: &Town, path: &str, body: &Value) -> Said {
    let charity = town.desk("larkfield").await.as_user("r-osei", Role::Triage);
    let inbox = charity.get("/v1/inbox").await;
    let mut offers = inbox.list("/offers").iter();
    let open = offers.find(|offer| offer["status"] == "offered").unwrap();
    let id = open["id"].as_str().unwrap();
    let said = charity
        .post(&format!("/v1/referrals/{id}/{path}"), body)
        .await;
    done(&said);
    said
}

async fn accepts(town: &Town) -> Value {
    let body = json!({ "worker": "r-osei", "onward_rule_accepted": true });
    let said = answers(town, "accept", &body).await;
    said.body["person"].clone()
}

/// She lets the charity ask, and it is shown what the hospital holds.
async fn shown(town: &Town, person: &Value) {
    let ask = json!({
        "person": person, "consent": consent_to_ask(ago(1)), "step": "cards",
        "onward_rule_accepted": true,
    });
    let charity = town.desk("larkfield").await;
    let said = charity.post("/v1/assessments/query", &ask).await;
    assert_eq!(said.result(), "assessments", "{}", said.whole());
}

async fn breaks_the_glass(town: &Town) {
    let nurse = town
        .desk("st-hildas")
        .await
        .as_user("sr-bell", Role::EdSenior);
    done(&nurse.post("/v1/emergency", &emergency(true)).await);
}

async fn stops(town: &Town, pause: bool) {
    let wish = json!({
        "identity": her(), "scope": "everything", "channel": "telephone", "pause": pause,
    });
    done(
        &town
            .desk("harbour")
            .await
            .post("/v1/withdrawals", &wish)
            .await,
    );
}

/// She asks the helpline what is held about her.
async fn asks_what_is_held(town: &Town) {
    let body = json!({
        "identity": her(), "identity_proof": "known_to_worker", "safe_contact_checked": true,
    });
    let helpline = town.desk("harbour").await;
    let said = helpline.post("/v1/subject-access", &body).await;
    assert_eq!(said.result(), "subject-access-taken", "{}", said.whole());
}

async fn before(town: &Town, state: State) {
    match state {
        State::Assessed => assessed(town, "harbour").await,
        State::AcceptedAndShown | State::AcceptedAndEmergency => {
            assessed(town, CHARITY).await;
        }
        State::Sealed => sealed_items::sealed_and_opened(town, &her()),
        State::Withdrawn => {
            assessed(town, CHARITY).await;
            stops(town, false).await;
        }
        State::Paused => {
            assessed(town, CHARITY).await;
            stops(town, true).await;
        }
        State::OtherParty => {
            let mut party = her();
            party.as_object_mut().unwrap().remove("nhs_number");
            party["relation"] = json!("partner");
            referred_by_the_hospital(town, &nobody(), Some(party)).await;
        }
        State::Emergency => {
            assessed(town, CHARITY).await;
            breaks_the_glass(town).await;
        }
        State::AsksWhatIsHeld => asks_what_is_held(town).await,
        State::KnownToAll => {
            assessed(town, CHARITY).await;
            referred_by_the_hospital(town, &her(), None).await;
            let person = accepts(town).await;
            shown(town, &person).await;
            sealed_items::sealed_and_opened(town, &her());
            breaks_the_glass(town).await;
            asks_what_is_held(town).await;
            stops(town, false).await;
        }
        State::Unknown
        | State::DeclinedLater
        | State::WaitsLater
        | State::WithdrawnLater
        | State::PausedLater
        | State::AcceptedLater
        | State::AcceptedAndWithdrawn => {}
    }
}

/// What others do between his sending and his looking.
async fn between(town: &Town, state: State) {
    match state {
        State::DeclinedLater => {
            answers(town, "decline", &json!({ "reason": "full" })).await;
        }
        State::WaitsLater => {
            answers(town, "wait", &json!({})).await;
        }
        State::WithdrawnLater => stops(town, false).await,
        State::PausedLater => stops(town, true).await,
        State::AcceptedLater => {
            accepts(town).await;
        }
        State::AcceptedAndShown => {
            let person = accepts(town).await;
            shown(town, &person).await;
        }
        State::AcceptedAndEmergency => {
            accepts(town).await;
            breaks_the_glass(town).await;
        }
        State::AcceptedAndWithdrawn => {
            accepts(town).await;
            stops(town, false).await;
        }
        State::Unknown
        | State::Assessed
        | State::Sealed
        | State::Withdrawn
        | State::Paused
        | State::OtherParty
        | State::Emergency
        | State::AsksWhatIsHeld
        | State::KnownToAll => {}
    }
}

/// A page as it is compared: nothing is left out but the values of the fields that P5 names.
#[derive(Debug, PartialEq, Eq)]
struct Bare {
    step: String,
    status: u16,
    headers: Vec<(String, String)>,
    length: usize,
    html: String,
}

impl Bare {
    /// In what, from the first byte on.
    fn differs(&self, other: &Self) -> String {
        let frames = [self, other].map(|one| (&one.step, one.status, one.length, &one.headers));
        let pairs = self.html.bytes().zip(other.html.bytes());
        let same = pairs.take_while(|(one, other)| one == other).count();
        let from = same.saturating_sub(80);
        let words = [self, other].map(|one| {
            let bytes = one.html.as_bytes();
            let part = &bytes[from.min(bytes.len())..(same + 200).min(bytes.len())];
            String::from_utf8_lossy(part).into_owned()
        });
        if frames[0] == frames[1] {
            format!("{}: {words:#?}", self.step)
        } else {
            format!("{frames:#?} {words:#?}")
        }
    }
}

/// The officer at his browser, and each page that he got.
struct Officer {
    visitor: Visitor,
    /// References that he was given, in the order in which he was.
    names: Vec<String>,
    pages: Vec<Bare>,
}

/// A reference, in full and as people speak of it. Nothing else has this form.
static NAMES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[0-9A-HJKMNP-TV-Z]{26}\b").unwrap());
/// The values of the fields that P5 names: the mark of a form, the code to read aloud, the time. And
/// where a list goes on: a place in it under his organisation's own key, of one length.
static NAMED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        "(?<before>name=\"form\" value=\")[^\"]+(?<after>\")",
        "(?<before>ask for help: <b class=\"code\">)[^<]+(?<after></b>)",
        "(?<before>[?]after=)[0-9A-Z]{52}(?<after>\")",
        r"(?<before>[a-z]+day [0-9]{1,2} [A-Z][a-z]+ [0-9]{4} at )[0-9]{1,2}(:[0-9]{2})?[ap]m(?<after>)",
    ]
    .map(|form| Regex::new(form).unwrap())
    .into()
});

impl Officer {
    fn bare(&mut self, step: &str, seen: &Seen) {
        let mut html = seen.html.trim_end_matches(' ').to_owned();
        for field in NAMED.iter() {
            let blank = |found: &Captures<'_>| format!("{}_{}", &found["before"], &found["after"]);
            html = field.replace_all(&html, blank).into_owned();
        }
        for found in NAMES.find_iter(&format!("{} {html}", seen.goes_to())) {
            let name = found.as_str().to_owned();
            if !self.names.contains(&name) {
                self.names.push(name);
            }
        }
        let headers = seen.headers.iter().map(|(name, value)| {
            let value = value.to_str().unwrap();
            let value = match name.as_str() {
                "date" => "_".to_owned(),
                // His session: when he was here last.
                "set-cookie" => value.replace(&self.visitor.cookies["__Host-session"], "_"),
                _ => self.numbered(value),
            };
            (name.to_string(), value)
        });
        let headers = headers.collect();
        self.pages.push(Bare {
            step: step.to_owned(),
            status: seen.status,
            headers,
            length: seen.length,
            html: self.numbered(&html),
        });
    }

    /// The text with each reference as the how-manieth it is of those that he was given.
    fn numbered(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (number, name) in self.names.iter().enumerate() {
            text = text.replace(name, &format!("reference {number}"));
            let short = Id::parse(name).unwrap().short();
            text = text.replace(&short, &format!("short {number}"));
        }
        text
    }

    async fn get(&mut self, path: &str) -> Seen {
        let seen = self.visitor.get(path).await;
        let step = format!("GET {}", self.numbered(path));
        self.bare(&step, &seen);
        seen
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let seen = self.visitor.post(path, fields).await;
        let step = format!("POST {}", self.numbered(path));
        self.bare(&step, &seen);
        seen
    }

    /// The last page offered this; it is what he is meant to do.
    async fn does(&mut self, path: &str, fields: &[(&str, &str)], heading: &str) -> Seen {
        let seen = self.post(path, fields).await;
        assert!(
            seen.heading().starts_with(heading),
            "{path}: {} {}",
            seen.status,
            seen.text
        );
        seen
    }

    /// He refers her with a note that is held, and words it anew.
    async fn sends(&mut self) -> String {
        self.get("/").await;
        self.get("/new").await;
        let refer = |more: &[(&'static str, &'static str)]| with(filled(), more);
        self.post("/new", &refer(&[("do", "check"), ("note", NOTE)]))
            .await;
        self.post("/new", &refer(&[("offence_group", "")])).await;
        let sent = self
            .does("/new", &refer(&[("note", NOTE)]), "Offered: R-")
            .await;
        let id = id_in(&sent, "/sent/", "");
        let mut actions = sent.actions().into_iter();
        let held = actions.find(|to| to.starts_with("/held/")).unwrap();
        self.does(&held, &[("because", "name_or_place")], "").await;
        let note = format!("/new/{id}/note");
        self.get(&note).await;
        self.does(&note, &[("note", NOTE)], "Word it anew").await;
        self.does(&note, &[("note", NEUTRAL_NOTE)], "The note is on its way")
            .await;
        id
    }

    /// How it stands, and what he can still say of it.
    async fn looks(&mut self, id: &str) {
        let one = format!("/sent/{id}");
        self.get("/sent").await;
        self.get(&one).await;
        self.get("/notices").await;
        let update = format!("{one}/update");
        self.get(&update).await;
        self.post(&update, &[]).await;
        self.does(&update, &[("code", "new_incident")], "Taken: R-")
            .await;
        let late = format!("/new/{id}/note");
        self.get(&late).await;
        self.post(&late, &[("note", "She is deaf in one ear.")])
            .await;
        self.get(&one).await;
    }

    /// She asked what is held about her: his force is asked, and he replies.
    async fn replies(&mut self) -> String {
        let list = self.get("/subject-access").await;
        let links = list.links();
        let (to, _) = links
            .iter()
            .find(|(_, says)| says.starts_with("You are asked"))
            .unwrap_or_else(|| panic!("{}", list.text));
        let asked = self.get(to).await;
        let (_, after) = asked.text.split_once("Your reference of her ").unwrap();
        let person = after.split(' ').next().unwrap().to_owned();
        let fields = [
            ("code", "holds"),
            ("about-1", "case_notes"),
            ("basis-1", "public_task"),
            ("what-1", "A report of a crime."),
        ];
        self.post(&format!("{to}/reply"), &fields).await;
        self.get(to).await;
        self.get("/subject-access").await;
        person
    }

    /// Her word, by the reference that he was given; then she stops it: with a doubt, and for good.
    async fn writes_her_word_down(&mut self, person: &str) {
        let consent = format!("/consent/{person}");
        self.get(&consent).await;
        self.post(&consent, &[]).await;
        let alone = [
            ("consent.how", "spoken"),
            ("consent.language", "en"),
            ("consent.interpreter", "none"),
            ("consent.other_party_present", "no"),
        ];
        for more in [
            &[
                ("about", "ask"),
                ("decision", "permit"),
                ("consent.depth", "cards"),
            ][..],
            &[
                ("about", "other"),
                ("decision", "permit"),
                ("consent.purposes", "support"),
                ("consent.classes", "op"),
                ("consent.recipients", "community_based_and_recovery"),
            ],
            &[("about", "share"), ("decision", "deny")],
        ] {
            self.get(&consent).await;
            self.post(&consent, &[&alone[..], more].concat()).await;
        }
        let stop = format!("/stop/{person}");
        let all = [("scope", "everything"), ("channel", "in_person")];
        for (how, pause) in [("lift", "yes"), ("confirm", "yes")] {
            self.get(&stop).await;
            let fields = [&all[..], &[("pause", pause)]].concat();
            let stopped = self.does(&stop, &fields, "It is stopped").await;
            let later = format!("/stopped/{}", id_in(&stopped, "/stopped/", ""));
            self.get("/notices").await;
            self.get(&later).await;
            let settle = [("how", how), ("asked_her_safely", "yes")];
            self.post(&later, &settle).await;
        }
    }

    /// By who she is, at any time.
    async fn stops_by_name(&mut self) {
        self.get("/stop").await;
        self.post("/stop", &[("scope", "service")]).await;
        let named = filled().into_iter();
        let named: Vec<_> = named
            .filter(|(name, _)| name.starts_with("identity."))
            .collect();
        for scope in [
            &[("scope", "service"), ("services", OTHER_SERVICE)][..],
            &[("scope", "everything")],
        ] {
            self.get("/stop").await;
            let how = [("channel", "in_person"), ("pause", "no")];
            let fields = [&named[..], scope, &how].concat();
            self.does("/stop", &fields, "It is stopped").await;
        }
    }

    /// He tries what is not for him.
    async fn tries(&mut self, person: &str) {
        let typed = [
            ("identity.given_name", "Amina"),
            ("onward_rule_accepted", "yes"),
        ];
        self.get("/stop").await;
        for path in ["/ask", "/emergency", "/subject-access/new"] {
            self.visitor.get("/stop").await;
            self.post(path, &typed).await;
        }
        for path in ["ask", "recorded", "inbox", "sent"] {
            self.get(&format!("/{path}/{person}")).await;
        }
    }

    /// All that his pages let him do about her.
    async fn works(mut self, town: &Town, state: State) -> Vec<Bare> {
        let id = self.sends().await;
        between(town, state).await;
        self.looks(&id).await;
        asks_what_is_held(town).await;
        let person = self.replies().await;
        self.writes_her_word_down(&person).await;
        self.looks(&id).await;
        self.stops_by_name().await;
        self.tries(&person).await;
        // And once more, to another.
        self.get("/new").await;
        let again = with(filled(), &[("service", OTHER_SERVICE)]);
        let again = self.does("/new", &again, "Offered: R-").await;
        self.looks(&id_in(&again, "/sent/", "")).await;
        self.get(&format!("/sent/{id}")).await;
        self.pages
    }
}

async fn pages(state: State) -> Vec<Bare> {
    let town = sealed_items::town().await;
    before(&town, state).await;
    let officer = Officer {
        visitor: Visitor::sign_in(&town, "met-browser").await,
        names: Vec::new(),
        pages: Vec::new(),
    };
    let pages = officer.works(&town, state).await;
    town.stop().await;
    pages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_page_of_a_police_officer_shows_what_others_hold_of_her_or_do_with_her() {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (row, states) in ROWS.iter().enumerate() {
        for (place, state) in states.iter().enumerate() {
            let (state, turns) = (*state, Arc::clone(&turns));
            running.spawn(async move {
                let _turn = turns.acquire_owned().await.unwrap();
                (row, place, pages(state).await)
            });
        }
    }
    let mut all = running.join_all().await;
    all.sort_by_key(|(row, place, _)| (*row, *place));
    let mut wrong = Vec::new();
    for (row, place, pages) in &all {
        let (_, _, nothing) = all.iter().find(|(other, _, _)| other == row).unwrap();
        assert!(pages.len() > 50, "{}", pages.len());
        let state = ROWS[*row][*place];
        for (page, nothing) in pages.iter().zip(nothing) {
            if page != nothing {
                wrong.push(format!("{state:?}: {}", page.differs(nothing)));
            }
        }
        assert_eq!(pages.len(), nothing.len(), "{state:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
