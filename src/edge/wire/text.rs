//! Text in what partners send: words that a person writes ([`FreeText`], read by the screen), and
//! closed formats, in which no words fit. Every other string is a code, a date, an id or a name.

use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::Wrong;
use crate::domain::firewall::hold::Unread;
use crate::domain::person::language::LanguageTag;

/// A personal value as sent: no `Debug`, wiped when dropped.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct Secret(String);

impl Secret {
    pub(super) fn take(mut self) -> String {
        std::mem::take(&mut self.0)
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

pub(super) fn taken(secret: Option<Secret>) -> Option<String> {
    secret.map(Secret::take)
}

/// Words that a person writes. The text screen reads them before anything is kept or passed on; what
/// it holds goes back to their author alone.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct FreeText(String);

impl FreeText {
    /// For the screen. `field` is how the author is told which text it was.
    pub fn unread(mut self, field: &'static str) -> Unread {
        Unread::new(field, std::mem::take(&mut self.0))
    }

    /// The same for a text on one line of 1 to `max` characters.
    pub(super) fn line(self, wrong: &mut Wrong, field: &'static str, max: usize) -> Unread {
        let text = &self.0;
        if text.is_empty() || text.chars().count() > max || text.chars().any(char::is_control) {
            wrong.add(field, "give a short text without line breaks");
        }
        self.unread(field)
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// For what lists its own texts for the screen ([`crate::domain::firewall::hold::Written`]).
    pub(in crate::edge) fn take(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

/// Characters of a code or of a name that somebody else gave, at most.
pub const CODE_CHARS_MAX: usize = 64;

/// A code or a name by which another system knows something: no blanks, so that no sentence fits.
pub(super) fn code_like(wrong: &mut Wrong, field: &'static str, text: &str, max: usize) {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/#@+|".contains(&byte);
    if !(1..=max).contains(&text.len()) || !text.bytes().all(allowed) {
        wrong.add(
            field,
            "give a code: letters, digits and . _ - : / # @ + | only",
        );
    }
}

/// A language without a country.
pub(super) fn language(wrong: &mut Wrong, field: &'static str, text: &str) {
    if let Err(bad) = LanguageTag::parse(text) {
        wrong.add(field, bad.0);
    }
}
