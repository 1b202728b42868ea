//! What is done by the clock: at night accounts of the log whose time is over are erased, and the key
//! over all item keys is changed, so that what was erased by day is destroyed by night; by day sealed
//! items that nobody collected in time and words of requests that ended are erased, offers that nobody
//! answered go to the next service, transfers and the queues of what must be decided move on.
//!
//! Decides when, and nothing else; how is the gateway's and the store's. What fails is tried again,
//! and told until it succeeds. Nothing here may count on being the only gateway that looks.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::time::{MissedTickBehavior, interval};

use crate::domain::time::When;
use crate::edge::http::App;
use crate::store::Erasure;

const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Queues are moved on by the clock this often.
const QUEUES_EVERY: Duration = Duration::from_secs(600);
/// After a failure it is left alone for so long.
const AGAIN_AFTER: Duration = Duration::from_secs(600);
/// The hour in London when few are at work.
const HOUR: i8 = 3;
/// A key is not kept for longer, even if nothing was erased.
const EPOCH_DAYS_MAX: i64 = 7;

/// Moves the queues of what must be decided on by the clock; never ends. What fails is told, and
/// tried again with the next look.
pub(super) async fn keep_queues(app: Arc<App>) {
    let mut look = interval(QUEUES_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        if let Err(error) = app.gateway.keep_queues().await {
            tracing::warn!(%error, "the queues of what must be decided did not move on");
        }
    }
}

/// Erases and changes the key when it is due; never ends.
pub(super) async fn keep_destroying(app: Arc<App>) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Also after a start, for a gateway that is never up at night.
    let mut forgets = app.gateway.time();
    loop {
        look.tick().await;
        let (store, now) = (&app.gateway.store, app.gateway.time());
        if now >= forgets {
            forgets = match app.gateway.forget(now).await {
                Ok(accounts) => {
                    if accounts > 0 {
                        tracing::info!(accounts, "erased accounts of the log, their time was over");
                    }
                    night_after(now)
                }
                Err(error) => {
                    tracing::warn!(%error, "accounts of the log are not erased yet; trying again");
                    now.plus_millis(AGAIN_AFTER.as_millis() as i64)
                }
            };
        }
        if let Err(error) = app.gateway.move_transfers_on(now).await {
            tracing::warn!(%error, "transfers that are due did not move on yet; trying again");
        }
        if let Err(error) = app.gateway.pass_offers_on(now).await {
            tracing::warn!(%error, "offers that are late were not passed on yet; trying again");
        }
        if let Err(error) = app.gateway.destroy_sealed_items(now).await {
            tracing::warn!(%error, "sealed items that are due are not destroyed yet; trying again");
        }
        if let Err(error) = app.gateway.erase_access_words(now).await {
            tracing::warn!(%error, "words of requests that ended are not erased yet; trying again");
        }
        if let Err(error) = app.gateway.erase_drafts(now).await {
            tracing::warn!(%error, "drafts whose days are over are not erased yet; trying again");
        }
        if is_due(&store.erasure(), now)
            && let Err(error) = store.rewrap(now).await
        {
            tracing::warn!(%error, "what was erased is not destroyed yet; trying again");
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}

/// Whether the key is to change at `now`: in the night after something was erased, once a week
/// whatever happens, and at once if a change was interrupted.
fn is_due(erasure: &Erasure, now: When) -> bool {
    let waits = erasure.waiting > 0;
    let due = match erasure.completed {
        None => waits,
        Some(last) => now >= last.plus_days(EPOCH_DAYS_MAX) || (waits && now >= night_after(last)),
    };
    due || erasure.unfinished
}

/// The next 03:00 in London, where that hour is there on every day.
fn night_after(at: When) -> When {
    let london = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
    let night = at.timestamp().and_then(|at| {
        let at = at.to_zoned(london.clone());
        let today = at.date().at(HOUR, 0, 0, 0).to_zoned(london.clone()).ok()?;
        let night = match today > at {
            true => today,
            false => {
                let tomorrow = at.date().tomorrow().ok()?;
                tomorrow.at(HOUR, 0, 0, 0).to_zoned(london).ok()?
            }
        };
        Some(When::from_millis(night.timestamp().as_millisecond()))
    });
    night.unwrap_or(at.plus_days(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(text: &str) -> When {
        When::parse(text).unwrap()
    }

    #[test]
    fn the_night_is_at_three_in_london_summer_and_winter() {
        for (at, night) in [
            ("2026-01-10T02:59:59Z", "2026-01-10T03:00:00Z"),
            ("2026-01-10T03:00:00Z", "2026-01-11T03:00:00Z"),
            ("2026-06-10T01:59:59Z", "2026-06-10T02:00:00Z"),
            ("2026-06-10T02:00:00Z", "2026-06-11T02:00:00Z"),
            // The clocks go forward and back.
            ("2026-03-28T12:00:00Z", "2026-03-29T02:00:00Z"),
            ("2026-10-24T12:00:00Z", "2026-10-25T03:00:00Z"),
        ] {
            assert_eq!(night_after(when(at)), when(night), "{at}");
        }
    }

    #[test]
    fn the_key_changes_in_the_night_after_an_erasure_and_once_a_week_anyway() {
        let erasure = |waiting, completed: Option<&str>| Erasure {
            waiting,
            completed: completed.map(when),
            unfinished: false,
        };
        let last = Some("2026-01-10T03:00:07Z");
        for (erasure, now, due) in [
            (erasure(0, None), "2026-01-10T12:00:00Z", false),
            (erasure(1, None), "2026-01-10T12:00:00Z", true),
            (erasure(1, last), "2026-01-10T23:00:00Z", false),
            (erasure(1, last), "2026-01-11T03:00:00Z", true),
            (erasure(0, last), "2026-01-11T03:00:00Z", false),
            (erasure(0, last), "2026-01-17T03:00:06Z", false),
            (erasure(0, last), "2026-01-17T03:00:07Z", true),
        ] {
            assert_eq!(is_due(&erasure, when(now)), due, "{erasure:?} {now}");
        }
        let interrupted = Erasure {
            unfinished: true,
            ..erasure(0, last)
        };
        assert!(is_due(&interrupted, when("2026-01-10T03:01:00Z")));
    }
}
