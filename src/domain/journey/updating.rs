//! News about her, by closed codes, both ways on a referral (3.0.6): how to reach her has changed, stop
//! calling, danger has grown, it is somebody else.
//!
//! Whoever reports it is told the same whomever it reaches: a sender must never learn who else has
//! her. Police are told one thing, and only if she agrees or a life is at risk.

mod reach;

use zeroize::Zeroizing;

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::codes::{
    ConsentDecision, ConsentStrength, DataClass, OrgKind, Purpose, UpdateCode,
};
use crate::domain::consent::{Consent, Flow, Opens, Recipients};
use crate::domain::custody;
use crate::domain::decision::{Aggregate, Decision, List, Write};
use crate::domain::firewall::hold::{ScreenedText, read};
use crate::domain::firewall::{Screened, screen};
use crate::domain::id::{ConsentId, Id, OrgId, ReferralId};
use crate::domain::known::Known;
use crate::domain::person::{FieldError, SafeContact};
use crate::domain::policy::{Ask, Relationship};
use crate::domain::referral::{Referral, Update, UrgencyCode};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::{Keys, Payload};
use crate::domain::watch::RuleCode;

use super::answering::{self, erase_parts, relationship, save, unlist};
use super::consenting::{keep_consent, names_a_notice};
use super::offering::going_on;
use super::{ACCEPTED, Caller, Stop, about_caller, caller, keeping, mark, permit, recipient};

/// What is reported of a referral.
pub struct News {
    pub code: UpdateCode,
    /// To police: life is at risk.
    pub life_at_risk: bool,
    /// To police: she agrees that they are told.
    pub consent: Option<Consent>,
    /// How to reach her from now on, with `safe_contact_changed` only.
    pub contact: Option<NewContact>,
}

/// How to reach her from now on.
pub struct NewContact {
    pub contact: SafeContact,
    /// The same as it is shown, to be sealed for organisations that keep their own custody.
    pub shown: Zeroizing<Vec<u8>>,
}

/// Decides one update of the referral known outside as `alias`.
///
/// # Errors
/// [`BadRuling`].
pub fn update(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    news: &News,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let inward = ruling.aliases().inward(AliasKind::Referral, alias);
    ruling.object(Some(alias), Some(inward));
    match decide(&mut ruling, known, ReferralId(inward), alias, news) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(
    ruling: &mut Ruling<'_>,
    known: &Known,
    id: ReferralId,
    alias: Id,
    news: &News,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let own = attempt.organisation();
    let mut ask = caller.ask(attempt, caller.as_recipient());
    ask.relationship = Relationship::Sender;
    // What is wrong with the caller is said first, and the same for every referral.
    about_caller(ruling, &ask)?;
    check(news)?;
    names_a_notice(ruling, &news.consent)?;
    let contact = match &news.contact {
        Some(new) => Some(
            read(ruling.rules(), attempt, &new.contact)
                .map_err(Refusal::ImmigrationContentFound)?,
        ),
        None => None,
    };
    let found = known
        .referrals
        .get(&id)
        .filter(|referral| referral.sender == *own || referral.recipient == *own);
    let Some(referral) = found else {
        return Err(Stop::Nothing("no such referral"));
    };
    ruling.subject(&referral.tokens);
    let knows_whom = referral.is_with_whom_it_was_sent();
    if knows_whom {
        ruling.concerns(&referral.sender);
        ruling.concerns(&referral.recipient);
    }
    ruling.reason(news.code.code());
    let sent = referral.sender == *own;
    let asks_for_call = match news.code {
        UpdateCode::CallReferrer => true,
        UpdateCode::CallUsAboutHerSafety => !news.life_at_risk,
        UpdateCode::SafeContactChanged
        | UpdateCode::StopCalling
        | UpdateCode::NewIncident
        | UpdateCode::BailChanged
        | UpdateCode::RiskRaised
        | UpdateCode::WrongPerson => false,
    };
    if asks_for_call && !sent && !knows_whom {
        return Err(FieldError {
            field: "code",
            message: "whoever sent this must not learn who you are, so it cannot call you; send the \
                      code of what has changed",
        }
        .into());
    }
    ask.relationship = if sent {
        Relationship::Sender
    } else {
        relationship(referral, attempt.when)
    };
    ask.offence = Some(referral.operational.offence_group);
    ask.emergency_confirmed = news.life_at_risk;
    let accepted = ask.relationship >= Relationship::AcceptedOwn;
    let asks_back = matches!(
        news.code,
        UpdateCode::CallReferrer | UpdateCode::NewIncident | UpdateCode::CallUsAboutHerSafety
    );
    if !sent && !accepted && !asks_back {
        // Who has not accepted her changes nothing of hers.
        return Err(Stop::Nothing("not accepted"));
    }
    tell_counterpart(ruling, known, (referral, sent), &ask, news)?;
    let reached = match news.code {
        UpdateCode::SafeContactChanged | UpdateCode::StopCalling => {
            reach::holders(known, referral, attempt.when)
        }
        UpdateCode::NewIncident | UpdateCode::BailChanged | UpdateCode::RiskRaised => {
            reach::whoever_has_her(known, referral, attempt.when)
        }
        // Whom to call is a matter between the two of this referral.
        UpdateCode::CallUsAboutHerSafety | UpdateCode::CallReferrer => {
            reach::this_one(referral, attempt.when)
        }
        UpdateCode::WrongPerson => reach::told_once(known, referral),
    };
    if sent && news.code == UpdateCode::CallReferrer {
        // Also where it goes nowhere any more: what the sender sees must not tell.
        keeping::note_is_there(ruling, referral);
    }
    let telling = Telling {
        known,
        caller: &caller,
        ask: &ask,
        news,
        contact: contact.as_ref(),
        told_here: (referral, sent),
    };
    telling.tell(ruling, reached)?;
    if news.code == UpdateCode::WrongPerson {
        ruling.finds(RuleCode::WrongPerson);
    }
    Ok(Answer::Updated {
        referral: ReferralId(alias),
    })
}

/// What is wrong with what was sent, whoever she is.
fn check(news: &News) -> Result<(), FieldError> {
    let changed = news.code == UpdateCode::SafeContactChanged;
    match (changed, &news.contact) {
        (true, None) => Err(FieldError {
            field: "safe_contact",
            message: "say how it is safe to reach her now; if you do not know, send stop_calling",
        }),
        (false, Some(_)) => Err(FieldError {
            field: "safe_contact",
            message: "only with safe_contact_changed; leave it out",
        }),
        (true, Some(_)) | (false, None) => Ok(()),
    }
}

/// A service tells the sender. Police hear one code and no other: anything else that a service says
/// goes to those who hold her, and leaves no trace for police.
fn tell_counterpart(
    ruling: &mut Ruling<'_>,
    known: &Known,
    (referral, sent): (&Referral, bool),
    ask: &Ask,
    news: &News,
) -> Result<(), Stop> {
    let attempt = ruling.attempt();
    if sent {
        return Ok(());
    }
    let Some(sender) = known.organisations.get(&referral.sender) else {
        return Err(Stop::Nothing("counterpart is gone"));
    };
    let for_police = news.code == UpdateCode::CallUsAboutHerSafety;
    let mut ask = ask.clone();
    if sender.kind == OrgKind::Police && !for_police {
        // Nothing is told to anyone but the caller's own: that it may do so is still asked.
        permit(ruling, &ask, ())?;
        return Ok(());
    }
    ask.recipient = recipient(sender, &referral.sender_team, attempt);
    let consent = news.consent.as_ref().filter(|_| for_police);
    let consent = consent.map(|stated| agreed(stated, attempt, &referral.sender));
    ask.consent = consent.as_ref().map(|consent| {
        let flow = Flow {
            holder: attempt.organisation(),
            recipient: &referral.sender,
            recipient_families: &[],
            classes: &[DataClass::Op],
            purpose: Purpose::SafetyPlanning,
            depth: None,
            now: attempt.when,
        };
        consent.state(&flow, &[], attempt.organisation())
    });
    if sender.kind == OrgKind::Police && !news.life_at_risk {
        let agrees = consent.as_ref().is_some_and(|consent| {
            consent.decision == ConsentDecision::Permit
                && consent.strength == ConsentStrength::Explicit
        });
        if !agrees {
            return Err(Stop::Refuse(Refusal::ConsentNeeded));
        }
    }
    permit(ruling, &ask, ())?;
    if let (Some(consent), Some(person)) = (consent, referral.recipient_person) {
        ruling.consent(consent.id.id());
        keep_consent(ruling, person, &consent);
    }
    Ok(())
}

/// Her agreement that police are told to call, and nothing more.
fn agreed(stated: &Consent, attempt: &Attempt, police: &OrgId) -> Consent {
    Consent {
        id: ConsentId(attempt.entropy.id("consent")),
        recorded_by: attempt.organisation().clone(),
        opens: Opens::Share,
        recipients: Recipients {
            organisations: vec![police.clone()],
            families: Vec::new(),
        },
        classes: vec![DataClass::Op],
        purposes: vec![Purpose::SafetyPlanning],
        ..stated.clone()
    }
}

/// One piece of news on its way to everybody whom it must reach.
struct Telling<'a> {
    known: &'a Known,
    caller: &'a Caller<'a>,
    ask: &'a Ask,
    news: &'a News,
    contact: Option<&'a ScreenedText<&'a SafeContact>>,
    /// The referral on which it was reported, and whether by its sender.
    told_here: (&'a Referral, bool),
}

impl Telling<'_> {
    fn tell(&self, ruling: &mut Ruling<'_>, reached: Vec<&Referral>) -> Result<(), Stop> {
        let (here, sent) = self.told_here;
        if sent {
            // The sender must be let; whether each of the others may be told is asked apart.
            let holder = self.known.organisations.get(&here.recipient);
            let Some(holder) = holder else {
                return Err(Stop::Nothing("counterpart is gone"));
            };
            let mut ask = self.ask.clone();
            ask.recipient = recipient(holder, &here.recipient_team, ruling.attempt());
            permit(ruling, &ask, ())?;
        }
        for (place, of) in reached.iter().enumerate() {
            let after = self.holder(ruling, of, place);
            save(ruling, &after);
        }
        self.tell_origin(ruling, &reached);
        Ok(())
    }

    /// Who handed her over reads news of the next service on its own referral: it knows no other.
    fn tell_origin(&self, ruling: &mut Ruling<'_>, reached: &[&Referral]) {
        let (here, sent) = self.told_here;
        let origin = here.route.as_ref().map(|route| route.origin);
        let origin = origin.and_then(|origin| self.known.referrals.get(&origin));
        let untold = origin.filter(|origin| reached.iter().all(|one| one.id != origin.id));
        if let Some(origin) = untold.filter(|_| !sent && self.tells_sender()) {
            let attempt = ruling.attempt();
            let mut after = origin.clone();
            after.updates.push(Update {
                at: attempt.when,
                by: attempt.organisation().clone(),
                code: self.news.code,
                to_holder: true,
            });
            save(ruling, &after);
        }
    }

    /// The referral as it stands afterwards, with the holder told that there is something to read.
    fn holder(&self, ruling: &mut Ruling<'_>, of: &Referral, place: usize) -> Referral {
        let attempt = ruling.attempt();
        let (here, sent) = self.told_here;
        let own = attempt.organisation();
        let is_here = of.id == here.id;
        let mut after = of.clone();
        let own_copy = of.recipient == *own;
        match self.news.code {
            UpdateCode::SafeContactChanged | UpdateCode::StopCalling => {
                self.replace_contact(ruling, &mut after, place);
            }
            UpdateCode::RiskRaised => raise(ruling, &mut after),
            UpdateCode::WrongPerson => {
                erase_parts(ruling, self.known, after.id);
                unlist(ruling, &after);
                after.withdraw();
            }
            UpdateCode::NewIncident
            | UpdateCode::BailChanged
            | UpdateCode::CallUsAboutHerSafety
            | UpdateCode::CallReferrer => {}
        }
        let told = |to_holder| Update {
            at: attempt.when,
            by: own.clone(),
            code: self.news.code,
            to_holder,
        };
        if is_here && !sent {
            if self.tells_sender() {
                after.updates.push(told(false));
                let (whose, item) = self.sender_list();
                ruling.list(List::Events(whose), 0, item);
            }
            if self.news.code == UpdateCode::WrongPerson {
                after.updates.push(told(true));
            }
        } else {
            after.updates.push(told(true));
        }
        if !own_copy {
            if after.sender == *own && after.route.is_none() {
                // An officer sees what a sender of her own did; of another's work with her, nothing.
                ruling.concerns(&after.recipient);
            }
            // Whom an offer waits for was not told that it is paused, and must not learn it by this.
            if after.paused.is_none() || after.details_passed_at.is_some() {
                let of = List::Events(after.recipient.clone());
                ruling.list(of, 0, after.id.id());
            }
        }
        after
    }

    fn tells_sender(&self) -> bool {
        let (here, _) = self.told_here;
        let sender = self.known.organisations.get(&here.sender);
        sender.is_some_and(|sender| {
            sender.kind != OrgKind::Police || self.news.code == UpdateCode::CallUsAboutHerSafety
        })
    }

    /// Who handed her over knows its own referral, not the one that was made of it.
    fn sender_list(&self) -> (OrgId, Id) {
        let (here, _) = self.told_here;
        let item = match &here.route {
            Some(route) => route.origin.id(),
            None => here.id.id(),
        };
        (here.sender.clone(), item)
    }

    /// The old way to reach her is destroyed. The new one comes in its place where the reporter may
    /// tell this holder; else there is the stop alone, because to call the old number can kill.
    fn replace_contact(&self, ruling: &mut Ruling<'_>, after: &mut Referral, place: usize) {
        let of = Aggregate::Referral(after.id);
        if let Some(before) = after.contact_item.take() {
            ruling.write(Write::Remove {
                of: of.clone(),
                item: before,
            });
        }
        after.contact_stopped = true;
        after.contact_marks.clear();
        let Some(screened) = self.sealed_for(ruling, after, place) else {
            ruling.note("contact-stopped");
            return;
        };
        let (item, screened) = screened;
        mark(ruling, &screened);
        if !screened.dropped().is_empty() {
            return;
        }
        ruling.payload(&of, &screened);
        after.contact_item = Some(item);
        after.contact_stopped = false;
        if let Some(new) = &self.news.contact {
            after.contact_marks = ruling.rules().contact_marks(&new.contact);
        }
        ruling.note("contact-replaced");
    }

    /// The new safe contact for one holder, if policy lets the reporter tell it.
    fn sealed_for(
        &self,
        ruling: &mut Ruling<'_>,
        after: &Referral,
        place: usize,
    ) -> Option<(Id, Screened<Payload>)> {
        let attempt = ruling.attempt();
        let own = attempt.organisation();
        let own_copy = after.recipient == *own;
        if !own_copy && after.sender != *own {
            return None;
        }
        let contact = self.contact?;
        let holder = self.known.organisations.get(&after.recipient)?;
        let mut ask = self.ask.clone();
        ask.recipient = recipient(holder, &after.recipient_team, attempt);
        ask.classes = vec![DataClass::Loc];
        ask.emergency_confirmed = false;
        ask.own = own_copy;
        ask.offence = Some(after.operational.offence_group);
        ask.giver = Some(self.caller.kind());
        ask.basis = after.basis;
        ask.consent = answering::consent(self.known, after, own, attempt.when);
        let item = attempt.entropy.id(&format!("contact item {place}"));
        let mut payload = Payload::default();
        payload.add(DataClass::Loc, item, self.plain(ruling, after, contact)?);
        let permitted = permit(ruling, &ask, payload).ok()?;
        Some((item, screen(permitted, ACCEPTED)))
    }

    /// What is sealed: the contact itself, or a box of the holder's own custody, under the name by
    /// which the holder knows the referral today.
    fn plain(
        &self,
        ruling: &Ruling<'_>,
        after: &Referral,
        contact: &ScreenedText<&SafeContact>,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let attempt = ruling.attempt();
        let Some(key) = after.custody_key.filter(|_| after.resealed_item.is_some()) else {
            return contact.encode().ok();
        };
        let holder = self.known.organisations.get(&after.recipient)?;
        let rules = ruling.rules();
        let aliases = rules
            .alias_key
            .of(&holder.id, holder.suspensions, attempt.when);
        let named = aliases.outward(AliasKind::Referral, after.id.id());
        let shown = &self.news.contact.as_ref()?.shown;
        let entropy = attempt.entropy.branch(&format!("contact of {named}"));
        let boxed = custody::reseal(&key, named, shown, &entropy).ok()?;
        Some(Zeroizing::new([named.bytes(), boxed.as_slice()].concat()))
    }
}

/// Danger has grown: she comes first, and an offer that waits must be answered sooner.
fn raise(ruling: &mut Ruling<'_>, after: &mut Referral) {
    let now = ruling.attempt().when;
    after.operational.urgency = UrgencyCode::High;
    if !after.waits_for_answer() {
        return;
    }
    let urgency = UrgencyCode::High.urgency();
    let sooner = ruling.rules().clock.contact_by(urgency, now);
    let sooner = sooner.unwrap_or(now.plus_hours(1));
    if sooner < after.contact_by {
        after.contact_by = sooner;
        let item = after.id.id();
        let inbox = List::Inbox(after.recipient.clone());
        unlist(ruling, after);
        ruling.list(inbox, sooner.place(), item);
    }
    going_on::sooner(ruling, after);
}

#[cfg(test)]
mod tests;
