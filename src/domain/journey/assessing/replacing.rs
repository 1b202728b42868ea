//! One assessment takes the place of another of the same organisation: corrected, or assessed again.
//! The old one stays as history, for its own organisation alone.

use crate::domain::alias::AliasKind;
use crate::domain::assessment::{Assessment, Ended, EndedHow, Replacement};
use crate::domain::codes::ReplaceHow;
use crate::domain::decision::Aggregate;
use crate::domain::id::{AssessmentId, ConsentId, PersonId};
use crate::domain::known::Known;
use crate::domain::record::Record;
use crate::domain::ruling::Ruling;

use super::super::Stop;
use super::Replaces;

/// The caller's own assessment that is to be replaced; `None` if none is.
pub(super) fn find<'k, 'd>(
    ruling: &mut Ruling<'_>,
    known: &'k Known,
    person: Option<PersonId>,
    replaces: Option<&'d Replaces>,
) -> Result<Option<(&'k Assessment, &'d Replaces)>, Stop> {
    let Some(replaces) = replaces else {
        return Ok(None);
    };
    ruling.reason(replaces.because.code());
    ruling.note(replaces.how.code());
    let own = ruling.attempt().organisation();
    let inward = ruling
        .aliases()
        .inward(AliasKind::Assessment, replaces.assessment);
    let old = own_assessments(known, person)
        .find(|one| one.id.id() == inward && one.source == *own && one.stands());
    let old = old.ok_or(Stop::Nothing("no-such-assessment"))?;
    Ok(Some((old, replaces)))
}

/// What was recorded under the caller's own record of her.
pub(super) fn own_assessments(
    known: &Known,
    person: Option<PersonId>,
) -> impl Iterator<Item = &Assessment> {
    let person = person.and_then(|person| known.people.get(&person));
    person.into_iter().flat_map(|person| &person.assessments)
}

/// A correction is of what she agreed to share; a new assessment needs her word anew.
pub(super) fn carried_over(old: &Assessment, why: &Replaces) -> Vec<ConsentId> {
    match why.how {
        ReplaceHow::Correction => old.consents.clone(),
        ReplaceHow::Reassessment => Vec::new(),
    }
}

pub(super) fn end(
    ruling: &mut Ruling<'_>,
    old: &Assessment,
    by: AssessmentId,
    why: &Replaces,
) -> Replacement {
    let attempt = ruling.attempt();
    let ended = Assessment {
        ended: Some(Ended {
            at: attempt.when,
            by: attempt.user.as_str().to_owned(),
            how: EndedHow::ReplacedBy(by),
        }),
        ..old.clone()
    };
    let of = Aggregate::Person(old.person);
    ruling.fact(of, old.id.id(), &Record::Assessment(ended));
    Replacement {
        of: old.id,
        how: why.how,
        because: why.because,
    }
}
