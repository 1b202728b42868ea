//! Governance: the facts that each change rests on, and the first facts of an empty log.

use crate::domain::alias::Aliases;
use crate::domain::attempt::Attempt;
use crate::domain::codes::Role;
use crate::domain::decision::{Aggregate, List, Listed};
use crate::domain::governance::{Narrowing, Widening};
use crate::domain::id::{Id, OrgId, ProposalId};
use crate::domain::journey::governing::founding::{Founding, NotFounded, found};
use crate::domain::journey::governing::{self, OwnCertificate, OwnWord, Renewal};
use crate::domain::known::Known;
use crate::domain::organisation::Organisation;
use crate::domain::peer::Peer;
use crate::domain::seal::Keys;
use crate::store::{Fault, Outcome};

use super::{Answered, Gateway, Read};

/// Proposals looked at in one decision, the newest first.
const PROPOSALS_MAX: u16 = 200;

/// The gateway was not begun; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum Unfounded {
    #[error("the log has entries already; use an empty data_dir")]
    NotEmpty,
    #[error(transparent)]
    Refused(#[from] NotFounded),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Gateway {
    /// Writes the first facts, if the log is empty, as one entry of the gateway itself.
    pub async fn found(&self, founding: &Founding) -> Result<Answered, Unfounded> {
        if self.store.health().leaves != 0 {
            return Err(Unfounded::NotEmpty);
        }
        let when = self.time();
        let entropy = self.entropy();
        let keys = self.store.reserve(founding.keys()).await?;
        let keys = Keys::new(keys, entropy.branch("nonces"));
        let rules = self.rules.load_full();
        let decision = found(&rules, when, &entropy, keys, founding)?;
        match self.store.commit(decision).await? {
            Outcome::Logged(logged) => Ok(self.answer(when, logged).await?),
            Outcome::Moved | Outcome::Replayed { .. } | Outcome::Limited => {
                Err(Unfounded::NotEmpty)
            }
        }
    }

    /// The names by which the caller's organisation knows things.
    pub async fn aliases(&self, attempt: &Attempt) -> Result<Aliases, Fault> {
        let own = Aggregate::Organisation(attempt.organisation().clone());
        let mut known = Known::default();
        self.read(&mut known, &[own]).await?;
        Ok(self.rules.load().aliases(attempt, &known))
    }

    /// What is enrolled of a caller, for what is told to her about herself.
    pub async fn enrolled(&self, peer: &Peer) -> Result<Known, Fault> {
        let mut known = Known::default();
        let own = Aggregate::Organisation(peer.name().organisation.clone());
        self.read(&mut known, &[own, Aggregate::Settings]).await?;
        known.witnessing = self.witnessing().await?;
        Ok(known)
    }

    /// All that are enrolled, for the operator: what must be renewed, and when.
    pub async fn enrolled_all(&self) -> Result<Vec<Organisation>, Fault> {
        let known = self.members().await?;
        Ok(known.organisations.into_values().collect())
    }

    /// The roles that a certificate may take, in the order of its enrolment.
    pub async fn roles(&self, peer: &Peer) -> Result<Vec<Role>, Fault> {
        let known = self.enrolled(peer).await?;
        let organisation = known.organisations.get(&peer.name().organisation);
        Ok(organisation
            .and_then(|organisation| organisation.certificate(peer.spki_sha256(), self.time()))
            .map(|certificate| certificate.roles.clone())
            .unwrap_or_default())
    }

    /// Proposes a widening. It changes nothing yet.
    pub async fn propose(&self, attempt: Attempt, widening: &Widening) -> Result<Answered, Fault> {
        let recent = aggregates(&self.recent_proposals(None).await?);
        let mut reads = vec![
            Read::Target(widening.organisation(), widening.user()),
            Read::Of(&recent),
        ];
        // Named by the caller's alias.
        reads.extend(
            widening
                .hold()
                .map(|hold| Read::Referral(hold.referral.id())),
        );
        self.run(attempt, &reads, |rules, attempt, known, keys| {
            governing::propose(rules, attempt, known, keys, widening)
        })
        .await
    }

    /// A certificate for the caller's own organisation, at once.
    pub async fn issue_own(
        &self,
        attempt: Attempt,
        own: &OwnCertificate,
    ) -> Result<Answered, Fault> {
        let organisation = attempt.organisation().clone();
        self.run(
            attempt,
            &[Read::Target(&organisation, own.certificate.user.as_deref())],
            |rules, attempt, known, keys| governing::issue_own(rules, attempt, known, keys, own),
        )
        .await
    }

    /// Another key for somebody of the caller's own organisation, at once.
    pub async fn renew_own(&self, attempt: Attempt, renewal: &Renewal) -> Result<Answered, Fault> {
        let organisation = attempt.organisation().clone();
        self.run(
            attempt,
            &[Read::Target(&organisation, Some(renewal.user.as_str()))],
            |rules, attempt, known, keys| {
                governing::renew_own(rules, attempt, known, keys, renewal)
            },
        )
        .await
    }

    /// What a service of the caller's own organisation can meet, at once.
    pub async fn say_meets(&self, attempt: Attempt, word: &OwnWord) -> Result<Answered, Fault> {
        self.run(attempt, &[], |rules, attempt, known, keys| {
            governing::say_meets(rules, attempt, known, keys, word)
        })
        .await
    }

    /// Approves a proposal of another organisation; its change takes effect in the same commit.
    pub async fn approve(&self, attempt: Attempt, alias: Id) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Proposal(alias)],
            |rules, attempt, known, keys| governing::approve(rules, attempt, known, keys, alias),
        )
        .await
    }

    /// Lets less through, at once.
    pub async fn narrow(&self, attempt: Attempt, narrowing: &Narrowing) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Target(narrowing.organisation(), narrowing.user())],
            |rules, attempt, known, keys| governing::narrow(rules, attempt, known, keys, narrowing),
        )
        .await
    }

    /// The newest proposals that the caller's organisation may see. The last of the positions is
    /// where the next page begins.
    pub async fn proposals(
        &self,
        attempt: Attempt,
        before: Option<Listed>,
    ) -> Result<(Answered, Vec<Listed>), Fault> {
        let entries = self.recent_proposals(before).await?;
        let read = aggregates(&entries);
        let answered = self
            .run(
                attempt,
                &[Read::Of(&read)],
                |rules, attempt, known, keys| {
                    governing::proposals(rules, attempt, known, keys, &entries)
                },
            )
            .await?;
        Ok((answered, entries))
    }

    async fn recent_proposals(&self, before: Option<Listed>) -> Result<Vec<Listed>, Fault> {
        self.store
            .newest(&List::Proposals, before, PROPOSALS_MAX)
            .await
    }

    /// A proposal, and what it would change.
    pub(super) async fn read_proposal(
        &self,
        known: &mut Known,
        id: ProposalId,
    ) -> Result<(), Fault> {
        self.read(known, &[Aggregate::Proposal(id)]).await?;
        let Some(proposal) = known.proposals.get(&id) else {
            return Ok(());
        };
        let widening = proposal.widening.clone();
        if let Some(hold) = widening.hold() {
            self.read(known, &[Aggregate::Referral(hold.referral)])
                .await?;
        }
        if let Some(revision) = widening.revision() {
            let books = [revision.hash, revision.replaces].map(Aggregate::Rulebook);
            self.read(known, &books).await?;
            self.read(known, &[Aggregate::Roll]).await?;
        }
        self.read_target(known, widening.organisation(), widening.user())
            .await
    }

    /// The organisation that a change is about, and the user if it names one.
    pub(super) async fn read_target(
        &self,
        known: &mut Known,
        organisation: &OrgId,
        user: Option<&str>,
    ) -> Result<(), Fault> {
        let user = user.map(|user| Aggregate::User(organisation.clone(), user.to_owned()));
        let of: Vec<Aggregate> = [Aggregate::Organisation(organisation.clone())]
            .into_iter()
            .chain(user)
            .collect();
        self.read(known, &of).await
    }
}

fn aggregates(entries: &[Listed]) -> Vec<Aggregate> {
    entries
        .iter()
        .map(|entry| Aggregate::Proposal(ProposalId(entry.item)))
        .collect()
}
