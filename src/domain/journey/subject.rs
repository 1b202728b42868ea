//! Whom a caller means: by one of its referrals, by its own reference of her, or by who she is.
//!
//! A name that leads nowhere and a person whom nobody knows are found alike: not at all. Who asks
//! by a name learns nothing from it but what its own organisation recorded.

use crate::domain::alias::AliasKind;
use crate::domain::attempt::Attempt;
use crate::domain::decision::{Aggregate, Counter, Window, Write};
use crate::domain::id::{Id, PersonId, ReferralId};
use crate::domain::known::Known;
use crate::domain::person::{RawIdentifier, TaggedToken, Token, keys_of};
use crate::domain::rules::Rules;
use crate::domain::ruling::{AskedAbout, Ruling};
use crate::domain::time::When;

/// As the caller named her, before an identity is resolved.
pub enum Named {
    /// One of the caller's own referrals, by its alias.
    Referral(Id),
    /// The caller's own reference of her.
    Person(Id),
    Identity(Box<RawIdentifier>),
}

/// As the gateway looks for her. There is nothing readable in it.
pub enum Subject {
    Referral(Id),
    Person(Id),
    /// Her tokens, and that of her surname and postcode if both were given.
    Tokens(Vec<TaggedToken>, Option<Token>),
}

/// What the caller's organisation itself knows of her.
pub struct Found {
    /// Its own record, if it has one.
    pub person: Option<PersonId>,
    /// Of that record, or else those given.
    pub tokens: Vec<TaggedToken>,
}

impl Subject {
    /// The id that the caller wrote, for the log.
    pub fn outward(&self) -> Option<Id> {
        match self {
            Self::Referral(alias) | Self::Person(alias) => Some(*alias),
            Self::Tokens(..) => None,
        }
    }

    /// Of her surname and postcode, where she was named by who she is.
    pub fn household(&self) -> Option<Token> {
        match self {
            Self::Referral(_) | Self::Person(_) => None,
            Self::Tokens(_, household) => *household,
        }
    }

    /// Where to begin reading.
    pub fn begins_at(&self, rules: &Rules, attempt: &Attempt) -> Vec<Aggregate> {
        match self {
            Self::Referral(alias) => vec![Aggregate::Referral(referral(rules, attempt, *alias))],
            Self::Person(alias) => vec![Aggregate::Person(person(rules, attempt, *alias))],
            Self::Tokens(tokens, household) => keys_of(tokens)
                .chain(*household)
                .map(Aggregate::Token)
                .collect(),
        }
    }

    /// The caller's own record of her, as far as what was read tells which one it is.
    pub fn record(&self, rules: &Rules, attempt: &Attempt, known: &Known) -> Option<PersonId> {
        let own = attempt.organisation();
        match self {
            Self::Referral(alias) => {
                let referral = known.referrals.get(&referral(rules, attempt, *alias))?;
                if referral.recipient == *own
                    && referral.recipient_team == attempt.peer.name().team
                    && referral.recipient_person.is_some()
                {
                    referral.recipient_person
                } else {
                    (referral.sender == *own).then_some(referral.sender_person)
                }
            }
            Self::Person(alias) => Some(person(rules, attempt, *alias)),
            Self::Tokens(tokens, _) => known.own_record(own, tokens),
        }
    }

    /// What the caller's organisation knows of her. `None` for a name that leads nowhere.
    pub fn find(&self, rules: &Rules, attempt: &Attempt, known: &Known) -> Option<Found> {
        let own = attempt.organisation();
        let person = self.record(rules, attempt, known);
        let record = person
            .and_then(|person| known.people.get(&person))
            .and_then(|person| person.record.as_ref())
            .filter(|record| record.organisation == *own);
        match (record, self) {
            (Some(record), _) => Some(Found {
                person,
                tokens: record.tokens.clone(),
            }),
            (None, Self::Tokens(tokens, _)) => Some(Found {
                person: None,
                tokens: tokens.clone(),
            }),
            (None, Self::Referral(_) | Self::Person(_)) => None,
        }
    }

    /// The tokens to look for her by elsewhere when her life is at risk: those given, or else
    /// those of the caller's own record.
    pub fn given<'a>(&'a self, found: Option<&'a Found>) -> &'a [TaggedToken] {
        match (self, found) {
            (Self::Tokens(tokens, _), _) => tokens,
            (Self::Referral(_) | Self::Person(_), Some(found)) => &found.tokens,
            (Self::Referral(_) | Self::Person(_), None) => &[],
        }
    }

    /// Whether this worker named her before in a window.
    pub fn same_person(
        &self,
        rules: &Rules,
        attempt: &Attempt,
        known: &Known,
        window: Window,
    ) -> Counter {
        let found = self.find(rules, attempt, known);
        let tokens = found.map(|found| found.tokens).unwrap_or_default();
        let named = rules.log_subjects(&tokens).first().copied();
        // A name that leads nowhere counts like one that leads to somebody.
        let nameless = *self.outward().unwrap_or(Id::ZERO).bytes();
        Counter::SamePerson {
            organisation: attempt.organisation().clone(),
            user: attempt.user.as_str().to_owned(),
            person: named.unwrap_or(nameless),
            window,
        }
    }

    /// How many people of her surname and postcode this worker asked about in a window.
    pub fn household_counter(&self, attempt: &Attempt, window: Window) -> Option<Counter> {
        Some(Counter::Household {
            organisation: attempt.organisation().clone(),
            user: attempt.user.as_str().to_owned(),
            household: *self.household()?.bytes(),
            window,
        })
    }

    /// Counts her among the different people of a window, once; found or not, it counts alike.
    pub fn count(&self, ruling: &mut Ruling<'_>, window: Window, max: u32) {
        let attempt = ruling.attempt();
        let known = ruling.known();
        let same = self.same_person(ruling.rules(), attempt, known, window);
        let first = known.count(&same) == 0;
        let household = self.household_counter(attempt, window);
        let together = household.as_ref().map_or(0, |counter| known.count(counter));
        ruling.asks_about(AskedAbout {
            household: self.household(),
            together: together.saturating_add(u32::from(first)),
            first,
        });
        if !first {
            return;
        }
        let organisation = attempt.organisation().clone();
        let user = attempt.user.as_str().to_owned();
        let people = match window {
            Window::Day(day) => Counter::PeopleAsked {
                organisation,
                user,
                day,
            },
            Window::HalfDay(half_day) => Counter::Emergencies {
                organisation,
                user,
                half_day,
            },
        };
        ruling.write(Write::Count {
            counter: people,
            by: 1,
            max,
        });
        for counter in [Some(same), household].into_iter().flatten() {
            ruling.write(Write::Count {
                counter,
                by: 1,
                max: u32::MAX,
            });
        }
    }
}

impl Window {
    pub fn day(when: When) -> Self {
        Self::Day(super::watching::day(when))
    }

    pub fn half_day(when: When) -> Self {
        Self::HalfDay(i32::try_from(when.millis().div_euclid(43_200_000)).unwrap_or(i32::MAX))
    }
}

fn referral(rules: &Rules, attempt: &Attempt, alias: Id) -> ReferralId {
    let own = attempt.organisation();
    ReferralId(rules.aliases.inward(own, AliasKind::Referral, alias))
}

fn person(rules: &Rules, attempt: &Attempt, alias: Id) -> PersonId {
    let own = attempt.organisation();
    PersonId(rules.aliases.inward(own, AliasKind::Person, alias))
}
