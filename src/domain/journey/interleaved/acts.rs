//! What the people of the play may do next, drawn by chance.

use proptest::prelude::*;

use crate::domain::codes::{ConsentDepth, TransferMode, WithdrawalScope};
use crate::domain::journey::trial::{AMINA, BEATA, Names};

pub const WOMEN: [Names<'static>; 2] = [AMINA, BEATA];
pub const SENDERS: [&str; 3] = ["met", "trust", "lantern"];
pub const SERVICES: [&str; 3] = ["lantern", "harbour", "practice"];
pub const SOURCES: [&str; 2] = ["trust", "harbour"];
pub const ASKERS: [&str; 4] = ["lantern", "harbour", "practice", "met"];
/// From here on a pick is counted from the newest there is, so that one thing leads to another.
pub const NEWEST: usize = 12;

/// What somebody does next.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// With a consent of now, or of some days ago, for so many days.
    Offer {
        from: usize,
        to: usize,
        her: usize,
        days_old: u8,
        days: u16,
    },
    Accept {
        offer: usize,
    },
    Decline {
        offer: usize,
    },
    Close {
        offer: usize,
    },
    /// Who accepted her turns out to know her or the other party.
    HandBack {
        offer: usize,
    },
    /// What was released, again.
    Read {
        offer: usize,
    },
    Inbox {
        at: usize,
    },
    /// To a service of another area, on a consent of now.
    Move {
        offer: usize,
        housed: bool,
        mode: TransferMode,
        /// Until both have worked with her.
        days: u8,
    },
    /// What the gateway does by its clock about those who move.
    Clock,
    Assess {
        at: usize,
        her: usize,
        shares_with: usize,
        depth: ConsentDepth,
        days: u16,
    },
    /// At the source, apart from any assessment.
    Share {
        at: usize,
        her: usize,
        with: usize,
        permit: bool,
        depth: ConsentDepth,
        days: u16,
        /// It is gone through with her again, halfway.
        review: bool,
        /// She may not have been free to say so.
        doubt: bool,
    },
    Reviews {
        at: usize,
    },
    TakeBack {
        consent: usize,
    },
    Withdraw {
        at: usize,
        her: usize,
        scope: WithdrawalScope,
        service: usize,
        pause: bool,
    },
    Settle {
        pause: usize,
        lift: bool,
    },
    Wait {
        hours: u16,
    },
    Ask {
        by: usize,
        her: usize,
        /// Her consent, recorded with the question, and how far it reaches.
        consent: Option<ConsentDepth>,
        days: u16,
        step: ConsentDepth,
        /// Of which assessment the answers are asked for.
        which: usize,
    },
    BreakGlass {
        her: usize,
    },
}

fn pick() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![2 => 0..NEWEST, 1 => NEWEST..NEWEST + 2]
}

fn her() -> impl Strategy<Value = usize> + Clone {
    0..2_usize
}

fn depth() -> impl Strategy<Value = ConsentDepth> + Clone {
    prop::sample::select(ConsentDepth::ALL.to_vec())
}

/// Days for which a consent serves; no wait ends at the same moment as one.
fn days() -> impl Strategy<Value = u16> + Clone {
    prop::sample::select(vec![2_u16, 20, 365, 365])
}

fn mode() -> impl Strategy<Value = TransferMode> {
    prop::sample::select(vec![
        TransferMode::KeepBoth,
        TransferMode::KeepBoth,
        TransferMode::HandOver,
        TransferMode::Close,
    ])
}

fn moves() -> impl Strategy<Value = Act> {
    (pick(), any::<bool>(), mode(), 1..28_u8).prop_map(|(offer, housed, mode, days)| Act::Move {
        offer,
        housed,
        mode,
        days,
    })
}

fn withdraws() -> impl Strategy<Value = Act> {
    let scope = prop::sample::select(WithdrawalScope::ALL.to_vec());
    (pick(), her(), scope, pick(), any::<bool>()).prop_map(|(at, her, scope, service, pause)| {
        Act::Withdraw {
            at,
            her,
            scope,
            service,
            pause,
        }
    })
}

fn shares() -> impl Strategy<Value = Act> {
    let said = (any::<bool>(), depth(), days(), any::<bool>(), 0..3_u8);
    (pick(), her(), pick(), said).prop_map(
        |(at, her, with, (permit, depth, days, review, doubt))| Act::Share {
            at,
            her,
            with,
            permit,
            depth,
            days,
            review,
            doubt: doubt == 0,
        },
    )
}

fn asks() -> impl Strategy<Value = Act> {
    let said = (prop::option::of(depth()), days());
    (pick(), her(), said, depth(), pick()).prop_map(|(by, her, (consent, days), step, which)| {
        Act::Ask {
            by,
            her,
            consent,
            days,
            step,
            which,
        }
    })
}

/// Any one act.
fn one() -> impl Strategy<Value = Act> {
    let waits = [1_u16, 24, 25, 49, 72, 73, 30 * 24 + 1, 91 * 24];
    prop_oneof![
        4 => (pick(), pick(), her(), 0..3_u8, days()).prop_map(|(from, to, her, days_old, days)| {
            Act::Offer { from, to, her, days_old, days: days + u16::from(days_old) }
        }),
        5 => pick().prop_map(|offer| Act::Accept { offer }),
        1 => pick().prop_map(|offer| Act::Decline { offer }),
        1 => pick().prop_map(|offer| Act::Close { offer }),
        2 => pick().prop_map(|offer| Act::HandBack { offer }),
        4 => pick().prop_map(|offer| Act::Read { offer }),
        1 => pick().prop_map(|at| Act::Inbox { at }),
        3 => moves(),
        2 => Just(Act::Clock),
        4 => (pick(), her(), pick(), depth(), days())
            .prop_map(|(at, her, shares_with, depth, days)| {
                Act::Assess { at, her, shares_with, depth, days }
            }),
        3 => shares(),
        1 => pick().prop_map(|at| Act::Reviews { at }),
        1 => pick().prop_map(|consent| Act::TakeBack { consent }),
        3 => withdraws(),
        2 => (pick(), any::<bool>()).prop_map(|(pause, lift)| Act::Settle { pause, lift }),
        4 => prop::sample::select(waits.to_vec()).prop_map(|hours| Act::Wait { hours }),
        6 => asks(),
        2 => her().prop_map(|her| Act::BreakGlass { her }),
    ]
}

/// She is accepted by a service, which chance would bring about too seldom.
fn accepted(to: usize, her: usize, days: u16) -> Vec<Act> {
    let offer = Act::Offer {
        from: 0,
        to,
        her,
        days_old: 0,
        days,
    };
    vec![offer, Act::Accept { offer: NEWEST }]
}

/// She is handed over, and somebody there may accept her; then time goes by.
fn handed_over() -> impl Strategy<Value = Vec<Act>> {
    let hours = prop::sample::select(vec![1_u16, 97, 29 * 24, 29 * 24]);
    (0..3_usize, her(), moves(), 0..3_usize, hours).prop_map(|(to, her, moving, answer, hours)| {
        let there = answer != 0;
        let mut acts = accepted(to, her, 365);
        if let Act::Move { mode, days, .. } = moving {
            acts.push(Act::Move {
                offer: NEWEST,
                housed: there && to != 1,
                mode,
                days,
            });
        }
        if there {
            acts.push(Act::Accept { offer: NEWEST });
            if answer == 2 {
                acts.extend([
                    Act::HandBack { offer: NEWEST },
                    Act::Read { offer: NEWEST + 1 },
                ]);
            }
        } else {
            // She stops one that could be next, and whoever is asked says no.
            let stops = Act::Withdraw {
                at: 1,
                her,
                scope: WithdrawalScope::Service,
                service: 2,
                pause: hours == 1,
            };
            acts.extend([stops, Act::Decline { offer: NEWEST }]);
        }
        let first = Act::Read { offer: NEWEST + 1 };
        acts.extend([first, Act::Wait { hours }, first, Act::Clock, first]);
        acts
    })
}

/// The first service asks for the cards of the first woman.
fn asks_for_cards(consent: Option<ConsentDepth>, days: u16) -> Act {
    Act::Ask {
        by: 0,
        her: 0,
        consent,
        days,
        step: ConsentDepth::Cards,
        which: NEWEST,
    }
}

/// Her word is stopped for a while or for good, and who took it settles that or does not.
fn stopped() -> impl Strategy<Value = Vec<Act>> {
    (withdraws(), any::<bool>(), 0..3_usize).prop_map(|(withdraws, lift, when)| {
        let again = [asks_for_cards(None, 2), Act::Read { offer: NEWEST }];
        let settle = Act::Settle {
            pause: NEWEST,
            lift,
        };
        let waits = Act::Wait { hours: 73 };
        let then = match when {
            0 => vec![settle],
            1 => vec![waits, settle],
            _ => vec![waits],
        };
        [vec![withdraws], again.to_vec(), then].concat()
    })
}

/// The hospital records what goes further, and perhaps she was not free to say it; it is reviewed.
fn reviewed() -> impl Strategy<Value = Vec<Act>> {
    any::<bool>().prop_map(|doubt| {
        let share = Act::Share {
            at: 0,
            her: 0,
            with: 0,
            permit: true,
            depth: ConsentDepth::Answers,
            days: 20,
            review: true,
            doubt,
        };
        let ask = asks_for_cards(Some(ConsentDepth::Answers), 365);
        vec![share, ask, Act::Wait { hours: 264 }, Act::Reviews { at: 0 }]
    })
}

/// A hospital told once, and a service is shown it; then something may end, be stopped or doubted.
fn shown() -> impl Strategy<Value = Vec<Act>> {
    let then = prop_oneof![
        2 => stopped(),
        1 => Just(vec![Act::Wait { hours: 500 }]),
        1 => reviewed(),
    ];
    // Shared with the service, or with another only: a later word may go further.
    (days(), days(), 0..2_usize, then).prop_map(|(shared, asked, with, then)| {
        let mut acts = accepted(0, 0, shared);
        acts.push(Act::Assess {
            at: 0,
            her: 0,
            shares_with: with,
            depth: ConsentDepth::Cards,
            days: shared,
        });
        acts.push(asks_for_cards(Some(ConsentDepth::Cards), asked));
        acts.extend(then);
        acts.extend([asks_for_cards(None, asked), Act::Read { offer: NEWEST }]);
        acts
    })
}

/// Her service finds a conflict: at once, or when it is too late for a hand back.
fn conflicted() -> impl Strategy<Value = Vec<Act>> {
    let hours = prop::sample::select(vec![1_u16, 23, 24, 25]);
    (0..3_usize, her(), hours).prop_map(|(to, her, hours)| {
        let mut acts = accepted(to, her, 365);
        let back = Act::HandBack { offer: NEWEST };
        acts.extend([Act::Wait { hours }, back, Act::Read { offer: NEWEST }]);
        acts
    })
}

/// All that happens in one play.
pub fn acts() -> impl Strategy<Value = Vec<Act>> {
    let step = prop_oneof![
        8 => one().prop_map(|act| vec![act]),
        1 => handed_over(),
        1 => shown(),
        1 => conflicted(),
    ];
    prop::collection::vec(step, 1..16).prop_map(|steps| steps.concat())
}
