//! Turns an ask into a Cedar request, and asks. Only the entities that the request touches are
//! made; the schema is checked on every request. Never reads an error as anything but a refusal.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicySet, Request, RestrictedExpression, Schema,
};

use super::{Ask, ConsentState};
use crate::domain::codes::OrgKind;
use crate::domain::id::OrgId;

/// The request could not be asked, or a policy failed on it. Deliberately says no more: the ask
/// is about a person.
#[derive(Debug)]
pub(super) struct CannotAsk;

pub(super) struct Verdict {
    pub(super) allowed: bool,
    /// The `@id`s that decided, sorted.
    pub(super) rules: Vec<String>,
}

/// Type names, parsed once.
pub(super) struct Names {
    action: EntityTypeName,
    worker: EntityTypeName,
    organisation: EntityTypeName,
    gateway: EntityTypeName,
    kind: EntityTypeName,
    role: EntityTypeName,
    purpose: EntityTypeName,
    class: EntityTypeName,
    offence: EntityTypeName,
    basis: EntityTypeName,
    strength: EntityTypeName,
    relationship: EntityTypeName,
    step: EntityTypeName,
}

impl Names {
    pub(super) fn parse() -> Result<Self, CannotAsk> {
        let name = |text: &str| text.parse::<EntityTypeName>().map_err(|_| CannotAsk);
        Ok(Self {
            action: name("Action")?,
            worker: name("Worker")?,
            organisation: name("Organisation")?,
            gateway: name("Gateway")?,
            kind: name("OrgKind")?,
            role: name("Role")?,
            purpose: name("Purpose")?,
            class: name("DataClass")?,
            offence: name("OffenceGroup")?,
            basis: name("Article6")?,
            strength: name("ConsentStrength")?,
            relationship: name("Relationship")?,
            step: name("Step")?,
        })
    }
}

fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

fn member(of: &EntityTypeName, code: &str) -> RestrictedExpression {
    RestrictedExpression::new_entity_uid(uid(of, code))
}

fn flag(value: bool) -> RestrictedExpression {
    RestrictedExpression::new_bool(value)
}

/// Asks one policy set; an error in its diagnostics is a failure, because Cedar skips a policy
/// that errors, so a broken `forbid` would let the request through (P3).
pub(super) fn decide(
    authorizer: &Authorizer,
    names: &Names,
    schema: &Schema,
    set: &PolicySet,
    ask: &Ask,
) -> Result<Verdict, CannotAsk> {
    let entities = entities(names, schema, ask)?;
    let request = Request::new(
        uid(&names.worker, "caller"),
        uid(&names.action, ask.action.code()),
        uid(&names.gateway, "firedoor"),
        context(names, ask)?,
        Some(schema),
    )
    .map_err(|_| CannotAsk)?;
    let response = authorizer.is_authorized(&request, set, &entities);
    if response.diagnostics().errors().next().is_some() {
        return Err(CannotAsk);
    }
    let mut rules: Vec<String> = response
        .diagnostics()
        .reason()
        .map(|id| AsRef::<str>::as_ref(id).to_owned())
        .collect();
    rules.sort();
    Ok(Verdict {
        allowed: matches!(response.decision(), Decision::Allow),
        rules,
    })
}

fn entities(names: &Names, schema: &Schema, ask: &Ask) -> Result<Entities, CannotAsk> {
    let actor = &ask.actor;
    let recipient = &ask.recipient;
    let own = organisation(
        names,
        &actor.organisation,
        actor.kind,
        actor.active,
        actor.agreement_in_date,
    )?;
    let mut all = vec![own];
    if recipient.organisation != actor.organisation {
        all.push(organisation(
            names,
            &recipient.organisation,
            recipient.kind,
            recipient.active,
            recipient.agreement_in_date,
        )?);
    } else if (
        recipient.kind,
        recipient.active,
        recipient.agreement_in_date,
    ) != (actor.kind, actor.active, actor.agreement_in_date)
    {
        // One organisation cannot be two things at once: the facts were read wrongly.
        return Err(CannotAsk);
    }
    let worker = Entity::new(
        uid(&names.worker, "caller"),
        HashMap::from([
            (
                "organisation".to_owned(),
                member(&names.organisation, actor.organisation.as_str()),
            ),
            ("teamTainted".to_owned(), flag(actor.tainted)),
            ("role".to_owned(), member(&names.role, actor.role.code())),
            ("roleAssertable".to_owned(), flag(actor.role_assertable)),
            (
                "personCertificate".to_owned(),
                flag(actor.person_certificate),
            ),
            ("secondFactor".to_owned(), flag(actor.second_factor)),
        ]),
        HashSet::new(),
    )
    .map_err(|_| CannotAsk)?;
    all.push(worker);
    Entities::from_entities(all, Some(schema)).map_err(|_| CannotAsk)
}

fn organisation(
    names: &Names,
    id: &OrgId,
    kind: OrgKind,
    active: bool,
    agreement_in_date: bool,
) -> Result<Entity, CannotAsk> {
    Entity::new(
        uid(&names.organisation, id.as_str()),
        HashMap::from([
            ("kind".to_owned(), member(&names.kind, kind.code())),
            ("active".to_owned(), flag(active)),
            ("agreementInDate".to_owned(), flag(agreement_in_date)),
        ]),
        HashSet::new(),
    )
    .map_err(|_| CannotAsk)
}

fn context(names: &Names, ask: &Ask) -> Result<Context, CannotAsk> {
    let organisation = |id: &OrgId| member(&names.organisation, id.as_str());
    let classes = ask
        .classes
        .iter()
        .map(|class| member(&names.class, class.code()));
    let mut pairs = vec![
        (
            "purpose".to_owned(),
            member(&names.purpose, ask.purpose.code()),
        ),
        (
            "certificateOrganisation".to_owned(),
            organisation(&ask.certificate_organisation),
        ),
        (
            "recipient".to_owned(),
            organisation(&ask.recipient.organisation),
        ),
        ("recipientTainted".to_owned(), flag(ask.recipient.tainted)),
        (
            "giver".to_owned(),
            member(&names.kind, ask.giver_kind().code()),
        ),
        ("classes".to_owned(), RestrictedExpression::new_set(classes)),
        ("own".to_owned(), flag(ask.own)),
        (
            "relationship".to_owned(),
            member(&names.relationship, ask.relationship.code()),
        ),
        (
            "basisOpenToGiver".to_owned(),
            flag(ask.basis_open_to_giver()),
        ),
        (
            "emergencyConfirmed".to_owned(),
            flag(ask.emergency_confirmed),
        ),
        ("identitySure".to_owned(), flag(ask.identity_sure)),
    ];
    if let Some(step) = ask.step {
        pairs.push(("step".to_owned(), member(&names.step, step.code())));
    }
    if let Some(offence) = ask.offence {
        pairs.push(("offence".to_owned(), member(&names.offence, offence.code())));
    }
    if let Some(basis) = ask.basis {
        pairs.push(("basis".to_owned(), member(&names.basis, basis.code())));
    }
    if let Some(state) = ask.consent {
        pairs.push(("consent".to_owned(), consent(names, state)?));
    }
    if let Some(state) = ask.source_consent {
        pairs.push(("sourceConsent".to_owned(), consent(names, state)?));
    }
    if let Some(proposer) = &ask.proposer {
        pairs.push(("proposer".to_owned(), organisation(proposer)));
    }
    Context::from_pairs(pairs).map_err(|_| CannotAsk)
}

fn consent(names: &Names, state: ConsentState) -> Result<RestrictedExpression, CannotAsk> {
    let steps = state.steps().map(|step| member(&names.step, step.code()));
    RestrictedExpression::new_record([
        (
            "strength".to_owned(),
            member(&names.strength, state.strength.code()),
        ),
        ("live".to_owned(), flag(state.live)),
        ("covers".to_owned(), flag(state.covers)),
        ("fromAnother".to_owned(), flag(state.from_another)),
        ("steps".to_owned(), RestrictedExpression::new_set(steps)),
    ])
    .map_err(|_| CannotAsk)
}
