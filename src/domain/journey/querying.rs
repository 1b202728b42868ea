//! "Has she been assessed before?" (3.2), in three steps: that something exists, what cards say, every
//! answer of one. Each is asked for by itself, with its own entry, and her consent on both sides must
//! reach that far.
//!
//! An answer needs two facts that two organisations recorded: the source's consent to share that
//! covers the asker, and the asker's accepted referral with its consent to ask (P11). Whatever is
//! missing, the reply is the same nothing; the reason is for the holding side's log.

use std::collections::BTreeSet;

use crate::domain::alias::AliasKind;
use crate::domain::answer::{Answer, Release, parts};
use crate::domain::assessment::{ASSESSMENT_CLASSES, Assessment, mistaken_item};
use crate::domain::attempt::Attempt;
use crate::domain::codes::{ConsentDepth, DataClass};
use crate::domain::consent::{Consent, Opens};
use crate::domain::decision::{Aggregate, Decision, List, Window};
use crate::domain::firewall::{Screenable, Screened, screen};
use crate::domain::id::{ConsentId, Id, PersonId};
use crate::domain::known::Known;
use crate::domain::person::Token;
use crate::domain::policy::{Ask, Relationship, authorise};
use crate::domain::record::Record;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;

use super::carding::vouches;
use super::consenting::{keep_consent, names_a_notice};
use super::linking::{self, Meeting};
use super::subject::Subject;
use super::{ACCEPTED, ONWARD_RULE_ACCEPTED, Stop, about_caller, caller, mark, onward_rule};

mod choosing;
pub mod relying;
mod sources;

use choosing::{LOOKED_AT_MAX, chosen};
use sources::{Asker, Source};

/// Assessments shown in one answer.
pub const SHOWN_MAX: usize = 20;

/// How far a question goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Exists,
    Cards,
    /// Of the assessment that a card named so.
    Answers(Id),
}

impl Step {
    pub const fn depth(self) -> ConsentDepth {
        match self {
            Self::Exists => ConsentDepth::Exists,
            Self::Cards => ConsentDepth::Cards,
            Self::Answers(_) => ConsentDepth::Answers,
        }
    }

    /// What leaves at this step: that something exists says nothing of how she is.
    const fn classes(self) -> &'static [DataClass] {
        match self {
            Self::Exists => &[DataClass::Op],
            Self::Cards | Self::Answers(_) => &ASSESSMENT_CLASSES,
        }
    }
}

/// A question about prior assessments.
pub struct Query {
    pub subject: Subject,
    pub step: Step,
    /// Her consent to ask, if it is recorded with the question.
    pub consent: Option<Consent>,
    /// What is shown is not passed on for immigration purposes (F9).
    pub onward_rule_accepted: bool,
    /// A one-time code of her card.
    pub card_code: Option<Token>,
}

impl Query {
    /// Where a code of her card would lie.
    pub fn card(&self) -> Vec<Aggregate> {
        self.card_code.into_iter().map(Aggregate::Token).collect()
    }
}

/// Decides one query.
pub fn query(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    query: &Query,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.asked(query.step.classes());
    ruling.reason(query.step.depth().code());
    ruling.object(query.subject.outward(), None);
    match decide(&mut ruling, known, query) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, query: &Query) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let mut ask = caller.ask(attempt, caller.as_recipient());
    // Whoever may not be told how she is may not be told that somebody knows (P5).
    ask.classes = ASSESSMENT_CLASSES.to_vec();
    ask.step = Some(query.step.depth());
    about_caller(ruling, &ask)?;
    onward_rule(query.onward_rule_accepted)?;
    names_a_notice(ruling, &query.consent)?;
    ruling.note(ONWARD_RULE_ACCEPTED);
    let people_a_day = caller.organisation.people_a_day(attempt.when);
    query
        .subject
        .count(ruling, Window::day(attempt.when), people_a_day);

    let mut asker = Asker::of(ruling, known, &query.subject)?;
    asker.shows_card(vouches(
        ruling,
        known,
        query.card_code,
        asker.relationship,
        (asker.person, &asker.tokens),
    ));
    let mut consents = asker.consents.clone();
    let inline = asker.person.zip(query.consent.as_ref());
    let inline = inline.map(|(person, stated)| query_consent(ruling, person, stated));
    consents.extend(inline.as_ref());
    ask.relationship = asker.relationship;
    ruling.relationship(ask.relationship.code());

    if let Some(person) = asker.person {
        let meeting = Meeting {
            person,
            organisation: attempt.organisation(),
            tokens: &[],
            parent: None,
            asks: ask.relationship == Relationship::AcceptedFromAnother,
            holds: false,
        };
        linking::meet(ruling, known, &meeting);
    }

    let mut sources = asker.sources(known, attempt, &consents, query.step.depth());
    let mut none = "none-held";
    if let Step::Answers(alias) = query.step {
        let inward = ruling.aliases().inward(AliasKind::Assessment, alias);
        sources.retain(|source| source.assessment.id.id() == inward);
        none = "no-such-assessment";
    }
    let found = told(ruling, known, &ask, &asker, &sources, query.step);
    let Found { told, release } = found.map_err(|why| {
        let short = asker.short_of();
        Stop::Nothing(short.or(why).unwrap_or(none))
    })?;
    ruling.rule(release.rules());
    mark(ruling, &release);
    ruling.sources(told.len());
    if query.step == Step::Exists {
        ruling.disclosed(query.step.classes());
        let is_sure = told.iter().any(|source| source.is_sure);
        if !is_sure {
            ruling.note("name-and-birth-only");
        }
        // Nothing of what the firewall passed is opened.
        return Ok(Answer::AssessmentExists { is_sure });
    }
    ruling.disclosed(&release.value().classes());
    if let Some(other) = asker.person {
        let across: BTreeSet<PersonId> = told.iter().map(|source| source.held).collect();
        for held in across {
            linking::shown(ruling, known, held, other);
        }
    }
    for source in &told {
        remember(ruling, source.assessment, query.step.depth());
    }
    let shown = told.iter().map(|source| source.assessment.clone());
    let mut shown: Vec<Assessment> = shown.collect();
    Ok(match (query.step, shown.pop()) {
        (Step::Answers(_), Some(one)) => Answer::ItemAnswers(Box::new(one), release),
        (Step::Exists | Step::Cards | Step::Answers(_), last) => {
            shown.extend(last);
            Answer::Assessments(shown, release)
        }
    })
}

/// What may be told at one step.
struct Found<'s, 'k> {
    told: Vec<&'s Source<'k>>,
    release: Screened<Release>,
}

/// Each source by itself: who was considered sees that it was asked about, told of or not; who only
/// may hold something of hers, if it was told of. One that handed her over sees nothing: it would
/// read where she is.
fn told<'s, 'k>(
    ruling: &mut Ruling<'_>,
    known: &Known,
    ask: &Ask,
    asker: &Asker<'_>,
    sources: &'s [Source<'k>],
    step: Step,
) -> Result<Found<'s, 'k>, Option<&'static str>> {
    let mut may_be_told = Vec::new();
    let mut held_back = None;
    for (place, source) in sources.iter().enumerate() {
        let may_see = !asker.came_from(known, &source.assessment.source);
        if source.is_sure && may_see {
            ruling.concerns(&source.assessment.source);
        }
        if place >= LOOKED_AT_MAX {
            continue;
        }
        match release(ruling, known, ask, source, step) {
            Ok(release) => may_be_told.push((source, release)),
            Err(why) => {
                ruling.note(why);
                held_back = held_back.or(Some(why));
            }
        }
    }
    let all = may_be_told.iter().map(|(source, _)| source.assessment);
    let shown = chosen(&all.collect::<Vec<_>>());
    let (mut told, mut screened) = (Vec::new(), Vec::new());
    for (place, (source, release)) in may_be_told.into_iter().enumerate() {
        if !shown.contains(&place) {
            continue;
        }
        if !asker.came_from(known, &source.assessment.source) {
            ruling.concerns(&source.assessment.source);
        }
        source.note_consents(ruling);
        screened.push(release);
        told.push(source);
    }
    let release = Screened::joined(screened).ok_or(held_back)?;
    Ok(Found { told, release })
}

/// Whether one source may be told of: policy and firewall see each by itself, because consent
/// between two bodies depends on who they are.
fn release(
    ruling: &mut Ruling<'_>,
    known: &Known,
    ask: &Ask,
    source: &Source<'_>,
    step: Step,
) -> Result<Screened<Release>, &'static str> {
    source.held_back(ask.relationship)?;
    let ask = source.ask(ask);
    let mut items = vec![source.assessment.card_item];
    if matches!(step, Step::Answers(_)) {
        items.push(source.assessment.answers_item);
    }
    let release = parts(known, &items);
    let permitted = authorise(&ruling.rules().book.policies, &ask, release).map_err(|denied| {
        ruling.rule(&denied.rules);
        "firewalled"
    })?;
    let screened = screen(permitted, ACCEPTED);
    if screened.value().parts.is_empty() {
        mark(ruling, &screened);
        return Err("firewalled");
    }
    Ok(screened)
}

/// That the asker was shown this: so that it can be told if it was of somebody else, and may say that
/// it relied on it.
pub(super) fn remember(ruling: &mut Ruling<'_>, assessment: &Assessment, step: ConsentDepth) {
    let attempt = ruling.attempt();
    let own = attempt.organisation();
    if assessment.source == *own {
        return;
    }
    let item = mistaken_item(assessment.id, own);
    ruling.list(List::Alert(own.clone(), item), 0, item);
    let mut known = assessment.shown.iter();
    if known.any(|one| one.organisation == *own && one.step >= step) {
        return;
    }
    let mut assessment = assessment.clone();
    assessment.note_shown(own, step, attempt.when);
    let (of, item) = (Aggregate::Person(assessment.person), assessment.id.id());
    ruling.fact(of, item, &Record::Assessment(assessment));
}

/// Her consent to ask, recorded with the question on the asker's own record of her.
fn query_consent(ruling: &mut Ruling<'_>, person: PersonId, stated: &Consent) -> Consent {
    let attempt = ruling.attempt();
    let id = ConsentId(attempt.entropy.id("consent"));
    let consent = Consent {
        id,
        recorded_by: attempt.organisation().clone(),
        opens: Opens::Query,
        ..stated.clone()
    };
    keep_consent(ruling, person, &consent);
    consent
}

#[cfg(test)]
mod tests;
