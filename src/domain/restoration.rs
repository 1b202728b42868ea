//! A gateway that was restored from a copy has forgotten what was withdrawn after it. Until the
//! agencies have handed that in again, it shows nothing about anyone ([`Restoration::open`]).
//!
//! It is a fact of [`super::decision::Aggregate::Settings`], which every decision reads, so that
//! none that began before it can still disclose (P8).

use borsh::{BorshDeserialize, BorshSerialize};

use super::codes::OrgKind;
use super::id::OrgId;
use super::organisation::Organisation;
use super::time::When;

/// Withdrawals since a copy, being collected or collected.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Restoration {
    /// Entries in the copy.
    pub leaves: u64,
    /// What was withdrawn from then on may be missing: the time of the copy's last entry, or of an
    /// earlier copy's if its withdrawals were not all collected.
    pub since: When,
    pub began: When,
    /// Organisations that have not handed in theirs.
    pub waiting: Vec<OrgId>,
    pub reconciled: Vec<(OrgId, When)>,
    /// Gone on without, as two organisations agreed (P11).
    pub without: Vec<(OrgId, When)>,
    /// So many entries were acknowledged before the loss, as a signed head showed; those of the
    /// copy, if nobody showed one.
    pub acknowledged: u64,
    pub closed: Option<When>,
}

/// What a gateway knows of the copy that it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Entries in it.
    pub leaves: u64,
    /// The time of the last of them.
    pub since: When,
    /// So many entries are known to have been acknowledged before the loss.
    pub acknowledged: u64,
}

/// Whether an organisation can have taken a withdrawal: the operator and the reviewer are let to
/// by no policy, and who was suspended took none.
pub fn is_waited_for(organisation: &Organisation, now: When) -> bool {
    organisation.active(now) && !matches!(organisation.kind, OrgKind::Operator | OrgKind::Reviewer)
}

impl Restoration {
    /// Begins to collect from `waiting`. What an earlier one had not collected is still missing.
    pub fn begun(copied: Copied, waiting: Vec<OrgId>, now: When, earlier: Option<&Self>) -> Self {
        let unfinished = earlier.filter(|earlier| earlier.open());
        let since = copied.since;
        let mut begun = Self {
            leaves: copied.leaves,
            since: unfinished.map_or(since, |earlier| earlier.since.min(since)),
            began: now,
            waiting,
            reconciled: Vec::new(),
            without: Vec::new(),
            acknowledged: copied.acknowledged,
            closed: None,
        };
        begun.close_if_done(now);
        begun
    }

    /// Nothing is disclosed while it is.
    pub const fn open(&self) -> bool {
        self.closed.is_none()
    }

    pub fn waits_for(&self, organisation: &OrgId) -> bool {
        self.open() && self.waiting.contains(organisation)
    }

    /// `organisation` has handed in all that it took.
    #[must_use]
    pub fn reconciled(&self, organisation: &OrgId, now: When) -> Self {
        let mut after = self.clone();
        after.waiting.retain(|waiting| waiting != organisation);
        after.reconciled.push((organisation.clone(), now));
        after.close_if_done(now);
        after
    }

    /// Two organisations agreed to go on without `organisation`.
    #[must_use]
    pub fn without(&self, organisation: &OrgId, now: When) -> Self {
        let mut after = self.clone();
        after.waiting.retain(|waiting| waiting != organisation);
        after.without.push((organisation.clone(), now));
        after.close_if_done(now);
        after
    }

    /// It is proven that entries were lost: a larger head of this log was shown.
    pub const fn is_proven(&self) -> bool {
        self.acknowledged > self.leaves
    }

    fn close_if_done(&mut self, now: When) {
        if self.waiting.is_empty() && self.closed.is_none() {
            self.closed = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgId {
        OrgId::parse(name).unwrap()
    }

    fn at(millis: i64) -> When {
        When::from_millis(millis)
    }

    fn copied(leaves: u64, since: i64) -> Copied {
        Copied {
            leaves,
            since: at(since),
            acknowledged: leaves,
        }
    }

    #[test]
    fn it_closes_with_the_last_that_was_waited_for() {
        let begun = Restoration::begun(copied(9, 5), vec![org("met"), org("haven")], at(10), None);
        let one = begun.reconciled(&org("met"), at(11));
        assert!(one.open() && one.waits_for(&org("haven")) && !one.waits_for(&org("met")));
        let all = one.without(&org("haven"), at(12));
        assert_eq!(all.closed, Some(at(12)));
        assert!(!all.waits_for(&org("haven")));
        assert!(!Restoration::begun(copied(9, 5), Vec::new(), at(10), None).open());
    }

    #[test]
    fn what_an_earlier_one_did_not_collect_is_still_asked_for() {
        let first = Restoration::begun(copied(9, 5), vec![org("met")], at(10), None);
        let second = Restoration::begun(copied(20, 15), vec![org("met")], at(30), Some(&first));
        assert_eq!(second.since, at(5));
        let done = first.reconciled(&org("met"), at(12));
        let second = Restoration::begun(copied(20, 15), vec![org("met")], at(30), Some(&done));
        assert_eq!(second.since, at(15));
    }
}
