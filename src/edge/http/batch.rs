//! Many requests in one body (NDJSON), one a line: each with its own attempt, leaf and outcome.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::call::{Call, Halt, field};
use super::reply::{Rendered, envelope};
use crate::domain::attempt::Attempt;
use crate::domain::refusal::Refusal;
use crate::pipeline::{Answered, Fault};

/// Lines of one batch, and how many are decided at once.
const LINES_MAX: usize = 1_000;
const LINE_BYTES_MAX: usize = 16 * 1024;
const LINES_AT_ONCE: usize = 32;

/// What becomes of one line.
pub type Line = Pin<Box<dyn Future<Output = Result<Answered, Halt>> + Send>>;

/// Reads one line and puts it to the pipeline.
pub type Decide = fn(Arc<Call>, Attempt, Bytes) -> Line;

/// One bad line never sinks the rest.
pub async fn batch(call: &Call, decide: Decide) -> Result<Rendered, Halt> {
    let lines: Vec<Bytes> = call
        .body
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .map(|line| call.body.slice_ref(line))
        .collect();
    if lines.is_empty() || lines.len() > LINES_MAX {
        return Err(field("body", "send 1 to 1,000 lines, each one request").into());
    }
    let shared = Arc::new(call.share());
    let mut outcomes: Vec<Value> = vec![Value::Null; lines.len()];
    let mut running = JoinSet::new();
    let mut waiting = lines.iter().cloned().enumerate();
    loop {
        while running.len() < LINES_AT_ONCE {
            let Some((place, bytes)) = waiting.next() else {
                break;
            };
            let call = shared.clone();
            running.spawn(async move { (place, line(call, decide, bytes, place).await) });
        }
        let Some(done) = running.join_next().await else {
            break;
        };
        if let Ok((place, Ok(outcome))) = done
            && let Some(slot) = outcomes.get_mut(place)
        {
            *slot = outcome;
        }
    }
    // Lines about one household move each other's facts, and one may have lost each time. Nothing
    // of it was recorded, so it is decided again, now alone.
    let again = outcomes.iter_mut().zip(lines).enumerate();
    for (place, (slot, bytes)) in again.filter(|(_, (slot, _))| slot.is_null()) {
        // In a task, because what failed may fail again; it was not acknowledged.
        match tokio::spawn(line(shared.clone(), decide, bytes, place)).await {
            Ok(Ok(outcome)) => *slot = outcome,
            Ok(Err(fault)) => {
                faulted(call, &fault);
                break;
            }
            Err(_) => {}
        }
    }
    let mut body = Vec::new();
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let outcome = if outcome.is_null() {
            unrecorded(number + 1)
        } else {
            outcome
        };
        body.extend_from_slice(outcome.to_string().as_bytes());
        body.push(b'\n');
    }
    Ok(Rendered {
        status: StatusCode::OK,
        kind: "application/x-ndjson",
        body,
        retry_after_s: None,
        session: None,
        padded: true,
    })
}

/// One line, by its place from 0; people count from 1.
async fn line(call: Arc<Call>, decide: Decide, bytes: Bytes, place: usize) -> Result<Value, Fault> {
    let number = place + 1;
    let answered = match decide_line(call.clone(), decide, bytes.clone(), number).await {
        Ok(answered) => answered,
        Err(Halt::Fault(fault)) => return Err(fault),
        Err(Halt::Refuse(refusal)) => {
            match refuse_line(call.clone(), &bytes, number, refusal).await {
                Ok(answered) => answered,
                Err(Halt::Fault(fault)) => return Err(fault),
                Err(Halt::Refuse(_)) => return Ok(unrecorded(number)),
            }
        }
    };
    let (status, mut value) = envelope(&call, answered);
    if let Value::Object(map) = &mut value {
        map.insert("line".to_owned(), json!(number));
        map.insert("status_code".to_owned(), json!(status));
    }
    Ok(value)
}

async fn decide_line(
    call: Arc<Call>,
    decide: Decide,
    bytes: Bytes,
    number: usize,
) -> Result<Answered, Halt> {
    if bytes.len() > LINE_BYTES_MAX {
        return Err(field("line", "a line is at most 16 KiB").into());
    }
    let attempt = call.line(&bytes, number)?;
    decide(call, attempt, bytes).await
}

async fn refuse_line(
    call: Arc<Call>,
    bytes: &[u8],
    number: usize,
    refusal: Refusal,
) -> Result<Answered, Halt> {
    let mut attempt = call.line(bytes, number)?;
    attempt.idempotency = None;
    Ok(call.app.gateway.refuse(attempt, refusal).await?)
}

/// The operator is told why, as of a request of its own; the caller is not.
fn faulted(call: &Call, fault: &Fault) {
    call.app.metrics.faulted();
    tracing::error!(%fault, "lines of a batch could not be recorded");
}

fn unrecorded(number: usize) -> Value {
    json!({
        "line": number,
        "status_code": 503,
        "type": "https://firedoor.example/problems/cannot-record",
        "title": "cannot-record",
        "detail": "This line was not recorded. Send it again.",
    })
}
