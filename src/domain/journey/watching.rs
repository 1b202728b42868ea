//! What every attempt leaves behind besides its leaf: a user seen for the first time, and what the
//! rules of the watch notice (3.5, 3.10).
//!
//! What is put before the asker's own officer must follow from what the asker was told or did
//! herself, never from what is held elsewhere; nothing here may read a name.

use crate::domain::audit::{
    QueueItem, QueueTally, asks_about_a_person, is_denial, probe, tally_item,
};
use crate::domain::codes::{Action, OrgKind};
use crate::domain::decision::{Aggregate, Counter, List, Write};
use crate::domain::id::OrgId;
use crate::domain::organisation::{Flag, Organisation, User};
use crate::domain::person::{Evidence, Tier, tier};
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::ruling::{Ruling, Tie};
use crate::domain::watch::{Asked, Came, RuleCode, Sign, Tally, Tell, WatchRule};

use super::NEW_USERS_A_DAY_MAX;

/// Organisations told of one thing, at most: as many as a log entry can concern.
const TOLD_MAX: usize = 60;

/// Days since 1970, in UTC.
pub fn day(when: crate::domain::time::When) -> i32 {
    i32::try_from(when.millis().div_euclid(86_400_000)).unwrap_or(i32::MAX)
}

/// Adds what the attempt leaves on its user, whatever it came to.
pub fn watch(ruling: &mut Ruling<'_>, refusal: Option<&Refusal>) {
    let attempt = ruling.attempt();
    let known = ruling.known();
    let own = attempt.organisation();
    // An organisation that is not enrolled leaves a leaf and nothing else.
    let Some(organisation) = known.organisations.get(own) else {
        return;
    };
    let key = (own.clone(), attempt.user.as_str().to_owned());
    let before = known.users.get(&key);
    let mut user = before.cloned().unwrap_or_else(|| User::new(attempt.when));
    if before.is_none() && attempt.asserted {
        ruling.write(Write::Count {
            counter: Counter::NewUsers {
                organisation: own.clone(),
                day: day(attempt.when),
            },
            by: 1,
            max: NEW_USERS_A_DAY_MAX,
        });
    }
    let mut watching = Watching {
        ruling,
        user: &mut user,
        organisation,
    };
    watching.notice(refusal);
    let of = Aggregate::User(own.clone(), attempt.user.as_str().to_owned());
    // What a decision itself makes of its user counts: a code that was used, a removal.
    if before != Some(&user) && !ruling.writes_to(&of) {
        ruling.fact(of, singleton("user"), &Record::User(user));
    }
}

struct Watching<'w, 'a> {
    ruling: &'w mut Ruling<'a>,
    user: &'w mut User,
    organisation: &'w Organisation,
}

impl Watching<'_, '_> {
    fn notice(&mut self, refusal: Option<&Refusal>) {
        let attempt = self.ruling.attempt();
        let now = attempt.when;
        let probed = self.probes(refusal);
        if !probed && refusal.is_some_and(is_denial) {
            self.sign(RuleCode::Denied, Sign::plain(now));
        }
        if self.organisation.kind == OrgKind::Operator
            && !matches!(
                attempt.action,
                Action::SecondFactor
                    | Action::ReadDevices
                    | Action::AddDevice
                    | Action::RemoveDevice
                    | Action::ReadProposals
            )
        {
            self.sign(RuleCode::Operator, Sign::plain(now));
        }
        if refusal.is_none() {
            self.breaks_glass();
            self.finds();
            self.reads_closed();
            self.is_untied();
            self.asks();
            self.asks_about_flagged();
            self.hours();
        }
    }

    /// A police user who is pressed (3.10); and any tainted team that asks (3.10 h).
    fn probes(&mut self, refusal: Option<&Refusal>) -> bool {
        let attempt = self.ruling.attempt();
        let (signalled, concerned) = self.ruling.signalled();
        let code = signalled.or_else(|| probe(attempt.action, refusal));
        if let Some(code) = code.filter(|_| self.organisation.kind == OrgKind::Police) {
            let concerned = concerned.to_vec();
            self.ruling.note(code);
            let tried = Sign {
                concerned,
                ..Sign::plain(attempt.when)
            };
            self.sign(RuleCode::StatusShaped, tried);
            return true;
        }
        let team = &attempt.peer.name().team;
        if attempt.action == Action::QueryAssessments
            && self.organisation.tainted(team, attempt.when)
        {
            self.ruling.note(RuleCode::Tainted.code());
            self.sign(RuleCode::Tainted, Sign::plain(attempt.when));
        }
        false
    }

    /// Every emergency view, at all who hold something.
    fn breaks_glass(&mut self) {
        let attempt = self.ruling.attempt();
        if !self.ruling.is_glass_broken() || attempt.check_only {
            return;
        }
        let (_, concerned) = self.ruling.signalled();
        let opened = Sign {
            concerned: concerned.to_vec(),
            ..Sign::plain(attempt.when)
        };
        self.sign(RuleCode::GlassBroken, opened);
    }

    /// What a journey found itself: somebody was told who another person is, so that both ends must
    /// mend it; or it was not she who asked what is held about her.
    fn finds(&mut self) {
        let attempt = self.ruling.attempt();
        let Some(code) = self.ruling.found().filter(|_| !attempt.check_only) else {
            return;
        };
        let (_, concerned) = self.ruling.signalled();
        let found = Sign {
            concerned: concerned.to_vec(),
            ..Sign::plain(attempt.when)
        };
        self.sign(code, found);
    }

    /// Whoever reads a closed referral again and again wants to know more than its status (3.10 b).
    fn reads_closed(&mut self) {
        let Some(referral) = self.ruling.closed_read() else {
            return;
        };
        if self.organisation.kind != OrgKind::Police {
            return;
        }
        let read = Sign {
            about: Some(*referral.id().bytes()),
            ..Sign::plain(self.ruling.attempt().when)
        };
        if self.sign(RuleCode::Reread, read) {
            self.ruling.note(RuleCode::Reread.code());
        }
    }

    fn is_untied(&mut self) {
        let code = match self.ruling.tie() {
            None => return,
            Some(Tie::None) => RuleCode::NoRelationship,
            Some(Tie::Closed) => RuleCode::AfterClosure,
            Some(Tie::Transferred) => RuleCode::AfterTransfer,
        };
        self.sign(code, Sign::plain(self.ruling.attempt().when));
    }

    /// How many people, and whether they live together.
    fn asks(&mut self) {
        let Some(asked) = self.ruling.asked_about() else {
            return;
        };
        let now = self.ruling.attempt().when;
        if asked.first {
            let day = self.days();
            if let Some(rule) = self.rule(RuleCode::Bulk) {
                let unusual = day.days >= rule.history
                    && day.people >= rule.least
                    && day.people > day.usual.saturating_mul(rule.times);
                if day.people >= rule.threshold || unusual {
                    let figures = Some((day.people, day.usual));
                    self.sign_with(&rule.at_once(), Sign::plain(now), figures);
                }
            }
        }
        if let Some(rule) = self.rule(RuleCode::Household)
            && asked.first
            && asked.household.is_some()
            && asked.together >= rule.threshold
        {
            let figures = Some((asked.together, 0));
            self.sign_with(&rule.at_once(), Sign::plain(now), figures);
        }
    }

    /// How many people today, beside her usual day. The people of a day are counted with the limit
    /// of the day; once a day they are added to what is usual.
    fn days(&mut self) -> Asked {
        let attempt = self.ruling.attempt();
        let known = self.ruling.known();
        let people = |day: i32| {
            known.count(&Counter::PeopleAsked {
                organisation: attempt.organisation().clone(),
                user: attempt.user.as_str().to_owned(),
                day,
            })
        };
        let today = day(attempt.when);
        let before = people(self.user.habit.day());
        // This one is counted by the same decision.
        let so_far = people(today).saturating_add(1);
        self.user.habit.asked(today, so_far, before)
    }

    /// Someone of the register of the asker's own organisation; nobody else's is looked at.
    fn asks_about_flagged(&mut self) {
        let attempt = self.ruling.attempt();
        if matches!(
            attempt.action,
            Action::FlagPerson | Action::ReadAuditSubject
        ) {
            return;
        }
        let household = self.ruling.asked_about().and_then(|asked| asked.household);
        let about = self.ruling.about();
        let user = attempt.user.as_str();
        let is_her = |flag: &Flag| tier(&Evidence::between(about, &flag.tokens)) == Tier::Automatic;
        let own = self.ruling.known().flags.iter().filter(|flag| {
            flag.organisation == *attempt.organisation() && attempt.when < flag.until
        });
        let (mut flagged, mut own_record) = (false, false);
        for flag in own {
            let own_family = household.is_some() && flag.household == household;
            if flag.user.as_deref() == Some(user) {
                own_record |= own_family || is_her(flag);
            } else {
                flagged |= is_her(flag);
            }
        }
        for (noticed, code) in [
            (own_record, RuleCode::OwnRecord),
            (flagged, RuleCode::Flagged),
        ] {
            if noticed {
                self.sign(code, Sign::plain(attempt.when));
            }
        }
    }

    fn hours(&mut self) {
        let attempt = self.ruling.attempt();
        let Some(rule) = self.rule(RuleCode::Hours) else {
            return;
        };
        let unlike = self
            .user
            .habit
            .is_unlike(attempt.when, rule.history, rule.threshold);
        if !asks_about_a_person(attempt.action) {
            return;
        }
        if unlike {
            self.sign_with(&rule.at_once(), Sign::plain(attempt.when), None);
        }
        self.user.habit.worked(attempt.when);
    }

    fn rule(&self, code: RuleCode) -> Option<WatchRule> {
        self.ruling.rules().watch.rule(code).cloned()
    }

    /// Adds a sign; says whether there is an item about it now.
    fn sign(&mut self, code: RuleCode, sign: Sign) -> bool {
        match self.rule(code) {
            Some(rule) => self.sign_with(&rule, sign, None),
            None => false,
        }
    }

    fn sign_with(&mut self, rule: &WatchRule, sign: Sign, figures: Option<(u32, u32)>) -> bool {
        let attempt = self.ruling.attempt();
        let new = attempt
            .entropy
            .id(&format!("queue item {}", rule.code.code()));
        let (mut tally, new_to, moved) = match self.user.bursts.add(rule, sign, new) {
            Came::Quiet => return false,
            Came::Opened(tally) => {
                let told = self.told(rule, &tally.concerned);
                (tally, told, false)
            }
            Came::Raised { tally, late, moved } => {
                let mut late = late;
                let early = self.told(rule, &[]);
                // These were told whomever it concerned.
                late.retain(|organisation| {
                    rule.tell.contains(&Tell::Concerned) && !early.contains(organisation)
                });
                self.ruling.write(Write::Count {
                    counter: Counter::Signs { item: tally.item },
                    by: 1,
                    max: u32::MAX,
                });
                (tally, late, moved)
            }
        };
        if let Some((count, _)) = figures {
            tally.count = count;
        }
        let usual = figures.map_or(0, |(_, usual)| usual);
        for organisation in self.told(rule, &tally.concerned) {
            if new_to.contains(&organisation) {
                self.open(&organisation, rule, &tally, usual);
                continue;
            }
            if moved {
                self.goes_on(&organisation, &tally);
            }
            let (_, concerned) = self.ruling.signalled();
            let sees = concerned.contains(&organisation)
                || organisation == *attempt.organisation()
                || self.reviewers().contains(&organisation);
            if sees {
                self.ruling
                    .list(List::Alert(organisation, tally.item), 0, tally.item);
            }
        }
        true
    }

    fn reviewers(&self) -> &[OrgId] {
        &self.ruling.known().approvers.reviewers
    }

    fn told(&self, rule: &WatchRule, concerned: &[OrgId]) -> Vec<OrgId> {
        let mut told: Vec<OrgId> = Vec::new();
        for who in &rule.tell {
            match who {
                Tell::Own => told.push(self.ruling.attempt().organisation().clone()),
                Tell::Concerned => told.extend_from_slice(concerned),
                Tell::Reviewer => told.extend_from_slice(self.reviewers()),
            }
        }
        told.sort();
        told.dedup();
        told.truncate(TOLD_MAX);
        told
    }

    /// Puts one item into the queue of an organisation.
    fn open(&mut self, told: &OrgId, rule: &WatchRule, tally: &Tally, usual: u32) {
        let attempt = self.ruling.attempt();
        // The limit of the file, also where one sign is enough because it was counted elsewhere.
        let limit = self
            .rule(rule.code)
            .map_or(rule.threshold, |rule| rule.threshold);
        let item = QueueItem {
            id: tally.item,
            at: attempt.when,
            rule: rule.code,
            version: self.ruling.rules().watch.version().to_owned(),
            severity: rule.severity,
            organisation: attempt.organisation().clone(),
            user: attempt.user.as_str().to_owned(),
            names_user: rule.names_user,
            count: tally.count,
            minutes: tally.minutes(),
            limit,
            usual,
            due: attempt.when.plus_hours(i64::from(rule.due_hours)),
            escalates: attempt.when.plus_hours(i64::from(rule.escalate_hours)),
            from: None,
            drawn: None,
            decided: None,
        };
        let id = item.id;
        for list in [List::Queue(told.clone()), List::Alert(told.clone(), id)] {
            self.ruling.list(list, 0, id);
        }
        self.ruling
            .fact(Aggregate::Queue(told.clone()), id, &Record::QueueItem(item));
    }

    /// More tries raise the count of the item that is there: asking on cannot bury it.
    fn goes_on(&mut self, told: &OrgId, tally: &Tally) {
        let more = QueueTally {
            item: tally.item,
            minutes: tally.minutes(),
        };
        self.ruling.fact(
            Aggregate::Queue(told.clone()),
            tally_item(tally.item),
            &Record::Tally(more),
        );
    }
}

#[cfg(test)]
mod tests;
