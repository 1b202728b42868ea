//! Closed-loop clients: each sends its next request when the last is answered whole.
//!
//! They run on threads of their own, whose CPU is told apart from the gateway's. A reply that is
//! not a success ends the bench: it would be fast and measure nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::meter::{micros, percentile, process_cpu, thread_cpu};
use super::town::{HOST, Town};
use super::{BenchError, crowd};
use crate::edge::client::{Client, Reply};
use crate::ops::clock;

/// Referrals kept to be read afterwards.
const KEPT_MAX: usize = 4_096;
const USER: (&str, &str) = ("firedoor-user", "ref=pc-ward;role=officer");

/// What the clients do over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exercise {
    /// `GET /v1/codes`: no attempt is made of it, so it is TLS and HTTP and little else.
    Codes,
    /// Connect, a full handshake with both certificates, one `GET /v1/codes`, close.
    Handshakes,
    /// `POST /v1/referrals`, each of a new person.
    Offers,
    /// `GET /v1/referrals/{id}`, of the referrals offered.
    Reads,
}

impl Exercise {
    pub const ALL: [Self; 4] = [Self::Codes, Self::Handshakes, Self::Offers, Self::Reads];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Codes => "codes",
            Self::Handshakes => "handshakes",
            Self::Offers => "offers",
            Self::Reads => "reads",
        }
    }
}

/// How hard and how long.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub clients: usize,
    pub warm_up: Duration,
    pub measured: Duration,
}

/// What one exercise came to.
#[derive(Clone, Debug)]
pub struct Rate {
    pub exercise: Exercise,
    pub requests: usize,
    pub per_second: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// CPU of the gateway's threads for one request.
    pub server_cpu_us: f64,
    /// CPU of the clients' threads for one request.
    pub client_cpu_us: f64,
}

/// What the clients share.
#[derive(Default)]
pub struct Shared {
    next: AtomicU64,
    ids: Mutex<Vec<String>>,
}

impl Shared {
    /// The number of someone who was never offered before.
    pub fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn keep(&self, reply: &Reply) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() >= KEPT_MAX {
            return;
        }
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let id = body.get("id").and_then(Value::as_str);
        ids.extend(id.map(str::to_owned));
    }

    fn id(&self, number: u64) -> Result<String, BenchError> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        let count = u64::try_from(ids.len()).unwrap_or(1).max(1);
        let place = usize::try_from(number % count).unwrap_or(0);
        ids.get(place).cloned().ok_or(BenchError::NothingToRead)
    }
}

/// When counting begins and ends.
#[derive(Clone, Copy)]
struct Span {
    from: Instant,
    to: Instant,
}

/// What one thread of clients saw.
struct Seen {
    latencies_us: Vec<u32>,
    cpu: Duration,
}

/// Runs one exercise; blocks the calling thread, which must not be one of the gateway's.
///
/// # Errors
/// The first reply that is not a success, or no reply.
pub fn run(
    town: &Town,
    shared: &Arc<Shared>,
    exercise: Exercise,
    load: Load,
) -> Result<Rate, BenchError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(load.clients).max(1);
    // Passed twice: when all are connected, whether or not each could, and when the time is set.
    let start = Arc::new(Barrier::new(threads + 1));
    let span = Arc::new(Mutex::new(None));
    let mut running = Vec::new();
    for number in 0..threads {
        let clients = load.clients / threads + usize::from(number < load.clients % threads);
        let crew = Crew {
            address: town.address,
            tls: town.client.clone(),
            shared: Arc::clone(shared),
            exercise,
            clients,
        };
        let (start, span) = (Arc::clone(&start), Arc::clone(&span));
        let name = "bench-clients".to_owned();
        let begun = std::thread::Builder::new()
            .name(name)
            .spawn(move || crew.work(&start, &span));
        running.push(begun?);
    }
    start.wait();
    let from = Instant::now() + load.warm_up;
    let to = from + load.measured;
    *span.lock().unwrap_or_else(PoisonError::into_inner) = Some(Span { from, to });
    start.wait();
    sleep_to(from);
    let cpu_from = process_cpu();
    sleep_to(to);
    let cpu_to = process_cpu();
    let mut latencies = Vec::new();
    let mut clients_cpu = Duration::ZERO;
    for thread in running {
        let seen = thread.join().map_err(|_| BenchError::Broken)??;
        latencies.extend(seen.latencies_us);
        clients_cpu += seen.cpu;
    }
    if latencies.is_empty() {
        return Err(BenchError::TooShort(exercise.name()));
    }
    latencies.sort_unstable();
    let requests = latencies.len();
    let count = f64::from(u32::try_from(requests).unwrap_or(u32::MAX));
    let server_cpu = cpu_to.saturating_sub(cpu_from).saturating_sub(clients_cpu);
    Ok(Rate {
        exercise,
        requests,
        per_second: count / load.measured.as_secs_f64(),
        p50_us: percentile(&latencies, 50),
        p99_us: percentile(&latencies, 99),
        server_cpu_us: micros(server_cpu) / count,
        client_cpu_us: micros(clients_cpu) / count,
    })
}

fn sleep_to(at: Instant) {
    std::thread::sleep(at.saturating_duration_since(Instant::now()));
}

/// The clients of one thread.
struct Crew {
    address: std::net::SocketAddr,
    tls: crate::edge::tls::ClientTls,
    shared: Arc<Shared>,
    exercise: Exercise,
    clients: usize,
}

impl Crew {
    fn work(self, start: &Barrier, span: &Mutex<Option<Span>>) -> Result<Seen, BenchError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let connected = match &runtime {
            Ok(runtime) => runtime.block_on(self.connect()),
            Err(_) => Ok(Vec::new()),
        };
        // Both are passed whatever happened, or the others would wait for ever.
        start.wait();
        start.wait();
        let (runtime, connected) = (runtime?, connected?);
        let span = *span.lock().unwrap_or_else(PoisonError::into_inner);
        let span = span.ok_or(BenchError::Broken)?;
        runtime.block_on(self.exert(connected, span))
    }

    async fn connect(&self) -> Result<Vec<Client>, BenchError> {
        let mut connected = Vec::new();
        for _ in 0..self.clients {
            connected.push(Client::connect(self.address, HOST, self.tls.clone()).await?);
        }
        Ok(connected)
    }

    async fn exert(self, connected: Vec<Client>, span: Span) -> Result<Seen, BenchError> {
        let crew = Arc::new(self);
        let mut clients = JoinSet::new();
        for client in connected {
            clients.spawn(Arc::clone(&crew).go_round(client, span));
        }
        sleep_until(span.from.into()).await;
        let cpu_from = thread_cpu();
        sleep_until(span.to.into()).await;
        let cpu = thread_cpu().saturating_sub(cpu_from);
        let mut latencies_us = Vec::new();
        while let Some(done) = clients.join_next().await {
            latencies_us.extend(done.map_err(|_| BenchError::Broken)??);
        }
        Ok(Seen { latencies_us, cpu })
    }

    /// One client, until the time is over; the latencies of what ended within it.
    async fn go_round(self: Arc<Self>, client: Client, span: Span) -> Result<Vec<u32>, BenchError> {
        let mut latencies = Vec::new();
        for round in 0.. {
            // Only an offer uses up a person: there are not that many.
            let (number, body) = match self.exercise {
                Exercise::Offers => {
                    let number = self.shared.next();
                    (number, crowd::offer(number, clock::now()))
                }
                Exercise::Codes | Exercise::Handshakes | Exercise::Reads => (round, Vec::new()),
            };
            let began = Instant::now();
            if began >= span.to {
                break;
            }
            let reply = self.once(&client, number, body).await?;
            let ended = Instant::now();
            if !matches!(reply.status, StatusCode::OK | StatusCode::CREATED) {
                return Err(BenchError::Refused {
                    exercise: self.exercise.name(),
                    status: reply.status.as_u16(),
                });
            }
            if self.exercise == Exercise::Offers {
                self.shared.keep(&reply);
            }
            if (span.from..span.to).contains(&ended) {
                let micros = ended.duration_since(began).as_micros();
                latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
            }
        }
        Ok(latencies)
    }

    async fn once(&self, client: &Client, number: u64, body: Vec<u8>) -> Result<Reply, BenchError> {
        const CODES: &str = "/v1/codes";
        Ok(match self.exercise {
            Exercise::Codes => client.request(Method::GET, CODES, &[], body).await?,
            Exercise::Handshakes => {
                let fresh = Client::connect(self.address, HOST, self.tls.clone()).await?;
                fresh.request(Method::GET, CODES, &[], body).await?
            }
            Exercise::Offers => {
                let key = format!("bench-{number}");
                let headers = [
                    USER,
                    ("idempotency-key", &key),
                    ("content-type", "application/json"),
                ];
                client
                    .request(Method::POST, "/v1/referrals", &headers, body)
                    .await?
            }
            Exercise::Reads => {
                let path = format!("/v1/referrals/{}", self.shared.id(number)?);
                client.request(Method::GET, &path, &[USER], body).await?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_latency_that_was_seen() {
        let sorted: Vec<u32> = (1..=200).collect();
        assert!((percentile(&sorted, 50) - 100.0).abs() < f64::EPSILON);
        assert!((percentile(&sorted, 99) - 198.0).abs() < f64::EPSILON);
        assert!((percentile(&[7], 99) - 7.0).abs() < f64::EPSILON);
    }
}
