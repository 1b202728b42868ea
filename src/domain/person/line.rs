//! One line of text that a person wrote: bounded, trimmed, without control characters.
//!
//! Whether its words may be shown to a recipient is not decided here: it is free text, and the
//! text screen must see it.

use borsh::{BorshDeserialize, BorshSerialize};
use unicode_normalization::UnicodeNormalization;
use zeroize::ZeroizeOnDrop;

use super::field::BadField;

/// 1 to `CHARS_MAX` characters on one line, in Unicode form NFC.
#[derive(ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct Line<const CHARS_MAX: usize>(String);

impl<const CHARS_MAX: usize> Line<CHARS_MAX> {
    /// # Errors
    /// Empty, longer than `CHARS_MAX` characters, or with control characters.
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadField("is empty; leave it out"));
        }
        if text.chars().nth(CHARS_MAX).is_some() {
            return Err(BadField("is too long; shorten it"));
        }
        if text.chars().any(is_control) {
            return Err(BadField(
                "holds control characters; type it again on one line",
            ));
        }
        // Composing never makes a text longer than three times its bytes (UAX 15, NFC).
        let mut line = Self(String::with_capacity(text.len().saturating_mul(3)));
        line.0.extend(text.nfc());
        Ok(line)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, line separators and those that change the direction of what follows, which
/// can make one name look like another. Joiners stay: Persian and Indic names need them.
pub(super) fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
