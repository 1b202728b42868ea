//! What a quarter came to for the caller's own services, for whoever commissions them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::App;
use super::call::{Route, field, handle};
use super::referrals::Reply;
use super::reply::{envelope, finish};
use crate::domain::codes::Action;
use crate::domain::returns::{Counts, Quarter, Return, quarters};
use crate::domain::time::When;

/// What a calendar quarter came to for your organisation's services: referrals that were offered, what
/// you answered and why not, and how fast. Referrals are counted, not people. A long quarter is counted
/// behind the answer: until `whole` there are no counts, and you ask again; it is counted up to
/// `counted_to`.
#[utoipa::path(get, path = "/v1/returns", tag = "referrals",
    params(("quarter" = String, Query, description = "as 2026-Q3; of the last two years")),
    responses((status = 200, description = "the return", body = Reply)))]
pub async fn quarter(State(app): State<Arc<App>>, request: Request) -> Response {
    handle(
        app,
        request,
        Route::read(Action::ReadReturn),
        async |call| {
            let gateway = &call.app.gateway;
            let attempt = call.attempt()?;
            let asked = Quarter::parse(call.query("quarter").unwrap_or_default());
            let clock = &gateway.rules.load().clock;
            let chosen = asked.and_then(|asked| {
                let today = clock.date(attempt.when).ok()?;
                quarters(today).contains(&asked).then_some(())?;
                Some((asked, clock.quarter(asked)?))
            });
            let Some((quarter, (from, to))) = chosen else {
                return Err(field(
                    "quarter",
                    "give a quarter of the last two years, as 2026-Q3",
                )
                .into());
            };
            let read = gateway.quarter_return(attempt, quarter, (from, to));
            let (answered, found) = read.await?;
            let (status, mut value) = envelope(call, answered);
            if let (Value::Object(map), Some(found)) = (&mut value, found) {
                map.insert("return".to_owned(), json(&found, from, to));
            }
            Ok(finish(call, status, &value))
        },
    )
    .await
}

fn json(found: &Return, from: When, to: When) -> Value {
    let services = found.services.iter().map(|(id, name, counts)| {
        let mut map = counts_json(counts);
        map.insert("service".to_owned(), json!(id.as_str()));
        map.insert("name".to_owned(), json!(name));
        Value::Object(map)
    });
    if let Some(counted_to) = found.counted_to {
        // Half of a quarter would be taken for all of it.
        return json!({
            "quarter": found.quarter.to_string(),
            "whole": false,
            "counted_to": counted_to.rfc3339(),
        });
    }
    json!({
        "quarter": found.quarter.to_string(),
        "from": from.rfc3339(),
        "to": to.rfc3339(),
        "so_far": found.so_far,
        "whole": true,
        "total": counts_json(&found.total),
        "assessments_recorded": found.assessed,
        "services": services.collect::<Vec<Value>>(),
    })
}

fn counts_json(counts: &Counts) -> Map<String, Value> {
    let reasons = counts.declined_by_reason.iter();
    let reasons: Map<String, Value> = reasons
        .map(|(reason, count)| (reason.code().to_owned(), json!(count)))
        .collect();
    let all = [
        ("offered", json!(counts.offered)),
        ("offered_by_move", json!(counts.offered_by_move)),
        ("accepted", json!(counts.accepted)),
        ("waiting_list", json!(counts.waiting)),
        ("not_taken", json!(counts.declined)),
        ("not_taken_by_reason", Value::Object(reasons)),
        ("unanswered", json!(counts.unanswered)),
        ("handed_back", json!(counts.handed_back)),
        ("closed", json!(counts.closed)),
        ("moves_asked", json!(counts.moves_asked)),
        ("answers", json!(counts.answered)),
        ("median_minutes_to_answer", json!(counts.median_minutes)),
    ];
    all.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
