//! A prior assessment: what was asked, with which tool, by whom, and what was judged
//! (`domain.md` 4.4). There is no field for therapy notes.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::codes::{
    ConsentDepth, DataClass, DisagreementReason, Grade, GradeBasis, Instrument, ItemAnswer,
    JudgementReason, Need, OrgKind, Purpose, ReassessReason, ReplaceHow, ReplaceReason, Role,
    WithdrawnBecause,
};
use super::firewall::hold::{ScreenedText, Written};
use super::id::{AssessmentId, ConsentId, Id, OrgId, PersonId};
use super::person::codec::{self, BadEncoding};
use super::record::singleton;
use super::time::When;

pub mod corrected;
pub mod disagreement;

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
/// Other assessments that one says it disagrees with, at most.
pub const DISAGREEMENTS_MAX: usize = 8;

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
    /// As on its card: known without opening it, so that where not all can be shown the highest is.
    pub grade: Grade,
    /// The consents under which it may be shared.
    pub consents: Vec<ConsentId>,
    /// The part that holds what is told of it before any answer (special category).
    pub card_item: Id,
    /// The part that holds the answers (special category).
    pub answers_item: Id,
    /// The part that holds what an emergency may see of the risk (special category).
    pub emergency_item: Id,
    /// The part that says who is safe and who must not be told (location), if she said.
    pub safety_item: Option<Id>,
    /// The one of the same source that it took the place of.
    pub replaces: Option<Replacement>,
    /// From then on it is history: shown to its source and to nobody else.
    pub ended: Option<Ended>,
    pub disagreements: Vec<Disagreement>,
    /// Who was shown how much of it.
    pub shown: Vec<Showing>,
    pub relied_on: Vec<Reliance>,
}

/// Why an assessment took the place of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Replacement {
    pub of: AssessmentId,
    pub how: ReplaceHow,
    pub because: ReplaceReason,
}

/// Who ended an assessment, and how. Nothing ends because something newer exists elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ended {
    pub at: When,
    /// A user of the source.
    pub by: String,
    pub how: EndedHow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum EndedHow {
    ReplacedBy(AssessmentId),
    /// It should never have been there; its parts are destroyed.
    Withdrawn(WithdrawnBecause),
}

/// That this assessment differs from another on purpose. The other is named as whoever recorded it
/// gave it: it is shown to those alone who are shown both.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Disagreement {
    pub with: AssessmentId,
    pub because: DisagreementReason,
}

/// The furthest step at which an organisation was shown something of it, and when. An emergency view
/// counts as the first: it tells more, but nothing that can be relied on afterwards.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Showing {
    pub organisation: OrgId,
    pub step: ConsentDepth,
    pub at: When,
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

    /// Neither replaced nor withdrawn.
    pub const fn stands(&self) -> bool {
        self.ended.is_none()
    }

    /// What was recorded of somebody else by mistake is nothing about her.
    pub fn is_about_her(&self) -> bool {
        let withdrawn = |ended: &Ended| matches!(ended.how, EndedHow::Withdrawn(_));
        !self.ended.as_ref().is_some_and(withdrawn)
    }

    /// Whether `organisation` was shown what a card or the answers say.
    pub fn was_shown_to(&self, organisation: &OrgId) -> bool {
        self.shown
            .iter()
            .any(|one| one.organisation == *organisation && one.step >= ConsentDepth::Cards)
    }

    /// Remembers that `organisation` is shown it at `step`, one line for each organisation.
    pub fn note_shown(&mut self, organisation: &OrgId, step: ConsentDepth, at: When) {
        let known = self.shown.iter_mut();
        match known
            .into_iter()
            .find(|one| one.organisation == *organisation)
        {
            Some(one) => {
                one.step = one.step.max(step);
                one.at = at;
            }
            None => self.shown.push(Showing {
                organisation: organisation.clone(),
                step,
                at,
            }),
        }
    }
}

/// Under which item the queue of who was shown an assessment is told that it was of somebody else.
pub fn mistaken_item(assessment: AssessmentId, organisation: &OrgId) -> Id {
    let name = format!("mistaken {} at {organisation}", assessment.id());
    Id::drawn(*singleton(&name).bytes())
}

/// What is told of an assessment before any of its answers, as sealed. Special category: no `Debug`,
/// erased on drop; a copy is made only to be sealed.
#[derive(Clone, BorshSerialize, BorshDeserialize, Zeroize, ZeroizeOnDrop)]
pub struct Card {
    #[zeroize(skip)]
    pub instrument: Instrument,
    pub instrument_version: String,
    /// Counted when it was recorded; `None` where the tool counts nothing. Never turned into a grade.
    #[zeroize(skip)]
    pub ticks: Option<u16>,
    #[zeroize(skip)]
    pub grade: Grade,
    /// On what the grade rests; the reasons are apart from it.
    #[zeroize(skip)]
    pub basis: GradeBasis,
    #[zeroize(skip)]
    pub judgement_codes: Vec<JudgementReason>,
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

/// The answers, as sealed: codes only.
#[derive(Clone, BorshSerialize, BorshDeserialize, Zeroize, ZeroizeOnDrop)]
pub struct Answers {
    #[zeroize(skip)]
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Item {
    pub code: String,
    pub answer: ItemAnswer,
}

/// What an emergency may see of the risk (`domain.md` 3.6): never an address, never a note.
#[derive(BorshSerialize, BorshDeserialize, Zeroize, ZeroizeOnDrop)]
pub struct EmergencyCard {
    /// A question about a child in danger was answered yes. Never which child: no form has a place.
    #[zeroize(skip)]
    pub child_at_risk: bool,
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

impl Written for Card {
    fn free_texts(&self) -> Vec<(&'static str, &str)> {
        let Self {
            instrument: _,
            instrument_version: _,
            ticks: _,
            grade: _,
            basis: _,
            judgement_codes: _,
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

impl ScreenedText<&Card> {
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

impl Answers {
    /// Plain bytes, for the sealing call only. No word of anybody's is in them.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, BadEncoding> {
        encode(self)
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

sealed_layout!(Card, Answers, EmergencyCard, SafetyCard);
