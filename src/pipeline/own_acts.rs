//! What the gateway does of itself: decided and committed as an entry of its own.
//!
//! No person asks, and nothing is opened.

use crate::domain::attempt::Entropy;
use crate::domain::decision::Decision;
use crate::domain::known::Known;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled};
use crate::domain::seal::Keys;
use crate::domain::time::When;
use crate::store::{Fault, Outcome};

use super::{Gateway, unsealed};

/// What became of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acted {
    Logged,
    /// The facts or the rules moved meanwhile: read them, and decide again.
    Moved,
    /// Nothing was decided: nobody is enrolled, or no rule asks for it.
    Nothing,
}

impl Gateway {
    /// One act on these facts, with at most `keys` item keys.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) async fn act(
        &self,
        known: &Known,
        keys: usize,
        decide: impl FnOnce(&Rules, When, &Entropy, Keys) -> Result<Option<Decision<Ruled>>, BadRuling>
        + Send,
    ) -> Result<Acted, Fault> {
        let Some(rules) = self.rules_for(known).await? else {
            return Ok(Acted::Moved);
        };
        let entropy = self.entropy();
        let keys = self.store.reserve(keys).await?;
        let keys = Keys::new(keys, entropy.branch("nonces"));
        let when = self.time();
        let decided = decide(&rules, when, &entropy, keys);
        let Some(decision) = decided.map_err(unsealed)? else {
            return Ok(Acted::Nothing);
        };
        match self.store.commit(decision).await? {
            Outcome::Logged(logged) => self.logged(when, logged).await.map(|_| Acted::Logged),
            Outcome::Moved | Outcome::Replayed { .. } | Outcome::Limited => Ok(Acted::Moved),
        }
    }

    /// The same where somebody is enrolled; whether it was logged.
    ///
    /// # Errors
    /// [`Fault`], also if nobody is enrolled.
    pub(super) async fn must_act(
        &self,
        known: &Known,
        keys: usize,
        decide: impl FnOnce(&Rules, When, &Entropy, Keys) -> Result<Option<Decision<Ruled>>, BadRuling>
        + Send,
    ) -> Result<bool, Fault> {
        match self.act(known, keys, decide).await? {
            Acted::Logged => Ok(true),
            Acted::Moved => Ok(false),
            Acted::Nothing => Err(Fault::CannotRecord("nobody is enrolled")),
        }
    }
}
