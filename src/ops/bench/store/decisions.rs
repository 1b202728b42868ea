//! Decisions to commit: of the size and shape of an ordinary one, about nobody.
//!
//! One fact, one part of payload, one list entry, one count, one idempotency record and the log
//! entry, sealed as the gateway seals them. No two are about the same person, so none moves
//! another.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::attempt::Entropy;
use crate::domain::codes::{Action, ConsentStrength, DataClass, OrgKind, Purpose, Role};
use crate::domain::decision::{
    Aggregate, Counter, Decision, List, PartRef, Replay, Version, Write,
};
use crate::domain::firewall::{Screened, screen};
use crate::domain::id::{Id, OrgId, PersonId, TeamId};
use crate::domain::journey::ACCEPTED;
use crate::domain::leaf::{LeafClass, LeafDraft};
use crate::domain::opening::{Account, Decided, Outcome, What, Who, Why};
use crate::domain::person::{TaggedToken, Token, TokenKind};
use crate::domain::policy::{
    Actor, Ask, ConsentState, Policies, Recipient, Relationship, authorise,
};
use crate::domain::record::{PersonRecord, Record, singleton};
use crate::domain::seal::{ItemKey, Keys, Payload};
use crate::domain::time::When;
use crate::ops::bench::BenchError;
use crate::ops::gateway::random;

/// Item keys of one decision: of its fact, its part and its log entry.
pub const KEYS_A_DECISION: usize = 3;
/// A note and the safe contact of an offer, about.
const PART_BYTES: usize = 640;
/// As many as an ordinary person has.
const TOKENS: u8 = 8;
const REPLY: &[u8] = br#"{"status":201,"referral":"01J0000000000000000000000"}"#;

/// Makes decisions without end.
pub struct Maker {
    sender: OrgId,
    receiver: OrgId,
    team: TeamId,
    payload: Screened<Payload>,
    item: Id,
    next: AtomicU64,
}

fn organisation(name: &str) -> Result<OrgId, BenchError> {
    OrgId::parse(name).map_err(|_| BenchError::Denied)
}

impl Maker {
    /// The first decision is number `next`.
    ///
    /// # Errors
    /// [`BenchError::Denied`] if the shipped policies let no police officer refer anyone.
    pub fn from(next: u64) -> Result<Self, BenchError> {
        let (sender, receiver) = (
            organisation("bench-police")?,
            organisation("bench-charity")?,
        );
        let team = TeamId::parse("desk").map_err(|_| BenchError::Denied)?;
        let item = singleton("bench part");
        let mut payload = Payload::default();
        payload.add(DataClass::Op, item, Zeroizing::new(vec![b'n'; PART_BYTES]));
        let policies = Policies::shipped().map_err(|_| BenchError::Denied)?;
        let ask = ask(&sender, &receiver, &team);
        let permitted = authorise(&policies, &ask, payload).map_err(|_| BenchError::Denied)?;
        Ok(Self {
            sender,
            receiver,
            team,
            payload: screen(permitted, ACCEPTED),
            item,
            next: AtomicU64::new(next),
        })
    }

    /// Whom decision `number` is about.
    pub fn person(number: u64) -> Aggregate {
        Aggregate::Person(PersonId(Id::from_bytes(
            (u128::from(number) << 64 | 0xbe_4c).to_be_bytes(),
        )))
    }

    /// The payload of decision `number`.
    pub fn part(&self, number: u64) -> PartRef {
        PartRef {
            of: Self::person(number),
            item: self.item,
            class: DataClass::Op,
        }
    }

    /// The next one, with `keys` of [`KEYS_A_DECISION`].
    ///
    /// # Errors
    /// [`BenchError::Denied`] if there are too few keys.
    pub fn make(&self, keys: Vec<ItemKey>, when: When) -> Result<Decision<()>, BenchError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let of = Self::person(number);
        let entropy = Entropy::new(random());
        let item = entropy.id("item");
        let mut keys = Keys::new(keys, entropy.branch("nonces"));
        let denied = |_| BenchError::Denied;
        let sealed = keys
            .fact(&of, item, &self.record(number, when))
            .map_err(denied)?;
        let mut writes = keys.parts(&of, &self.payload).map_err(denied)?;
        let (draft, opening) = LeafDraft::new(
            when,
            LeafClass::Attempt,
            self.account(item),
            REPLY,
            |label| entropy.bytes(label),
        )
        .map_err(|_| BenchError::Denied)?;
        let opening = keys.opening(draft.id(), &opening).map_err(denied)?;
        let sealed_hash = Sha256::digest(opening.sealed().ciphertext()).into();
        let (list, organisation) = (List::Inbox(self.receiver.clone()), self.sender.clone());
        let day = i32::try_from(when.millis() / 86_400_000).unwrap_or(0);
        writes.extend([
            Write::Fact {
                of: of.clone(),
                item,
                sealed,
            },
            Write::List {
                list,
                at: number,
                item,
            },
            Write::Count {
                counter: Counter::NewUsers { organisation, day },
                by: 1,
                max: u32::MAX,
            },
        ]);
        let mine = Aggregate::Organisation(self.sender.clone());
        Ok(Decision {
            value: (),
            read: [of, mine, Aggregate::Settings]
                .map(|of| (of, Version(0)))
                .into(),
            leaf: draft.with_sealed(&sealed_hash),
            opening,
            writes,
            replay: Some(Replay {
                key: entropy.bytes("replay"),
                request: entropy.bytes("request"),
                until: when.plus_days(7),
                reply: REPLY.to_vec(),
            }),
            urgent: false,
            unused: keys.unused(),
        })
    }

    fn record(&self, number: u64, when: When) -> Record {
        let token = |place: u8| TaggedToken {
            kind: TokenKind::NameBirth,
            token: Token::from_bytes((u128::from(number) << 8 | u128::from(place)).to_be_bytes()),
        };
        Record::Person(PersonRecord {
            organisation: self.sender.clone(),
            tokens: (0..TOKENS).map(token).collect(),
            created_at: when,
            parent: None,
        })
    }

    fn account(&self, object: Id) -> Account {
        Account {
            who: Who {
                organisation: self.sender.clone(),
                team: self.team.clone(),
                user: "pc-ward".to_owned(),
                role: Role::Officer.code().to_owned(),
                certificate: [7; 32],
                asserted: true,
            },
            why: Why {
                purpose: Purpose::OnwardReferral.code().to_owned(),
                reason: None,
                case: None,
            },
            what: What {
                action: Action::OfferReferral.code().to_owned(),
                object: Some(object),
                asked: vec![DataClass::Op.code().to_owned()],
            },
            decided: Decided {
                outcome: Outcome::Permit,
                told: "offered".to_owned(),
                rule: self.payload.rules().first().cloned().unwrap_or_default(),
                policy: [9; 32],
                subject: Some([3; 16]),
                object: Some(object),
                consents: vec![object],
                basis: None,
                relationship: Some(Relationship::None.code().to_owned()),
                firewall: None,
                disclosed: vec![DataClass::Op.code().to_owned()],
                concerned: vec![self.receiver.clone()],
                sources: 0,
                notes: Vec::new(),
            },
        }
    }
}

/// The question of an officer who refers someone that agreed.
fn ask(sender: &OrgId, receiver: &OrgId, team: &TeamId) -> Ask {
    Ask {
        action: Action::OfferReferral,
        purpose: Purpose::OnwardReferral,
        actor: Actor {
            organisation: sender.clone(),
            kind: OrgKind::Police,
            active: true,
            team: team.clone(),
            tainted: false,
            role: Role::Officer,
            role_assertable: true,
            person_certificate: false,
            second_factor: false,
            agreement_in_date: true,
        },
        certificate_organisation: sender.clone(),
        recipient: Recipient {
            organisation: receiver.clone(),
            kind: OrgKind::VoluntaryGeneric,
            active: true,
            tainted: false,
            agreement_in_date: true,
        },
        giver: None,
        own: false,
        classes: vec![DataClass::Op],
        relationship: Relationship::None,
        offence: None,
        basis: None,
        consent: Some(ConsentState {
            strength: ConsentStrength::Explicit,
            live: true,
            covers: true,
            from_another: false,
            depth: None,
        }),
        source_consent: None,
        step: None,
        identity_sure: false,
        emergency_confirmed: false,
        proposer: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::seal::Slot;

    #[test]
    fn a_decision_of_the_bench_has_its_part_and_uses_all_its_keys() {
        let maker = Maker::from(0).unwrap();
        let keys = (1..=KEYS_A_DECISION as u64).map(|slot| ItemKey::new(Slot(slot), [1; 32]));
        let when = When::parse("2026-04-02T20:10:00Z").unwrap();
        let decision = maker.make(keys.collect(), when).unwrap();
        assert!(decision.unused.is_empty());
        let parts = decision.writes.iter();
        let parts = parts.filter(|write| matches!(write, Write::Part { .. }));
        assert_eq!(parts.count(), 1);
    }
}
