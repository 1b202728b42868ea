//! Counters for `/metrics`, in Prometheus' text format (version 0.0.4).
//!
//! No label names an organisation, a user, a service or a person: who speaks to whom is itself
//! what must stay hidden. Outcomes are classes of status, because replies about a person are equal
//! whatever is known of her (P5), and so must be what is counted of them.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::codes::Action;

/// How a request ended, from its status alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 1xx to 3xx.
    Answered,
    /// 4xx: the caller's.
    Refused,
    /// 5xx: ours.
    Fault,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Answered, Self::Refused, Self::Fault];

    pub const fn of_status(status: u16) -> Self {
        match status {
            0..=399 => Self::Answered,
            400..=499 => Self::Refused,
            500.. => Self::Fault,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Fault => "fault",
        }
    }
}

/// Upper bounds of the buckets, in microseconds.
const BUCKETS_MICROS: [u64; 12] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];

/// What is true at the moment of asking, rather than counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    pub leaves: u64,
    /// Nothing can be written any more.
    pub stopped: bool,
    /// Only withdrawals, emergencies and refusals are taken.
    pub nearly_full: bool,
    /// Erased items whose keys are not destroyed yet.
    pub erasures_waiting: u64,
    /// In seconds since 1970; 0: never.
    pub erasures_completed_s: i64,
    pub server_certificate_s_left: i64,
    pub revocation_list_s_left: i64,
}

/// Counts since the start. Shared by reference; counting takes no lock.
pub struct Metrics {
    requests: Vec<AtomicU64>,
    replies: [AtomicU64; Outcome::ALL.len()],
    cannot_record: AtomicU64,
    buckets: [AtomicU64; BUCKETS_MICROS.len()],
    decisions: AtomicU64,
    decisions_micros: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Action::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            replies: [const { AtomicU64::new(0) }; Outcome::ALL.len()],
            cannot_record: AtomicU64::new(0),
            buckets: [const { AtomicU64::new(0) }; BUCKETS_MICROS.len()],
            decisions: AtomicU64::new(0),
            decisions_micros: AtomicU64::new(0),
        }
    }
}

impl Metrics {
    /// Counts a request by what it asks for.
    pub fn asked(&self, action: Action) {
        let row = Action::ALL.iter().position(|known| *known == action);
        if let Some(counter) = row.and_then(|row| self.requests.get(row)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a reply by the class of its status.
    pub fn replied(&self, status: u16) {
        let outcome = Outcome::of_status(status);
        let column = Outcome::ALL.iter().position(|known| *known == outcome);
        if let Some(counter) = column.and_then(|column| self.replies.get(column)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a request that could not be recorded, and so was not answered (P2).
    pub fn faulted(&self) {
        self.cannot_record.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a decision: from its facts to the moment when its leaf was durable.
    pub fn decided(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bounds = BUCKETS_MICROS.iter().zip(&self.buckets);
        if let Some((_, bucket)) = bounds.into_iter().find(|(bound, _)| micros <= **bound) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.decisions.fetch_add(1, Ordering::Relaxed);
        self.decisions_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// The page. Every series is there from the start, so that none appears with an event.
    pub fn page(&self, gauges: &Gauges) -> String {
        let mut page = String::with_capacity(8 * 1_024);
        // Writing to a String does not fail.
        let _ = self.write(gauges, &mut page);
        page
    }

    fn write(&self, gauges: &Gauges, page: &mut String) -> std::fmt::Result {
        let name = "firedoor_requests_total";
        head(page, name, "counter", "Requests, by what they ask for.")?;
        for (action, count) in Action::ALL.iter().zip(&self.requests) {
            let (action, count) = (action.code(), count.load(Ordering::Relaxed));
            writeln!(page, "{name}{{action=\"{action}\"}} {count}")?;
        }
        let name = "firedoor_replies_total";
        head(
            page,
            name,
            "counter",
            "Replies, by the class of their status.",
        )?;
        for (outcome, count) in Outcome::ALL.iter().zip(&self.replies) {
            let (outcome, count) = (outcome.label(), count.load(Ordering::Relaxed));
            writeln!(page, "{name}{{outcome=\"{outcome}\"}} {count}")?;
        }
        let name = "firedoor_cannot_record_total";
        head(
            page,
            name,
            "counter",
            "Requests not answered because the log could not be written.",
        )?;
        writeln!(
            page,
            "{name} {}",
            self.cannot_record.load(Ordering::Relaxed)
        )?;
        let name = "firedoor_decision_seconds";
        head(
            page,
            name,
            "histogram",
            "From the facts to a durable log entry.",
        )?;
        let mut so_far = 0;
        for (bound, bucket) in BUCKETS_MICROS.iter().zip(&self.buckets) {
            so_far += bucket.load(Ordering::Relaxed);
            let bound = seconds(*bound);
            writeln!(page, "{name}_bucket{{le=\"{bound}\"}} {so_far}")?;
        }
        // Counted apart from the buckets: never let the last one be smaller than another.
        let decisions = self.decisions.load(Ordering::Relaxed).max(so_far);
        writeln!(page, "{name}_bucket{{le=\"+Inf\"}} {decisions}")?;
        let sum = seconds(self.decisions_micros.load(Ordering::Relaxed));
        writeln!(page, "{name}_sum {sum}\n{name}_count {decisions}")?;
        let gauges: [(&str, &str, i64); 7] = [
            (
                "firedoor_log_leaves",
                "Entries in the log.",
                i64::try_from(gauges.leaves).unwrap_or(i64::MAX),
            ),
            (
                "firedoor_store_stopped",
                "1 if nothing can be recorded any more: act now.",
                i64::from(gauges.stopped),
            ),
            (
                "firedoor_store_nearly_full",
                "1 if only withdrawals, emergencies and refusals are taken.",
                i64::from(gauges.nearly_full),
            ),
            (
                "firedoor_erasures_waiting",
                "Erased items that the next change of key destroys.",
                i64::try_from(gauges.erasures_waiting).unwrap_or(i64::MAX),
            ),
            (
                "firedoor_erasures_completed_timestamp_seconds",
                "When what had been erased was last destroyed; 0 if never.",
                gauges.erasures_completed_s,
            ),
            (
                "firedoor_server_certificate_seconds_left",
                "Until clients refuse the gateway's certificate.",
                gauges.server_certificate_s_left,
            ),
            (
                "firedoor_revocation_list_seconds_left",
                "Until no client is accepted for want of a newer list.",
                gauges.revocation_list_s_left,
            ),
        ];
        for (name, help, value) in gauges {
            head(page, name, "gauge", help)?;
            writeln!(page, "{name} {value}")?;
        }
        Ok(())
    }
}

fn head(page: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_prometheus_reads() {
        let metrics = Metrics::default();
        metrics.asked(Action::OfferReferral);
        metrics.replied(201);
        metrics.replied(404);
        metrics.replied(503);
        metrics.faulted();
        for millis in [1, 3, 60, 20_000] {
            metrics.decided(Duration::from_millis(millis));
        }
        let gauges = Gauges {
            leaves: 7,
            revocation_list_s_left: -5,
            ..Gauges::default()
        };
        let page = metrics.page(&gauges);
        let told: Vec<&str> = page
            .lines()
            .filter(|line| !line.starts_with("firedoor_requests_total") || line.ends_with(" 1"))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        # HELP firedoor_requests_total Requests, by what they ask for.
        # TYPE firedoor_requests_total counter
        firedoor_requests_total{action="offer_referral"} 1
        # HELP firedoor_replies_total Replies, by the class of their status.
        # TYPE firedoor_replies_total counter
        firedoor_replies_total{outcome="answered"} 1
        firedoor_replies_total{outcome="refused"} 1
        firedoor_replies_total{outcome="fault"} 1
        # HELP firedoor_cannot_record_total Requests not answered because the log could not be written.
        # TYPE firedoor_cannot_record_total counter
        firedoor_cannot_record_total 1
        # HELP firedoor_decision_seconds From the facts to a durable log entry.
        # TYPE firedoor_decision_seconds histogram
        firedoor_decision_seconds_bucket{le="0.001"} 1
        firedoor_decision_seconds_bucket{le="0.0025"} 1
        firedoor_decision_seconds_bucket{le="0.005"} 2
        firedoor_decision_seconds_bucket{le="0.01"} 2
        firedoor_decision_seconds_bucket{le="0.025"} 2
        firedoor_decision_seconds_bucket{le="0.05"} 2
        firedoor_decision_seconds_bucket{le="0.1"} 3
        firedoor_decision_seconds_bucket{le="0.25"} 3
        firedoor_decision_seconds_bucket{le="0.5"} 3
        firedoor_decision_seconds_bucket{le="1"} 3
        firedoor_decision_seconds_bucket{le="2.5"} 3
        firedoor_decision_seconds_bucket{le="10"} 3
        firedoor_decision_seconds_bucket{le="+Inf"} 4
        firedoor_decision_seconds_sum 20.064
        firedoor_decision_seconds_count 4
        # HELP firedoor_log_leaves Entries in the log.
        # TYPE firedoor_log_leaves gauge
        firedoor_log_leaves 7
        # HELP firedoor_store_stopped 1 if nothing can be recorded any more: act now.
        # TYPE firedoor_store_stopped gauge
        firedoor_store_stopped 0
        # HELP firedoor_store_nearly_full 1 if only withdrawals, emergencies and refusals are taken.
        # TYPE firedoor_store_nearly_full gauge
        firedoor_store_nearly_full 0
        # HELP firedoor_erasures_waiting Erased items that the next change of key destroys.
        # TYPE firedoor_erasures_waiting gauge
        firedoor_erasures_waiting 0
        # HELP firedoor_erasures_completed_timestamp_seconds When what had been erased was last destroyed; 0 if never.
        # TYPE firedoor_erasures_completed_timestamp_seconds gauge
        firedoor_erasures_completed_timestamp_seconds 0
        # HELP firedoor_server_certificate_seconds_left Until clients refuse the gateway's certificate.
        # TYPE firedoor_server_certificate_seconds_left gauge
        firedoor_server_certificate_seconds_left 0
        # HELP firedoor_revocation_list_seconds_left Until no client is accepted for want of a newer list.
        # TYPE firedoor_revocation_list_seconds_left gauge
        firedoor_revocation_list_seconds_left -5
        "#);
        let series = page
            .lines()
            .filter(|line| line.starts_with("firedoor_requests_total"));
        assert_eq!(series.count(), Action::ALL.len());
    }
}
