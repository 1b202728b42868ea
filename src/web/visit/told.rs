//! What the API said to a page, and why a page is not made.

use serde_json::Value;

use super::text;
use crate::domain::refusal::Refusal;
use crate::web::form::Errors;
use crate::web::words::wrong::plainly;

/// Why a page is not made.
pub enum Stop {
    /// The API could not record what was asked, so nothing is shown (P2).
    Fault,
    /// The lists are put in order after a start: how far that is, in the API's words.
    NotListedYet(String),
    /// The page itself refuses, as the API does.
    Refused(Refusal),
}

/// Whether the API failed. `cannot-record`: nothing was recorded, so nothing is told (P2). Another 503 is
/// a refusal that was: after a restore, or without witnesses; it has words of its own, and a code.
pub(super) fn failed(status: u16, body: &Value) -> Option<Stop> {
    if status < 500 || body.get("support_code").is_some() {
        return None;
    }
    Some(match text(body, "title") {
        "not-listed-yet" => Stop::NotListedYet(text(body, "detail").to_owned()),
        _ => Stop::Fault,
    })
}

/// What the API said to a page.
pub struct Reply {
    pub status: u16,
    pub body: Value,
}

impl Reply {
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Nothing held, not for you, withdrawn: the one answer (P5).
    pub fn is_nothing(&self) -> bool {
        self.text("/result") == "nothing-to-show"
    }

    pub fn text(&self, pointer: &str) -> &str {
        let found = self.body.pointer(pointer);
        found.and_then(Value::as_str).unwrap_or_default()
    }

    pub fn list(&self, pointer: &str) -> &[Value] {
        let found = self.body.pointer(pointer).and_then(Value::as_array);
        found.map_or(&[], Vec::as_slice)
    }

    /// The name of what is wrong (`domain.md` 3.0.5); empty if nothing is.
    pub fn problem(&self) -> &str {
        if self.is_ok() {
            ""
        } else {
            self.text("/title")
        }
    }

    /// What the API says is wrong, for somebody with a form.
    pub fn says(&self) -> &str {
        match self.problem() {
            "already-sent" => {
                "This form was sent before with other words. Look it over, and send it again."
            }
            "second-factor-needed" => "You were signed out. Sign in, and do this again.",
            "too-large" => "This is too long. Write less.",
            "" => "This form was sent before and was not taken. Look it over, and send it again.",
            _ => self.text("/detail"),
        }
    }

    /// What is wrong with each field, to be shown where it was filled in.
    pub fn errors(&self) -> Errors {
        let said = |value: &Value, key: &str| {
            value
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let fields = self.list("/fields").iter();
        Errors(
            fields
                .map(|wrong| (said(wrong, "field"), plainly(&said(wrong, "message"))))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_failed_is_told_from_what_was_refused_and_from_lists_that_are_not_ready() {
        let why = |status, body: Value| match failed(status, &body) {
            None => "none".to_owned(),
            Some(Stop::Fault) => "fault".to_owned(),
            Some(Stop::NotListedYet(says)) => says,
            Some(Stop::Refused(_)) => "refused".to_owned(),
        };
        assert_eq!(why(200, json!({})), "none");
        assert_eq!(why(422, json!({ "title": "check-your-answers" })), "none");
        let held_back = json!({ "title": "restored", "support_code": "AAAA-BBB" });
        assert_eq!(why(503, held_back), "none");
        assert_eq!(why(503, json!({ "title": "cannot-record" })), "fault");
        let listing = json!({ "title": "not-listed-yet", "detail": "40% are done." });
        assert_eq!(why(503, listing), "40% are done.");
    }
}
