//! How long each page takes on the server, and how large it is, with many entries behind it.
//!
//! A page is asked for in this process, with the certificate and the session of whoever it is for: no
//! network and no boundary, which would hide what is measured.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use axum::response::Response;
use serde::Serialize;
use tower::ServiceExt;

use super::BenchError;
use super::crowd;
use super::meter::percentile;
use super::report::Machine;
use super::town::Town;
use crate::domain::attempt::UserName;
use crate::domain::codes::Role;
use crate::domain::peer::Peer;
use crate::domain::session::Session;
use crate::ops::demo::borough::persons;
use crate::web;
use crate::web::table::Declared;

/// Offers of one request.
const LINES: u64 = 1_000;
/// Whose system sends the offers, and in whose name.
const SENDER: (&str, &str) = ("met", "ref=pc-bench;role=officer");
/// How often each page is asked for.
const TIMES: usize = 41;
/// A page is smaller than this with what fills it up.
const PAGE_BYTES_MAX: usize = 16 << 20;

/// One page, for one person.
#[derive(Debug, Serialize)]
pub struct PageRow {
    pub path: &'static str,
    pub role: &'static str,
    pub status: u16,
    /// Without what fills it up.
    pub bytes: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// All pages without a name in their path, for everybody whom they are for.
#[derive(Debug, Serialize)]
pub struct PagesReport {
    pub machine: Machine,
    pub entries: u64,
    pub filled_per_second: f64,
    pub pages: Vec<PageRow>,
}

/// A person who is signed in.
struct Visitor {
    peer: Peer,
    user: UserName,
    role: Role,
}

/// Fills a gateway with so many entries, all of them offers to one charity, and asks for each page.
pub async fn measure(under: &Path, entries: u64) -> Result<PagesReport, BenchError> {
    let machine = Machine::now(under.to_owned());
    let town = Town::open(under).await?;
    let router = web::router(std::sync::Arc::clone(&town.running.app));
    let began = Instant::now();
    fill(&town, &router, entries).await?;
    let filled_per_second = entries as f64 / began.elapsed().as_secs_f64();
    let mut pages = Vec::new();
    for (bundle, role) in persons() {
        let peer = town.peer_of(bundle).await?;
        let name = peer.name().user.as_ref().ok_or(BenchError::Broken)?;
        let user = UserName::parse(name.as_str()).map_err(|_| BenchError::Broken)?;
        let visitor = Visitor { peer, user, role };
        for page in web::declared() {
            let looks = page.method == Method::GET && !page.path.contains('{');
            if looks && page.whom.is_open_to(role, true) {
                pages.push(visitor.asks(&town, &router, &page).await?);
            }
        }
    }
    town.close().await?;
    // One page for two people of one role is one row: the slower.
    let mut slowest = BTreeMap::new();
    for row in pages {
        let at = (row.path, row.role);
        let slower = slowest
            .get(&at)
            .is_none_or(|other: &PageRow| other.p99_ms < row.p99_ms);
        if slower {
            slowest.insert(at, row);
        }
    }
    Ok(PagesReport {
        machine,
        entries,
        filled_per_second,
        pages: slowest.into_values().collect(),
    })
}

async fn fill(town: &Town, router: &Router, entries: u64) -> Result<(), BenchError> {
    let peer = town.peer_of(SENDER.0).await?;
    let mut done = 0;
    while done < entries {
        let now = town.running.app.gateway.time();
        let mut lines = Vec::new();
        for number in done..entries.min(done + LINES) {
            lines.extend(crowd::offer(number, now));
            lines.push(b'\n');
        }
        let request = Request::post("/v1/referrals")
            .header("firedoor-user", SENDER.1)
            .header("content-type", "application/x-ndjson")
            .header("idempotency-key", format!("bench-{done}"))
            .extension(peer.clone())
            .body(Body::from(lines));
        let request = request.map_err(|_| BenchError::Broken)?;
        let Ok(reply) = router.clone().oneshot(request).await;
        if !reply.status().is_success() {
            return Err(BenchError::Refused {
                exercise: "a batch of offers",
                status: reply.status().as_u16(),
            });
        }
        whole(reply).await?;
        done += LINES;
    }
    Ok(())
}

impl Visitor {
    async fn asks(
        &self,
        town: &Town,
        router: &Router,
        page: &Declared,
    ) -> Result<PageRow, BenchError> {
        let mut times = Vec::with_capacity(TIMES);
        let (mut status, mut bytes) = (0, 0);
        for _ in 0..TIMES {
            let gateway = &town.running.app.gateway;
            let key = gateway.rules.load().keys.session;
            let session = Session::issue(&key, &self.peer, &self.user, gateway.time());
            let request = Request::get(page.path)
                .header("cookie", format!("__Host-session={session}"))
                .extension(self.peer.clone())
                .body(Body::empty())
                .map_err(|_| BenchError::Broken)?;
            let began = Instant::now();
            let Ok(reply) = router.clone().oneshot(request).await;
            times.push(nanoseconds(began.elapsed()));
            status = reply.status().as_u16();
            bytes = whole(reply).await?;
        }
        times.sort_unstable();
        Ok(PageRow {
            path: page.path,
            role: self.role.code(),
            status,
            bytes,
            p50_ms: percentile(&times, 50) / 1e6,
            p99_ms: percentile(&times, 99) / 1e6,
        })
    }
}

/// How long a reply is, without what fills it up.
async fn whole(reply: Response) -> Result<usize, BenchError> {
    let bytes = to_bytes(reply.into_body(), PAGE_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| BenchError::Broken)?;
    Ok(bytes.trim_ascii_end().len())
}

fn nanoseconds(took: Duration) -> u32 {
    u32::try_from(took.as_nanos()).unwrap_or(u32::MAX)
}

impl Display for PagesReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "{} entries, all offers to one charity, filled at {:.0} a second; each page {TIMES} times, \
             in this process.\n",
            self.entries, self.filled_per_second
        )?;
        writeln!(
            f,
            "{:<28} {:<16} {:>6} {:>8} {:>8} {:>8}",
            "page", "role", "status", "kB", "p50 ms", "p99 ms"
        )?;
        for row in &self.pages {
            let kilobytes = row.bytes as f64 / 1e3;
            writeln!(
                f,
                "{:<28} {:<16} {:>6} {:>8.1} {:>8.1} {:>8.1}",
                row.path, row.role, row.status, kilobytes, row.p50_ms, row.p99_ms
            )?;
        }
        Ok(())
    }
}
