//! Reads optional form fields and collects what is wrong with them, never what they hold.

use super::police::looks_like_pnc;

/// Longest text looked at in any one field, in bytes; each field has a shorter limit of its own.
pub const FIELD_BYTES_MAX: usize = 1_000;

/// What a partner should put right. Holds no value, so it may be shown, logged and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    pub field: &'static str,
    pub message: &'static str,
}

/// Why one text is not what it should be: a fixed sentence that says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadField(pub &'static str);

const PNC: BadField = BadField("PNC ID is an offender number; do not put one here");
const TOO_LONG: BadField = BadField("is too long; shorten it");
const TOO_MANY: &str = "has too many entries; give the ones in use";

/// Reads fields one by one and remembers every error, so that a form is corrected in one go.
#[derive(Default)]
pub(super) struct FieldReader {
    errors: Vec<FieldError>,
}

impl FieldReader {
    /// A missing or blank field is `None`.
    pub(super) fn one<T>(
        &mut self,
        field: &'static str,
        text: Option<&String>,
        parse: impl Fn(&str) -> Result<T, BadField>,
    ) -> Option<T> {
        let text = text?.trim();
        if text.is_empty() {
            return None;
        }
        let parsed = if text.len() > FIELD_BYTES_MAX {
            Err(TOO_LONG)
        } else if looks_like_pnc(text) {
            Err(PNC)
        } else {
            parse(text)
        };
        match parsed {
            Ok(value) => Some(value),
            Err(BadField(message)) => {
                self.refuse(field, message);
                None
            }
        }
    }

    /// Blank entries are left out. More than `entries_max` are refused without being read.
    pub(super) fn many<T>(
        &mut self,
        field: &'static str,
        texts: &[String],
        entries_max: usize,
        parse: impl Fn(&str) -> Result<T, BadField>,
    ) -> Vec<T> {
        if texts.len() > entries_max {
            self.refuse(field, TOO_MANY);
            return Vec::new();
        }
        texts
            .iter()
            .filter_map(|text| self.one(field, Some(text), &parse))
            .collect()
    }

    pub(super) fn refuse(&mut self, field: &'static str, message: &'static str) {
        let error = FieldError { field, message };
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    pub(super) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    pub(super) fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.errors.is_empty() {
            Ok(value)
        } else {
            Err(self.errors)
        }
    }
}
