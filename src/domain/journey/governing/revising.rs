//! Another rulebook, by two people of two organisations (F10): loaded and judged when it is
//! proposed and when it is approved, by this program, with its proof.

use super::changes::Changed;
use super::wrong;
use crate::domain::decision::Aggregate;
use crate::domain::id::ProposalId;
use crate::domain::journey::Stop;
use crate::domain::known::Known;
use crate::domain::record::{Record, singleton};
use crate::domain::refusal::Refusal;
use crate::domain::rulebook::{Adopted, BadRulebook, Page, Revision, Rulebook};
use crate::domain::rules::{Rules, in_force};
use crate::domain::time::When;

impl From<BadRulebook> for Stop {
    fn from(bad: BadRulebook) -> Self {
        Self::Refuse(Refusal::PoliciesDoNotLoad(bad.problems))
    }
}

/// The revision with everything that its approver must see, and the fact that keeps its pages.
pub fn weigh(revision: &mut Revision, rules: &Rules, known: &Known) -> Result<Changed, Stop> {
    let book = Rulebook::load(&revision.pages)?;
    let replaces = in_force(known);
    if book.hash() == replaces {
        return Err(wrong("rulebook", "these policies are in force already"));
    }
    revision.hash = book.hash();
    revision.proof = book.policies.proof().hash();
    revision.solver = book.policies.proof().solver.clone();
    revision.replaces = replaces;
    // Where the one in force cannot be used, to what stands in for it.
    revision.differences = rules.book.differences(&book);
    Ok(pages_fact(book.hash(), std::mem::take(&mut revision.pages)))
}

/// The facts that put it in force from the next decision on. What it replaces is kept as well, so
/// that earlier entries of the log can be judged by what was in force then.
pub fn adopt(
    revision: &Revision,
    proposal: ProposalId,
    rules: &Rules,
    known: &Known,
    now: When,
) -> Result<Vec<Changed>, Stop> {
    if revision.replaces != in_force(known) {
        let message = "other policies came into force since this was proposed; propose it again";
        return Err(wrong("proposal", message));
    }
    let pages = known
        .books
        .get(&revision.hash)
        .map_or(&[][..], Vec::as_slice);
    if Rulebook::load(pages)?.hash() != revision.hash {
        return Err(wrong("proposal", "its files are gone; propose it again"));
    }
    let adopted = Adopted {
        hash: revision.hash,
        since: now,
        proposal,
    };
    let mut facts = vec![(
        Aggregate::Settings,
        singleton("rulebook"),
        Record::Adopted(adopted),
    )];
    if !known.books.contains_key(&rules.book.hash()) {
        facts.push(pages_fact(rules.book.hash(), rules.pages().to_vec()));
    }
    Ok(facts)
}

fn pages_fact(hash: [u8; 32], pages: Vec<Page>) -> Changed {
    (
        Aggregate::Rulebook(hash),
        singleton("pages"),
        Record::Pages(pages),
    )
}
