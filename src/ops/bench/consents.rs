//! `firedoor bench consents`: whether a decision takes longer where one organisation holds many consents.
//!
//! Two gateways in one process, each with an embedded store of its own. In both, one charity holds the
//! live consents of so many women, each recorded by a decision like any other. They take turns, one
//! decision of each, so that a busy machine is busy for both. What is measured is the call of the
//! pipeline: facts, decision, durable commit, and opening what may be opened; no network, no boundary.

mod report;
mod side;

use std::path::Path;
use std::time::Instant;

use super::BenchError;
use super::report::Machine;
pub use report::ConsentsReport;
use report::DecisionRow;
use side::Side;

/// Consents of the gateway that the large one is compared with.
const SMALL: u64 = 100;
/// Women of each side whom the charity and another service look after, and about whom is asked. Odd,
/// so that no woman is always asked about by the side that goes first.
const WOMEN: u64 = 99;
/// Decisions of each kind that are counted.
const TURNS: u64 = 501;
/// At the start of the process everything is cold once.
const TURNS_NOT_COUNTED: u64 = 10;

/// What is to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub small: u64,
    pub large: u64,
    /// Of those whose consents are held.
    pub women: u64,
    pub turns: u64,
}

impl Sizes {
    /// The usual ones, with so many consents on the large side.
    pub const fn of(large: u64) -> Self {
        Self {
            small: SMALL,
            large,
            women: WOMEN,
            turns: TURNS + TURNS_NOT_COUNTED,
        }
    }
}

/// A decision that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Another service asks for the cards of one of the women: the charity's consent lets it see one.
    Question,
    /// The charity records a consent of one of the women.
    Consent,
    /// It takes that one back.
    TakenBack,
    /// The charity records an assessment of a woman whom nobody knows, with her consent to share it.
    Assessment,
    /// It refers her to the other service, with her consent.
    Offer,
    /// At a third place she withdraws everything, so that as many consents are live as before.
    Withdrawal,
}

impl Act {
    pub const ALL: [Self; 6] = [
        Self::Question,
        Self::Consent,
        Self::TakenBack,
        Self::Assessment,
        Self::Offer,
        Self::Withdrawal,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Question => "a question, answered",
            Self::Consent => "a consent recorded",
            Self::TakenBack => "a consent taken back",
            Self::Assessment => "an assessment and consent",
            Self::Offer => "an offer with consent",
            Self::Withdrawal => "a withdrawal",
        }
    }
}

/// Fills two gateways and measures them in turn.
///
/// # Errors
/// The first decision that was answered otherwise than it had to be.
pub async fn measure(under: &Path, sizes: Sizes) -> Result<ConsentsReport, BenchError> {
    let machine = Machine::now(under.to_owned());
    let mut small = Side::open(under).await?;
    small.fill(sizes.small).await?;
    small.meet(sizes.women).await?;
    let mut large = Side::open(under).await?;
    let filling = Instant::now();
    large.fill(sizes.large).await?;
    let filled_per_second = sizes.large as f64 / filling.elapsed().as_secs_f64();
    large.meet(sizes.women).await?;
    let (mut of_small, mut of_large) = (Taken::default(), Taken::default());
    for turn in 0..sizes.turns {
        for (place, act) in Act::ALL.into_iter().enumerate() {
            let mut both = [(&mut small, &mut of_small), (&mut large, &mut of_large)];
            if (turn + place as u64) % 2 == 1 {
                both.reverse();
            }
            for (side, taken) in both {
                let took = side.act(act, turn).await?;
                if turn >= TURNS_NOT_COUNTED.min(sizes.turns / 2) {
                    taken.add(place, took);
                }
            }
        }
    }
    small.close().await?;
    large.close().await?;
    let rows = Act::ALL.into_iter().enumerate();
    Ok(ConsentsReport {
        machine,
        small: sizes.small,
        large: sizes.large,
        filled_per_second,
        decisions: rows
            .map(|(place, act)| DecisionRow::of(act, of_small.of(place), of_large.of(place)))
            .collect(),
    })
}

/// How long each took, in nanoseconds.
#[derive(Default)]
struct Taken([Vec<u32>; Act::ALL.len()]);

impl Taken {
    fn add(&mut self, place: usize, took: std::time::Duration) {
        let nanos = u32::try_from(took.as_nanos()).unwrap_or(u32::MAX);
        if let Some(list) = self.0.get_mut(place) {
            list.push(nanos);
        }
    }

    fn of(&mut self, place: usize) -> Vec<u32> {
        let mut list = self
            .0
            .get_mut(place)
            .map(std::mem::take)
            .unwrap_or_default();
        list.sort_unstable();
        list
    }
}
