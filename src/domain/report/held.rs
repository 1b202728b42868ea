//! What is on record about her, and which entries of the log are hers.
//!
//! Only what links to her automatically. A relative shares a home, a surname, a telephone; a number
//! may have been typed on someone else's record. An entry that might be another's is left out.

use crate::domain::audit::{Reach, Viewer};
use crate::domain::consent::{Consent, Tombstone};
use crate::domain::id::OrgId;
use crate::domain::known::Known;
use crate::domain::person::{Evidence, TaggedToken, Tier, TokenKind, tier};
use crate::domain::record::PersonRecord;
use crate::domain::time::When;

/// What the reader's organisation keeps about her; of the independent reviewer: what any keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// When, who keeps it, and whether it asked (or was asked).
    pub referrals: Vec<(When, OrgId, bool)>,
    pub consents: Vec<Consent>,
    pub assessments: Vec<(When, OrgId)>,
    pub stops: Vec<Tombstone>,
}

impl Held {
    /// From the records that link to her automatically, as far as `viewer` answers for them and they
    /// are open to who asks.
    pub fn about(
        known: &Known,
        viewer: &Viewer,
        tokens: &[TaggedToken],
        is_open: impl Fn(&PersonRecord) -> bool,
    ) -> Self {
        let answers_for = |id: &OrgId| viewer.reach() == Reach::All || *id == viewer.organisation;
        let mut held = Self::default();
        for id in known.certain(None, tokens) {
            let person = known.people.get(&id);
            let record = person.and_then(|person| person.record.as_ref());
            let (Some(person), Some(record)) = (person, record) else {
                continue;
            };
            if !answers_for(&record.organisation) || !is_open(record) {
                continue;
            }
            let keeper = &record.organisation;
            let referrals = person.referrals.iter();
            held.referrals
                .extend(referrals.map(|link| (link.at, keeper.clone(), link.sent)));
            held.consents.extend(person.consents.iter().cloned());
            let assessments = person.assessments.iter().filter(|one| one.is_about_her());
            held.assessments
                .extend(assessments.map(|one| (one.recorded_at, one.source.clone())));
        }
        let stops = known.withdrawals(tokens);
        held.stops = stops
            .into_iter()
            .filter(|stop| answers_for(&stop.taken_by))
            .cloned()
            .collect();
        held.referrals.sort();
        held.assessments.sort();
        // Each lies on her records and on her tokens.
        held.stops
            .sort_by_key(|stop| (stop.at, stop.taken_by.clone()));
        held.stops.dedup();
        held.consents
            .sort_by_key(|consent| (consent.given_at, consent.id.id()));
        held
    }

    /// Keeps what these organisations answer for.
    pub fn keep(&mut self, answers_for: impl Fn(&OrgId) -> bool) {
        self.referrals.retain(|(_, id, _)| answers_for(id));
        self.assessments.retain(|(_, id)| answers_for(id));
        self.consents.retain(|one| answers_for(&one.recorded_by));
        self.stops.retain(|stop| answers_for(&stop.taken_by));
    }

    /// Nothing is on file; entries of the log may still be.
    pub fn is_empty(&self) -> bool {
        self.referrals.is_empty()
            && self.consents.is_empty()
            && self.assessments.is_empty()
            && self.stops.is_empty()
    }
}

/// Whether an entry that is listed under these kinds of her tokens is certainly about her: by her
/// number with all that she gave beside it, or by name and birth with one corroborator. Where
/// someone else's record carries the same name and birth, the number is needed.
pub fn hers(known: &Known, tokens: &[TaggedToken], listed: &[TokenKind]) -> bool {
    let has = |kind| listed.contains(&kind);
    let gave = |kind| tokens.iter().any(|tagged| tagged.kind == kind);
    let beside = [TokenKind::NhsGiven, TokenKind::NhsBirth];
    if has(TokenKind::Nhs) && beside.into_iter().all(|kind| has(kind) || !gave(kind)) {
        return true;
    }
    let corroborators = [
        TokenKind::NameBirthPostcode,
        TokenKind::NameBirthPhone,
        TokenKind::NameBirthEmail,
    ];
    has(TokenKind::NameBirth) && corroborators.into_iter().any(has) && !has_namesake(known, tokens)
}

/// Somebody else, with a number of her own, has the same name and birth.
fn has_namesake(known: &Known, tokens: &[TaggedToken]) -> bool {
    let records = known.people.values().filter_map(|one| one.record.as_ref());
    records
        .filter(|record| {
            record
                .tokens
                .iter()
                .any(|tagged| tagged.kind == TokenKind::NameBirth && tokens.contains(tagged))
        })
        .any(|record| tier(&Evidence::between(tokens, &record.tokens)) == Tier::Never)
}
