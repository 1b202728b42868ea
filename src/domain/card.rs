//! Her card: one code with which she withdraws at any service, and five with each of which one worker
//! may ask one question, in its steps (`domain.md` 3.0.6).
//!
//! A code says nothing of her and opens no look-up. It is printed once, in the reply that makes the
//! card; what is kept is a keyed token, so that whoever has the data cannot try codes against it.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::codes::Purpose;
use super::id::{Id, OrgId, PersonId};
use super::person::{TaggedToken, Token};
use super::record::singleton;
use super::time::When;

/// Codes for questions on one card.
pub const QUESTIONS: usize = 5;
/// The steps of one question are asked within so long after the first: while she is there.
pub const QUESTION_HOURS: i64 = 1;
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
    /// One question of one worker, once, with all its steps.
    Asking,
}

/// The question that used a code up: any other is another one.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Question {
    pub organisation: OrgId,
    /// A user of the organisation.
    pub user: String,
    /// The organisation's own record of her.
    pub person: PersonId,
    pub purpose: Purpose,
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
    /// For which question it was used, and when first.
    pub used: Option<(Question, When)>,
}

impl CardCode {
    /// In date and for withdrawing, as often as she likes.
    pub fn lets_withdraw(&self, now: When) -> bool {
        self.serves == Serves::Withdrawing && now < self.until
    }

    /// In date, for asking, and not used; or used for this very question within the last
    /// [`QUESTION_HOURS`].
    pub fn lets_ask(&self, question: &Question, now: When) -> bool {
        let same =
            |(used, at): &(Question, When)| used == question && now < at.plus_hours(QUESTION_HOURS);
        self.serves == Serves::Asking && now < self.until && self.used.as_ref().is_none_or(same)
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
    fn a_code_is_good_for_its_use_within_its_year_and_then_for_the_one_question_for_an_hour() {
        let end = When::from_millis(0).plus_days(CARD_DAYS);
        let mut code = CardCode {
            serves: Serves::Asking,
            issued_by: OrgId::parse("haven").unwrap(),
            tokens: Vec::new(),
            until: end,
            used: None,
        };
        let question = Question {
            organisation: OrgId::parse("lantern").unwrap(),
            user: "worker".to_owned(),
            person: PersonId(Id::ZERO),
            purpose: Purpose::PriorAssessment,
        };
        let before = end.plus_hours(-5);
        assert!(code.lets_ask(&question, before));
        assert!(!code.lets_withdraw(before));
        assert!(!code.lets_ask(&question, end));
        code.used = Some((question.clone(), before));
        let last = before.plus_hours(QUESTION_HOURS);
        assert!(code.lets_ask(&question, before));
        assert!(!code.lets_ask(&question, last));
        let other = |change: fn(&mut Question)| {
            let mut other = question.clone();
            change(&mut other);
            other
        };
        for other in [
            other(|one| one.organisation = OrgId::parse("harbour").unwrap()),
            other(|one| one.user = "colleague".to_owned()),
            other(|one| one.person = PersonId(Id::from_bytes([1; 16]))),
            other(|one| one.purpose = Purpose::Support),
        ] {
            assert!(!code.lets_ask(&other, before), "{other:?}");
        }
        code.serves = Serves::Withdrawing;
        code.used = None;
        assert!(code.lets_withdraw(before));
        assert!(!code.lets_withdraw(end));
        assert!(!code.lets_ask(&question, before));
    }
}
