//! A pair of records that may be of one person, as the organisation that holds one of them judges it.
//!
//! A link is evidence, never a merge: both records stay as they are, and an undone link leaves to
//! each what it knew by itself. What is kept here is only what somebody decided about the evidence,
//! and that something was shown across it.

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};

use super::id::{Id, LinkId, OrgId, PersonId};
use super::person::{Reason, TaggedToken, Tier};
use super::record::singleton;
use super::time::When;

/// One record seen from another. Its own way back is another pair: each holder decides about what
/// it holds, so that nobody opens another's record by a decision about its own.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Linkage {
    pub id: LinkId,
    /// The record whose assessments are shown across it.
    pub held: PersonId,
    /// Whose record that is, and who decides.
    pub holder: OrgId,
    /// The record of who would be shown them.
    pub other: PersonId,
    pub asker: OrgId,
    /// When it came to the queue, or was first used.
    pub since: When,
    /// By the tokens alone, then.
    pub tier: Tier,
    pub reasons: Vec<Reason>,
    /// Of both records' tokens, so that a pair that was decided comes back only if they changed.
    pub evidence: [u8; 32],
    /// Somebody must decide. Until then what was decided before holds.
    pub waits: bool,
    pub decided: Option<Judgement>,
    /// When something was first shown across it and the asker has not been told otherwise since.
    pub shown_at: Option<When>,
}

/// What somebody at the holder decided.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Judgement {
    pub at: When,
    /// A user of the holder.
    pub by: String,
    pub verdict: Verdict,
}

/// New ones go at the end: the number is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Verdict {
    /// Both are of one person.
    Confirm,
    /// They are not, and nothing was linked.
    Reject,
    /// They are not, although they were linked.
    Split,
}

impl Verdict {
    /// The word in the log.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Reject => "reject",
            Self::Split => "split",
        }
    }

    /// How a pair stands by it.
    pub const fn state(self) -> LinkState {
        match self {
            Self::Confirm => LinkState::Confirmed,
            Self::Reject => LinkState::Rejected,
            Self::Split => LinkState::Split,
        }
    }
}

/// How a pair stands, as its holder is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    Waiting,
    /// Linked by the tokens alone; nobody was asked.
    Linked,
    Confirmed,
    Rejected,
    Split,
}

impl LinkState {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Linked => "linked",
            Self::Confirmed => "confirmed",
            Self::Rejected => "rejected",
            Self::Split => "split",
        }
    }
}

/// One pair as its holder sees it: its own name for its own record, and nothing of the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenLink {
    pub link: LinkId,
    pub person: Id,
    pub since: When,
    pub tier: Tier,
    pub state: LinkState,
    pub reasons: Vec<Reason>,
}

impl LinkId {
    /// The pair of `held` as seen from `other`. Both are random, so nobody else can make it.
    pub fn of(held: PersonId, other: PersonId) -> Self {
        let id = singleton(&format!("{} from {}", held.id(), other.id()));
        // It has a name outside, as ids have that are drawn.
        Self(Id::drawn(*id.bytes()))
    }

    /// Under which item the asker's own queue is told that a link was undone. Its entries are listed
    /// under this name from the first disclosure on.
    pub fn undone_item(self) -> Id {
        Id::drawn(*singleton(&format!("undone {}", self.id())).bytes())
    }
}

impl Linkage {
    pub fn state(&self) -> LinkState {
        match &self.decided {
            _ if self.waits => LinkState::Waiting,
            None => LinkState::Linked,
            Some(judgement) => judgement.verdict.state(),
        }
    }

    /// The holder said that both are of one person, and has not said otherwise since.
    pub fn is_confirmed(&self) -> bool {
        self.said(Verdict::Confirm)
    }

    /// The holder said that they are two people.
    pub fn is_parted(&self) -> bool {
        self.said(Verdict::Reject) || self.said(Verdict::Split)
    }

    fn said(&self, verdict: Verdict) -> bool {
        self.decided
            .as_ref()
            .is_some_and(|decided| decided.verdict == verdict)
    }
}

/// What two records say, so that a change of either is noticed. The same both ways round.
pub fn evidence_digest(one: &[TaggedToken], other: &[TaggedToken]) -> [u8; 32] {
    let side = |tokens: &[TaggedToken]| -> [u8; 32] {
        let mut sorted: Vec<(u8, [u8; 16])> = tokens
            .iter()
            .map(|tagged| (tagged.kind as u8, *tagged.token.bytes()))
            .collect();
        sorted.sort_unstable();
        let mut hash = Sha256::new();
        for (kind, token) in sorted {
            hash.update([kind]);
            hash.update(token);
        }
        hash.finalize().into()
    };
    let mut sides = [side(one), side(other)];
    sides.sort_unstable();
    Sha256::digest(sides.concat()).into()
}

#[cfg(test)]
mod tests {
    use super::super::journey::trial::{AMINA, BEATA, tokens};
    use super::*;

    #[test]
    fn a_change_of_either_record_is_a_change_of_the_evidence() {
        let (one, other) = (tokens(AMINA), tokens(BEATA));
        let digest = evidence_digest(&one, &other);
        assert_eq!(digest, evidence_digest(&other, &one));
        let mut more = other.clone();
        more.push(one[0]);
        assert_ne!(digest, evidence_digest(&one, &more));
        more.rotate_left(1);
        assert_eq!(evidence_digest(&more, &one), evidence_digest(&one, &more));
    }

    #[test]
    fn each_way_of_a_pair_is_a_pair_of_its_own() {
        let person = |byte| PersonId(Id::from_bytes([byte; 16]));
        let there = LinkId::of(person(1), person(2));
        let back = LinkId::of(person(2), person(1));
        assert_ne!(there, back);
        assert_ne!(there.undone_item(), there.id());
        assert_ne!(there.undone_item(), back.undone_item());
    }
}
