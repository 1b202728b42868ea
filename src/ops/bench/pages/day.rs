//! One day before the crowd comes, so that each page about one thing has one to show: three women are
//! referred and accepted; one is assessed, opened in an emergency and asks what is held about her; one
//! stops everything; of one it is not sure that she wants to. A nurse begins to refer a fourth.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;
use serde_json::{Value, json};

use super::{BenchError, SENDER, Town, Visitor, ask, crowd, whole};
use crate::domain::codes::Role;
use crate::ops::demo::borough::{CHARITY, SERVICE};
use crate::ops::demo::people::{assessment, emergency};

const CHARITY_DESK: (&str, &str) = ("larkfield", "ref=r-osei;role=triage");
const HELPLINE: (&str, &str) = ("harbour", "ref=j-pell;role=triage");
const HOSPITAL: (&str, &str) = ("st-hildas", "ref=dr-adeyemi;role=clinician");
const NURSE: (&str, Role) = ("st-hildas-browser", Role::EdSenior);
/// Long enough ago for a request to be handed over today.
const DAYS_AGO: i64 = 45;

/// # Errors
/// [`BenchError`] if anything was refused.
pub async fn play(town: &Town, router: &Router, after: u64) -> Result<(), BenchError> {
    let now = town.running.app.gateway.time();
    let day = Day {
        town,
        router,
        after,
        acts: AtomicU64::new(0),
    };
    let first = day.accepted(0).await?;
    let her = crowd::identity(after);
    let mut assessed = assessment(now.plus_hours(-3), CHARITY);
    put(&mut assessed, "identity", her.clone());
    day.posts(HOSPITAL, "/v1/assessments", &assessed).await?;
    let own = json!({
        "person": first, "instrument": "safelives_dash_24", "instrument_version": "2015",
        "items": [{ "code": "q1", "answer": "yes" }], "grade": "high",
        "basis": "professional_judgement", "judgement_codes": ["violence_growing"],
        "assessed_at": now.plus_hours(-1).rfc3339(), "consents": [],
    });
    day.posts(CHARITY_DESK, "/v1/assessments", &own).await?;
    let mut opened = emergency(true);
    put(&mut opened, "identity", her.clone());
    let nurse = Visitor::of(town, NURSE.0, NURSE.1).await?;
    let request = Request::post("/v1/emergency").header("firedoor-session", nurse.session(town));
    let request = request.extension(nurse.peer.clone());
    day.sends(request, &opened).await?;
    let begun = json!({ "fields": [{ "field": "offence_group", "values": ["burglary"] }] });
    let request = Request::post("/v1/drafts").header("firedoor-session", nurse.session(town));
    let request = request.extension(nurse.peer.clone());
    day.sends(request, &begun).await?;
    let asked = json!({
        "identity": her, "identity_proof": "known_to_worker", "safe_contact_checked": true,
        "delivery": "read_aloud", "received_at": now.plus_days(-DAYS_AGO).rfc3339(),
    });
    day.posts(CHARITY_DESK, "/v1/subject-access", &asked)
        .await?;

    day.accepted(1).await?;
    let stop = json!({
        "identity": crowd::identity(after + 1), "scope": "everything", "channel": "telephone",
    });
    day.posts(HELPLINE, "/v1/withdrawals", &stop).await?;
    let third = day.accepted(2).await?;
    let pause = json!({
        "person": third, "scope": "everything", "channel": "in_person", "pause": true,
    });
    day.posts(CHARITY_DESK, "/v1/withdrawals", &pause).await?;
    Ok(())
}

fn put(body: &mut Value, key: &str, value: Value) {
    if let Value::Object(map) = body {
        map.insert(key.to_owned(), value);
    }
}

struct Day<'a> {
    town: &'a Town,
    router: &'a Router,
    /// The people of the day come after those of the crowd.
    after: u64,
    acts: AtomicU64,
}

impl Day<'_> {
    /// Police refer one, and the charity accepts her: its reference of her.
    async fn accepted(&self, number: u64) -> Result<Value, BenchError> {
        let now = self.town.running.app.gateway.time();
        let who = crowd::identity(self.after + number);
        let offer = crowd::referral_to(SERVICE, &who, now);
        self.posts(SENDER, "/v1/referrals", &offer).await?;
        let request = self.of(CHARITY_DESK, Request::get("/v1/inbox")).await?;
        let inbox = self.sends(request, &Value::Null).await?;
        let offers = inbox.get("offers").and_then(Value::as_array);
        let open = offers.into_iter().flatten();
        let mut open = open.filter(|offer| offer.get("status") == Some(&json!("offered")));
        let id = open.next().and_then(|offer| offer.get("id")?.as_str());
        let path = format!("/v1/referrals/{}/accept", id.ok_or(BenchError::Denied)?);
        let body = json!({ "worker": "v-adeola", "onward_rule_accepted": true });
        let said = self.posts(CHARITY_DESK, &path, &body).await?;
        said.get("person").cloned().ok_or(BenchError::Denied)
    }

    async fn of(
        &self,
        (bundle, user): (&str, &str),
        request: Builder,
    ) -> Result<Builder, BenchError> {
        let peer = self.town.peer_of(bundle).await?;
        Ok(request.header("firedoor-user", user).extension(peer))
    }

    async fn posts(
        &self,
        desk: (&str, &str),
        path: &str,
        body: &Value,
    ) -> Result<Value, BenchError> {
        let request = self.of(desk, Request::post(path)).await?;
        self.sends(request, body).await
    }

    async fn sends(&self, request: Builder, body: &Value) -> Result<Value, BenchError> {
        let number = self.acts.fetch_add(1, Ordering::Relaxed);
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        let request = request
            .header("content-type", "application/json")
            .header("idempotency-key", format!("bench-day-{number}"))
            .body(body)
            .map_err(|_| BenchError::Broken)?;
        let reply = ask(self.router, request).await;
        let status = reply.status();
        let said = whole(reply).await?;
        if !status.is_success() {
            return Err(BenchError::Refused {
                exercise: "a request of the day before",
                status: status.as_u16(),
            });
        }
        serde_json::from_slice(said.trim_ascii_end()).map_err(|_| BenchError::Broken)
    }
}
