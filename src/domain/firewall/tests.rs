//! The firewall's laws over every row, class and circumstance, and policy and table together.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::domain::codes::OrgKind;
use crate::domain::policy::{Policies, Unproved, any_ask, authorise};

/// A value that is nothing but its parts.
#[derive(Debug)]
struct Parts(Vec<DataClass>);

impl Screenable for Parts {
    fn classes(&self) -> Vec<DataClass> {
        self.0.clone()
    }

    fn keep(mut self, allowed: impl Fn(DataClass) -> bool) -> Self {
        self.0.retain(|class| allowed(*class));
        self
    }
}

fn every_circumstance() -> Vec<Circumstances> {
    let mut all = Vec::new();
    for stage in Stage::ALL {
        for supplied in [Supplied::ByRecipient, Supplied::ByAnother] {
            for text in [Text::Clear, Text::Held] {
                for consented in [false, true] {
                    for emergency in [false, true] {
                        all.push(Circumstances {
                            stage: *stage,
                            supplied,
                            text,
                            consented,
                            emergency,
                        });
                    }
                }
            }
        }
    }
    all
}

const NOTHING: Circumstances = Circumstances {
    stage: Stage::Nothing,
    supplied: Supplied::ByAnother,
    text: Text::Clear,
    consented: false,
    emergency: false,
};

/// The situations that journeys make, by name.
fn situations() -> [(&'static str, Circumstances); 8] {
    let at = |stage| Circumstances { stage, ..NOTHING };
    [
        ("stranger", NOTHING),
        (
            "stranger with her consent",
            Circumstances {
                consented: true,
                ..NOTHING
            },
        ),
        ("sender", at(Stage::Status)),
        (
            "offered",
            Circumstances {
                consented: true,
                ..at(Stage::Offer)
            },
        ),
        ("accepted", at(Stage::Accept)),
        (
            "accepted, consented",
            Circumstances {
                consented: true,
                ..at(Stage::Accept)
            },
        ),
        (
            "emergency",
            Circumstances {
                emergency: true,
                ..NOTHING
            },
        ),
        (
            "its own",
            Circumstances {
                supplied: Supplied::ByRecipient,
                ..NOTHING
            },
        ),
    ]
}

#[test]
fn which_cells_each_situation_opens() {
    let mut text = String::new();
    for (name, circumstances) in situations() {
        let open: Vec<&str> = Cell::ALL
            .iter()
            .filter(|cell| satisfied(**cell, circumstances))
            .map(|cell| cell.code())
            .collect();
        writeln!(text, "{name}: {}", open.join(" ")).unwrap();
    }
    insta::assert_snapshot!(text, @"
    stranger: 
    stranger with her consent: 
    sender: status offer
    offered: status offer
    accepted: status offer accepted language screened
    accepted, consented: status offer accepted consented language screened
    emergency: offer accepted consented language
    its own: own status offer accepted consented language screened
    ");
}

#[test]
fn what_each_recipient_is_told_in_each_situation() {
    let mut text = String::new();
    for row in Row::ALL {
        writeln!(text, "{}", row.code()).unwrap();
        for (name, circumstances) in situations() {
            let told: Vec<&str> = DataClass::ALL
                .iter()
                .filter(|class| opens(*row, **class, circumstances))
                .map(|class| class.code())
                .collect();
            if !told.is_empty() {
                writeln!(text, "  {name}: {}", told.join(" ")).unwrap();
            }
        }
    }
    insta::assert_snapshot!(text, @"
    provider
      sender: op
      offered: op
      accepted: op id loc ip perp ft
      accepted, consented: op id loc sp ip perp ft
      emergency: op loc sp ip
      its own: op id loc sp ip perp ft met
    police
      sender: op
      offered: op
      accepted: op
      accepted, consented: op
      its own: op id ip perp met
    nhs
      sender: op
      offered: op
      accepted: op id loc ip ft
      accepted, consented: op id loc sp ip ft
      emergency: op loc sp ip
      its own: op id loc sp ip ft met
    council
      sender: op
      offered: op
      accepted: op id ip ft
      accepted, consented: op id loc sp ip ft
      emergency: op loc sp ip
      its own: op id loc sp ip ft met
    court
      its own: met
    legal_adviser
      sender: op
      offered: op
      accepted: op id ip ft sealed
      accepted, consented: op id loc sp ip ft sealed
      emergency: op loc sp ip
      its own: op id loc sp ip ft met sealed
    analyst
      its own: met
    reviewer
      its own: op met
    closed
    ");
}

#[test]
fn nothing_opens_immigration_data_or_a_closed_row() {
    for circumstances in every_circumstance() {
        for row in Row::ALL {
            assert!(!opens(*row, DataClass::Im, circumstances));
        }
        for class in DataClass::ALL {
            assert!(!opens(Row::Closed, *class, circumstances));
        }
        assert!(!satisfied(Cell::Never, circumstances));
    }
}

#[test]
fn what_was_sealed_moves_to_a_legal_adviser_and_by_its_own_two_actions() {
    let screening = Screening {
        stage: Stage::Accept,
        supplied: Supplied::ByAnother,
        text: Text::Clear,
    };
    let mut moved = Vec::new();
    for action in Action::ALL {
        for kind in OrgKind::ALL {
            let mut ask = crate::domain::policy::good_offer();
            ask.action = *action;
            ask.recipient.kind = *kind;
            ask.relationship = Relationship::AcceptedFromAnother;
            ask.classes = vec![DataClass::Sealed];
            let screened = screened(permit_all_policies(), &ask, screening).unwrap();
            if !screened.value().0.is_empty() {
                moved.push((action.code(), kind.code()));
            }
        }
    }
    assert_eq!(
        moved,
        [
            ("seal_item", "legal_adviser"),
            ("collect_item", "legal_adviser")
        ]
    );
}

#[test]
fn consent_alone_and_an_offer_open_no_identity() {
    for circumstances in every_circumstance() {
        let early = circumstances.stage < Stage::Accept
            && circumstances.supplied == Supplied::ByAnother
            && !circumstances.emergency;
        if early {
            for row in Row::ALL {
                for class in DataClass::ALL {
                    let told = opens(*row, *class, circumstances);
                    assert!(!told || *class == DataClass::Op, "{row:?} {class:?}");
                }
            }
        }
    }
}

#[test]
fn held_text_reaches_nobody() {
    for circumstances in every_circumstance() {
        if circumstances.text == Text::Held {
            for row in Row::ALL {
                assert!(!opens(*row, DataClass::Ft, circumstances));
            }
        }
    }
}

#[test]
fn more_never_closes_what_less_opened() {
    for less in every_circumstance() {
        for more in every_circumstance() {
            let grows = less.stage <= more.stage
                && less.consented <= more.consented
                && less.emergency <= more.emergency
                && (less.supplied == Supplied::ByAnother || more.supplied == Supplied::ByRecipient)
                && (less.text == Text::Held || more.text == Text::Clear);
            if grows {
                for cell in Cell::ALL {
                    assert!(!satisfied(*cell, less) || satisfied(*cell, more));
                }
            }
        }
    }
}

fn screened(
    policies: &Policies,
    ask: &crate::domain::policy::Ask,
    screening: Screening,
) -> Option<Screened<Parts>> {
    let value = Parts(DataClass::ALL.to_vec());
    authorise(policies, ask, value)
        .ok()
        .map(|permitted| screen(permitted, screening))
}

impl Joins for Parts {
    fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

#[test]
fn what_is_joined_is_one_recipients_alone() {
    let accept = Screening {
        stage: Stage::Accept,
        supplied: Supplied::ByAnother,
        text: Text::Clear,
    };
    let to = |kind, class| {
        let mut ask = crate::domain::policy::good_offer();
        ask.recipient.kind = kind;
        ask.classes = vec![class];
        screened(shipped_policies(), &ask, accept).unwrap()
    };
    let all = [
        to(OrgKind::Refuge, DataClass::Id),
        to(OrgKind::NhsGp, DataClass::Loc),
        to(OrgKind::Refuge, DataClass::Ip),
    ];
    let joined = Screened::joined(all).unwrap();
    assert_eq!(joined.value().0, [DataClass::Id, DataClass::Ip]);
    assert_eq!(joined.recipient().kind, OrgKind::Refuge);
    assert!(Screened::<Parts>::joined([]).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn whatever_policy_says_a_never_class_is_not_told(
        mut ask in any_ask(),
        stage in prop::sample::select(Stage::ALL),
        own: bool,
        permit_all: bool,
    ) {
        let policies = if permit_all { permit_all_policies() } else { shipped_policies() };
        if permit_all {
            ask.classes = DataClass::ALL.to_vec();
        }
        let supplied = if own { Supplied::ByRecipient } else { Supplied::ByAnother };
        let screening = Screening { stage, supplied, text: Text::Clear };
        let Some(screened) = screened(policies, &ask, screening) else { return Ok(()) };
        let row = row(ask.recipient.kind, ask.recipient.tainted);
        for class in &screened.value().0 {
            prop_assert_ne!(cell(row, *class), Cell::Never);
            prop_assert_ne!(*class, DataClass::Im);
            prop_assert!(ask.classes.contains(class));
        }
        if ask.recipient.tainted {
            prop_assert!(screened.value().0.is_empty());
        }
        let kept = screened.value().0.len();
        prop_assert_eq!(kept + screened.dropped().len(), DataClass::ALL.len());
    }
}

fn shipped_policies() -> &'static Policies {
    static SHIPPED: std::sync::LazyLock<Policies> =
        std::sync::LazyLock::new(|| Policies::shipped().unwrap());
    &SHIPPED
}

/// The worst set that loads: it permits everything, to everyone.
fn permit_all_policies() -> &'static Policies {
    static PERMIT_ALL: std::sync::LazyLock<Policies> = std::sync::LazyLock::new(|| {
        let (schema, _) = Policies::shipped_files();
        let all = r#"@id("all") @says("All.") permit (principal, action, resource);"#;
        let files = [("00-all.cedar", all), ("90-firewall.cedar", "")];
        Unproved::load(schema, &files).unwrap().assume_proved()
    });
    &PERMIT_ALL
}

#[test]
fn an_offer_shows_operational_facts_and_what_waits_is_what_acceptance_opens() {
    let mut text = String::new();
    for (kind, tainted) in [
        (OrgKind::Refuge, false),
        (OrgKind::NhsTrust, false),
        (OrgKind::LocalAuthority, false),
        (OrgKind::LocalAuthority, true),
        (OrgKind::LegalAdviser, false),
        (OrgKind::Police, false),
    ] {
        for stage in [Stage::Offer, Stage::Accept] {
            let mut ask = crate::domain::policy::good_offer();
            ask.recipient.kind = kind;
            ask.recipient.tainted = tainted;
            ask.classes = DataClass::ALL.to_vec();
            let screening = Screening {
                stage,
                supplied: Supplied::ByAnother,
                text: Text::Clear,
            };
            let screened = screened(permit_all_policies(), &ask, screening).unwrap();
            let kept: Vec<&str> = screened
                .value()
                .0
                .iter()
                .map(|class| class.code())
                .collect();
            let dropped: Vec<String> = screened
                .dropped()
                .iter()
                .map(|drop| format!("{} {}", drop.class.code(), drop.rule))
                .collect();
            let taint = if tainted { " (tainted)" } else { "" };
            writeln!(
                text,
                "{}{taint} {stage:?}: {} | dropped: {}",
                kind.code(),
                kept.join(" "),
                dropped.join(", ")
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(text, @"
    refuge Offer: op | dropped: id table, loc table, sp table, im F2, ip F6, perp table, ft table, met table, sealed F2
    refuge Accept: op id loc sp ip perp ft | dropped: im F2, met table, sealed F2
    nhs_trust Offer: op | dropped: id table, loc table, sp table, im F2, ip F6, perp table, ft table, met table, sealed F2
    nhs_trust Accept: op id loc sp ip ft | dropped: im F2, perp table, met table, sealed F2
    local_authority Offer: op | dropped: id table, loc table, sp table, im F2, ip F6, perp table, ft table, met table, sealed F2
    local_authority Accept: op id loc sp ip ft | dropped: im F2, perp table, met table, sealed F2
    local_authority (tainted) Offer:  | dropped: op F3, id F3, loc F3, sp F3, im F3, ip F3, perp F3, ft F3, met F3, sealed F3
    local_authority (tainted) Accept:  | dropped: op F3, id F3, loc F3, sp F3, im F3, ip F3, perp F3, ft F3, met F3, sealed F3
    legal_adviser Offer: op | dropped: id table, loc table, sp table, im F2, ip F6, perp table, ft table, met table, sealed F2
    legal_adviser Accept: op id loc sp ip ft | dropped: im F2, perp table, met table, sealed F2
    police Offer: op | dropped: id table, loc table, sp table, im F2, ip F6, perp table, ft table, met table, sealed F2
    police Accept: op | dropped: id table, loc table, sp table, im F2, ip F6, perp table, ft table, met table, sealed F2
    ");
}
