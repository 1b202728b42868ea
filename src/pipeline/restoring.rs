//! After a restore: the first entry of a gateway that was made from a copy, and what agencies hand
//! in so that what was withdrawn since holds again.

use crate::domain::attempt::Attempt;
use crate::domain::counterfoil::{Counterfoil, Word};
use crate::domain::decision::Aggregate;
use crate::domain::id::WithdrawalId;
use crate::domain::journey::reconciling::{self, Statement};
use crate::domain::journey::restoring;
use crate::domain::known::Known;
use crate::domain::restoration::{Copied, Restoration};
use crate::domain::succession::{self, Lost, NoSuccession, Signed, Succession};
use crate::store::{Fault, Restored};

use super::own_acts::Acted;
use super::{Answered, Gateway, Read, TRIES_MAX};

/// Why a gateway may not serve yet.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    #[error(transparent)]
    Succession(#[from] NoSuccession),
    #[error("the store was made from a copy, and the log cannot say so: {0}")]
    Fault(#[from] Fault),
}

impl Gateway {
    /// Before a gateway serves: if its store was made from a copy, the log says so first, and from
    /// then on every decision knows it. Done again, or by another node, it changes nothing.
    ///
    /// If the log has a new name, `signed` is the statement of two people that it may.
    ///
    /// # Errors
    /// [`NotBegun`]; then the gateway must not serve.
    pub async fn begin(&self, signed: Option<&Signed>) -> Result<(), NotBegun> {
        let Some(restored) = self.store.restored() else {
            return Ok(());
        };
        for _ in 0..TRIES_MAX {
            if self.put_on_record(&restored, signed).await? {
                return Ok(self.store.restoration_recorded().await?);
            }
        }
        Err(Fault::CannotRecord("the restore cannot be put on record").into())
    }

    /// What two people of two organisations agreed on, if the log has a new name.
    async fn succession(
        &self,
        restored: &Restored,
        signed: Option<&Signed>,
        known: &mut Known,
    ) -> Result<Option<Succession>, NotBegun> {
        let log = self.store.log().verifier();
        // Where nobody was ever enrolled, nobody can sign, and no entry holds anything.
        if restored.origin == log.origin() || known.members().is_empty() {
            return Ok(None);
        }
        let Some(signed) = signed else {
            let (old, new) = (restored.origin.clone(), log.origin().to_owned());
            return Err(NoSuccession::Missing { old, new }.into());
        };
        let now = self.time();
        let of: Vec<Aggregate> = signed
            .keys
            .iter()
            .filter_map(|key| succession::signer(known, key, now))
            .map(|(organisation, user)| Aggregate::User(organisation, user))
            .collect();
        self.read(known, &of).await?;
        let old = self.store.log().verifier_named(&restored.origin);
        let old = old.map_err(|_| Fault::Unreadable("the log's old name"))?;
        let shown = self.store.evidence().await?;
        let shown = shown
            .iter()
            .filter_map(|found| old.verify(&found.shown).ok());
        let lost = Lost {
            old: &old,
            new: log.origin(),
            // In a fork of the same size nothing larger may be known.
            least: match shown.map(|head| head.size).max() {
                Some(largest) => largest,
                None => restored.acknowledged.max(restored.leaves),
            },
        };
        Ok(Some(succession::judge(signed, &lost, known, now)?))
    }

    async fn put_on_record(
        &self,
        restored: &Restored,
        signed: Option<&Signed>,
    ) -> Result<bool, NotBegun> {
        let mut known = self.members().await?;
        // The entry is the first after the copy, so no other restore is of so many entries.
        let before = known.restoration.as_ref();
        if before.is_some_and(|before| before.leaves == restored.leaves) {
            return Ok(true);
        }
        let succession = self.succession(restored, signed, &mut known).await?;
        let copied = Copied {
            leaves: restored.leaves,
            since: restored.at,
            acknowledged: restored.acknowledged,
        };
        let agreed = succession.as_ref();
        let acted = self.act(&known, restoring::KEYS, |rules, when, entropy, keys| {
            restoring::begin(rules, when, entropy, keys, &known, copied, agreed)
        });
        Ok(match acted.await? {
            Acted::Logged => true,
            Acted::Moved => false,
            // An empty log: nobody was ever enrolled, and nothing is there to be shown.
            Acted::Nothing => known.members().is_empty(),
        })
    }

    /// Every organisation that is enrolled, and what belongs to none.
    pub(super) async fn members(&self) -> Result<Known, Fault> {
        let mut known = Known::default();
        let belong_to_none = [Aggregate::Settings, Aggregate::Roll];
        self.read(&mut known, &belong_to_none).await?;
        let members: Vec<Aggregate> = known
            .members()
            .into_iter()
            .map(Aggregate::Organisation)
            .collect();
        self.read(&mut known, &members).await?;
        Ok(known)
    }

    /// The restoration, if one was ever begun.
    pub async fn restoration(&self) -> Result<Option<Restoration>, Fault> {
        let mut known = Known::default();
        self.read(&mut known, &[Aggregate::Settings]).await?;
        Ok(known.restoration)
    }

    /// One withdrawal, as an agency kept it.
    pub async fn take_again(&self, attempt: Attempt, kept: &str) -> Result<Answered, Fault> {
        let rules = self.rules.load_full();
        let counterfoil = Counterfoil::parse(&rules.keys.counterfoil, kept);
        let counterfoil = counterfoil.as_ref();
        let (mut of, mut tokens) = (Vec::new(), None);
        match counterfoil.map(|kept| &kept.word) {
            None => {}
            Some(Word::Withdrew {
                tombstone, item, ..
            }) => {
                // What was settled and answered of it since stays.
                of = self.taken_before(WithdrawalId(*item)).await?.0;
                tokens = Some(tombstone.tokens.as_slice());
            }
            Some(Word::Declined { tombstone, .. }) => {
                tokens = Some(tombstone.tokens.as_slice());
            }
            Some(Word::TookBack { person, .. } | Word::Refused { person, .. }) => {
                of.push(Aggregate::Person(*person));
            }
            Some(Word::Revoked { referrals, .. }) => {
                of.extend(referrals.iter().copied().map(Aggregate::Referral));
            }
        }
        self.run(
            attempt,
            &[
                Read::Of(&of),
                Read::Tokens(tokens.unwrap_or_default()),
                Read::ReferralsOfPeople,
                Read::SealedOfPeople,
            ],
            |rules, attempt, known, keys| {
                reconciling::take_again(rules, attempt, known, keys, counterfoil)
            },
        )
        .await
    }

    /// That an organisation has handed in all, and the newest signed head that it has.
    pub async fn reconcile(
        &self,
        attempt: Attempt,
        complete: bool,
        checkpoint: Option<&str>,
    ) -> Result<Answered, Fault> {
        let head = match checkpoint {
            None => None,
            // One that proves a loss stops the store: then nothing more can be recorded, and
            // nothing is answered.
            Some(text) => Some(self.store.shown(text).await?),
        };
        let statement = Statement { complete, head };
        self.run(attempt, &[], |rules, attempt, known, keys| {
            reconciling::state(rules, attempt, known, keys, statement)
        })
        .await
    }
}
