//! A UK postcode. Where she is can be what gets her killed: it is never printed or logged.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::field::BadField;

const SHAPE: BadField = BadField("must be a full UK postcode, such as SW1A 1AA; or leave it out");
const PSEUDO: BadField = BadField("ZZ99 codes are not addresses; leave the postcode out");

/// A full postcode in the shapes of BS 7666, held as `SW1A 1AA`. Whether it exists is not checked.
#[derive(ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct Postcode(String);

impl Postcode {
    /// Case does not matter, nor where spaces and hyphens are, nor whether there are any.
    ///
    /// # Errors
    /// Another shape, or an NHS pseudo code (ZZ99...): some of those stand for a country, which is
    /// a clue to immigration status, and none tells where anyone lives.
    pub fn parse(text: &str) -> Result<Self, BadField> {
        let mut letters = Zeroizing::new(Vec::with_capacity(8));
        for letter in text.trim().chars() {
            match letter {
                ' ' | '-' | '\u{A0}' => {}
                _ if letters.len() == 7 => return Err(SHAPE),
                _ if letter.is_ascii_alphanumeric() => letters.push(letter.to_ascii_uppercase()),
                _ => return Err(SHAPE),
            }
        }
        let (outward, inward) = letters
            .split_at_checked(letters.len().saturating_sub(3))
            .ok_or(SHAPE)?;
        if matches!(outward, ['Z', 'Z', '9', '9']) {
            return Err(PSEUDO);
        }
        if !is_outward(outward) || !is_inward(inward) {
            return Err(SHAPE);
        }
        let mut postcode = Self(String::with_capacity(8));
        postcode.0.extend(outward);
        postcode.0.push(' ');
        postcode.0.extend(inward);
        Ok(postcode)
    }

    /// `SW1A 1AA`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `SW1A 1`: some 3,000 addresses.
    pub fn sector(&self) -> &str {
        let end = self.0.len().saturating_sub(2);
        self.0.get(..end).unwrap_or_default()
    }
}

fn is_outward(text: &[char]) -> bool {
    let first = |letter: &char| letter.is_ascii_uppercase() && !matches!(letter, 'Q' | 'V' | 'X');
    let second = |letter: &char| letter.is_ascii_uppercase() && !matches!(letter, 'I' | 'J' | 'Z');
    let digit = char::is_ascii_digit;
    let letter = char::is_ascii_uppercase;
    match text {
        ['G', 'I', 'R'] => true,
        [a, n] => first(a) && digit(n),
        [a, b, c] if digit(b) => first(a) && (digit(c) || letter(c)),
        [a, b, n] => first(a) && second(b) && digit(n),
        [a, b, n, c] => first(a) && second(b) && digit(n) && (digit(c) || letter(c)),
        [..] => false,
    }
}

fn is_inward(text: &[char]) -> bool {
    let unit = |letter: &char| {
        letter.is_ascii_uppercase() && !matches!(letter, 'C' | 'I' | 'K' | 'M' | 'O' | 'V')
    };
    matches!(text, [n, a, b] if n.is_ascii_digit() && unit(a) && unit(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn postcodes_are_written_one_way() {
        for (given, held, sector) in [
            ("SW1A 1AA", "SW1A 1AA", "SW1A 1"),
            ("sw1a1aa", "SW1A 1AA", "SW1A 1"),
            (" e8  1dy ", "E8 1DY", "E8 1"),
            ("EC1A-1BB", "EC1A 1BB", "EC1A 1"),
            ("M11AE", "M1 1AE", "M1 1"),
            ("CR26XH", "CR2 6XH", "CR2 6"),
            ("DN551PT", "DN55 1PT", "DN55 1"),
            ("W1A0AX", "W1A 0AX", "W1A 0"),
            ("GIR 0AA", "GIR 0AA", "GIR 0"),
        ] {
            let postcode = Postcode::parse(given).ok().unwrap();
            assert_eq!((postcode.as_str(), postcode.sector()), (held, sector));
        }
    }

    #[test]
    fn what_is_no_postcode_is_refused() {
        for bad in [
            "",
            "E8",
            "1AA",
            "E8 1D",
            "SW1A 1AAA",
            "QW1A 1AA",
            "SW1A 1CK",
            "none",
            "SW1A1Á",
        ] {
            assert_eq!(Postcode::parse(bad).err(), Some(SHAPE), "{bad}");
        }
        assert_eq!(Postcode::parse("zz99 3vz").err(), Some(PSEUDO));
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_what_is_held_reads_again(text in "\\PC*|[A-Z0-9 ]{5,8}") {
            if let Ok(postcode) = Postcode::parse(&text) {
                let again = Postcode::parse(postcode.as_str()).ok().unwrap();
                prop_assert_eq!(again.as_str(), postcode.as_str());
            }
        }
    }
}
