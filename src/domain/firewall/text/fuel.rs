//! A step budget: how a pure function is kept from running for ever.
//!
//! It never reads a clock, so the same text always gives the same finding.

/// What is left of the steps that one reading may spend.
pub(super) struct Fuel(u32);

/// The budget is spent. The reader holds the text, unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfFuel;

impl Fuel {
    pub(super) fn new(steps: u32) -> Self {
        Self(steps)
    }

    pub(super) fn spend(&mut self, steps: usize) -> Result<(), OutOfFuel> {
        let steps = u32::try_from(steps).map_err(|_| OutOfFuel)?;
        self.0 = self.0.checked_sub(steps).ok_or(OutOfFuel)?;
        Ok(())
    }

    pub(super) fn left(&self) -> u32 {
        self.0
    }
}
