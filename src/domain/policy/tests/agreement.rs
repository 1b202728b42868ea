//! Policy and table, side by side, on every combination of what both look at. No solver: the real
//! authorizer and the real firewall answer each.
//!
//! Values that neither tells apart stand for one another: one kind of body for each row of the
//! table, one class at a time (the rules speak of lists of classes, class by class). Permits are
//! replaced by one that permits everything, so that nothing is refused for want of a permit.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::*;
use crate::domain::firewall::table::{Row, row};
use crate::domain::firewall::{Screenable, Screening, Supplied, Text, screen};

struct One(Vec<DataClass>);

impl Screenable for One {
    fn classes(&self) -> Vec<DataClass> {
        self.0.clone()
    }

    fn keep(mut self, allowed: impl Fn(DataClass) -> bool) -> Self {
        self.0.retain(|class| allowed(*class));
        self
    }
}

/// A kind of each row, and somebody there who may act for a purpose.
const BODIES: [(OrgKind, Role, Purpose); 9] = [
    (OrgKind::Refuge, Role::Adviser, Purpose::Support),
    (OrgKind::Police, Role::Officer, Purpose::OnwardReferral),
    (OrgKind::NhsTrust, Role::EdSenior, Purpose::Support),
    (
        OrgKind::LocalAuthority,
        Role::SocialWorker,
        Purpose::Support,
    ),
    (OrgKind::Court, Role::CourtOfficer, Purpose::CourtSupport),
    (
        OrgKind::LegalAdviser,
        Role::LegalAdviser,
        Purpose::LegalAdvice,
    ),
    (OrgKind::Icb, Role::Dpo, Purpose::Audit),
    (OrgKind::Reviewer, Role::Reviewer, Purpose::Audit),
    (OrgKind::Probation, Role::Dpo, Purpose::Audit),
];

/// Whose the data are, her consent, and whether the team that is told is tainted.
const FACTS: [(bool, Option<ConsentState>, bool); 7] = [
    (false, None, false),
    (false, Some(LIVE), false),
    (false, Some(DEAD), false),
    (true, None, false),
    (true, Some(LIVE), false),
    (true, Some(DEAD), false),
    (true, Some(LIVE), true),
];

const DEAD: ConsentState = ConsentState {
    live: false,
    ..LIVE
};

fn any_permits() -> Policies {
    let (schema, files) = Policies::shipped_files();
    let all = r#"@id("all") @says("All.") permit (principal, action, resource);"#;
    let files: Vec<(&str, &str)> = files
        .iter()
        .copied()
        .chain([("00-all.cedar", all)])
        .collect();
    Unproved::load(schema, &files).unwrap().assume_proved()
}

/// Every combination, for one action and one body that is told.
fn asks(action: Action, (kind, role, purpose): (OrgKind, Role, Purpose)) -> Vec<Ask> {
    let writes = tells(action) && !reads(action) && action != Action::RecordAssessment;
    let mut base = if writes {
        good(action, OrgKind::Refuge, Role::Adviser, Purpose::Support)
    } else {
        good(action, kind, role, purpose)
    };
    if writes {
        base.recipient.organisation = OrgId::parse("other").unwrap();
        base.recipient.kind = kind;
    }
    if action == Action::BreakGlass {
        base.purpose = Purpose::Emergency;
    }
    base.basis = None;
    // Nothing opens these to anyone: the facts at their best are enough.
    let closed = matches!(
        row(kind, false).code(),
        "court" | "analyst" | "reviewer" | "closed"
    );
    let relationships = if closed {
        &[Relationship::AcceptedFromAnother]
    } else {
        Relationship::ALL
    };
    let mut all = Vec::new();
    for class in DataClass::ALL {
        for relationship in relationships {
            for (own, consent, tainted) in FACTS {
                let mut ask = base.clone();
                ask.classes = vec![*class];
                ask.relationship = *relationship;
                ask.own = own;
                ask.consent = consent;
                ask.source_consent = consent;
                ask.recipient.tainted = tainted;
                if !writes {
                    ask.actor.tainted = tainted;
                }
                // Told of a danger to life: only where she did not agree does it matter.
                ask.emergency_confirmed = action == Action::BreakGlass || consent.is_none();
                all.push(ask);
            }
        }
    }
    all
}

/// What becomes of a class on its way to a row.
#[derive(Default)]
struct Fates {
    told: u32,
    /// Policy would let it through, the table drops it.
    table_alone: u32,
}

#[test]
fn policy_and_table_agree_on_every_combination() {
    let policies = any_permits();
    let mut fates: BTreeMap<(Row, DataClass), Fates> = BTreeMap::new();
    let mut asked = 0;
    for action in Action::ALL.iter().filter(|action| tells(**action)) {
        for body in BODIES {
            for ask in asks(*action, body) {
                asked += 1;
                let class = ask.classes[0];
                let row = row(ask.recipient.kind, ask.recipient.tainted);
                let fate = fates.entry((row, class)).or_default();
                if !policies.permits(&ask) {
                    continue;
                }
                // The table has `never` here, or the closed row; policy refuses by itself.
                assert_ne!(class, DataClass::Im, "{ask:?}");
                assert!(!ask.recipient.tainted && !ask.actor.tainted, "{ask:?}");
                let permitted = authorise(&policies, &ask, One(vec![class])).unwrap();
                let most = Screening {
                    stage: crate::domain::firewall::Stage::Accept,
                    supplied: Supplied::ByRecipient,
                    text: Text::Clear,
                };
                if screen(permitted, most).value().0.is_empty() {
                    fate.table_alone += 1;
                } else {
                    fate.told += 1;
                }
            }
        }
    }
    assert!(asked > 25_000, "{asked}");
    let mut text = String::new();
    for row in Row::ALL {
        let of = |pick: fn(&Fates) -> bool| {
            let all: Vec<&str> = fates
                .iter()
                .filter(|((of, _), fate)| of == row && pick(fate))
                .map(|((_, class), _)| class.code())
                .collect();
            match all.as_slice() {
                [] => "-".to_owned(),
                some => some.join(" "),
            }
        };
        writeln!(
            text,
            "{}: may be told {}; stopped by the table alone {}; by both {}",
            row.code(),
            of(|fate| fate.told > 0),
            of(|fate| fate.told == 0 && fate.table_alone > 0),
            of(|fate| fate.told == 0 && fate.table_alone == 0),
        )
        .unwrap();
    }
    insta::assert_snapshot!(text, @"
    provider: may be told op id loc sp ip perp ft met; stopped by the table alone -; by both im sealed
    police: may be told op id ip perp met; stopped by the table alone -; by both loc sp im ft sealed
    nhs: may be told op id loc sp ip ft met; stopped by the table alone perp; by both im sealed
    council: may be told op id loc sp ip ft met; stopped by the table alone perp; by both im sealed
    court: may be told -; stopped by the table alone -; by both op id loc sp im ip perp ft met sealed
    legal_adviser: may be told op id loc sp ip ft met sealed; stopped by the table alone perp; by both im
    analyst: may be told -; stopped by the table alone -; by both op id loc sp im ip perp ft met sealed
    reviewer: may be told -; stopped by the table alone -; by both op id loc sp im ip perp ft met sealed
    closed: may be told -; stopped by the table alone -; by both op id loc sp im ip perp ft met sealed
    ");
}
