//! A decision being made: its writes, its account for the log, and who must be able to see it.
//!
//! Every attempt ends in [`Ruling::finish`], whatever was found, so that one attempt makes exactly
//! one leaf (P2).

mod held;
mod listing;

use sha2::{Digest, Sha256};

use super::alias::Aliases;
use super::answer::Answer;
use super::attempt::Attempt;
use super::audit::OPERATOR;
use super::audit::figures::is_access;
use super::codes::{Action, Article6, DataClass, OrgKind};
use super::counterfoil::{Counterfoil, Word};
use super::decision::{Aggregate, Decision, List, Replay, Write};
use super::firewall::Screened;
use super::id::{Id, OrgId, ReferralId};
use super::journey::governing::standing_in;
use super::journey::restoring;
use super::known::Known;
use super::leaf::{LeafClass, LeafDraft};
use super::opening::{
    Account, BadOpening, Decided, FirewallMark, Opening, Outcome, What, Who, Why,
};
use super::person::{TaggedToken, Token};
use super::record::Record;
use super::refusal::Refusal;
use super::rules::{Footing, Rules};
use super::seal::{Keys, OutOfKeys, Payload};
use super::watch::RuleCode;
use super::witnessing;
use listing::{Place, list_entry};

/// An idempotency record is kept this long.
pub const REPLAY_DAYS: i64 = 7;
/// What an idempotency record may hold.
const REPLY_BYTES_MAX: usize = 4_096;

/// The decision could not be put together; nothing may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRuling {
    #[error(transparent)]
    OutOfKeys(#[from] OutOfKeys),
    #[error(transparent)]
    Opening(#[from] BadOpening),
    #[error("another rulebook is in force than the one that decided")]
    OtherRulebook,
}

/// What a decision came to, with the account that its receipt is made from.
pub struct Ruled {
    pub answer: Answer,
    pub opening: Opening,
    /// The names by which the answer speaks to whom it goes.
    pub aliases: Aliases,
    /// What the caller keeps of a withdrawal, sealed.
    pub counterfoil: Option<Vec<u8>>,
}

/// Whom a question is about, so that the watch can tell people apart without knowing who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedAbout {
    pub household: Option<Token>,
    /// Different people of that household whom this user asked about lately, with her.
    pub together: u32,
    /// This user had not asked about her in this day.
    pub first: bool,
}

/// How the asker's own work with her stands, as far as it is the asker's own doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// It never had a referral about her.
    None,
    /// It closed its work with her.
    Closed,
    /// It handed her over to another area, and its work has ended.
    Transferred,
}

/// A decision in the making.
pub struct Ruling<'a> {
    attempt: &'a Attempt,
    rules: &'a Rules,
    known: &'a Known,
    aliases: Aliases,
    keys: Keys,
    writes: Vec<Write>,
    what: What,
    why: Why,
    decided: Decided,
    subjects: Vec<[u8; 16]>,
    /// The attempt reads what the log holds about them; it does nothing with them.
    looks_up: bool,
    /// What the idempotency record answers again: the id that was made, if any.
    made: Option<Id>,
    signal: Option<&'static str>,
    closed_read: Option<ReferralId>,
    tie: Option<Tie>,
    glass_broken: bool,
    found: Option<RuleCode>,
    asked_about: Option<AskedAbout>,
    about: Vec<TaggedToken>,
    word: Option<Word>,
    /// Refused as it was sent: nothing that is stored was looked at.
    unread: bool,
    failed: Option<OutOfKeys>,
}

impl<'a> Ruling<'a> {
    pub fn new(rules: &'a Rules, attempt: &'a Attempt, known: &'a Known, keys: Keys) -> Self {
        Self {
            attempt,
            rules,
            known,
            aliases: rules.aliases(attempt, known),
            keys,
            writes: Vec::new(),
            what: What {
                action: attempt.action.code().to_owned(),
                object: None,
                asked: Vec::new(),
            },
            why: Why {
                purpose: attempt.purpose.code().to_owned(),
                reason: None,
                case: None,
            },
            decided: Decided {
                outcome: Outcome::Permit,
                told: String::new(),
                rule: String::new(),
                policy: rules.book.hash(),
                subject: None,
                object: None,
                consents: Vec::new(),
                basis: None,
                relationship: None,
                firewall: None,
                disclosed: Vec::new(),
                concerned: Vec::new(),
                sources: 0,
                notes: Vec::new(),
            },
            subjects: Vec::new(),
            looks_up: false,
            made: None,
            signal: None,
            closed_read: None,
            tie: None,
            glass_broken: false,
            found: None,
            asked_about: None,
            about: Vec::new(),
            word: None,
            unread: false,
            failed: None,
        }
    }

    /// An attempt shaped like a look-up of where someone is or what her status is (3.10).
    pub fn signal(&mut self, code: &'static str) {
        self.signal = Some(code);
    }

    /// The status that is read is of a referral that is closed.
    pub fn reads_closed(&mut self, referral: ReferralId) {
        self.closed_read = Some(referral);
    }

    /// The asker has no work with her that goes on.
    pub fn untied(&mut self, tie: Tie) {
        self.tie = Some(tie);
    }

    /// The glass is broken for her, found or not; it concerns whoever was named till now.
    pub fn breaks_glass(&mut self) {
        self.glass_broken = true;
    }

    /// Something that officers are told of at once; it concerns whoever was named till now.
    pub fn finds(&mut self, code: RuleCode) {
        self.found = Some(code);
    }

    pub const fn found(&self) -> Option<RuleCode> {
        self.found
    }

    pub const fn is_glass_broken(&self) -> bool {
        self.glass_broken
    }

    pub const fn tie(&self) -> Option<Tie> {
        self.tie
    }

    pub fn asks_about(&mut self, asked: AskedAbout) {
        self.asked_about = Some(asked);
    }

    pub const fn asked_about(&self) -> Option<AskedAbout> {
        self.asked_about
    }

    /// The tokens of whom it is about.
    pub fn about(&self) -> &[TaggedToken] {
        &self.about
    }

    /// Whether the decision itself writes this aggregate already.
    pub fn writes_to(&self, wanted: &Aggregate) -> bool {
        self.writes
            .iter()
            .any(|write| matches!(write, Write::Fact { of, .. } if of == wanted))
    }

    pub fn closed_read(&self) -> Option<ReferralId> {
        self.closed_read
    }

    pub fn attempt(&self) -> &'a Attempt {
        self.attempt
    }

    pub fn known(&self) -> &'a Known {
        self.known
    }

    /// The probe that a journey saw, and whom it would concern.
    pub fn signalled(&self) -> (Option<&'static str>, &[OrgId]) {
        (self.signal, &self.decided.concerned)
    }

    pub fn rules(&self) -> &'a Rules {
        self.rules
    }

    /// The names by which the caller's organisation knows things.
    pub const fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// What the caller named, under the id by which its organisation knows it.
    pub fn object(&mut self, outward: Option<Id>, inward: Option<Id>) {
        self.what.object = outward;
        self.decided.object = inward;
    }

    pub fn asked(&mut self, classes: &[DataClass]) {
        self.what.asked = classes
            .iter()
            .map(|class| class.code().to_owned())
            .collect();
    }

    /// A coded reason that the caller gave.
    pub fn reason(&mut self, code: &str) {
        self.why.reason = Some(code.to_owned());
    }

    /// Whom it is about, by the tokens that are known of her.
    pub fn subject(&mut self, tokens: &[TaggedToken]) {
        self.about = tokens.to_vec();
        let asks = matches!(
            self.attempt.action,
            Action::QueryAssessments | Action::BreakGlass
        );
        if asks && self.decided.object.is_none() {
            // So that the seal on whom it was about can be opened for who holds her.
            let certain = self.known.certain(None, tokens);
            self.decided.object = certain.first().map(|person| person.id());
        }
        self.subjects = self.rules.log_subjects(tokens);
        self.decided.subject = self.subjects.first().copied();
    }

    /// Whom the log is read about: listed apart from what was done.
    pub fn looks_up(&mut self, tokens: &[TaggedToken]) {
        self.subject(tokens);
        self.looks_up = true;
    }

    pub fn rule(&mut self, rules: &[String]) {
        self.decided.rule = clip(&rules.join(" "));
    }

    pub fn relationship(&mut self, code: &str) {
        self.decided.relationship = Some(code.to_owned());
    }

    pub fn basis(&mut self, basis: Option<Article6>) {
        self.decided.basis = basis.map(|basis| basis.code().to_owned());
    }

    pub fn consent(&mut self, id: Id) {
        self.decided.consents.push(id);
    }

    pub fn firewall(&mut self, rule: &str, class: &str) {
        self.decided.firewall = Some(FirewallMark {
            rule: rule.to_owned(),
            class: class.to_owned(),
        });
    }

    pub fn disclosed(&mut self, classes: &[DataClass]) {
        self.decided.disclosed = classes
            .iter()
            .map(|class| class.code().to_owned())
            .collect();
    }

    pub fn sources(&mut self, count: usize) {
        self.decided.sources = u16::try_from(count).unwrap_or(u16::MAX);
    }

    /// A coded fact for the reader of the log.
    pub fn note(&mut self, code: &str) {
        if self.decided.notes.len() < 32 {
            self.decided.notes.push(clip(code));
        }
    }

    /// An organisation whose IG officer sees this entry.
    pub fn concerns(&mut self, organisation: &OrgId) {
        if !self.decided.concerned.contains(organisation) && self.decided.concerned.len() < 60 {
            self.decided.concerned.push(organisation.clone());
        }
    }

    /// The id that this attempt made, so that a repeat is answered with it.
    pub fn made(&mut self, outward: Id) {
        self.made = Some(outward);
    }

    /// A word of hers by which less is shared: the caller is given it to keep.
    pub fn took(&mut self, word: Word) {
        self.word = Some(word);
    }

    pub fn fact(&mut self, of: Aggregate, item: Id, record: &Record) {
        match self.keys.fact(&of, item, record) {
            Ok(sealed) => self.writes.push(Write::Fact { of, item, sealed }),
            Err(out) => self.failed = Some(out),
        }
    }

    /// Seals payload that the firewall passed.
    pub fn payload(&mut self, of: &Aggregate, payload: &Screened<Payload>) {
        match self.keys.parts(of, payload) {
            Ok(parts) => self.writes.extend(parts),
            Err(out) => self.failed = Some(out),
        }
    }

    pub fn write(&mut self, write: Write) {
        self.writes.push(write);
    }

    pub fn list(&mut self, list: List, at: u64, item: Id) {
        self.writes.push(Write::List { list, at, item });
    }

    /// Ends in a refusal: about the caller, exact, and logged.
    pub fn refuse(mut self, refusal: Refusal) -> Result<Decision<Ruled>, BadRuling> {
        self.decided.outcome = Outcome::Deny;
        self.finish(Answer::Refused(refusal))
    }

    /// Ends in a refusal of what was sent, before anything that is stored was looked at.
    pub fn refuse_unread(mut self, refusal: Refusal) -> Result<Decision<Ruled>, BadRuling> {
        self.unread = true;
        self.refuse(refusal)
    }

    /// Ends in the uniform nothing.
    pub fn nothing(mut self, why: &str) -> Result<Decision<Ruled>, BadRuling> {
        self.decided.outcome = Outcome::Empty;
        self.note(why);
        self.finish(Answer::Nothing)
    }

    /// Puts the decision together: leaf, opening, writes, and where the entry is listed.
    pub fn finish(mut self, answer: Answer) -> Result<Decision<Ruled>, BadRuling> {
        let footing = self.rules.footing(self.known);
        if footing == Footing::Other {
            return Err(BadRuling::OtherRulebook);
        }
        let answer = self.unless_held_back(footing, answer);
        let refused = matches!(answer, Answer::Refused(_));
        let answer = if self.attempt.check_only && !refused {
            Answer::Checked {
                held: answer.held().to_vec(),
            }
        } else {
            answer
        };
        self.about_held_text(&answer);
        if self.attempt.check_only {
            self.writes.clear();
            self.note("check-only");
        }
        let refusal = match &answer {
            Answer::Refused(refusal) => Some(refusal),
            _ => None,
        };
        super::journey::watching::watch(&mut self, refusal);
        if let Some(out) = self.failed {
            return Err(out.into());
        }
        let own = self.known.organisations.get(self.attempt.organisation());
        let operator = own.is_some_and(|own| own.kind == OrgKind::Operator);
        if operator {
            self.note(OPERATOR);
        }
        self.decided.told = answer.told().to_owned();
        let counterfoil = self.counterfoil(&answer);
        let replay = self.replay(&answer, counterfoil.as_deref());
        let account = Account {
            who: self.who(),
            why: self.why,
            what: self.what,
            decided: self.decided,
        };
        let class = match self.attempt.action {
            Action::Unknown => LeafClass::Counted,
            _ => LeafClass::Attempt,
        };
        let concerned = account.decided.concerned.clone();
        let ordinary = is_ordinary(self.attempt, account.decided.outcome);
        let entropy = &self.attempt.entropy;
        let (draft, opening) = LeafDraft::new(
            self.attempt.when,
            class,
            account,
            &self.attempt.request.0,
            |label| entropy.bytes(label),
        )?;
        let sealed = self.keys.opening(draft.id(), &opening)?;
        let hash: [u8; 32] = Sha256::digest(sealed.sealed().ciphertext()).into();
        let mut writes = self.writes;
        let place = Place {
            concerned: &concerned,
            subjects: &self.subjects,
            looks_up: self.looks_up,
        };
        list_entry(&mut writes, self.rules, self.attempt, &place, draft.id());
        let own = self.attempt.organisation();
        writes.push(Write::Follow {
            organisation: own.clone(),
            key: self.rules.trail_key(own),
        });
        if operator {
            writes.push(Write::List {
                list: List::Operator,
                at: 0,
                item: draft.id(),
            });
        }
        if ordinary {
            let own = self.attempt.organisation();
            let worker = self.rules.worker(own, self.attempt.user.as_str());
            writes.push(Write::List {
                list: List::Ordinary(own.clone()),
                at: 0,
                item: Id::from_bytes(worker),
            });
        }
        Ok(Decision {
            value: Ruled {
                answer,
                opening,
                aliases: self.aliases,
                counterfoil,
            },
            read: self.known.read.clone(),
            leaf: draft.with_sealed(&hash),
            opening: sealed,
            writes,
            replay,
            urgent: urgent(self.attempt.action, refused),
            unused: self.keys.unused(),
        })
    }

    /// While the gateway itself may not answer (withdrawals are being collected after a restore, no
    /// witness has seen the log for too long, or no rulebook of use is in force), nothing of what was
    /// found is told, and nothing that would follow from it is written; of every journey, here.
    fn unless_held_back(&mut self, footing: Footing, answer: Answer) -> Answer {
        let action = self.attempt.action;
        let held = restoring::held_back(self.known, action, &answer)
            .or_else(|| witnessing::held_back(&self.known.witnessing, action, &answer))
            .or_else(|| standing_in::held_back(footing, action, &answer));
        match held.filter(|_| !self.unread) {
            None => answer,
            Some(refusal) => {
                self.writes.clear();
                self.decided.outcome = Outcome::Deny;
                self.decided.disclosed.clear();
                self.decided.sources = 0;
                (self.made, self.word) = (None, None);
                Answer::Refused(refusal)
            }
        }
    }

    // A repeated request is given what it was given the first time.
    fn counterfoil(&self, answer: &Answer) -> Option<Vec<u8>> {
        if let Answer::Replayed { counterfoil, .. } = answer {
            return counterfoil.clone();
        }
        if matches!(answer, Answer::Refused(_) | Answer::Checked { .. }) {
            return None;
        }
        let entropy = &self.attempt.entropy;
        let counterfoil = Counterfoil {
            // As the leaf draws it.
            entry: Id::from_bytes(entropy.bytes("leaf id")),
            word: self.word.clone()?,
        };
        let nonce = entropy.bytes("counterfoil nonce");
        Some(counterfoil.seal(&self.rules.keys.counterfoil, nonce))
    }

    fn who(&self) -> Who {
        let name = self.attempt.peer.name();
        Who {
            organisation: name.organisation.clone(),
            team: name.team.clone(),
            user: self.attempt.user.as_str().to_owned(),
            role: self.attempt.role.code().to_owned(),
            certificate: *self.attempt.peer.spki_sha256(),
            asserted: self.attempt.asserted,
        }
    }

    // A confirmation asked for and a check use up no idempotency key (`contract.md`), nor does what
    // may be asked again once the gateway can answer.
    fn replay(&self, answer: &Answer, counterfoil: Option<&[u8]>) -> Option<Replay> {
        let again = matches!(answer, Answer::Refused(refusal)
            if refusal.is_of_gateway() || matches!(refusal, Refusal::ConfirmEmergency { .. }));
        if self.attempt.check_only || again {
            return None;
        }
        let key = self.rules.replay_key(self.attempt)?;
        let status = match answer {
            Answer::Refused(refusal) => refusal.status(),
            _ => 200,
        };
        let mut reply = status.to_be_bytes().to_vec();
        reply.extend_from_slice(self.made.unwrap_or(Id::ZERO).bytes());
        reply.extend_from_slice(answer.told().as_bytes());
        // One of more than the usual length is given the first time only.
        if let Some(kept) = counterfoil.filter(|kept| reply.len() + kept.len() < REPLY_BYTES_MAX) {
            reply.push(0);
            reply.extend_from_slice(kept);
        }
        Some(Replay {
            key,
            request: self.rules.replay_request(&self.attempt.request),
            until: self.attempt.when.plus_days(REPLAY_DAYS),
            reply,
        })
    }
}

/// What the weekly sample is drawn from: accesses that were permitted, and that no rule puts before
/// an officer whatever they were.
fn is_ordinary(attempt: &Attempt, outcome: Outcome) -> bool {
    outcome == Outcome::Permit
        && !attempt.check_only
        && attempt.action != Action::BreakGlass
        && is_access(attempt.action)
}

/// Room is kept on a full disk for these (`design.md` 4).
const fn urgent(action: Action, refused: bool) -> bool {
    refused
        || matches!(
            action,
            Action::Withdraw
                | Action::WithdrawConsent
                | Action::BreakGlass
                | Action::Narrow
                | Action::Reconcile
                | Action::RejectLink
                | Action::SettleWithdrawal
        )
}

fn clip(text: &str) -> String {
    text.chars().take(90).collect()
}
