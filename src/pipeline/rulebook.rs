//! Which rulebook decides: the one that the facts of a decision say is in force, and no other.
//!
//! A node learns of a change with the facts of its next decision, loads the new rulebook from the
//! store and goes on without a restart. What it cannot load it does not decide by.

use std::sync::Arc;

use crate::domain::decision::Aggregate;
use crate::domain::known::Known;
use crate::domain::rulebook::{Adopted, Page, Rulebook, built_in_hash, built_in_pages};
use crate::domain::rules::{Footing, Rules, StandsIn};
use crate::store::Fault;

use super::Gateway;

impl Gateway {
    /// The rules under which a decision on these facts is made. `None`: what is in force changed
    /// since the facts were read; read them again.
    pub(super) async fn rules_for(&self, known: &Known) -> Result<Option<Arc<Rules>>, Fault> {
        let rules = self.rules.load_full();
        if rules.footing(known) != Footing::Other {
            return Ok(Some(rules));
        }
        self.take_up().await?;
        let rules = self.rules.load_full();
        Ok((rules.footing(known) != Footing::Other).then_some(rules))
    }

    /// Loads the rulebook that is in force, if another decides; which that is, if two people ever
    /// put one in force. If this program cannot use it, the built-in one stands in.
    ///
    /// # Errors
    /// [`Fault`]; then nothing is decided under the old one either.
    pub async fn take_up(&self) -> Result<Option<Adopted>, Fault> {
        let _one_at_a_time = self.taking_up.lock().await;
        let mut known = Known::default();
        self.read(&mut known, &[Aggregate::Settings]).await?;
        let rules = self.rules.load_full();
        if rules.footing(&known) != Footing::Other {
            return Ok(known.adopted);
        }
        let built_in = || Rulebook::built_in().map_err(|_| Fault::Unreadable("what is built in"));
        let Some(hash) = known.adopted.as_ref().map(|adopted| adopted.hash) else {
            self.rules.store(Arc::new(rules.under(built_in()?, None)));
            return Ok(None);
        };
        self.read(&mut known, &[Aggregate::Rulebook(hash)]).await?;
        let pages = known.books.get(&hash);
        let pages = pages.ok_or(Fault::Unreadable("the policies in force"))?;
        if crate::domain::rulebook::hash(pages) != hash {
            return Err(Fault::Unreadable("the policies in force"));
        }
        let (book, stands_in) = match Rulebook::load(pages) {
            Ok(book) => (book, None),
            Err(bad) => {
                let problems = bad.problems;
                (built_in()?, Some(StandsIn { hash, problems }))
            }
        };
        self.rules.store(Arc::new(rules.under(book, stands_in)));
        Ok(known.adopted)
    }

    /// The pages of a rulebook that was proposed or in force. They say nothing of anyone.
    pub async fn pages(&self, hash: [u8; 32]) -> Result<Option<Vec<Page>>, Fault> {
        if hash == built_in_hash() {
            return Ok(Some(built_in_pages().to_vec()));
        }
        let mut known = Known::default();
        self.read(&mut known, &[Aggregate::Rulebook(hash)]).await?;
        Ok(known.books.remove(&hash))
    }
}
