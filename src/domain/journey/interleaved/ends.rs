//! Nothing is stuck: whatever happened, each thing that is open can be ended by somebody or by time,
//! and she can begin again.

use super::acts::{Act, WOMEN};
use super::model::{Settled, Stand};
use super::*;

/// Days after which a transfer leaves nothing that waits: the longest overlap, and the forgetting of
/// the area.
const TRANSFER_DAYS: i64 = 31;

impl Play {
    pub fn all_ends(&mut self) -> Checked {
        // Every pause: one third by a yes, one third by a no, the others by the clock alone.
        for pause in 0..self.model.stopped.len() {
            let stopped = &self.model.stopped[pause];
            if stopped.is_pause() && stopped.settled.is_none() && pause % 3 < 2 {
                self.settle_one(pause, pause % 3 == 1)?;
            }
        }
        self.wait(73);
        for stopped in &self.model.stopped {
            let over = stopped.until.is_none_or(|until| until <= self.town.now);
            prop_assert!(
                over && (!stopped.is_pause() || stopped.settled != Some(Settled::Confirmed))
            );
        }
        // Every offer by the service that has it, and by as many as there are to be asked.
        for offer in 0..self.model.offers.len() {
            let mut declined = 0;
            while self.model.stand(self.at(), &self.model.offers[offer]) == Stand::Open {
                self.decline(offer)?;
                declined += 1;
                prop_assert!(declined <= 4, "an offer that nobody can end");
            }
        }
        // What two services do, by its date; what one does, by itself.
        self.wait(24 * TRANSFER_DAYS);
        self.clock()?;
        for offer in 0..self.model.offers.len() {
            if self.model.stand(self.at(), &self.model.offers[offer]) == Stand::Accepted {
                let handed = self.model.offers[offer].handed.as_ref();
                prop_assert!(handed.is_none_or(|over| over.taken_at.is_none()));
                self.close(offer)?;
            }
        }
        self.clock()?;
        prop_assert!(
            self.lists
                .iter()
                .all(|(list, ..)| *list != List::TransfersDue)
        );
        self.nothing_is_left()
    }

    /// Of what has ended nothing can be opened any more, by anybody.
    fn nothing_is_left(&mut self) -> Checked {
        let known = self.town.known();
        for referral in known.referrals.values() {
            let of = Aggregate::Referral(referral.id);
            prop_assert!(!referral.open() && referral.status != ReferralStatus::Accepted);
            let left = known.parts.iter().filter(|part| part.of == of).count();
            prop_assert_eq!(left, 0, "{}", referral.status.code());
        }
        Ok(())
    }

    /// Whatever went before: she consents anew, and is helped.
    pub fn she_begins_again(&mut self) -> Checked {
        for her in 0..WOMEN.len() {
            self.act(Act::Offer {
                from: 0,
                to: 0,
                her,
                days_old: 0,
                days: 365,
            })?;
            self.accept(self.model.offers.len() - 1)?;
            prop_assert_eq!(self.model.offers.last().unwrap().stand, Stand::Accepted);
            self.act(Act::Assess {
                at: 0,
                her,
                shares_with: 0,
                depth: ConsentDepth::Answers,
                days: 365,
            })?;
            let before = self.shown;
            let asked = Some((ConsentDepth::Cards, 365));
            self.ask("lantern", her, asked, ConsentDepth::Cards, 0)?;
            prop_assert!(
                self.shown > before,
                "she consented anew, and nothing is shown"
            );
        }
        Ok(())
    }
}
