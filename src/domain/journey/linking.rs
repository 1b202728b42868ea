//! Two records that may be of one person: the organisation that holds one of them decides, and can
//! take it back (P7, `domain.md` 4.0).
//!
//! A pair comes to the queue of the holder where tokens meet. Whoever's attempt it was is answered as
//! if it had not, and the holder is never told who keeps the other record. Nothing is merged, so
//! taking a link back leaves each side what it knew by itself.

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::decision::{Aggregate, Decision, List, Listed, Write};
use crate::domain::id::{Id, LinkId, OrgId, PersonId};
use crate::domain::known::{Known, Person};
use crate::domain::linkage::{Judgement, LinkState, Linkage, SeenLink, Verdict, evidence_digest};
use crate::domain::person::{Beside, Evidence, FieldError, TaggedToken, Tier, contradicts, tier};
use crate::domain::record::{PersonRecord, Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::watch::RuleCode;

use super::{Stop, caller, keeping, permit};

/// Pairs that one attempt puts before their holders; the next attempt finds those that are left.
const PAIRS_AT_ONCE: usize = 8;
/// In the list of pairs, those that wait come first.
const WAITING: u64 = 0;
const SETTLED: u64 = 1;

/// A record that was made, has grown or is asked from, as it is after this decision.
pub struct Meeting<'a> {
    pub person: PersonId,
    pub organisation: &'a OrgId,
    /// What is added to it; with what it has already.
    pub tokens: &'a [TaggedToken],
    /// Of a child that is recorded under a parent, where the record is new.
    pub parent: Option<&'a Beside>,
    /// Its organisation works with her on another's referral, and so may ask.
    pub asks: bool,
    /// Its organisation records an assessment under it.
    pub holds: bool,
}

/// Puts every pair that the tokens leave open, or that has a rival, before the organisation that holds
/// something under its half, if the other half's organisation may ask for it.
pub fn meet(ruling: &mut Ruling<'_>, known: &Known, meeting: &Meeting<'_>) {
    let mut tokens = meeting.tokens.to_vec();
    let before = known.people.get(&meeting.person);
    let has = before.and_then(|person| person.record.as_ref());
    tokens.extend(has.iter().flat_map(|record| &record.tokens));
    tokens.sort_unstable();
    tokens.dedup();
    let asks = meeting.asks;
    let holds = meeting.holds || before.is_some_and(has_assessments);
    let parent = has.map_or(meeting.parent, |record| record.parent.as_ref());
    let mut made = 0_usize;
    for (id, person) in &known.people {
        let Some(record) = person.record.as_ref() else {
            continue;
        };
        if record.organisation == *meeting.organisation || made == PAIRS_AT_ONCE {
            continue;
        }
        // Two parents' records of a child are no pair: nobody is to put them together.
        let parents = parent.zip(record.parent.as_ref());
        if parents.is_some_and(|(one, other)| !one.is(other)) {
            continue;
        }
        let this = (meeting.person, meeting.organisation, tokens.as_slice());
        let that = (*id, &record.organisation, record.tokens.as_slice());
        let took_her = person.referrals.iter().any(|link| !link.sent);
        let ways = [
            (asks && has_assessments(person), that, this),
            (holds && took_her, this, that),
        ];
        for (open, held, other) in ways {
            made += usize::from(open && put(ruling, known, held, other));
        }
    }
}

type Half<'a> = (PersonId, &'a OrgId, &'a [TaggedToken]);

fn has_assessments(person: &Person) -> bool {
    let own = person.record.as_ref().map(|record| &record.organisation);
    let mut held = person.assessments.iter();
    held.any(|assessment| Some(&assessment.source) == own)
}

/// Puts one pair into the queue of who holds, unless it is there, is decided on the same evidence,
/// or the tokens leave nothing to decide. Whether it did.
fn put(ruling: &mut Ruling<'_>, known: &Known, held: Half<'_>, other: Half<'_>) -> bool {
    let tier = match tier(&Evidence::between(held.2, other.2)) {
        Tier::Automatic if known.has_rival(Some(other.0), other.2, held.2) => Tier::Possible,
        found => found,
    };
    if !leaves_open(tier) {
        return false;
    }
    let (there, back) = (LinkId::of(held.0, other.0), LinkId::of(other.0, held.0));
    let digest = evidence_digest(held.2, other.2);
    let before = known.links.get(&there);
    // A link that nobody decided is open again once somebody else comes as close.
    let decided = |pair: &Linkage| pair.decided.is_some() && pair.evidence == digest;
    let settled = |pair: &Linkage| pair.is_confirmed() || decided(pair);
    let said_no = |pair: &Linkage| pair.is_parted() && pair.evidence == digest;
    if before.is_some_and(|pair| pair.waits || settled(pair))
        || known.links.get(&back).is_some_and(said_no)
    {
        return false;
    }
    let pair = Linkage {
        waits: true,
        tier,
        decided: before.and_then(|pair| pair.decided.clone()),
        shown_at: before.and_then(|pair| pair.shown_at),
        ..found(ruling, held, other, digest)
    };
    if before.is_none() {
        name_on_records(ruling, &pair);
    }
    save(ruling, &pair);
    true
}

/// Whether the tokens alone say too little for a link and too much for none.
const fn leaves_open(tier: Tier) -> bool {
    match tier {
        // Of a name and a date of birth alone the asker learns at most that something exists.
        Tier::Possible | Tier::Quarantine | Tier::NameAndBirth => true,
        Tier::Automatic | Tier::Never => false,
    }
}

fn found(ruling: &Ruling<'_>, held: Half<'_>, other: Half<'_>, digest: [u8; 32]) -> Linkage {
    let evidence = Evidence::between(held.2, other.2);
    Linkage {
        id: LinkId::of(held.0, other.0),
        held: held.0,
        holder: held.1.clone(),
        other: other.0,
        asker: other.1.clone(),
        since: ruling.attempt().when,
        tier: tier(&evidence),
        reasons: evidence.reasons(),
        evidence: digest,
        waits: false,
        decided: None,
        shown_at: None,
    }
}

/// Something of `held` is shown to whoever keeps `other`: remembered, so that it can be taken back
/// and the asker be told. The entry of this decision is what its officer is then shown.
pub fn shown(ruling: &mut Ruling<'_>, known: &Known, held: PersonId, other: PersonId) {
    let halves = record(known, held).zip(record(known, other));
    let apart = |(one, two): &(&PersonRecord, &PersonRecord)| one.organisation != two.organisation;
    let Some((holding, asking)) = halves.filter(apart) else {
        return;
    };
    let link = LinkId::of(held, other);
    let item = link.undone_item();
    ruling.list(List::Alert(asking.organisation.clone(), item), 0, item);
    let before = known.links.get(&link);
    if before.is_some_and(|pair| pair.shown_at.is_some()) {
        return;
    }
    let (held, other) = (
        (held, &holding.organisation, holding.tokens.as_slice()),
        (other, &asking.organisation, asking.tokens.as_slice()),
    );
    let digest = evidence_digest(held.2, other.2);
    let mut pair = before.cloned().unwrap_or_else(|| {
        let pair = found(ruling, held, other, digest);
        name_on_records(ruling, &pair);
        pair
    });
    pair.shown_at = Some(ruling.attempt().when);
    save(ruling, &pair);
}

fn record(known: &Known, person: PersonId) -> Option<&PersonRecord> {
    known.people.get(&person)?.record.as_ref()
}

fn name_on_records(ruling: &mut Ruling<'_>, pair: &Linkage) {
    for person in [pair.held, pair.other] {
        let of = Aggregate::Person(person);
        ruling.fact(of, pair.id.id(), &Record::PartOf(pair.id));
    }
}

/// Writes the pair, and puts it where it belongs in its holder's list.
fn save(ruling: &mut Ruling<'_>, pair: &Linkage) {
    let (of, item) = (Aggregate::Link(pair.id), singleton("linkage"));
    ruling.fact(of, item, &Record::Linkage(pair.clone()));
    let list = List::Links(pair.holder.clone());
    ruling.write(Write::Unlist {
        list: list.clone(),
        item: pair.id.id(),
    });
    match pair.state() {
        LinkState::Waiting => ruling.list(list, WAITING, pair.id.id()),
        LinkState::Linked | LinkState::Confirmed => ruling.list(list, SETTLED, pair.id.id()),
        LinkState::Rejected | LinkState::Split => {}
    }
}

/// What the caller's organisation is to decide, then what is linked and can be taken back.
pub fn list(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    entries: &[Listed],
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    if let Err(stop) = may(&mut ruling, known) {
        return ruling.stop(stop);
    }
    let own = attempt.organisation();
    let aliases = ruling.aliases();
    let pairs = entries.iter();
    let pairs = pairs.filter_map(|entry| known.links.get(&LinkId(entry.item)));
    let seen = pairs
        .filter(|pair| pair.holder == *own)
        .map(|pair| SeenLink {
            link: LinkId(aliases.outward(AliasKind::Link, pair.id.id())),
            person: aliases.outward(AliasKind::Person, pair.held.id()),
            since: pair.since.day_began(),
            tier: pair.tier,
            state: pair.state(),
            reasons: pair.reasons.clone(),
        });
    let seen = seen.collect();
    ruling.finish(Answer::Links(seen))
}

/// The holder confirms, rejects or splits the pair of this alias. Saying the same again changes
/// nothing.
pub fn decide(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    verdict: Verdict,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.reason(verdict.code());
    match judge(&mut ruling, known, alias, verdict) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn judge(
    ruling: &mut Ruling<'_>,
    known: &Known,
    alias: Id,
    verdict: Verdict,
) -> Result<Answer, Stop> {
    may(ruling, known)?;
    let attempt = ruling.attempt();
    let own = attempt.organisation();
    let inward = ruling.aliases().inward(AliasKind::Link, alias);
    ruling.object(Some(alias), Some(inward));
    let pair = known.links.get(&LinkId(inward));
    let pair = pair.filter(|pair| pair.holder == *own);
    let pair = pair.ok_or(Stop::Nothing("no-such-link"))?;
    let halves = record(known, pair.held).zip(record(known, pair.other));
    let (held, other) = halves.ok_or(Stop::Nothing("no-such-record"))?;
    ruling.subject(&held.tokens);
    let answer = Answer::LinkDecided {
        link: LinkId(alias),
        state: verdict.state(),
    };
    let state = pair.state();
    if state == verdict.state() {
        ruling.note("decided-before");
        return Ok(answer);
    }
    let fits = match (verdict, state) {
        (Verdict::Confirm | Verdict::Reject | Verdict::Split, LinkState::Waiting) => true,
        (Verdict::Split, LinkState::Linked | LinkState::Confirmed) => true,
        (Verdict::Confirm | Verdict::Reject, LinkState::Linked | LinkState::Confirmed) => false,
        (_, LinkState::Rejected | LinkState::Split) => false,
    };
    if !fits {
        return Err(Stop::Refuse(Refusal::AlreadyAnswered));
    }
    let evidence = Evidence::between(&held.tokens, &other.tokens);
    if verdict == Verdict::Confirm {
        check(known, pair, &evidence)?;
    }
    for reason in &pair.reasons {
        ruling.note(reason.code());
    }
    let mut decided = Linkage {
        evidence: evidence_digest(&held.tokens, &other.tokens),
        waits: false,
        decided: Some(Judgement {
            at: attempt.when,
            by: attempt.user.as_str().to_owned(),
            verdict,
        }),
        ..pair.clone()
    };
    if verdict != Verdict::Confirm {
        take_back(ruling, known, &mut decided);
        if let Some(back) = known.links.get(&LinkId::of(pair.other, pair.held)) {
            let mut back = back.clone();
            if take_back(ruling, known, &mut back) {
                save(ruling, &back);
            }
        }
    }
    save(ruling, &decided);
    Ok(answer)
}

/// Who may look at pairs at all. What is wrong with her is said before anything is looked for.
fn may(ruling: &mut Ruling<'_>, known: &Known) -> Result<(), Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let ask = caller.ask(attempt, caller.as_recipient());
    permit(ruling, &ask, ()).map(|_| ())
}

/// A link never joins two people who have a number each, nor a person to two records that
/// contradict each other. What the holder confirmed of a pair alone is not asked again.
fn check(known: &Known, pair: &Linkage, evidence: &Evidence) -> Result<(), Stop> {
    let joined = |one: PersonId, other: PersonId| {
        let halves = record(known, one).zip(record(known, other));
        halves.is_some_and(|(here, there)| {
            let evidence = Evidence::between(&here.tokens, &there.tokens);
            let ways = [(one, other), (other, one)];
            ways.into_iter()
                .any(|(held, from)| known.judged(held, from, &evidence) == Tier::Automatic)
        })
    };
    let halves = [pair.held, pair.other];
    let around = known.people.keys().copied();
    let around = around.filter(|one| !halves.contains(one));
    let around = around.filter(|one| halves.iter().any(|half| joined(*one, *half)));
    let cluster: Vec<PersonId> = halves.into_iter().chain(around).collect();
    // Where the two halves contradict each other, their holder was told so and decides just that; and
    // whatever agrees with one half contradicts the other alike.
    let quarantined = contradicts(evidence);
    let contradict = |one: &PersonId, other: &PersonId| {
        let halves = record(known, *one).zip(record(known, *other));
        halves.is_some_and(|(here, there)| {
            let found = Evidence::between(&here.tokens, &there.tokens);
            found.two_numbers() || !quarantined && contradicts(&found)
        })
    };
    let third = |one: &PersonId| !halves.contains(one);
    let mut pairs = cluster
        .iter()
        .enumerate()
        .flat_map(|(place, one)| cluster.iter().skip(place + 1).map(move |two| (one, two)))
        .filter(|(one, two)| third(one) || third(two))
        .filter(|(one, two)| !is_confirmed(known, **one, **two));
    if evidence.two_numbers() || pairs.any(|(one, two)| contradict(one, two)) {
        return Err(Stop::Refuse(Refusal::CheckYourAnswers(vec![FieldError {
            field: "id",
            message: "this would join records that contradict each other: correct or split the \
                      wrong one first, or reject this",
        }])));
    }
    Ok(())
}

fn is_confirmed(known: &Known, one: PersonId, other: PersonId) -> bool {
    [LinkId::of(one, other), LinkId::of(other, one)]
        .iter()
        .filter_map(|link| known.links.get(link))
        .any(Linkage::is_confirmed)
}

/// Whoever was shown something across the pair is told that it was of somebody else, and does not
/// count any more as relying on it. Whether there was anyone.
fn take_back(ruling: &mut Ruling<'_>, known: &Known, pair: &mut Linkage) -> bool {
    let held = known.people.get(&pair.held);
    let held = held.into_iter().flat_map(|person| &person.assessments);
    let relied = held.filter(|assessment| {
        let relied = assessment.relied_on.iter().map(|one| &one.organisation);
        let shown = assessment.shown.iter().map(|one| &one.organisation);
        relied.chain(shown).any(|one| *one == pair.asker)
    });
    let mut any = pair.shown_at.take().is_some();
    for assessment in relied {
        any = true;
        let mut assessment = assessment.clone();
        assessment
            .relied_on
            .retain(|relied| relied.organisation != pair.asker);
        assessment
            .shown
            .retain(|shown| shown.organisation != pair.asker);
        ruling.fact(
            Aggregate::Person(assessment.person),
            assessment.id.id(),
            &Record::Assessment(assessment),
        );
    }
    if any {
        tell(ruling, pair.id.undone_item(), &pair.asker);
    }
    any
}

/// One item for the officer of who was shown something. It is dated by the day and concerns nobody,
/// so that it cannot be matched with the entry of who decided.
pub(super) fn tell(ruling: &mut Ruling<'_>, item: Id, shown_to: &OrgId) {
    let rules = ruling.rules();
    let Some(rule) = rules.watch.rule(RuleCode::LinkUndone) else {
        return;
    };
    let at = ruling.attempt().when.day_began();
    let queued = keeping::new_item(item, rule, rules, shown_to, at);
    ruling.list(List::Queue(shown_to.clone()), 0, item);
    let of = Aggregate::Queue(shown_to.clone());
    ruling.fact(of, item, &Record::QueueItem(queued));
    ruling.note("who-was-shown-is-told");
}

#[cfg(test)]
mod tests;
