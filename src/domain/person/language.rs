//! A language she needs someone to speak. It can give away where she comes from.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::ZeroizeOnDrop;

use super::field::BadField;

/// A language she needs, as a BCP 47 tag without a region: `ur`, `zh-hant`, or `bfi` for British
/// Sign Language.
///
/// An immigration proxy: it goes only to those whose row says so, hence
/// `SafeContact::take_language_need`.
#[derive(ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct LanguageTag(String);

impl LanguageTag {
    /// # Errors
    /// Not two or three letters, with four more for a script if need be. A region (`pa-PK`) is
    /// refused: an interpreter does not need it, and it names a country.
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let (language, script) = match text.split_once('-') {
            Some((language, script)) => (language, Some(script)),
            None => (text, None),
        };
        let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphabetic());
        let short = (2..=3).contains(&language.len()) && letters(language);
        let written = script.is_none_or(|script| script.len() == 4 && letters(script));
        if short && written {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(BadField(
                "must be a language code without a country, such as ur, pa or bfi",
            ))
        }
    }

    /// In small letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_language_is_a_short_code() {
        for (given, held) in [("ur", "ur"), ("bfi", "bfi"), ("zh-Hant", "zh-hant")] {
            assert_eq!(LanguageTag::parse(given).ok().unwrap().as_str(), held);
        }
        for bad in [
            "",
            "u",
            "urdu",
            "u2",
            "pa-",
            "pa-PK",
            "zh-Hant-TW",
            "ur speaker",
        ] {
            assert!(LanguageTag::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text: String) {
            let _ = LanguageTag::parse(&text);
        }
    }
}
