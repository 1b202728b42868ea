//! The glass is broken: a life is at risk, and nobody can ask her (3.6).
//!
//! It opens the emergency view and nothing else: how high the risk is, who must not be told, who is
//! safe, and lines that are answered at night. Never an address, a note or anything about
//! immigration. Whether or not anything is held, it is logged, counted, told to others and asked
//! about afterwards alike.

use std::collections::BTreeSet;

use crate::domain::answer::{Answer, parts};
use crate::domain::assessment::Assessment;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{
    ConsentDepth, DataClass, EmergencyReason, OrgKind, Purpose, ReferralStatus,
};
use crate::domain::consent::Tombstone;
use crate::domain::decision::{Decision, Window};
use crate::domain::firewall::hold::{Unread, read};
use crate::domain::firewall::{Screenable, screen};
use crate::domain::id::{Id, OrgId, PersonId};
use crate::domain::known::{Known, Person};
use crate::domain::person::{FieldError, TaggedToken};
use crate::domain::policy::{DeniedWhy, authorise};
use crate::domain::referral::Referral;
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

pub mod following_up;

use super::linking;
use super::querying;
use super::subject::Subject;
use super::{ACCEPTED, ONWARD_RULE_ACCEPTED, Stop, caller, mark, onward_rule, permit, stop};

/// Different people for whom one user may break the glass in half a day.
pub const PEOPLE_A_HALF_DAY_MAX: u32 = 3;
/// The reason in words has at least this many characters.
pub const WORDS_CHARS_MIN: usize = 20;
/// Lines shown, at most.
const LINES_MAX: usize = 5;

/// Who will be told, in the words shown before the glass breaks. The same when nothing is held.
pub const TOLD: [&str; 4] = [
    "your information-governance officer",
    "your Caldicott Guardian",
    "the on-call desk",
    "any service that holds something",
];

/// What the emergency view is made of; in which language she is spoken to only where she cannot say so
/// herself (F6).
const fn classes(reason: EmergencyReason) -> &'static [DataClass] {
    match reason {
        EmergencyReason::CannotConsent => {
            &[DataClass::Op, DataClass::Sp, DataClass::Loc, DataClass::Ip]
        }
        EmergencyReason::LifeAtRisk | EmergencyReason::ChildAtRisk => {
            &[DataClass::Op, DataClass::Sp, DataClass::Loc]
        }
    }
}

/// The glass, and why it is to be broken.
///
/// The reason in words is not kept: it would be free text about her under nobody's record. The
/// code is logged, and the leaf binds the whole request by its salted hash, so that the hospital
/// can show what it wrote.
pub struct Glass {
    pub subject: Subject,
    pub reason: EmergencyReason,
    /// The reason in words.
    pub words: Unread,
    /// The user says that she is on shift.
    pub on_shift: bool,
    /// She has read who will be told.
    pub confirm: bool,
    /// What is shown is not passed on for immigration purposes (F9).
    pub onward_rule_accepted: bool,
}

/// Decides one emergency view.
pub fn break_glass(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    glass: &Glass,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.asked(classes(glass.reason));
    ruling.reason(glass.reason.code());
    ruling.object(glass.subject.outward(), None);
    match decide(&mut ruling, known, glass) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, glass: &Glass) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let mut ask = caller.ask(attempt, caller.as_recipient());
    ask.classes = classes(glass.reason).to_vec();
    // Unconfirmed, so that policy says first whether this user may ever do it.
    if let Err(denied) = authorise(&ruling.rules().book.policies, &ask, ())
        && denied.why != DeniedWhy::EmergencyNotConfirmed
    {
        ruling.rule(&denied.rules);
        return Err(stop(&denied, attempt, None));
    }
    check_fields(glass)?;
    if !glass.confirm {
        return Err(Stop::Refuse(Refusal::ConfirmEmergency {
            told: TOLD.map(str::to_owned).to_vec(),
            // Told while there is time. It stops nothing: the words are not kept anyway.
            held: read(ruling.rules(), attempt, &glass.words)
                .err()
                .unwrap_or_default(),
        }));
    }
    onward_rule(glass.onward_rule_accepted)?;
    ruling.note(ONWARD_RULE_ACCEPTED);
    ask.emergency_confirmed = true;

    let window = Window::half_day(attempt.when);
    glass.subject.count(ruling, window, PEOPLE_A_HALF_DAY_MAX);
    let found = glass.subject.find(ruling.rules(), attempt, known);
    let tokens = glass.subject.given(found.as_ref());
    ruling.subject(tokens);
    let own = found.as_ref().and_then(|found| found.person);
    let mut view = View::of(known, attempt, own, tokens);
    if glass.reason == EmergencyReason::CannotConsent {
        view.add_languages(known, attempt, own, tokens);
    }
    ruling.note("110127-emergency-override");
    tell(ruling, &view);
    following_up::begins(ruling);

    let release = parts(known, &view.items);
    let permitted = permit(ruling, &ask, release)?;
    let screened = screen(permitted, ACCEPTED);
    mark(ruling, &screened);
    ruling.sources(view.assessments.len());
    if screened.value().parts.is_empty() && view.lines.is_empty() {
        return Err(Stop::Nothing("none-held"));
    }
    if let Some(own) = own {
        let across: BTreeSet<PersonId> = view.assessments.iter().map(|held| held.person).collect();
        for held in across {
            linking::shown(ruling, known, held, own);
        }
    }
    for held in &view.assessments {
        querying::remember(ruling, held, ConsentDepth::Exists);
    }
    let mut disclosed = screened.value().classes();
    if !view.lines.is_empty() {
        disclosed.push(DataClass::Op);
        disclosed.sort_unstable();
    }
    ruling.disclosed(&disclosed);
    Ok(Answer::Emergency(view.assessments, view.lines, screened))
}

fn check_fields(glass: &Glass) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    if glass.words.chars() < WORDS_CHARS_MIN {
        wrong.push(FieldError {
            field: "text",
            message: "say in at least 20 characters why this cannot wait",
        });
    }
    if !glass.on_shift {
        wrong.push(FieldError {
            field: "on_shift",
            message: "only the senior on shift may do this: send true if you are",
        });
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Refusal::CheckYourAnswers(wrong))
    }
}

/// What there is for an emergency, and who holds it.
struct View {
    assessments: Vec<Assessment>,
    items: Vec<Id>,
    lines: Vec<String>,
    holders: Vec<OrgId>,
}

impl View {
    fn of(known: &Known, attempt: &Attempt, own: Option<PersonId>, tokens: &[TaggedToken]) -> Self {
        let mut view = Self {
            assessments: Vec::new(),
            items: Vec::new(),
            lines: Vec::new(),
            holders: Vec::new(),
        };
        let linked = known.certain(own, tokens);
        let mut tombstones = known.withdrawals(tokens);
        for person in linked.iter().filter_map(|id| known.people.get(id)) {
            let record = person.record.as_ref();
            tombstones.extend(record.map_or_else(Vec::new, |own| known.withdrawals(&own.tokens)));
            view.add_newest(attempt, person, &tombstones);
        }
        view.add_lines(known, attempt, &linked);
        view.holders.sort();
        view.holders.dedup();
        view
    }

    /// The newest risk of one source, and its newest word on who is safe, which may be older.
    fn add_newest(&mut self, attempt: &Attempt, person: &Person, tombstones: &[&Tombstone]) {
        // Told even when it is out of date or she has withdrawn: the glass was broken for her.
        let holders = person
            .assessments
            .iter()
            .filter(|held| tells(held.source_kind) && held.is_about_her());
        self.holders.extend(holders.map(|held| held.source.clone()));
        let open = |assessment: &Assessment, class: DataClass| {
            let ends = [&assessment.source, attempt.organisation()];
            // Her word counts here too: what she has stopped since is not opened (P8).
            assessment.stands()
                && assessment.in_date(attempt.when)
                && !tombstones.iter().any(|tombstone| {
                    tombstone.at >= assessment.recorded_at
                        && tombstone.stops(&ends, &[class], Purpose::Emergency)
                })
        };
        let newest = |class: DataClass, has: fn(&Assessment) -> Option<Id>| {
            let fit = person
                .assessments
                .iter()
                .filter(|held| open(held, class) && has(held).is_some());
            fit.max_by_key(|held| held.recorded_at)
                .and_then(|held| Some((held, has(held)?)))
        };
        let risk = newest(DataClass::Sp, |held| Some(held.emergency_item));
        let safety = newest(DataClass::Loc, |held| held.safety_item);
        for (assessment, item) in [risk, safety].into_iter().flatten() {
            self.items.push(item);
            if !self.assessments.contains(assessment) {
                self.assessments.push(assessment.clone());
            }
        }
    }

    /// The language in which a service that accepted her speaks with her, if the gateway keeps it.
    fn add_languages(
        &mut self,
        known: &Known,
        attempt: &Attempt,
        own: Option<PersonId>,
        tokens: &[TaggedToken],
    ) {
        for referral in worked_on(known, attempt, &known.certain(own, tokens)) {
            let mut tombstones = known.withdrawals(tokens);
            tombstones.extend(known.withdrawals(&referral.tokens));
            let ends = [
                &referral.sender,
                &referral.recipient,
                attempt.organisation(),
            ];
            let stopped = tombstones.iter().any(|tombstone| {
                tombstone.at >= referral.offered_at
                    && tombstone.stops(&ends, &[DataClass::Ip], Purpose::Emergency)
            });
            self.items
                .extend(referral.language_item.filter(|_| !stopped));
        }
    }

    /// Lines of services that work with her, never by name (F7).
    fn add_lines(&mut self, known: &Known, attempt: &Attempt, linked: &[PersonId]) {
        for referral in worked_on(known, attempt, linked) {
            let Some(service) = known.organisations.get(&referral.recipient) else {
                continue;
            };
            if !tells(service.kind) {
                continue;
            }
            self.holders.push(service.id.clone());
            let line = service
                .duty_line
                .as_ref()
                .filter(|_| service.active(attempt.when) && service.id != *attempt.organisation())
                .map(|line| format!("a specialist service, day and night: {line}"));
            if let Some(line) = line.filter(|line| !self.lines.contains(line)) {
                self.lines.push(line);
            }
        }
        self.lines.sort();
        self.lines.truncate(LINES_MAX);
    }
}

/// Referrals on which a service works with one of `linked`.
fn worked_on<'a>(
    known: &'a Known,
    attempt: &Attempt,
    linked: &[PersonId],
) -> impl Iterator<Item = &'a Referral> {
    known.referrals.values().filter(|referral| {
        referral.status_at(attempt.when) == ReferralStatus::Accepted
            && referral
                .recipient_person
                .is_some_and(|person| linked.contains(&person))
    })
}

/// Police are never told where she is, and an alert of a hospital would tell it.
fn tells(kind: OrgKind) -> bool {
    kind != OrgKind::Police
}

/// The own IG officer and Guardian, the reviewers and whoever holds something, at once.
fn tell(ruling: &mut Ruling<'_>, view: &View) {
    for holder in &view.holders {
        ruling.concerns(holder);
    }
    ruling.breaks_glass();
}

#[cfg(test)]
mod tests;
