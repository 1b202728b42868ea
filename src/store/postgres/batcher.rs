//! The one task of a node that commits: everything that queued while the last commit ran becomes
//! one SERIALIZABLE transaction, which moves the tree head by compare-and-swap.
//!
//! It answers only what is durable. When the connection breaks during a commit it finds out
//! whether the commit happened before it tries again, so that no attempt is logged twice.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::error::SqlState;

use super::batch::{self, Keyed, Ruling};
use super::connect::{BEHIND, SILENT, UNSAFE, why};
use super::rows::{self, Head};
use super::tip::{Found, TREE, Tip};
use super::tree::Grown;
use super::{FULL, Shared};
use crate::domain::leaf::Leaf;
use crate::domain::logged::Inclusion;
use crate::store::{Committed, Fault};

/// The most decisions in one transaction.
pub const BATCH_DECISIONS_MAX: usize = 256;
/// Ciphertext in one transaction, in bytes; one decision over it may be the last.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often a batch is tried before its callers are told that it cannot be recorded: when the
/// server fails, and when other nodes are faster.
const TRIES_MAX: u32 = 3;
const RACES_MAX: u32 = 5;
const TRY_TIMEOUT: Duration = Duration::from_secs(10);
/// Before the second try, when there is no server; before the third it is four times as long.
const PAUSE: Duration = Duration::from_millis(50);

/// A decision in the queue.
pub(super) struct Queued {
    pub(super) keyed: Keyed,
    pub(super) bytes: usize,
    pub(super) answer: Answer,
}

pub(super) struct Batcher {
    shared: Arc<Shared>,
    connection: Option<ClientWrapper>,
    /// A second connection, which holds this node's place in the queue of nodes while there are
    /// others. Without it a node could lose every race for the head to another one.
    turn: Option<ClientWrapper>,
    holds_turn: bool,
    /// Where both lead to.
    place: usize,
    doubt: Option<Doubt>,
}

/// A transaction whose commit was sent and not answered.
struct Doubt {
    first: i64,
    leaf: Leaf,
    end: i64,
    verdicts: Vec<Verdict>,
}

type Verdict = Result<Committed, Fault>;
type Answer = oneshot::Sender<Verdict>;

#[derive(Debug)]
pub(super) enum Trouble {
    /// Another transaction was faster.
    Race,
    /// The connection may not be used any more; whether the commit happened is not known.
    Lost,
    /// Trying again does not help.
    Refused(&'static str),
    /// The server has no room.
    Full,
    /// The server does not know what this node knows; another host may.
    Astray(&'static str),
}

/// Why a batch was not recorded.
enum Halt {
    /// Other nodes were faster every time; nothing is wrong.
    Busy,
    Full,
    Stopped(&'static str),
}

impl Halt {
    fn reason(&self) -> &'static str {
        match self {
            Self::Busy => "other gateway nodes were faster every time",
            Self::Full => FULL,
            Self::Stopped(why) => why,
        }
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(code) = error.code() else {
            return Self::Lost;
        };
        tracing::debug!(sqlstate = code.code(), "the database did not take a batch");
        match *code {
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => Self::Race,
            SqlState::DISK_FULL => Self::Full,
            SqlState::OUT_OF_MEMORY => Self::Refused("the database is out of memory"),
            SqlState::INSUFFICIENT_PRIVILEGE => Self::Refused("the database role may not write"),
            // A server that stops or has become a standby: another one may answer next time.
            _ => Self::Lost,
        }
    }
}

impl Batcher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            place: shared.pool.place(),
            shared,
            connection: None,
            turn: None,
            holds_turn: false,
            doubt: None,
        }
    }

    /// Runs until the queue is closed and empty.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Queued>) {
        while let Some(first) = queue.recv().await {
            let mut bytes = first.bytes;
            let (mut batch, mut answers) = (vec![first.keyed], vec![first.answer]);
            if self.shared.has_rivals() {
                // More will be waiting when it is this node's turn.
                let turn = tokio::time::timeout(TRY_TIMEOUT, self.take_turn()).await;
                if !matches!(turn, Ok(Ok(()))) {
                    self.forget();
                }
            } else {
                // Whoever was just answered may have more.
                tokio::task::yield_now().await;
            }
            while batch.len() < BATCH_DECISIONS_MAX && bytes < BATCH_BYTES_MAX {
                let Ok(next) = queue.try_recv() else { break };
                bytes += next.bytes;
                batch.push(next.keyed);
                answers.push(next.answer);
            }
            self.record(batch, answers).await;
        }
    }

    async fn record(&mut self, batch: Vec<Keyed>, answers: Vec<Answer>) {
        let mut settled = self.settle(&batch).await;
        let mut rest: Vec<(Keyed, Answer)> = batch.into_iter().zip(answers).collect();
        if matches!(settled, Err(Halt::Full)) {
            self.shared.condition().found_full();
            let all = rest.len();
            // What is urgent is little, and may fit.
            let (urgent, others) = rest.into_iter().partition(|(keyed, _)| keyed.urgent);
            refuse(others, FULL);
            rest = urgent;
            if !rest.is_empty() && rest.len() < all {
                let (batch, answers): (Vec<_>, Vec<_>) = rest.into_iter().unzip();
                settled = self.settle(&batch).await;
                rest = batch.into_iter().zip(answers).collect();
            }
        }
        match settled {
            Ok(verdicts) => {
                self.shared.condition().writes = None;
                for (verdict, (_, answer)) in verdicts.into_iter().zip(rest) {
                    // Whoever asked may have gone away; what was committed stays committed.
                    let _ = answer.send(verdict);
                }
            }
            Err(halt) => {
                let reason = halt.reason();
                match halt {
                    Halt::Busy => {}
                    Halt::Full if rest.is_empty() => {}
                    Halt::Full | Halt::Stopped(_) => self.shared.condition().writes = Some(reason),
                }
                refuse(rest, reason);
            }
        }
    }

    async fn settle(&mut self, batch: &[Keyed]) -> Result<Vec<Verdict>, Halt> {
        self.doubt = None;
        let mut halt = Halt::Stopped(SILENT);
        let mut pause = PAUSE;
        let (mut races, mut failures) = (0, 0);
        while races < RACES_MAX && failures < TRIES_MAX {
            if failures > 0 {
                tokio::time::sleep(pause).await;
                pause *= 4;
            }
            let raced = races > 0;
            let done = tokio::time::timeout(TRY_TIMEOUT, self.attempt(batch, raced)).await;
            match done {
                Ok(Err(Trouble::Race)) => races += 1,
                Ok(_) | Err(_) => failures += 1,
            }
            self.release_turn();
            match done {
                Ok(Ok(verdicts)) => return Ok(verdicts),
                Ok(Err(Trouble::Race)) => {
                    halt = Halt::Busy;
                    let rolled_back = match &self.connection {
                        Some(connection) => connection.batch_execute("ROLLBACK").await.is_ok(),
                        None => true,
                    };
                    if !rolled_back {
                        self.forget();
                    }
                }
                Ok(Err(Trouble::Lost)) => {
                    halt = Halt::Stopped(SILENT);
                    self.forget();
                }
                Ok(Err(Trouble::Astray(why))) => {
                    halt = Halt::Stopped(why);
                    self.leave();
                }
                // It may be an old primary, which waits for a standby that has left it.
                Err(_) => {
                    halt = Halt::Stopped(SILENT);
                    self.leave();
                }
                Ok(Err(Trouble::Full)) => {
                    self.forget();
                    return Err(Halt::Full);
                }
                Ok(Err(Trouble::Refused(why))) => {
                    self.forget();
                    return Err(Halt::Stopped(why));
                }
            }
        }
        Err(halt)
    }

    /// Closes the connections, which ends whatever was open on them.
    fn forget(&mut self) {
        self.connection = None;
        self.turn = None;
        self.holds_turn = false;
    }

    fn leave(&mut self) {
        self.forget();
        self.shared.pool.leave(self.place);
    }

    /// Both connections lead to the server that all of this node's do.
    fn keep_place(&mut self) {
        let place = self.shared.pool.place();
        if self.place != place {
            self.forget();
            self.place = place;
        }
    }

    async fn attempt(&mut self, batch: &[Keyed], raced: bool) -> Result<Vec<Verdict>, Trouble> {
        self.keep_place();
        if !self.holds_turn && (raced || self.shared.has_rivals()) {
            self.take_turn().await?;
        }
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => take(&self.shared).await?,
        };
        let connection = &*self.connection.insert(connection);
        // Nothing may be awaited after this: what it returns must not get lost.
        transact(&self.shared, connection, &mut self.doubt, batch, raced).await
    }

    async fn take_turn(&mut self) -> Result<(), Trouble> {
        self.keep_place();
        let turn = match self.turn.take() {
            Some(turn) => turn,
            None => take(&self.shared).await?,
        };
        let turn = &*self.turn.insert(turn);
        let wait = "BEGIN; SELECT one FROM firedoor.turn WHERE one = 1 FOR UPDATE";
        turn.batch_execute(wait).await?;
        self.holds_turn = true;
        Ok(())
    }

    /// Sends the word that the next node may go on, and waits for no answer: what follows on that
    /// connection comes after it.
    fn release_turn(&mut self) {
        let held = std::mem::take(&mut self.holds_turn);
        if let Some(turn) = self.turn.as_ref().filter(|_| held) {
            let mut release = Box::pin(turn.batch_execute("ROLLBACK"));
            let mut context = Context::from_waker(Waker::noop());
            let _ = release.as_mut().poll(&mut context);
        }
    }
}

fn refuse(batch: Vec<(Keyed, Answer)>, reason: &'static str) {
    if !batch.is_empty() {
        tracing::error!(reason, decisions = batch.len(), "a batch was not recorded");
    }
    for (_, answer) in batch {
        let _ = answer.send(Err(Fault::CannotRecord(reason)));
    }
}

/// A connection for this task alone, so that dropping it closes it.
async fn take(shared: &Shared) -> Result<ClientWrapper, Trouble> {
    let pooled = shared.pool.get().await.map_err(|error| match why(&error) {
        BEHIND => Trouble::Astray(BEHIND),
        UNSAFE => Trouble::Astray(UNSAFE),
        _ => Trouble::Lost,
    })?;
    let connection = Object::take(pooled);
    // If this machine dies while it holds the head, the other nodes wait this long and no longer.
    // An engine that does not know the setting has a way of its own.
    let limit = "SET idle_in_transaction_session_timeout = '15s'";
    if let Err(error) = connection.batch_execute(limit).await
        && error.code().is_none()
    {
        return Err(Trouble::Lost);
    }
    Ok(connection)
}

async fn transact(
    shared: &Shared,
    connection: &ClientWrapper,
    doubt: &mut Option<Doubt>,
    batch: &[Keyed],
    raced: bool,
) -> Result<Vec<Verdict>, Trouble> {
    let tip = shared.tip();
    let begun = rows::begin(connection, shared, batch, tip.size(), raced).await?;
    let size = begun.size;
    let found = Found {
        size: size.cast_unsigned(),
        checkpoint: &begun.checkpoint,
    };
    let tip = shared
        .follow_up(connection, &tip, &found, &begun.since)
        .await?;
    shared.advanced(tip.clone());
    if let Some(doubted) = doubt.as_ref().filter(|doubted| doubted.end <= size)
        && rows::leaf(connection, doubted.first).await? == Some(doubted.leaf)
    {
        // It was committed after all. Taken only after the last await, so that it cannot get lost.
        end(connection, true).await?;
        shared.erase.notify_one();
        return Ok(doubt
            .take()
            .map(|doubted| doubted.verdicts)
            .unwrap_or_default());
    }
    // The head's lock is held and the doubted commit is not behind it: it never happened.
    *doubt = None;
    let mut known = begun.known;
    known.newest = tip.newest.millis();
    let plan = batch::judge(batch, size, known);
    let accepted = plan.accepted(batch);
    let (Some((first, _)), Some((last, _))) = (plan.leaves.first(), plan.leaves.last()) else {
        let told = |ruling: &Ruling| matches!(ruling, Ruling::Replayed(..));
        end(connection, plan.rulings.iter().any(told)).await?;
        return plan.rulings.into_iter().map(|r| verdict(r, None)).collect();
    };
    let end = size + accepted.len() as i64;
    let mut grown = tip.edge.grow(plan.leaves.iter().map(|(_, hash)| *hash));
    let root = grown.root().ok_or(Trouble::Refused(TREE))?;
    let checkpoint = shared.log.sign(end.cast_unsigned(), &root);
    let mut verdicts = Vec::with_capacity(plan.rulings.len());
    let mut leaves = plan.leaves.iter().map(|(leaf, _)| *leaf);
    for ruling in &plan.rulings {
        let proof = Proof {
            grown: &mut grown,
            leaves: &mut leaves,
            checkpoint: &checkpoint,
        };
        verdicts.push(verdict(ruling.clone(), Some(proof))?);
    }
    let (edge, tiles) = grown.finish();
    let head = Head {
        from: size,
        to: end,
        checkpoint: &checkpoint,
    };
    let sent = doubt.insert(Doubt {
        first: size,
        leaf: *first,
        end,
        verdicts,
    });
    if let Err(error) = rows::commit(connection, &plan, &accepted, &tiles, head).await {
        let trouble = Trouble::from(error);
        if matches!(trouble, Trouble::Race) {
            // The server itself says that nothing was committed.
            *doubt = None;
        }
        return Err(trouble);
    }
    let verdicts = std::mem::take(&mut sent.verdicts);
    *doubt = None;
    shared.advanced(Arc::new(Tip {
        edge,
        checkpoint,
        newest: last.when(),
    }));
    if plan.erases() {
        shared.erase.notify_one();
    }
    Ok(verdicts)
}

/// Ends a transaction that has written nothing. If what it found is told to someone, it must be as
/// durable as what is written here: see [`rows::CONFIRM`].
async fn end(connection: &ClientWrapper, told: bool) -> Result<(), Trouble> {
    if told {
        connection.batch_execute(rows::CONFIRM).await?;
    }
    connection
        .batch_execute(if told { "COMMIT" } else { "ROLLBACK" })
        .await?;
    Ok(())
}

/// What the proofs of a batch are made from.
struct Proof<'a> {
    grown: &'a mut Grown,
    /// Of those that are accepted, in order.
    leaves: &'a mut dyn Iterator<Item = Leaf>,
    checkpoint: &'a str,
}

/// What a caller is told. The accepted take their leaves in order.
fn verdict(ruling: Ruling, proof: Option<Proof<'_>>) -> Result<Verdict, Trouble> {
    Ok(match ruling {
        Ruling::Accepted(index) => {
            let proof = proof.ok_or(Trouble::Refused(TREE))?;
            let leaf = proof.leaves.next().ok_or(Trouble::Refused(TREE))?;
            let index = index.cast_unsigned();
            let inclusion = Inclusion {
                index,
                hashes: proof.grown.inclusion(index).ok_or(Trouble::Refused(TREE))?,
                checkpoint: proof.checkpoint.into(),
            };
            Ok(Committed::Durable(leaf, inclusion))
        }
        Ruling::Moved => Ok(Committed::Moved),
        Ruling::Limited => Ok(Committed::Limited),
        Ruling::Replayed(earlier, same_request) => match earlier.reply {
            Some(reply) => Ok(Committed::Replayed {
                index: earlier.index.cast_unsigned(),
                same_request,
                reply,
            }),
            None => Err(Fault::Unreadable("a kept reply is damaged")),
        },
    })
}
