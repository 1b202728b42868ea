//! READ FIRST. The life of a request, top to bottom.
//!
//! The edge makes an [`Attempt`] of a verified [`Peer`](crate::domain::peer::Peer) and parsed
//! input. Here, for every attempt:
//!
//! 1. *resolve*: identifiers become keyed tokens ([`Gateway::resolve`]);
//! 2. *facts*: what the decision rests on is read, each at its version;
//! 3. *decide*: a pure function of [`crate::domain::journey`] asks policy (`Permitted`), screens
//!    (`Screened`) and seals (`SealedPart`);
//! 4. *commit*: record, leaf and checkpoint in one durable write; if a fact moved meanwhile,
//!    decide again;
//! 5. *open*: only now, and only what the logged decision names.
//!
//! Nothing leaves but an [`Answered`], and only a `Logged` decision makes one.

mod assessing;
mod auditing;
mod beside;
mod counting;
mod drafts;
mod emergencies;
mod forgetting;
mod governing;
mod holding;
mod linking;
mod offers;
mod opened;
mod own_acts;
mod referred;
mod reporting;
mod restoring;
mod returns;
mod rulebook;
mod sealed_items;
mod second_factor;
mod subject_access;
mod timing;
mod transferring;
mod watching;
mod withdrawing;
mod witnessing;

pub use auditing::{Page, Part};
pub use counting::{Sum, Tallies};
pub use governing::Unfounded;
pub use opened::{Entry, Erased, More};
pub use restoring::NotBegun;
pub use witnessing::{HandedIn, Witnesses};

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::domain::alias::{AliasKind, Aliases};
use crate::domain::answer::Answer;
use crate::domain::attempt::{Attempt, Entropy};
use crate::domain::codes::{Action, ServiceFamily};
use crate::domain::decision::{Aggregate, Decision, List, Listed, Window};
use crate::domain::id::{
    Id, OrgId, ProposalId, ReferralId, SealedItemId, ServiceId, StopUseId, WithdrawalId,
};
use crate::domain::journey;
use crate::domain::journey::subject::{Named, Subject};
use crate::domain::journey::{answering, offering, reading};
use crate::domain::known::Known;
use crate::domain::logged::Logged;
use crate::domain::opening::Opening;
use crate::domain::organisation::Service;
use crate::domain::passkey::Site;
use crate::domain::person::{
    FieldError, Identity, Person, RawIdentifier, TaggedToken, Token, keys_of, resolve,
};
use crate::domain::receipt::Receipt;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::time::When;
use holding::apart;
use opened::receipt;

use crate::store::{Outcome, Readable, Store};

// The edge speaks to the store only through what comes back from here.
pub use crate::store::{Fault, OpenedItem};

/// A decision whose facts moved is made again this often.
const TRIES_MAX: u32 = 8;
/// Item keys for the largest decision: a withdrawal that reaches many records.
const KEYS_A_DECISION: usize = 192;

/// The gateway: its store, the rules in force, and where time and randomness come from.
pub struct Gateway {
    pub store: Arc<Store>,
    pub rules: ArcSwap<Rules>,
    pub now: fn() -> When,
    /// The latest time of an attempt that was logged since the start, in milliseconds; 0 at first.
    pub latest: AtomicI64,
    pub random: fn() -> [u8; 32],
    pub witnesses: Witnesses,
    /// Counts of the log that do not change any more.
    pub tallies: Arc<Tallies>,
    /// Where passkeys are for; `None` where people reach the gateway by no host name.
    pub passkeys: Option<Site>,
    /// One at a time loads a rulebook that came into force.
    pub taking_up: Mutex<()>,
}

/// Facts that a decision rests on, beyond its caller. Read in order: each may follow from those
/// before it.
pub enum Read<'a> {
    Of(&'a [Aggregate]),
    /// Something under the name that the caller's organisation has for it.
    Named(AliasKind, Id, fn(Id) -> Aggregate),
    /// The organisation that runs a service.
    Service(&'a ServiceId),
    /// The organisations that run services of the family of a service.
    Like(&'a ServiceId),
    /// The organisations that run services of a family.
    Family(ServiceFamily),
    /// A person's tokens, the records that carry them, and what was withdrawn.
    Tokens(&'a [TaggedToken]),
    /// A referral by the caller's alias, with both its parties and the person.
    Referral(Id),
    /// The referrals that the caller's organisation sent about the people read so far.
    OwnReferrals,
    ReferralsOfPeople,
    /// The referrals that a sender's own names stand for.
    Externals(&'a [Token]),
    /// An organisation that a change is about, and the user if it names one.
    Target(&'a OrgId, Option<&'a str>),
    /// A proposal by the caller's alias, with what it would change.
    Proposal(Id),
    /// The caller's own record of whom it means, and the records that carry the same tokens.
    Subject(&'a Subject),
    /// The withdrawals set on any token of the records read so far.
    Withdrawals,
    /// Who received the referrals read so far.
    Receivers,
    /// Whether the caller named this person in a window before, so that she counts once; and about
    /// how many people she asked today and on the day before that she asked.
    Counted(&'a Subject, fn(When) -> Window),
    /// How often more, for the items of the queues read so far.
    Signs,
    /// Both organisations of the sealed items read so far.
    SealedParties,
    /// The sealed items that rest on the word of the people read so far.
    SealedOfPeople,
    /// A request for what is held about her, or what one is asked for it, by the caller's alias, with
    /// what belongs to it.
    Access(Id),
    /// The requests for which what was read so far is asked.
    AskedFor,
    /// A pair of records by the caller's alias, both records, and the records that either is linked
    /// to.
    Link(Id),
}

/// What may be told to the caller: a logged answer, what it opened, and the receipt.
#[expect(
    clippy::manual_non_exhaustive,
    reason = "`non_exhaustive` binds other crates only; this binds other modules too"
)]
pub struct Answered {
    pub answer: Answer,
    pub opened: Vec<OpenedItem>,
    pub entries: Vec<Entry>,
    pub more: More,
    pub receipt: Receipt,
    pub at: When,
    /// The names by which the caller's organisation knows what the answer speaks of.
    pub aliases: Aliases,
    /// Of a withdrawal: what the caller keeps, sealed.
    pub counterfoil: Option<Vec<u8>>,
    /// Private, so that only a logged decision becomes one, in [`Gateway::answer`].
    _logged: (),
}

impl Gateway {
    pub fn entropy(&self) -> Entropy {
        Entropy::new((self.random)())
    }

    /// Identifiers become tokens and an identity that only sealing consumes.
    pub fn resolve(
        &self,
        raw: RawIdentifier,
        when: When,
    ) -> Result<(Person, Identity), Vec<FieldError>> {
        let today = self.today(when)?;
        resolve(raw, &self.rules.load().tokens, today)
    }

    /// Whom a caller means, without anything that could be read.
    pub fn subject(&self, named: Named, when: When) -> Result<Subject, Vec<FieldError>> {
        Ok(match named {
            Named::Referral(alias) => Subject::Referral(alias),
            Named::Person(alias) => Subject::Person(alias),
            Named::Identity(raw) => {
                let (person, _) = self.resolve(*raw, when)?;
                Subject::Tokens(person.tokens().to_vec(), person.household())
            }
        })
    }

    /// One referral: offered, or refused with a reason, or recorded as declined by her.
    pub async fn offer(&self, attempt: Attempt, offer: offering::Offer) -> Result<Answered, Fault> {
        let apart = apart(&attempt);
        let mut reads = vec![
            Read::Service(&offer.service),
            Read::Tokens(offer.person.tokens()),
            Read::OwnReferrals,
        ];
        reads.extend(offer.may_go_on().then_some(Read::Like(&offer.service)));
        let answered = self
            .run(attempt, &reads, |rules, attempt, known, keys| {
                offering::offer(rules, attempt, known, keys, &offer)
            })
            .await?;
        self.log_held(apart, answered).await
    }

    /// The receiving service accepts, declines, waits, closes, or reads again.
    pub async fn respond(
        &self,
        attempt: Attempt,
        alias: Id,
        response: answering::Response,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Referral(alias)],
            |rules, attempt, known, keys| {
                answering::respond(rules, attempt, known, keys, alias, &response)
            },
        )
        .await
    }

    /// Status or note of one referral.
    pub async fn referral(
        &self,
        attempt: Attempt,
        alias: Id,
        ask: reading::Ask<'_>,
    ) -> Result<Answered, Fault> {
        let apart = apart(&attempt);
        let answered = self
            .run(
                attempt,
                &[Read::Referral(alias)],
                |rules, attempt, known, keys| {
                    reading::referral(rules, attempt, known, keys, alias, &ask)
                },
            )
            .await?;
        self.log_held(apart, answered).await
    }

    /// A page of the caller's own list: sent, inbox or events.
    pub async fn list(
        &self,
        attempt: Attempt,
        list: List,
        after: Option<Listed>,
        max: u16,
    ) -> Result<(Answered, Vec<Listed>), Fault> {
        let entries = self.store.list(&list, after, max).await?;
        let ids = entries.iter().map(|entry| entry.item);
        let mut items: Vec<Aggregate> = ids
            .clone()
            .map(|id| Aggregate::Referral(ReferralId(id)))
            .collect();
        if matches!(list, List::Events(_) | List::HerWord(_)) {
            items.extend(
                ids.clone()
                    .map(|id| Aggregate::SealedItem(SealedItemId(id))),
            );
            items.extend(ids.clone().map(|id| Aggregate::StopUse(StopUseId(id))));
            items.extend(ids.map(|id| Aggregate::Withdrawal(WithdrawalId(id))));
        }
        let answered = self
            .run(
                attempt,
                &[Read::Of(&items)],
                |rules, attempt, known, keys| reading::list(rules, attempt, known, keys, &entries),
            )
            .await?;
        Ok((answered, entries))
    }

    /// The service with this number in the health directory.
    pub async fn service_of(&self, dos_service_id: &str) -> Result<Option<Service>, Fault> {
        let mut known = Known::default();
        self.read(&mut known, &[Aggregate::Settings]).await?;
        Ok(known.directory.by_dos(dos_service_id).cloned())
    }

    /// How many leaves there are, to wait for the next.
    pub fn position(&self) -> u64 {
        self.store.health().leaves
    }

    /// An attempt that the edge refused: unknown route, unreadable body, too many calls.
    pub async fn refuse(&self, attempt: Attempt, refusal: Refusal) -> Result<Answered, Fault> {
        self.run(attempt, &[], |rules, attempt, known, keys| {
            Ruling::new(rules, attempt, known, keys).refuse_unread(refusal.clone())
        })
        .await
    }

    /// Facts, decision, commit: again while the facts move, at most [`TRIES_MAX`] times.
    async fn run(
        &self,
        attempt: Attempt,
        reads: &[Read<'_>],
        decide: impl Fn(&Rules, &Attempt, &Known, Keys) -> Result<Decision<Ruled>, BadRuling>
        + Send
        + Sync,
    ) -> Result<Answered, Fault> {
        let mut attempt = attempt;
        let mut wanted = keys_for(attempt.action);
        for _ in 0..TRIES_MAX {
            attempt = attempt.again("try");
            attempt.when = self.time();
            let known = self.facts(&attempt, reads).await?;
            let Some(rules) = self.rules_for(&known).await? else {
                continue;
            };
            let keys = self.store.reserve(wanted).await?;
            let keys = Keys::new(keys, attempt.entropy.branch("nonces"));
            let decision = match decide(&rules, &attempt, &known, keys) {
                Err(BadRuling::OutOfKeys(_)) if wanted < KEYS_A_DECISION => {
                    wanted = KEYS_A_DECISION;
                    continue;
                }
                decided => decided.map_err(unsealed)?,
            };
            match self.store.commit(decision).await? {
                Outcome::Logged(logged) => return self.logged(attempt.when, logged).await,
                Outcome::Moved => {}
                Outcome::Replayed {
                    index,
                    same_request,
                    reply,
                } => {
                    return self.replayed(&attempt, index, same_request, &reply).await;
                }
                Outcome::Limited => return self.limited(attempt).await,
            }
        }
        Err(Fault::CannotRecord("the facts kept moving; try again"))
    }

    /// Opens what the logged decision names, and makes the receipt.
    async fn answer(&self, at: When, logged: Logged<Ruled>) -> Result<Answered, Fault> {
        let opened = self.store.open(&logged).await?;
        let (entries, more) = self.open_entries(&logged).await?;
        let first = self.first_receipt(&logged).await?;
        let (ruled, leaf, inclusion) = logged.into_parts();
        let receipt = first.unwrap_or_else(|| receipt(leaf, inclusion, &ruled.opening));
        // Whole or nothing: what was destroyed since the decision takes the rest with it.
        let whole = opened.len() == ruled.answer.parts().len();
        Ok(Answered {
            answer: if whole { ruled.answer } else { Answer::Nothing },
            opened,
            entries,
            more,
            receipt,
            at,
            aliases: ruled.aliases,
            counterfoil: ruled.counterfoil,
            _logged: (),
        })
    }

    /// For a request made before: the receipt of the first time, with a proof of today.
    async fn first_receipt(&self, logged: &Logged<Ruled>) -> Result<Option<Receipt>, Fault> {
        let Answer::Replayed { index: [index], .. } = logged.value().answer else {
            return Ok(None);
        };
        let opened = self.store.entries(&Readable::of(logged), &[index]).await?;
        let proof = self.store.inclusion(index).await?;
        let Some(((_, leaf, bytes), inclusion)) = opened.into_iter().next().zip(proof) else {
            // Its opening was erased since: the receipt of this attempt has to do.
            return Ok(None);
        };
        let opening =
            Opening::parse(&bytes).map_err(|_| Fault::Unreadable("a log entry's opening"))?;
        Ok(Some(receipt(leaf, inclusion, &opening)))
    }

    /// The same request again: the same status and receipt, never data again.
    async fn replayed(
        &self,
        attempt: &Attempt,
        index: u64,
        same_request: bool,
        reply: &[u8],
    ) -> Result<Answered, Fault> {
        let mut attempt = attempt.again("replayed");
        attempt.idempotency = None;
        for _ in 0..TRIES_MAX {
            attempt = attempt.again("try");
            // Another attempt may have been logged later meanwhile; the log never goes back.
            attempt.when = self.time();
            let known = self.caller(&attempt).await?;
            let Some(rules) = self.rules_for(&known).await? else {
                continue;
            };
            let keys = self.store.reserve(KEYS_A_DECISION).await?;
            let keys = Keys::new(keys, attempt.entropy.branch("nonces"));
            let mut ruling = Ruling::new(&rules, &attempt, &known, keys);
            ruling.note("replayed");
            // Who may no longer call is not answered from what she once sent.
            let decision = match journey::standing(&known, &attempt) {
                Err(refusal) => ruling.refuse(refusal),
                Ok(()) if same_request => ruling.finish(Answer::replayed(index, reply)),
                Ok(()) => ruling.refuse(Refusal::AlreadySent),
            };
            match self.store.commit(decision.map_err(unsealed)?).await? {
                Outcome::Logged(logged) => return self.answer(attempt.when, logged).await,
                Outcome::Moved => {}
                Outcome::Replayed { .. } | Outcome::Limited => break,
            }
        }
        Err(Fault::CannotRecord("the facts kept moving; try again"))
    }

    /// A daily limit is reached: the same words for every person (3.0.5).
    async fn limited(&self, attempt: Attempt) -> Result<Answered, Fault> {
        let mut attempt = attempt.again("limited");
        attempt.idempotency = None;
        for _ in 0..TRIES_MAX {
            attempt = attempt.again("try");
            attempt.when = self.time();
            // Nothing but the refusal is written, so the caller need not be known here.
            let mut known = Known::default();
            self.read(&mut known, &[Aggregate::Settings]).await?;
            let Some(rules) = self.rules_for(&known).await? else {
                continue;
            };
            let keys = self.store.reserve(KEYS_A_DECISION).await?;
            let keys = Keys::new(keys, attempt.entropy.branch("nonces"));
            let decision = Ruling::new(&rules, &attempt, &known, keys)
                .refuse(Refusal::SlowDown {
                    retry_after_s: 3_600,
                })
                .map_err(unsealed)?;
            match self.store.commit(decision).await? {
                Outcome::Logged(logged) => return self.answer(attempt.when, logged).await,
                Outcome::Moved => {}
                Outcome::Replayed { .. } | Outcome::Limited => break,
            }
        }
        Err(Fault::CannotRecord("the facts kept moving; try again"))
    }

    /// All the facts of one decision.
    async fn facts(&self, attempt: &Attempt, reads: &[Read<'_>]) -> Result<Known, Fault> {
        let mut known = self.caller(attempt).await?;
        for read in reads {
            match read {
                Read::Of(of) => self.read(&mut known, of).await?,
                Read::Named(kind, alias, aggregate) => {
                    let aliases = self.rules.load().aliases(attempt, &known);
                    let of = aggregate(aliases.inward(*kind, *alias));
                    self.read(&mut known, &[of]).await?;
                }
                Read::Service(service) => {
                    let service = known.directory.service(service);
                    if let Some(receiver) = service.map(|service| service.organisation.clone()) {
                        self.read(&mut known, &[Aggregate::Organisation(receiver)])
                            .await?;
                    }
                }
                Read::Like(service) => {
                    let family = known.directory.service(service).map(|one| one.family);
                    if let Some(family) = family {
                        self.read_family(&mut known, family).await?;
                    }
                }
                Read::Family(family) => self.read_family(&mut known, *family).await?,
                Read::Tokens(tokens) => self.read_person(&mut known, tokens).await?,
                Read::Referral(alias) => self.read_referral(&mut known, attempt, *alias).await?,
                Read::OwnReferrals => {
                    self.read_own_referrals(&mut known, attempt.organisation())
                        .await?;
                }
                Read::Target(organisation, user) => {
                    self.read_target(&mut known, organisation, *user).await?;
                }
                Read::Proposal(alias) => {
                    let aliases = self.rules.load().aliases(attempt, &known);
                    let id = ProposalId(aliases.inward(AliasKind::Proposal, *alias));
                    self.read_proposal(&mut known, id).await?;
                }
                Read::ReferralsOfPeople => self.read_referrals_of_people(&mut known).await?,
                Read::Externals(names) => {
                    let of: Vec<Aggregate> =
                        names.iter().map(|name| Aggregate::Token(*name)).collect();
                    self.read(&mut known, &of).await?;
                    let named = known.externals.values().flatten();
                    let of: Vec<Aggregate> = named
                        .map(|referral| Aggregate::Referral(*referral))
                        .collect();
                    self.read(&mut known, &of).await?;
                }
                Read::Subject(subject) => self.read_subject(&mut known, attempt, subject).await?,
                Read::Withdrawals => self.read_withdrawals(&mut known).await?,
                Read::Signs => self.count_signs(&mut known).await?,
                Read::SealedParties => self.read_sealed_parties(&mut known).await?,
                Read::SealedOfPeople => self.read_sealed_of_people(&mut known).await?,
                Read::Access(alias) => self.read_access(&mut known, attempt, *alias).await?,
                Read::AskedFor => self.read_asked_for(&mut known).await?,
                Read::Link(alias) => self.read_link(&mut known, attempt, *alias).await?,
                Read::Receivers => {
                    let receivers = known.referrals.values().map(|sent| sent.recipient.clone());
                    let of: Vec<Aggregate> = receivers.map(Aggregate::Organisation).collect();
                    self.read(&mut known, &of).await?;
                }
                Read::Counted(subject, window) => {
                    let rules = self.rules.load_full();
                    let window = window(attempt.when);
                    let counter = subject.same_person(&rules, attempt, &known, window);
                    self.count(&mut known, counter).await?;
                    if let Some(counter) = subject.household_counter(attempt, window) {
                        self.count(&mut known, counter).await?;
                    }
                    self.count_days(&mut known, attempt).await?;
                }
            }
        }
        known.stand_at(attempt.when);
        Ok(known)
    }

    /// What every decision needs: who calls, and what belongs to no one.
    async fn caller(&self, attempt: &Attempt) -> Result<Known, Fault> {
        let mut known = Known::default();
        let own = attempt.organisation().clone();
        let user = attempt.user.as_str().to_owned();
        self.read(
            &mut known,
            &[
                Aggregate::Organisation(own.clone()),
                Aggregate::User(own, user),
                Aggregate::Settings,
            ],
        )
        .await?;
        known.witnessing = self.witnessing().await?;
        Ok(known)
    }

    /// Reads what is not read yet, so that a decision sees one version of each; and of records, what
    /// was decided about pairs that they are part of.
    async fn read(&self, known: &mut Known, of: &[Aggregate]) -> Result<(), Fault> {
        self.read_these(known, of).await?;
        let links = known.links_to_read();
        self.read_these(known, &links).await
    }

    async fn read_these(&self, known: &mut Known, of: &[Aggregate]) -> Result<(), Fault> {
        let mut wanted: Vec<Aggregate> = of
            .iter()
            .filter(|aggregate| !known.has(aggregate))
            .cloned()
            .collect();
        wanted.sort();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(());
        }
        let facts = self.store.facts(&wanted).await?;
        known
            .add(facts)
            .map_err(|_| Fault::Unreadable("a fact of an unknown form"))
    }

    /// Her tokens, the records that carry them, and what was withdrawn.
    async fn read_person(&self, known: &mut Known, tokens: &[TaggedToken]) -> Result<(), Fault> {
        let of: Vec<Aggregate> = keys_of(tokens).map(Aggregate::Token).collect();
        self.read(known, &of).await?;
        let people: Vec<Aggregate> = known
            .holders_of(tokens)
            .into_iter()
            .map(Aggregate::Person)
            .collect();
        self.read(known, &people).await
    }

    /// The caller's own record of whom it means, and the records that carry the same tokens.
    async fn read_subject(
        &self,
        known: &mut Known,
        attempt: &Attempt,
        subject: &Subject,
    ) -> Result<(), Fault> {
        let rules = self.rules.load_full();
        let aliases = rules.aliases(attempt, known);
        self.read(known, &subject.begins_at(&aliases)).await?;
        if let Subject::Tokens(tokens, _) = subject {
            self.read_person(known, tokens).await?;
        }
        let record = subject.record(&rules, attempt, known);
        let record: Vec<Aggregate> = record.into_iter().map(Aggregate::Person).collect();
        self.read(known, &record).await?;
        if let Some(found) = subject.find(&rules, attempt, known) {
            self.read_person(known, &found.tokens).await?;
        }
        Ok(())
    }
}

/// Item keys that an action usually needs; one that needs more is decided again with all.
const fn keys_for(action: Action) -> usize {
    match action {
        Action::OfferReferral
        | Action::TransferReferral
        | Action::UpdateReferral
        | Action::AcceptReferral
        | Action::Withdraw
        | Action::SettleWithdrawal
        | Action::SealItem
        | Action::RecordAssessment
        | Action::WithdrawAssessment
        | Action::QueryAssessments
        | Action::ConfirmLink
        | Action::RejectLink
        | Action::BreakGlass
        | Action::TakeSubjectAccess
        | Action::MoveSubjectAccess
        | Action::ReplySubjectAccess
        | Action::Approve
        | Action::Reconcile => 64,
        _ => 12,
    }
}

// A decision that cannot be put together is answered by nothing at all (P2).
fn unsealed(bad: BadRuling) -> Fault {
    match bad {
        BadRuling::OutOfKeys(_) => Fault::TooLarge,
        BadRuling::Opening(_) => Fault::CannotRecord("the log entry is over its limits"),
        BadRuling::OtherRulebook => {
            Fault::CannotRecord("other policies came into force; try again")
        }
    }
}
