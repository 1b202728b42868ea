//! What she says, as somebody records it: to whom it may be told, that it may not, and that this was
//! not her.

use super::acts::{Act, SOURCES, WOMEN};
use super::model::{Assessed, Said, Settled, Stopped};
use super::*;
use crate::domain::consent::{Consent, Opens};
use crate::domain::id::ConsentId;
use crate::domain::journey::consenting;
use crate::domain::journey::settling::settle;
use crate::domain::journey::withdrawing::{Wish, withdraw};
use crate::domain::stop_use::{PAUSE_HOURS, Settling};

impl Play {
    pub fn her_word(&mut self, act: Act) -> Checked {
        match act {
            Act::Assess {
                at,
                her,
                shares_with,
                depth,
                days,
            } => self.assess(
                of(&SOURCES, at),
                her,
                of(&ASKERS, shares_with),
                (depth, days),
            ),
            Act::Share {
                at,
                her,
                with,
                permit,
                depth,
                days,
                review,
                doubt,
            } => {
                let mut said = consent(Opens::Share, &[of(&ASKERS, with)]);
                said.depth = permit.then_some(depth);
                self.said_now(&mut said, days);
                if permit {
                    said.paused = doubt;
                    let half = self.town.now.plus_hours(12 * i64::from(days));
                    said.review_at = review.then_some(half);
                } else {
                    said.decision = ConsentDecision::Deny;
                }
                self.share(of(&SOURCES, at), her, of(&ASKERS, with), said);
            }
            Act::Withdraw {
                at,
                her,
                scope,
                service,
                pause,
            } => self.withdraw(of(&SERVICES, at), her, scope, of(&SERVICES, service), pause)?,
            _ => {}
        }
        Ok(())
    }

    fn assess(
        &mut self,
        at: &'static str,
        her: usize,
        to: &'static str,
        (depth, days): (ConsentDepth, u16),
    ) {
        let now = self.town.now;
        let mut draft = draft(now, &[to]);
        draft.consents[0].depth = Some(depth);
        draft.consents[0].until = now.plus_days(i64::from(days));
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
            until: now.plus_days(i64::from(days)),
            opens: Opens::Share,
            to,
            permits: true,
            depth,
            with: Some(id),
            id: None,
            taken_back: false,
            doubted: false,
            review_at: None,
        });
    }

    /// The organisation's own name for her, if it has a record.
    pub fn own_name(&self, organisation: &str, her: usize) -> Option<Id> {
        let own = self
            .town
            .known()
            .own_record(&org(organisation), &tokens(WOMEN[her]))?;
        let names = self.names(organisation);
        Some(names.outward(AliasKind::Person, own.0))
    }

    fn share(&mut self, by: &'static str, her: usize, to: &'static str, said: Consent) {
        let Some(person) = self.own_name(by, her) else {
            return;
        };
        let done = self.run(
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
                until: said.until,
                opens: Opens::Share,
                to,
                permits: said.decision == ConsentDecision::Permit,
                depth: said.depth.unwrap_or(ConsentDepth::Answers),
                with: None,
                id: Some(self.names(by).inward(AliasKind::Consent, consent.id())),
                taken_back: false,
                doubted: said.paused,
                review_at: said.review_at,
            });
        }
    }

    pub fn said_now(&self, said: &mut Consent, days: u16) {
        said.given_at = self.town.now;
        said.from = self.town.now;
        said.until = self.town.now.plus_days(i64::from(days));
        said.id = ConsentId(Id::ZERO);
    }

    pub fn take_back(&mut self, pick: usize) {
        let apart: Vec<usize> = (0..self.model.said.len())
            .filter(|at| self.model.said[*at].id.is_some())
            .collect();
        let Some(at) = among(apart.len(), pick).map(|pick| apart[pick]) else {
            return;
        };
        let said = &self.model.said[at];
        let (by, id) = (said.by, said.id.unwrap());
        let alias = self.names(by).outward(AliasKind::Consent, id);
        let Some(person) = self.own_name(by, said.her) else {
            return;
        };
        self.run(
            attempt(by, Action::WithdrawConsent),
            |rules, attempt, known, keys| {
                consenting::withdraw(rules, attempt, known, keys, person, alias)
            },
        );
        self.model.said[at].taken_back = true;
    }

    /// What an organisation is to go through with her again: by its own consents, and no other's.
    pub fn reviews(&mut self, pick: usize) -> Checked {
        let at = of(&SOURCES, pick);
        let entries = self.listed(&List::Reviews(org(at)), self.town.now);
        let done = self.run(
            attempt(at, Action::ReadConsents),
            |rules, attempt, known, keys| consenting::due(rules, attempt, known, keys, &entries),
        );
        let Answer::ConsentsDue(due) = done.answer else {
            return Err(TestCaseError::fail(done.answer.told()));
        };
        let names = self.names(at);
        let due = due.iter().map(|due| due.consent.id());
        let mut due: Vec<Id> = due
            .map(|due| names.inward(AliasKind::Consent, due))
            .collect();
        let said = self.model.said.iter();
        let should = said.filter(|said| said.by == at && self.model.is_due(self.town.now, said));
        let mut should: Vec<Id> = should.filter_map(|said| said.id).collect();
        due.sort_unstable();
        should.sort_unstable();
        prop_assert_eq!(&due, &should, "reviews of {}", at);
        if !due.is_empty() {
            self.saw("a review due");
        }
        Ok(())
    }

    fn withdraw(
        &mut self,
        by: &'static str,
        her: usize,
        scope: WithdrawalScope,
        service: &'static str,
        pause: bool,
    ) -> Checked {
        let wish = Wish {
            scope,
            organisations: vec![org(service)],
            classes: vec![DataClass::Sp],
            purposes: vec![Purpose::PriorAssessment],
            channel: "telephone".to_owned(),
            pause,
        };
        let (when, hers) = (self.town.now, tokens(WOMEN[her]));
        let done = self.run(
            attempt(by, Action::Withdraw),
            |rules, attempt, known, keys| withdraw(rules, attempt, known, keys, &hers, &wish),
        );
        let Answer::TookWord { withdrawal, .. } = done.answer else {
            return Err(TestCaseError::fail(done.answer.told()));
        };
        let id = self
            .names(by)
            .inward(AliasKind::Withdrawal, withdrawal.id());
        self.model.stopped.push(Stopped {
            her,
            when,
            scope,
            service,
            by,
            id,
            until: pause.then(|| when.plus_hours(PAUSE_HOURS)),
            settled: None,
        });
        self.pull(self.model.stopped.len() - 1);
        Ok(())
    }

    /// What follows for referrals: nothing for those that she agreed to since.
    fn pull(&mut self, by: usize) {
        let at = self.at();
        let stopped = &self.model.stopped[by];
        let pulled: Vec<usize> = (0..self.model.offers.len())
            .filter(|place| {
                let offer = &self.model.offers[*place];
                offer.her == stopped.her
                    && offer.consented <= stopped.when
                    && stopped.stops_referral(offer)
                    && self.model.is_of_somebody(at, offer)
            })
            .collect();
        let is_pause = stopped.is_pause();
        for offer in pulled {
            let offer = &mut self.model.offers[offer];
            match is_pause {
                true => offer.paused_by.push(by),
                false => offer.stand = Stand::Over,
            }
        }
    }

    pub fn settle(&mut self, pick: usize, lift: bool) -> Checked {
        let pauses: Vec<usize> = (0..self.model.stopped.len())
            .filter(|at| {
                self.model.stopped[*at].is_pause() || self.model.stopped[*at].settled.is_some()
            })
            .collect();
        match among(pauses.len(), pick) {
            Some(pick) => self.settle_one(pauses[pick], lift),
            None => Ok(()),
        }
    }

    /// Whoever took a pause can settle it at any time, also after it has lapsed; once.
    pub fn settle_one(&mut self, pause: usize, lift: bool) -> Checked {
        let Stopped {
            by,
            id,
            settled,
            until,
            ..
        } = self.model.stopped[pause];
        let alias = self.names(by).outward(AliasKind::Withdrawal, id);
        let how = if lift {
            Settling::Lift
        } else {
            Settling::Confirm
        };
        let done = self.run(
            attempt(by, Action::SettleWithdrawal),
            |rules, attempt, known, keys| settle(rules, attempt, known, keys, alias, how, true),
        );
        let wanted = if lift {
            Settled::Lifted
        } else {
            Settled::Confirmed
        };
        let is_settled = matches!(done.answer, Answer::PauseSettled { .. });
        prop_assert_eq!(is_settled, settled.is_none_or(|before| before == wanted));
        if settled.is_some() {
            return Ok(());
        }
        let now = self.town.now;
        let stopped = &mut self.model.stopped[pause];
        stopped.settled = Some(wanted);
        if lift {
            stopped.until = until.map(|until| until.min(now));
            self.saw("a pause lifted");
            return Ok(());
        }
        stopped.until = None;
        // It stops what it still concerns for good, and stands in the way of nothing else.
        for offer in &mut self.model.offers {
            offer.paused_by.retain(|by| *by != pause);
        }
        self.pull(pause);
        self.saw("a pause confirmed");
        if until.is_some_and(|until| until <= now) {
            self.saw("a pause confirmed after it had lapsed");
        }
        Ok(())
    }
}
