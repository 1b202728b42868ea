//! References that police use: the crime reference, which may be given, and the PNC ID, which may
//! not: it is an offender's number, and a victim's record never holds or meets one.

use borsh::{BorshDeserialize, BorshSerialize};
use unicode_normalization::UnicodeNormalization;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::field::BadField;

/// A force's own reference for the crime, opaque to us: 4 to 24 of `A-Z`, `0-9`, `/` and `-`.
#[derive(ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct CrimeRef(String);

impl CrimeRef {
    /// Small letters are made large.
    ///
    /// # Errors
    /// Any other character or length.
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let reference = Self(text.trim().to_ascii_uppercase());
        let allowed = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-');
        if (4..=24).contains(&reference.0.len()) && reference.0.bytes().all(allowed) {
            Ok(reference)
        } else {
            Err(BadField(
                "must be 4 to 24 letters, digits, '/' or '-', as the force wrote it",
            ))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether the text contains a PNC ID with a right check letter, such as `2012/0052494Q`,
/// `20120052494Q` or the short `12/52494Q`.
///
/// The letter is checked, so that one in 23 of look-alikes is refused rather than all. Serials of
/// fewer than four digits are not looked for: house numbers such as 12/34B would be met.
pub fn looks_like_pnc(text: &str) -> bool {
    let mut letters = Zeroizing::new(Vec::with_capacity(text.len()));
    letters.extend(text.nfkc().map(|letter| letter.to_ascii_uppercase()));
    let mut before = None;
    for start in 0..letters.len() {
        let rest = letters.get(start..).unwrap_or_default();
        if !before.is_some_and(is_digit) && starts_with_pnc(rest) {
            return true;
        }
        before = rest.first().copied();
    }
    false
}

fn starts_with_pnc(text: &[char]) -> bool {
    let (first, rest) = split_digits(text);
    let spaced = skip_spaces(rest);
    let (separator, rest) = match spaced {
        [mark @ ('/' | '-'), tail @ ..] => (Some(*mark), skip_spaces(tail)),
        [..] => (None, spaced),
    };
    let (second, rest) = split_digits(rest);
    let slash = separator == Some('/');
    let (year, serial) = match (first.len(), second.len()) {
        (4, 7) => (first, second),
        (4 | 2, 4..=7) if slash => (first, second),
        (11, 0) if separator.is_none() => first.split_at(4),
        (9, 0) if separator.is_none() => first.split_at(2),
        (_, _) => return false,
    };
    // A four-digit year says its century; anything else is another kind of number.
    if year.len() == 4 && !matches!(year, ['1', '9', ..] | ['2', '0', ..]) {
        return false;
    }
    let (letter, after) = match rest {
        [letter, after @ ..] => (*letter, after.first()),
        [] => return false,
    };
    if after.is_some_and(|next| next.is_alphanumeric()) {
        return false;
    }
    let short_year = year.get(year.len().saturating_sub(2)..).unwrap_or_default();
    check_letter(number(short_year) * 10_000_000 + number(serial)) == Some(letter)
}

/// A PNC ID: whom the police hold as an offender. Never in a victim's record.
#[derive(ZeroizeOnDrop)]
pub struct PncId(String);

impl PncId {
    /// Reads `2012/0052494Q`, with or without the slash and leading zeros.
    ///
    /// # Errors
    /// Another form, or a wrong check letter.
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let bad = BadField("must be a PNC ID such as 2012/0052494Q");
        let text = text.trim();
        let plain = text.split_once('/').or_else(|| text.split_at_checked(4));
        let (year, rest) = plain.ok_or(bad)?;
        let (serial, letter) = rest
            .split_at_checked(rest.len().saturating_sub(1))
            .ok_or(bad)?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let shaped = year.len() == 4 && (1..=7).contains(&serial.len());
        if !shaped || !digits(year) || !digits(serial) {
            return Err(bad);
        }
        let mut whole = Self(String::with_capacity(13));
        whole.0.push_str(year);
        whole.0.push('/');
        whole.0.extend(std::iter::repeat_n('0', 7 - serial.len()));
        whole.0.push_str(serial);
        whole.0.push_str(letter);
        whole.0.make_ascii_uppercase();
        if looks_like_pnc(&whole.0) {
            Ok(whole)
        } else {
            Err(bad)
        }
    }

    /// `2012/0052494Q`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The check letter of a PNC ID: two digits of the year and seven of the serial, modulo 23
/// (ministryofjustice/hmpps-person-record).
fn check_letter(year_and_serial: u64) -> Option<char> {
    let place = usize::try_from(year_and_serial % 23).ok()?;
    b"ZABCDEFGHJKLMNPQRTUVWXY"
        .get(place)
        .copied()
        .map(char::from)
}

fn is_digit(letter: char) -> bool {
    letter.is_ascii_digit()
}

fn split_digits(text: &[char]) -> (&[char], &[char]) {
    let digits = text.iter().take_while(|letter| is_digit(**letter)).count();
    text.split_at(digits)
}

fn skip_spaces(mut text: &[char]) -> &[char] {
    while let [' ', rest @ ..] = text {
        text = rest;
    }
    text
}

/// At most seven digits, so it cannot overflow.
fn number(digits: &[char]) -> u64 {
    digits
        .iter()
        .filter_map(|letter| letter.to_digit(10))
        .fold(0, |sum, digit| sum * 10 + u64::from(digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pnc_id_is_found_however_it_is_written() {
        for found in [
            "2012/0052494Q",
            "2003/0062845E",
            "1981/0154257C",
            "20120052494Q",
            "2012/0052494q",
            "2012 / 0052494Q",
            "2012-0052494Q",
            "2012 0052494Q",
            "12/0052494Q",
            "12/52494Q",
            "2012/52494Q",
            "120052494Q",
            "PNC 2012/0052494Q, see file",
            "PNC2012/0052494Q",
            "２０１２/００５２４９４Q",
        ] {
            assert!(looks_like_pnc(found), "{found}");
        }
    }

    #[test]
    fn a_pnc_id_is_written_one_way() {
        for same in [
            "2012/0052494Q",
            "2012/52494q",
            "20120052494Q",
            " 2012/0052494q ",
        ] {
            assert_eq!(
                PncId::parse(same).ok().unwrap().as_str(),
                "2012/0052494Q",
                "{same}"
            );
        }
        for bad in [
            "",
            "2012/0052494A",
            "12/52494Q",
            "2012/Q",
            "é012/52494Q",
            "2012/00524940Q",
        ] {
            assert!(PncId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn other_numbers_are_not_taken_for_one() {
        for other in [
            "",
            "2012/0052494A",
            "2012/0052494QX",
            "92012/0052494Q",
            "1012/0052494Q",
            "2012/0052494",
            "9990000018",
            "07700 900123",
            "SW1A 1AA",
            "Flat 12/34B",
            "1234567/26",
            "06SX/12345/26",
        ] {
            assert!(!looks_like_pnc(other), "{other}");
        }
    }

    #[test]
    fn a_crime_reference_is_opaque_and_bounded() {
        assert_eq!(
            CrimeRef::parse(" 01/1234567-26a ").ok().unwrap().as_str(),
            "01/1234567-26A"
        );
        for bad in ["", "123", "1234 567", "1234_567", &"1".repeat(25), "1234é"] {
            assert!(CrimeRef::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn looking_never_panics(text: String) {
            let _ = looks_like_pnc(&text);
            let _ = CrimeRef::parse(&text);
        }

        #[test]
        fn exactly_one_letter_fits(year in 1950_u64..2050, serial in 0_u64..10_000_000) {
            let fits = ('A'..='Z')
                .filter(|letter| looks_like_pnc(&format!("{year}/{serial:07}{letter}")))
                .count();
            prop_assert_eq!(fits, 1);
        }
    }
}
