//! Who stands beside her becomes keyed tokens of a lane of its own, and what was sent is wiped.

use jiff::civil::Date;

use super::Gateway;
use crate::domain::journey::offering::Besides;
use crate::domain::other_party::{ASKING_FIELDS, Asker, CHILD_OF_FIELDS, OTHER_PARTY_FIELDS};
use crate::domain::person::{Beside, FieldError, Lane, RawBeside};
use crate::domain::referral::Draft;
use crate::domain::time::When;

impl Gateway {
    /// Takes the other party, and the parent under whom a child is recorded, out of a referral. Of an
    /// other party who is not named, codes alone are kept.
    ///
    /// # Errors
    /// All fields that are wrong, each with what to do.
    pub fn beside(&self, draft: &mut Draft, when: When) -> Result<Besides, Vec<FieldError>> {
        let (rules, today) = (self.rules.load(), self.today(when)?);
        let mut besides = Besides::default();
        let mut wrong = Vec::new();
        if let Some(given) = &mut draft.other_party {
            let who = std::mem::take(&mut given.who);
            besides.is_numbered = who.pnc_id.is_some();
            if !who.is_empty() {
                let lanes = [Lane::OtherParty];
                match who.resolve(&lanes, &OTHER_PARTY_FIELDS, &rules.tokens, today) {
                    Ok(made) => besides.other_party = made.into_iter().next(),
                    Err(errors) => wrong.extend(errors),
                }
            }
        }
        if let Some(who) = draft.parent.take() {
            let lanes = [Lane::Parent, Lane::OtherParty];
            match who.resolve(&lanes, &CHILD_OF_FIELDS, &rules.tokens, today) {
                Ok(made) if !made.iter().all(Beside::has_both_names) => wrong.push(FieldError {
                    field: CHILD_OF_FIELDS.family_name,
                    message: "give both names of the parent; where there is only one, give it twice",
                }),
                Ok(made) => {
                    let mut made = made.into_iter();
                    besides.parent = made.next();
                    let both = besides.other_party.as_ref().zip(made.next());
                    besides.parent_is_other_party =
                        both.is_some_and(|(party, parent)| party.may_be(&parent));
                }
                Err(errors) => wrong.extend(errors),
            }
        }
        if wrong.is_empty() {
            Ok(besides)
        } else {
            Err(wrong)
        }
    }

    /// Somebody who asks for her.
    ///
    /// # Errors
    /// All fields that are wrong, each with what to do.
    pub fn asking(&self, who: RawBeside, when: When) -> Result<Asker, Vec<FieldError>> {
        let (rules, today) = (self.rules.load(), self.today(when)?);
        let lanes = [Lane::OtherParty, Lane::Parent];
        let made = who.resolve(&lanes, &ASKING_FIELDS, &rules.tokens, today)?;
        // By one name alone nobody is known again: whoever is to be kept away would say no more.
        if !made.iter().all(Beside::has_both_names) {
            return Err(vec![FieldError {
                field: ASKING_FIELDS.family_name,
                message: "give both names of who asks, as you saw them proved; where there is only \
                          one, give it twice",
            }]);
        }
        match <[_; 2]>::try_from(made) {
            Ok([other_party, parent]) => Ok(Asker {
                other_party,
                parent,
            }),
            // One for each lane.
            Err(_) => Err(Vec::new()),
        }
    }

    pub(super) fn today(&self, when: When) -> Result<Date, Vec<FieldError>> {
        let date = self.rules.load().clock.date(when);
        date.map_err(|_| {
            vec![FieldError {
                field: "birth_date",
                message: "today's date cannot be reckoned",
            }]
        })
    }
}
