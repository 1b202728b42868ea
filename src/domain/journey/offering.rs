//! A referral is offered: no identity in it, and the same reply wherever it went (3.1).

mod beside;
pub mod going_on;
mod texts;
mod timing;

pub use beside::Besides;
use texts::Texts;
use timing::{contact_by, pass_on_by};

use super::consenting::{keep_consent, names_a_notice};
use super::{
    ACCEPTED, ONWARD_RULE_BY_AGREEMENT, REFERRAL_PURPOSE, Stop, caller, keeping, mark, permit,
    recipient, withdrawing,
};
use crate::domain::alias::AliasKind;
use crate::domain::answer::{Answer, Offered};
use crate::domain::attempt::Attempt;
use crate::domain::codes::{Action, Article6, DataClass, ReferralStatus};
use crate::domain::consent::{Consent, Flow, Opens, Tombstone};
use crate::domain::counterfoil::Word;
use crate::domain::decision::{Aggregate, Decision, List};
use crate::domain::firewall::hold::{Hold, Unread};
use crate::domain::firewall::screen;
use crate::domain::id::{ConsentId, Id, OrgId, PersonId, ReferralId, ServiceId};
use crate::domain::known::Known;
use crate::domain::organisation::{Organisation, Service};
use crate::domain::other_party::OtherParty;
use crate::domain::person::{Beside, FieldError, Identity, Person, SafeContact, TaggedToken};
use crate::domain::record::{Holder, PersonRecord, PersonReferral, Record, singleton};
use crate::domain::referral::{
    AgreedTiming, Draft, Ground, Operational, PassOnBy, Referral, UrgencyCode,
};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::{Keys, Payload};
use crate::domain::time::When;

use zeroize::Zeroizing;

/// What flows with a referral once it is accepted.
pub const REFERRAL_CLASSES: [DataClass; 3] = [DataClass::Op, DataClass::Id, DataClass::Loc];

/// A second referral for the same offence within this time is noticed, if police make it.
const REREFERRED_DAYS: i64 = 30;

/// On what ground, with the person's own words already judged.
pub enum OfferGround {
    Consent(Consent),
    Declined {
        consent: Consent,
        stop_future_offers: bool,
    },
    Basis {
        article6: Article6,
    },
    None,
}

/// An offer whose person is resolved: tokens to find her by, identity only to be sealed.
pub struct Offer {
    pub service: ServiceId,
    pub operational: Operational,
    pub person: Person,
    pub identity: Identity,
    pub safe_contact: Option<SafeContact>,
    /// What is told of the other party.
    pub other_party: Option<OtherParty>,
    pub beside: Besides,
    pub note: Option<Unread>,
    /// Words beside the codes: read by the screen, then dropped.
    pub asides: Vec<Unread>,
    pub language: Option<String>,
    pub ground: OfferGround,
    pub agreed_timing: Option<AgreedTiming>,
    pub externals: Vec<String>,
    pub strict: bool,
    pub left_behind: Vec<String>,
}

impl Offer {
    /// Her consent names more than one service, so that another may be asked if this one is late.
    pub fn may_go_on(&self) -> bool {
        consent_of(self).is_some_and(going_on::may_go_on)
    }

    /// Joins what was parsed with the person that it resolved to.
    ///
    /// # Errors
    /// What is wrong with the safe contact, field by field.
    pub fn of(
        draft: Draft,
        resolved: (Person, Identity),
        beside: Besides,
        now: When,
    ) -> Result<Self, Vec<FieldError>> {
        let contact = draft
            .safe_contact
            .map(|raw| SafeContact::parse(raw, now))
            .transpose()?;
        let mut contact = contact;
        // The language travels apart: it is a proxy, for the one who will speak with her (F6).
        let language = contact.as_mut().and_then(SafeContact::take_language_need);
        let ground = match draft.ground {
            Ground::Consent(given) => OfferGround::Consent(Consent {
                recipients: given.recipients,
                ..given.consent
            }),
            Ground::Declined {
                stop_future_offers,
                given,
            } => OfferGround::Declined {
                consent: given.consent,
                stop_future_offers,
            },
            Ground::Basis { article6 } => OfferGround::Basis { article6 },
            Ground::None => OfferGround::None,
        };
        let (person, identity) = resolved;
        Ok(Self {
            service: draft.service,
            operational: draft.operational,
            person,
            identity,
            safe_contact: contact,
            other_party: draft.other_party.map(|given| given.told),
            beside,
            note: draft.note,
            asides: draft.asides,
            language: language.map(|tag| tag.as_str().to_owned()),
            ground,
            agreed_timing: draft.agreed_timing,
            externals: draft.externals,
            strict: draft.strict,
            left_behind: draft.left_behind,
        })
    }
}

/// Decides one offer.
pub fn offer(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    offer: &Offer,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.asked(&REFERRAL_CLASSES);
    match decide(&mut ruling, known, offer) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide(ruling: &mut Ruling<'_>, known: &Known, offer: &Offer) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    ruling.subject(offer.person.tokens());
    if let OfferGround::Declined {
        consent,
        stop_future_offers,
    } = &offer.ground
    {
        // A record of her refusal: nothing is offered to anyone.
        let mut ask = caller.ask(attempt, caller.as_recipient());
        ask.action = Action::RecordConsent;
        permit(ruling, &ask, ())?;
        names_a_notice(ruling, [consent])?;
        declined(ruling, offer, *stop_future_offers);
        return Ok(Answer::DeclinedByVictim);
    }
    let (service, receiver) = find_service(known, offer)?;
    check_fields(offer, attempt.when)?;
    beside::check(offer, caller.kind())?;
    names_a_notice(ruling, consent_of(offer))?;
    let consent = consent_of(offer).map(|consent| addressed(consent, attempt, receiver));
    let consent = consent.as_ref();
    let families = known.families(&receiver.id);
    let flow = Flow {
        holder: attempt.organisation(),
        recipient: &receiver.id,
        recipient_families: &families,
        classes: &REFERRAL_CLASSES,
        purpose: REFERRAL_PURPOSE,
        depth: None,
        now: attempt.when,
    };
    let mut ask = caller.ask(attempt, recipient(receiver, &service.team, attempt));
    ask.classes = beside::flowing(offer);
    ask.offence = Some(offer.operational.offence_group);
    // The caller's own input only: a withdrawal elsewhere must not show here (F8).
    ask.consent = consent.map(|consent| consent.state(&flow, &[], attempt.organisation()));
    ask.basis = match &offer.ground {
        OfferGround::Basis { article6 } => Some(*article6),
        OfferGround::Consent(_) | OfferGround::Declined { .. } | OfferGround::None => None,
    };
    let texts = Texts::read(ruling.rules(), attempt, offer)?;
    let note_passes = texts.note.is_some();
    let made = Made::new(attempt);
    let permitted = permit(ruling, &ask, payload(offer, &texts, &made))?;
    let screened = screen(permitted, ACCEPTED);
    mark(ruling, &screened);
    // That words were held is an entry of its own, in which she is not.
    let held = texts.held;
    let pass_on_by = pass_on_by(&ruling.rules().clock, offer, attempt.when)?;
    let urgency = offer.operational.urgency.urgency();
    let near = (urgency, offer.operational.area.as_deref());
    let asking = going_on::begins(ruling, known, &ask, (service, receiver), consent, near);
    let tombstones = known.withdrawals(offer.person.tokens());
    let given_at = consent.map_or(attempt.when, |consent| consent.given_at);
    let ends = [attempt.organisation(), &receiver.id];
    let stopped = withdrawing::stopped_by(&tombstones, given_at, ends, &REFERRAL_CLASSES);
    let withdrew_on = tombstones
        .iter()
        .filter(|tombstone| tombstone.at < given_at)
        .map(|tombstone| tombstone.at)
        .max();
    let standing = standing(receiver, service, offer, attempt.when);
    let parent = offer.beside.parent.as_ref();
    let own = known.own_record_under(attempt.organisation(), offer.person.tokens(), parent);
    for earlier in rereferred(known, own, offer, attempt) {
        ruling.concerns(&earlier.recipient);
        ruling.signal("probe.rereferral");
    }
    let referral = Referral {
        id: made.referral,
        journey: made.journey,
        sender: attempt.organisation().clone(),
        sender_team: attempt.peer.name().team.clone(),
        sender_user: attempt.user.as_str().to_owned(),
        sender_person: own.unwrap_or(made.person),
        recipient: receiver.id.clone(),
        recipient_team: service.team.clone(),
        recipient_person: None,
        service: service.id.clone(),
        tokens: offer.person.tokens().to_vec(),
        operational: offer.operational.clone(),
        consent: consent.map(|_| made.consent),
        basis: ask.basis,
        purpose: REFERRAL_PURPOSE,
        offered_at: attempt.when,
        contact_by: contact_by(&ruling.rules().clock, offer, attempt.when)?,
        due: pass_on_by.clone(),
        details_passed_at: None,
        status: if stopped.is_some() {
            ReferralStatus::Withdrawn
        } else {
            ReferralStatus::Offered
        },
        answered_at: None,
        accepted_by: None,
        decline_reason: None,
        outcomes: Vec::new(),
        withdrew_on,
        paused: None,
        updates: Vec::new(),
        identity_item: Some(made.identity),
        contact_item: offer.safe_contact.as_ref().map(|_| made.contact),
        note_item: offer
            .note
            .as_ref()
            .filter(|_| note_passes)
            .map(|_| made.note),
        language_item: offer.language.as_ref().map(|_| made.language),
        custody_key: None,
        resealed_item: None,
        contact_marks: offer
            .safe_contact
            .as_ref()
            .map_or_else(Vec::new, |contact| ruling.rules().contact_marks(contact)),
        contact_stopped: false,
        carried_item: None,
        other_party: offer.beside.other_party.clone(),
        other_party_item: offer.other_party.as_ref().map(|_| made.other_party),
        parent: parent.cloned(),
        handover: None,
        route: None,
        asking,
    };
    write_person(
        ruling,
        known,
        attempt.organisation(),
        offer.person.tokens(),
        (own, made.person),
        parent,
    );
    if let Some(consent) = consent {
        let consent = Consent {
            id: made.consent,
            ..consent.clone()
        };
        ruling.consent(made.consent.id());
        keep_consent(ruling, referral.sender_person, &consent);
    }
    write_links(ruling, &referral, offer);
    if offer.note.is_some() && !note_passes {
        keeping::note_is_missing(ruling, &referral);
    }
    let of = Aggregate::Referral(referral.id);
    match stopped {
        // What a withdrawal stops becomes a task for the service that took it (3.4).
        Some(taken_by) => {
            ruling.note("stopped-by-withdrawal");
            ruling.concerns(&taken_by);
            ruling.list(List::Events(taken_by), 0, referral.id.id());
            let answer = answer(ruling, &referral, pass_on_by, held, offer);
            going_on::list_due(ruling, &referral);
            ruling.fact(of, singleton("referral"), &Record::Referral(referral));
            Ok(answer)
        }
        None => {
            ruling.payload(&of, &screened);
            ruling.concerns(&referral.recipient);
            let answer = answer(ruling, &referral, pass_on_by, held, offer);
            deliver(ruling, known, referral, standing);
            Ok(answer)
        }
    }
}

/// What this organisation sent about the same person for the same offence in the last 30 days: to
/// refer her once more is a way to ask who has her (3.10 c). The reply is the same.
fn rereferred<'a>(
    known: &'a Known,
    own: Option<PersonId>,
    offer: &'a Offer,
    attempt: &'a Attempt,
) -> impl Iterator<Item = &'a Referral> {
    known.referrals.values().filter(move |earlier| {
        own == Some(earlier.sender_person)
            && earlier.sender == *attempt.organisation()
            && earlier.operational.offence_group == offer.operational.offence_group
            && earlier.offered_at.plus_days(REREFERRED_DAYS) > attempt.when
    })
}

/// Ids that this attempt makes.
struct Made {
    referral: ReferralId,
    journey: Id,
    person: PersonId,
    consent: ConsentId,
    identity: Id,
    contact: Id,
    note: Id,
    language: Id,
    other_party: Id,
}

impl Made {
    fn new(attempt: &Attempt) -> Self {
        let entropy = &attempt.entropy;
        Self {
            referral: ReferralId(entropy.id("referral")),
            journey: entropy.id("journey"),
            person: PersonId(entropy.id("person")),
            consent: ConsentId(entropy.id("consent")),
            identity: entropy.id("identity item"),
            contact: entropy.id("contact item"),
            note: entropy.id("note item"),
            language: entropy.id("language item"),
            other_party: entropy.id("other party item"),
        }
    }
}

fn find_service<'a>(
    known: &'a Known,
    offer: &Offer,
) -> Result<(&'a Service, &'a Organisation), Refusal> {
    let service = known.directory.service(&offer.service);
    let receiver = service.and_then(|service| known.organisations.get(&service.organisation));
    match (service, receiver) {
        (Some(service), Some(receiver)) if service.takes_referrals => Ok((service, receiver)),
        (Some(_), Some(_)) => Err(Refusal::CheckYourAnswers(vec![FieldError {
            field: "service",
            message: "this service takes no referrals at present; choose another",
        }])),
        _ => Err(Refusal::CheckYourAnswers(vec![FieldError {
            field: "service",
            message: "there is no such service; GET /v1/me lists those you may refer to",
        }])),
    }
}

fn check_fields(offer: &Offer, now: When) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    let operational = &offer.operational;
    if operational.offence_group.needs_safe_contact() && offer.safe_contact.is_none() {
        wrong.push(FieldError {
            field: "safe_contact",
            message: "say how it is safe to reach her; for this offence the abuser may answer",
        });
    }
    if operational.reported_at.is_some_and(|at| at > now) {
        wrong.push(FieldError {
            field: "reported_at",
            message: "this is in the future",
        });
    }
    let risk_ahead = operational
        .risk
        .as_ref()
        .is_some_and(|risk| risk.assessed_at > now);
    if risk_ahead {
        wrong.push(FieldError {
            field: "risk_summary.assessed_at",
            message: "this is in the future",
        });
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Refusal::CheckYourAnswers(wrong))
    }
}

fn consent_of(offer: &Offer) -> Option<&Consent> {
    match &offer.ground {
        OfferGround::Consent(consent) => Some(consent),
        OfferGround::Declined { .. } | OfferGround::Basis { .. } | OfferGround::None => None,
    }
}

fn payload(offer: &Offer, texts: &Texts<'_>, made: &Made) -> Payload {
    let mut payload = Payload::default();
    // Where she lives is not kept: it has made the tokens, and no row of the table may have it.
    if let Ok(plain) = offer.identity.who.encode() {
        payload.add(DataClass::Id, made.identity, plain);
    }
    if let Some(Ok(plain)) = texts.contact.as_ref().map(|contact| contact.encode()) {
        payload.add(DataClass::Loc, made.contact, plain);
    }
    if let Some(note) = &texts.note {
        payload.add(DataClass::Ft, made.note, note.bytes());
    }
    if let Some(language) = &offer.language {
        payload.add(
            DataClass::Ip,
            made.language,
            Zeroizing::new(language.clone().into_bytes()),
        );
    }
    if let Some(told) = &offer.other_party {
        let plain = Zeroizing::new(told.to_bytes());
        payload.add(DataClass::Perp, made.other_party, plain);
    }
    payload
}

/// Whether the receiving front door always takes such a referral. Never for a tainted team.
fn standing(receiver: &Organisation, service: &Service, offer: &Offer, now: When) -> bool {
    let agreed = receiver
        .agreement(now)
        .and_then(|agreement| agreement.standing.as_ref());
    let area = offer.operational.area.as_ref();
    !receiver.tainted(&service.team, now)
        && agreed.is_some_and(|standing| {
            standing.offences.contains(&offer.operational.offence_group)
                && (standing.areas.is_empty()
                    || area.is_some_and(|area| standing.areas.contains(area)))
        })
}

/// Makes the organisation's own record of the person, unless it has one, and its tokens. Of a child:
/// under the parent whose referral it is.
pub fn write_person(
    ruling: &mut Ruling<'_>,
    known: &Known,
    organisation: &OrgId,
    tokens: &[TaggedToken],
    (own, new): (Option<PersonId>, PersonId),
    parent: Option<&Beside>,
) {
    let person = own.unwrap_or(new);
    let before = known
        .people
        .get(&person)
        .and_then(|person| person.record.as_ref());
    let mut all = before
        .map(|record| record.tokens.clone())
        .unwrap_or_default();
    for tagged in tokens {
        if !all.contains(tagged) {
            all.push(*tagged);
            if !tagged.kind.is_key() {
                continue;
            }
            ruling.fact(
                Aggregate::Token(tagged.token),
                person.id(),
                &Record::Holder(Holder {
                    organisation: organisation.clone(),
                    person,
                }),
            );
        }
    }
    if before.is_none_or(|record| record.tokens.len() != all.len()) {
        let created_at = before.map_or(ruling.attempt().when, |record| record.created_at);
        let record = PersonRecord {
            organisation: organisation.clone(),
            tokens: all,
            created_at,
            parent: match before {
                Some(record) => record.parent.clone(),
                None => parent.cloned(),
            },
        };
        ruling.fact(
            Aggregate::Person(person),
            singleton("person"),
            &Record::Person(record),
        );
    }
}

fn write_links(ruling: &mut Ruling<'_>, referral: &Referral, offer: &Offer) {
    let at = ruling.attempt().when;
    ruling.fact(
        Aggregate::Person(referral.sender_person),
        referral.id.id(),
        &Record::PersonReferral(PersonReferral {
            referral: referral.id,
            sent: true,
            at,
        }),
    );
    for name in &offer.externals {
        let token = ruling.rules().external(referral.sender.as_str(), name);
        ruling.fact(
            Aggregate::Token(token),
            referral.id.id(),
            &Record::External(referral.id),
        );
    }
    ruling.list(List::Sent(referral.sender.clone()), 0, referral.id.id());
}

fn deliver(ruling: &mut Ruling<'_>, known: &Known, mut referral: Referral, standing: bool) {
    let item = referral.id.id();
    if standing {
        ruling.note("standing-acceptance");
        ruling.note(ONWARD_RULE_BY_AGREEMENT);
        super::answering::take(ruling, known, &mut referral, "standing acceptance");
    }
    // The inbox is in the order of contact-by, then of arrival.
    let at = referral.contact_by.place();
    ruling.list(List::Inbox(referral.recipient.clone()), at, item);
    ruling.list(List::Events(referral.recipient.clone()), 0, item);
    super::counting::delivered(ruling, &referral);
    going_on::list_due(ruling, &referral);
    super::answering::save(ruling, &referral);
}

fn answer(
    ruling: &mut Ruling<'_>,
    referral: &Referral,
    pass_on_by: Option<PassOnBy>,
    held: Vec<Hold>,
    offer: &Offer,
) -> Answer {
    // The caller is its sender.
    let outward = ruling
        .aliases()
        .outward(AliasKind::Referral, referral.id.id());
    let journey = ruling
        .aliases()
        .outward(AliasKind::Journey, referral.journey);
    ruling.made(outward);
    ruling.object(Some(outward), Some(referral.id.id()));
    Answer::Offered(Offered {
        referral: ReferralId(outward),
        journey,
        pass_on_by,
        contact_by: referral.contact_by,
        is_urgent: referral.operational.urgency == UrgencyCode::High,
        held,
        left_behind: offer.left_behind.clone(),
        he_was_there: consent_of(offer).is_some_and(Consent::needs_warning),
    })
}

// A refusal is kept without identity; only if she asks that future offers be stopped does a
// keyed trace of her remain (3.0.6).
fn declined(ruling: &mut Ruling<'_>, offer: &Offer, stop_future: bool) {
    ruling.note("declined-by-victim");
    if !stop_future {
        return;
    }
    let attempt = ruling.attempt();
    let tombstone = Tombstone {
        at: attempt.when,
        until: None,
        taken_by: attempt.organisation().clone(),
        scope: crate::domain::codes::WithdrawalScope::Purpose,
        organisations: Vec::new(),
        classes: Vec::new(),
        purposes: vec![REFERRAL_PURPOSE],
        tokens: offer.person.tokens().to_vec(),
    };
    let item = attempt.entropy.id("tombstone");
    withdrawing::lay(ruling, &tombstone, item);
    ruling.took(Word::Declined { tombstone, item });
}

/// The consent as recorded: by whom, and to the service referred to when she named no other.
fn addressed(stated: &Consent, attempt: &Attempt, receiver: &Organisation) -> Consent {
    let mut consent = stated.clone();
    consent.recorded_by = attempt.organisation().clone();
    consent.opens = Opens::Share;
    let recipients = &mut consent.recipients;
    if recipients.organisations.is_empty() && recipients.families.is_empty() {
        recipients.organisations.push(receiver.id.clone());
    }
    consent
}
