//! The words of a request that has ended are erased when their time is over, by an entry of the
//! gateway's own: what holders said for her, and why it was late or refused.
//!
//! That there was a request, its clock and its steps stay, without a word.

use crate::domain::answer::Answer;
use crate::domain::attempt::Entropy;
use crate::domain::decision::{Aggregate, Decision, List, Listed, Write};
use crate::domain::id::SubjectAccessId;
use crate::domain::journey::forgetting;
use crate::domain::journey::own_acts::{self, OwnAct};
use crate::domain::known::Known;
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled, Ruling};
use crate::domain::seal::Keys;
use crate::domain::subject_access::{AccessAsk, SubjectAccess, WORDS_DAYS};
use crate::domain::time::When;

/// Item keys of the entry: the opening.
pub const KEYS: usize = 1;
/// Requests whose words one entry erases: with all that each holder may have said, they fit one frame
/// of the store.
pub const ERASED_AT_ONCE: u16 = 4;

/// What one look of the night found.
pub struct Due<'a> {
    /// By which time it is due; the entry itself is dated as all are.
    pub now: When,
    pub entries: &'a [Listed],
}

/// Puts a request that ends now down for the night in which its words go.
pub(super) fn put_down(ruling: &mut Ruling<'_>, id: SubjectAccessId) {
    let until = ruling.attempt().when.plus_days(WORDS_DAYS);
    ruling.write(off(id));
    ruling.list(List::AccessDue, until.place(), id.id());
}

/// Where the words of a request lie: its own explanations, and what each holder said.
pub fn places(request: &SubjectAccess) -> impl Iterator<Item = Aggregate> + '_ {
    let asked = request.asked.iter();
    let asked = asked.map(|holder| AccessAsk::id_of(request.id, holder));
    asked.chain([request.id]).map(Aggregate::SubjectAccess)
}

/// Erases the words of the requests that are due. It says neither how many nor whose: every
/// organisation sees the entry. `None` if nobody was ever enrolled.
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
        let id = SubjectAccessId(entry.item);
        writes.push(off(id));
        let request = known.accesses.get(&id);
        let over = |one: &&SubjectAccess| !one.keeps_words(due.now);
        for place in request.filter(over).into_iter().flat_map(places) {
            let parts = known.parts.iter().filter(|part| part.of == place);
            writes.extend(parts.map(|part| Write::Remove {
                of: part.of.clone(),
                item: part.item,
            }));
        }
    }
    let act = OwnAct {
        user: "retention",
        action: forgetting::ACTION,
        reason: "subject-access".to_owned(),
        rule: format!("subject-access {WORDS_DAYS} days"),
        answer: Answer::Forgot,
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

fn off(id: SubjectAccessId) -> Write {
    Write::Unlist {
        list: List::AccessDue,
        item: id.id(),
    }
}
