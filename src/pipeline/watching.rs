//! The watch: one item of a queue with what lies around it, the register of flagged people, the seal
//! on a person, and what the gateway itself does to queues by the clock.

use std::ops::Range;

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::audit::QueueItem;
use crate::domain::codes::OrgKind;
use crate::domain::decision::{Aggregate, Counter, List, Listed};
use crate::domain::id::{Id, OrgId, ProposalId, StopUseId};
use crate::domain::journey::auditing;
use crate::domain::journey::flagging::{self, Flagging};
use crate::domain::journey::keeping::{self, Draw};
use crate::domain::journey::sealing::{self, Behind};
use crate::domain::journey::stop_use;
use crate::domain::journey::watching::day;
use crate::domain::known::Known;
use crate::domain::person::{Token, keys_of};
use crate::domain::time::When;
use crate::domain::watch::sample::Week;
use crate::store::{Fault, Store};

use super::own_acts::Acted;
use super::{Answered, Gateway, KEYS_A_DECISION, Read, TRIES_MAX};

/// Entries before and after an item, of the same user.
const AROUND: u16 = 10;
/// Entries behind one item that are shown.
const BEHIND: u16 = 20;
/// Entries looked at in one step of a list.
const STEP: u16 = 200;
/// Accesses of one organisation's week that a sample is drawn from, the newest.
const DRAWN_FROM_MAX: usize = 50_000;

impl Gateway {
    /// One item of the caller's own queue, with the entries behind and around it.
    pub async fn audit_item(&self, attempt: Attempt, alias: Id) -> Result<Answered, Fault> {
        let own = attempt.organisation().clone();
        let id = self
            .aliases(&attempt)
            .await?
            .inward(AliasKind::Entry, alias);
        let queue = [Aggregate::Queue(own.clone())];
        let mut known = Known::default();
        self.read(&mut known, &queue).await?;
        let around = match known.queue.get(&id) {
            Some(item) => self.around(&own, item).await?,
            None => Vec::new(),
        };
        self.run(
            attempt,
            &[Read::Of(&queue), Read::Signs],
            |rules, attempt, known, keys| {
                auditing::item(rules, attempt, known, keys, alias, &around)
            },
        )
        .await
    }

    /// Entries behind an item, and those of the same user before and after it, the newest first.
    /// Which of them the reader sees is settled when they are opened.
    async fn around(&self, own: &OrgId, item: &QueueItem) -> Result<Vec<u64>, Fault> {
        if let Some(drawn) = &item.drawn {
            return Ok(vec![drawn.entry]);
        }
        let (whose, of) = match &item.from {
            Some(from) => (&from.organisation, from.item),
            None => (own, item.id),
        };
        let alert = List::Alert(whose.clone(), of);
        let first = self.store.list(&alert, None, 1).await?;
        let mut indices: Vec<u64> = first.iter().map(|entry| entry.index).collect();
        let newest = self.store.newest(&alert, None, BEHIND).await?;
        indices.extend(newest.iter().map(|entry| entry.index));
        if let Some(first) = first.first() {
            let place = |index| Listed {
                at: 0,
                index,
                item: Id::ZERO,
            };
            let of_user = List::AuditUser(item.organisation.clone(), item.user.clone());
            let before = Some(place(first.index));
            let earlier = self.store.newest(&of_user, before, AROUND).await?;
            let after = Some(place(first.index));
            let later = self.store.list(&of_user, after, AROUND + 1).await?;
            indices.extend(earlier.iter().chain(&later).map(|entry| entry.index));
        }
        indices.sort_unstable_by(|a, b| b.cmp(a));
        indices.dedup();
        Ok(indices)
    }

    /// Flags a person for the caller's own organisation.
    pub async fn flag(&self, attempt: Attempt, flagging: &Flagging) -> Result<Answered, Fault> {
        let tokens: Vec<Token> = keys_of(&flagging.tokens)
            .chain(flagging.household)
            .collect();
        let of: Vec<Aggregate> = tokens.into_iter().map(Aggregate::Token).collect();
        self.run(attempt, &[Read::Of(&of)], |rules, attempt, known, keys| {
            flagging::flag(rules, attempt, known, keys, flagging)
        })
        .await
    }

    /// Which of the caller's own people entry `index` is about, under a proposal's alias.
    pub async fn open_seal(
        &self,
        attempt: Attempt,
        index: u64,
        alias: Id,
    ) -> Result<Answered, Fault> {
        let mut answered = self
            .run(
                attempt,
                &[Read::Named(AliasKind::Proposal, alias, |id| {
                    Aggregate::Proposal(ProposalId(id))
                })],
                |rules, attempt, known, keys| {
                    sealing::open(rules, attempt, known, keys, index, alias)
                },
            )
            .await?;
        if !matches!(answered.answer, Answer::SealOpened(_)) {
            return Ok(answered);
        }
        if let Some(behind) = answered.more.sealed {
            let known = self.known_behind(behind).await?;
            answered.more.behind = sealing::own_name(&answered.aliases, &known, behind);
        }
        if answered.more.behind.is_none() {
            // Not hers to see, about nobody, or nobody of hers: one answer for all (F8).
            answered.answer = Answer::Nothing;
        }
        Ok(answered)
    }

    async fn known_behind(&self, behind: Behind) -> Result<Known, Fault> {
        let mut known = Known::default();
        let of = match behind {
            Behind::Referral(id) => Aggregate::Referral(id),
            Behind::Record(id) => Aggregate::Person(id),
        };
        self.read(&mut known, &[of]).await?;
        let tokens = match behind {
            Behind::Referral(id) => known.referrals.get(&id).map(|found| found.tokens.clone()),
            Behind::Record(id) => known
                .people
                .get(&id)
                .and_then(|found| found.record.as_ref())
                .map(|record| record.tokens.clone()),
        };
        self.read_person(&mut known, &tokens.unwrap_or_default())
            .await?;
        Ok(known)
    }

    /// Moves every queue on by the clock: what nobody decided in time goes up, and the last week's
    /// sample is drawn. Done again, or by another node, it changes nothing.
    ///
    /// # Errors
    /// [`Fault`]; it is tried again later.
    pub async fn keep_queues(&self) -> Result<(), Fault> {
        let members = self.members().await?;
        let taking_part = members
            .organisations
            .values()
            .filter(|one| one.kind != OrgKind::Reviewer && one.suspended_at.is_none());
        let sampled: Vec<OrgId> = taking_part.map(|one| one.id.clone()).collect();
        for own in members.organisations.keys() {
            self.pass_on_overdue(own).await?;
            self.remind_of_notes(own).await?;
            self.remind_of_stop_use(own).await?;
        }
        let now = self.time();
        self.remind_of_follow_ups(now).await?;
        let week = Week::of(now).before();
        let Some(seed) = self.seed(week).await? else {
            return Ok(());
        };
        for own in &sampled {
            self.draw_week(own, week, &seed).await?;
        }
        Ok(())
    }

    async fn pass_on_overdue(&self, own: &OrgId) -> Result<(), Fault> {
        for _ in 0..TRIES_MAX {
            let when = self.time();
            let known = self.keeping(own).await?;
            if !keeping::is_overdue(&known, when) {
                return Ok(());
            }
            let acted = self.act(&known, KEYS_A_DECISION, |rules, when, entropy, keys| {
                keeping::escalate(rules, when, entropy, keys, &known, own)
            });
            if acted.await? == Acted::Nothing {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn remind_of_notes(&self, own: &OrgId) -> Result<(), Fault> {
        for _ in 0..TRIES_MAX {
            let when = self.time();
            let known = self.keeping(own).await?;
            if !keeping::has_missing_notes(&known, when) {
                return Ok(());
            }
            let acted = self.act(&known, KEYS_A_DECISION, |rules, when, entropy, keys| {
                keeping::remind(rules, when, entropy, keys, &known, own)
            });
            if acted.await? == Acted::Nothing {
                return Ok(());
            }
        }
        Ok(())
    }

    /// What was to be answered by now and was not goes before the holder's officer.
    async fn remind_of_stop_use(&self, own: &OrgId) -> Result<(), Fault> {
        for _ in 0..TRIES_MAX {
            let when = self.time();
            let clock = stop_use::clock(own);
            let max = u16::try_from(stop_use::REMINDED_MAX).unwrap_or(u16::MAX);
            let mut listed = self.store.list(&clock, None, max).await?;
            let now = when.place();
            listed.retain(|entry| entry.at <= now);
            if listed.is_empty() {
                return Ok(());
            }
            let ids: Vec<StopUseId> = listed.iter().map(|entry| StopUseId(entry.item)).collect();
            let of: Vec<Aggregate> = ids.iter().map(|id| Aggregate::StopUse(*id)).collect();
            let mut known = self.keeping(own).await?;
            self.read(&mut known, &of).await?;
            let acted = self.act(&known, KEYS_A_DECISION, |rules, when, entropy, keys| {
                stop_use::remind(rules, when, entropy, keys, &known, own, &ids)
            });
            if acted.await? == Acted::Nothing {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn draw_week(&self, own: &OrgId, week: Week, seed: &Seed) -> Result<(), Fault> {
        for _ in 0..TRIES_MAX {
            let known = self.keeping(own).await?;
            if known.sampled.is_some_and(|drawn| drawn >= week.0) {
                return Ok(());
            }
            let ordinary = List::Ordinary(own.clone());
            let week_of = seed.from..seed.to;
            let listed = listed_since(&self.store, &ordinary, &week_of, DRAWN_FROM_MAX).await?;
            let accesses: Vec<(u64, [u8; 16])> = listed
                .iter()
                .map(|entry| (entry.index, *entry.item.bytes()))
                .collect();
            let of = Draw {
                week,
                root: seed.root,
                checkpoint: seed.checkpoint.clone(),
                accesses: &accesses,
            };
            let acted = self.act(&known, KEYS_A_DECISION, |rules, when, entropy, keys| {
                keeping::sample(rules, when, entropy, keys, &known, own, &of)
            });
            match acted.await? {
                Acted::Logged | Acted::Nothing => return Ok(()),
                Acted::Moved => {}
            }
        }
        Ok(())
    }

    /// The queue of one organisation, with to whom an entry of the gateway is put down.
    pub(super) async fn keeping(&self, own: &OrgId) -> Result<Known, Fault> {
        let mut known = self.members().await?;
        self.read(&mut known, &[Aggregate::Queue(own.clone())])
            .await?;
        self.count_signs(&mut known).await?;
        // The members are read to say whom it is put down to: that they move is no reason to wait.
        // The settings say which rulebook is in force.
        known
            .read
            .retain(|(of, _)| matches!(of, Aggregate::Queue(_) | Aggregate::Settings));
        Ok(known)
    }

    /// Looks up a counter. It says whom not to count twice and what to show; a limit is kept by the
    /// commit.
    pub(super) async fn count(&self, known: &mut Known, counter: Counter) -> Result<(), Fault> {
        let count = self.store.counted(&counter).await?;
        known.counted.push((counter, count));
        Ok(())
    }

    pub(super) async fn count_signs(&self, known: &mut Known) -> Result<(), Fault> {
        let items: Vec<Id> = known.queue.keys().copied().collect();
        for item in items {
            self.count(known, Counter::Signs { item }).await?;
        }
        Ok(())
    }

    /// The caller's people of today, and of the last day on which she asked.
    pub(super) async fn count_days(
        &self,
        known: &mut Known,
        attempt: &Attempt,
    ) -> Result<(), Fault> {
        let organisation = attempt.organisation().clone();
        let user = attempt.user.as_str().to_owned();
        let last = known.users.get(&(organisation.clone(), user.clone()));
        let last = last.map(|last| last.habit.day());
        let mut days = vec![day(attempt.when)];
        days.extend(last.filter(|last| !days.contains(last)));
        for day in days {
            let counter = Counter::PeopleAsked {
                organisation: organisation.clone(),
                user: user.clone(),
                day,
            };
            self.count(known, counter).await?;
        }
        Ok(())
    }

    /// What a week is drawn by; `None` where there is nothing to draw.
    async fn seed(&self, week: Week) -> Result<Option<Seed>, Fault> {
        let leaves = self.store.health().leaves;
        let to = self.first_since(week.ends()).await?;
        // Nothing was logged after it yet, or nothing before its end: the log is younger.
        if to == 0 || to >= leaves {
            return Ok(None);
        }
        let root = self.store.root_of_first(to + 1).await?;
        Ok(Some(Seed {
            from: self.first_since(week.begins()).await?,
            to,
            root,
            checkpoint: self.store.note_of_first(to + 1, &root),
        }))
    }

    /// The index of the first entry at or after `at`; the number of entries if there is none. Times
    /// in the log never go back.
    pub(super) async fn first_since(&self, at: When) -> Result<u64, Fault> {
        let (mut low, mut high) = (0, self.store.health().leaves);
        while low < high {
            let middle = low + (high - low) / 2;
            let leaves = self.store.leaves(middle, middle + 1).await?;
            let leaf = leaves
                .first()
                .ok_or(Fault::Unreadable("a leaf of the log"))?;
            if leaf.when() < at {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

/// Entries of a list with an index in `within`, the newest first; at most `most` and one step more.
pub(super) async fn listed_since(
    store: &Store,
    list: &List,
    within: &Range<u64>,
    most: usize,
) -> Result<Vec<Listed>, Fault> {
    let mut found: Vec<Listed> = Vec::new();
    let mut before = Some(Listed {
        at: 0,
        index: within.end,
        item: Id::ZERO,
    });
    while found.len() <= most {
        let step = store.newest(list, before, STEP).await?;
        let last = step.last().copied();
        found.extend(step.into_iter().filter(|entry| entry.index >= within.start));
        match last.filter(|last| last.index >= within.start) {
            Some(last) => before = Some(last),
            None => break,
        }
    }
    Ok(found)
}

/// The first tree after a week, and which entries are the week's.
struct Seed {
    from: u64,
    to: u64,
    root: [u8; 32],
    checkpoint: String,
}
