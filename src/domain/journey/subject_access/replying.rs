//! Who holds something says what, in its own words, and a second of its own people looks at all of
//! it before she is given it or it is left out.
//!
//! The words are sealed as they come in, for the service that she asked, and opened there for her
//! alone. The holder is not told which service that is.

use crate::domain::alias::AliasKind;
use crate::domain::answer::{Answer, Release, parts};
use crate::domain::attempt::Attempt;
use crate::domain::codes::{Article6, DataClass, EntryAbout, ReplyCode, Withheld};
use crate::domain::decision::{Aggregate, Decision};
use crate::domain::firewall::hold::read;
use crate::domain::firewall::{Screened, screen};
use crate::domain::id::{Id, SubjectAccessId};
use crate::domain::known::Known;
use crate::domain::person::FieldError;
use crate::domain::policy::{Ask, Relationship, authorise};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::{Keys, Payload};
use crate::domain::subject_access::{
    AccessAsk, Ended, Entry, Look, NotYours, Reply, SubjectAccess, WORDS_CHARS_MAX, Words,
};
use crate::domain::watch::RuleCode;

use super::super::{ACCEPTED, Stop, caller, mark, permit, recipient};
use super::{OWN_WORDS, asked, may, own_request, save_ask, seen_now, wrong};

/// Entries of one reply.
pub const ENTRIES_MAX: usize = 32;

/// What an organisation says.
pub struct Replying {
    pub code: ReplyCode,
    pub entries: Vec<Said>,
}

/// One thing that it holds.
pub struct Said {
    pub about: EntryAbout,
    pub basis: Article6,
    /// The first look: why it is to be left out, if it is.
    pub withheld: Option<Withheld>,
    pub words: Words,
}

/// One request: what became of it, or what is asked for and was said so far.
pub fn show(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide_show(&mut ruling, known, alias) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_show(ruling: &mut Ruling<'_>, known: &Known, alias: Id) -> Result<Answer, Stop> {
    let ask = may(ruling, known)?;
    if let Some(request) = own_request(ruling, known, alias) {
        // Why it was refused is for her, and for the ICO: whoever took it can show it. Why it took
        // longer stands in the report.
        let refused = matches!(request.ended, Some(Ended::Refused(..)));
        let why = request.explanations.as_slice();
        let why = own_words(ruling, known, if refused { why } else { &[] }, ask);
        let seen = seen_now(ruling, "subject-access", request);
        return Ok(Answer::Access(Box::new(seen), why));
    }
    let (one, _) = own_ask(ruling, known, alias)?;
    let answer = asked(ruling, known, "subject-access", one);
    let entries = one.reply.iter().flat_map(|reply| &reply.entries);
    let items: Vec<Id> = entries.map(|entry| entry.item).collect();
    let release = own_words(ruling, known, &items, ask);
    Ok(Answer::Access(Box::new(answer), release))
}

/// The caller's own words again: of a holder for the second look, of who refused for her. A body that
/// is told no free text, not even its own, compares with the copy that the first person kept.
fn own_words(
    ruling: &mut Ruling<'_>,
    known: &Known,
    items: &[Id],
    ask: Ask,
) -> Option<Screened<Release>> {
    if items.is_empty() {
        return None;
    }
    let question = Ask {
        classes: vec![DataClass::Ft],
        own: true,
        // It works on its own file.
        relationship: Relationship::AcceptedOwn,
        ..ask
    };
    let policies = &ruling.rules().book.policies;
    let permitted = authorise(policies, &question, parts(known, items)).ok()?;
    let screened = screen(permitted, OWN_WORDS);
    if screened.value().parts.is_empty() {
        return None;
    }
    ruling.disclosed(&[DataClass::Ft]);
    Some(screened)
}

/// Says what is held.
pub fn reply(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    replying: &Replying,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.reason(replying.code.code());
    match decide_reply(&mut ruling, known, alias, replying) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_reply(
    ruling: &mut Ruling<'_>,
    known: &Known,
    alias: Id,
    replying: &Replying,
) -> Result<Answer, Stop> {
    let ask = may(ruling, known)?;
    check(ruling, known, replying)?;
    let (one, request) = own_ask(ruling, known, alias)?;
    if one.reply.is_some() {
        return Err(Stop::Refuse(Refusal::AlreadyAnswered));
    }
    let attempt = ruling.attempt();
    let looked = |withheld| Look {
        by: attempt.user.as_str().to_owned(),
        role: attempt.role,
        at: attempt.when,
        withheld,
    };
    let mut payload = Payload::default();
    let (mut entries, mut held) = (Vec::new(), Vec::new());
    for (place, said) in replying.entries.iter().enumerate() {
        let item = attempt.entropy.id(&format!("entry {place}"));
        match read(ruling.rules(), attempt, &said.words) {
            Ok(screened) => payload.add(DataClass::Ft, item, screened.encode()),
            Err(holds) => held.extend(holds),
        }
        entries.push(Entry {
            item,
            about: said.about,
            basis: said.basis,
            first: looked(said.withheld),
            second: None,
        });
    }
    if !held.is_empty() {
        return Err(Stop::Refuse(Refusal::ImmigrationContentFound(held)));
    }
    if !entries.is_empty() {
        keep(ruling, known, (one, request), ask, payload)?;
    }
    if replying.code == ReplyCode::SheDidNotAsk {
        ruling.note("she-did-not-ask");
        ruling.note(RuleCode::AccessNotHers.code());
        ruling.finds(RuleCode::AccessNotHers);
        for reviewer in &known.approvers.reviewers {
            ruling.concerns(reviewer);
        }
    }
    let replied = AccessAsk {
        reply: Some(Reply {
            at: attempt.when,
            code: replying.code,
            entries,
        }),
        ..one.clone()
    };
    save_ask(ruling, &replied);
    let answer = asked(ruling, known, "subject-access-replied", &replied);
    Ok(Answer::Access(Box::new(answer), None))
}

/// About the caller's own input alone, so that it is said whether or not anything is asked.
fn check(ruling: &Ruling<'_>, known: &Known, replying: &Replying) -> Result<(), Stop> {
    let kind = caller(known, ruling.attempt())?.kind();
    let mut found = Vec::new();
    let mut add = |field, message| found.push(FieldError { field, message });
    match replying.code {
        ReplyCode::Holds if replying.entries.is_empty() => {
            add("entries", "say what you hold, one entry for each thing");
        }
        ReplyCode::HoldsNothing | ReplyCode::SheDidNotAsk if !replying.entries.is_empty() => {
            add("entries", "leave them out, or say that you hold something");
        }
        ReplyCode::Holds | ReplyCode::HoldsNothing | ReplyCode::SheDidNotAsk => {}
    }
    if replying.entries.len() > ENTRIES_MAX {
        add("entries", "at most 32");
    }
    for said in &replying.entries {
        let chars = |text: &str| text.trim().chars().count();
        if chars(&said.words.what) == 0 || chars(&said.words.what) > WORDS_CHARS_MAX {
            add(
                "what",
                "say in plain words what is held, in 1 to 1,000 characters",
            );
        }
        if chars(&said.words.why) > WORDS_CHARS_MAX {
            add("why", "at most 1,000 characters");
        }
        if !said.basis.open_to(kind) {
            add(
                "basis",
                "this basis is not open to your kind of organisation",
            );
        }
        if let Err(no) = Entry::fits(said.about, said.withheld) {
            add("withhold", no.says());
        }
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(Stop::Refuse(Refusal::CheckYourAnswers(found)))
    }
}

/// Seals the words for the service that she asked. What is wrong with that service is not the
/// holder's to know.
fn keep(
    ruling: &mut Ruling<'_>,
    known: &Known,
    (one, request): (&AccessAsk, &SubjectAccess),
    ask: Ask,
    payload: Payload,
) -> Result<(), Stop> {
    let unavailable = || Stop::Nothing("the service that she asked cannot take it");
    let taker = known.organisations.get(&request.taken_by);
    let taker = taker.ok_or_else(unavailable)?;
    let question = Ask {
        recipient: recipient(taker, &request.team, ruling.attempt()),
        classes: vec![DataClass::Ft],
        ..ask
    };
    ruling.asked(&question.classes);
    let permitted = permit(ruling, &question, payload).map_err(|_| unavailable())?;
    let screened = screen(permitted, ACCEPTED);
    mark(ruling, &screened);
    if screened.value().items().next().is_none() {
        return Err(unavailable());
    }
    ruling.payload(&Aggregate::SubjectAccess(one.id), &screened);
    Ok(())
}

/// A second person's judgement of one entry, under the holder's name for it.
pub fn redact(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
    entry: Id,
    withheld: Option<Withheld>,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    ruling.reason(withheld.map_or("given", Withheld::code));
    match decide_redact(&mut ruling, known, alias, entry, withheld) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_redact(
    ruling: &mut Ruling<'_>,
    known: &Known,
    alias: Id,
    entry: Id,
    withheld: Option<Withheld>,
) -> Result<Answer, Stop> {
    may(ruling, known)?;
    let (one, _) = own_ask(ruling, known, alias)?;
    let attempt = ruling.attempt();
    let item = ruling.aliases().inward(AliasKind::SubjectAccess, entry);
    let mut looked = one.clone();
    let entries = looked.reply.iter_mut().flat_map(|reply| &mut reply.entries);
    let mut found = entries.filter(|entry| entry.item == item);
    let entry = found.next().ok_or(Stop::Nothing("no such entry"))?;
    let look = Look {
        by: attempt.user.as_str().to_owned(),
        role: attempt.role,
        at: attempt.when,
        withheld,
    };
    entry.look(look).map_err(|no| match no {
        NotYours::Settled => Stop::Refuse(Refusal::AlreadyAnswered),
        NotYours::SamePerson | NotYours::NeedsAProfessional | NotYours::NoSuchGround => {
            wrong("entry", no.says())
        }
    })?;
    ruling.note(entry.about.code());
    save_ask(ruling, &looked);
    let answer = asked(ruling, known, "subject-access-looked", &looked);
    Ok(Answer::Access(Box::new(answer), None))
}

/// What is asked of the caller's organisation under this alias, with the request behind it. One that
/// was refused meanwhile, or whose words have been erased, is gone.
fn own_ask<'a>(
    ruling: &mut Ruling<'_>,
    known: &'a Known,
    alias: Id,
) -> Result<(&'a AccessAsk, &'a SubjectAccess), Stop> {
    let inward = ruling.aliases().inward(AliasKind::SubjectAccess, alias);
    ruling.object(Some(alias), Some(inward));
    let own = ruling.attempt().organisation();
    let one = known.access_asks.get(&SubjectAccessId(inward));
    let one = one.filter(|one| one.holder == *own);
    let one = one.ok_or(Stop::Nothing("no such request"))?;
    let request = known.accesses.get(&one.request);
    let now = ruling.attempt().when;
    let request = request.filter(|request| {
        !matches!(request.ended, Some(Ended::Refused(..))) && request.keeps_words(now)
    });
    let request = request.ok_or(Stop::Nothing("no such request"))?;
    ruling.looks_up(&one.tokens);
    Ok((one, request))
}
