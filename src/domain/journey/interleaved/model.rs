//! What may be told, worked out from what was said and done, by none of the code that is tested.

use crate::domain::codes::{
    ConsentDepth, DataClass, Purpose, ServiceFamily, TransferMode, WithdrawalScope,
};
use crate::domain::consent::Opens;
use crate::domain::id::Id;
use crate::domain::time::When;

/// What flows with a referral; with a transfer also how she is.
pub const REFERRED: [DataClass; 3] = [DataClass::Op, DataClass::Id, DataClass::Loc];
pub const MOVED: [DataClass; 4] = [DataClass::Op, DataClass::Id, DataClass::Loc, DataClass::Sp];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    Open,
    Accepted,
    /// Its service handed her over, and its own work has ended.
    HandedOver,
    Over,
}

/// A moment, and what is left out of account: to know by what alone something is held back.
#[derive(Clone, Copy)]
pub struct At {
    pub now: When,
    pub but: Option<But>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum But {
    Pauses,
    /// The dates until which consents serve.
    Ends,
    Doubts,
    /// The ends of overlaps.
    Overlaps,
}

impl But {
    pub const ALL: [Self; 4] = [Self::Pauses, Self::Ends, Self::Doubts, Self::Overlaps];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Pauses => "held back by a pause alone",
            Self::Ends => "held back by the end of a consent alone",
            Self::Doubts => "held back by a doubt alone",
            Self::Overlaps => "held back by the end of an overlap alone",
        }
    }
}

pub struct Offered {
    pub id: Id,
    pub from: &'static str,
    /// Of a transfer: whoever is asked now.
    pub to: &'static str,
    pub her: usize,
    pub consented: When,
    /// Apart from pauses and transfers.
    pub stand: Stand,
    /// When the service that has it accepted her.
    pub accepted_at: Option<When>,
    /// By which pauses it was stopped.
    pub paused_by: Vec<usize>,
    pub handed: Option<Handed>,
    /// Made by a transfer.
    pub route: Option<Route>,
}

/// On the referral of the service that hands her over.
pub struct Handed {
    pub mode: TransferMode,
    pub asked_at: When,
    pub until: Option<When>,
    pub taken_at: Option<When>,
    pub onward: usize,
}

pub struct Route {
    pub origin: usize,
    pub family: ServiceFamily,
    /// Services that were asked, this one included.
    pub asked: Vec<&'static str>,
    /// Services that the gateway has in reserve. Whom she had stopped when somebody else was asked is
    /// passed over for good.
    pub left: Vec<&'static str>,
    pub answer_by: When,
    /// Nobody could be asked when its time was over: it stays where it is.
    pub unwatched: bool,
}

/// Her consent that a referral goes to somebody.
pub struct Given {
    pub by: &'static str,
    pub her: usize,
    pub to: To,
    pub when: When,
    pub until: When,
    pub classes: &'static [DataClass],
}

pub enum To {
    Organisation(&'static str),
    Family(ServiceFamily),
}

pub struct Assessed {
    pub at: &'static str,
    pub her: usize,
    pub when: When,
    pub id: Id,
}

/// Her word about earlier assessments, as somebody recorded it.
pub struct Said {
    pub by: &'static str,
    pub her: usize,
    pub when: When,
    pub until: When,
    pub opens: Opens,
    /// Whom a source may tell.
    pub to: &'static str,
    pub permits: bool,
    /// Which step of the question a permit reaches.
    pub depth: ConsentDepth,
    /// The assessment that it was recorded with, if it was.
    pub with: Option<Id>,
    /// If it can be taken back alone.
    pub id: Option<Id>,
    pub taken_back: bool,
    /// She may not have been free to say it.
    pub doubted: bool,
    pub review_at: Option<When>,
}

pub struct Stopped {
    pub her: usize,
    pub when: When,
    pub scope: WithdrawalScope,
    pub service: &'static str,
    pub id: Id,
    /// Who took it.
    pub by: &'static str,
    /// Of a pause.
    pub until: Option<When>,
    pub settled: Option<Settled>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Confirmed,
    Lifted,
}

/// All that was said and done.
#[derive(Default)]
pub struct Model {
    pub offers: Vec<Offered>,
    pub given: Vec<Given>,
    pub assessments: Vec<Assessed>,
    pub said: Vec<Said>,
    pub stopped: Vec<Stopped>,
}

/// The family of the services that an organisation runs in the town of the trials.
pub fn family(organisation: &str) -> Option<ServiceFamily> {
    match organisation {
        "harbour" => Some(ServiceFamily::Accommodation),
        "lantern" | "practice" | "council" => Some(ServiceFamily::Community),
        _ => None,
    }
}

impl Offered {
    /// When the work of the service that handed her over ended, or will.
    pub fn ends_at(&self) -> Option<When> {
        let handed = self.handed.as_ref()?;
        match (handed.mode, handed.until) {
            (TransferMode::Close, _) => Some(handed.asked_at),
            (TransferMode::KeepBoth, Some(until)) => handed.taken_at.map(|taken| taken.max(until)),
            (TransferMode::HandOver | TransferMode::KeepBoth, _) => handed.taken_at,
        }
    }

    pub fn classes(&self) -> &'static [DataClass] {
        if self.route.is_some() {
            &MOVED
        } else {
            &REFERRED
        }
    }
}

impl Stopped {
    pub fn is_pause(&self) -> bool {
        self.until.is_some()
    }

    fn stops(&self, ends: [&str; 2], classes: &[DataClass], purpose: Purpose) -> bool {
        match self.scope {
            WithdrawalScope::Everything => true,
            WithdrawalScope::Service => ends.contains(&self.service),
            WithdrawalScope::Class => classes.contains(&DataClass::Sp),
            WithdrawalScope::Purpose => purpose == Purpose::PriorAssessment,
        }
    }

    /// Whether it stops a referral, of which one class is enough.
    pub fn stops_referral(&self, offer: &Offered) -> bool {
        self.stops([offer.from, offer.to], offer.classes(), Purpose::Support)
    }
}

impl Model {
    /// Whether one of her stops is in force.
    fn in_force(&self, at: At, stopped: &Stopped) -> bool {
        match stopped.until {
            Some(until) => at.but != Some(But::Pauses) && at.now < until,
            None => true,
        }
    }

    /// Whether she has stopped a flow between two organisations since `since`.
    pub fn is_stopped(
        &self,
        at: At,
        (her, since): (usize, When),
        ends: [&str; 2],
        classes: &[DataClass],
        purpose: Purpose,
    ) -> bool {
        self.stopped.iter().any(|stopped| {
            stopped.her == her
                && stopped.when >= since
                && self.in_force(at, stopped)
                && stopped.stops(ends, classes, purpose)
        })
    }

    pub fn stand(&self, at: At, offer: &Offered) -> Stand {
        let paused = |by: &usize| self.in_force(at, &self.stopped[*by]);
        let ended = offer.ends_at().is_some_and(|end| end <= at.now);
        match offer.stand {
            Stand::Over => Stand::Over,
            _ if offer.paused_by.iter().any(paused) => Stand::Over,
            Stand::Accepted if ended && at.but != Some(But::Overlaps) => Stand::HandedOver,
            stand => stand,
        }
    }

    /// Whether her consents cover, now, that `offer` is released.
    pub fn may_release(&self, at: At, offer: &Offered) -> bool {
        self.may_be_with(at, offer, offer.to)
    }

    /// The same, were the offer with another.
    fn may_be_with(&self, at: At, offer: &Offered, there: &str) -> bool {
        self.given.iter().any(|given| {
            let to = match given.to {
                To::Organisation(to) => to == there,
                To::Family(to) => family(there) == Some(to),
            };
            (given.by, given.her) == (offer.from, offer.her)
                && to
                && offer
                    .classes()
                    .iter()
                    .all(|class| given.classes.contains(class))
                && (at.now < given.until || at.but == Some(But::Ends))
                && !self.is_stopped(
                    at,
                    (given.her, given.when),
                    [offer.from, there],
                    offer.classes(),
                    Purpose::Support,
                )
        })
    }

    /// Whether somebody has it in hand: a pause and the end of an overlap aside, it is not over.
    pub fn is_of_somebody(&self, at: At, offer: &Offered) -> bool {
        let is_closed = |handed: &Handed| handed.mode != TransferMode::KeepBoth;
        let ended = self.stand(
            At {
                but: Some(But::Pauses),
                ..at
            },
            offer,
        ) == Stand::HandedOver;
        offer.stand != Stand::Over && !(ended && offer.handed.as_ref().is_some_and(is_closed))
    }

    /// A pause once stopped it, and is over.
    pub fn was_paused(&self, now: When, offer: &Offered) -> bool {
        let mut paused = offer.paused_by.iter().map(|by| &self.stopped[*by]);
        paused.any(|pause| pause.until.is_some_and(|until| until <= now))
    }

    /// A pause stopped it that is or was to last beyond `now`.
    pub fn paused_lately(&self, now: When, offer: &Offered) -> bool {
        let mut paused = offer.paused_by.iter().map(|by| &self.stopped[*by]);
        paused.any(|pause| now < pause.when.plus_hours(72))
    }

    pub fn may_read(&self, at: At, offer: &Offered) -> bool {
        self.stand(at, offer) == Stand::Accepted && self.may_release(at, offer)
    }

    /// Services that a transfer can still ask: they fit, were not asked, and her word covers them.
    pub fn may_be_asked(&self, at: At, offer: &Offered) -> Vec<&'static str> {
        let Some(route) = &offer.route else {
            return Vec::new();
        };
        let left = route.left.iter().copied();
        left.filter(|to| {
            *to != offer.from
                && family(to) == Some(route.family)
                && !route.asked.contains(to)
                && self.may_be_with(at, offer, to)
        })
        .collect()
    }

    /// Who handed her over to `organisation`, in one step or several, as far as it works with her.
    pub fn came_from(&self, at: At, organisation: &str, her: usize) -> Vec<&'static str> {
        let mut from = Vec::new();
        for offer in &self.offers {
            let works = self.stand(at, offer) == Stand::Accepted;
            if (offer.to, offer.her) != (organisation, her) || !works {
                continue;
            }
            let mut here = offer;
            while let Some(route) = &here.route {
                here = &self.offers[route.origin];
                from.push(here.to);
            }
        }
        from
    }

    /// Whether a permit that stands covers what `source` would tell `asker`.
    pub fn permits(&self, at: At, said: &Said, source: &str, asker: &str) -> bool {
        let refused = self.said.iter().any(|no| {
            !no.permits
                && (no.by, no.her, no.opens) == (said.by, said.her, said.opens)
                && !no.taken_back
                && no.when >= said.when
                && (no.opens == Opens::Query || no.to == asker)
        });
        said.permits
            && !said.taken_back
            && !refused
            && (!said.doubted || at.but == Some(But::Doubts))
            && (at.now < said.until || at.but == Some(But::Ends))
            && !self.is_stopped(
                at,
                (said.her, said.when),
                [source, asker],
                &[DataClass::Op, DataClass::Sp],
                Purpose::PriorAssessment,
            )
    }

    /// P11, consent on both sides that reaches the step, and a date: what `asker` is to be shown.
    pub fn may_show(&self, at: At, asked: &Assessed, asker: &str, step: ConsentDepth) -> bool {
        let works_with_her = self.offers.iter().any(|offer| {
            offer.to == asker
                && offer.her == asked.her
                && self.stand(at, offer) == Stand::Accepted
                && offer.from != asker
        });
        let she_lets_it_ask = self.said.iter().any(|said| {
            (said.by, said.her, said.opens) == (asker, asked.her, Opens::Query)
                && said.depth >= step
                && self.permits(at, said, asked.at, asker)
        });
        let she_lets_it_tell = self.said.iter().any(|said| {
            (said.by, said.her, said.opens, said.to) == (asked.at, asked.her, Opens::Share, asker)
                && match said.with {
                    Some(assessment) => assessment == asked.id,
                    None => said.when >= asked.when,
                }
                && said.depth >= step
                && self.permits(at, said, asked.at, asker)
        });
        asked.at != asker
            && at.now < asked.when.plus_days(90)
            && works_with_her
            && she_lets_it_ask
            && she_lets_it_tell
    }

    /// How high the risk is, or who is safe: she may stop either.
    pub fn may_open_in_an_emergency(&self, at: At, held: &Assessed) -> bool {
        let open = |class| {
            let ends = [held.at, "trust"];
            !self.is_stopped(
                at,
                (held.her, held.when),
                ends,
                &[class],
                Purpose::Emergency,
            )
        };
        at.now < held.when.plus_days(90) && (open(DataClass::Sp) || open(DataClass::Loc))
    }

    /// Which of its own consents an organisation is to go through with her again.
    pub fn is_due(&self, now: When, said: &Said) -> bool {
        let decided_anew = self.said.iter().any(|later| {
            (later.by, later.her, later.opens) == (said.by, said.her, said.opens)
                && later.when > said.when
                && (!later.permits || now < later.until && later.depth >= said.depth)
                && later.to == said.to
                && !later.doubted
                && !later.taken_back
        });
        said.permits
            && !said.doubted
            && !said.taken_back
            && said.review_at.is_some_and(|at| at <= now)
            && now < said.until
            && !decided_anew
    }
}
