//! The pages: a small charity's whole day, an officer's Monday morning, an operator's desk.
//!
//! They are made on the server, work without script, and hold nothing that the API would not tell: a
//! page asks the API inside this process, as a client does ([`visit::Visit::ask`]), and shows what it
//! said. So each attempt of a page is checked, screened and logged exactly like one of a system's. A
//! page as a whole is filled up and leaves at a boundary, like every reply (P5).

pub mod assessments;
pub mod chart;
pub mod consents;
pub mod devices;
pub mod emergencies;
pub mod entries;
pub mod export;
pub mod figures;
pub mod form;
pub mod help;
pub mod her;
pub mod her_card;
pub mod home;
pub mod inbox;
pub mod log;
pub mod monday;
pub mod news;
pub mod notices;
pub mod operator;
pub mod page;
pub mod proposals;
pub mod referral;
pub mod renew;
pub mod report;
pub mod sent;
pub mod services;
pub mod sign_in;
pub mod stop;
pub mod subject_access;
pub mod table;
pub mod visit;
pub mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::domain::peer::Peer;
use crate::edge::http::App;
use crate::edge::server::Replies;
use crate::edge::tls::NotAccepted;
use table::{Declared, Pages};
use visit::Site;

/// Every page.
fn pages() -> Pages {
    let pages = Pages::new();
    let pages = sign_in::pages(pages);
    let pages = devices::pages(pages);
    let pages = help::pages(pages);
    let pages = assessments::pages(pages);
    let pages = stop::pages(pages);
    let pages = notices::pages(pages);
    let pages = consents::pages(pages);
    let pages = emergencies::pages(pages);
    let pages = her_card::pages(pages);
    let pages = subject_access::pages(pages);
    let pages = home::pages(pages);
    let pages = inbox::pages(pages);
    let pages = news::pages(pages);
    let pages = referral::pages(pages);
    let pages = sent::pages(pages);
    let pages = monday::pages(pages);
    let pages = log::pages(pages);
    let pages = export::pages(pages);
    let pages = figures::pages(pages);
    let pages = report::pages(pages);
    let pages = proposals::pages(pages);
    let pages = renew::pages(pages);
    let pages = services::pages(pages);
    operator::pages(pages)
}

/// What each page declared.
pub fn declared() -> Vec<Declared> {
    pages().declared().to_vec()
}

/// The pages, and beside them the API and the log's files.
pub fn router(app: Arc<App>) -> Router {
    let site = Arc::new(Site::new(app));
    pages().router().fallback(elsewhere).with_state(site)
}

/// What is no page: the API's, or nothing.
async fn elsewhere(State(site): State<Arc<Site>>, request: Request) -> Response {
    let path = request.uri().path();
    let api = ["/v1", "/fhir", "/log"];
    // A system reads no pages: what it asks for and is not there is refused as everywhere.
    let peer = request.extensions().get::<Peer>();
    if peer.is_none_or(|peer| peer.name().user.is_none()) {
        return site.api(request).await;
    }
    let within = |rest: &str| rest.is_empty() || rest.starts_with('/');
    if api
        .into_iter()
        .any(|start| path.strip_prefix(start).is_some_and(within))
    {
        return site.api(request).await;
    }
    visit::absent(site, request).await
}

/// To whom a connection was open while her certificate ended or was taken back: in words if a browser
/// asks, otherwise as the API says it.
pub fn not_accepted(why: NotAccepted, headers: &HeaderMap) -> Response {
    let accepts = headers.get("accept").and_then(|value| value.to_str().ok());
    if accepts.is_some_and(|kinds| kinds.contains("text/html")) {
        help::ended(why)
    } else {
        (Replies::default().not_accepted)(why, headers)
    }
}
