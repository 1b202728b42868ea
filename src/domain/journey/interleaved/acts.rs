//! What the people of the play may do next, drawn by chance.

use proptest::prelude::*;

use crate::domain::codes::{ConsentDepth, WithdrawalScope};
use crate::domain::journey::trial::{AMINA, BEATA, Names};

pub const WOMEN: [Names<'static>; 2] = [AMINA, BEATA];
pub const SENDERS: [&str; 3] = ["met", "trust", "lantern"];
pub const SERVICES: [&str; 3] = ["lantern", "harbour", "practice"];
pub const SOURCES: [&str; 2] = ["trust", "harbour"];
pub const ASKERS: [&str; 4] = ["lantern", "harbour", "practice", "met"];

/// What somebody does next.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// With a consent of now, or of some days ago.
    Offer {
        from: usize,
        to: usize,
        her: usize,
        days_old: u8,
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
    Assess {
        at: usize,
        her: usize,
        shares_with: usize,
        depth: ConsentDepth,
    },
    /// At the source, apart from any assessment.
    Share {
        at: usize,
        her: usize,
        with: usize,
        permit: bool,
        depth: ConsentDepth,
    },
    TakeBack {
        consent: usize,
    },
    Withdraw {
        at: usize,
        her: usize,
        scope: WithdrawalScope,
        service: usize,
    },
    Wait {
        days: u8,
    },
    Ask {
        by: usize,
        her: usize,
        /// Her consent, recorded with the question, and how far it reaches.
        consent: Option<ConsentDepth>,
        step: ConsentDepth,
        /// Of which assessment the answers are asked for.
        which: usize,
    },
    BreakGlass {
        her: usize,
    },
}

pub fn acts() -> impl Strategy<Value = Act> {
    let pick = 0..12_usize;
    let her = 0..2_usize;
    let depth = prop::sample::select(ConsentDepth::ALL.to_vec());
    prop_oneof![
        4 => (pick.clone(), pick.clone(), her.clone(), 0..3_u8)
            .prop_map(|(from, to, her, days_old)| Act::Offer { from, to, her, days_old }),
        5 => pick.clone().prop_map(|offer| Act::Accept { offer }),
        1 => pick.clone().prop_map(|offer| Act::Decline { offer }),
        1 => pick.clone().prop_map(|offer| Act::Close { offer }),
        4 => (pick.clone(), her.clone(), pick.clone(), depth.clone())
            .prop_map(|(at, her, shares_with, depth)| Act::Assess { at, her, shares_with, depth }),
        2 => (pick.clone(), her.clone(), pick.clone(), any::<bool>(), depth.clone())
            .prop_map(|(at, her, with, permit, depth)| Act::Share { at, her, with, permit, depth }),
        1 => pick.clone().prop_map(|consent| Act::TakeBack { consent }),
        2 => (pick.clone(), her.clone(), prop::sample::select(WithdrawalScope::ALL.to_vec()), pick.clone())
            .prop_map(|(at, her, scope, service)| Act::Withdraw { at, her, scope, service }),
        2 => prop::sample::select(vec![1_u8, 1, 30, 91]).prop_map(|days| Act::Wait { days }),
        6 => (pick.clone(), her.clone(), prop::option::of(depth.clone()), depth, pick)
            .prop_map(|(by, her, consent, step, which)| Act::Ask { by, her, consent, step, which }),
        2 => her.prop_map(|her| Act::BreakGlass { her }),
    ]
}
