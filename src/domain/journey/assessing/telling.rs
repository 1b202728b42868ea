//! Whoever was shown an assessment is told when it is corrected or taken back: under its own record of
//! her, to ask again. The same whatever she has stopped since, so that it tells nothing of that.

use crate::domain::assessment::Assessment;
use crate::domain::assessment::corrected::Corrected;
use crate::domain::decision::Aggregate;
use crate::domain::journey::stop_use::news;
use crate::domain::known::Known;
use crate::domain::record::{Record, singleton};
use crate::domain::ruling::Ruling;

/// Organisations that one correction tells, at most: as many as one decision can write.
const TOLD_MAX: usize = 40;

/// Tells each organisation that was shown a card or the answers of it. Who saw it in an emergency by
/// name alone has no record of her to be named.
pub(super) fn tell_shown(ruling: &mut Ruling<'_>, known: &Known, wrong: &Assessment) {
    let at = ruling.attempt().when.day_began();
    let pairs = known.links.values();
    let mut pairs = pairs.filter(|pair| {
        pair.held == wrong.person && pair.shown_at.is_some() && wrong.was_shown_to(&pair.asker)
    });
    // Once, however many there are: the entry is no place for a count.
    let mut told = false;
    for pair in pairs.by_ref().take(TOLD_MAX) {
        let id = Corrected::id_of(wrong.id, pair.other);
        let notice = Corrected {
            holder: pair.asker.clone(),
            person: pair.other,
            at,
        };
        let of = Aggregate::StopUse(id);
        ruling.fact(of, singleton("corrected"), &Record::Corrected(notice));
        news(ruling, &pair.asker, id.id());
        told = true;
    }
    if told {
        ruling.note("who-was-shown-asks-again");
    }
    if pairs.next().is_some() {
        // For the reviewers, who can tell the others. Whoever recorded it does not see it.
        ruling.note("who-was-shown-left-out");
        for reviewer in &known.approvers.reviewers {
            ruling.concerns(reviewer);
        }
    }
}

#[cfg(test)]
mod tests;
