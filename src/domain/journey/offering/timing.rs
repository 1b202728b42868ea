//! By when an offer is to be passed on, and by when she is to be called.

use super::Offer;
use crate::domain::clock::CodeClock;
use crate::domain::person::FieldError;
use crate::domain::referral::PassOnBy;
use crate::domain::refusal::Refusal;
use crate::domain::time::When;

pub fn pass_on_by(
    clock: &CodeClock,
    offer: &Offer,
    now: When,
) -> Result<Option<PassOnBy>, Refusal> {
    if let Some(timing) = &offer.agreed_timing {
        let date = timing.by.rfc3339().get(..10).unwrap_or_default().to_owned();
        return Ok(Some(PassOnBy {
            at: timing.by,
            date,
            rule: "agreed-with-her".to_owned(),
            calendar: "none".to_owned(),
        }));
    }
    let reported = offer.operational.reported_at.unwrap_or(now);
    match clock.due(reported) {
        Ok(due) => Ok(Some(due.into())),
        Err(_) => Err(Refusal::CheckYourAnswers(vec![FieldError {
            field: "reported_at",
            message: "the deadline cannot be reckoned: no working-day calendar for that year",
        }])),
    }
}

pub fn contact_by(clock: &CodeClock, offer: &Offer, now: When) -> Result<When, Refusal> {
    clock.contact_by(offer.operational.urgency.urgency(), now).map_err(|_| {
        Refusal::CheckYourAnswers(vec![FieldError {
            field: "urgency",
            message: "the waiting time cannot be reckoned: no working-day calendar for this year",
        }])
    })
}
