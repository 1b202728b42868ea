//! The pages, as a browser without script sees them: what every page carries, what a form needs to
//! count, and who may open which.
//!
//! [`Visitor`] is for every test of a page: a person of a town, her cookies, and the page that she last
//! saw. Who adds a page adds its row to [`PAGES`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use firedoor::domain::attempt::UserName;
use firedoor::domain::codes::Role;
use firedoor::domain::id::Id;
use firedoor::domain::peer::{Peer, SpiffeName};
use firedoor::domain::session::{FormToken, Session};
use firedoor::domain::time::When;
use firedoor::ops::clock::now;
use firedoor::ops::demo::borough::TRUST_DOMAIN;
use firedoor::web;
use firedoor::web::table::For;
use sha2::Digest;
use sha2::Sha256;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::town::{Desk, Town};

/// A person of the town at a browser without script.
#[derive(Clone)]
pub struct Visitor {
    pub desk: Desk,
    pub bundle: String,
    pub cookies: BTreeMap<String, String>,
    /// The page that she last saw.
    pub page: Option<Seen>,
    origin: String,
}

/// A page as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub status: u16,
    pub headers: HeaderMap,
    pub html: String,
    /// What stands on it, without tags, each run of blanks as one.
    pub text: String,
    /// Its bytes with what fills it up.
    pub bytes: Bytes,
    pub length: usize,
}

impl Visitor {
    /// Comes with the certificate of a bundle; not signed in.
    pub async fn arrive(town: &Town, bundle: &str) -> Self {
        Self {
            desk: town.desk_of(town.tls(bundle), None).await,
            bundle: bundle.to_owned(),
            cookies: BTreeMap::new(),
            page: None,
            origin: format!("https://localhost:{}", town.address().port()),
        }
    }

    /// Comes, and shows her second factor on the page for it. A code is good once, so whoever comes
    /// again takes her cookie up.
    pub async fn sign_in(town: &Town, bundle: &str) -> Self {
        let mut visitor = Self::arrive(town, bundle).await;
        let mut sessions = town.sessions.lock().await;
        if let Some(session) = sessions.get(bundle) {
            let name = "__Host-session".to_owned();
            visitor.cookies.insert(name, session.clone());
            return visitor;
        }
        visitor.get("/sign-in").await;
        let code = town.borough.code(bundle).unwrap();
        let seen = visitor.post("/sign-in", &[("code", &code)]).await;
        // She has one device, which she is told the first time.
        let went = (seen.status, seen.goes_to());
        assert_eq!(went, (303, "/?devices=one"), "{}", seen.text);
        let session = visitor.cookies["__Host-session"].clone();
        sessions.insert(bundle.to_owned(), session);
        visitor
    }

    /// Follows a link, or types an address.
    pub async fn get(&mut self, path: &str) -> Seen {
        let site = [("sec-fetch-site", "same-origin")];
        self.ask(Method::GET, path, &site, String::new()).await
    }

    /// Fills in the form of the last page that goes to `path` and sends it: its hidden fields are sent
    /// as they are unless given. The mark is that form's, or else any of the page's.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let page = self.page.as_ref().expect("a page with a form");
        let mut all = page.hidden(path);
        if all.is_empty() {
            let mark = page.mark().expect("a mark of a form");
            all.push(("form".to_owned(), mark));
        }
        all.retain(|(name, _)| fields.iter().all(|(given, _)| given != name));
        let mut all: Vec<(&str, &str)> = all
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        all.extend(fields);
        let body = encoded(&all);
        self.send(path, body).await
    }

    /// The same with a mark of the test's own.
    pub async fn post_with(&mut self, mark: &str, path: &str, fields: &[(&str, &str)]) -> Seen {
        let fields = [&[("form", mark)], fields].concat();
        self.send(path, encoded(&fields)).await
    }

    /// Goes where the last page leads: after an act, to its result.
    pub async fn follow(&mut self) -> Seen {
        let page = self.page.as_ref().expect("a page that leads on");
        assert_eq!(page.status, 303, "{}", page.text);
        let path = page.goes_to().to_owned();
        self.get(&path).await
    }

    /// A form as a browser sends it.
    async fn send(&mut self, path: &str, body: String) -> Seen {
        let origin = self.origin.clone();
        let headers = [
            ("origin", origin.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        self.send_from(&headers, path, body).await
    }

    /// A form from anywhere.
    pub async fn send_from(&mut self, headers: &[(&str, &str)], path: &str, body: String) -> Seen {
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers = [headers, &[kind]].concat();
        self.ask(Method::POST, path, &headers, body).await
    }

    /// Any request with her cookies. Keeps the cookies that come back, and the page.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Seen {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut headers = headers.to_vec();
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        let said = self.desk.ask(method, path, &headers, body).await;
        for cookie in said.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let html = said.whole();
        let seen = Seen {
            status: said.status,
            text: words(&html),
            html,
            headers: said.headers,
            length: said.bytes.len(),
            bytes: said.bytes,
        };
        self.page = Some(seen.clone());
        seen
    }
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// Where it leads, instead of being looked at.
    pub fn goes_to(&self) -> &str {
        self.header("location")
    }

    /// Its heading.
    pub fn heading(&self) -> String {
        between(&self.html, "<h1", "</h1>")
            .and_then(|inner| inner.split_once('>'))
            .map_or_else(String::new, |(_, inner)| words(inner))
    }

    /// What the tab says.
    pub fn title(&self) -> String {
        between(&self.html, "<title>", "</title>").map_or_else(String::new, words)
    }

    /// A mark of any of its forms.
    pub fn mark(&self) -> Option<String> {
        self.forms()
            .into_iter()
            .find_map(|form| hidden_of(form).into_iter().find(|(name, _)| name == "form"))
            .map(|(_, mark)| mark)
    }

    /// The hidden fields, with the mark, of the form that goes to `action`.
    pub fn hidden(&self, action: &str) -> Vec<(String, String)> {
        let goes = |form: &&str| attribute(form, "action").as_deref() == Some(action);
        let form = self.forms().into_iter().find(goes);
        form.map(hidden_of).unwrap_or_default()
    }

    /// Where its forms go.
    pub fn actions(&self) -> Vec<String> {
        let forms = self.forms().into_iter();
        forms.filter_map(|form| attribute(form, "action")).collect()
    }

    /// Its links, as `(where to, what it says)`.
    pub fn links(&self) -> Vec<(String, String)> {
        let links = self.html.split("<a ").skip(1);
        links
            .filter_map(|link| {
                let (tag, rest) = link.split_once('>')?;
                let inner = rest.split_once("</a>")?.0;
                Some((attribute(tag, "href")?, words(inner)))
            })
            .collect()
    }

    fn forms(&self) -> Vec<&str> {
        let forms = self.html.split("<form ").skip(1);
        forms
            .map(|form| form.split("</form>").next().unwrap())
            .collect()
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?
        .1
        .split_once(end)
        .map(|(in_it, _)| in_it)
}

/// The first value of an attribute in a piece of HTML as we write it.
fn attribute(html: &str, name: &str) -> Option<String> {
    between(html, &format!("{name}=\""), "\"").map(unescaped)
}

fn hidden_of(form: &str) -> Vec<(String, String)> {
    let inputs = form.split("<input ").skip(1);
    inputs
        .filter_map(|input| input.split_once('>').map(|(tag, _)| tag))
        .filter(|tag| tag.contains("type=\"hidden\""))
        .map(|tag| {
            let value = attribute(tag, "value").unwrap_or_default();
            (attribute(tag, "name").unwrap(), value)
        })
        .collect()
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// What stands in HTML, without its tags.
pub fn words(html: &str) -> String {
    let mut text = String::new();
    let mut within = false;
    for letter in html.chars() {
        match letter {
            '<' => {
                within = true;
                text.push(' ');
            }
            '>' => within = false,
            other if !within => text.push(other),
            _ => {}
        }
    }
    let text = unescaped(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Fields as a browser sends them (`application/x-www-form-urlencoded`, URL Standard).
pub fn encoded(fields: &[(&str, &str)]) -> String {
    let part = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
                    char::from(byte).to_string()
                }
                b' ' => "+".to_owned(),
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{}={}", part(name), part(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Whom a page is for, as it is meant: written down apart from the pages.
#[derive(Clone, Copy)]
pub enum Who {
    /// Also those who have not shown a second factor.
    Anybody,
    SignedIn,
    Only(&'static [Role]),
}

/// Who asks, records and answers for her, written down from the policies.
const SUPPORT: &[Role] = &[
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
];
const MEETS_HER: &[Role] = &[
    Role::Officer,
    Role::VcopUnit,
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
    Role::MaracCoordinator,
    Role::MaracMember,
    Role::CourtOfficer,
    Role::LegalAdviser,
    Role::IgOfficer,
    Role::Caldicott,
    Role::Dpo,
    Role::OrgAdmin,
];
const READS_CONSENTS: &[Role] = &[
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
    Role::LegalAdviser,
];
const RECORDS_CONSENT: &[Role] = &[
    Role::Officer,
    Role::VcopUnit,
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
    Role::LegalAdviser,
];
const GIVES_CARDS: &[Role] = &[
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::SocialWorker,
    Role::Housing,
    Role::LegalAdviser,
];
const TAKES_HER_REQUEST: &[Role] = &[
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
const GUARDS_HER_RIGHTS: &[Role] = &[Role::IgOfficer, Role::Dpo, Role::Caldicott];
const ANSWERS_HER: &[Role] = &[
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
];

/// Those who refer her on.
const SENDS: &[Role] = &[
    Role::Officer,
    Role::VcopUnit,
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
    Role::LegalAdviser,
];
/// Those who answer offers.
const RECEIVES: &[Role] = &[
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
    Role::LegalAdviser,
];
/// Those who hand her over.
const MOVES: &[Role] = &[
    Role::Triage,
    Role::Adviser,
    Role::Clinician,
    Role::EdSenior,
    Role::SocialWorker,
    Role::Housing,
];

/// Every page, and whom it is for.
pub const PAGES: &[(&str, &str, Who)] = &[
    ("GET", "/sign-in", Who::Anybody),
    ("POST", "/sign-in", Who::Anybody),
    ("POST", "/sign-in/passkey", Who::Anybody),
    ("GET", "/devices", Who::SignedIn),
    ("POST", "/devices", Who::SignedIn),
    ("GET", "/devices/new", Who::SignedIn),
    ("POST", "/devices/new", Who::SignedIn),
    ("POST", "/devices/{id}/remove", Who::SignedIn),
    ("GET", "/ended", Who::Anybody),
    ("GET", "/leave", Who::Anybody),
    ("POST", "/sign-out", Who::Anybody),
    ("GET", "/role", Who::SignedIn),
    ("POST", "/role", Who::SignedIn),
    ("GET", "/", Who::SignedIn),
    ("GET", "/help", Who::Anybody),
    ("GET", "/monday", Who::Only(WORKS_THE_QUEUE)),
    ("GET", "/monday/{id}", Who::Only(WORKS_THE_QUEUE)),
    ("POST", "/monday/{id}", Who::Only(WORKS_THE_QUEUE)),
    ("GET", "/log-entries", Who::Only(READS_THE_LOG)),
    ("POST", "/log-entries", Who::Only(READS_THE_LOG)),
    ("GET", "/log-export", Who::Only(READS_THE_LOG)),
    ("GET", "/log-export/part", Who::Only(READS_THE_LOG)),
    ("GET", "/log-entries/{id}", Who::Only(READS_THE_LOG)),
    ("GET", "/log-entries/{id}/proof", Who::Only(READS_THE_LOG)),
    (
        "POST",
        "/log-entries/{id}/seal",
        Who::Only(&[Role::IgOfficer]),
    ),
    (
        "POST",
        "/log-entries/{id}/whom",
        Who::Only(&[Role::IgOfficer]),
    ),
    ("GET", "/flags", Who::Only(&[Role::IgOfficer])),
    ("POST", "/flags", Who::Only(&[Role::IgOfficer])),
    ("GET", "/figures", Who::Only(READS_THE_LOG)),
    ("GET", "/subject-report", Who::Only(REPORTS)),
    ("POST", "/subject-report", Who::Only(REPORTS)),
    ("GET", "/proposals", Who::Only(SEES_PROPOSALS)),
    ("POST", "/proposals/{id}/approve", Who::Only(GOVERNS)),
    ("GET", "/propose", Who::Only(GOVERNS)),
    ("GET", "/propose/{id}", Who::Only(GOVERNS)),
    ("POST", "/propose/{id}", Who::Only(GOVERNS)),
    ("GET", "/state", Who::Only(GOVERNS)),
    ("GET", "/renew", Who::Only(ADMINISTERS)),
    ("POST", "/renew", Who::Only(ADMINISTERS)),
    ("POST", "/renew/file", Who::Only(ADMINISTERS)),
    ("GET", "/services", Who::Only(&[Role::OrgAdmin])),
    ("GET", "/services/{id}", Who::Only(&[Role::OrgAdmin])),
    ("POST", "/services/{id}", Who::Only(&[Role::OrgAdmin])),
    ("GET", "/take-away", Who::Only(GOVERNS)),
    ("GET", "/take-away/{id}", Who::Only(GOVERNS)),
    ("POST", "/take-away/{id}", Who::Only(GOVERNS)),
    ("GET", "/new", Who::Only(SENDS)),
    ("POST", "/new", Who::Only(SENDS)),
    ("GET", "/new/{id}/note", Who::Only(SENDS)),
    ("POST", "/new/{id}/note", Who::Only(SENDS)),
    ("POST", "/held/{id}", Who::Only(SENDS)),
    ("GET", "/sent", Who::Only(SENDS)),
    ("GET", "/sent/{id}", Who::Only(SENDS)),
    ("GET", "/sent/{id}/update", Who::Only(SENDS)),
    ("POST", "/sent/{id}/update", Who::Only(SENDS)),
    ("GET", "/inbox", Who::Only(RECEIVES)),
    ("GET", "/accepted", Who::Only(RECEIVES)),
    ("GET", "/inbox/{id}", Who::Only(RECEIVES)),
    ("GET", "/inbox/{id}/answer", Who::Only(RECEIVES)),
    ("POST", "/inbox/{id}/accept", Who::Only(RECEIVES)),
    ("POST", "/inbox/{id}/decline", Who::Only(RECEIVES)),
    ("POST", "/inbox/{id}/wait", Who::Only(RECEIVES)),
    ("GET", "/inbox/{id}/file", Who::Only(RECEIVES)),
    ("GET", "/inbox/{id}/close", Who::Only(RECEIVES)),
    ("POST", "/inbox/{id}/close", Who::Only(RECEIVES)),
    ("GET", "/inbox/{id}/back", Who::Only(RECEIVES)),
    ("POST", "/inbox/{id}/back", Who::Only(RECEIVES)),
    ("GET", "/inbox/{id}/update", Who::Only(RECEIVES)),
    ("POST", "/inbox/{id}/update", Who::Only(RECEIVES)),
    ("GET", "/inbox/{id}/move", Who::Only(MOVES)),
    ("POST", "/inbox/{id}/move", Who::Only(MOVES)),
    ("GET", "/ask", Who::Only(SUPPORT)),
    ("POST", "/ask", Who::Only(SUPPORT)),
    ("GET", "/ask/{id}", Who::Only(SUPPORT)),
    ("POST", "/ask/{id}", Who::Only(SUPPORT)),
    ("POST", "/ask/used", Who::Only(SUPPORT)),
    ("POST", "/ask/{id}/used", Who::Only(SUPPORT)),
    ("GET", "/record", Who::Only(SUPPORT)),
    ("POST", "/record", Who::Only(SUPPORT)),
    ("GET", "/record/{id}", Who::Only(SUPPORT)),
    ("POST", "/record/{id}", Who::Only(SUPPORT)),
    ("GET", "/recorded/{id}", Who::Only(SUPPORT)),
    ("POST", "/recorded/{id}", Who::Only(SUPPORT)),
    ("GET", "/stop", Who::Only(MEETS_HER)),
    ("POST", "/stop", Who::Only(MEETS_HER)),
    ("GET", "/stop/{id}", Who::Only(MEETS_HER)),
    ("POST", "/stop/{id}", Who::Only(MEETS_HER)),
    ("GET", "/stopped/{id}", Who::Only(MEETS_HER)),
    ("POST", "/stopped/{id}", Who::Only(MEETS_HER)),
    ("GET", "/notices", Who::Only(RECORDS_CONSENT)),
    ("GET", "/notices/{id}", Who::Only(RECORDS_CONSENT)),
    ("POST", "/notices/{id}", Who::Only(RECORDS_CONSENT)),
    ("GET", "/consents", Who::Only(READS_CONSENTS)),
    ("POST", "/consents/{id}", Who::Only(READS_CONSENTS)),
    ("GET", "/consent/{id}", Who::Only(RECORDS_CONSENT)),
    ("POST", "/consent/{id}", Who::Only(RECORDS_CONSENT)),
    ("GET", "/emergency", Who::Only(&[Role::EdSenior])),
    ("POST", "/emergency", Who::Only(&[Role::EdSenior])),
    ("GET", "/emergencies", Who::Only(&[Role::EdSenior])),
    ("GET", "/emergencies/{id}", Who::Only(&[Role::EdSenior])),
    ("POST", "/emergencies/{id}", Who::Only(&[Role::EdSenior])),
    ("GET", "/card/{id}", Who::Only(GIVES_CARDS)),
    ("POST", "/card/{id}", Who::Only(GIVES_CARDS)),
    ("GET", "/subject-access", Who::Only(ANSWERS_HER)),
    ("GET", "/subject-access/new", Who::Only(TAKES_HER_REQUEST)),
    ("POST", "/subject-access/new", Who::Only(TAKES_HER_REQUEST)),
    ("GET", "/subject-access/{id}", Who::Only(ANSWERS_HER)),
    (
        "POST",
        "/subject-access/{id}/step",
        Who::Only(TAKES_HER_REQUEST),
    ),
    ("POST", "/subject-access/{id}/reply", Who::Only(ANSWERS_HER)),
    (
        "GET",
        "/subject-access/{id}/deliver",
        Who::Only(GUARDS_HER_RIGHTS),
    ),
    (
        "POST",
        "/subject-access/{id}/deliver",
        Who::Only(GUARDS_HER_RIGHTS),
    ),
    (
        "POST",
        "/subject-access/{id}/redact",
        Who::Only(ANSWERS_HER),
    ),
];

const WORKS_THE_QUEUE: &[Role] = &[Role::IgOfficer, Role::Caldicott, Role::Reviewer];
const READS_THE_LOG: &[Role] = &[Role::IgOfficer, Role::Reviewer];
const REPORTS: &[Role] = &[Role::IgOfficer, Role::Caldicott, Role::Dpo, Role::Reviewer];
const GOVERNS: &[Role] = &[Role::IgOfficer, Role::OrgAdmin, Role::OperatorAdmin];
const ADMINISTERS: &[Role] = &[Role::OrgAdmin, Role::OperatorAdmin];
const SEES_PROPOSALS: &[Role] = &[
    Role::IgOfficer,
    Role::OrgAdmin,
    Role::OperatorAdmin,
    Role::Reviewer,
];

/// The people of the town, each in her role.
pub const PEOPLE: [(&str, Role); 8] = [
    ("met-browser", Role::Officer),
    ("larkfield-browser", Role::Adviser),
    ("st-hildas-browser", Role::EdSenior),
    ("larkfield-ig", Role::IgOfficer),
    ("larkfield-admin", Role::OrgAdmin),
    ("st-hildas-caldicott", Role::Caldicott),
    ("operator", Role::OperatorAdmin),
    ("reviewer", Role::Reviewer),
];

impl Who {
    pub fn admits(self, role: Role, signed_in: bool) -> bool {
        match self {
            Self::Anybody => true,
            Self::SignedIn => signed_in,
            Self::Only(roles) => signed_in && roles.contains(&role),
        }
    }
}

/// The path with an id in it that nothing has.
pub fn named(path: &str) -> String {
    path.replace("{id}", "4ZQ5V3X0Y7N8M2K1J6H9G0FEDC")
}

#[test]
fn every_page_stands_in_the_table_with_those_whom_it_is_for() {
    let declared = web::declared();
    let ours: BTreeSet<(&str, &str)> = PAGES
        .iter()
        .map(|(method, path, _)| (*method, *path))
        .collect();
    let theirs: BTreeSet<(&str, &str)> = declared
        .iter()
        .map(|page| (page.method.as_str(), page.path))
        .collect();
    assert_eq!(
        theirs, ours,
        "add a page's row to PAGES, with whom it is for"
    );
    assert_eq!(ours.len(), PAGES.len(), "a row stands twice");
    for (method, path, who) in PAGES {
        let page = declared
            .iter()
            .find(|page| page.method == *method && page.path == *path)
            .unwrap();
        for role in Role::ALL {
            for signed_in in [false, true] {
                let open = page.whom.is_open_to(*role, signed_in);
                let meant = who.admits(*role, signed_in);
                assert_eq!(open, meant, "{method} {path} {}", role.code());
            }
        }
        if let For::Roles(roles) = page.whom {
            assert!(!roles.is_empty(), "{method} {path} is for nobody");
        }
    }
}

/// Every page for every role of the town, by link and by typing its address, signed in and not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_opens_for_its_roles_and_for_nobody_else() {
    let town = Town::start().await;
    let mut asked = JoinSet::new();
    // As many at once as a borough's busiest minute; not all thousand.
    let turns = Arc::new(Semaphore::new(16));
    for (bundle, role) in PEOPLE {
        let mut outside = Visitor::arrive(&town, bundle).await;
        let mut inside = Visitor::sign_in(&town, bundle).await;
        let outer = outside.get("/sign-in").await.mark().unwrap();
        let inner = inside.get("/role").await.mark().unwrap();
        for (visitor, mark, signed_in) in [(outside, outer, false), (inside, inner, true)] {
            for (method, path, who) in PAGES {
                let (mut visitor, mark) = (visitor.clone(), mark.clone());
                let open = who.admits(role, signed_in);
                let everybody = matches!(who, Who::Anybody);
                let turns = turns.clone();
                asked.spawn(async move {
                    let _turn = turns.acquire().await.unwrap();
                    let at = named(path);
                    let seen = match *method {
                        "GET" => visitor.get(&at).await,
                        _ => visitor.post_with(&mark, &at, &[]).await,
                    };
                    let says = format!(
                        "{method} {path} as {} signed in: {signed_in}: {} {}",
                        role.code(),
                        seen.status,
                        seen.text
                    );
                    match (open, signed_in) {
                        (false, false) => {
                            assert_eq!(seen.status, 401, "{says}");
                            assert_eq!(seen.heading(), "Sign in", "{says}");
                        }
                        (false, true) => {
                            assert_eq!(seen.status, 403, "{says}");
                            assert!(seen.text.contains("Your role does not do this"), "{says}");
                        }
                        (true, _) => {
                            assert!(seen.status < 500, "{says}");
                            // A wrong code is refused in this way too.
                            let barred = matches!(seen.status, 401 | 403);
                            assert!(!barred || everybody, "{says}");
                        }
                    }
                    assert!(seen.length < 100_000, "{says}");
                });
            }
        }
    }
    while let Some(done) = asked.join_next().await {
        done.unwrap();
    }
    town.stop().await;
}

/// The headers of every page and asset, each exactly (`page.rs`).
pub const HEADERS: [(&str, &str); 8] = [
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
         connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "same-origin"),
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), publickey-credentials-get=(self)",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_framed_sniffed_or_fetched_from_elsewhere() {
    let town = Town::start().await;
    let mut visitor = Visitor::sign_in(&town, "larkfield-browser").await;
    let mut paths: Vec<String> = PAGES
        .iter()
        .filter(|(method, _, _)| *method == "GET")
        .map(|(_, path, _)| named(path))
        .collect();
    let assets = web::page::ASSETS.map(|asset| asset.path.to_owned());
    paths.extend(assets);
    paths.push("/no-such-page".to_owned());
    for path in paths {
        let seen = visitor.clone().get(&path).await;
        for (name, value) in HEADERS {
            assert_eq!(seen.header(name), value, "{path}");
            assert_eq!(
                seen.headers.get_all(name).iter().count(),
                1,
                "{path} {name}"
            );
        }
        for cookie in seen.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.starts_with("__Host-"), "{path} {cookie}");
            for part in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
                assert!(cookie.contains(part), "{path} {cookie}");
            }
            assert!(!cookie.contains("Domain"), "{path} {cookie}");
        }
        if !path.starts_with("/assets/") {
            // Nothing that the policy would forbid, and nothing from another place.
            for forbidden in [
                "style=",
                "<style",
                " onclick",
                " onload",
                "javascript:",
                "src=\"http",
            ] {
                assert!(!seen.html.contains(forbidden), "{path} {forbidden}");
            }
            assert_eq!(
                seen.html.matches("<h1").count(),
                usize::from(seen.status != 303),
                "{path}"
            );
            assert_eq!(seen.length % (16 * 1024), 0, "{path}");
        }
    }
    // Who signs out is told nothing more, and her browser keeps nothing.
    visitor.get("/").await;
    let out = visitor.post("/sign-out", &[]).await;
    assert_eq!(out.header("clear-site-data"), "\"cache\", \"storage\"");
    assert!(visitor.cookies.is_empty());
    assert_eq!(visitor.get("/").await.status, 401);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_counts_only_from_our_own_page_for_the_person_it_was_given_to() {
    let town = Town::start().await;
    let mut adviser = Visitor::sign_in(&town, "larkfield-browser").await;
    let mut officer = Visitor::sign_in(&town, "met-browser").await;
    let own = adviser.get("/role").await.mark().unwrap();
    let another = officer.get("/role").await.mark().unwrap();
    let (peer, user) = holder(&town, "larkfield-browser");
    let forms = town.running.app.gateway.rules.load().keys.forms;
    let given = |when: When| FormToken::issue(&forms, &peer, &user, when, Id::drawn([7; 16]));
    let marks = [
        ("none", String::new()),
        ("anything", "x".repeat(75)),
        ("another person's", another),
        ("13 hours old", given(now().plus_hours(-13))),
        ("of a later time", given(now().plus_hours(1))),
    ];
    for (which, mark) in marks {
        let seen = adviser
            .post_with(&mark, "/role", &[("role", "adviser")])
            .await;
        assert_eq!(seen.status, 403, "{which}: {}", seen.text);
        assert!(
            seen.text.contains("did not come from our own page"),
            "{}",
            seen.text
        );
        assert!(seen.text.contains("Code to read aloud"), "{}", seen.text);
    }
    // The test's own way of making a mark is the gateway's.
    let lately = given(now().plus_hours(-11));
    let seen = adviser
        .post_with(&lately, "/role", &[("role", "adviser")])
        .await;
    assert_eq!(seen.status, 303, "{}", seen.text);

    // A right mark from another site, or from a page that does not say where it comes from.
    let ours = format!("https://localhost:{}", town.address().port());
    let other_port = "https://localhost:1".to_owned();
    let evil = "https://evil.example".to_owned();
    let (same, cross) = ("same-origin", "cross-site");
    for (origin, site, status) in [
        (ours.as_str(), same, 303),
        (ours.as_str(), cross, 403),
        (ours.as_str(), "same-site", 403),
        (evil.as_str(), cross, 403),
        (evil.as_str(), same, 403),
        (other_port.as_str(), same, 403),
        ("null", same, 403),
    ] {
        let headers = [("origin", origin), ("sec-fetch-site", site)];
        let body = encoded(&[("form", own.as_str()), ("role", "adviser")]);
        let seen = adviser.send_from(&headers, "/role", body).await;
        assert_eq!(seen.status, status, "{origin} {site}: {}", seen.text);
    }
    town.stop().await;
}

/// Whose certificate a bundle holds, as the gateway sees it.
fn holder(town: &Town, bundle: &str) -> (Peer, UserName) {
    let pem = fs::read(town.bundle(bundle).join("client.pem")).unwrap();
    let certificate = openssl::x509::X509::from_pem(&pem).unwrap();
    let key = certificate
        .public_key()
        .unwrap()
        .public_key_to_der()
        .unwrap();
    let names = certificate.subject_alt_names().unwrap();
    let uri = names.iter().find_map(|name| name.uri()).unwrap();
    let name = SpiffeName::parse(uri, TRUST_DOMAIN).unwrap();
    let user = UserName::parse(name.user.as_ref().unwrap().as_str()).unwrap();
    let peer = Peer::assertion(name, Sha256::digest(&key).into(), now().plus_days(1));
    (peer, user)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_after_ten_idle_minutes_and_serves_no_other_certificate() {
    let town = Town::start().await;
    let mut adviser = Visitor::arrive(&town, "larkfield-browser").await;
    let mut officer = Visitor::arrive(&town, "met-browser").await;
    let (peer, user) = holder(&town, "larkfield-browser");
    let key = town.running.app.gateway.rules.load().keys.session;
    let used = |minutes: i64| {
        let when = now().plus_millis(-minutes * 60_000);
        Session::issue(&key, &peer, &user, when)
    };
    let cookie = "__Host-session".to_owned();

    adviser.cookies.insert(cookie.clone(), used(9));
    let seen = adviser.get("/").await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    // Each page is use, and says to the browser when to take itself off the screen.
    assert_ne!(adviser.cookies[&cookie], used(9));
    assert_eq!(seen.header("refresh"), "600; url=/ended");
    let still = adviser.cookies[&cookie].clone();

    adviser.cookies.insert(cookie.clone(), used(10));
    let seen = adviser.get("/").await;
    assert_eq!((seen.status, seen.heading().as_str()), (401, "Sign in"));
    assert!(seen.header("refresh").is_empty());
    let ended = adviser.get("/ended").await;
    assert!(
        ended.text.contains("You have been signed out"),
        "{}",
        ended.text
    );
    assert!(adviser.cookies.is_empty());

    // Her cookie in another hand is none.
    officer.cookies.insert(cookie.clone(), still.clone());
    assert_eq!(officer.get("/").await.status, 401);
    adviser.cookies.insert(cookie, still);
    assert_eq!(adviser.get("/").await.status, 200);
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_opens_one_session_however_often_its_form_is_sent() {
    let town = Town::start().await;
    let mut visitor = Visitor::arrive(&town, "larkfield-browser").await;
    let mark = visitor.get("/sign-in").await.mark().unwrap();
    let wrong = visitor
        .post_with(&mark, "/sign-in", &[("code", "000000")])
        .await;
    assert!(
        matches!(wrong.status, 401 | 403 | 422),
        "{} {}",
        wrong.status,
        wrong.text
    );
    assert!(wrong.text.contains("There is a problem"), "{}", wrong.text);
    assert!(visitor.cookies.is_empty());
    // A code is typed with a blank in its middle, as the phone shows it.
    let code = town.borough.code("larkfield-browser").unwrap();
    let (head, tail) = code.split_at(3);
    let code = format!("{head} {tail}");
    let mark = wrong.mark().unwrap();
    let seen = visitor
        .post_with(&mark, "/sign-in", &[("code", &code)])
        .await;
    assert_eq!(seen.status, 303, "{}", seen.text);
    let mut second = Visitor::arrive(&town, "larkfield-browser").await;
    let again = second
        .post_with(&mark, "/sign-in", &[("code", &code)])
        .await;
    assert_ne!(again.status, 303, "{}", again.text);
    assert!(second.cookies.is_empty());
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_leads_to_no_other_site() {
    let town = Town::start().await;
    let mut visitor = Visitor::arrive(&town, "larkfield-browser").await;
    let seen = visitor.get("/role").await;
    assert_eq!(seen.status, 401);
    let hidden = seen.hidden("/sign-in");
    assert!(hidden.iter().any(|(name, _)| name == "then"), "{hidden:?}");
    let people = [
        "larkfield-browser",
        "met-browser",
        "st-hildas-browser",
        "larkfield-ig",
    ];
    let people = people
        .iter()
        .chain(&["st-hildas-caldicott", "operator", "reviewer", "met-ig"]);
    let elsewhere = [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/ok\r\nset-cookie: a=b",
        "evil.example",
    ];
    for (bundle, then) in people.zip(elsewhere) {
        let mut visitor = Visitor::arrive(&town, bundle).await;
        visitor.get("/sign-in").await;
        let code = town.borough.code(bundle).unwrap();
        let fields = [("code", code.as_str()), ("then", then)];
        let seen = visitor.post("/sign-in", &fields).await;
        let went = (seen.status, seen.goes_to());
        assert_eq!(went, (303, "/?devices=one"), "{then:?}");
        assert!(
            seen.headers.get_all("set-cookie").iter().count() <= 1,
            "{then:?}"
        );
    }
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_no_person_of_ours_is_told_so_in_words() {
    let town = Town::start().await;
    let mut system = Visitor::arrive(&town, "larkfield").await;
    for path in ["/", "/sign-in"] {
        let seen = system.get(path).await;
        assert_eq!(seen.status, 403);
        assert!(
            seen.text.contains("The pages are for people"),
            "{}",
            seen.text
        );
        assert!(seen.text.contains("call 999"), "{}", seen.text);
    }
    // What the pages stand beside is its own as before.
    assert_eq!(town.desk("larkfield").await.get("/v1/me").await.status, 200);

    let stranger = format!("spiffe://{TRUST_DOMAIN}/org/larkfield/team/advice/user/nobody");
    let mut stranger = Visitor {
        desk: town.desk_of(town.tls_for(&stranger), None).await,
        ..system.clone()
    };
    let seen = stranger.get("/").await;
    assert_eq!(seen.status, 401);
    assert!(
        seen.text
            .contains("Your certificate is out of date or not known here")
    );
    town.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_is_none_is_answered_in_words_and_logged() {
    let town = Town::start().await;
    let mut visitor = Visitor::sign_in(&town, "larkfield-browser").await;
    let before = town.leaves();
    let seen = visitor.get("/admin").await;
    assert_eq!(
        (seen.status, seen.heading().as_str()),
        (404, "There is no such page")
    );
    let seen = visitor
        .ask(Method::DELETE, "/role", &[], String::new())
        .await;
    assert_eq!(seen.status, 405, "{}", seen.text);
    assert_eq!(town.leaves(), before + 2);
    town.stop().await;
}
