//! Who asks about earlier assessments, what ties it to her, and what others hold of her with her word
//! on both sides (P11).

use std::cmp::Reverse;

use crate::domain::assessment::{ASSESSMENT_CLASSES, ASSESSMENT_PURPOSE, Assessment};
use crate::domain::attempt::Attempt;
use crate::domain::card::CardCode;
use crate::domain::codes::{ConsentDecision, ConsentDepth, ReferralStatus};
use crate::domain::consent::{Consent, Flow, Opens, Tombstone, best};
use crate::domain::id::{ConsentId, LinkId, OrgId, PersonId};
use crate::domain::known::{self, Known};
use crate::domain::linkage::Linkage;
use crate::domain::person::{Evidence, TaggedToken, Tier, tier};
use crate::domain::policy::{Ask, ConsentState, Relationship};
use crate::domain::record::PersonRecord;
use crate::domain::referral::Referral;
use crate::domain::ruling::{Ruling, Tie};

use super::super::Stop;
use super::super::answering::relationship;
use super::super::subject::{Found, Subject};
use super::super::transferring;

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
pub(super) struct Asker<'a> {
    pub(super) person: Option<PersonId>,
    pub(super) tokens: Vec<TaggedToken>,
    pub(super) relationship: Relationship,
    /// Accepted referrals that another organisation made.
    vouched: Vec<&'a Referral>,
    /// A card that another organisation made, of which she gave a code for this question.
    card: Option<&'a CardCode>,
    pub(super) consents: Vec<&'a Consent>,
}

impl<'a> Asker<'a> {
    pub(super) fn of(
        ruling: &mut Ruling<'_>,
        known: &'a Known,
        subject: &Subject,
    ) -> Result<Self, Stop> {
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
    pub(super) fn shows_card(&mut self, card: Option<&'a CardCode>) {
        if card.is_some() {
            self.card = card;
            self.relationship = Relationship::AcceptedFromAnother;
        }
    }

    /// Whether she was handed over to the asker by `source`, which is not to learn where she is.
    pub(super) fn came_from(&self, known: &Known, source: &OrgId) -> bool {
        transferring::came_from(known, &self.vouched, source)
    }

    /// Why nothing can be shown, whatever others hold.
    pub(super) fn short_of(&self) -> Option<&'static str> {
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

    /// What other organisations hold of her, the highest grade first and of one grade the newest, with
    /// her word on `step`. Records that
    /// only a name and a date of birth point to are looked at for the first step alone.
    pub(super) fn sources(
        &self,
        known: &'a Known,
        attempt: &Attempt,
        consents: &[&Consent],
        step: ConsentDepth,
    ) -> Vec<Source<'a>> {
        let own = attempt.organisation();
        let sure = known.certain(self.person, &self.tokens).into_iter();
        let near = match step {
            ConsentDepth::Exists => known.by_name_and_birth(self.person, &self.tokens),
            ConsentDepth::Cards | ConsentDepth::Answers => Vec::new(),
        };
        let all = sure
            .map(|id| (id, true))
            .chain(near.into_iter().map(|id| (id, false)));
        let mut sources = Vec::new();
        for (id, is_sure) in all {
            let Some(person) = known.people.get(&id) else {
                continue;
            };
            let Some(record) = person.record.as_ref() else {
                continue;
            };
            if record.organisation == *own {
                continue;
            }
            let held = Holding {
                id,
                person,
                record,
                is_sure,
                step,
            };
            let theirs = person.assessments.iter();
            sources.extend(
                theirs
                    .filter(|assessment| assessment.source == record.organisation)
                    .map(|assessment| self.source(known, attempt, consents, &held, assessment)),
            );
        }
        sources.sort_by_key(|source| {
            let one = source.assessment;
            (Reverse(one.grade), Reverse(one.recorded_at))
        });
        sources
    }

    fn source(
        &self,
        known: &Known,
        attempt: &Attempt,
        asked: &[&Consent],
        held: &Holding<'_>,
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
            depth: Some(held.step),
            now: attempt.when,
        };
        let (person, record) = (held.person, held.record);
        // Where it is not sure that both are of her, a no of either stops it.
        let withdrawals = |tokens: &[TaggedToken]| match held.is_sure {
            true => known.withdrawals(tokens),
            false => known.withdrawals_near(tokens),
        };
        let mut tombstones: Vec<&Tombstone> = withdrawals(&self.tokens);
        tombstones.extend(withdrawals(&record.tokens));
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
            held: held.id,
            is_sure: held.is_sure,
            step: held.step,
            assessment,
            vouched_for: self.vouched_for(known, held.id, record),
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

/// Another organisation's record, as it is asked about.
struct Holding<'a> {
    id: PersonId,
    person: &'a known::Person,
    record: &'a PersonRecord,
    is_sure: bool,
    step: ConsentDepth,
}

/// One assessment of another organisation, with her word on both sides.
pub(super) struct Source<'a> {
    /// The record that it is under.
    pub(super) held: PersonId,
    /// The records are linked by more than a name and a date of birth.
    pub(super) is_sure: bool,
    step: ConsentDepth,
    pub(super) assessment: &'a Assessment,
    vouched_for: bool,
    in_date: bool,
    asked: Option<(ConsentId, ConsentState)>,
    shared: Option<(ConsentId, ConsentState)>,
}

impl Source<'_> {
    /// Why it is not shown, as a code for the holding side. Policy is asked all the same.
    pub(super) fn held_back(&self, relationship: Relationship) -> Result<(), &'static str> {
        let (asked, shared) = (state(self.asked), state(self.shared));
        if relationship != Relationship::AcceptedFromAnother {
            Err("relationship")
        } else if !self.vouched_for {
            Err("not-linked")
        } else if !self.assessment.stands() {
            Err("replaced-or-withdrawn")
        } else if !self.in_date {
            Err("out-of-date")
        } else if !self.is_sure && self.step != ConsentDepth::Exists {
            Err("name-and-birth-only")
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

    pub(super) fn ask(&self, ask: &Ask) -> Ask {
        let mut ask = ask.clone();
        ask.giver = Some(self.assessment.source_kind);
        ask.consent = state(self.asked);
        ask.source_consent = state(self.shared);
        ask.step = Some(self.step);
        ask.identity_sure = self.is_sure;
        ask
    }

    pub(super) fn note_consents(&self, ruling: &mut Ruling<'_>) {
        for (id, _) in [self.asked, self.shared].into_iter().flatten() {
            ruling.consent(id.id());
        }
    }
}

fn state(consent: Option<(ConsentId, ConsentState)>) -> Option<ConsentState> {
    consent.map(|(_, state)| state)
}
