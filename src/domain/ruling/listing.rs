//! In whose lists an entry of the log stands: those of its organisation and user, of everyone
//! concerned, and of the person under names that no two organisations share.
//!
//! Lists are how an entry is found; what its reader then sees of it is settled elsewhere.

use super::super::attempt::Attempt;
use super::super::decision::{List, Write};
use super::super::id::{Id, OrgId};
use super::super::rules::{Entries, Rules};

/// Whom an entry is about, and whose officers see it.
pub struct Place<'a> {
    pub concerned: &'a [OrgId],
    pub subjects: &'a [[u8; 16]],
    pub looks_up: bool,
}

/// Lists `entry` for each of them.
pub fn list_entry(
    writes: &mut Vec<Write>,
    rules: &Rules,
    attempt: &Attempt,
    place: &Place<'_>,
    entry: Id,
) {
    let Place {
        concerned,
        subjects,
        looks_up,
    } = *place;
    let of = if looks_up {
        Entries::Readings
    } else {
        Entries::OwnStaff
    };
    let own = attempt.organisation();
    let user = attempt.user.as_str().to_owned();
    let mut lists = vec![List::Audit(own.clone()), List::AuditUser(own.clone(), user)];
    let of_own = subjects
        .iter()
        .map(|subject| rules.subject_list(own, of, subject));
    lists.extend(of_own);
    for organisation in concerned.iter().filter(|concerned| *concerned != own) {
        lists.push(List::AuditConcerned(organisation.clone()));
        let of_others = subjects
            .iter()
            .map(|subject| rules.subject_list(organisation, Entries::Others, subject));
        lists.extend(of_others);
    }
    lists.extend(subjects.iter().map(|subject| match looks_up {
        true => rules.readings(subject),
        false => List::AuditSubject(*subject),
    }));
    writes.extend(lists.into_iter().map(|list| Write::List {
        list,
        at: 0,
        item: entry,
    }));
}
