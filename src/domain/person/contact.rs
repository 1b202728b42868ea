//! Telephone numbers and e-mail addresses, written one way so that equal ones compare equal.
//!
//! A number that cannot be read for certain is refused, never repaired: a wrong one rings at a
//! stranger's, or at his.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::field::BadField;

/// Longest e-mail address, in bytes (RFC 5321, erratum 1690).
pub const EMAIL_BYTES_MAX: usize = 254;

const PREFIX: BadField =
    BadField("must begin with 0, or with + and the country code, such as 07700 900123");
const LETTERS: BadField = BadField("must be one telephone number; leave out words and extensions");
const LENGTH: BadField = BadField("has too few or too many digits for a telephone number");

/// A telephone number in E.164: `+447700900123`. Whether it is in service is not checked.
#[derive(ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct Phone(String);

impl Phone {
    /// Reads `07700 900123`, `+44 7700 900123`, `0044...`, `+44 (0)7700...` and foreign numbers
    /// with `+` or `00`; spaces, dots, hyphens and brackets do not matter.
    ///
    /// # Errors
    /// No prefix, an extension or other words, or a number of digits that no number there has.
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let (plus, digits) = digits_of(text)?;
        let mut phone = Self(String::with_capacity(digits.len().saturating_add(3)));
        phone.0.push('+');
        let international = if plus {
            Some(digits.as_str())
        } else {
            digits.strip_prefix("00")
        };
        let united_kingdom = match international {
            // People also write the trunk zero without brackets: +4407700...
            Some(number) => number
                .strip_prefix("44")
                .map(|rest| rest.strip_prefix('0').unwrap_or(rest)),
            None => Some(digits.strip_prefix('0').ok_or(PREFIX)?),
        };
        match (united_kingdom, international) {
            (Some(number), _) if is_united_kingdom(number) => {
                phone.0.push_str("44");
                phone.0.push_str(number);
                Ok(phone)
            }
            (None, Some(number)) if is_foreign(number) => {
                phone.0.push_str(number);
                Ok(phone)
            }
            (Some(_) | None, _) => Err(LENGTH),
        }
    }

    /// E.164, with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The digits, whether a `+` led them, and without a bracketed trunk zero where one must go.
fn digits_of(text: &str) -> Result<(bool, Zeroizing<String>), BadField> {
    let mut digits = Zeroizing::new(String::with_capacity(text.len()));
    let (mut plus, mut bracket, mut trunk_zero) = (false, None, None);
    for letter in text.trim().chars() {
        match letter {
            '0'..='9' => digits.push(letter),
            '+' if digits.is_empty() && !plus => plus = true,
            '(' => bracket = Some(digits.len()),
            ')' => {
                let inside = bracket.and_then(|start| digits.get(start..));
                if inside == Some("0") {
                    trunk_zero = bracket;
                }
                bracket = None;
            }
            ' ' | '.' | '-' | '\u{A0}' | '\u{2010}'..='\u{2014}' => {}
            _ => return Err(LETTERS),
        }
    }
    if let Some(place) = trunk_zero
        && (plus || digits.starts_with("00"))
    {
        digits.remove(place);
    }
    Ok((plus, digits))
}

/// A national number without its zero: ten digits, or nine in a few old areas and freephone.
/// The premium range 09 is not how anyone is reached.
fn is_united_kingdom(number: &str) -> bool {
    match number.bytes().next() {
        Some(b'1' | b'8') => matches!(number.len(), 9 | 10),
        Some(b'2' | b'3' | b'5' | b'7') => number.len() == 10,
        _ => false,
    }
}

/// Country code and number: 8 to 15 digits (E.164); eleven in the zones 1 and 7, which catches a
/// British number with its prefix lost.
fn is_foreign(number: &str) -> bool {
    match number.bytes().next() {
        Some(b'1' | b'7') => number.len() == 11,
        Some(b'2'..=b'9') => (8..=15).contains(&number.len()),
        _ => false,
    }
}

/// An e-mail address in lower case. Only its shape is checked.
#[derive(ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct Email(String);

impl Email {
    /// # Errors
    /// Not `name@domain.tld`, over 254 bytes, or with spaces, commas, brackets and the like.
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let bad = BadField("must be one e-mail address, such as name@example.org");
        let email = Self(text.trim().to_lowercase());
        let (local, domain) = email.0.split_once('@').ok_or(bad)?;
        let odd = |letter: char| {
            letter.is_whitespace()
                || super::line::is_control(letter)
                || matches!(
                    letter,
                    '@' | ',' | ';' | ':' | '<' | '>' | '(' | ')' | '"' | '\\'
                )
        };
        let labels = domain.split('.').count();
        let whole = email.0.len() <= EMAIL_BYTES_MAX
            && (1..=64).contains(&local.len())
            && !local.contains(odd)
            && !domain.contains(odd)
            && labels >= 2
            && domain.split('.').all(|label| !label.is_empty());
        if whole { Ok(email) } else { Err(bad) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn phone(text: &str) -> String {
        match Phone::parse(text) {
            Ok(phone) => phone.as_str().to_owned(),
            Err(BadField(message)) => message.to_owned(),
        }
    }

    #[test]
    fn one_number_is_held_one_way() {
        for same in [
            "07700900123",
            "07700 900 123",
            "07700-900.123",
            "(07700) 900123",
            "+447700900123",
            "+44 7700 900123",
            "+44 (0)7700 900123",
            "(+44) 7700 900123",
            "0044 7700 900123",
            "0044 (0) 7700 900123",
            "+4407700900123",
            "07700\u{a0}900\u{2013}123",
        ] {
            assert_eq!(phone(same), "+447700900123", "{same}");
        }
        assert_eq!(phone("020 7946 0018"), "+442079460018");
        assert_eq!(phone("016977 2345"), "+44169772345");
        assert_eq!(phone("+353 (0)1 234 5678"), "+35312345678");
        assert_eq!(phone("00 33 1 23 45 67 89"), "+33123456789");
        assert_eq!(phone("+1 202 555 0123"), "+12025550123");
    }

    #[test]
    fn what_may_be_another_number_is_refused() {
        for (bad, why) in [
            ("7700900123", PREFIX),
            ("447700900123", PREFIX),
            ("", PREFIX),
            ("020 7946 0018 ext 12", LETTERS),
            ("020 7946 0018 x12", LETTERS),
            ("07700 900123 / 07700 900456", LETTERS),
            ("07700+900123", LETTERS),
            ("07700 90012", LENGTH),
            ("07700 9001234", LENGTH),
            ("0909 879 0000", LENGTH),
            ("007700900123", LENGTH),
            ("+0044 7700 900123", LENGTH),
            ("+33 12", LENGTH),
            ("+44", LENGTH),
            ("999", PREFIX),
        ] {
            assert_eq!(Phone::parse(bad).err(), Some(why), "{bad}");
        }
    }

    #[test]
    fn an_email_is_folded_and_lightly_checked() {
        let email = Email::parse(" Amina.K@Example.ORG ").ok().unwrap();
        assert_eq!(email.as_str(), "amina.k@example.org");
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "amina",
            "@example.org",
            "amina@",
            "amina@example",
            "amina@example..org",
            "a b@example.org",
            "a@b@example.org",
            "a@example.org, b@example.org",
            "<a@example.org>",
            &long,
        ] {
            assert!(Email::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_what_is_held_reads_again(text in "\\PC*|[+0-9() .-]{6,24}") {
            if let Ok(phone) = Phone::parse(&text) {
                prop_assert!((9..=16).contains(&phone.as_str().len()));
                let again = Phone::parse(phone.as_str()).ok().unwrap();
                prop_assert_eq!(again.as_str(), phone.as_str());
            }
            if let Ok(email) = Email::parse(&text) {
                let again = Email::parse(email.as_str()).ok().unwrap();
                prop_assert_eq!(again.as_str(), email.as_str());
            }
        }
    }
}
