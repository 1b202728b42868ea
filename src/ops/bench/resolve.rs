//! `firedoor bench resolve`: how fast someone is found among so many, and what the index takes.
//!
//! Every person and every request takes the real path: parsed, normalised, made into keyed tokens,
//! looked up, compared. The largest index and one of the smallest size take turns, so that a busy
//! machine is busy for both. Nothing is stored, and nobody is kept but as tokens.

mod people;
mod report;

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::civil::{Date, date};

use super::BenchError;
use super::meter::{memory_kib, percentile, thread_cpu};
use super::report::Machine;
use crate::domain::person::index::LinkIndex;
use crate::domain::person::{Person, RawIdentifier, TokenKeys, TokenKind, resolve};
pub use people::People;
use people::Request;
pub use report::ResolveReport;
use report::{Row, Skipped};

/// What the larger ones are compared with.
const SMALL: u64 = 10_000;
const LARGE: u64 = 1_000_000;
const LARGEST: u64 = 10_000_000;
/// Turns of each size.
const ROUNDS: u32 = 5;
/// Requests made before the clock starts, so that inventing people is not counted.
const PREPARED: u64 = 64;
const BATCH: u64 = 8_192;
/// People whose tokens go to the index together.
const CHUNK: u64 = 1_024;
/// Chunks that wait for the index, for each thread.
const CHUNKS_WAITING: usize = 4;
const PROGRESS_EVERY: u64 = 1_000_000;
/// Requests of a batch are not those that were timed one by one.
const BATCH_TURN: u64 = 1 << 60;
const TODAY: Date = date(2026, 11, 20);

/// What is to be measured.
pub struct Sizes {
    /// Persons of each index, the smallest first; all are compared with it.
    persons: Vec<u64>,
    /// The last one only if there is memory for it.
    last_if_it_fits: bool,
}

impl Sizes {
    /// The usual ones, or the smallest and the one that was asked for, which is not refused.
    pub fn of(asked: Option<u64>) -> Self {
        Self {
            persons: asked.map_or(vec![SMALL, LARGE, LARGEST], |asked| vec![SMALL, asked]),
            last_if_it_fits: asked.is_none(),
        }
    }
}

/// Builds an index of each size and resolves people against it, on so many threads.
///
/// # Errors
/// A person of the bench who cannot be resolved or, though known, is never found.
pub fn measure(sizes: &Sizes, threads: u64, limit: Duration) -> Result<ResolveReport, BenchError> {
    let machine = Machine::now(None);
    let bench = Bench {
        people: People::new(),
        keys: TokenKeys::derive(&[7; 32]),
        threads,
        limit: limit / ROUNDS,
    };
    let (mut rows, mut skipped, mut small) = (Vec::<Row>::new(), None, None);
    for (place, persons) in sizes.persons.iter().copied().enumerate() {
        let is_last = place + 1 == sizes.persons.len();
        if is_last && sizes.last_if_it_fits {
            skipped = rows.last().and_then(|row| Skipped::of(persons, row));
        }
        if skipped.is_some() {
            break;
        }
        let before = memory_kib("VmRSS");
        let built = bench.build(persons)?;
        let own_kib = memory_kib("VmRSS").zip(before);
        let own_kib = own_kib.map(|(after, before)| after.saturating_sub(before));
        // Not counted: the first requests find cold caches.
        bench.round(&built, &mut Tally::default())?;
        let (mut of_small, mut own) = (Tally::default(), Tally::default());
        for _ in 0..ROUNDS {
            if let Some(small) = &small {
                bench.round(small, &mut of_small)?;
            }
            bench.round(&built, &mut own)?;
        }
        if own.known_found == 0 {
            return Err(BenchError::NobodyFound);
        }
        let batch_per_second = bench.batches(&built)?;
        rows.push(Row {
            persons,
            per_second: own.per_second(threads),
            p50_us: own.cpu_us(50),
            p99_us: own.cpu_us(99),
            p99_to_smallest: small.as_ref().map(|_| own.cpu_us(99) / of_small.cpu_us(99)),
            wall_p99_us: own.wall_us(99),
            batch_per_second,
            build_seconds: built.seconds,
            own_kib,
            resident_kib: memory_kib("VmRSS"),
            peak_kib: memory_kib("VmHWM"),
            known_found: own.known_found as f64 / own.known.max(1) as f64,
            too_common: own.too_common as f64 / own.cpu.len().max(1) as f64,
        });
        small = small.or(Some(built));
    }
    Ok(ResolveReport {
        machine,
        threads,
        rows,
        skipped,
    })
}

struct Built {
    index: LinkIndex,
    persons: u64,
    seconds: f64,
}

/// What single requests took, in nanoseconds, and what came of them.
#[derive(Default)]
struct Tally {
    cpu: Vec<u32>,
    wall: Vec<u32>,
    known: u64,
    known_found: u64,
    too_common: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.cpu.extend(other.cpu);
        self.wall.extend(other.wall);
        self.known += other.known;
        self.known_found += other.known_found;
        self.too_common += other.too_common;
    }

    fn cpu_us(&mut self, hundredths: usize) -> f64 {
        self.cpu.sort_unstable();
        percentile(&self.cpu, hundredths) / 1e3
    }

    fn wall_us(&mut self, hundredths: usize) -> f64 {
        self.wall.sort_unstable();
        percentile(&self.wall, hundredths) / 1e3
    }

    /// By the wall's clock, of all threads.
    fn per_second(&self, threads: u64) -> f64 {
        let seconds: f64 = self.wall.iter().map(|nanos| f64::from(*nanos) / 1e9).sum();
        self.wall.len() as f64 * threads as f64 / seconds
    }
}

struct Bench {
    people: People,
    keys: TokenKeys,
    threads: u64,
    /// Of one round.
    limit: Duration,
}

impl Bench {
    fn tokens(&self, raw: RawIdentifier) -> Result<Person, BenchError> {
        let resolved = resolve(raw, &self.keys, TODAY);
        let (person, _) = resolved.map_err(|_| BenchError::Denied)?;
        Ok(person)
    }

    /// The record of a person has her number: the threads' chunks are taken in turn.
    fn build(&self, persons: u64) -> Result<Built, BenchError> {
        let from = Instant::now();
        let mut index = LinkIndex::new(TokenKind::is_key);
        thread::scope(|scope| {
            let makers: Vec<_> = (0..self.threads)
                .map(|maker| {
                    let (to, made) = mpsc::sync_channel(CHUNKS_WAITING);
                    scope.spawn(move || {
                        let starts =
                            (maker * CHUNK..persons).step_by((self.threads * CHUNK) as usize);
                        for start in starts {
                            let chunk = start..persons.min(start + CHUNK);
                            let people =
                                chunk.map(|number| self.tokens(self.people.person(number)));
                            let people: Result<Vec<Person>, BenchError> = people.collect();
                            // Nobody waits for it when another thread failed.
                            if to.send(people).is_err() {
                                return;
                            }
                        }
                    });
                    made
                })
                .collect();
            let mut done = 0;
            for made in makers.iter().cycle() {
                if done == persons {
                    break;
                }
                for person in made.recv().map_err(|_| BenchError::Broken)?? {
                    index
                        .insert(person.tokens())
                        .map_err(|_| BenchError::Broken)?;
                    done += 1;
                }
                told(done, persons);
            }
            Ok::<_, BenchError>(())
        })?;
        Ok(Built {
            index,
            persons,
            seconds: from.elapsed().as_secs_f64(),
        })
    }

    /// Single requests on all threads for the time of a round, added to `tally`.
    fn round(&self, built: &Built, tally: &mut Tally) -> Result<(), BenchError> {
        let turn = tally.cpu.len() as u64;
        let found = self.on_all(|own| self.singles(built, turn + own * (1 << 40)))?;
        found.into_iter().for_each(|one| tally.add(one));
        Ok(())
    }

    fn singles(&self, built: &Built, mut turn: u64) -> Result<Tally, BenchError> {
        let (began, mut tally) = (Instant::now(), Tally::default());
        while tally.cpu.is_empty() || began.elapsed() < self.limit {
            let requests = turn..turn + PREPARED;
            turn += PREPARED;
            let request = |turn| self.people.request(turn, built.persons);
            let requests: Vec<Request> = requests.map(request).collect();
            for Request { raw, known } in requests {
                let (from, cpu_from) = (Instant::now(), thread_cpu());
                let person = self.tokens(raw)?;
                let found = built.index.resolve(person.tokens());
                let (cpu_to, to) = (thread_cpu(), from.elapsed());
                tally.cpu.push(nanos(cpu_to.saturating_sub(cpu_from)));
                tally.wall.push(nanos(to));
                let hers = |known| found.links.iter().any(|(record, _)| record.get() == known);
                tally.known += u64::from(known.is_some());
                tally.known_found += u64::from(known.is_some_and(hers));
                tally.too_common += u64::from(found.too_common);
            }
        }
        Ok(tally)
    }

    /// Batches shared out to the threads: requests per second from the first to the last answer.
    fn batches(&self, built: &Built) -> Result<f64, BenchError> {
        let share = BATCH.div_ceil(self.threads);
        let (mut turn, mut done, mut took) = (BATCH_TURN, 0, Duration::ZERO);
        while done == 0 || took < self.limit {
            let batch = self.on_all(|own| {
                let requests = turn + own * share..turn + (own + 1) * share;
                let raw = requests.map(|turn| self.people.request(turn, built.persons).raw);
                Ok(raw.collect::<Vec<_>>())
            })?;
            turn += share * self.threads;
            let from = Instant::now();
            thread::scope(|scope| {
                let working: Vec<_> = batch
                    .into_iter()
                    .map(|raw| scope.spawn(|| self.batch(built, raw)))
                    .collect();
                for worker in working {
                    done += worker.join().map_err(|_| BenchError::Broken)??;
                }
                Ok::<_, BenchError>(())
            })?;
            took += from.elapsed();
        }
        Ok(done as f64 / took.as_secs_f64())
    }

    fn batch(&self, built: &Built, batch: Vec<RawIdentifier>) -> Result<usize, BenchError> {
        let answers = batch
            .into_iter()
            .map(|raw| Ok(built.index.resolve(self.tokens(raw)?.tokens())));
        let answers: Result<Vec<_>, BenchError> = answers.collect();
        Ok(std::hint::black_box(answers?).len())
    }

    fn on_all<T: Send>(
        &self,
        work: impl Fn(u64) -> Result<T, BenchError> + Sync,
    ) -> Result<Vec<T>, BenchError> {
        thread::scope(|scope| {
            let work = &work;
            let working: Vec<_> = (0..self.threads)
                .map(|own| scope.spawn(move || work(own)))
                .collect();
            let done = working.into_iter().map(thread::ScopedJoinHandle::join);
            done.map(|one| one.map_err(|_| BenchError::Broken)?)
                .collect()
        })
    }
}

fn nanos(time: Duration) -> u32 {
    u32::try_from(time.as_nanos()).unwrap_or(u32::MAX)
}

fn told(done: u64, persons: u64) {
    if persons > PROGRESS_EVERY && done % PROGRESS_EVERY < CHUNK {
        // Nobody is left to tell if stderr is closed.
        let _ = writeln!(io::stderr(), "{done} of {persons} persons are in the index");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bench_finds_known_people_and_tells_what_the_index_takes() {
        let sizes = Sizes {
            persons: vec![500, 2_000],
            last_if_it_fits: false,
        };
        let report = measure(&sizes, 2, Duration::from_millis(50)).unwrap();
        let persons: Vec<u64> = report.rows.iter().map(|row| row.persons).collect();
        assert_eq!(persons, [500, 2_000]);
        for row in &report.rows {
            // One in eight has another family name and one another birth, some without a number.
            assert!(row.known_found > 0.6, "{}", row.known_found);
            assert!(row.per_second > 0.0 && row.batch_per_second > 0.0);
            assert!(row.p50_us <= row.p99_us);
        }
        let to_smallest = report.rows.iter().map(|row| row.p99_to_smallest.is_some());
        assert_eq!(to_smallest.collect::<Vec<_>>(), [false, true]);
        let told = report.to_string();
        assert!(told.contains("persons") && told.contains("2000"), "{told}");
    }

    #[test]
    fn what_does_not_fit_is_said_to_be_left_out() {
        let mut row = Row::example();
        row.own_kib = Some(u64::MAX / LARGEST / 4);
        let skipped = Skipped::of(LARGEST, &row).unwrap();
        assert!(
            skipped.to_string().contains("--persons 10000000"),
            "{skipped}"
        );
        row.own_kib = Some(1);
        if memory_kib("MemAvailable").is_some() {
            assert!(Skipped::of(LARGEST, &row).is_none());
        }
    }
}
