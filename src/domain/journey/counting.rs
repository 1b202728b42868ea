//! What is counted for a quarter's return is put down with what did it, and read by who works there.

use crate::domain::answer::Answer;
use crate::domain::attempt::{Attempt, Entropy};
use crate::domain::codes::ReferralStatus;
use crate::domain::decision::{Aggregate, Decision, List, Write};
use crate::domain::id::{Id, LineId, OrgId};
use crate::domain::known::Known;
use crate::domain::record::{Record, singleton};
use crate::domain::referral::Referral;
use crate::domain::returns::{Happened, Line};
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::time::When;

use super::{Stop, caller, permit};

/// A line for the organisation that is asked: it has an offer.
pub fn offered(ruling: &mut Ruling<'_>, referral: &Referral) {
    count(ruling, &referral.recipient, &offer_of(referral));
}

/// The same for a new referral, which a standing acceptance may have taken. Nobody answered that, so
/// nothing says how fast.
pub fn delivered(ruling: &mut Ruling<'_>, referral: &Referral) {
    offered(ruling, referral);
    if referral.status == ReferralStatus::Accepted {
        done(ruling, referral, Happened::Accepted);
    }
}

/// A line for the organisation that is asked or has the referral.
pub fn done(ruling: &mut Ruling<'_>, referral: &Referral, what: Happened) {
    let line = Line::of(&referral.service, what);
    count(ruling, &referral.recipient, &line);
}

/// The same, of a person's answer. The first to an offer says how long it took, since when the inbox
/// says that it waits.
pub fn answered(ruling: &mut Ruling<'_>, referral: &Referral, what: Happened) {
    let now = ruling.attempt().when;
    let is_first = referral.status == ReferralStatus::Offered;
    let since = referral
        .awaited()
        .map_or(referral.offered_at, |(since, _)| since);
    let line = Line {
        minutes: is_first.then(|| minutes(since, now)),
        ..Line::of(&referral.service, what)
    };
    count(ruling, &referral.recipient, &line);
}

/// A line for the caller's own organisation, of no service.
pub fn own(ruling: &mut Ruling<'_>, what: Happened) {
    let own = ruling.attempt().organisation().clone();
    let line = Line {
        service: None,
        what,
        minutes: None,
    };
    count(ruling, &own, &line);
}

fn count(ruling: &mut Ruling<'_>, of: &OrgId, line: &Line) {
    let attempt = ruling.attempt();
    let id = attempt.entropy.id(&label(line, None));
    let (aggregate, item) = place(id);
    ruling.fact(aggregate, item, &Record::Line(line.clone()));
    ruling.list(List::Lines(of.clone()), attempt.when.place(), id);
}

/// Lines of what the gateway does of itself.
pub struct Lines<'a> {
    entropy: &'a Entropy,
    now: When,
    pub facts: Vec<(Aggregate, Id, Record)>,
    pub writes: Vec<Write>,
}

impl<'a> Lines<'a> {
    pub const fn new(entropy: &'a Entropy, now: When) -> Self {
        Self {
            entropy,
            now,
            facts: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// The service that has the offer did not answer in time.
    pub fn unanswered(&mut self, late: &Referral) {
        self.count(late, Line::of(&late.service, Happened::Unanswered));
    }

    pub fn offered(&mut self, referral: &Referral) {
        self.count(referral, offer_of(referral));
    }

    fn count(&mut self, referral: &Referral, line: Line) {
        let id = self.entropy.id(&label(&line, Some(referral.id.id())));
        let (aggregate, item) = place(id);
        self.facts.push((aggregate, item, Record::Line(line)));
        self.writes.push(Write::List {
            list: List::Lines(referral.recipient.clone()),
            at: self.now.place(),
            item: id,
        });
    }
}

fn offer_of(referral: &Referral) -> Line {
    let what = match referral.route {
        Some(_) => Happened::OfferedByMove,
        None => Happened::Offered,
    };
    Line::of(&referral.service, what)
}

/// A decision puts down each of these once, at most; of several referrals, once for each.
fn label(line: &Line, of: Option<Id>) -> String {
    let of = of.map(|id| id.to_string()).unwrap_or_default();
    format!("line {:?} {of}", line.what)
}

fn place(id: Id) -> (Aggregate, Id) {
    (Aggregate::Line(LineId(id)), singleton("line"))
}

fn minutes(since: When, now: When) -> u32 {
    let millis = now.millis().saturating_sub(since.millis()).max(0);
    u32::try_from(millis / 60_000).unwrap_or(u32::MAX)
}

/// Whether the caller may read what her organisation's quarter came to. It is counted afterwards: the
/// lines are about nobody, so that nothing is opened.
///
/// # Errors
/// [`BadRuling`].
pub fn read(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match may(&mut ruling, known) {
        Ok(()) => ruling.finish(Answer::Return),
        Err(stop) => ruling.stop(stop),
    }
}

fn may(ruling: &mut Ruling<'_>, known: &Known) -> Result<(), Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    permit(ruling, &caller.ask(attempt, caller.as_recipient()), ()).map(|_| ())
}

#[cfg(test)]
mod tests;
