//! How long the account of a log entry is kept, and which accounts are due to be erased.
//!
//! The days come from a policy file, by class of entry. What is open (an item that must still be
//! decided, a legal hold) keeps an account longer. Nothing here erases, and nothing may be due
//! because it could not be read: in doubt an account stays.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};

use super::audit::QueueItem;
use super::id::{Id, OrgId, ReferralId};
use super::known::Known;
use super::opening::Opening;
use super::time::When;

mod file;

/// The policy that is built in.
pub const BUILT_IN_RETENTION: &str = include_str!("../../policies/retention.toml");
/// Half a year: below that a log is no record, and a slip in the file would erase it.
pub const DAYS_MIN: u16 = 183;
/// A hundred years.
pub const DAYS_MAX: u16 = 36_525;
pub const CLASSES_MAX: usize = 32;
/// Accounts that one entry of the gateway's own erases.
pub const FORGOTTEN_AT_ONCE: usize = 64;
/// Accounts that are due and held: more of them, and a class waits.
pub const HELD_MAX: usize = 1024;

/// For the operator. Holds nothing about a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the retention of accounts cannot be used: {0}")]
pub struct BadRetention(String);

/// The policy in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    hash: [u8; 32],
    classes: Vec<Class>,
    rest: Class,
}

/// Entries whose accounts are kept for the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// 2 to 32 of `a-z` and `-`.
    pub name: String,
    pub days: u16,
    /// Why so long, for whoever asks.
    pub reason: String,
    actions: Vec<String>,
    purposes: Vec<String>,
}

/// What becomes of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its time is over.
    Due,
    /// Its time is over, but something about it is open.
    Held,
    /// Younger than the class keeps its accounts, as is everything behind it in the log.
    Young,
    /// Of another class.
    Other,
}

impl Retention {
    /// Reads a policy file; see `policies/retention.toml`.
    ///
    /// # Errors
    /// Something in it is unknown, missing, out of bounds or there twice.
    pub fn parse(text: &str) -> Result<Self, BadRetention> {
        file::read(text).map_err(BadRetention)
    }

    /// SHA-256 of the file.
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// All classes, that of the rest last.
    pub fn classes(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter().chain([&self.rest])
    }

    /// The class with the most days of those that name the action or the purpose.
    pub fn class_of(&self, opening: &Opening) -> &Class {
        let naming = self.classes.iter().filter(|class| class.names(opening));
        naming.max_by_key(|class| class.days).unwrap_or(&self.rest)
    }

    /// What becomes of the account of an entry of the time `at`, when accounts of `class` are looked
    /// for.
    pub fn judge(
        &self,
        class: &Class,
        opening: &Opening,
        at: When,
        now: When,
        open: &Open,
    ) -> Verdict {
        if now < at.plus_days(i64::from(class.days)) {
            Verdict::Young
        } else if self.class_of(opening) != class {
            Verdict::Other
        } else if open.keeps(opening) {
            Verdict::Held
        } else {
            Verdict::Due
        }
    }
}

impl Class {
    fn names(&self, opening: &Opening) -> bool {
        self.actions.contains(&opening.what.action) || self.purposes.contains(&opening.why.purpose)
    }
}

/// A legal hold, as the log knows what is held: the referral, and its person's pseudonyms there.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Held {
    pub referral: ReferralId,
    pub subjects: Vec<[u8; 16]>,
}

/// What is open now, and keeps accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    things: BTreeSet<Id>,
    subjects: BTreeSet<[u8; 16]>,
    users: BTreeSet<(OrgId, String)>,
}

impl Open {
    /// `known` must hold every queue and every hold.
    pub fn of(known: &Known) -> Self {
        let mut open = Self::default();
        for held in &known.held {
            open.things.insert(held.referral.id());
            open.subjects.extend(&held.subjects);
        }
        let closed = |item: &&QueueItem| item.is_closed(known.more(item.id));
        for item in known.queue.values().filter(|item| !closed(item)) {
            open.things.insert(item.id);
            open.users
                .insert((item.organisation.clone(), item.user.clone()));
        }
        open
    }

    fn keeps(&self, opening: &Opening) -> bool {
        let (who, decided) = (&opening.who, &opening.decided);
        let is_open = |id: &Id| self.things.contains(id);
        decided.object.as_ref().is_some_and(is_open)
            || decided
                .subject
                .is_some_and(|subject| self.subjects.contains(&subject))
            || self
                .users
                .contains(&(who.organisation.clone(), who.user.clone()))
    }
}

/// How far the accounts of each class were looked at, so that no night begins at the first entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Progress {
    /// Of which policy file.
    policy: [u8; 32],
    /// By class: the first entry that was not looked at.
    marks: Vec<(String, u64)>,
    /// Entries before the marks whose accounts are due and held. Looked at again each night.
    held: BTreeSet<u64>,
}

/// What one look at some accounts comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    pub due: Vec<u64>,
    pub progress: Progress,
    /// Nothing more of the class is due, or there is no room to remember what is held.
    pub ended: bool,
}

impl Progress {
    /// As it counts under this policy: another one begins anew.
    #[must_use]
    pub fn under(self, policy: &Retention) -> Self {
        if self.policy == policy.hash {
            return self;
        }
        Self {
            policy: policy.hash,
            ..Self::default()
        }
    }

    /// The first entry to look at for `class`.
    pub fn mark(&self, class: &Class) -> u64 {
        let mark = self.marks.iter().find(|(name, _)| *name == class.name);
        mark.map_or(0, |(_, mark)| *mark)
    }

    pub fn held(&self) -> impl Iterator<Item = u64> + '_ {
        self.held.iter().copied()
    }

    fn move_mark(&mut self, class: &Class, to: u64) {
        match self.marks.iter_mut().find(|(name, _)| *name == class.name) {
            Some((_, mark)) => *mark = to,
            None => self.marks.push((class.name.clone(), to)),
        }
    }

    /// Goes on to `end` from the mark of `class`, by what was said of the accounts that are left of
    /// those `asked` for: some that were held, and then those on the way, in the order of the log.
    pub fn look(
        &self,
        class: &Class,
        asked: &[u64],
        judged: &[(u64, Verdict)],
        end: u64,
    ) -> Looked {
        let (mut progress, mark) = (self.clone(), self.mark(class));
        let left: BTreeSet<u64> = judged.iter().map(|(index, _)| *index).collect();
        // Another node has erased these.
        let gone = asked.iter().filter(|index| !left.contains(index));
        for index in gone {
            progress.held.remove(index);
        }
        let (mut due, mut next, mut ended) = (Vec::new(), end, false);
        let (before, behind): (Vec<_>, Vec<_>) =
            judged.iter().partition(|(index, _)| *index < mark);
        for (index, verdict) in before {
            if verdict == Verdict::Due && due.len() < FORGOTTEN_AT_ONCE {
                progress.held.remove(&index);
                due.push(index);
            }
        }
        for (index, verdict) in behind {
            let full = match verdict {
                Verdict::Other => false,
                Verdict::Young => {
                    ended = true;
                    true
                }
                Verdict::Due => due.len() == FORGOTTEN_AT_ONCE,
                Verdict::Held => {
                    ended = progress.held.len() >= HELD_MAX;
                    ended
                }
            };
            if full {
                next = index;
                break;
            }
            match verdict {
                Verdict::Due => due.push(index),
                Verdict::Held => drop(progress.held.insert(index)),
                Verdict::Young | Verdict::Other => {}
            }
        }
        progress.move_mark(class, next);
        Looked {
            due,
            progress,
            ended,
        }
    }

    /// What is further of two that began at the same: another node's, or an earlier one.
    #[must_use]
    pub fn join(mut self, other: &Self) -> Self {
        if self.policy != other.policy {
            return self;
        }
        for (name, mark) in &other.marks {
            match self.marks.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = (*known).max(*mark),
                None => self.marks.push((name.clone(), *mark)),
            }
        }
        self.held.extend(&other.held);
        self
    }
}

#[cfg(test)]
mod tests;
