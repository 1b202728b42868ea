//! Outside witnesses are asked: before a start whether they saw more of the log than we have, and
//! while it grows to cosign it.
//!
//! A witness that is away costs nothing but its word; only one that shows a larger or another log
//! with our own signature stops a start.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::ServeError;
use crate::domain::cosigned::Cosigned;
use crate::edge::http::App;
use crate::edge::witnesses::{OutsideWitness, Said};
use crate::pipeline::{Fault, Gateway, HandedIn};

const ASK_EVERY: Duration = Duration::from_secs(10);
/// The longest pause after failures.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// Asks each witness for the newest head that it saw, all at once, and looks at what was kept here.
///
/// # Errors
/// Somebody has a larger or another log with our signature: the store has stopped, and the gateway
/// must not serve.
pub(super) async fn ask_before_start(
    gateway: &Gateway,
    origin: &str,
    witnesses: Vec<Arc<OutsideWitness>>,
) -> Result<(), ServeError> {
    let unreadable = |fault: Fault| ServeError::Witnesses(fault);
    if gateway.has_gone_back().await.map_err(unreadable)? {
        return Err(ServeError::GoneBack(
            "a head that this gateway kept itself".to_owned(),
        ));
    }
    let mut asked = JoinSet::new();
    for witness in witnesses {
        let origin = origin.to_owned();
        asked.spawn(async move {
            let newest = witness.newest(&origin).await;
            (witness, newest)
        });
    }
    while let Some(Ok((witness, newest))) = asked.join_next().await {
        let address = witness.address.as_str();
        match newest {
            Ok(Some(note)) => {
                let shown = gateway.store.shown(&note).await.map_err(unreadable)?;
                if shown.proves_loss() {
                    return Err(ServeError::GoneBack(format!("the witness at {address}")));
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(address, %error, "a witness cannot be asked what it saw last");
            }
        }
    }
    Ok(())
}

/// Asks one witness to cosign, again and again while the log grows; never ends.
pub(super) async fn keep_asking(app: Arc<App>, witness: Arc<OutsideWitness>) {
    let mut turn = Turn::default();
    loop {
        sleep(turn.pause()).await;
        match turn.take(&app.gateway, &witness).await {
            Ok(()) => turn.failed = 0,
            Err(why) => {
                turn.failed = turn.failed.saturating_add(1);
                let address = witness.address.as_str();
                tracing::warn!(address, why, "an outside witness did not cosign");
            }
        }
    }
}

/// What is known of one witness.
#[derive(Default)]
struct Turn {
    /// The size that it saw last, as it said.
    old: u64,
    failed: u32,
}

impl Turn {
    /// Doubled with each failure.
    fn pause(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.failed.min(16)).unwrap_or(u32::MAX);
        ASK_EVERY.saturating_mul(factor).min(PAUSE_MAX)
    }

    async fn take(
        &mut self,
        gateway: &Gateway,
        witness: &OutsideWitness,
    ) -> Result<(), &'static str> {
        const UNREAD: &str = "the log cannot be read";
        let mut note = gateway.head_to_cosign().await.map_err(|_| UNREAD)?;
        let size_of = |note: &str| Cosigned::parse(note).and_then(|head| head.size());
        let mut size = size_of(&note).ok_or(UNREAD)?;
        if size <= self.old {
            return Ok(());
        }
        for _ in 0..3 {
            if self.old > size {
                // Another node, or another hand, has shown it more than what waits here.
                note = gateway.store.checkpoint().await.map_err(|_| UNREAD)?;
                size = size_of(&note).ok_or(UNREAD)?;
            }
            if self.old > size {
                return self.has_seen_more(gateway, witness).await;
            }
            let proof = gateway.store.consistency(self.old, size).await;
            let proof = proof.map_err(|_| UNREAD)?;
            // Only our own line: what others wrote is not for it to judge.
            let own: String = own_note(&note).ok_or(UNREAD)?;
            let said = witness.add(self.old, &proof, &own).await;
            match said.map_err(|_| "it cannot be reached")? {
                Said::Cosigned(lines) => {
                    self.old = size;
                    let handed = gateway.hand_in(&format!("{own}{lines}")).await;
                    return match handed.map_err(|_| UNREAD)? {
                        HandedIn::Kept => Ok(()),
                        HandedIn::Refused(_) => Err("log.policy does not name its key, or its \
                                                     cosignature is wrong"),
                        HandedIn::Proof => Err("the log has gone back"),
                    };
                }
                Said::Has(seen) if seen == self.old => return Err("it contradicts itself"),
                Said::Has(seen) => self.old = seen,
                Said::Refused(status) => return Err(refused(status)),
            }
        }
        Err("what it has seen kept changing")
    }

    /// It says that it saw a larger log than ours: it must show it.
    async fn has_seen_more(
        &mut self,
        gateway: &Gateway,
        witness: &OutsideWitness,
    ) -> Result<(), &'static str> {
        // Not believed without a head, and asked from the beginning the next time.
        self.old = 0;
        let origin = gateway.store.checkpoint().await.unwrap_or_default();
        let origin = origin.lines().next().unwrap_or_default().to_owned();
        if let Ok(Some(note)) = witness.newest(&origin).await
            && gateway
                .store
                .shown(&note)
                .await
                .is_ok_and(|shown| shown.proves_loss())
        {
            return Err("it showed a larger log with our own signature: the gateway has stopped");
        }
        Err("it says that it saw a larger log than ours, and does not show it")
    }
}

fn own_note(note: &str) -> Option<String> {
    let head = Cosigned::parse(note)?;
    let first = head.lines.first()?;
    Some(format!("{}\n{first}", head.text))
}

const fn refused(status: u16) -> &'static str {
    match status {
        403 => "it knows the log, and not its key: give it log.vkey",
        404 => "it does not know the log: give it log.vkey",
        422 => "it says that the log does not follow from what it saw before",
        _ => "it refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_that_is_away_is_asked_ever_more_seldom() {
        let after = |failed| Turn { old: 0, failed }.pause().as_secs();
        assert_eq!([0, 1, 2, 5, 6, 99].map(after), [10, 20, 40, 320, 600, 600]);
    }
}
