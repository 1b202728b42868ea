//! Words that a browser would run, in each field of each form that anybody is led to: what comes back,
//! and every page afterwards, shows them and runs nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use firedoor::domain::codes::Role;
use tokio::task::JoinSet;

use crate::pages::{PAGES, PEOPLE, Seen, Visitor, encoded};
use crate::pages_attacks::{HOSTILE, INERT, form_of, full_town, runs_nothing};
use crate::town::Town;

/// Pages of one form that are looked at.
const OF_A_FORM: usize = 2;

/// Forms to which nobody of this town is led: they stand below what was done, or are of what did not
/// happen here. In none of them is anything typed.
const NOT_LED_TO: [&str; 13] = [
    "/ask/used",
    "/ask/{id}/used",
    "/consents/{id}",
    "/devices/{id}/remove",
    "/drafts/{id}/erase",
    "/held/{id}",
    "/notices/{id}",
    "/recorded/{id}",
    "/renew/file",
    "/sign-in/passkey",
    "/sign-out",
    "/stopped/{id}",
    "/subject-access/{id}/redact",
];

/// A form as it stands in a page.
#[derive(Clone, Debug)]
struct Form {
    /// Where it was met.
    page: String,
    action: String,
    is_post: bool,
    fields: Vec<Field>,
}

#[derive(Clone, Debug)]
struct Field {
    name: String,
    is_text: bool,
    /// What is sent if nothing is typed; of a choice the first.
    value: String,
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("&quot;", "\"").replace("&amp;", "&"))
}

/// The forms of a page, in HTML as we write it.
fn forms(page: &str, seen: &Seen) -> Vec<Form> {
    let pieces = seen.html.split("<form").skip(1);
    let forms = pieces.filter_map(|piece| {
        let (tag, inner) = piece.split("</form>").next()?.split_once('>')?;
        let mut fields: Vec<Field> = Vec::new();
        for part in inner.split('<').skip(1) {
            let (tag, _) = part.split_once('>').unwrap_or((part, ""));
            let Some(name) = attribute(tag, "name") else {
                // The first choice of a list that is not "none of these".
                if let (Some(value), Some(list)) = (attribute(tag, "value"), fields.last_mut())
                    && tag.starts_with("option")
                    && list.value.is_empty()
                {
                    list.value = value;
                }
                continue;
            };
            if fields.iter().any(|field| field.name == name) {
                continue;
            }
            let kind = attribute(tag, "type").unwrap_or_default();
            let is_choice = tag.starts_with("select")
                || tag.starts_with("button")
                || matches!(kind.as_str(), "radio" | "checkbox" | "hidden" | "submit");
            fields.push(Field {
                name,
                is_text: !is_choice,
                value: attribute(tag, "value").unwrap_or_default(),
            });
        }
        Some(Form {
            page: page.to_owned(),
            action: attribute(tag, "action")?,
            is_post: attribute(tag, "method").as_deref() == Some("post"),
            fields,
        })
    });
    forms.collect()
}

fn fits(known: &str, path: &str) -> bool {
    let (known, path) = (known.split('/'), path.split('/'));
    known.clone().count() == path.clone().count()
        && known
            .zip(path)
            .all(|(known, said)| known == said || known == "{id}")
}

impl Form {
    /// Forms that differ in a name of their address alone are one.
    fn key(&self) -> String {
        let path = self.action.split('?').next().unwrap_or_default();
        let method = if self.is_post { "POST" } else { "GET" };
        let own = PAGES.iter().filter(|(known, ..)| *known == method);
        let mut known: Vec<&str> = own.map(|(_, known, _)| *known).collect();
        // What has no name in it goes first: `/devices/new` is no device.
        known.sort_by_key(|known| known.matches('{').count());
        let fits = known.into_iter().find(|known| fits(known, path));
        format!("{method} {}", fits.unwrap_or(path))
    }

    /// Filled in: with the words in each field, or only where something is typed.
    fn filled(&self, everywhere: bool) -> Vec<(&str, &str)> {
        let fields = self.fields.iter();
        fields
            .map(|field| {
                let is_mark = field.name == "form";
                let hostile = field.is_text || (everywhere && !is_mark);
                let value = if hostile { HOSTILE } else { &field.value };
                (field.name.as_str(), value)
            })
            .collect()
    }
}

/// Sends one form; whether the words came back.
async fn send(visitor: &mut Visitor, form: &Form, everywhere: bool) -> bool {
    let fields = form.filled(everywhere);
    let seen = if form.is_post {
        visitor.post(&form.action, &fields).await
    } else {
        let path = form.action.split('?').next().unwrap_or_default();
        visitor.get(&format!("{path}?{}", encoded(&fields))).await
    };
    let says = format!("{} {} on {}", visitor.bundle, form.key(), form.page);
    assert!(seen.status < 500, "{says}: {}", seen.status);
    if seen.header("content-type").starts_with("text/html") {
        runs_nothing(&seen, &says);
    }
    seen.html.contains(INERT)
}

/// Goes wherever the links of a person's pages lead.
async fn walk(visitor: &mut Visitor, role: Role, case: Option<&str>) -> Vec<Form> {
    let pages = PAGES.iter().filter(|(method, path, who)| {
        let addressed = *method == "GET" && !path.contains('{');
        addressed && !matches!(*path, "/leave" | "/ended") && who.admits(role, true)
    });
    let mut ahead: VecDeque<String> = pages.map(|(_, path, _)| (*path).to_owned()).collect();
    ahead.extend(case.map(str::to_owned));
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    let mut known: BTreeSet<String> = ahead.iter().cloned().collect();
    let mut found: BTreeMap<String, Form> = BTreeMap::new();
    while let Some(path) = ahead.pop_front() {
        let seen = visitor.get(&path).await;
        let says = format!("{} at {path}", visitor.bundle);
        assert!(seen.status < 500, "{says}: {}", seen.status);
        if seen.header("content-type").starts_with("text/html") {
            runs_nothing(&seen, &says);
        }
        for form in forms(&path, &seen) {
            found.entry(form.key()).or_insert(form);
        }
        for (to, _) in seen.links() {
            let to = to.split('#').next().unwrap().to_owned();
            let ours = to.starts_with('/') && !matches!(to.as_str(), "/leave" | "/ended");
            let form = form_of(to.split('?').next().unwrap());
            let many = met.entry(form).or_default();
            if ours && *many < OF_A_FORM && known.insert(to.clone()) {
                *many += 1;
                ahead.push_back(to);
            }
        }
    }
    found.into_values().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_in_any_field_of_any_form_are_shown_and_never_run() {
    let town = Town::start().await;
    let case = full_town(&town).await;
    let mut walking = JoinSet::new();
    for (bundle, role) in PEOPLE {
        let mut visitor = Visitor::sign_in(&town, bundle).await;
        let case = (bundle == "larkfield-browser").then(|| case.clone());
        walking.spawn(async move {
            let found = walk(&mut visitor, role, case.as_deref()).await;
            (visitor, role, found)
        });
    }
    let mut people = walking.join_all().await;
    people.sort_by(|(one, ..), (other, ..)| one.bundle.cmp(&other.bundle));
    let (mut sent, mut echoed) = (BTreeSet::new(), BTreeSet::new());
    // Whoever is not signed in yet is asked for a code.
    let mut stranger = Visitor::arrive(&town, "met-browser").await;
    let seen = stranger.get("/sign-in").await;
    for form in forms("/sign-in", &seen) {
        stranger.get("/sign-in").await;
        send(&mut stranger, &form, false).await;
        sent.insert(form.key());
    }
    // A new device is named first, and then shown to work.
    let mut adder = people[0].0.clone();
    adder.get("/devices").await;
    let named = [("name", "work laptop"), ("kind", "authenticator_app")];
    adder.post("/devices", &named).await;
    let seen = adder.follow().await;
    let confirms = forms("/devices/new", &seen);
    for form in confirms
        .into_iter()
        .filter(|form| form.action == "/devices/new")
    {
        adder.get("/devices/new").await;
        send(&mut adder, &form, false).await;
        sent.insert(form.key());
    }
    // First what cannot be right, then what may be taken: that changes the town.
    for everywhere in [true, false] {
        let mut done = BTreeSet::new();
        for (visitor, _, found) in &mut people {
            for form in found.iter() {
                let is_end = matches!(form.action.as_str(), "/leave" | "/sign-out");
                if is_end || (!everywhere && form.fields.iter().all(|field| !field.is_text)) {
                    continue;
                }
                // One person's form is another's.
                if !done.insert(form.key()) {
                    continue;
                }
                visitor.get(&form.page).await;
                if send(visitor, form, everywhere).await {
                    echoed.insert(form.key());
                }
                sent.insert(form.key());
            }
        }
    }
    println!(
        "sent {}, shown again {}: {echoed:?}",
        sent.len(),
        echoed.len()
    );
    let posts = PAGES.iter().filter(|(method, ..)| *method == "POST");
    let posts: BTreeSet<&str> = posts.map(|(_, path, _)| *path).collect();
    let missed: Vec<&str> = posts
        .into_iter()
        .filter(|path| !sent.contains(&format!("POST {path}")))
        .collect();
    assert_eq!(missed, NOT_LED_TO, "forms to which nobody is led");
    assert!(echoed.len() >= 8, "{echoed:?}");
    // What was taken is shown again to whoever may see it.
    let mut again = JoinSet::new();
    for (mut visitor, role, _) in people {
        let case = case.clone();
        again.spawn(async move { walk(&mut visitor, role, Some(&case)).await });
    }
    again.join_all().await;
    town.stop().await;
}
