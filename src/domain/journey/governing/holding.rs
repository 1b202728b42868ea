//! Legal hold: a court, the ICO or another duty asks that something be kept, unread.
//!
//! A hold stops destruction and nothing else: a withdrawal takes effect at once, what it removes is
//! gone for every journey, and no reply says that it is held. It keeps the accounts of log entries
//! about the same referral or person too. Nothing here may read payload.

use crate::domain::alias::{AliasKind, Aliases};
use crate::domain::decision::{Aggregate, Write};
use crate::domain::governance::{Hold, HoldChange, InForce, Widening};
use crate::domain::id::{Id, ReferralId};
use crate::domain::known::Known;
use crate::domain::record::{Record, singleton};
use crate::domain::referral::Referral;
use crate::domain::retention::Held;
use crate::domain::ruling::Ruling;
use crate::domain::time::When;

use super::changes::Wrong;

/// A hold is looked at again within a year.
pub const REVIEW_DAYS_MAX: i64 = 366;

/// The change with the referral under the gateway's own id; the caller named it by its alias.
pub fn inward(widening: &Widening, aliases: &Aliases) -> Widening {
    let mut widening = widening.clone();
    if let Widening::Hold(hold) = &mut widening {
        let alias = hold.referral.id();
        hold.referral = ReferralId(aliases.inward(AliasKind::Referral, alias));
    }
    widening
}

/// A withdrawn or closed referral answers like any other, so that proposing tells nothing.
pub(super) fn check(wrong: &mut Wrong, hold: &Hold, known: &Known, now: When) {
    let found = known.referrals.get(&hold.referral);
    let own = found.is_some_and(|referral| {
        referral.sender == hold.organisation || referral.recipient == hold.organisation
    });
    wrong.unless(
        own,
        "referral",
        "your organisation has no referral of that id",
    );
    let held = known.holds.contains_key(&hold.referral);
    match &hold.change {
        HoldChange::Set { review_at, .. } => {
            wrong.unless(!own || !held, "referral", "this referral is held already");
            wrong.unless(
                now < *review_at && *review_at <= now.plus_days(REVIEW_DAYS_MAX),
                "review_at",
                "a day after today and within a year",
            );
        }
        HoldChange::End => wrong.unless(!own || held, "referral", "this referral is not held"),
    }
}

/// Makes an approved change.
pub(super) fn apply(ruling: &mut Ruling<'_>, known: &Known, hold: &Hold) {
    let Some(referral) = known.referrals.get(&hold.referral) else {
        return;
    };
    let (of, fact) = (Aggregate::Referral(referral.id), singleton("hold"));
    ruling.subject(&referral.tokens);
    ruling.concerns(&referral.sender);
    ruling.concerns(&referral.recipient);
    match hold.change {
        HoldChange::Set { reason, review_at } => {
            ruling.note(reason.code());
            let items = items(referral);
            for item in items.iter().copied() {
                let of = of.clone();
                ruling.write(Write::Hold { of, item });
            }
            let in_force = InForce {
                items,
                reason,
                review_at,
                set_at: ruling.attempt().when,
                proposed_by: hold.organisation.clone(),
            };
            ruling.fact(of, fact, &Record::Hold(in_force));
            // And the accounts of the log that are about it.
            let held = Held {
                referral: referral.id,
                subjects: ruling.rules().log_subjects(&referral.tokens),
            };
            ruling.fact(Aggregate::Held, referral.id.id(), &Record::Held(held));
        }
        HoldChange::End => {
            let held = known.holds.get(&referral.id);
            for item in held.iter().flat_map(|held| held.items.iter().copied()) {
                let of = of.clone();
                ruling.write(Write::Release { of, item });
            }
            ruling.write(Write::Remove { of, item: fact });
            let (of, item) = (Aggregate::Held, referral.id.id());
            ruling.write(Write::Remove { of, item });
        }
    }
}

/// Everything that it carries beside its facts, there or already gone: which of these still is,
/// the writes do not tell.
fn items(referral: &Referral) -> Vec<Id> {
    let items = [
        referral.identity_item,
        referral.contact_item,
        referral.note_item,
        referral.language_item,
        referral.resealed_item,
    ];
    items.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::codes::{Action, Direction, HoldReason, ReferralStatus, Role};
    use crate::domain::decision::Decision;
    use crate::domain::id::ProposalId;
    use crate::domain::journey::governing::{approve, propose};
    use crate::domain::journey::scene::{Person, Scene, org, refusal, start, told};
    use crate::domain::journey::trial::{AMINA, Town};
    use crate::domain::refusal::Refusal;
    use crate::domain::ruling::Ruled;

    const HAVEN_IG: Person<'_> = ("haven", "hi1", Role::IgOfficer);
    const HAVEN: Person<'_> = ("haven", "ha1", Role::OrgAdmin);
    const COUNCIL_IG: Person<'_> = ("council", "ci1", Role::IgOfficer);
    const HOSPITAL: Person<'_> = ("hospital", "na1", Role::OrgAdmin);

    /// The borough, with a referral from the police to haven.
    fn scene() -> (Scene, Referral) {
        let mut town = Town::in_order();
        town.refer("met", "harbour", AMINA, Direction::Police);
        let mut referral = town.known().referrals.into_values().next().unwrap();
        referral.sender = org("police");
        referral.recipient = org("haven");
        let mut scene = Scene::borough();
        let stored = referral.clone();
        scene.known.referrals.insert(stored.id, stored);
        (scene, referral)
    }

    fn set(scene: &Scene, by: Person<'_>, referral: &Referral, days: i64) -> Widening {
        change(
            scene,
            by,
            referral,
            HoldChange::Set {
                reason: HoldReason::CourtOrder,
                review_at: start().plus_days(days),
            },
        )
    }

    fn change(scene: &Scene, by: Person<'_>, referral: &Referral, change: HoldChange) -> Widening {
        let organisation = org(by.0);
        let rules = &scene.rules;
        let alias = rules
            .aliases_of(&organisation)
            .outward(AliasKind::Referral, referral.id.id());
        Widening::Hold(Hold {
            organisation,
            referral: ReferralId(alias),
            change,
        })
    }

    fn proposed(scene: &mut Scene, by: Person<'_>, widening: &Widening) -> Decision<Ruled> {
        let attempt = scene.attempt(by, Action::Propose, start());
        scene.run(&attempt, |rules, attempt, known, keys| {
            propose(rules, attempt, known, keys, widening)
        })
    }

    /// Approves the proposal that waits.
    fn approved(scene: &mut Scene, by: Person<'_>) -> Decision<Ruled> {
        let waiting = scene.known.proposals.values();
        let waiting = waiting.filter(|proposal| proposal.waits(start()));
        let ids: Vec<ProposalId> = waiting.map(|proposal| proposal.id).collect();
        assert_eq!(ids.len(), 1);
        let rules = &scene.rules;
        let alias = rules
            .aliases_of(&org(by.0))
            .outward(AliasKind::Proposal, ids[0].id());
        let attempt = scene.attempt(by, Action::Approve, start());
        scene.run(&attempt, |rules, attempt, known, keys| {
            approve(rules, attempt, known, keys, alias)
        })
    }

    fn held(decision: &Decision<Ruled>) -> (Vec<Id>, Vec<Id>) {
        let (mut held, mut released) = (Vec::new(), Vec::new());
        for write in &decision.writes {
            match write {
                Write::Hold { item, .. } => held.push(*item),
                Write::Release { item, .. } => released.push(*item),
                _ => {}
            }
        }
        (held, released)
    }

    #[test]
    fn a_hold_is_set_and_ended_by_two_people_of_two_organisations() {
        let (mut scene, referral) = scene();
        let widening = set(&scene, HAVEN_IG, &referral, 90);
        let decision = proposed(&mut scene, HAVEN_IG, &widening);
        assert_eq!(told(&decision), "proposed");
        assert_eq!(held(&decision), (vec![], vec![]));
        // Nobody of the same organisation.
        let decision = approved(&mut scene, HAVEN);
        let second = Some(&Refusal::SecondOrganisationNeeded);
        assert_eq!(refusal(&decision), second);
        assert_eq!(held(&decision), (vec![], vec![]));

        let decision = approved(&mut scene, COUNCIL_IG);
        assert_eq!(told(&decision), "approved");
        let all = items(&referral);
        assert!(all.len() >= 2);
        assert_eq!(held(&decision), (all.clone(), vec![]));
        let in_force = &scene.known.holds[&referral.id];
        assert_eq!(in_force.items, all);
        assert_eq!(in_force.review_at, start().plus_days(90));
        // Both parties' officers find it in the log.
        let accounts = decision.value.opening.decided.concerned.clone();
        assert!(accounts.contains(&org("police")) && accounts.contains(&org("haven")));

        let again = set(&scene, HAVEN_IG, &referral, 90);
        assert!(refusal(&proposed(&mut scene, HAVEN_IG, &again)).is_some());
        let end = change(&scene, HAVEN_IG, &referral, HoldChange::End);
        proposed(&mut scene, HAVEN_IG, &end);
        let decision = approved(&mut scene, HOSPITAL);
        assert_eq!(held(&decision), (vec![], all));
        let fact = Write::Remove {
            of: Aggregate::Referral(referral.id),
            item: singleton("hold"),
        };
        assert!(decision.writes.contains(&fact));
    }

    #[test]
    fn proposing_a_hold_tells_nothing_about_her_word() {
        let (mut scene, referral) = scene();
        let widening = set(&scene, HAVEN_IG, &referral, 90);
        let before = told(&proposed(&mut scene, HAVEN_IG, &widening));
        let stored = scene.known.referrals.get_mut(&referral.id).unwrap();
        stored.status = ReferralStatus::Withdrawn;
        scene.known.proposals.clear();
        assert_eq!(told(&proposed(&mut scene, HAVEN_IG, &widening)), before);
        assert_eq!(told(&approved(&mut scene, COUNCIL_IG)), "approved");
    }

    #[test]
    fn a_hold_is_on_ones_own_referral_and_ends_in_a_review_within_a_year() {
        let (mut scene, referral) = scene();
        let hospitals = set(&scene, HOSPITAL, &referral, 90);
        assert!(refusal(&proposed(&mut scene, HOSPITAL, &hospitals)).is_some());
        for (days, well) in [(0, false), (1, true), (366, true), (367, false)] {
            scene.known.proposals.clear();
            let widening = set(&scene, HAVEN_IG, &referral, days);
            let decision = proposed(&mut scene, HAVEN_IG, &widening);
            assert_eq!(refusal(&decision).is_none(), well, "{days}");
        }
        let end = change(&scene, HAVEN_IG, &referral, HoldChange::End);
        assert!(refusal(&proposed(&mut scene, HAVEN_IG, &end)).is_some());
    }
}
