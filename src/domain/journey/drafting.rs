//! A referral that is half filled in is kept for later (3.12): by one person, for her alone, until she
//! sends it, throws it away, or seven days are over.
//!
//! It is her own words that come back. What the screen holds is not kept, nor what the firewall would
//! not tell her own team; no entry says what is in a draft or whom it is about.

use crate::domain::alias::AliasKind;
use crate::domain::answer::{Answer, Release};
use crate::domain::attempt::{Attempt, Entropy};
use crate::domain::codes::DataClass;
use crate::domain::decision::{Aggregate, Decision, List, Listed, Write};
use crate::domain::draft::{DRAFT_CLASSES, DRAFT_DAYS, DRAFTS_MAX, Draft, Filled, SeenDraft};
use crate::domain::firewall::table::row;
use crate::domain::firewall::{Circumstances, Screenable, Stage, Supplied, Text, opens, screen};
use crate::domain::id::{DraftId, Id};
use crate::domain::known::Known;
use crate::domain::person::FieldError;
use crate::domain::policy::Ask;
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::{Keys, Payload};
use crate::domain::time::When;

use super::assessing::OWN;
use super::own_acts::{self, OwnAct};
use super::sealed_items::Due;
use super::{Stop, caller, forgetting, mark, permit};

/// Drafts that one entry of the clock erases.
pub const ERASED_AT_ONCE: u16 = 50;

/// Keeps what is filled in so far: as a new draft, or in the place of the one known as `again`.
///
/// # Errors
/// [`BadRuling`].
pub fn keep(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    again: Option<Id>,
    filled: &Filled,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide_keep(&mut ruling, known, again, filled) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_keep(
    ruling: &mut Ruling<'_>,
    known: &Known,
    again: Option<Id>,
    filled: &Filled,
) -> Result<Answer, Stop> {
    let attempt = ruling.attempt();
    let ask = may(ruling, known)?;
    let screened = filled.screened(ruling.rules(), attempt, &ask.classes);
    let screened = screened.map_err(Refusal::ImmigrationContentFound)?;
    let until = attempt.when.plus_days(DRAFT_DAYS);
    let draft = match again {
        Some(alias) => Draft {
            until,
            ..find(ruling, known, alias)?.clone()
        },
        None => new(known, attempt, until)?,
    };
    erase(known, &draft).for_each(|write| ruling.write(write));
    let mut payload = Payload::default();
    for (class, plain) in screened.parts() {
        let item = attempt.entropy.id(&format!("draft {}", class.code()));
        payload.add(class, item, plain);
    }
    let payload = screen(permit(ruling, &ask, payload)?, OWN);
    mark(ruling, &payload);
    let of = Aggregate::Draft(draft.id);
    ruling.payload(&of, &payload);
    ruling.fact(of, item(), &Record::Draft(draft.clone()));
    ruling.list(mine(&draft), draft.begun_at.place(), draft.id.id());
    ruling.list(List::DraftsDue, until.place(), draft.id.id());
    let seen = seen(ruling, &draft);
    ruling.made(seen.id.id());
    ruling.object(Some(seen.id.id()), Some(draft.id.id()));
    Ok(Answer::DraftKept {
        draft: seen,
        kept: screened.names(),
    })
}

fn new(known: &Known, attempt: &Attempt, until: When) -> Result<Draft, Stop> {
    let others = known.drafts.values().filter(|draft| draft.is_of(attempt));
    if others.count() >= DRAFTS_MAX {
        return Err(Stop::from(FieldError {
            field: "draft",
            message: "you keep five already: send one of them, or throw it away, first",
        }));
    }
    Ok(Draft {
        id: DraftId(attempt.entropy.id("draft")),
        organisation: attempt.organisation().clone(),
        user: attempt.user.as_str().to_owned(),
        begun_at: attempt.when,
        until,
    })
}

/// The caller's own drafts, by when they were begun. `entries` are positions of her list.
///
/// # Errors
/// [`BadRuling`].
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
    let ids = entries.iter().map(|entry| DraftId(entry.item));
    let own = ids.filter_map(|id| known.drafts.get(&id));
    let own = own.filter(|draft| draft.is_of(attempt));
    let list = own.map(|draft| seen(&ruling, draft)).collect();
    ruling.finish(Answer::Drafts(list))
}

/// What is in the draft known as `alias`.
///
/// # Errors
/// [`BadRuling`].
pub fn open(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    match decide_open(&mut ruling, known, alias) {
        Ok(answer) => ruling.finish(answer),
        Err(stop) => ruling.stop(stop),
    }
}

fn decide_open(ruling: &mut Ruling<'_>, known: &Known, alias: Id) -> Result<Answer, Stop> {
    let ask = may(ruling, known)?;
    let draft = find(ruling, known, alias)?;
    let of = Aggregate::Draft(draft.id);
    let parts = known.parts.iter().filter(|part| part.of == of);
    let release = Release {
        parts: parts.cloned().collect(),
    };
    let screened = screen(permit(ruling, &ask, release)?, OWN);
    mark(ruling, &screened);
    ruling.disclosed(&screened.value().classes());
    Ok(Answer::Draft(seen(ruling, draft), screened))
}

/// It was sent, or is not wanted any more.
///
/// # Errors
/// [`BadRuling`].
pub fn throw_away(
    rules: &Rules,
    attempt: &Attempt,
    known: &Known,
    keys: Keys,
    alias: Id,
) -> Result<Decision<Ruled>, BadRuling> {
    let mut ruling = Ruling::new(rules, attempt, known, keys);
    let found = may(&mut ruling, known).and_then(|_| find(&mut ruling, known, alias));
    match found {
        Ok(draft) => {
            let of = Aggregate::Draft(draft.id);
            erase(known, draft).for_each(|write| ruling.write(write));
            ruling.write(Write::Remove { of, item: item() });
            ruling.finish(Answer::DraftErased)
        }
        Err(stop) => ruling.stop(stop),
    }
}

/// The clock's own entry: drafts whose days are over are erased. It says neither how many nor whose.
///
/// # Errors
/// [`BadRuling`].
pub fn erase_due(
    rules: &Rules,
    when: When,
    entropy: &Entropy,
    keys: Keys,
    known: &Known,
    due: &Due<'_>,
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let mut writes = Vec::new();
    for entry in due.entries {
        let id = DraftId(entry.item);
        writes.push(Write::Unlist {
            list: List::DraftsDue,
            item: entry.item,
        });
        let Some(draft) = known.drafts.get(&id) else {
            continue;
        };
        if due.now < draft.until {
            writes.push(Write::List {
                list: List::DraftsDue,
                at: draft.until.place(),
                item: entry.item,
            });
        } else {
            writes.extend(erase(known, draft));
            writes.push(Write::Remove {
                of: Aggregate::Draft(id),
                item: item(),
            });
        }
    }
    let act = OwnAct {
        user: "retention",
        action: forgetting::ACTION,
        reason: "drafts".to_owned(),
        rule: String::new(),
        answer: Answer::DraftErased,
        told: Vec::new(),
        concerned: Vec::new(),
        notes: Vec::new(),
        request: Vec::new(),
        facts: Vec::new(),
        removed: Vec::new(),
        lists: Vec::new(),
        writes,
        urgent: true,
    };
    own_acts::entry(rules, when, entropy, keys, known, act)
}

/// Whether the caller may keep drafts at all, and of what: what her own team may be told of what it
/// supplied itself. The rest is never asked for, so nothing is dropped.
fn may(ruling: &mut Ruling<'_>, known: &Known) -> Result<Ask, Stop> {
    let attempt = ruling.attempt();
    let caller = caller(known, attempt)?;
    let mut ask = caller.ask(attempt, caller.as_recipient());
    ask.own = true;
    let row = row(ask.recipient.kind, ask.recipient.tainted);
    let own = Circumstances {
        stage: Stage::Nothing,
        supplied: Supplied::ByRecipient,
        text: Text::Clear,
        consented: false,
        emergency: false,
    };
    let classes = DRAFT_CLASSES.into_iter();
    ask.classes = classes
        .filter(|class| opens(row, *class, own))
        .collect::<Vec<DataClass>>();
    ruling.asked(&ask.classes);
    permit(ruling, &ask, ())?;
    Ok(ask)
}

/// The caller's own draft of this alias. Another's, one that is gone and one that never was are alike.
fn find<'a>(ruling: &mut Ruling<'_>, known: &'a Known, alias: Id) -> Result<&'a Draft, Stop> {
    let inward = ruling.aliases().inward(AliasKind::Draft, alias);
    ruling.object(Some(alias), Some(inward));
    let draft = known.drafts.get(&DraftId(inward));
    let draft = draft.filter(|draft| draft.is_of(ruling.attempt()));
    draft.ok_or(Stop::Nothing("no such draft"))
}

fn seen(ruling: &Ruling<'_>, draft: &Draft) -> SeenDraft {
    let id = ruling.aliases().outward(AliasKind::Draft, draft.id.id());
    SeenDraft {
        id: DraftId(id),
        begun_at: draft.begun_at,
        until: draft.until,
    }
}

/// All of it but the fact that it is there.
fn erase<'a>(known: &'a Known, draft: &Draft) -> impl Iterator<Item = Write> + use<'a> {
    let of = Aggregate::Draft(draft.id);
    let item = draft.id.id();
    let lists = [mine(draft), List::DraftsDue];
    let parts = known.parts.iter().filter(move |part| part.of == of);
    let parts = parts.map(|part| Write::Remove {
        of: part.of.clone(),
        item: part.item,
    });
    parts.chain(
        lists
            .into_iter()
            .map(move |list| Write::Unlist { list, item }),
    )
}

/// The list of whoever keeps it.
fn mine(draft: &Draft) -> List {
    List::Drafts(draft.organisation.clone(), draft.user.clone())
}

/// Under which item the fact lies.
fn item() -> Id {
    singleton("draft")
}

#[cfg(test)]
mod tests;
