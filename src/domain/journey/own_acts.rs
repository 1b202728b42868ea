//! What the gateway does of itself, as entries of the log: put down to the operator, and seen by every
//! organisation like what the operator's staff do.
//!
//! An act of the gateway must never open anything.

use sha2::{Digest, Sha256};

use crate::domain::answer::Answer;
use crate::domain::attempt::Entropy;
use crate::domain::audit::OPERATOR;
use crate::domain::codes::OrgKind;
use crate::domain::decision::{Aggregate, Decision, List, Write};
use crate::domain::id::{Id, OrgId, TeamId};
use crate::domain::known::Known;
use crate::domain::leaf::{LeafClass, LeafDraft};
use crate::domain::opening::{Account, Decided, Outcome, What, Who, Why};
use crate::domain::record::Record;
use crate::domain::rules::{Footing, Rules};
use crate::domain::ruling::{BadRuling, Ruled};
use crate::domain::seal::Keys;
use crate::domain::time::When;

/// One act, with what it writes.
pub struct OwnAct {
    /// Which part of the gateway, in place of a user.
    pub user: &'static str,
    pub action: &'static str,
    pub reason: String,
    /// By which rule; empty if by none.
    pub rule: String,
    pub answer: Answer,
    /// Organisations in whose lists it is put, beside the operator's.
    pub told: Vec<OrgId>,
    /// Of these, a log entry names at most so many as it can.
    pub concerned: Vec<OrgId>,
    pub notes: Vec<String>,
    /// What the leaf binds of what it was done for.
    pub request: Vec<u8>,
    pub facts: Vec<(Aggregate, Id, Record)>,
    pub removed: Vec<(Aggregate, Id)>,
    /// List, position, item.
    pub lists: Vec<(List, Id)>,
    /// What else it writes: what it erases, and places in lists.
    pub writes: Vec<Write>,
    /// Taken even when the disk is nearly full.
    pub urgent: bool,
}

/// The most organisations that an entry names.
const CONCERNED_MAX: usize = 60;

/// The gateway's own entry. `None` if nobody was ever enrolled.
///
/// # Errors
/// [`BadRuling`].
pub fn entry(
    rules: &Rules,
    when: When,
    entropy: &Entropy,
    mut keys: Keys,
    known: &Known,
    act: OwnAct,
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let Some((operator, team)) = operator(known) else {
        return Ok(None);
    };
    if rules.footing(known) == Footing::Other {
        return Err(BadRuling::OtherRulebook);
    }
    let told = act.answer.told();
    let mut notes = vec![OPERATOR.to_owned()];
    notes.extend(act.notes);
    let enrolled = known.organisations.get(&operator);
    let suspensions = enrolled.map_or(0, |operator| operator.suspensions);
    let aliases = rules.alias_key.of(&operator, suspensions, when);
    let account = Account {
        who: Who {
            organisation: operator,
            team,
            user: act.user.to_owned(),
            role: "operator_admin".to_owned(),
            certificate: [0; 32],
            asserted: false,
        },
        why: Why {
            purpose: "administration".to_owned(),
            reason: Some(act.reason),
            case: None,
        },
        what: What {
            action: act.action.to_owned(),
            object: None,
            asked: Vec::new(),
        },
        decided: Decided {
            outcome: Outcome::Permit,
            told: told.to_owned(),
            rule: act.rule,
            policy: rules.book.hash(),
            subject: None,
            object: None,
            consents: Vec::new(),
            basis: None,
            relationship: None,
            firewall: None,
            disclosed: Vec::new(),
            concerned: act.concerned.into_iter().take(CONCERNED_MAX).collect(),
            sources: 0,
            notes,
        },
    };
    let (draft, opening) =
        LeafDraft::new(when, LeafClass::Gateway, account, &act.request, |label| {
            entropy.bytes(label)
        })?;
    let mut writes = Vec::new();
    for (of, item, record) in act.facts {
        let sealed = keys.fact(&of, item, &record)?;
        writes.push(Write::Fact { of, item, sealed });
    }
    let removed = act.removed.into_iter();
    writes.extend(removed.map(|(of, item)| Write::Remove { of, item }));
    let entry_lists = act.told.into_iter().map(List::AuditConcerned);
    let lists = entry_lists.chain([List::Operator]);
    let lists = lists.map(|list| (list, draft.id())).chain(act.lists);
    writes.extend(lists.map(|(list, item)| Write::List { list, at: 0, item }));
    writes.extend(act.writes);
    let sealed = keys.opening(draft.id(), &opening)?;
    let hash: [u8; 32] = Sha256::digest(sealed.sealed().ciphertext()).into();
    Ok(Some(Decision {
        value: Ruled {
            answer: act.answer,
            opening,
            aliases,
            counterfoil: None,
        },
        read: known.read.clone(),
        leaf: draft.with_sealed(&hash),
        opening: sealed,
        writes,
        replay: None,
        urgent: act.urgent,
        unused: keys.unused(),
    }))
}

/// To whom the entry is put down: the operator; if a copy has lost what it held of the operator,
/// the first who may approve.
fn operator(known: &Known) -> Option<(OrgId, TeamId)> {
    let mut operators = known.organisations.values();
    let found = operators.find(|one| one.kind == OrgKind::Operator);
    let found = found.and_then(|one| Some((one.id.clone(), one.teams.first()?.id.clone())));
    found.or_else(|| {
        let first = known.approvers.first.first().map(|(id, _)| id.clone());
        let member = first.or_else(|| known.members().into_iter().next())?;
        Some((member, TeamId::parse("gateway").ok()?))
    })
}
