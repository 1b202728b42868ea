//! She moves: what each service may still read, who is asked next, and what the clock ends.

use super::acts::WOMEN;
use super::model::{Handed, MOVED, Route};
use super::*;
use crate::domain::consent::Opens;
use crate::domain::id::ReferralId;
use crate::domain::journey::transferring::{self, DONE_AT_ONCE, Due, MOVED_CLASSES, Move};
use crate::domain::person::{RawSafeContact, SafeContact, resolve};
use crate::domain::referral::{Referral, RiskSummary};

const THERE: &str = "E09000012";
const ALL: [&str; 4] = ["lantern", "harbour", "practice", "council"];

impl Play {
    fn moving(&self, her: usize, family: ServiceFamily, mode: TransferMode, days: u8) -> Move {
        let (now, rules) = (self.town.now, self.town.rules);
        let today = rules.clock.date(now).unwrap();
        let hers = identity(WOMEN[her]);
        let (person, identity) = resolve(hers, &rules.tokens, today).ok().unwrap();
        let mut contact = RawSafeContact::default();
        contact.modes = vec!["phone".to_owned()];
        contact.number = Some("07700 900777".to_owned());
        contact.checked = true;
        let mut asked = consent(Opens::Share, &[]);
        asked.classes = MOVED_CLASSES.to_vec();
        asked.purposes = vec![super::super::REFERRAL_PURPOSE];
        asked.depth = None;
        self.said_now(&mut asked, 365);
        Move {
            area: THERE.to_owned(),
            family,
            mode,
            until: (mode == TransferMode::KeepBoth).then(|| now.plus_days(i64::from(days))),
            person,
            identity,
            contact: SafeContact::parse(contact, now).ok().unwrap(),
            language: None,
            consent: asked,
            needs: None,
            urgency: None,
            risks: vec![RiskSummary {
                instrument: Instrument::Dara,
                grade: Grade::High,
                assessed_at: now,
            }],
            adjustments: vec![Adjustment::MoreTime],
        }
    }

    /// Whoever works with her can hand her over, until somebody there has accepted her.
    pub fn moves(&mut self, act: Act) -> Checked {
        let Act::Move {
            offer,
            housed,
            mode,
            days,
        } = act
        else {
            return Ok(());
        };
        let Some(origin) = among(self.model.offers.len(), offer) else {
            return Ok(());
        };
        let Offered {
            id, to: at, her, ..
        } = self.model.offers[origin];
        let family = match housed && at != "harbour" {
            true => ServiceFamily::Accommodation,
            false => ServiceFamily::Community,
        };
        let moving = self.moving(her, family, mode, days);
        let alias = self.name_at(at, id);
        let done = self.run(
            attempt(at, Action::TransferReferral),
            |rules, attempt, known, keys| {
                transferring::transfer(rules, attempt, known, keys, alias, &moving)
            },
        );
        if done.limited {
            return Ok(());
        }
        let offered = &self.model.offers[origin];
        let waits = offered
            .handed
            .as_ref()
            .is_none_or(|over| over.taken_at.is_none());
        let may = self.model.stand(self.at(), offered) == Stand::Accepted && waits;
        let told = done.answer.told();
        prop_assert_eq!(told == "transfer-waits", may, "{}", told);
        if !may {
            return Ok(());
        }
        self.saw("a transfer asked for");
        let earlier = self.model.offers[origin]
            .handed
            .as_ref()
            .map(|over| over.onward);
        if let Some(earlier) = earlier.map(|at| &mut self.model.offers[at])
            && earlier.stand == Stand::Open
        {
            earlier.stand = Stand::Over;
            self.saw("an earlier transfer replaced");
        }
        let onward = self.stored(id).handover.map(|over| over.onward);
        let onward = onward.ok_or(TestCaseError::fail("nothing was handed over"))?;
        let referral = self.stored(onward.id());
        let to = asked(&referral);
        prop_assert!(to != at && model::family(to) == Some(family));
        let now = self.town.now;
        self.model.offers[origin].handed = Some(Handed {
            mode,
            asked_at: now,
            until: moving.until,
            taken_at: None,
            onward: self.model.offers.len(),
        });
        self.model.given.push(Given {
            by: at,
            her,
            to: To::Family(family),
            when: now,
            until: moving.consent.until,
            classes: &MOVED,
        });
        self.model.offers.push(Offered {
            id: onward.id(),
            from: at,
            to,
            her,
            consented: now,
            stand: Stand::Open,
            accepted_at: None,
            paused_by: Vec::new(),
            handed: None,
            route: Some(Route {
                origin,
                family,
                asked: vec![to],
                left: left(&referral),
                answer_by: referral.route.unwrap().answer_by,
                unwatched: false,
            }),
        });
        Ok(())
    }

    pub fn stored(&self, id: Id) -> Referral {
        stored(&self.town.known(), id)
    }

    /// A service accepted her.
    pub fn taken(&mut self, onward: usize) {
        let now = self.town.now;
        let Some(origin) = self.model.offers[onward]
            .route
            .as_ref()
            .map(|route| route.origin)
        else {
            return;
        };
        if let Some(handed) = &mut self.model.offers[origin].handed
            && handed.onward == onward
            && handed.taken_at.is_none()
        {
            handed.taken_at = Some(now);
            self.saw("accepted after a transfer");
        }
    }

    /// The service that had accepted her handed her back: whoever hands her over waits again. What its
    /// work had come to an end of stays so.
    pub fn waits_again(&mut self, onward: usize) {
        let now = self.town.now;
        let route = self.model.offers[onward].route.as_ref();
        let Some(origin) = route.map(|route| route.origin) else {
            return;
        };
        let origin = &mut self.model.offers[origin];
        let had_ended = origin.ends_at().is_some_and(|end| end <= now);
        let handed = origin.handed.as_mut();
        let Some(handed) = handed.filter(|handed| handed.onward == onward) else {
            return;
        };
        handed.taken_at = None;
        if had_ended && origin.stand == Stand::Accepted {
            origin.stand = Stand::HandedOver;
        }
    }

    /// A service that was asked said no: the next one is asked, if there is one.
    pub fn goes_on(&mut self, onward: usize) -> Checked {
        let next = self
            .model
            .may_be_asked(self.at(), &self.model.offers[onward]);
        let route = self.model.offers[onward].route.as_ref();
        if route.is_some_and(|route| next.len() < route.left.len()) {
            self.saw("a service passed over that she stopped");
        }
        let referral = self.stored(self.model.offers[onward].id);
        if next.is_empty() {
            let to = asked(&referral);
            prop_assert!(!referral.open(), "it goes to {}", to);
            self.model.offers[onward].stand = Stand::Over;
            return Ok(());
        }
        self.asks_next(onward, referral, &next)?;
        self.saw("the next service asked after a decline");
        Ok(())
    }

    fn asks_next(&mut self, onward: usize, referral: Referral, next: &[&str]) -> Checked {
        let to = asked(&referral);
        prop_assert!(
            next.contains(&to),
            "{} is asked, and not one of {:?}",
            to,
            next
        );
        let offered = &mut self.model.offers[onward];
        let route = offered.route.as_mut().unwrap();
        offered.to = to;
        route.asked.push(to);
        route.left = left(&referral);
        route.answer_by = referral.route.unwrap().answer_by;
        Ok(())
    }

    /// What the gateway does by night, and by day.
    pub fn clock(&mut self) -> Checked {
        let now = self.town.now;
        for _ in 0..8 {
            let mut entries = self.listed(&List::TransfersDue, now);
            entries.truncate(usize::from(DONE_AT_ONCE));
            if entries.is_empty() {
                return self.the_clock_moved_on();
            }
            self.run(
                attempt("met", Action::Unknown),
                |rules, attempt, known, keys| {
                    let due = Due {
                        now,
                        entries: &entries,
                    };
                    let made = transferring::due(rules, now, &attempt.entropy, keys, known, &due)?;
                    Ok(made.unwrap())
                },
            );
        }
        Err(TestCaseError::fail("the clock never comes to an end"))
    }

    /// Without an answer in time the next service was asked, and nobody too early; what ended has
    /// nothing left in it.
    fn the_clock_moved_on(&mut self) -> Checked {
        let (at, known) = (self.at(), self.town.known());
        for place in 0..self.model.offers.len() {
            let offer = &self.model.offers[place];
            let (id, stand, to) = (offer.id, self.model.stand(at, offer), offer.to);
            if stand == Stand::HandedOver {
                let of = Aggregate::Referral(ReferralId(id));
                let kept = known.parts.iter().any(|part| part.of == of);
                prop_assert!(!kept, "kept too long");
                self.saw("an overlap ended by the clock");
            }
            let Some(route) = &self.model.offers[place].route else {
                continue;
            };
            let overdue = stand == Stand::Open && route.answer_by <= at.now && !route.unwatched;
            let offer = &self.model.offers[place];
            let next = self.model.may_be_asked(at, offer);
            // The clock looks again when a pause would have been over, also where it was lifted.
            let waits = self.model.paused_lately(at.now, offer);
            let referral = stored(&known, id);
            if asked(&referral) != to {
                prop_assert!(overdue, "{} was asked too early", asked(&referral));
                self.asks_next(place, referral, &next)?;
                self.saw("the next service asked by the clock");
            } else if overdue && !next.is_empty() {
                prop_assert!(waits, "nobody is asked after {}", to);
            } else if overdue {
                let mut lists = self.lists.iter();
                let listed = lists.any(|(list, _, on)| *list == List::TransfersDue && *on == id);
                if let Some(route) = &mut self.model.offers[place].route {
                    route.unwatched = !listed;
                }
            }
        }
        Ok(())
    }
}

fn stored(known: &Known, id: Id) -> Referral {
    known.referrals[&ReferralId(id)].clone()
}

/// Who is asked now.
fn asked(referral: &Referral) -> &'static str {
    called(referral.recipient.as_str())
}

/// Who can be asked yet. A service of the town is called as its organisation.
fn left(referral: &Referral) -> Vec<&'static str> {
    let route = referral.route.as_ref().unwrap();
    route
        .next
        .iter()
        .map(|next| called(next.as_str()))
        .collect()
}

fn called(name: &str) -> &'static str {
    let mut all = ALL.into_iter();
    all.find(|one| *one == name).expect("a service of the town")
}
