//! A prior assessment: what was asked, with which tool, by whom, and what was judged
//! (`domain.md` 4.4). There is no field for therapy notes.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::codes::{
    DataClass, Grade, GradeBasis, Instrument, ItemAnswer, Need, OrgKind, Purpose, ReassessReason,
    Role,
};
use super::firewall::hold::{ScreenedText, Written};
use super::id::{AssessmentId, ConsentId, Id, OrgId, PersonId};
use super::person::codec::{self, BadEncoding};
use super::time::When;

/// What flows when a prior assessment is shown: what was answered and judged, and who judged it.
/// Never whom to keep away from her, which is for emergencies.
pub const ASSESSMENT_CLASSES: [DataClass; 2] = [DataClass::Op, DataClass::Sp];
/// The purpose that her consent must name, on both sides.
pub const ASSESSMENT_PURPOSE: Purpose = Purpose::PriorAssessment;

/// A risk assessment is shown for this long (`domain.md` 4.4).
pub const RISK_DAYS_VALID: i64 = 90;
/// An assessment of needs is shown for this long at most.
pub const NEEDS_DAYS_VALID: i64 = 366;
/// Items of one assessment, at most.
pub const ITEMS_MAX: usize = 60;

/// What the gateway knows of an assessment without opening it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Assessment {
    pub id: AssessmentId,
    pub person: PersonId,
    pub source: OrgId,
    pub source_kind: OrgKind,
    pub recorded_by: String,
    pub recorded_at: When,
    pub valid_until: When,
    /// The consents under which it may be shared.
    pub consents: Vec<ConsentId>,
    /// The part that holds the answers (special category).
    pub answers_item: Id,
    /// The part that holds what an emergency may see of the risk (special category).
    pub emergency_item: Id,
    /// The part that says who is safe and who must not be told (location), if she said.
    pub safety_item: Option<Id>,
    pub relied_on: Vec<Reliance>,
}

/// "Relied on this, no need to re-ask", or why it was asked again.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Reliance {
    pub organisation: OrgId,
    pub at: When,
    pub reassessed_because: Option<ReassessReason>,
}

impl Assessment {
    /// Past this an assessment is shown to nobody: risk moves.
    pub fn in_date(&self, now: When) -> bool {
        now < self.valid_until
    }
}

/// The answers, as sealed. Special category: no `Debug`, erased on drop; a copy is
/// made only to be sealed.
#[derive(Clone, BorshSerialize, BorshDeserialize, Zeroize, ZeroizeOnDrop)]
pub struct Answers {
    #[zeroize(skip)]
    pub instrument: Instrument,
    pub instrument_version: String,
    #[zeroize(skip)]
    pub items: Vec<Item>,
    #[zeroize(skip)]
    pub grade: Grade,
    #[zeroize(skip)]
    pub basis: GradeBasis,
    pub judgement_reasons: Vec<String>,
    #[zeroize(skip)]
    pub assessor_role: Role,
    #[zeroize(skip)]
    pub assessor_kind: OrgKind,
    #[zeroize(skip)]
    pub assessor_trained: bool,
    #[zeroize(skip)]
    pub assessed_at: When,
    #[zeroize(skip)]
    pub needs: Vec<Need>,
    pub adjustments: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Item {
    pub code: String,
    pub answer: ItemAnswer,
}

impl Answers {
    /// Ticks are computed, never taken from the caller, and never turned into a grade.
    pub fn ticks(&self) -> u16 {
        let ticked = self
            .items
            .iter()
            .filter(|item| item.answer == ItemAnswer::Yes)
            .count();
        u16::try_from(ticked).unwrap_or(u16::MAX)
    }
}

/// What an emergency may see of the risk (`domain.md` 3.6): never an address, never a note.
#[derive(BorshSerialize, BorshDeserialize, Zeroize, ZeroizeOnDrop)]
pub struct EmergencyCard {
    #[zeroize(skip)]
    pub grade: Grade,
    #[zeroize(skip)]
    pub basis: GradeBasis,
    #[zeroize(skip)]
    pub assessed_at: When,
}

/// Who must be kept away and who is safe. Sealed apart from the risk: it is of class location,
/// and nothing but an emergency opens it.
#[derive(Default, BorshSerialize, BorshDeserialize, Zeroize, ZeroizeOnDrop)]
pub struct SafetyCard {
    /// Who must not be told or let in, in her words.
    pub do_not_tell: Vec<String>,
    pub safe_person: Option<String>,
    pub safe_person_phone: Option<String>,
}

impl SafetyCard {
    pub fn is_empty(&self) -> bool {
        self.do_not_tell.is_empty()
            && self.safe_person.is_none()
            && self.safe_person_phone.is_none()
    }
}

const LAYOUT: u8 = 1;

impl Written for Answers {
    fn free_texts(&self) -> Vec<(&'static str, &str)> {
        let Self {
            instrument: _,
            instrument_version: _,
            items: _,
            grade: _,
            basis: _,
            judgement_reasons,
            assessor_role: _,
            assessor_kind: _,
            assessor_trained: _,
            assessed_at: _,
            needs: _,
            adjustments,
        } = self;
        let reasons = judgement_reasons.iter();
        let reasons = reasons.map(|text| ("judgement_reasons", text.as_str()));
        let adjustments = adjustments.iter();
        let adjustments = adjustments.map(|text| ("adjustments", text.as_str()));
        reasons.chain(adjustments).collect()
    }
}

impl Written for SafetyCard {
    fn free_texts(&self) -> Vec<(&'static str, &str)> {
        let Self {
            do_not_tell,
            safe_person,
            safe_person_phone: _,
        } = self;
        let told = do_not_tell.iter();
        let told = told.map(|text| ("do_not_tell", text.as_str()));
        let safe = safe_person.iter();
        told.chain(safe.map(|text| ("safe_person", text.as_str())))
            .collect()
    }
}

impl ScreenedText<&Answers> {
    /// Plain bytes, for the sealing call only.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, BadEncoding> {
        encode(*self.get())
    }
}

impl ScreenedText<&SafetyCard> {
    /// Plain bytes, for the sealing call only.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, BadEncoding> {
        encode(*self.get())
    }
}

impl EmergencyCard {
    /// Plain bytes, for the sealing call only. No word of anybody's is in them.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, BadEncoding> {
        encode(self)
    }
}

/// A version byte, then borsh. Fails never in practice: the limits keep every list far below what
/// borsh can count.
fn encode(value: &impl BorshSerialize) -> Result<Zeroizing<Vec<u8>>, BadEncoding> {
    codec::encode(&(LAYOUT, value))
}

macro_rules! sealed_layout {
    ($($name:ident),+) => {$(
        impl $name {
            /// # Errors
            /// Bytes that `encode` of this version did not write.
            pub fn decode(bytes: &[u8]) -> Result<Self, BadEncoding> {
                match bytes.split_first() {
                    Some((&LAYOUT, rest)) => codec::decode(rest),
                    Some(_) | None => Err(BadEncoding),
                }
            }
        }
    )+};
}

sealed_layout!(Answers, EmergencyCard, SafetyCard);
