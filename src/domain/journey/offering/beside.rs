//! Who stands beside her in an offer: what the sender may say of the other party, and under which
//! parent a child is recorded. It follows from the offer alone, so it is said exactly.

use super::{Offer, consent_of};
use crate::domain::codes::{Competence, DataClass, OrgKind, Parent, PartyRole};
use crate::domain::person::{Beside, FieldError};
use crate::domain::refusal::Refusal;

/// Who stands beside her in an offer, resolved.
#[derive(Default)]
pub struct Besides {
    pub other_party: Option<Beside>,
    /// With a police number, which police alone may give.
    pub is_numbered: bool,
    /// Of a child: the parent under whom it is recorded.
    pub parent: Option<Beside>,
    /// Who may be the other party as well.
    pub parent_is_other_party: bool,
}

/// What flows with an offer: that which makes the other party dangerous only where some of it is said.
pub fn flowing(offer: &Offer) -> Vec<DataClass> {
    let mut classes = vec![
        DataClass::Op,
        DataClass::Id,
        DataClass::Loc,
        DataClass::Ip,
        DataClass::Ft,
    ];
    classes.extend(offer.other_party.as_ref().map(|_| DataClass::Perp));
    classes
}

/// What is wrong with it, for the sender to put right.
pub fn check(offer: &Offer, sender: OrgKind) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    let mut add = |field, message| wrong.push(FieldError { field, message });
    if offer.beside.is_numbered && sender != OrgKind::Police {
        add(
            "other_party.pnc_id",
            "only police give a PNC ID; leave it out",
        );
    }
    let is_child = offer.operational.party_role == PartyRole::ChildVictim;
    let parent = offer.beside.parent.as_ref();
    if parent.is_some() && !is_child {
        add("child_of", "only with party_role child_victim");
    }
    if offer.beside.parent_is_other_party {
        add(
            "child_of",
            "this is the other party: a child is never recorded under whom it is to be kept safe \
             from",
        );
    }
    let speaks = consent_of(offer).is_some_and(|consent| {
        consent.competence == Competence::ParentForChild
            && consent.parent != Some(Parent::LocalAuthority)
    });
    if is_child && speaks && parent.is_none() {
        add(
            "child_of",
            "say which parent spoke for the child: what another parent says of it is kept apart",
        );
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Refusal::CheckYourAnswers(wrong))
    }
}

#[cfg(test)]
mod tests;
