//! The twelve steps, each played by clients with their own certificates over real mTLS.
//!
//! Every sentence marked `ok` was checked when it was printed. Nothing is read from the gateway's
//! memory: what is told here, a client was told.

mod looking_back;
mod passing_on;
mod shut;

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use super::DemoError;
use super::borough::Borough;
use super::proof;
use super::transcript::Transcript;
use crate::domain::codes::Role;
use crate::domain::receipt::Receipt;
use crate::domain::time::When;
use crate::ops::client::caller::{Caller, GatewayUrl, Said};
use crate::ops::clock;

/// The last line of the demo (contract).
pub const LAST_LINE: &str =
    "Firedoor shuts its own doors; it cannot stop someone telling what they already know.";

/// One request of the story, to be found again in the log.
struct Done {
    step: u8,
    user: &'static str,
    what: &'static str,
    /// Its place in the log, from its receipt.
    index: Option<u64>,
}

/// The state of the story between its steps.
pub struct Story<'a, W> {
    borough: &'a Borough,
    url: GatewayUrl,
    pub told: Transcript<W>,
    started: When,
    step: u8,
    done: Vec<Done>,
    /// The officer's name for the referral.
    sent: String,
    /// The charity's names for the referral and for her.
    offer: String,
    person: String,
    /// The answer that says nothing, as the housing team got it.
    nothing: String,
    receipt: String,
    /// What each person's second factor opened; a code serves once.
    sessions: BTreeMap<String, String>,
}

impl<'a, W: Write> Story<'a, W> {
    pub fn new(borough: &'a Borough, url: GatewayUrl, told: Transcript<W>) -> Self {
        Self {
            borough,
            url,
            told,
            started: clock::now(),
            step: 0,
            done: Vec::new(),
            sent: String::new(),
            offer: String::new(),
            person: String::new(),
            nothing: String::new(),
            receipt: String::new(),
            sessions: BTreeMap::new(),
        }
    }

    /// Plays the whole story.
    ///
    /// # Errors
    /// [`DemoError`] if the gateway gave no answer at all; a wrong answer is told and kept in
    /// `told.failed`.
    pub async fn play(&mut self, verifier: &proof::Verifier) -> Result<(), DemoError> {
        self.refer().await?;
        self.reword().await?;
        self.look().await?;
        self.accept().await?;
        self.tell_once().await?;
        self.ask_from_outside().await?;
        self.withdraw().await?;
        self.break_the_glass().await?;
        self.keep_out().await?;
        self.press().await?;
        self.review().await?;
        self.verify(verifier).await
    }

    async fn client(&self, bundle: &str, other: Option<(&str, Role)>) -> Result<Caller, DemoError> {
        self.borough.client(bundle, &self.url, other).await
    }

    fn begin(&mut self, title: &str) -> Result<(), DemoError> {
        self.step += 1;
        Ok(self.told.step(title)?)
    }

    /// Remembers a request, so that step 11 can look for it.
    fn note(&mut self, user: &'static str, what: &'static str, said: &Said) {
        let receipt = said.text("/receipt").map(Receipt::parse);
        self.done.push(Done {
            step: self.step,
            user,
            what,
            index: receipt
                .and_then(Result::ok)
                .map(|receipt| receipt.proof.index),
        });
    }

    /// A person signs in and opens the queue of what she must decide.
    async fn queue(&mut self, bundle: &str) -> Result<(Caller, Said), DemoError> {
        let mut person = self.signed_in(bundle).await?;
        let said = person.get("/v1/audit/queue").await?;
        Ok((person, said))
    }

    /// A person with her second factor, in a session that is open or opened now.
    async fn signed_in(&mut self, bundle: &str) -> Result<Caller, DemoError> {
        let mut person = self.client(bundle, None).await?;
        if let Some(session) = self.sessions.get(bundle) {
            person.session = Some(session.clone());
            return Ok(person);
        }
        let code = json!({ "code": self.borough.code(bundle)? });
        let said = person.post("/v1/second-factor", &code).await?;
        match person.session.clone() {
            Some(session) if !said.refused() => {
                self.sessions.insert(bundle.to_owned(), session);
            }
            Some(_) | None => {
                let claim = format!("{bundle} signs in with a second factor.");
                self.told.so(false, &claim)?;
            }
        }
        Ok(person)
    }
}

/// The first text under a name, wherever it stands.
fn find(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Object(map) => map
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| map.values().find_map(|inner| find(inner, name))),
        Value::Array(items) => items.iter().find_map(|inner| find(inner, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
