//! The facts of one decision, read into the types they stand for.

use std::collections::BTreeMap;

use super::assessment::Assessment;
use super::assessment::corrected::Corrected;
use super::audit::{MissingNote, QueueItem, QueueTally};
use super::card::{Card, CardCode};
use super::codes::ServiceFamily;
use super::consent::{Consent, Tombstone};
use super::decision::{Aggregate, Counter, Facts, PartRef, ReadSet};
use super::draft::Draft;
use super::emergency::Emergency;
use super::governance::{Approvers, InForce, Proposal};
use super::id::{
    DraftId, EmergencyId, Id, LinkId, OrgId, PersonId, ProposalId, ReferralId, SealedItemId,
    StopUseId, SubjectAccessId, WithdrawalId,
};
use super::linkage::Linkage;
use super::organisation::{Directory, Flag, Organisation, User};
use super::person::{Beside, Evidence, TaggedToken, Tier, Token, contradicts, keys_of, tier};
use super::record::{Holder, PersonRecord, PersonReferral, Record, UnknownForm};
use super::referral::Referral;
use super::restoration::Restoration;
use super::retention::{Held, Progress};
use super::returns::Line;
use super::rulebook::{Adopted, Page};
use super::sealed_item::SealedItem;
use super::stop_use::{StopUse, Withdrawal};
use super::subject_access::{AccessAsk, SubjectAccess};
use super::time::When;
use super::witnessing::Witnessing;

/// What is known about one organisation's record of a person.
#[derive(Default)]
pub struct Person {
    pub record: Option<PersonRecord>,
    pub referrals: Vec<PersonReferral>,
    pub consents: Vec<Consent>,
    pub assessments: Vec<Assessment>,
    pub tombstones: Vec<Tombstone>,
    /// The pairs that it is part of.
    pub links: Vec<LinkId>,
    /// The newest card that this organisation made for her.
    pub card: Option<Card>,
}

/// Everything read so far for one decision, and at which versions.
#[derive(Default)]
pub struct Known {
    pub read: ReadSet,
    pub organisations: BTreeMap<OrgId, Organisation>,
    pub users: BTreeMap<(OrgId, String), User>,
    pub directory: Directory,
    pub approvers: Approvers,
    pub roll: Vec<OrgId>,
    pub restoration: Option<Restoration>,
    /// The rulebook in force; `None` for the one that is built in.
    pub adopted: Option<Adopted>,
    /// The pages of rulebooks that were read, by their hash.
    pub books: BTreeMap<[u8; 32], Vec<Page>>,
    /// Legal holds in force, if they were read.
    pub held: Vec<Held>,
    /// How far the accounts of the log were looked at, if it was read.
    pub retention: Option<Progress>,
    pub people: BTreeMap<PersonId, Person>,
    pub holders: BTreeMap<Token, Vec<Holder>>,
    /// Withdrawals set on tokens.
    pub tombstones: Vec<Tombstone>,
    /// Pauses that are over: they stop nothing, and are known when they are handed in again.
    pub lapsed: Vec<Tombstone>,
    /// What withdrawals and pauses were taken, for who took them.
    pub taken: BTreeMap<WithdrawalId, Withdrawal>,
    pub stop_uses: BTreeMap<StopUseId, StopUse>,
    /// Notices that what somebody was shown was corrected.
    pub corrected: BTreeMap<StopUseId, Corrected>,
    pub card_codes: BTreeMap<Token, CardCode>,
    pub externals: BTreeMap<Token, Vec<ReferralId>>,
    pub referrals: BTreeMap<ReferralId, Referral>,
    pub holds: BTreeMap<ReferralId, InForce>,
    pub proposals: BTreeMap<ProposalId, Proposal>,
    pub sealed_items: BTreeMap<SealedItemId, SealedItem>,
    /// Items that rest on the word of somebody with a token that was read.
    pub sealed_of: Vec<SealedItemId>,
    pub accesses: BTreeMap<SubjectAccessId, SubjectAccess>,
    pub access_asks: BTreeMap<SubjectAccessId, AccessAsk>,
    pub emergencies: BTreeMap<EmergencyId, Emergency>,
    pub drafts: BTreeMap<DraftId, Draft>,
    /// What is counted for a return.
    pub lines: Vec<Line>,
    /// What was decided about pairs of the records that were read.
    pub links: BTreeMap<LinkId, Linkage>,
    /// When the seal that a proposal opens was opened.
    pub seals_opened: BTreeMap<ProposalId, When>,
    pub queue: BTreeMap<Id, QueueItem>,
    /// Of the items of the queue.
    pub tallies: BTreeMap<Id, QueueTally>,
    /// Of the queues that were read: notes of high-risk offers that are missing.
    pub missing_notes: BTreeMap<Id, MissingNote>,
    /// The newest week whose sample was drawn, of the queues that were read.
    pub sampled: Option<i64>,
    /// People whom organisations flagged, by the tokens that were read.
    pub flags: Vec<Flag>,
    pub parts: Vec<PartRef>,
    /// Counters that were looked up. They only say whom not to count twice; the limit itself is
    /// kept by the commit.
    pub counted: Vec<(Counter, u32)>,
    /// What witnesses say of the log. No fact: it comes from outside, as the time does.
    pub witnessing: Witnessing,
}

impl Known {
    /// Whether withdrawals that `organisation` took since a copy are still waited for.
    pub fn waits_for(&self, organisation: &OrgId) -> bool {
        let restoration = self.restoration.as_ref();
        restoration.is_some_and(|found| found.waits_for(organisation))
    }

    /// Adds what the store returned. A fact that cannot be read fails the decision.
    pub fn add(&mut self, facts: Facts) -> Result<(), UnknownForm> {
        let Facts { read, facts, parts } = facts;
        self.read.extend(read);
        self.parts.extend(parts);
        for fact in facts {
            let record = Record::parse(&fact.bytes)?;
            self.place(fact.of, fact.item, record);
        }
        Ok(())
    }

    /// How things stand at the time of the decision: pauses that are over stop nothing, and what they
    /// stood in the way of goes on. Asked once, before anything is decided.
    pub fn stand_at(&mut self, now: When) {
        let over = |tombstone: &mut Tombstone| !tombstone.in_force(now);
        let mut lapsed: Vec<Tombstone> = self.tombstones.extract_if(.., over).collect();
        for person in self.people.values_mut() {
            lapsed.extend(person.tombstones.extract_if(.., over));
        }
        self.lapsed.extend(lapsed);
        for referral in self.referrals.values_mut() {
            referral.resume(None, now);
        }
    }

    /// Whether `of` was read already, so that a decision sees one version of it.
    pub fn has(&self, of: &Aggregate) -> bool {
        self.read.iter().any(|(read, _)| read == of)
    }

    fn place(&mut self, of: Aggregate, item: Id, record: Record) {
        match (of, record) {
            (Aggregate::Organisation(id), Record::Organisation(organisation)) => {
                self.organisations.insert(id, organisation);
            }
            (Aggregate::User(organisation, name), Record::User(user)) => {
                self.users.insert((organisation, name), user);
            }
            (Aggregate::Settings, Record::Directory(directory)) => self.directory = directory,
            (Aggregate::Settings, Record::Approvers(approvers)) => self.approvers = approvers,
            (Aggregate::Roll, Record::Member(member)) => self.roll.push(member),
            (Aggregate::Settings, Record::Restoration(found)) => self.restoration = Some(found),
            (Aggregate::Settings, Record::Adopted(adopted)) => self.adopted = Some(adopted),
            (Aggregate::Rulebook(hash), Record::Pages(pages)) => {
                self.books.insert(hash, pages);
            }
            (Aggregate::Held, Record::Held(held)) => self.held.push(held),
            (Aggregate::Retention, Record::Retention(found)) => self.retention = Some(found),
            (Aggregate::Proposal(id), Record::Proposal(proposal)) => {
                self.proposals.insert(id, proposal);
            }
            (Aggregate::Proposal(id), Record::SealOpened(at)) => {
                self.seals_opened.insert(id, at);
            }
            (Aggregate::SealedItem(id), Record::SealedItem(sealed)) => {
                self.sealed_items.insert(id, sealed);
            }
            (Aggregate::Token(_), Record::SealedOf(sealed)) => self.sealed_of.push(sealed),
            (Aggregate::SubjectAccess(id), Record::SubjectAccess(request)) => {
                self.accesses.insert(id, request);
            }
            (Aggregate::SubjectAccess(id), Record::AccessAsk(ask)) => {
                self.access_asks.insert(id, ask);
            }
            (Aggregate::Emergency(id), Record::Emergency(emergency)) => {
                self.emergencies.insert(id, emergency);
            }
            (Aggregate::Draft(id), Record::Draft(draft)) => {
                self.drafts.insert(id, draft);
            }
            (Aggregate::Line(_), Record::Line(line)) => self.lines.push(line),
            (Aggregate::Link(id), Record::Linkage(linkage)) => {
                self.links.insert(id, linkage);
            }
            (Aggregate::Queue(_), Record::QueueItem(entry)) => {
                self.queue.insert(item, entry);
            }
            (Aggregate::Queue(_), Record::Tally(tally)) => {
                self.tallies.insert(tally.item, tally);
            }
            (Aggregate::Queue(_), Record::MissingNote(note)) => {
                self.missing_notes.insert(item, note);
            }
            (Aggregate::Queue(_), Record::Sampled(week)) => self.sampled = Some(week),
            (Aggregate::Token(_), Record::Flag(flag)) => self.flags.push(flag),
            (Aggregate::Referral(id), Record::Referral(referral)) => {
                self.referrals.insert(id, referral);
            }
            (Aggregate::Referral(id), Record::Hold(hold)) => {
                self.holds.insert(id, hold);
            }
            (Aggregate::Token(token), Record::Holder(holder)) => {
                self.holders.entry(token).or_default().push(holder);
            }
            (Aggregate::Token(_), Record::Tombstone(tombstone)) => self.tombstones.push(tombstone),
            (Aggregate::Token(token), Record::External(referral)) => {
                self.externals.entry(token).or_default().push(referral);
            }
            (Aggregate::Withdrawal(id), Record::Withdrawal(withdrawal)) => {
                self.taken.insert(id, withdrawal);
            }
            (Aggregate::StopUse(id), Record::StopUse(notice)) => {
                self.stop_uses.insert(id, notice);
            }
            (Aggregate::StopUse(id), Record::Corrected(notice)) => {
                self.corrected.insert(id, notice);
            }
            (Aggregate::Token(token), Record::CardCode(code)) => {
                self.card_codes.insert(token, code);
            }
            (Aggregate::Person(id), record) => self.place_person(id, record),
            // A fact in a place where its kind does not belong says nothing.
            (_, _) => {}
        }
    }

    fn place_person(&mut self, id: PersonId, record: Record) {
        let person = self.people.entry(id).or_default();
        match record {
            Record::Person(record) => person.record = Some(record),
            Record::PersonReferral(referral) => person.referrals.push(referral),
            Record::Consent(consent) => person.consents.push(consent),
            Record::Assessment(assessment) => person.assessments.push(assessment),
            Record::Tombstone(tombstone) => person.tombstones.push(tombstone),
            Record::PartOf(link) => person.links.push(link),
            Record::Card(card) => person.card = Some(card),
            Record::Organisation(_)
            | Record::User(_)
            | Record::Directory(_)
            | Record::Approvers(_)
            | Record::Proposal(_)
            | Record::Holder(_)
            | Record::Referral(_)
            | Record::External(_)
            | Record::QueueItem(_)
            | Record::Member(_)
            | Record::Restoration(_)
            | Record::Hold(_)
            | Record::Tally(_)
            | Record::Sampled(_)
            | Record::Flag(_)
            | Record::SealOpened(_)
            | Record::Held(_)
            | Record::Retention(_)
            | Record::SealedItem(_)
            | Record::MissingNote(_)
            | Record::Adopted(_)
            | Record::Pages(_)
            | Record::Linkage(_)
            | Record::Withdrawal(_)
            | Record::StopUse(_)
            | Record::CardCode(_) => {}
            Record::SubjectAccess(_)
            | Record::AccessAsk(_)
            | Record::SealedOf(_)
            | Record::Corrected(_)
            | Record::Emergency(_)
            | Record::Draft(_)
            | Record::Line(_) => {}
        }
    }

    /// The organisations that are enrolled. Those that the first versions enrolled are not on the
    /// roll; who runs a service or approves is named elsewhere.
    pub fn members(&self) -> Vec<OrgId> {
        let services = self.directory.services.iter();
        let named = services.map(|service| service.organisation.clone());
        let first = self.approvers.first.iter().map(|(id, _)| id.clone());
        let enrolled = self.roll.iter().cloned();
        let mut members: Vec<OrgId> = enrolled.chain(named).chain(first).collect();
        members.sort();
        members.dedup();
        members
    }

    /// The families of services that an organisation runs.
    pub fn families(&self, organisation: &OrgId) -> Vec<ServiceFamily> {
        self.directory
            .services
            .iter()
            .filter(|service| service.organisation == *organisation)
            .map(|service| service.family)
            .collect()
    }

    /// Records whose tokens have anything in common with `tokens`, with how strongly they agree;
    /// for what is known under the record `from`, as far as their holders agree.
    pub fn linked(&self, from: Option<PersonId>, tokens: &[TaggedToken]) -> Vec<(PersonId, Tier)> {
        self.people
            .iter()
            .filter_map(|(id, person)| {
                let record = person.record.as_ref()?;
                let evidence = Evidence::between(tokens, &record.tokens);
                let found = match from {
                    Some(from) => self.judged(*id, from, &evidence),
                    None => tier(&evidence),
                };
                Some((*id, found))
            })
            .filter(|(_, tier)| *tier != Tier::Never)
            .collect()
    }

    /// Records that are surely of her, for what may be shown or built upon. Where two people who
    /// contradict each other come equally close, neither is sure: a person must look, as somebody did
    /// at what is confirmed.
    pub fn certain(&self, from: Option<PersonId>, tokens: &[TaggedToken]) -> Vec<PersonId> {
        let sure = self.automatic(from, tokens);
        let has_rival = |one: PersonId| self.is_contradicted(one, &sure);
        let is_confirmed = |one: PersonId| {
            let pair = from.and_then(|from| self.links.get(&LinkId::of(one, from)));
            from == Some(one) || pair.is_some_and(Linkage::is_confirmed)
        };
        let ids = sure.iter().copied();
        ids.filter(|one| is_confirmed(*one) || !has_rival(*one))
            .collect()
    }

    /// Records that agree with hers on name and date of birth, and on nothing that corroborates it. One
    /// that another record of its kind or a closer one contradicts is left out: it may be either.
    pub fn by_name_and_birth(
        &self,
        from: Option<PersonId>,
        tokens: &[TaggedToken],
    ) -> Vec<PersonId> {
        let mut near = self.of_tiers(from, tokens, &[Tier::NameAndBirth]);
        let close = self.of_tiers(from, tokens, &[Tier::Automatic, Tier::NameAndBirth]);
        near.retain(|one| !self.is_contradicted(*one, &close));
        near
    }

    /// Whether a record that links to `tokens` as closely as `held` contradicts it, so that neither is
    /// certain ([`Self::certain`]).
    pub fn has_rival(
        &self,
        from: Option<PersonId>,
        tokens: &[TaggedToken],
        held: &[TaggedToken],
    ) -> bool {
        self.contradicted(&self.automatic(from, tokens), held)
    }

    fn automatic(&self, from: Option<PersonId>, tokens: &[TaggedToken]) -> Vec<PersonId> {
        self.of_tiers(from, tokens, &[Tier::Automatic])
    }

    fn of_tiers(
        &self,
        from: Option<PersonId>,
        tokens: &[TaggedToken],
        tiers: &[Tier],
    ) -> Vec<PersonId> {
        let linked = self.linked(from, tokens).into_iter();
        let linked = linked.filter(|(_, tier)| tiers.contains(tier));
        linked.map(|(id, _)| id).collect()
    }

    fn is_contradicted(&self, one: PersonId, by: &[PersonId]) -> bool {
        let record = self.people.get(&one);
        let record = record.and_then(|person| person.record.as_ref());
        record.is_some_and(|record| self.contradicted(by, &record.tokens))
    }

    /// A record contradicts neither itself nor one that it links to.
    fn contradicted(&self, by: &[PersonId], tokens: &[TaggedToken]) -> bool {
        let people = by.iter().filter_map(|id| self.people.get(id));
        let mut records = people.filter_map(|person| person.record.as_ref());
        records.any(|record| contradicts(&Evidence::between(&record.tokens, tokens)))
    }

    /// How sure it is that `held` is of her whom `other` is of, when what is under `held` would be
    /// shown to whoever keeps `other`. A no of either side counts; a yes only of who holds.
    pub fn judged(&self, held: PersonId, other: PersonId, evidence: &Evidence) -> Tier {
        let there = self.links.get(&LinkId::of(held, other));
        let back = self.links.get(&LinkId::of(other, held));
        let parted = [there, back].into_iter().flatten().any(Linkage::is_parted);
        if parted || self.under_other_parents(held, other) {
            Tier::Never
        } else if there.is_some_and(Linkage::is_confirmed) && !evidence.two_numbers() {
            Tier::Automatic
        } else {
            tier(evidence)
        }
    }

    /// One child, or two, recorded under two parents: what is under one is never shown under the other.
    fn under_other_parents(&self, one: PersonId, other: PersonId) -> bool {
        let parent = |id| {
            let record = self.people.get(&id)?.record.as_ref()?;
            record.parent.as_ref()
        };
        let both = parent(one).zip(parent(other));
        both.is_some_and(|(one, other)| !one.is(other))
    }

    /// What was decided about pairs of the records read so far, and is still to be read.
    pub fn links_to_read(&self) -> Vec<Aggregate> {
        let links = self.people.values().flat_map(|person| &person.links);
        let of = links.map(|link| Aggregate::Link(*link));
        of.filter(|of| !self.has(of)).collect()
    }

    /// An organisation's own record of the person that `tokens` speak of, if it is certain. A child's
    /// record under a parent is not found by who the child is.
    pub fn own_record(&self, organisation: &OrgId, tokens: &[TaggedToken]) -> Option<PersonId> {
        self.own_record_under(organisation, tokens, None)
    }

    /// The same of a child under one parent: its record under another, or under none, is another.
    pub fn own_record_under(
        &self,
        organisation: &OrgId,
        tokens: &[TaggedToken],
        parent: Option<&Beside>,
    ) -> Option<PersonId> {
        self.certain(None, tokens).into_iter().find(|id| {
            let person = self.people.get(id);
            let record = person.and_then(|person| person.record.as_ref());
            record.is_some_and(|record| {
                let same_parent = match (record.parent.as_ref(), parent) {
                    (None, None) => true,
                    (Some(one), Some(other)) => one.is(other),
                    (Some(_), None) | (None, Some(_)) => false,
                };
                same_parent && record.organisation == *organisation
            })
        })
    }

    /// The withdrawals that speak of the person with these tokens.
    pub fn withdrawals<'a>(&'a self, tokens: &[TaggedToken]) -> Vec<&'a Tombstone> {
        self.withdrawals_of(tokens, &[Tier::Automatic])
    }

    /// And those that may: to stop too much harms less.
    pub fn withdrawals_near<'a>(&'a self, tokens: &[TaggedToken]) -> Vec<&'a Tombstone> {
        self.withdrawals_of(tokens, &[Tier::Automatic, Tier::NameAndBirth])
    }

    fn withdrawals_of<'a>(&'a self, tokens: &[TaggedToken], tiers: &[Tier]) -> Vec<&'a Tombstone> {
        let on_records = self.people.values().flat_map(|person| &person.tombstones);
        self.tombstones
            .iter()
            .chain(on_records)
            .filter(|tombstone| {
                tiers.contains(&tier(&Evidence::between(tokens, &tombstone.tokens)))
            })
            .collect()
    }

    /// What a counter stood at; 0 if it was not looked up.
    pub fn count(&self, counter: &Counter) -> u32 {
        let found = self.counted.iter().find(|(known, _)| known == counter);
        found.map_or(0, |(_, count)| *count)
    }

    /// Signs of an item after those with which it began.
    pub fn more(&self, item: Id) -> u32 {
        self.count(&Counter::Signs { item })
    }

    /// The people to read next, so that links can be judged.
    pub fn holders_of(&self, tokens: &[TaggedToken]) -> Vec<PersonId> {
        let mut people: Vec<PersonId> = keys_of(tokens)
            .filter_map(|key| self.holders.get(&key))
            .flatten()
            .map(|holder| holder.person)
            .collect();
        people.sort_unstable();
        people.dedup();
        people
    }
}
