//! Whatever several organisations do in whatever order, no reply has what her word and the law did not
//! cover when it was given, what they cover is not kept back, and nothing is stuck.
//!
//! What may be told is worked out beside the gateway ([`Model`]).

mod acts;
mod asks;
mod ends;
mod model;
mod moves;
mod words;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};

use acts::{ASKERS, Act, NEWEST, SENDERS, SERVICES, WOMEN, acts};
use model::{At, But, Given, Model, Offered, REFERRED, Stand, To};

use super::answering::{self, Response};
use super::offering;
use super::reading;
use super::trial::*;
use crate::domain::alias::{AliasKind, Aliases};
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::*;
use crate::domain::decision::{Aggregate, Decision, List, Listed, Write};
use crate::domain::id::Id;
use crate::domain::known::Known;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled};
use crate::domain::seal::Keys;
use crate::domain::time::When;

type Checked = Result<(), TestCaseError>;

/// What the plays must come to, each several times, or the property would say little.
const REACHED: [&str; 26] = [
    "an assessment shown",
    "an emergency view",
    "a release",
    "a release read again",
    "an inbox with an offer",
    "a transfer asked for",
    "accepted after a transfer",
    "both work with her",
    "transferred",
    "transferred by its date, before the clock came",
    "the next service asked after a decline",
    "the next service asked by the clock",
    "handed back",
    "the next service asked after it was handed back",
    "handed back too late",
    "a service passed over that she stopped",
    "held back by a pause alone",
    "held back by the end of a consent alone",
    "held back by a doubt alone",
    "held back by the end of an overlap alone",
    "told again after a pause",
    "a pause confirmed",
    "a pause lifted",
    "a pause confirmed after it had lapsed",
    "a review due",
    "an overlap ended by the clock",
];
/// Plays at a time, and how often more at most, until all is reached.
const PLAYS: u32 = 8;
const ROUNDS: usize = 32;

/// The town, and beside it what should be so.
struct Play {
    town: Town,
    model: Model,
    /// Lists that the journeys write.
    lists: Vec<(List, u64, Id)>,
    reached: BTreeMap<&'static str, usize>,
    shown: usize,
}

fn of<T: Copy>(list: &[T], pick: usize) -> T {
    list[pick % list.len()]
}

/// Of so many, or none of none.
fn among(count: usize, pick: usize) -> Option<usize> {
    match pick {
        _ if count == 0 => None,
        NEWEST.. => Some(count.saturating_sub(1 + pick - NEWEST)),
        _ => Some(pick % count),
    }
}

impl Play {
    fn new() -> Self {
        let mut play = Self {
            town: Town::in_order(),
            model: Model::default(),
            lists: Vec::new(),
            reached: BTreeMap::new(),
            shown: 0,
        };
        play.attest();
        play
    }

    fn saw(&mut self, what: &'static str) {
        *self.reached.entry(what).or_default() += 1;
    }

    fn at(&self) -> At {
        At {
            now: self.town.now,
            but: None,
        }
    }

    /// By what alone something is held back.
    fn held_back(&mut self, would: impl Fn(&Model, At) -> bool) {
        for but in But::ALL {
            let at = At {
                but: Some(but),
                ..self.at()
            };
            if would(&self.model, at) {
                self.saw(but.name());
            }
        }
    }

    /// Every team says again that it hosts nobody, and nobody's agreement ends.
    fn attest(&mut self) {
        let now = self.town.now;
        for mut organisation in self.town.known().organisations.into_values() {
            for attestation in organisation
                .teams
                .iter_mut()
                .filter_map(|team| team.attestation.as_mut())
            {
                attestation.at = now;
            }
            for agreement in &mut organisation.agreements {
                agreement.people_a_day = 30;
                agreement.to = now.plus_days(400);
            }
            for certificate in &mut organisation.certificates {
                certificate.not_after = now.plus_days(400);
            }
            self.town.enrol(organisation);
        }
    }

    fn wait(&mut self, hours: i64) {
        self.town.now = self.town.now.plus_hours(hours);
        self.attest();
    }

    /// Decides in the town, and keeps the lists that it does not keep.
    fn run(
        &mut self,
        attempt: Attempt,
        decide: impl FnOnce(&Rules, &Attempt, &Known, Keys) -> Result<Decision<Ruled>, BadRuling>,
    ) -> Done {
        let mut writes = Vec::new();
        let done = self.town.run(attempt, |rules, attempt, known, keys| {
            let decision = decide(rules, attempt, known, keys)?;
            writes.clone_from(&decision.writes);
            Ok(decision)
        });
        for write in writes {
            match write {
                _ if done.limited => {}
                Write::List { list, at, item } => self.lists.push((list, at, item)),
                Write::Unlist { list, item } => {
                    self.lists.retain(|(of, _, on)| *of != list || *on != item);
                }
                _ => {}
            }
        }
        done
    }

    fn listed(&self, list: &List, until: When) -> Vec<Listed> {
        let now = until.place();
        let entries = self.lists.iter().filter(|(of, ..)| of == list);
        let entries = entries.map(|(_, at, item)| Listed {
            at: *at,
            index: 1,
            item: *item,
        });
        entries.filter(|entry| entry.at <= now).collect()
    }

    fn act(&mut self, act: Act) -> Checked {
        // No two things happen at one moment.
        self.town.now = When::from_millis(self.town.now.millis() + 60_000);
        match act {
            Act::Offer {
                from,
                to,
                her,
                days_old,
                days,
            } => {
                let (from, to) = (of(&SENDERS, from), of(&SERVICES, to));
                if from != to {
                    self.offer(from, to, her, (days_old, days))?;
                }
            }
            Act::Accept { offer } => self.with(offer, Self::accept)?,
            Act::Decline { offer } => self.with(offer, Self::decline)?,
            Act::Close { offer } => self.with(offer, Self::close)?,
            Act::HandBack { offer } => self.with(offer, Self::hand_back)?,
            Act::Read { offer } => self.with(offer, Self::read)?,
            Act::Inbox { at } => self.inbox(of(&SERVICES, at))?,
            Act::Wait { hours } => self.wait(i64::from(hours)),
            Act::Clock => self.clock()?,
            act @ Act::Move { .. } => self.moves(act)?,
            act @ (Act::Assess { .. } | Act::Share { .. } | Act::Withdraw { .. }) => {
                self.her_word(act)?;
            }
            Act::Reviews { at } => self.reviews(at)?,
            Act::TakeBack { consent } => self.take_back(consent),
            Act::Settle { pause, lift } => self.settle(pause, lift)?,
            Act::Ask {
                by,
                her,
                consent,
                days,
                step,
                which,
            } => {
                let consent = consent.map(|depth| (depth, days));
                self.ask(of(&ASKERS, by), her, consent, step, which)?;
            }
            Act::BreakGlass { her } => self.break_glass(her)?,
        }
        Ok(())
    }

    /// Does something with one of the offers, if there is any.
    fn with(&mut self, pick: usize, what: fn(&mut Self, usize) -> Checked) -> Checked {
        match among(self.model.offers.len(), pick) {
            Some(offer) => what(self, offer),
            None => Ok(()),
        }
    }

    /// The names of an organisation today: plays are longer than an epoch.
    fn names(&self, organisation: &str) -> Aliases {
        let key = &self.town.rules.alias_key;
        key.of(&org(organisation), 0, self.town.now)
    }

    /// The name that an organisation has for a referral.
    fn name_at(&self, organisation: &str, referral: Id) -> Id {
        let names = self.names(organisation);
        names.outward(AliasKind::Referral, referral)
    }

    fn offer(
        &mut self,
        from: &'static str,
        to: &'static str,
        her: usize,
        (days_old, days): (u8, u16),
    ) -> Checked {
        let mut offer = self.town.offer(to, WOMEN[her], Direction::Health);
        let consented = self.town.now.plus_days(-i64::from(days_old));
        let until = consented.plus_days(i64::from(days));
        if let offering::OfferGround::Consent(given) = &mut offer.ground {
            given.given_at = consented;
            given.from = consented;
            given.until = until;
        }
        let done = self.run(
            attempt(from, Action::OfferReferral),
            |rules, attempt, known, keys| offering::offer(rules, attempt, known, keys, &offer),
        );
        // What the sender is told is the same, whatever she has stopped.
        prop_assert_eq!(done.answer.told(), "offered");
        let ends = [from, to];
        let purpose = super::REFERRAL_PURPOSE;
        let at = self.at();
        let stopped = self
            .model
            .is_stopped(at, (her, consented), ends, &REFERRED, purpose);
        let id = done.decided.object;
        let id = id.ok_or(TestCaseError::fail("no referral"))?;
        self.model.given.push(Given {
            by: from,
            her,
            to: To::Organisation(to),
            when: consented,
            until,
            classes: &REFERRED,
        });
        self.model.offers.push(Offered {
            id,
            from,
            to,
            her,
            consented,
            stand: if stopped { Stand::Over } else { Stand::Open },
            accepted_at: None,
            paused_by: Vec::new(),
            handed: None,
            route: None,
        });
        Ok(())
    }

    fn respond(&mut self, offer: usize, action: Action, response: &Response) -> Done {
        let Offered { to, id, .. } = self.model.offers[offer];
        let alias = self.name_at(to, id);
        self.run(attempt(to, action), |rules, attempt, known, keys| {
            answering::respond(rules, attempt, known, keys, alias, response)
        })
    }

    /// The parts of a release are those of this referral, and of no other.
    fn released(&self, offer: usize, done: &Done) -> Result<bool, TestCaseError> {
        let Answer::Released(_, release) = &done.answer else {
            return Ok(false);
        };
        let own = Aggregate::Referral(crate::domain::id::ReferralId(self.model.offers[offer].id));
        prop_assert!(!release.value().parts.is_empty());
        prop_assert!(release.value().parts.iter().all(|part| part.of == own));
        Ok(true)
    }

    /// Who handed her over learns of none of it.
    fn hides_from_whoever_handed_her_over(&self, offer: usize, done: &Done) -> Checked {
        if let Some(route) = &self.model.offers[offer].route {
            let first = org(self.model.offers[route.origin].to);
            prop_assert!(!done.decided.concerned.contains(&first), "{first:?}");
        }
        Ok(())
    }

    fn accept(&mut self, offer: usize) -> Checked {
        let may = |model: &Model, at: At| {
            let offer = &model.offers[offer];
            model.stand(at, offer) == Stand::Open && model.may_release(at, offer)
        };
        let covered = may(&self.model, self.at());
        let done = self.respond(offer, Action::AcceptReferral, &accepting());
        prop_assert_eq!(
            self.released(offer, &done)?,
            covered,
            "{}",
            done.answer.told()
        );
        self.hides_from_whoever_handed_her_over(offer, &done)?;
        if covered {
            self.saw("a release");
            self.model.offers[offer].stand = Stand::Accepted;
            self.model.offers[offer].accepted_at = Some(self.town.now);
            self.taken(offer);
        } else {
            self.held_back(may);
        }
        Ok(())
    }

    /// An open offer can always be declined, another never.
    fn decline(&mut self, offer: usize) -> Checked {
        let was_open = self.model.stand(self.at(), &self.model.offers[offer]) == Stand::Open;
        let reason = DeclineReason::Full;
        let done = self.respond(
            offer,
            Action::DeclineReferral,
            &Response::Decline { reason },
        );
        prop_assert_eq!(done.answer.told() == "declined", was_open);
        self.hides_from_whoever_handed_her_over(offer, &done)?;
        if was_open && self.model.offers[offer].route.is_some() {
            self.goes_on(offer)?;
        } else if was_open {
            self.model.offers[offer].stand = Stand::Over;
        }
        Ok(())
    }

    /// Whoever works with her can always end that.
    fn close(&mut self, offer: usize) -> Checked {
        let accepted = self.model.stand(self.at(), &self.model.offers[offer]) == Stand::Accepted;
        let outcomes = vec![CloseOutcome::Safety];
        let done = self.respond(offer, Action::CloseReferral, &Response::Close { outcomes });
        prop_assert_eq!(done.answer.told() == "closed", accepted);
        if accepted {
            self.model.offers[offer].stand = Stand::Over;
        }
        Ok(())
    }

    /// Whoever works with her can hand her back for a day. From then on it can open nothing, and its
    /// entry is for its own officer alone.
    fn hand_back(&mut self, offer: usize) -> Checked {
        let offered = &self.model.offers[offer];
        let (was, id, from) = (offered.to, offered.id, offered.from);
        let stand = self.model.stand(self.at(), offered);
        let works = stand == Stand::Accepted && offered.handed.is_none();
        let day_ends = offered.accepted_at.map(|at| at.plus_hours(24));
        let in_time = day_ends.is_some_and(|end| self.town.now < end);
        let conflict = ConflictKind::KnowsOtherParty;
        let response = Response::HandBack { conflict };
        let done = self.respond(offer, Action::HandBackReferral, &response);
        let told = done.answer.told();
        prop_assert_eq!(told == "handed-back", works && in_time, "{}", told);
        prop_assert_eq!(told == "hand-back-over", works && !in_time, "{}", told);
        prop_assert!(!done.decided.concerned.contains(&org(from)), "{}", from);
        self.hides_from_whoever_handed_her_over(offer, &done)?;
        if !works {
            return Ok(());
        }
        if !in_time {
            self.saw("handed back too late");
            return Ok(());
        }
        self.saw("handed back");
        self.waits_again(offer);
        if self.model.offers[offer].route.is_some() {
            self.model.offers[offer].stand = Stand::Open;
            self.goes_on(offer)?;
            if self.model.offers[offer].stand == Stand::Open {
                self.saw("the next service asked after it was handed back");
            }
        } else {
            self.model.offers[offer].stand = Stand::Over;
        }
        let alias = self.name_at(was, id);
        let again = self.run(
            attempt(was, Action::ReadReferral),
            |rules, attempt, known, keys| {
                answering::respond(rules, attempt, known, keys, alias, &Response::Read)
            },
        );
        prop_assert!(again.decided.disclosed.is_empty(), "{} reads on", was);
        Ok(())
    }

    fn read(&mut self, offer: usize) -> Checked {
        let stand = self.model.stand(self.at(), &self.model.offers[offer]);
        let may = |model: &Model, at: At| model.may_read(at, &model.offers[offer]);
        let covered = may(&self.model, self.at());
        let done = self.respond(offer, Action::ReadReferral, &Response::Read);
        prop_assert_eq!(
            self.released(offer, &done)?,
            covered,
            "{}",
            done.answer.told()
        );
        self.hides_from_whoever_handed_her_over(offer, &done)?;
        if !covered {
            self.held_back(may);
        }
        if covered {
            self.saw("a release read again");
            if self
                .model
                .was_paused(self.town.now, &self.model.offers[offer])
            {
                self.saw("told again after a pause");
            }
            if self.model.offers[offer]
                .handed
                .as_ref()
                .is_some_and(|over| over.taken_at.is_some())
            {
                self.saw("both work with her");
            }
        }
        if stand == Stand::HandedOver {
            prop_assert_eq!(done.answer.told(), "transferred");
            prop_assert!(done.decided.disclosed.is_empty());
            self.saw("transferred");
            if self.stored(self.model.offers[offer].id).status == ReferralStatus::Accepted {
                self.saw("transferred by its date, before the clock came");
            }
        }
        Ok(())
    }

    /// What is open or accepted is listed, and nothing else.
    fn inbox(&mut self, service: &'static str) -> Checked {
        let entries = self.listed(&List::Inbox(org(service)), When::from_millis(i64::MAX));
        let done = self.run(
            attempt(service, Action::ReadInbox),
            |rules, attempt, known, keys| reading::list(rules, attempt, known, keys, &entries),
        );
        let Answer::Inbox(listed) = done.answer else {
            return Err(TestCaseError::fail(done.answer.told()));
        };
        let mut listed: Vec<Id> = listed.iter().map(|offer| offer.referral.id.id()).collect();
        let at = self.at();
        let offers = self.model.offers.iter();
        let should = offers.filter(|offer| {
            let stand = self.model.stand(at, offer);
            offer.to == service && matches!(stand, Stand::Open | Stand::Accepted)
        });
        let mut should: Vec<Id> = should.map(|offer| offer.id).collect();
        listed.sort_unstable();
        should.sort_unstable();
        prop_assert_eq!(&listed, &should, "the inbox of {}", service);
        if !listed.is_empty() {
            self.saw("an inbox with an offer");
        }
        Ok(())
    }
}

fn accepting() -> Response {
    Response::Accept {
        worker: "worker".to_owned(),
        onward_rule_accepted: true,
        no_conflict: true,
    }
}

#[test]
fn no_order_of_events_tells_more_or_less_than_she_allowed_and_all_can_end() {
    let config = ProptestConfig {
        cases: PLAYS,
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::SourceParallel(
            "proptest-regressions",
        ))),
        ..ProptestConfig::default()
    };
    let reached = RefCell::new(BTreeMap::<&str, usize>::new());
    for _ in 0..ROUNDS {
        let played = TestRunner::new(config.clone()).run(&acts(), |acts| {
            let mut play = Play::new();
            for act in acts {
                play.act(act)?;
            }
            play.all_ends()?;
            play.she_begins_again()?;
            for (what, times) in play.reached {
                *reached.borrow_mut().entry(what).or_default() += times;
            }
            Ok(())
        });
        if let Err(error) = played {
            panic!("{error}");
        }
        if REACHED
            .iter()
            .all(|what| reached.borrow().contains_key(what))
        {
            break;
        }
    }
    let reached = reached.borrow();
    let never: Vec<&str> = REACHED
        .into_iter()
        .filter(|what| !reached.contains_key(what))
        .collect();
    assert!(never.is_empty(), "the plays never came to {never:?}");
}
