//! What each stage of an offer costs by itself: the pipeline's own functions on a realistic offer,
//! one stage in a tight loop, with nothing else going on.
//!
//! A stage here calls what `pipeline` calls. What is not a function of its own (the reply, the
//! hand-over between threads) is not guessed at: the report shows it as the rest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use tokio::task::JoinSet;

use super::load::Shared;
use super::meter::{Cost, each, micros, process_cpu, thread_cpu};
use super::town::Town;
use super::{BenchError, crowd};
use crate::domain::attempt::{Attempt, IdempotencyKey, RequestDigest, UserName};
use crate::domain::codes::{Action, ConsentStrength, DataClass, Purpose, Role};
use crate::domain::decision::{Aggregate, Decision};
use crate::domain::firewall::hold::{Unread, Written};
use crate::domain::firewall::screen;
use crate::domain::id::{Id, OrgId};
use crate::domain::journey::offering::{self, Besides, Offer};
use crate::domain::journey::{ACCEPTED, caller, recipient};
use crate::domain::known::Known;
use crate::domain::peer::Peer;
use crate::domain::person::{RawFields, RawIdentifier, SafeContact, keys_of};
use crate::domain::policy::{Ask, ConsentState, authorise};
use crate::domain::referral::Draft;
use crate::domain::rules::Rules;
use crate::domain::ruling::Ruled;
use crate::domain::seal::{ItemKey, Keys, Payload, Slot};
use crate::domain::time::When;
use crate::edge::http::App;
use crate::edge::http::call::parse_json;
use crate::edge::http::codes;
use crate::edge::wire::ReferralIn;
use crate::ops::clock;
use crate::ops::demo::borough::CHARITY;
use crate::ops::gateway;
use crate::store::Outcome;

/// Item keys of one decision, as many as the pipeline reserves.
const KEYS_A_DECISION: usize = 96;

/// The gateway's own parts, outside of any request.
pub struct Bench {
    app: Arc<App>,
    rules: Arc<Rules>,
    peer: Peer,
    shared: Arc<Shared>,
    limit: Duration,
}

/// The CPU of each stage of one offer but its commit, in microseconds.
pub struct Stages {
    pub parse_us: f64,
    pub resolve_us: f64,
    pub facts_us: f64,
    pub keys_us: f64,
    pub policy_us: f64,
    pub screen_us: f64,
    pub seal_us: f64,
    /// Answering the empty request, once it is read.
    pub empty_us: f64,
}

/// Commits that are made durable together.
#[derive(Clone, Copy, Debug)]
pub struct CommitCost {
    pub group: usize,
    pub per_second: f64,
    /// For one decision, of the whole process.
    pub cpu_us: f64,
}

/// A decision that can be made.
struct Ready {
    attempt: Attempt,
    known: Known,
    offer: Offer,
}

impl Bench {
    /// `limit` is how long each stage runs.
    pub async fn new(
        town: &Town,
        shared: Arc<Shared>,
        limit: Duration,
    ) -> Result<Self, BenchError> {
        let app = Arc::clone(&town.running.app);
        let rules = app.gateway.rules.load_full();
        let peer = town.peer().await?;
        Ok(Self {
            app,
            rules,
            peer,
            shared,
            limit,
        })
    }

    pub async fn stages(&self) -> Result<Stages, BenchError> {
        let one = self.ready().await?;
        let ask = self.ask(&one)?;
        let policy = each(
            self.limit,
            thread_cpu,
            async || Ok(()),
            async |()| {
                authorise(&self.rules.book.policies, &ask, ()).map_err(|_| BenchError::Denied)
            },
        )
        .await?;
        let screening = self.screen(&one, &ask).await?;
        let whole = self.decide().await?;
        Ok(Stages {
            parse_us: self.parse().await?.cpu_us,
            resolve_us: self.resolve().await?.cpu_us,
            facts_us: self.facts().await?.cpu_us,
            keys_us: self.keys().await?.cpu_us,
            policy_us: policy.cpu_us,
            screen_us: screening.cpu_us,
            seal_us: whole.cpu_us - policy.cpu_us - screening.cpu_us,
            empty_us: self.empty().await?.cpu_us,
        })
    }

    /// From a draft to tokens and the parsed identity and safe contact.
    async fn resolve(&self) -> Result<Cost, BenchError> {
        each(
            self.limit,
            thread_cpu,
            async || {
                let (attempt, bytes) = self.input()?;
                Ok((self.draft(&attempt, &bytes)?, attempt))
            },
            async |(draft, attempt)| self.offer(draft, &attempt),
        )
        .await
    }

    /// Decisions committed `group` at a time: the next group when the last is durable.
    pub async fn commit(&self, group: usize) -> Result<CommitCost, BenchError> {
        let (mut wall, mut cpu, mut count) = (Duration::ZERO, Duration::ZERO, 0_u32);
        let mut warm = false;
        while count == 0 || wall < self.limit {
            let mut decisions = Vec::with_capacity(group);
            // One time for all: the store sends back an attempt that is older than the last leaf.
            let when = self.app.gateway.time();
            for _ in 0..group {
                decisions.push(self.decision(when).await?);
            }
            let (from, cpu_from) = (Instant::now(), process_cpu());
            let mut committing = JoinSet::new();
            for decision in decisions {
                let app = Arc::clone(&self.app);
                committing.spawn(async move { app.gateway.store.commit(decision).await });
            }
            while let Some(done) = committing.join_next().await {
                match done.map_err(|_| BenchError::Broken)?? {
                    Outcome::Logged(_) => {}
                    Outcome::Moved => return Err(BenchError::NotCommitted("its facts moved")),
                    Outcome::Replayed { .. } => {
                        return Err(BenchError::NotCommitted("its key was used before"));
                    }
                    Outcome::Limited => {
                        return Err(BenchError::NotCommitted("a limit was reached"));
                    }
                }
            }
            let (cpu_to, took) = (process_cpu(), from.elapsed());
            if warm {
                wall += took;
                cpu += cpu_to.saturating_sub(cpu_from);
                count += u32::try_from(group).unwrap_or(u32::MAX);
            }
            warm = true;
        }
        Ok(CommitCost {
            group,
            per_second: f64::from(count) / wall.as_secs_f64(),
            cpu_us: micros(cpu) / f64::from(count),
        })
    }

    async fn parse(&self) -> Result<Cost, BenchError> {
        each(
            self.limit,
            thread_cpu,
            async || self.input(),
            async |(attempt, bytes)| self.draft(&attempt, &bytes),
        )
        .await
    }

    async fn facts(&self) -> Result<Cost, BenchError> {
        each(
            self.limit,
            process_cpu,
            async || {
                let (attempt, bytes) = self.input()?;
                let offer = self.offer(self.draft(&attempt, &bytes)?, &attempt)?;
                Ok((attempt, offer))
            },
            async |(attempt, offer)| self.known(&attempt, &offer).await,
        )
        .await
    }

    async fn keys(&self) -> Result<Cost, BenchError> {
        each(
            self.limit,
            process_cpu,
            async || Ok(()),
            async |()| Ok(self.app.gateway.store.reserve(KEYS_A_DECISION).await?),
        )
        .await
    }

    async fn screen(&self, one: &Ready, ask: &Ask) -> Result<Cost, BenchError> {
        let contact = one.offer.safe_contact.as_ref();
        let texts: Vec<&str> = contact
            .into_iter()
            .flat_map(SafeContact::free_texts)
            .chain(one.offer.note.iter().flat_map(Unread::free_texts))
            .map(|(_, text)| text)
            .collect();
        each(
            self.limit,
            thread_cpu,
            async || {
                let permitted = authorise(&self.rules.book.policies, ask, payload());
                permitted.map_err(|_| BenchError::Denied)
            },
            async |permitted| {
                let found: Vec<_> = texts
                    .iter()
                    .map(|text| self.rules.book.screen.read(std::hint::black_box(text)))
                    .collect();
                Ok((found, screen(permitted, ACCEPTED)))
            },
        )
        .await
    }

    /// The whole of a decision, with keys that no store made: nothing of it is written.
    async fn decide(&self) -> Result<Cost, BenchError> {
        each(
            self.limit,
            thread_cpu,
            async || {
                let ready = self.ready().await?;
                let keys = (1..=KEYS_A_DECISION as u64).map(|slot| {
                    let [first, ..] = slot.to_be_bytes();
                    ItemKey::new(Slot(slot), [first; 32])
                });
                Ok((ready, keys.collect()))
            },
            async |(ready, keys): (Ready, Vec<ItemKey>)| self.decided(&ready, keys),
        )
        .await
    }

    async fn empty(&self) -> Result<Cost, BenchError> {
        each(
            self.limit,
            thread_cpu,
            async || Ok(()),
            async |()| Ok(codes::codes(State(Arc::clone(&self.app))).await),
        )
        .await
    }

    async fn decision(&self, when: When) -> Result<Decision<Ruled>, BenchError> {
        let mut ready = self.ready().await?;
        ready.attempt.when = when;
        let keys = self.app.gateway.store.reserve(KEYS_A_DECISION).await?;
        self.decided(&ready, keys)
    }

    fn decided(&self, ready: &Ready, keys: Vec<ItemKey>) -> Result<Decision<Ruled>, BenchError> {
        let Ready {
            attempt,
            known,
            offer,
        } = ready;
        let keys = Keys::new(keys, attempt.entropy.branch("nonces"));
        offering::offer(&self.rules, attempt, known, keys, offer).map_err(|_| BenchError::Denied)
    }

    async fn ready(&self) -> Result<Ready, BenchError> {
        let (attempt, bytes) = self.input()?;
        let offer = self.offer(self.draft(&attempt, &bytes)?, &attempt)?;
        let known = self.known(&attempt, &offer).await?;
        Ok(Ready {
            attempt,
            known,
            offer,
        })
    }

    /// A request that was read, of a new person.
    fn input(&self) -> Result<(Attempt, Vec<u8>), BenchError> {
        let number = self.shared.next();
        let when = self.app.gateway.time();
        let bytes = crowd::offer(number, clock::now());
        let key = IdempotencyKey::parse(&format!("stage-{number}"));
        let attempt = Attempt {
            peer: self.peer.clone(),
            user: UserName::parse("pc-ward").map_err(|_| BenchError::Denied)?,
            role: Role::Officer,
            asserted: true,
            second_factor: false,
            action: Action::OfferReferral,
            purpose: Purpose::OnwardReferral,
            when,
            entropy: self.app.gateway.entropy(),
            request: RequestDigest::of("POST", "/v1/referrals", &bytes),
            idempotency: Some(key.map_err(|_| BenchError::Denied)?),
            check_only: false,
        };
        Ok((attempt, bytes))
    }

    fn draft(&self, attempt: &Attempt, bytes: &[u8]) -> Result<Draft, BenchError> {
        let input: ReferralIn = parse_json(bytes).map_err(|_| BenchError::Denied)?;
        input.parse(attempt, false).map_err(|_| BenchError::Denied)
    }

    fn offer(&self, mut draft: Draft, attempt: &Attempt) -> Result<Offer, BenchError> {
        let nobody = RawIdentifier::new(RawFields::default());
        let raw = std::mem::replace(&mut draft.identity, nobody);
        let resolved = self.app.gateway.resolve(raw, attempt.when);
        let resolved = resolved.map_err(|_| BenchError::Denied)?;
        Offer::of(draft, resolved, Besides::default(), attempt.when).map_err(|_| BenchError::Denied)
    }

    /// What `pipeline` reads for the offer of a person whom nobody knows.
    async fn known(&self, attempt: &Attempt, offer: &Offer) -> Result<Known, BenchError> {
        let own = attempt.organisation().clone();
        let user = attempt.user.as_str().to_owned();
        let receiver = OrgId::parse(CHARITY).map_err(|_| BenchError::Denied)?;
        let tokens = offer.person.tokens();
        let reads = [
            vec![
                Aggregate::Organisation(own.clone()),
                Aggregate::User(own, user),
                Aggregate::Settings,
            ],
            vec![Aggregate::Organisation(receiver)],
            keys_of(tokens).map(Aggregate::Token).collect(),
        ];
        let mut known = Known::default();
        for mut of in reads {
            of.sort();
            of.dedup();
            let facts = self.app.gateway.store.facts(&of).await?;
            known.add(facts).map_err(|_| BenchError::Denied)?;
        }
        Ok(known)
    }

    /// The question that an offer puts to policy.
    fn ask(&self, one: &Ready) -> Result<Ask, BenchError> {
        let caller = caller(&one.known, &one.attempt).map_err(|_| BenchError::Denied)?;
        let service = one.known.directory.service(&one.offer.service);
        let service = service.ok_or(BenchError::Denied)?;
        let receiver = one.known.organisations.get(&service.organisation);
        let receiver = receiver.ok_or(BenchError::Denied)?;
        let to = recipient(receiver, &service.team, &one.attempt);
        let mut ask = caller.ask(&one.attempt, to);
        ask.classes = CLASSES.to_vec();
        ask.offence = Some(one.offer.operational.offence_group);
        ask.consent = Some(ConsentState {
            strength: ConsentStrength::Explicit,
            live: true,
            covers: true,
            from_another: false,
            depth: None,
        });
        Ok(ask)
    }
}

const CLASSES: [DataClass; 5] = [
    DataClass::Op,
    DataClass::Id,
    DataClass::Loc,
    DataClass::Ip,
    DataClass::Ft,
];

/// As many parts as an offer has, of the size of an identity.
fn payload() -> Payload {
    let mut payload = Payload::default();
    for class in CLASSES {
        if class != DataClass::Op {
            let item = Id::from_bytes(gateway::random().first_chunk().copied().unwrap_or_default());
            payload.add(class, item, zeroize::Zeroizing::new(vec![0; 128]));
        }
    }
    payload
}
