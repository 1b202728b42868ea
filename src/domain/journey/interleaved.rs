//! Whatever several organisations do in whatever order, no reply has what her word and the law did not
//! cover when it was given, what they cover is not kept back, and nothing is stuck.
//!
//! What may be told is worked out beside the gateway ([`Model`]).

mod acts;
mod model;

use proptest::prelude::*;

use acts::{ASKERS, Act, SENDERS, SERVICES, SOURCES, WOMEN, acts};
use model::{Assessed, Model, Offered, Said, Stand, Stopped};

use super::answering::{self, Response};
use super::consenting;
use super::emergency::{Glass, break_glass};
use super::offering;
use super::querying::{Query, Step, query};
use super::subject::Subject;
use super::trial::*;
use super::withdrawing::Wish;
use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::codes::*;
use crate::domain::consent::{Consent, Opens};
use crate::domain::firewall::hold::Unread;
use crate::domain::id::{ConsentId, Id};
use crate::domain::time::When;

/// The town, and beside it what should be so.
struct Play {
    town: Town,
    model: Model,
    shown: usize,
    opened: usize,
}

fn of<T: Copy>(list: &[T], pick: usize) -> T {
    list[pick % list.len()]
}

impl Play {
    fn new() -> Self {
        let mut play = Self {
            town: Town::in_order(),
            model: Model::default(),
            shown: 0,
            opened: 0,
        };
        play.attest();
        play
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

    fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        // No two things happen at one moment.
        self.town.now = When::from_millis(self.town.now.millis() + 60_000);
        match act {
            Act::Offer {
                from,
                to,
                her,
                days_old,
            } => {
                let (from, to) = (of(&SENDERS, from), of(&SERVICES, to));
                if from != to {
                    self.offer(from, to, her, days_old)?;
                }
            }
            Act::Accept { offer } => self.answer(offer, &accepting(), Stand::Accepted)?,
            Act::Decline { offer } => {
                let reason = DeclineReason::Full;
                self.answer(offer, &Response::Decline { reason }, Stand::Over)?;
            }
            Act::Close { offer } => self.close(offer)?,
            Act::Assess {
                at,
                her,
                shares_with,
                depth,
            } => self.assess(at, her, shares_with, depth),
            Act::Share {
                at,
                her,
                with,
                permit,
                depth,
            } => self.share(at, her, with, permit.then_some(depth)),
            Act::TakeBack { consent } => self.take_back(consent),
            Act::Withdraw {
                at,
                her,
                scope,
                service,
            } => self.withdraw(at, her, scope, service),
            Act::Wait { days } => {
                self.town.now = self.town.now.plus_days(i64::from(days));
                self.attest();
            }
            Act::Ask {
                by,
                her,
                consent,
                step,
                which,
            } => {
                self.ask(of(&ASKERS, by), her, consent, step, which)?;
            }
            Act::BreakGlass { her } => self.break_glass(her)?,
        }
        Ok(())
    }

    fn offer(
        &mut self,
        from: &'static str,
        to: &'static str,
        her: usize,
        days_old: u8,
    ) -> Result<(), TestCaseError> {
        let mut offer = self.town.offer(to, WOMEN[her], Direction::Health);
        let consented = self.town.now.plus_days(-i64::from(days_old));
        if let offering::OfferGround::Consent(given) = &mut offer.ground {
            given.given_at = consented;
            given.from = consented;
        }
        let done = self.town.run(
            attempt(from, Action::OfferReferral),
            |rules, attempt, known, keys| offering::offer(rules, attempt, known, keys, &offer),
        );
        // What the sender is told is the same, whatever she has stopped.
        prop_assert_eq!(done.answer.told(), "offered");
        let stopped = self.model.is_stopped(
            her,
            consented,
            [from, to],
            &offering::REFERRAL_CLASSES,
            super::REFERRAL_PURPOSE,
        );
        let aliases = self.town.rules.aliases_of(&org(to));
        let inward = done
            .decided
            .object
            .ok_or(TestCaseError::fail("no referral"))?;
        self.model.offers.push(Offered {
            from,
            to,
            her,
            consented,
            stand: if stopped { Stand::Over } else { Stand::Open },
            alias: aliases.outward(AliasKind::Referral, inward),
        });
        Ok(())
    }

    fn respond(&mut self, offer: usize, action: Action, response: &Response) -> &'static str {
        let offer = &self.model.offers[offer];
        let alias = offer.alias;
        let done = self
            .town
            .run(attempt(offer.to, action), |rules, attempt, known, keys| {
                answering::respond(rules, attempt, known, keys, alias, response)
            });
        done.answer.told()
    }

    /// An open offer can always be answered, another never.
    fn answer(
        &mut self,
        pick: usize,
        response: &Response,
        then: Stand,
    ) -> Result<(), TestCaseError> {
        if self.model.offers.is_empty() {
            return Ok(());
        }
        let offer = pick % self.model.offers.len();
        let was_open = self.model.offers[offer].stand == Stand::Open;
        let (action, told) = match then {
            Stand::Accepted => (Action::AcceptReferral, "released"),
            Stand::Open | Stand::Over => (Action::DeclineReferral, "declined"),
        };
        let answered = self.respond(offer, action, response) == told;
        prop_assert_eq!(answered, was_open);
        if was_open {
            self.model.offers[offer].stand = then;
        }
        Ok(())
    }

    fn close(&mut self, pick: usize) -> Result<(), TestCaseError> {
        if self.model.offers.is_empty() {
            return Ok(());
        }
        let offer = pick % self.model.offers.len();
        let accepted = self.model.offers[offer].stand == Stand::Accepted;
        let outcomes = vec![CloseOutcome::Safety];
        let told = self.respond(offer, Action::CloseReferral, &Response::Close { outcomes });
        prop_assert_eq!(told == "closed", accepted);
        if accepted {
            self.model.offers[offer].stand = Stand::Over;
        }
        Ok(())
    }

    fn assess(&mut self, at: usize, her: usize, shares_with: usize, depth: ConsentDepth) {
        let (at, to) = (of(&SOURCES, at), of(&ASKERS, shares_with));
        let now = self.town.now;
        let mut draft = draft(now, &[to]);
        draft.consents[0].depth = Some(depth);
        let id = self.town.assess(at, WOMEN[her], &draft);
        self.model.assessments.push(Assessed {
            at,
            her,
            when: now,
            id,
        });
        self.model.said.push(Said {
            by: at,
            her,
            when: now,
            opens: Opens::Share,
            to,
            permits: true,
            depth,
            with: Some(id),
            alias: None,
            taken_back: false,
        });
    }

    /// The organisation's own name for her, if it has a record.
    fn own_name(&self, organisation: &str, her: usize) -> Option<Id> {
        let own = self
            .town
            .known()
            .own_record(&org(organisation), &tokens(WOMEN[her]))?;
        let aliases = self.town.rules.aliases_of(&org(organisation));
        Some(aliases.outward(AliasKind::Person, own.0))
    }

    /// A permit that reaches so far, or a refusal.
    fn share(&mut self, at: usize, her: usize, with: usize, permit: Option<ConsentDepth>) {
        let (by, to) = (of(&SOURCES, at), of(&ASKERS, with));
        let Some(person) = self.own_name(by, her) else {
            return;
        };
        let mut said = consent(Opens::Share, &[to]);
        said.depth = permit;
        if permit.is_none() {
            said.decision = ConsentDecision::Deny;
        }
        self.said_now(&mut said);
        let done = self.town.run(
            attempt(by, Action::RecordConsent),
            |rules, attempt, known, keys| {
                consenting::record(rules, attempt, known, keys, person, &said)
            },
        );
        if let Answer::Consented { consent } = done.answer {
            self.model.said.push(Said {
                by,
                her,
                when: self.town.now,
                opens: Opens::Share,
                to,
                permits: permit.is_some(),
                depth: permit.unwrap_or(ConsentDepth::Answers),
                with: None,
                alias: Some(consent.id()),
                taken_back: false,
            });
        }
    }

    fn said_now(&self, said: &mut Consent) {
        said.given_at = self.town.now;
        said.from = self.town.now;
        said.until = self.town.now.plus_days(365);
        said.id = ConsentId(Id::ZERO);
    }

    fn take_back(&mut self, pick: usize) {
        let apart: Vec<usize> = (0..self.model.said.len())
            .filter(|at| self.model.said[*at].alias.is_some())
            .collect();
        if apart.is_empty() {
            return;
        }
        let at = of(&apart, pick);
        let said = &self.model.said[at];
        let (by, alias) = (said.by, said.alias.unwrap());
        let Some(person) = self.own_name(by, said.her) else {
            return;
        };
        self.town.run(
            attempt(by, Action::WithdrawConsent),
            |rules, attempt, known, keys| {
                consenting::withdraw(rules, attempt, known, keys, person, alias)
            },
        );
        self.model.said[at].taken_back = true;
    }

    fn withdraw(&mut self, at: usize, her: usize, scope: WithdrawalScope, service: usize) {
        let (at, service) = (of(&SERVICES, at), of(&SERVICES, service));
        let wish = Wish {
            scope,
            organisations: vec![org(service)],
            classes: vec![DataClass::Sp],
            purposes: vec![Purpose::PriorAssessment],
            channel: "telephone".to_owned(),
            pause: false,
        };
        self.town.withdraw(at, WOMEN[her], &wish);
        let when = self.town.now;
        self.model.stopped.push(Stopped {
            her,
            when,
            scope,
            service,
        });
        let model = &self.model;
        let pulled: Vec<usize> = (0..model.offers.len())
            .filter(|at| {
                let offer = &model.offers[*at];
                offer.her == her
                    && model.is_stopped(
                        her,
                        offer.consented.max(when),
                        [offer.from, offer.to],
                        &offering::REFERRAL_CLASSES,
                        super::REFERRAL_PURPOSE,
                    )
            })
            .collect();
        for offer in pulled {
            self.model.offers[offer].stand = Stand::Over;
        }
    }

    fn ask(
        &mut self,
        by: &'static str,
        her: usize,
        consented: Option<ConsentDepth>,
        step: ConsentDepth,
        which: usize,
    ) -> Result<(), TestCaseError> {
        let has_record = self.own_name(by, her).is_some();
        let known: Vec<Id> = self.model.assessments.iter().map(|held| held.id).collect();
        let asked_for = (!known.is_empty()).then(|| of(&known, which));
        let aliases = self.town.rules.aliases_of(&org(by));
        let one = asked_for.unwrap_or(Id::ZERO);
        let mut said = consent(Opens::Query, &[]);
        said.depth = consented;
        self.said_now(&mut said);
        let question = Query {
            subject: Subject::Tokens(tokens(WOMEN[her]), None),
            step: match step {
                ConsentDepth::Exists => Step::Exists,
                ConsentDepth::Cards => Step::Cards,
                ConsentDepth::Answers => Step::Answers(aliases.outward(AliasKind::Assessment, one)),
            },
            consent: consented.map(|_| said),
            onward_rule_accepted: true,
            card_code: None,
        };
        let done = self.town.run(
            attempt(by, Action::QueryAssessments),
            |rules, attempt, known, keys| query(rules, attempt, known, keys, &question),
        );
        if done.limited {
            return Ok(());
        }
        if let Some(depth) = consented.filter(|_| has_record && by != "met") {
            self.model.said.push(Said {
                by,
                her,
                when: self.town.now,
                opens: Opens::Query,
                to: by,
                permits: true,
                depth,
                with: None,
                alias: None,
                taken_back: false,
            });
        }
        let now = self.town.now;
        let all = self.model.assessments.iter();
        let mut covered: Vec<Id> = all
            .filter(|held| held.her == her && self.model.may_show(held, by, step, now))
            .map(|held| held.id)
            .collect();
        let mut shown: Vec<Id> = match &done.answer {
            // That there is something, and nothing of it.
            Answer::AssessmentExists { is_sure } => {
                prop_assert!(*is_sure && step == ConsentDepth::Exists && !covered.is_empty());
                self.shown += 1;
                return Ok(());
            }
            Answer::Assessments(list, _) => list.iter().map(|held| held.id.id()).collect(),
            Answer::ItemAnswers(held, _) => vec![held.id.id()],
            Answer::Nothing | Answer::Refused(_) => Vec::new(),
            other => return Err(TestCaseError::fail(other.told())),
        };
        if step == ConsentDepth::Answers {
            covered.retain(|held| Some(*held) == asked_for);
        }
        covered.sort_unstable();
        shown.sort_unstable();
        prop_assert_eq!(&shown, &covered, "{} asks about {}", by, her);
        self.shown += shown.len();
        Ok(())
    }

    fn break_glass(&mut self, her: usize) -> Result<(), TestCaseError> {
        let glass = Glass {
            subject: Subject::Tokens(tokens(WOMEN[her]), None),
            reason: EmergencyReason::LifeAtRisk,
            words: Unread::new("reason", "She may be killed before she is seen.".to_owned()),
            on_shift: true,
            confirm: true,
            onward_rule_accepted: true,
        };
        let done = self.town.run(
            attempt("trust", Action::BreakGlass),
            |rules, attempt, known, keys| break_glass(rules, attempt, known, keys, &glass),
        );
        if done.limited {
            return Ok(());
        }
        let now = self.town.now;
        let may = |id: Id| {
            self.model.assessments.iter().any(|held| {
                held.id == id && held.her == her && self.model.may_open_in_an_emergency(held, now)
            })
        };
        let opened: Vec<Id> = match &done.answer {
            Answer::Emergency(list, _, _) => list.iter().map(|held| held.id.id()).collect(),
            Answer::Nothing => Vec::new(),
            other => return Err(TestCaseError::fail(other.told())),
        };
        for id in &opened {
            prop_assert!(
                may(*id),
                "an emergency opened what she stopped, or another's"
            );
        }
        // The newest risk of each source, if any of it may be opened.
        let mut sources: Vec<&str> = self
            .model
            .assessments
            .iter()
            .filter(|held| held.her == her && may(held.id))
            .map(|held| held.at)
            .collect();
        sources.sort_unstable();
        sources.dedup();
        prop_assert_eq!(opened.len(), sources.len());
        self.opened += opened.len();
        Ok(())
    }

    /// Whatever went before: she consents anew, and is helped.
    fn she_begins_again(&mut self) -> Result<(), TestCaseError> {
        for her in 0..WOMEN.len() {
            let last = self.model.offers.len();
            self.act(Act::Offer {
                from: 0,
                to: 0,
                her,
                days_old: 0,
            })?;
            self.answer(last, &accepting(), Stand::Accepted)?;
            self.act(Act::Assess {
                at: 0,
                her,
                shares_with: 0,
                depth: ConsentDepth::Answers,
            })?;
            let before = self.shown;
            self.ask(
                "lantern",
                her,
                Some(ConsentDepth::Cards),
                ConsentDepth::Cards,
                0,
            )?;
            prop_assert!(
                self.shown > before,
                "she consented anew, and nothing is shown"
            );
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_order_of_events_tells_more_or_less_than_she_allowed(
        acts in prop::collection::vec(acts(), 1..40)
    ) {
        let mut play = Play::new();
        for act in acts {
            play.act(act)?;
        }
        play.she_begins_again()?;
    }
}

/// A model that shows nothing would agree with a gateway that shows nothing.
#[test]
fn the_play_shows_and_opens_something() {
    let mut play = Play::new();
    for act in [
        Act::Assess {
            at: 0,
            her: 0,
            shares_with: 0,
            depth: ConsentDepth::Cards,
        },
        Act::Offer {
            from: 0,
            to: 0,
            her: 0,
            days_old: 1,
        },
        Act::Accept { offer: 0 },
        Act::Ask {
            by: 0,
            her: 0,
            consent: Some(ConsentDepth::Cards),
            step: ConsentDepth::Cards,
            which: 0,
        },
        Act::BreakGlass { her: 0 },
    ] {
        play.act(act).unwrap();
    }
    assert_eq!((play.shown, play.opened), (1, 1));
    let everything = WithdrawalScope::Everything;
    play.act(Act::Withdraw {
        at: 1,
        her: 0,
        scope: everything,
        service: 0,
    })
    .unwrap();
    play.act(Act::Ask {
        by: 0,
        her: 0,
        consent: Some(ConsentDepth::Cards),
        step: ConsentDepth::Cards,
        which: 0,
    })
    .unwrap();
    assert_eq!(play.shown, 1);
}
