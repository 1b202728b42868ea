//! What a piece of work costs: CPU by the operating system's own clocks, and time by the wall's.
//!
//! Never a test's business: figures depend on the machine and on what else it does.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::BenchError;

/// Inputs made before the clock starts, so that making them is not counted.
const BATCH: usize = 16;
/// A stage ends after this many times its limit, however little of that was its own work.
const WALL_TIMES_MAX: u32 = 8;

fn read(clock: ClockId) -> Duration {
    let at = clock_gettime(clock);
    // Neither clock is ever negative.
    let seconds = u64::try_from(at.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(at.tv_nsec).unwrap_or(0))
}

/// CPU time of the calling thread since it began.
pub fn thread_cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// CPU time of all threads of this process, those that ended included.
pub fn process_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// The mean cost of one piece of work, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    pub cpu_us: f64,
    pub wall_us: f64,
}

/// Runs `work` on inputs from `make` until it has taken `limit` of wall time, after one batch to
/// warm up. `make` is not counted, nor is dropping what `work` returns.
///
/// # Errors
/// The first error of either.
pub async fn each<T, U>(
    limit: Duration,
    clock: fn() -> Duration,
    mut make: impl AsyncFnMut() -> Result<T, BenchError>,
    mut work: impl AsyncFnMut(T) -> Result<U, BenchError>,
) -> Result<Cost, BenchError> {
    let began = Instant::now();
    let (mut cpu, mut wall, mut count) = (Duration::ZERO, Duration::ZERO, 0_u32);
    let mut warm = false;
    while count == 0 || wall < limit && began.elapsed() < limit * WALL_TIMES_MAX {
        let mut inputs = Vec::with_capacity(BATCH);
        for _ in 0..BATCH {
            inputs.push(make().await?);
        }
        let mut outputs = Vec::with_capacity(BATCH);
        let (from, cpu_from) = (Instant::now(), clock());
        for input in inputs {
            outputs.push(work(std::hint::black_box(input)).await?);
        }
        let (cpu_to, to) = (clock(), from.elapsed());
        drop(std::hint::black_box(outputs));
        if warm {
            cpu += cpu_to.saturating_sub(cpu_from);
            wall += to;
            count += u32::try_from(BATCH).unwrap_or(u32::MAX);
        }
        warm = true;
    }
    Ok(Cost {
        cpu_us: micros(cpu) / f64::from(count),
        wall_us: micros(wall) / f64::from(count),
    })
}

pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The latency that so many in a hundred requests do not exceed. `sorted` is not empty.
pub fn percentile(sorted: &[u32], hundredths: usize) -> f64 {
    let place = (sorted.len() * hundredths).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().map_or(0.0, f64::from)
}

/// A figure of the kernel about this process (`VmRSS`: memory in use; `VmHWM`: the most so far), or
/// about the machine (`MemAvailable`), in KiB. `None` where it does not say, as outside Linux.
pub fn memory_kib(name: &str) -> Option<u64> {
    ["/proc/self/status", "/proc/meminfo"]
        .iter()
        .find_map(|file| {
            let text = std::fs::read_to_string(file).ok()?;
            let mut lines = text.lines();
            let figure = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            figure.trim().strip_suffix(" kB")?.parse().ok()
        })
}
