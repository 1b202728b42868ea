//! The NHS number. It is checked here and never used as an identifier outside the gateway.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::field::BadField;

const SHAPE: BadField = BadField("must be the 10 digits of an NHS number");
const CHECK: BadField = BadField("is not a valid NHS number; check the digits");

/// A number that passes the modulus 11 check of the NHS Data Dictionary. Held as ten digits.
#[derive(ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct NhsNumber(String);

impl NhsNumber {
    /// Reads ten digits with spaces or hyphens between them.
    ///
    /// # Errors
    /// Not ten digits, a wrong check digit, or ten equal digits (1111111111 passes the check and
    /// 0000000000 does too, but they are what people type to get past a form).
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let mut number = Self(String::with_capacity(10));
        for letter in text.trim().chars() {
            match letter {
                '0'..='9' if number.0.len() < 10 => number.0.push(letter),
                ' ' | '-' | '\u{A0}' | '\u{2010}'..='\u{2013}' => {}
                _ => return Err(SHAPE),
            }
        }
        let [head @ .., last] = number.0.as_bytes() else {
            return Err(SHAPE);
        };
        if head.len() != 9 {
            return Err(SHAPE);
        }
        let sum: u32 = head
            .iter()
            .zip((2..=10).rev())
            .map(|(digit, weight)| u32::from(digit - b'0') * weight)
            .sum();
        // 11 stands for 0; 10 has no digit, so it equals none and such numbers are not issued.
        let check = (11 - sum % 11) % 11;
        let all_same = head.iter().all(|digit| digit == last);
        if check != u32::from(last - b'0') || all_same {
            return Err(CHECK);
        }
        Ok(number)
    }

    /// Ten digits without spaces.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is printed on letters: `999 000 0018`.
    pub fn spaced(&self) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(12));
        for (place, digit) in self.0.chars().enumerate() {
            if place == 3 || place == 6 {
                out.push(' ');
            }
            out.push(digit);
        }
        out
    }

    /// The range 999 is never issued: a number from it is test data.
    pub fn is_test_range(&self) -> bool {
        self.0.starts_with("999")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn valid_numbers_are_read_with_spaces_and_hyphens() {
        for good in [
            "9990000018",
            "9990000026",
            "9990000034",
            "9990000042",
            "9990000050",
            "9990000069",
            "9434765919",
            "4010232137",
            " 999 000 0018 ",
            "999-000-0018",
        ] {
            let number = NhsNumber::parse(good).ok().unwrap();
            assert_eq!(number.as_str().len(), 10, "{good}");
        }
        let number = NhsNumber::parse("999-000 0018").ok().unwrap();
        assert_eq!(number.spaced().as_str(), "999 000 0018");
        assert!(number.is_test_range());
    }

    #[test]
    fn wrong_numbers_are_refused() {
        for bad in [
            "",
            "999000001",
            "99900000188",
            "9990000019",
            "0000000000",
            "1111111111",
            "9999999999",
            "999000001x",
            "٩٩٩٠٠٠٠٠١٨",
        ] {
            assert!(NhsNumber::parse(bad).is_err(), "{bad}");
        }
        for head in ["999000014", "999000028"] {
            for digit in 0..10 {
                assert!(NhsNumber::parse(&format!("{head}{digit}")).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text: String) {
            let _ = NhsNumber::parse(&text);
        }

        #[test]
        fn one_wrong_digit_is_always_found(place in 0_usize..10, digit in 0_u8..10) {
            let mut bytes = *b"9434765919";
            prop_assume!(bytes[place] != b'0' + digit);
            bytes[place] = b'0' + digit;
            prop_assert!(NhsNumber::parse(std::str::from_utf8(&bytes).unwrap()).is_err());
        }
    }
}
