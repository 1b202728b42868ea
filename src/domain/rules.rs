//! Everything a decision depends on besides the attempt and the facts: rulebook, clock, keys.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::alias::{AliasKey, AliasKind, Aliases};
use super::attempt::{Attempt, RequestDigest};
use super::card::Code;
use super::clock::CodeClock;
use super::decision::List;
use super::firewall::hold::WRONG_DAYS;
use super::id::{Id, OrgId};
use super::instrument::Instruments;
use super::known::Known;
use super::notice::Notices;
use super::person::{SafeContact, TaggedToken, Token, TokenKeys};
use super::retention::Retention;
use super::rulebook::{Page, Rulebook, built_in_hash};
use super::time::When;
use super::trail::TrailKey;
use super::watch::Watch;

/// The keys of the domain, each for one use, all derived from the root key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DomainKeys {
    pub log_subject: [u8; 32],
    pub replay: [u8; 32],
    pub external: [u8; 32],
    /// Binds a session to the certificate's key ([`super::session`]).
    pub session: [u8; 32],
    /// Seals what an agency keeps of a withdrawal ([`super::counterfoil`]).
    pub counterfoil: [u8; 32],
    /// Makes the key of each organisation's trail.
    pub trail: [u8; 32],
    /// Marks the forms that a page gave out ([`super::session::FormToken`]).
    pub forms: [u8; 32],
}

/// Whose entries a list of one organisation's holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entries {
    OwnStaff,
    /// Of other organisations, that concern this one.
    Others,
    /// Its own staff's readings of what the log holds about the person: apart, so that having
    /// looked for someone does not make it look as if something were held.
    Readings,
}

/// The rules in force.
#[derive(Clone)]
pub struct Rules {
    /// Changed by two people of two organisations; everything else by whoever runs the gateway.
    pub book: Arc<Rulebook>,
    /// That the book only stands in, and for which.
    pub stands_in: Option<Arc<StandsIn>>,
    pub clock: Arc<CodeClock>,
    pub watch: Arc<Watch>,
    pub retention: Arc<Retention>,
    pub notices: Arc<Notices>,
    pub instruments: Arc<Instruments>,
    pub tokens: Arc<TokenKeys>,
    pub alias_key: Arc<AliasKey>,
    pub keys: Arc<DomainKeys>,
}

/// A rulebook is in force that this program cannot use: it was made for another version. Until two
/// people put one in force that it can, nothing is decided that tells of anyone.
pub struct StandsIn {
    pub hash: [u8; 32],
    pub problems: Vec<String>,
}

/// How these rules stand to the facts of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footing {
    /// The rulebook is the one that the facts say is in force.
    InForce,
    StandsIn,
    /// Another rulebook is in force: nothing may be decided under these rules.
    Other,
}

/// The hash of the rulebook that the facts say is in force.
pub fn in_force(known: &Known) -> [u8; 32] {
    let adopted = known.adopted.as_ref();
    adopted.map_or_else(built_in_hash, |adopted| adopted.hash)
}

fn keyed(key: &[u8; 32], label: &str, parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(label.as_bytes());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn short(long: [u8; 32]) -> [u8; 16] {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(long) {
        *to = from;
    }
    out
}

impl Rules {
    /// The same rules under another rulebook.
    #[must_use]
    pub fn under(&self, book: Rulebook, stands_in: Option<StandsIn>) -> Self {
        Self {
            book: Arc::new(book),
            stands_in: stands_in.map(Arc::new),
            ..self.clone()
        }
    }

    /// Whether a decision on these facts may be made under these rules. The facts hold which
    /// rulebook is in force, and the commit compares their version, so none is ever made under
    /// another (P8).
    pub fn footing(&self, known: &Known) -> Footing {
        let in_force = in_force(known);
        match &self.stands_in {
            Some(other) if other.hash == in_force => Footing::StandsIn,
            None if self.book.hash() == in_force => Footing::InForce,
            Some(_) | None => Footing::Other,
        }
    }

    /// The pages of the rulebook that decides.
    pub fn pages(&self) -> &[Page] {
        self.book.pages()
    }

    /// The names by which the caller's organisation knows things, on these facts.
    pub fn aliases(&self, attempt: &Attempt, known: &Known) -> Aliases {
        let own = attempt.organisation();
        let enrolled = known.organisations.get(own);
        // Who is not enrolled is told nothing that has a name.
        let suspensions = enrolled.map_or(0, |own| own.suspensions);
        self.alias_key.of(own, suspensions, attempt.when)
    }

    /// The log's own pseudonyms of the person with these tokens, the strongest first; none from a
    /// token that others have too.
    pub fn log_subjects(&self, tokens: &[TaggedToken]) -> Vec<[u8; 16]> {
        let names = tokens.iter().filter(|tagged| tagged.kind.names_in_log());
        let mut ordered: Vec<&TaggedToken> = names.collect();
        ordered.sort_by_key(|tagged| tagged.kind);
        ordered
            .into_iter()
            .map(|tagged| {
                let name = [tagged.token.bytes().as_slice()];
                let subject = short(keyed(&self.keys.log_subject, "subject", &name));
                *Id::drawn(subject).bytes()
            })
            .collect()
    }

    /// Where an organisation's entries about a person are listed, those of its own staff apart from
    /// those of others: a reader who may not see one kind must not be able to count it.
    pub fn subject_list(&self, organisation: &OrgId, of: Entries, subject: &[u8; 16]) -> List {
        let label = match of {
            Entries::OwnStaff => "subject list, own staff",
            Entries::Others => "subject list, others",
            Entries::Readings => "subject list, readings",
        };
        List::AuditSubject(short(keyed(
            &self.keys.log_subject,
            label,
            &[organisation.as_str().as_bytes(), subject],
        )))
    }

    /// The key of an organisation's trail through the log, which it may have.
    pub fn trail_key(&self, organisation: &OrgId) -> TrailKey {
        let of = organisation.as_str().as_bytes();
        TrailKey::new(keyed(&self.keys.trail, "trail", &[of]))
    }

    /// Where all readings of what the log holds about a person are listed, for the reviewer.
    pub fn readings(&self, subject: &[u8; 16]) -> List {
        List::AuditSubject(short(keyed(
            &self.keys.log_subject,
            "subject list, all readings",
            &[subject],
        )))
    }

    /// A worker as the weekly sample tells her apart, without naming her.
    pub fn worker(&self, organisation: &OrgId, user: &str) -> [u8; 16] {
        short(keyed(
            &self.keys.log_subject,
            "worker",
            &[organisation.as_str().as_bytes(), user.as_bytes()],
        ))
    }

    /// By which a device that keeps passkeys tells one person's apart from another's: it says nothing of
    /// who she is.
    pub fn passkey_handle(&self, organisation: &OrgId, user: &str) -> [u8; 16] {
        short(keyed(
            &self.keys.external,
            "passkey handle",
            &[organisation.as_str().as_bytes(), user.as_bytes()],
        ))
    }

    /// Names a request for idempotency: organisation, team, user and the caller's key.
    pub fn replay_key(&self, attempt: &Attempt) -> Option<[u8; 16]> {
        let key = attempt.idempotency.as_ref()?;
        let name = attempt.peer.name();
        Some(short(keyed(
            &self.keys.replay,
            "replay",
            &[
                name.organisation.as_str().as_bytes(),
                name.team.as_str().as_bytes(),
                attempt.user.as_str().as_bytes(),
                key.as_str().as_bytes(),
            ],
        )))
    }

    /// The name of a hold for its author's organisation. It carries its own date, so that nothing
    /// has to be stored to know it again: minutes since 1970, four zero bytes, randomness. It opens
    /// nothing and ends after a week, so a suspension need not end it.
    pub fn hold_reference(&self, own: &OrgId, at: When, random: [u8; 8]) -> Id {
        let minutes = u32::try_from(at.millis().div_euclid(60_000)).unwrap_or(0);
        let mut bytes = [0; 16];
        let (date, rest) = bytes.split_at_mut(4);
        date.copy_from_slice(&minutes.to_be_bytes());
        let (_, drawn) = rest.split_at_mut(4);
        drawn.copy_from_slice(&random);
        let aliases = self.alias_key.of(own, 0, at);
        aliases.outward(AliasKind::Hold, Id::from_bytes(bytes))
    }

    /// The hold that an organisation names, if it was made for it within the last seven days.
    pub fn hold_of(&self, own: &OrgId, reference: Id, now: When) -> Option<Id> {
        let aliases = self.alias_key.of(own, 0, now);
        let inner = aliases.inward(AliasKind::Hold, reference);
        let [a, b, c, d, 0, 0, 0, 0, ..] = *inner.bytes() else {
            return None;
        };
        let minutes = i64::from(u32::from_be_bytes([a, b, c, d]));
        let at = When::from_millis(minutes.saturating_mul(60_000));
        (at <= now && now < at.plus_days(WRONG_DAYS)).then_some(inner)
    }

    /// A held text, under a key of the gateway and apart for each organisation.
    pub fn held_text(&self, own: &OrgId, text: &str) -> Id {
        let parts = [own.as_str().as_bytes(), text.as_bytes()];
        Id::from_bytes(short(keyed(&self.keys.log_subject, "held text", &parts)))
    }

    /// The number and the address in a safe contact, each under a key of the gateway, so that others
    /// who have the one or the other can be found.
    pub fn contact_marks(&self, contact: &SafeContact) -> Vec<[u8; 16]> {
        let number = contact.number().map(|number| number.as_str());
        let email = contact.email().map(|email| email.as_str());
        let parts = [
            ("safe contact number", number),
            ("safe contact email", email),
        ];
        let parts = parts.into_iter().filter_map(|(label, part)| {
            let mark = keyed(&self.keys.log_subject, label, &[part?.as_bytes()]);
            Some(short(mark))
        });
        parts.collect()
    }

    /// What the idempotency record remembers of the request: never a bare hash.
    pub fn replay_request(&self, request: &RequestDigest) -> [u8; 32] {
        keyed(&self.keys.replay, "request", &[&request.0])
    }

    /// The token of a code on a card.
    pub fn card_code(&self, code: &Code) -> Token {
        let key = keyed(&self.keys.external, "card code", &[code.symbols()]);
        Token::from_bytes(short(key))
    }

    /// The token of a sender's own name for a referral.
    pub fn external(&self, organisation: &str, name: &str) -> Token {
        let key = keyed(
            &self.keys.external,
            "external",
            &[organisation.as_bytes(), name.as_bytes()],
        );
        Token::from_bytes(short(key))
    }
}
