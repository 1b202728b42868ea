//! "Has she been assessed before?", and what became of the answer (3.2).
//!
//! An answer needs two facts that two organisations recorded: the source's consent to share that
//! covers the asker, and the asker's accepted referral with its consent to ask (P11). Whatever is
//! missing, the reply is the same nothing; the reason is for the holding side's log.

use std::collections::BTreeSet;

use crate::domain::alias::AliasKind;
use crate::domain::answer::{Answer, Release, parts};
use crate::domain::assessment::{ASSESSMENT_CLASSES, ASSESSMENT_PURPOSE, Assessment, Reliance};
use crate::domain::attempt::Attempt;
use crate::domain::card::CardCode;
use crate::domain::codes::{ConsentDecision, ConsentDepth, ReassessReason, ReferralStatus};
use crate::domain::consent::{Consent, Flow, Opens, Tombstone, best};
use crate::domain::decision::{Aggregate, Decision, Window};
use crate::domain::firewall::{Screenable, Screened, screen};
use crate::domain::id::{ConsentId, Id, LinkId, PersonId};
use crate::domain::known::{self, Known};
use crate::domain::linkage::Linkage;
use crate::domain::person::{Evidence, TaggedToken, Tier, Token, tier};
use crate::domain::policy::{Ask, ConsentState, Relationship, authorise};
use crate::domain::record::{PersonRecord, Record};
use crate::domain::referral::Referral;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling, Tie};
use crate::domain::seal::Keys;

use super::answering::relationship;
use super::carding::vouches;
use super::linking::{self, Meeting};
use super::subject::{Found, Subject};
use super::transferring::came_from;
use super::{ACCEPTED, ONWARD_RULE_ACCEPTED, Stop, about_caller, caller, mark, onward_rule};

/// Assessments shown in one answer, the newest first.
pub const SHOWN_MAX: usize = 20;

/// A question about prior assessments.
pub struct Query {
    pub subject: Subject,
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

/// What an organisation did with an assessment that it was shown.
pub struct Use {
    pub subject: Subject,
    /// Why it asked her again all the same; nothing if it relied on what it was shown.
    pub reassessed_because: Option<ReassessReason>,
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
    ruling.asked(&ASSESSMENT_CLASSES);
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
    ask.classes = ASSESSMENT_CLASSES.to_vec();
    about_caller(ruling, &ask)?;
    onward_rule(query.onward_rule_accepted)?;
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
        &asker.tokens,
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
            asks: ask.relationship == Relationship::AcceptedFromAnother,
            holds: false,
        };
        linking::meet(ruling, known, &meeting);
    }

    let mut shown = Vec::new();
    let mut screened = Vec::new();
    let mut across = BTreeSet::new();
    let mut held_back = asker.short_of();
    for source in asker.sources(known, attempt, &consents) {
        // Every source that was considered sees that it was asked about, shown or not; but for one
        // that handed her over, which would read where she is.
        if !came_from(known, &asker.vouched, &source.assessment.source) {
            ruling.concerns(&source.assessment.source);
        }
        if shown.len() == SHOWN_MAX {
            continue;
        }
        match release(ruling, known, &ask, &source) {
            Ok(release) => {
                source.note_consents(ruling);
                screened.push(release);
                across.insert(source.held);
                shown.push(source.assessment.clone());
            }
            Err(why) => {
                ruling.note(why);
                held_back = held_back.or(Some(why));
            }
        }
    }
    let Some(release) = Screened::joined(screened) else {
        return Err(Stop::Nothing(held_back.unwrap_or("none-held")));
    };
    ruling.rule(release.rules());
    mark(ruling, &release);
    if let Some(other) = asker.person {
        for held in across {
            linking::shown(ruling, known, held, other);
        }
    }
    ruling.sources(shown.len());
    ruling.disclosed(&release.value().classes());
    Ok(Answer::Assessments(shown, release))
}

/// Whether one source may be told of: policy and firewall see each by itself, because consent
/// between two bodies depends on who they are.
fn release(
    ruling: &mut Ruling<'_>,
    known: &Known,
    ask: &Ask,
    source: &Source<'_>,
) -> Result<Screened<Release>, &'static str> {
    source.held_back(ask.relationship)?;
    let ask = source.ask(ask);
    let release = parts(known, &[source.assessment.answers_item]);
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

/// "Relied on this", or why she was asked again. The reply is the same whatever was found.
pub fn rely_on(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    used: &Use,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let inward = ruling.aliases().inward(AliasKind::Assessment, alias);
    ruling.object(Some(alias), Some(inward));
    match decide_reliance(&mut ruling, known, inward, used) {
        // That there is nothing to rely on would tell.
        Ok(()) => ruling.finish(Answer::ReliedOn),
        Err(Stop::Nothing(why)) => {
            ruling.note(why);
            ruling.finish(Answer::ReliedOn)
        }
        Err(stop @ Stop::Refuse(_)) => ruling.stop(stop),
    }
}

fn decide_reliance(ruling: &mut Ruling<'_>, known: &Known, id: Id, used: &Use) -> Result<(), Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let mut ask = caller.ask(attempt, caller.as_recipient());
    about_caller(ruling, &ask)?;
    if let Some(because) = used.reassessed_because {
        ruling.reason(because.code());
    }
    let asker = Asker::of(ruling, known, &used.subject)?;
    ask.relationship = asker.relationship;
    ruling.relationship(ask.relationship.code());
    let sources = asker.sources(known, attempt, &asker.consents);
    let source = sources
        .iter()
        .find(|source| source.assessment.id.id() == id)
        .ok_or(Stop::Nothing("not-linked"))?;
    if !came_from(known, &asker.vouched, &source.assessment.source) {
        ruling.concerns(&source.assessment.source);
    }
    source.held_back(ask.relationship).map_err(Stop::Nothing)?;
    super::permit(ruling, &source.ask(&ask), ())?;
    let own = attempt.organisation();
    let mut assessment = source.assessment.clone();
    // One for each organisation, so that a list of them cannot grow without end.
    assessment
        .relied_on
        .retain(|relied| relied.organisation != *own);
    assessment.relied_on.push(Reliance {
        organisation: own.clone(),
        at: attempt.when,
        reassessed_because: used.reassessed_because,
    });
    let of = Aggregate::Person(assessment.person);
    ruling.fact(of, id, &Record::Assessment(assessment));
    Ok(())
}

/// Notes that the asker's work with her never began or was closed by itself. What someone else ended
/// is not the asker's to learn from an alert.
fn untied(
    ruling: &mut Ruling<'_>,
    known: &Known,
    person: Option<PersonId>,
    received: &[&Referral],
) {
    let own = ruling.attempt().organisation();
    let sent = known
        .referrals
        .values()
        .any(|referral| referral.sender == *own && Some(referral.sender_person) == person);
    let now = ruling.attempt().when;
    let closed = |referral: &&Referral| referral.status_at(now) == ReferralStatus::Closed;
    let transferred = |referral: &&Referral| referral.is_transferred(now);
    match received {
        [] if sent => {}
        [] => ruling.untied(Tie::None),
        received if received.iter().all(closed) && received.iter().any(transferred) => {
            ruling.untied(Tie::Transferred);
        }
        received if received.iter().all(closed) => ruling.untied(Tie::Closed),
        _ => {}
    }
}

/// The asking side: what ties it to her, and what it recorded itself.
struct Asker<'a> {
    person: Option<PersonId>,
    tokens: Vec<TaggedToken>,
    relationship: Relationship,
    /// Accepted referrals that another organisation made.
    vouched: Vec<&'a Referral>,
    /// A card that another organisation made, of which she gave a code for this question.
    card: Option<&'a CardCode>,
    consents: Vec<&'a Consent>,
}

impl<'a> Asker<'a> {
    fn of(ruling: &mut Ruling<'_>, known: &'a Known, subject: &Subject) -> Result<Self, Stop> {
        let attempt = ruling.attempt();
        let found = subject.find(ruling.rules(), attempt, known);
        let Found { person, tokens } = found.ok_or(Stop::Nothing("no-own-record"))?;
        ruling.subject(&tokens);
        // The team is the recipient, not the organisation (F3).
        let name = attempt.peer.name();
        let accepted = known.referrals.values().filter(|referral| {
            person.is_some()
                && referral.recipient_person == person
                && referral.recipient == name.organisation
                && referral.recipient_team == name.team
        });
        let mut vouched: Vec<&Referral> = accepted.collect();
        let tie_of = |referral: &Referral| relationship(referral, attempt.when);
        let tie = vouched.iter().map(|referral| tie_of(referral)).max();
        untied(ruling, known, person, &vouched);
        vouched.retain(|referral| tie_of(referral) == Relationship::AcceptedFromAnother);
        let own = person.and_then(|person| known.people.get(&person));
        Ok(Self {
            person,
            tokens,
            relationship: tie.unwrap_or(Relationship::None),
            vouched,
            card: None,
            consents: own.map_or_else(Vec::new, |own| own.consents.iter().collect()),
        })
    }

    /// What she gave by her card stands for what another organisation said (P11).
    fn shows_card(&mut self, card: Option<&'a CardCode>) {
        if card.is_some() {
            self.card = card;
            self.relationship = Relationship::AcceptedFromAnother;
        }
    }

    /// Why nothing can be shown, whatever others hold.
    fn short_of(&self) -> Option<&'static str> {
        match self.relationship {
            Relationship::AcceptedFromAnother => None,
            Relationship::AcceptedOwn => Some("relationship-self-made"),
            Relationship::None | Relationship::Sender | Relationship::OfferedTo => {
                Some("no-accepted-referral")
            }
        }
    }

    /// Whether what *another* organisation said of her points to this record. What the asker adds
    /// to its own record may corroborate, but never turn the referral into another woman's (P11).
    /// Who holds the record may say it too.
    fn vouched_for(&self, known: &Known, held: PersonId, record: &PersonRecord) -> bool {
        let said = self.vouched.iter().map(|referral| &referral.tokens);
        let mut said = said.chain(self.card.map(|card| &card.tokens));
        let said_by_sender = said.any(|tokens| {
            let link = tier(&Evidence::between(tokens, &record.tokens));
            matches!(link, Tier::Automatic | Tier::NameAndBirth)
        });
        let link = self.person.map(|person| LinkId::of(held, person));
        let link = link.and_then(|link| known.links.get(&link));
        said_by_sender || link.is_some_and(Linkage::is_confirmed)
    }

    /// What other organisations hold of her, the newest first.
    fn sources(
        &self,
        known: &'a Known,
        attempt: &Attempt,
        consents: &[&Consent],
    ) -> Vec<Source<'a>> {
        let own = attempt.organisation();
        let mut sources: Vec<Source<'a>> = known
            .certain(self.person, &self.tokens)
            .into_iter()
            .filter_map(|id| Some((id, known.people.get(&id)?)))
            .filter_map(|(id, person)| Some((id, person, person.record.as_ref()?)))
            .filter(|(_, _, record)| record.organisation != *own)
            .flat_map(|(id, person, record)| {
                let held = person.assessments.iter();
                held.filter(|assessment| assessment.source == record.organisation)
                    .map(|assessment| {
                        self.source(known, attempt, consents, (id, person), assessment)
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        sources.sort_by_key(|source| std::cmp::Reverse(source.assessment.recorded_at));
        sources
    }

    fn source(
        &self,
        known: &Known,
        attempt: &Attempt,
        asked: &[&Consent],
        (held, person): (PersonId, &known::Person),
        assessment: &'a Assessment,
    ) -> Source<'a> {
        let own = attempt.organisation();
        let families = known.families(own);
        let flow = Flow {
            holder: &assessment.source,
            recipient: own,
            recipient_families: &families,
            classes: &ASSESSMENT_CLASSES,
            purpose: ASSESSMENT_PURPOSE,
            depth: Some(ConsentDepth::Answers),
            now: attempt.when,
        };
        let record = person.record.as_ref();
        let mut tombstones: Vec<&Tombstone> = known.withdrawals(&self.tokens);
        tombstones.extend(record.map_or_else(Vec::new, |held| known.withdrawals(&held.tokens)));
        let shared: Vec<&Consent> = person
            .consents
            .iter()
            .filter(|consent| consent.opens == Opens::Share)
            .filter(|consent| speaks_of(consent, assessment, &person.assessments))
            .collect();
        let asked: Vec<&Consent> = asked
            .iter()
            .copied()
            .filter(|consent| consent.opens == Opens::Query)
            .collect();
        Source {
            held,
            assessment,
            vouched_for: record.is_some_and(|record| self.vouched_for(known, held, record)),
            in_date: assessment.in_date(attempt.when),
            asked: best(&asked, &flow, &tombstones, own),
            shared: best(&shared, &flow, &tombstones, own),
        }
    }
}

/// A permit recorded with an assessment opens that one; a permit recorded apart opens what was
/// there when she gave it. A refusal stops everything.
fn speaks_of(consent: &Consent, assessment: &Assessment, all: &[Assessment]) -> bool {
    if !consent.items.is_empty() {
        return consent.items.contains(&assessment.id);
    }
    match consent.decision {
        ConsentDecision::Deny => true,
        ConsentDecision::Permit => {
            let apart = !all.iter().any(|one| one.consents.contains(&consent.id));
            assessment.consents.contains(&consent.id)
                || apart && consent.given_at >= assessment.recorded_at
        }
    }
}

/// One assessment of another organisation, with her word on both sides.
struct Source<'a> {
    /// The record that it is under.
    held: PersonId,
    assessment: &'a Assessment,
    vouched_for: bool,
    in_date: bool,
    asked: Option<(ConsentId, ConsentState)>,
    shared: Option<(ConsentId, ConsentState)>,
}

impl Source<'_> {
    /// Why it is not shown, as a code for the holding side. Policy is asked all the same.
    fn held_back(&self, relationship: Relationship) -> Result<(), &'static str> {
        let (asked, shared) = (state(self.asked), state(self.shared));
        if relationship != Relationship::AcceptedFromAnother {
            Err("relationship")
        } else if !self.vouched_for {
            Err("not-linked")
        } else if !self.in_date {
            Err("out-of-date")
        } else if !shared.is_some_and(|state| state.covers) {
            Err("no-consent-to-share")
        } else if !asked.is_some_and(|state| state.covers) {
            Err("no-consent-to-ask")
        } else if ![asked, shared]
            .into_iter()
            .flatten()
            .all(|state| state.live)
        {
            Err("consent-stopped")
        } else {
            Ok(())
        }
    }

    fn ask(&self, ask: &Ask) -> Ask {
        let mut ask = ask.clone();
        ask.giver = Some(self.assessment.source_kind);
        ask.consent = state(self.asked);
        ask.source_consent = state(self.shared);
        ask
    }

    fn note_consents(&self, ruling: &mut Ruling<'_>) {
        for (id, _) in [self.asked, self.shared].into_iter().flatten() {
            ruling.consent(id.id());
        }
    }
}

fn state(consent: Option<(ConsentId, ConsentState)>) -> Option<ConsentState> {
    consent.map(|(_, state)| state)
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
    let record = Record::Consent(consent.clone());
    ruling.fact(Aggregate::Person(person), id.id(), &record);
    consent
}

#[cfg(test)]
mod tests;
