//! `firedoor client emergency`, `emergencies` and `follow-up`: the glass is broken, and what is said of
//! it within a day.

use clap::Args;
use serde_json::{Value, json};

use super::agency::{after, tick};
use super::input::document;
use super::{ClientFault, Request, id};

#[derive(Args, Debug)]
pub struct EmergencyArgs {
    file: String,
    /// You have read who will be told
    #[arg(long)]
    confirm: bool,
    /// You may not pass this on for immigration purposes; your organisation accepts this
    #[arg(long)]
    onward_rule_accepted: bool,
}

impl EmergencyArgs {
    pub(super) fn request(&self) -> Result<Request, ClientFault> {
        let mut body = document(&self.file)?;
        tick(&mut body, "confirm", self.confirm);
        tick(&mut body, "onward_rule_accepted", self.onward_rule_accepted);
        Ok(Request::post("/v1/emergency", &body))
    }
}

#[derive(Args, Debug)]
pub struct EmergenciesArgs {
    #[arg(long, default_value = "")]
    after: String,
}

impl EmergenciesArgs {
    pub(super) fn request(&self) -> Result<Request, ClientFault> {
        Ok(Request::get(after("/v1/emergencies", &self.after)?))
    }
}

#[derive(Args, Debug)]
pub struct FollowUpArgs {
    /// The id that the emergency was given
    id: String,
    /// A code, as often as needed: called_safe_person, called_service, kept_somebody_away,
    /// told_safeguarding_lead, protected_child, called_police, gave_helpline, other; or nothing
    #[arg(long, required = true)]
    done: Vec<String>,
    /// agrees, refuses, cannot_say or not_asked; her consent is recorded apart
    #[arg(long)]
    she_now: String,
}

impl FollowUpArgs {
    pub(super) fn request(&self) -> Result<Request, ClientFault> {
        let body: Value = json!({ "done": self.done, "she_now": self.she_now });
        let path = format!("/v1/emergencies/{}/follow-up", id(&self.id)?);
        Ok(Request::post(path, &body))
    }
}
