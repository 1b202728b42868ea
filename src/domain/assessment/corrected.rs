//! That what an organisation was shown is no longer what is recorded: it was corrected, or taken back.
//!
//! The notice names the organisation's own record of her and a day. It must never say what was
//! corrected, how, or by whom.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::domain::id::{AssessmentId, Id, OrgId, PersonId, StopUseId};
use crate::domain::record::singleton;
use crate::domain::time::When;

/// To one organisation that was shown it: ask again.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Corrected {
    pub holder: OrgId,
    /// The holder's own record of her.
    pub person: PersonId,
    /// The day, so that it cannot be matched with the entry of who corrected it.
    pub at: When,
}

impl Corrected {
    /// It lies beside the notices to stop using something, under an id of its own.
    pub fn id_of(assessment: AssessmentId, person: PersonId) -> StopUseId {
        let name = format!("corrected {} for {}", assessment.id(), person.id());
        StopUseId(Id::drawn(*singleton(&name).bytes()))
    }
}
