//! Free text on its way in: [`ScreenedText`] is what the screen has read, [`Hold`] is what it keeps
//! from everybody but its author (F5).
//!
//! Text that was not read is [`Unread`], which gives nothing away but its length; so a text that
//! nobody thought of cannot be stored. A hold is for its author alone: the log keeps the version of
//! the rules and a keyed hash ([`crate::domain::ruling`]), and nothing else remembers it.

use std::fmt;

use zeroize::Zeroizing;

use super::text::{Finding, Label, Span};
use crate::domain::attempt::Attempt;
use crate::domain::id::Id;
use crate::domain::rules::Rules;
use crate::domain::time::When;

/// For so long its author's organisation can say that a hold was wrong.
pub const WRONG_DAYS: i64 = 7;

/// What is offered for a text that could not be read at all.
const UNREADABLE_SAYS: &str = "Write it in plain English, or ask the service to call you.";

/// What holds text that a person wrote freely.
pub trait Written {
    /// Each such text with the name of its field. An implementation takes `self` apart whole, so that
    /// a new field does not compile until somebody has decided what it is.
    fn free_texts(&self) -> Vec<(&'static str, &str)>;
}

impl<T: Written> Written for &T {
    fn free_texts(&self) -> Vec<(&'static str, &str)> {
        (**self).free_texts()
    }
}

/// One text as it was sent. It can be measured, and be read by the screen; nothing else.
pub struct Unread {
    field: &'static str,
    text: Zeroizing<String>,
}

impl Unread {
    pub fn new(field: &'static str, text: String) -> Self {
        Self {
            field,
            text: Zeroizing::new(text),
        }
    }

    /// Code points, without the blanks around it.
    pub fn chars(&self) -> usize {
        self.text.trim().chars().count()
    }
}

impl Written for Unread {
    fn free_texts(&self) -> Vec<(&'static str, &str)> {
        let Self { field, text } = self;
        vec![(field, text.as_str())]
    }
}

/// A value whose every free text the screen has read and let pass. Only [`read`] makes one.
pub struct ScreenedText<T>(T);

impl<T> ScreenedText<T> {
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Unwraps; the proof is lost with it.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl ScreenedText<&Unread> {
    /// The bytes, to be sealed.
    pub fn bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.text.as_bytes().to_vec())
    }
}

/// Why a text is held, as its author is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyHeld {
    /// It says something about immigration.
    Says,
    /// It suggests something about immigration.
    Suggests,
    /// The screen cannot judge it: another language, hidden letters, too long.
    Unreadable,
}

impl WhyHeld {
    pub const fn code(self) -> &'static str {
        match self {
            Self::Says => "about_immigration",
            Self::Suggests => "suggests_immigration",
            Self::Unreadable => "cannot_be_read",
        }
    }
}

impl From<Label> for WhyHeld {
    fn from(label: Label) -> Self {
        match label {
            Label::Explicit => Self::Says,
            Label::Proxy => Self::Suggests,
            Label::Unreadable => Self::Unreadable,
        }
    }
}

/// A place in the author's own text: code points `[start, end)`, and what stands there.
#[derive(Clone, PartialEq, Eq)]
pub struct Mark {
    pub start: u32,
    pub end: u32,
    pub text: String,
}

/// One text that is held. For its author, from her own copy; kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Hold {
    pub field: &'static str,
    /// By which her organisation names it, to say that it was wrong.
    pub reference: Id,
    pub until: When,
    pub why: WhyHeld,
    /// Whole sentences, in order and apart.
    pub sentences: Vec<Mark>,
    /// The words in them.
    pub words: Vec<Mark>,
    /// Neutral wording to use instead.
    pub suggestion: String,
    /// Of the rules that held it.
    pub version: String,
    /// The text under a key of the gateway, so that two holds of one text can be told to be so.
    pub hash: Id,
}

/// Nothing of what was written.
impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold(..)")
    }
}

/// Reads every free text of a value.
///
/// # Errors
/// All that are held, in the order of their fields.
pub fn read<T: Written>(
    rules: &Rules,
    attempt: &Attempt,
    value: T,
) -> Result<ScreenedText<T>, Vec<Hold>> {
    let texts = value.free_texts();
    let holds: Vec<Hold> = texts
        .into_iter()
        .enumerate()
        .filter_map(|(place, (field, text))| one(rules, attempt, (place, field), text))
        .collect();
    if holds.is_empty() {
        Ok(ScreenedText(value))
    } else {
        Err(holds)
    }
}

fn one(
    rules: &Rules,
    attempt: &Attempt,
    (place, field): (usize, &'static str),
    text: &str,
) -> Option<Hold> {
    let held = match rules.book.screen.read(text) {
        Finding::Clean => return None,
        Finding::Held(held) => held,
    };
    let own = attempt.organisation();
    let random = attempt.entropy.bytes(&format!("hold {field} {place}"));
    let why = WhyHeld::from(held.label);
    Some(Hold {
        field,
        reference: rules.hold_reference(own, attempt.when, random),
        until: attempt.when.plus_days(WRONG_DAYS),
        why,
        sentences: marks(text, &held.spans),
        words: marks(text, &held.words),
        suggestion: if held.suggestion.is_empty() {
            UNREADABLE_SAYS.to_owned()
        } else {
            held.suggestion
        },
        version: rules.book.screen.version().to_owned(),
        hash: rules.held_text(own, text),
    })
}

fn marks(text: &str, spans: &[Span]) -> Vec<Mark> {
    let at = |place: u32| usize::try_from(place).unwrap_or(usize::MAX);
    spans
        .iter()
        .map(|span| Mark {
            start: span.start,
            end: span.end,
            text: text
                .chars()
                .skip(at(span.start))
                .take(at(span.end.saturating_sub(span.start)))
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::codes::Action;
    use crate::domain::journey::scene::org;
    use crate::domain::journey::trial::attempt;

    fn holds(rules: &Rules, text: &str) -> Vec<Hold> {
        let attempt = attempt("met", Action::ScreenText);
        let text = Unread::new("note", text.to_owned());
        read(rules, &attempt, &text).err().unwrap_or_default()
    }

    #[test]
    fn the_sentence_and_the_words_are_marked_in_code_points() {
        let rules = Rules::for_tests();
        let text = "Élan café: two children. Her visa expired. Calls at noon.";
        let held = holds(rules, text);
        let [hold] = held.as_slice() else {
            unreachable!("one text, one hold")
        };
        let [sentence] = hold.sentences.as_slice() else {
            unreachable!("one sentence")
        };
        assert_eq!(sentence.text.trim(), "Her visa expired.");
        let letters: String = text
            .chars()
            .skip(usize::try_from(sentence.start).unwrap())
            .take(usize::try_from(sentence.end - sentence.start).unwrap())
            .collect();
        assert_eq!(letters, sentence.text);
        assert!(!hold.words.is_empty() && !hold.suggestion.is_empty());
        assert!(
            hold.words
                .iter()
                .all(|word| sentence.start <= word.start && word.end <= sentence.end)
        );
        assert_eq!(format!("{hold:?}"), "Hold(..)");
    }

    #[test]
    fn what_passes_can_be_sealed_and_what_is_held_cannot() {
        let rules = Rules::for_tests();
        let attempt = attempt("met", Action::ScreenText);
        let text = Unread::new("note", "Two children, a dog. Prefers mornings.".to_owned());
        let screened = read(rules, &attempt, &text).ok().unwrap();
        assert_eq!(
            &*screened.bytes(),
            b"Two children, a dog. Prefers mornings."
        );
        assert_eq!(holds(rules, "She is an overstayer.").len(), 1);
    }

    #[test]
    fn a_reference_is_its_organisations_own_and_lasts_seven_days() {
        let rules = Rules::for_tests();
        let attempt = attempt("met", Action::ScreenText);
        let held = holds(rules, "Her visa expired.");
        let reference = held.first().unwrap().reference;
        let own = attempt.organisation();
        let at = |days| attempt.when.plus_days(days);
        assert!(rules.hold_of(own, reference, at(0)).is_some());
        assert!(rules.hold_of(own, reference, at(6)).is_some());
        assert!(rules.hold_of(own, reference, at(8)).is_none());
        let other = org("haven");
        assert!(rules.hold_of(&other, reference, at(0)).is_none());
    }
}
