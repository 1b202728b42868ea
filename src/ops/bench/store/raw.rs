//! The least that any store must do: a bare group committer, to compare with.
//!
//! One thread takes whatever queued while the last sync ran, writes it with one `pwrite` into a
//! file that was zeroed beforehand, calls `fdatasync` once and wakes the writers. It checks,
//! hashes, signs and indexes nothing, so it is no store; it must never become one.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::{Contender, Written};
use crate::ops::bench::BenchError;

/// As long as a segment of the journal; after its end it begins again.
const FILE_BYTES: usize = 64 * 1024 * 1024;
/// As many as the journal takes into a frame.
const GROUP_MAX: usize = 256;
/// As many as may wait for the journal.
const QUEUE_MAX: usize = 1024;

struct Job {
    record: Vec<u8>,
    answer: oneshot::Sender<()>,
}

/// The committer, running.
pub struct Raw {
    queue: mpsc::Sender<Job>,
    thread: Mutex<Option<JoinHandle<std::io::Result<()>>>>,
    written: Arc<Counts>,
    record_bytes: usize,
}

#[derive(Default)]
struct Counts {
    frames: AtomicU64,
    leaves: AtomicU64,
    bytes: AtomicU64,
}

impl Raw {
    /// Records of `record_bytes` each, in a new file at `path`.
    pub fn start(path: &Path, record_bytes: usize) -> Result<Self, BenchError> {
        let file = File::create(path)?;
        file.write_all_at(&vec![0; FILE_BYTES], 0)?;
        file.sync_all()?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let written = Arc::<Counts>::default();
        let counts = Arc::clone(&written);
        let thread = std::thread::Builder::new()
            .name("bench-raw".to_owned())
            .spawn(move || commit(&file, jobs, &counts))?;
        Ok(Self {
            queue,
            thread: Mutex::new(Some(thread)),
            written,
            record_bytes,
        })
    }

    /// Ends the thread.
    pub fn stop(self) -> Result<(), BenchError> {
        let Self { queue, thread, .. } = self;
        drop(queue);
        let thread = thread.into_inner().unwrap_or_else(PoisonError::into_inner);
        match thread.map(JoinHandle::join) {
            Some(Ok(ended)) => Ok(ended?),
            Some(Err(_)) => Err(BenchError::Broken),
            None => Ok(()),
        }
    }
}

fn commit(file: &File, mut jobs: mpsc::Receiver<Job>, counts: &Counts) -> std::io::Result<()> {
    let (mut bytes, mut waiting, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(first) = jobs.blocking_recv() {
        let mut take = |job: Job| {
            bytes.extend_from_slice(&job.record);
            waiting.push(job.answer);
            waiting.len()
        };
        let mut taken = take(first);
        while taken < GROUP_MAX {
            let Ok(job) = jobs.try_recv() else { break };
            taken = take(job);
        }
        if at + bytes.len() > FILE_BYTES {
            at = 0;
        }
        file.write_all_at(&bytes, at as u64)?;
        file.sync_data()?;
        at += bytes.len();
        counts.frames.fetch_add(1, Ordering::Relaxed);
        counts.leaves.fetch_add(taken as u64, Ordering::Relaxed);
        counts
            .bytes
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        for answer in waiting.drain(..) {
            // Whoever asked may be gone.
            let _ = answer.send(());
        }
        bytes.clear();
    }
    Ok(())
}

impl Contender for Raw {
    type Job = Vec<u8>;

    async fn prepare(&self, count: usize) -> Result<Vec<Vec<u8>>, BenchError> {
        Ok((0..count).map(|_| vec![0x5a; self.record_bytes]).collect())
    }

    async fn commit(&self, record: Vec<u8>) -> Result<(), BenchError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.queue.send(Job { record, answer }).await;
        sent.map_err(|_| BenchError::Broken)?;
        answered.await.map_err(|_| BenchError::Broken)
    }

    fn written(&self) -> Option<Written> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Some(Written {
            frames: read(&self.written.frames),
            leaves: read(&self.written.leaves),
            bytes: read(&self.written.bytes),
        })
    }
}
