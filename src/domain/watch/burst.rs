//! Signs that belong together: when they make an item, and when they only raise its count.
//!
//! Kept with the user, so that nobody's queue is read while she is served. However many tries there
//! are, what is kept is bounded, and so is what an officer is shown.

use borsh::{BorshDeserialize, BorshSerialize};

use super::{RuleCode, WatchRule};
use crate::domain::id::{Id, OrgId};
use crate::domain::time::When;

/// Signs kept for one rule and user: no rule needs more.
pub(super) const SIGNS_MAX: usize = 64;
/// While it goes on, a new item begins after so long.
const ITEM_HOURS_MAX: i64 = 24;
const MINUTE_MILLIS: i64 = 60_000;

/// One sign of a rule.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Sign {
    pub at: When,
    /// Only signs of the same thing belong together; nothing for most rules.
    pub about: Option<[u8; 16]>,
    /// The organisations that an item about it would also concern.
    pub concerned: Vec<OrgId>,
}

impl Sign {
    pub const fn plain(at: When) -> Self {
        Self {
            at,
            about: None,
            concerned: Vec::new(),
        }
    }
}

/// An item that was opened and is still being added to. How often is counted elsewhere, so that many
/// signs at once do not wait for each other.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct Open {
    item: Id,
    about: Option<[u8; 16]>,
    first: When,
    /// To the minute.
    latest: When,
    count: u32,
    concerned: Vec<OrgId>,
}

/// What one user did towards one rule lately.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Burst {
    rule: RuleCode,
    signs: Vec<Sign>,
    open: Option<Open>,
}

/// What became of a sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// Not enough yet.
    Quiet,
    /// An item begins; these are concerned by it.
    Opened(Tally),
    /// It raises the count of the item. Those in `late` are concerned from now; `moved` says that
    /// the time of the latest sign is kept, which is done once a minute.
    Raised {
        tally: Tally,
        late: Vec<OrgId>,
        moved: bool,
    },
}

/// How an item stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    pub item: Id,
    pub first: When,
    pub latest: When,
    /// When it began.
    pub count: u32,
    pub concerned: Vec<OrgId>,
}

impl Tally {
    /// From the first sign to the latest, rounded down.
    pub fn minutes(&self) -> u32 {
        let millis = (self.latest.millis() - self.first.millis()).max(0);
        u32::try_from(millis / 60_000).unwrap_or(u32::MAX)
    }
}

impl Open {
    fn tally(&self) -> Tally {
        Tally {
            item: self.item,
            first: self.first,
            latest: self.latest,
            count: self.count,
            concerned: self.concerned.clone(),
        }
    }
}

/// What a user did lately, for each rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Bursts(Vec<Burst>);

impl Bursts {
    /// Adds a sign; `new` names the item if one begins with it.
    pub fn add(&mut self, rule: &WatchRule, sign: Sign, new: Id) -> Came {
        if rule.window_minutes == 0 {
            let open = Open::of(new, &[&sign]);
            return Came::Opened(open.tally());
        }
        let known = self.0.iter().position(|burst| burst.rule == rule.code);
        let place = known.unwrap_or_else(|| {
            self.0.push(Burst {
                rule: rule.code,
                signs: Vec::new(),
                open: None,
            });
            self.0.len() - 1
        });
        match self.0.get_mut(place) {
            Some(burst) => burst.add(rule, sign, new),
            None => Came::Quiet,
        }
    }
}

impl Open {
    fn of(item: Id, signs: &[&Sign]) -> Self {
        let mut concerned: Vec<OrgId> = Vec::new();
        for organisation in signs.iter().flat_map(|sign| &sign.concerned) {
            if !concerned.contains(organisation) {
                concerned.push(organisation.clone());
            }
        }
        let first = signs.iter().map(|sign| sign.at).min();
        let latest = signs.iter().map(|sign| sign.at).max();
        Self {
            item,
            about: signs.first().and_then(|sign| sign.about),
            first: first.unwrap_or(When::from_millis(0)),
            latest: latest.unwrap_or(When::from_millis(0)),
            count: count(signs),
            concerned,
        }
    }

    fn goes_on(&self, window: i64, now: When) -> bool {
        now < self.latest.plus_millis(window)
            && now
                < self
                    .first
                    .plus_millis(window.max(ITEM_HOURS_MAX * 3_600_000))
    }
}

fn count(signs: &[&Sign]) -> u32 {
    u32::try_from(signs.len()).unwrap_or(u32::MAX)
}

impl Burst {
    fn add(&mut self, rule: &WatchRule, sign: Sign, new: Id) -> Came {
        let now = sign.at;
        let window = i64::from(rule.window_minutes) * 60_000;
        if !self
            .open
            .as_ref()
            .is_none_or(|open| open.goes_on(window, now))
        {
            self.open = None;
        }
        let of_open = self
            .open
            .as_ref()
            .is_some_and(|open| open.about == sign.about);
        if of_open {
            return self.raise(&sign);
        }
        self.signs.retain(|kept| now < kept.at.plus_millis(window));
        self.signs.push(sign.clone());
        if self.signs.len() > SIGNS_MAX {
            self.signs.remove(0);
        }
        let same: Vec<&Sign> = self
            .signs
            .iter()
            .filter(|kept| kept.about == sign.about)
            .collect();
        if count(&same) < rule.threshold {
            return Came::Quiet;
        }
        if self.open.is_some() {
            return self.raise(&sign);
        }
        let open = Open::of(new, &same);
        let tally = open.tally();
        self.open = Some(open);
        // Whatever follows is of this item.
        self.signs.retain(|kept| kept.about != sign.about);
        Came::Opened(tally)
    }

    fn raise(&mut self, sign: &Sign) -> Came {
        let Some(open) = &mut self.open else {
            return Came::Quiet;
        };
        let moved = open.latest.plus_millis(MINUTE_MILLIS) <= sign.at;
        if moved {
            open.latest = sign.at;
        }
        let is_late = |organisation: &&OrgId| !open.concerned.contains(organisation);
        let late: Vec<OrgId> = sign.concerned.iter().filter(is_late).cloned().collect();
        open.concerned.extend(late.iter().cloned());
        Came::Raised {
            tally: open.tally(),
            late,
            moved,
        }
    }
}
