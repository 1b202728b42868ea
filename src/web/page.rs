//! What every page shares: its frame, its headers, its size and its moment.
//!
//! The title in the tab and in the history says nothing about anybody, nothing is kept in a cache, and
//! nothing is fetched from anywhere else. A page is filled up to a multiple of 16 KiB and leaves at the
//! boundary, like every reply (P5).

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use zeroize::Zeroizing;

use super::form::{Errors, element};
use super::home;
use super::renew;
use super::visit::{Reply, Visit};
use super::words::say;
use crate::domain::codes::Role;
use crate::domain::session::SESSION_IDLE_MINUTES;
use crate::edge::http::App;
use crate::edge::http::reply::{REPLY_BYTES_STEP, boundary};

/// Where someone who must leave at once is taken: what anybody might look at.
const ELSEWHERE: &str = "https://www.bbc.co.uk/weather";

/// Nothing but what is ours, no frame around it, no form to anywhere else (CSP Level 3).
const CONTENT_SECURITY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; \
     base-uri 'none'";

/// On every page and asset.
const HEADERS: [(&str, &str); 8] = [
    ("cache-control", "no-store"),
    ("content-security-policy", CONTENT_SECURITY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    // Not `no-referrer`: a browser would then send `Origin: null` with our own forms.
    ("referrer-policy", "same-origin"),
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), publickey-credentials-get=(self)",
    ),
];

/// A file that pages are dressed with. It is the same for everybody.
#[derive(Clone, Copy)]
pub struct Asset {
    pub path: &'static str,
    kind: &'static str,
    pub text: &'static str,
}

pub const ASSETS: [Asset; 3] = [
    Asset {
        path: "/assets/style.css",
        kind: "text/css; charset=utf-8",
        text: include_str!("assets/style.css"),
    },
    Asset {
        path: "/assets/page.js",
        kind: "text/javascript; charset=utf-8",
        text: include_str!("assets/page.js"),
    },
    Asset {
        path: "/assets/mark.svg",
        kind: "image/svg+xml",
        text: include_str!("assets/mark.svg"),
    },
];

pub const NO_CERTIFICATE: &str = "Your certificate is out of date or not known here. Ask the person \
     who gave it to you for a new one.";
pub const FOR_PEOPLE: &str = "This certificate belongs to a system. The pages are for people: use \
     your own certificate.";

/// What is shown, and how.
pub struct Page {
    pub status: u16,
    /// In the tab and the history: a word that tells nothing about anybody.
    pub tab: &'static str,
    pub body: Markup,
    /// Where to go instead of looking.
    pub goes_to: Option<String>,
    /// The session ends with this page.
    pub signs_out: bool,
    /// The role that she works in from now on.
    pub role: Option<Role>,
    /// A file to be kept, in place of a page: its name and kind.
    pub file: Option<(String, &'static str)>,
    /// What is in it, if that is no text.
    bytes: Option<Zeroizing<Vec<u8>>>,
    /// How long it may stay on a screen at which nobody does anything.
    pub stays_minutes: i64,
}

impl Page {
    pub fn new(tab: &'static str, body: Markup) -> Self {
        Self {
            status: 200,
            tab,
            body,
            goes_to: None,
            signs_out: false,
            role: None,
            file: None,
            bytes: None,
            stays_minutes: SESSION_IDLE_MINUTES,
        }
    }

    /// The same page with another status: 422 for a form that comes back.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// After an act, to where its result is seen: no form is sent again by looking again.
    pub fn go(path: &str) -> Self {
        let mut page = Self::new("Messages", html! {});
        page.status = 303;
        page.goes_to = Some(path.to_owned());
        page
    }

    /// A file for the reader's own system, such as `case.json`.
    pub fn file(name: &str, kind: &'static str, text: String) -> Self {
        let mut page = Self::new("Messages", PreEscaped(text));
        page.file = Some((name.to_owned(), kind));
        page
    }

    /// The same for one that is no text. Nothing is added to it: whoever reads such a file may take it
    /// for damaged, and its size depends on nobody who is helped.
    pub fn bytes(name: &'static str, kind: &'static str, bytes: Zeroizing<Vec<u8>>) -> Self {
        let mut page = Self::file(name, kind, String::new());
        page.bytes = Some(bytes);
        page
    }
}

/// A page as it leaves.
pub struct Whole {
    status: u16,
    kind: &'static str,
    bytes: Vec<u8>,
    /// What fills it up to the next step, if anything may (P5).
    filler: Option<u8>,
    headers: Vec<(&'static str, String)>,
}

/// The form around fields: where it goes, and the mark that it was given out here.
pub fn form(visit: &Visit, action: &str, inner: &Markup) -> Markup {
    html! {
        form method="post" action=(action) novalidate autocomplete="off" {
            input type="hidden" name="form" value=(visit.token());
            (inner)
        }
    }
}

/// A button that does one thing.
pub fn button(visit: &Visit, action: &str, label: &str) -> Markup {
    form(visit, action, &html! { button { (label) } })
}

/// How much of long work is done: "12% counted", and a bar. Never 100 before it is all.
pub fn progress(word: &str, of: u64, all: u64) -> Markup {
    let percent = u128::from(of) * 100 / u128::from(all.max(1));
    html! {
        p {
            (percent) "% " (word) " "
            progress max=(all) value=(of) aria-label=(format!("How much is {word}")) {}
        }
    }
}

/// What is wrong with a form, above it: each with a link to its field.
pub fn summary(errors: &Errors) -> Markup {
    html! {
        @if !errors.is_empty() {
            div.summary role="alert" tabindex="-1" id="summary" {
                h2 { "There is a problem" }
                ul {
                    @for (field, message) in &errors.0 {
                        li { a href=(format!("#{}", element(field))) { (message) } }
                    }
                }
            }
        }
    }
}

/// What the API did not do, in its words: above a form that comes back.
pub fn trouble(reply: &Reply) -> Markup {
    let errors = reply.errors();
    html! {
        @if errors.is_empty() {
            div.summary role="alert" tabindex="-1" id="summary" {
                h2 { "This was not done" }
                p { (reply.says()) }
            }
        } @else { (summary(&errors)) }
    }
}

/// The uniform answer, in the API's own words (P5).
pub fn nothing(reply: &Reply) -> Markup {
    html! { div.notice { p { (reply.text("/says")) } } }
}

/// The API refused, and there is no form to come back to.
pub fn refused(reply: Reply) -> Page {
    let heading = match reply.status {
        404 => "There is no such page",
        429 => "Please wait a moment",
        _ => "This can not be shown",
    };
    let says = match reply.problem() {
        "cross-site" => {
            "This form did not come from our own page, or it was open for too long. Go back, load \
             the page again and send it once more."
        }
        "role-not-allowed" => "Your role does not do this. If it should, ask whoever enrolled you.",
        "route-absent" => "Look at the address, or begin at the first page.",
        _ => reply.text("/detail"),
    };
    let body = html! {
        h1 { (heading) }
        p { (says) }
        p { a href="/" { "Go to the first page" } }
    };
    Page::new("Messages", body).status(reply.status)
}

/// We failed: nothing was recorded, so nothing is shown (P2).
pub fn broken() -> Whole {
    bare(
        503,
        "We could not record this access, so we did not open it. Try again in a moment; if it goes \
         on, call the operator.",
    )
}

/// A page to somebody of whom nothing is known.
pub fn bare(status: u16, says: &str) -> Whole {
    let main = html! {
        h1 { "This can not be shown" }
        p { (says) }
        p { "If somebody is in danger now, call 999." }
    };
    Whole {
        status,
        kind: "text/html; charset=utf-8",
        bytes: frame("Messages", &html! {}, &main, &html! {})
            .into_string()
            .into_bytes(),
        filler: Some(b' '),
        headers: Vec::new(),
    }
}

/// The page with everything around it.
pub fn whole(visit: &Visit, mut page: Page) -> Whole {
    let mut headers: Vec<(&'static str, String)> = visit
        .cookies(&page)
        .into_iter()
        .map(|cookie| ("set-cookie", cookie))
        .collect();
    if let Some(path) = &page.goes_to {
        headers.push(("location", path.clone()));
    }
    if page.signs_out {
        // What the browser kept of this site goes too.
        headers.push(("clear-site-data", "\"cache\", \"storage\"".to_owned()));
    } else if visit.signed_in() && !is_written_in(&page.body) {
        // What is on a screen that nobody looks at any more is taken off it.
        let idle = page.stays_minutes * 60;
        headers.push(("refresh", format!("{idle}; url=/ended")));
    }
    if let Some((name, kind)) = page.file {
        headers.push((
            "content-disposition",
            format!("attachment; filename=\"{name}\""),
        ));
        // Blank lines are no records of a spreadsheet; a line of spaces would be one.
        let filler = if kind.starts_with("text/csv") {
            b'\n'
        } else {
            b' '
        };
        let (bytes, filler) = match &mut page.bytes {
            Some(bytes) => (std::mem::take(&mut **bytes), None),
            None => (page.body.into_string().into_bytes(), Some(filler)),
        };
        return Whole {
            status: page.status,
            kind,
            bytes,
            filler,
            headers,
        };
    }
    let (often, rarely) = home::links(visit.role());
    let is_here = |path: &str| visit.path() == path;
    let link = |(path, label): &home::Link| {
        html! { li { a href=(path) aria-current=[is_here(path).then_some("page")] { (label) } } }
    };
    let top = html! {
        @if visit.signed_in() && !page.signs_out {
            nav aria-label="Pages" {
                ul { @for one in often { (link(one)) } }
                @if !rarely.is_empty() {
                    details open[rarely.iter().any(|(path, _)| is_here(path))] {
                        summary { "More" }
                        ul { @for one in rarely { (link(one)) } }
                    }
                }
            }
        }
    };
    let main = html! {
        @if visit.signed_in() && !page.signs_out { (renew::own_ends(visit)) }
        (page.body)
    };
    let bottom = html! {
        @if visit.signed_in() && !page.signs_out {
            div.who {
                p {
                    (visit.user().as_str()) ", " (visit.organisation()) ", working as "
                    (say(visit.role().code()).to_lowercase())
                }
                p { a href="/devices" { "Your devices" } }
                @if visit.roles().len() > 1 { p { a href="/role" { "Work in another role" } } }
                (button(visit, "/sign-out", "Sign out"))
            }
        }
        @if let Some(code) = visit.support_code() {
            p { "Code to read aloud if you ask for help: " b.code { (code) } }
        }
    };
    Whole {
        status: page.status,
        kind: "text/html; charset=utf-8",
        bytes: frame(page.tab, &top, &main, &bottom)
            .into_string()
            .into_bytes(),
        filler: Some(b' '),
        headers,
    }
}

/// Whether somebody may be writing here: what she wrote is not thrown away. Sent too late, it is kept
/// until she has signed in again.
fn is_written_in(body: &Markup) -> bool {
    ["<textarea", "type=\"text\""]
        .iter()
        .any(|field| body.0.contains(field))
}

fn frame(tab: &str, top: &Markup, main: &Markup, bottom: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en-GB" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Some readers change numbers into links.
                meta name="format-detection" content="telephone=no";
                title { (tab) @if tab != "Messages" { " - Messages" } }
                link rel="stylesheet" href="/assets/style.css";
                link rel="icon" href="/assets/mark.svg";
                script src="/assets/page.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    div.bar {
                        a.name href="/" { "Messages" }
                        a.leave href="/leave" rel="noreferrer" { "Leave this site" }
                    }
                    (top)
                }
                main id="main" tabindex="-1" { (main) }
                footer {
                    (bottom)
                    p { a href="/help" { "Help" } " - in danger now: call 999" }
                }
            }
        }
    }
}

/// A page that stands outside, before any certificate: the same for everybody, without script, and
/// with no way in.
pub fn alone(status: StatusCode, tab: &str, main: &Markup) -> Response {
    let whole = html! {
        (DOCTYPE)
        html lang="en-GB" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="format-detection" content="telephone=no";
                title { (tab) " - Messages" }
                link rel="stylesheet" href="/assets/style.css";
                link rel="icon" href="/assets/mark.svg";
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    div.bar {
                        span.name { "Messages" }
                        a.leave href=(ELSEWHERE) rel="noreferrer" { "Leave this site" }
                    }
                }
                main id="main" tabindex="-1" { (main) }
                footer { p { "In danger now: call 999" } }
            }
        }
    };
    let body = Body::from(whole.into_string());
    let mut response = dressed("text/html; charset=utf-8", body);
    *response.status_mut() = status;
    response
}

/// Where the quick exit leads.
pub fn leave() -> Page {
    let mut page = Page::go(ELSEWHERE);
    page.signs_out = true;
    page
}

/// Fills up, waits for the boundary, and sends.
pub async fn send(app: &Arc<App>, received: Instant, whole: Whole) -> Response {
    let Whole {
        status,
        kind,
        mut bytes,
        filler,
        headers,
    } = whole;
    if let Some(filler) = filler {
        bytes.resize(bytes.len().next_multiple_of(REPLY_BYTES_STEP), filler);
    }
    boundary(app.settings.boundary, received).await;
    let mut response = dressed(kind, Body::from(bytes));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A file that pages are dressed with.
pub fn asset(asset: Asset) -> Response {
    dressed(asset.kind, Body::from(asset.text))
}

fn dressed(kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    headers.insert("content-type", HeaderValue::from_static(kind));
    response
}
