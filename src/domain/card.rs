//! Her card: one code with which she withdraws at any service, and five with each of which one service
//! may ask one question (`domain.md` 3.0.6).
//!
//! A code says nothing of her and opens no look-up. It is printed once, in the reply that makes the
//! card; what is kept is a keyed token, so that whoever has the data cannot try codes against it.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::id::{Id, OrgId};
use super::person::{TaggedToken, Token};
use super::record::singleton;
use super::time::When;

/// Codes for questions on one card.
pub const QUESTIONS: usize = 5;
/// A card serves for so long.
pub const CARD_DAYS: i64 = 365;
/// Wrong codes of one organisation within an hour; after these no code is taken there in that hour.
pub const WRONG_TRIES_MAX: u32 = 5;
/// Symbols of a code; 60 bits.
const SYMBOLS: usize = 12;
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code as it is printed. No `Debug`; wiped when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Code(String);

impl Code {
    /// From randomness: five bits of each byte.
    pub fn drawn(bytes: [u8; SYMBOLS]) -> Self {
        let symbols = bytes.iter().filter_map(|byte| {
            let place = usize::from(byte & 31);
            CROCKFORD.get(place).copied().map(char::from)
        });
        Self(symbols.collect())
    }

    /// Reads what somebody typed: case, blanks and hyphens do not matter, `I` and `L` are 1, `O` is 0.
    /// `None` if it can be no code.
    pub fn parse(text: &str) -> Option<Self> {
        let mut code = Self(String::with_capacity(SYMBOLS));
        for symbol in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
            let symbol = match symbol.to_ascii_uppercase() {
                'I' | 'L' => '1',
                'O' => '0',
                other => other,
            };
            let known = CROCKFORD.iter().any(|known| char::from(*known) == symbol);
            if !known || code.0.len() == SYMBOLS {
                return None;
            }
            code.0.push(symbol);
        }
        (code.0.len() == SYMBOLS).then_some(code)
    }

    pub fn symbols(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// As people read it aloud: `7QF4-2KDX-M90A`.
    pub fn printed(&self) -> String {
        let (first, rest) = self.0.split_at_checked(4).unwrap_or((&self.0, ""));
        let (second, third) = rest.split_at_checked(4).unwrap_or((rest, ""));
        format!("{first}-{second}-{third}")
    }
}

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Serves {
    /// As often as she likes: it only ever narrows.
    Withdrawing,
    /// One question of one service, once.
    Asking,
}

/// One code of a card, on the token that it makes.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CardCode {
    pub serves: Serves,
    /// A service that works with her.
    pub issued_by: OrgId,
    /// Whose card it is.
    pub tokens: Vec<TaggedToken>,
    pub until: When,
    pub used_at: Option<When>,
}

impl CardCode {
    /// In date, not used, and for this.
    pub fn is_good(&self, serves: Serves, now: When) -> bool {
        self.serves == serves && now < self.until && self.used_at.is_none()
    }
}

/// The codes of the newest card that a service made for her, on its own record of her, so that a new
/// card ends the one before.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Card {
    pub at: When,
    pub codes: Vec<Token>,
}

/// Under which item a code lies on its token.
pub fn code_item() -> Id {
    singleton("card code")
}

/// Under which item the newest card lies on a record.
pub fn card_item() -> Id {
    singleton("card")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = Code::drawn([0, 1, 31, 63, 10, 18, 20, 24, 25, 26, 27, 255]);
        assert_eq!(code.printed().len(), 14);
        let typed = code.printed().to_lowercase().replace('-', " ");
        let typed = typed.replace('0', "o").replace('1', "l");
        assert_eq!(Code::parse(&typed).unwrap().0, code.0);
        for bad in [
            "",
            "7QF4-2KDX-M90",
            "7QF4-2KDX-M90A-1",
            "7QF4-2KDX-M90U",
            "7QF4-2KDX-M9é",
        ] {
            assert!(Code::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_code_is_good_for_its_use_within_its_year_and_until_it_is_used() {
        let end = When::from_millis(0).plus_days(CARD_DAYS);
        let mut code = CardCode {
            serves: Serves::Asking,
            issued_by: OrgId::parse("haven").unwrap(),
            tokens: Vec::new(),
            until: end,
            used_at: None,
        };
        let before = end.plus_hours(-1);
        assert!(code.is_good(Serves::Asking, before));
        assert!(!code.is_good(Serves::Withdrawing, before));
        assert!(!code.is_good(Serves::Asking, end));
        code.used_at = Some(before);
        assert!(!code.is_good(Serves::Asking, before));
    }
}
