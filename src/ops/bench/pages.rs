//! How long each page takes on the server, and how large it is, with many entries behind it.
//!
//! A page is asked for in this process, with the certificate and the session of whoever it is for: no
//! network and no boundary, which would hide what is measured. A page about one thing is found as a
//! person finds it: by the links of the pages before it.

mod day;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
use crate::domain::returns::Quarter;
use crate::domain::session::Session;
use crate::ops::demo::borough::persons;
use crate::web;
use crate::web::table::Declared;

/// Offers of one request.
const LINES: u64 = 1_000;
/// Whose system sends the offers, and in whose name.
const SENDER: (&str, &str) = ("met", "ref=pc-bench;role=officer");
/// Of pages that differ in a name alone, so many: a request that was taken is not shown as one that
/// is answered, and which of them comes first in a list is nobody's promise.
const OF_ONE_PATH: usize = 3;
/// No page is read further than this.
const READ_MAX: usize = 16 << 20;
/// What a page says whose counts are still being made; how often and how long that is waited for.
const BEGUN: &[u8] = b"is being counted";
const LOOKS_MAX: u32 = 1_000;
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// What a page must stay under: its bytes, and 99 of 100 times.
const BYTES_MAX: usize = 100_000;
const MS_MAX: f64 = 100.0;

/// One page, for one person.
#[derive(Debug, Serialize)]
pub struct PageRow {
    pub path: &'static str,
    pub role: &'static str,
    pub status: u16,
    /// With what fills it up.
    pub bytes: usize,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl PageRow {
    const fn is_small(&self) -> bool {
        self.bytes < BYTES_MAX
    }

    fn is_fast(&self) -> bool {
        self.p99_ms < MS_MAX
    }
}

/// Every page that is looked at, for everybody whom it is for.
#[derive(Debug, Serialize)]
pub struct PagesReport {
    pub machine: Machine,
    pub entries: u64,
    /// How often each page was asked for.
    pub times: usize,
    pub filled_per_second: f64,
    /// All of them are small, and fast.
    pub all_small: bool,
    pub all_fast: bool,
    pub pages: Vec<PageRow>,
}

/// A person who is signed in.
struct Visitor {
    peer: Peer,
    user: UserName,
    role: Role,
}

/// Plays a day, fills the gateway with so many offers to the charity of that day, and asks for each
/// page.
///
/// # Errors
/// [`BenchError`] if anything was refused, or nobody is led to a page.
pub async fn measure(under: &Path, entries: u64, times: usize) -> Result<PagesReport, BenchError> {
    let machine = Machine::now(under.to_owned());
    let town = Town::open(under).await?;
    let router = web::router(std::sync::Arc::clone(&town.running.app));
    day::play(&town, &router, entries).await?;
    let began = Instant::now();
    fill(&town, &router, entries).await?;
    let filled_per_second = entries as f64 / began.elapsed().as_secs_f64();
    let looked_at: Vec<Declared> = web::declared()
        .into_iter()
        .filter(|page| page.method == Method::GET)
        .collect();
    // One page for two people of one role is one row: the slower.
    let mut slowest = BTreeMap::new();
    for (bundle, role) in persons() {
        let visitor = Visitor::of(&town, bundle, role).await?;
        for row in visitor.walks(&town, &router, &looked_at, times).await? {
            let at = (row.path, row.role);
            let slower = slowest
                .get(&at)
                .is_none_or(|other: &PageRow| other.p99_ms < row.p99_ms);
            if slower {
                slowest.insert(at, row);
            }
        }
    }
    town.close().await?;
    let pages: Vec<PageRow> = slowest.into_values().collect();
    let missed = looked_at
        .iter()
        .find(|page| pages.iter().all(|row| row.path != page.path));
    if let Some(page) = missed {
        return Err(BenchError::NoWayTo(page.path));
    }
    Ok(PagesReport {
        machine,
        entries,
        times,
        filled_per_second,
        all_small: pages.iter().all(PageRow::is_small),
        all_fast: pages.iter().all(PageRow::is_fast),
        pages,
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
        let reply = ask(router, request).await;
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
    async fn of(town: &Town, bundle: &str, role: Role) -> Result<Self, BenchError> {
        let peer = town.peer_of(bundle).await?;
        let name = peer.name().user.as_ref().ok_or(BenchError::Broken)?;
        let user = UserName::parse(name.as_str()).map_err(|_| BenchError::Broken)?;
        Ok(Self { peer, user, role })
    }

    /// A session that begins now.
    fn session(&self, town: &Town) -> String {
        let gateway = &town.running.app.gateway;
        let key = gateway.rules.load().keys.session;
        Session::issue(&key, &self.peer, &self.user, gateway.time())
    }

    /// Goes to each page that has an address of its own, and wherever their links lead: of pages that
    /// differ in the name alone to the first [`OF_ONE_PATH`].
    async fn walks(
        &self,
        town: &Town,
        router: &Router,
        pages: &[Declared],
        times: usize,
    ) -> Result<Vec<PageRow>, BenchError> {
        let open = |page: &&Declared| page.whom.is_open_to(self.role, true);
        let named = |page: &&Declared| page.path.contains('{');
        let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let mut ahead: VecDeque<(&'static str, String)> = VecDeque::new();
        for page in pages.iter().filter(open).filter(|page| !named(page)) {
            ahead.push_back((page.path, address(page.path, town)));
        }
        let mut rows = Vec::new();
        while let Some((path, at)) = ahead.pop_front() {
            let (row, html) = self.asks(town, router, path, &at, times).await?;
            rows.push(row);
            for link in links(&html) {
                let leads = |page: &&Declared| fits(page.path, link);
                let own = pages.iter().any(|page| page.path == link);
                let to = pages.iter().filter(open).filter(named).find(leads);
                let Some(page) = to.filter(|_| !own) else {
                    continue;
                };
                let same = found.entry(page.path).or_default();
                if same.len() < OF_ONE_PATH && same.insert(link.to_owned()) {
                    ahead.push_back((page.path, link.to_owned()));
                }
            }
        }
        Ok(rows)
    }

    async fn asks(
        &self,
        town: &Town,
        router: &Router,
        path: &'static str,
        at: &str,
        times: usize,
    ) -> Result<(PageRow, String), BenchError> {
        let mut took = Vec::with_capacity(times);
        let (mut status, mut bytes) = (0, Vec::new());
        // The first look may begin work that goes on behind it; what follows is looked at when that is done.
        let mut looks = 0;
        while took.len() <= times {
            let request = Request::get(at)
                .header("cookie", format!("__Host-session={}", self.session(town)))
                .extension(self.peer.clone())
                .body(Body::empty())
                .map_err(|_| BenchError::Broken)?;
            let began = Instant::now();
            let reply = ask(router, request).await;
            status = reply.status().as_u16();
            bytes = whole(reply).await?;
            let elapsed = nanoseconds(began.elapsed());
            let is_begun = bytes.windows(BEGUN.len()).any(|part| part == BEGUN);
            if is_begun && looks > LOOKS_MAX {
                return Err(BenchError::NeverWhole(path));
            }
            if looks == 0 || !is_begun {
                took.push(elapsed);
            } else {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            looks += 1;
            if status >= 400 {
                return Err(BenchError::Refused {
                    exercise: path,
                    status,
                });
            }
        }
        took.sort_unstable();
        let row = PageRow {
            path,
            role: self.role.code(),
            status,
            bytes: bytes.len(),
            p50_ms: percentile(&took, 50) / 1e6,
            p99_ms: percentile(&took, 99) / 1e6,
            max_ms: percentile(&took, 100) / 1e6,
        };
        Ok((row, String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// The address at which a page is looked at: the running quarter is the one in which something happened.
fn address(path: &'static str, town: &Town) -> String {
    let gateway = &town.running.app.gateway;
    let today = gateway.rules.load().clock.date(gateway.time());
    match (path, today) {
        ("/return", Ok(today)) => format!("{path}?quarter={}", Quarter::of(today)),
        (path, _) => path.to_owned(),
    }
}

/// Where the links of a page of ours lead.
fn links(html: &str) -> impl Iterator<Item = &str> {
    let parts = html.split("href=\"").skip(1);
    let links = parts.filter_map(|part| part.split('"').next());
    links.map(|link| link.split(['?', '#']).next().unwrap_or_default())
}

/// Whether an address is one of a path with a name in it.
fn fits(path: &str, link: &str) -> bool {
    path.split('/').count() == link.split('/').count()
        && path
            .split('/')
            .zip(link.split('/'))
            .all(|(part, said)| part == said || part == "{id}" && !said.is_empty())
}

/// Asks in this process.
async fn ask(router: &Router, request: Request<Body>) -> Response {
    let Ok(reply) = router.clone().oneshot(request).await;
    reply
}

async fn whole(reply: Response) -> Result<Vec<u8>, BenchError> {
    let bytes = to_bytes(reply.into_body(), READ_MAX).await;
    Ok(bytes.map_err(|_| BenchError::Broken)?.to_vec())
}

fn nanoseconds(took: Duration) -> u32 {
    u32::try_from(took.as_nanos()).unwrap_or(u32::MAX)
}

impl Display for PagesReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        writeln!(
            f,
            "{} entries, all offers to one charity, filled at {:.0} a second; each page once and {} \
             times more, in this process.\n",
            self.entries, self.filled_per_second, self.times
        )?;
        writeln!(
            f,
            "{:<30} {:<16} {:>6} {:>8} {:>8} {:>8} {:>8}",
            "page", "role", "status", "kB", "p50 ms", "p99 ms", "max ms"
        )?;
        for row in &self.pages {
            let kilobytes = row.bytes as f64 / 1e3;
            writeln!(
                f,
                "{:<30} {:<16} {:>6} {:>8.1} {:>8.1} {:>8.1} {:>8.1}",
                row.path, row.role, row.status, kilobytes, row.p50_ms, row.p99_ms, row.max_ms
            )?;
        }
        let said = |is: bool| if is { "yes" } else { "NO" };
        writeln!(
            f,
            "\neach page under {} kB: {}; under {MS_MAX} ms at p99: {}",
            BYTES_MAX / 1_000,
            said(self.all_small),
            said(self.all_fast)
        )
    }
}
