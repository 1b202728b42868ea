//! The gateway's own entry that the accounts of older entries are erased, because their time is
//! over.
//!
//! It says how many, of which class and between which entries, and of whom nothing: whoever reads
//! the log of erasures must not find there what was erased.

use crate::domain::answer::Answer;
use crate::domain::attempt::Entropy;
use crate::domain::decision::{Aggregate, Decision, Write};
use crate::domain::known::Known;
use crate::domain::record::{Record, singleton};
use crate::domain::retention::{Class, Looked};
use crate::domain::rules::Rules;
use crate::domain::ruling::{BadRuling, Ruled};
use crate::domain::seal::Keys;
use crate::domain::time::When;

use super::own_acts::{self, OwnAct};

/// Item keys of the entry: how far it came, and the opening.
pub const KEYS: usize = 2;
/// What the entry calls it.
pub const ACTION: &str = "retention.erase";

/// Erases what one look found due, and notes how far it came. `None` if nobody was ever enrolled.
///
/// # Errors
/// [`BadRuling`].
pub fn forget(
    rules: &Rules,
    when: When,
    entropy: &Entropy,
    keys: Keys,
    known: &Known,
    class: &Class,
    looked: &Looked,
) -> Result<Option<Decision<Ruled>>, BadRuling> {
    let due = &looked.due;
    let mut notes = vec![
        format!("class-{}", class.name),
        format!("erased-{}", due.len()),
    ];
    if let (Some(first), Some(last)) = (due.iter().min(), due.iter().max()) {
        notes.push(format!("entries-{first}-to-{last}"));
    }
    let act = OwnAct {
        user: "retention",
        action: ACTION,
        reason: class.name.clone(),
        rule: format!("{} {} days", class.name, class.days),
        answer: Answer::Forgot,
        told: Vec::new(),
        concerned: Vec::new(),
        notes,
        request: due.iter().flat_map(|index| index.to_be_bytes()).collect(),
        facts: vec![(
            Aggregate::Retention,
            singleton("progress"),
            Record::Retention(looked.progress.clone()),
        )],
        removed: Vec::new(),
        lists: Vec::new(),
        writes: due
            .iter()
            .map(|index| Write::Forget { index: *index })
            .collect(),
        urgent: false,
    };
    own_acts::entry(rules, when, entropy, keys, known, act)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::journey::scene::{Scene, start};
    use crate::domain::retention::Progress;
    use crate::domain::seal::{ItemKey, Slot};

    #[test]
    fn the_entry_says_how_many_of_which_class_and_of_whom_nothing() {
        let scene = Scene::borough();
        let rules = scene.rules;
        let class = rules.retention.classes().last().unwrap();
        let looked = Looked {
            due: vec![7, 3, 40],
            progress: Progress::default().under(&rules.retention),
            ended: true,
        };
        let entropy = Entropy::new([1; 32]);
        let keys = (1..=KEYS as u64).map(|slot| ItemKey::new(Slot(slot), [7; 32]));
        let keys = Keys::new(keys.collect(), entropy.branch("nonces"));
        let made = forget(rules, start(), &entropy, keys, &scene.known, class, &looked);
        let decision = made.unwrap().unwrap();
        let opening = &decision.value.opening;
        assert_eq!(
            opening.decided.notes,
            ["operator", "class-record", "erased-3", "entries-3-to-40"]
        );
        assert_eq!(opening.what.action, "retention.erase");
        assert_eq!(opening.why.reason.as_deref(), Some("record"));
        assert!(opening.decided.subject.is_none() && opening.decided.concerned.is_empty());
        let forgotten = decision.writes.iter().filter_map(|write| match write {
            Write::Forget { index } => Some(*index),
            _ => None,
        });
        assert_eq!(forgotten.collect::<Vec<_>>(), looked.due);
        assert_eq!(decision.writes.len(), 2 + looked.due.len());
    }
}
