//! How, when and by whom it is safe to get in touch with her.
//!
//! A referral can kill when the wrong person answers, so this is structured and mandatory, silence
//! means no (no voicemail, no text, no letter), and what nobody checked says so. It is sealed like
//! the whereabouts and released with them, never to police or tainted teams.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::codec::{self, BadEncoding, Version};
use super::contact::{Email, Phone};
use super::field::{BadField, FieldError, FieldReader};
use super::language::LanguageTag;
use super::line::Line;
use crate::domain::firewall::hold::{ScreenedText, Written};
use crate::domain::time::When;

pub const HOURS_CHARS_MAX: usize = 100;
pub const WHO_MAY_ANSWER_CHARS_MAX: usize = 100;
pub const CODE_WORD_CHARS_MAX: usize = 40;
/// Clocks differ; a check said to be later than this is an error.
pub const CHECKED_AHEAD_MILLIS_MAX: i64 = 5 * 60_000;

/// A way of getting in touch that is safe.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum ContactMode {
    Phone = 1,
    Text = 2,
    Email = 3,
    Letter = 4,
    /// Through the worker who referred her.
    ViaWorker = 5,
    InPerson = 6,
}

impl ContactMode {
    pub const ALL: [Self; 6] = [
        Self::Phone,
        Self::Text,
        Self::Email,
        Self::Letter,
        Self::ViaWorker,
        Self::InPerson,
    ];

    /// The code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Text => "text",
            Self::Email => "email",
            Self::Letter => "letter",
            Self::ViaWorker => "via_worker",
            Self::InPerson => "in_person",
        }
    }

    /// # Errors
    /// Any text that is not a code of the list.
    pub fn parse(text: &str) -> Result<Self, BadField> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.code() == text)
            .ok_or(BadField(
                "must be phone, text, email, letter, via_worker or in_person",
            ))
    }
}

/// What a partner sent, before anything is checked. Blank is absent; a flag left out is "no".
#[derive(Default, ZeroizeOnDrop)]
pub struct RawSafeContact {
    pub modes: Vec<String>,
    pub number: Option<String>,
    pub email: Option<String>,
    pub hours: Option<String>,
    pub who_may_answer: Option<String>,
    pub code_word: Option<String>,
    pub voicemail: bool,
    pub text: bool,
    pub letters: bool,
    pub language_need: Option<String>,
    /// RFC 3339.
    pub last_checked_at: Option<String>,
    /// She was asked whether this is safe. False for what comes from FHIR `telecom`.
    pub checked: bool,
}

/// How to reach her without harm.
#[derive(BorshSerialize, BorshDeserialize)]
pub struct SafeContact {
    version: Version<1>,
    modes: Vec<ContactMode>,
    number: Option<Phone>,
    email: Option<Email>,
    hours: Option<Line<HOURS_CHARS_MAX>>,
    who_may_answer: Option<Line<WHO_MAY_ANSWER_CHARS_MAX>>,
    code_word: Option<Line<CODE_WORD_CHARS_MAX>>,
    voicemail: bool,
    text: bool,
    letters: bool,
    language_need: Option<LanguageTag>,
    last_checked_at: Option<When>,
    checked: bool,
}

// Every field that holds anything wipes itself.
impl ZeroizeOnDrop for SafeContact {}

impl SafeContact {
    /// # Errors
    /// All fields that are wrong, each with what to do: also a way without its number, a number
    /// without a way (someone would call it), and a way that a flag forbids.
    pub fn parse(raw: RawSafeContact, now: When) -> Result<Self, Vec<FieldError>> {
        let mut read = FieldReader::default();
        let latest = now.plus_millis(CHECKED_AHEAD_MILLIS_MAX);
        let mut modes = read.many(
            "modes",
            &raw.modes,
            ContactMode::ALL.len(),
            ContactMode::parse,
        );
        modes.sort_unstable();
        modes.dedup();
        let contact = Self {
            version: Version,
            modes,
            number: read.one("number", raw.number.as_ref(), Phone::parse),
            email: read.one("email", raw.email.as_ref(), Email::parse),
            hours: read.one("hours", raw.hours.as_ref(), Line::parse),
            who_may_answer: read.one("who_may_answer", raw.who_may_answer.as_ref(), Line::parse),
            code_word: read.one("code_word", raw.code_word.as_ref(), Line::parse),
            voicemail: raw.voicemail,
            text: raw.text,
            letters: raw.letters,
            language_need: read.one(
                "language_need",
                raw.language_need.as_ref(),
                LanguageTag::parse,
            ),
            last_checked_at: read.one("last_checked_at", raw.last_checked_at.as_ref(), |text| {
                When::parse(text)
                    .filter(|at| *at <= latest)
                    .ok_or(BadField("must be a past time such as 2026-11-20T14:30:00Z"))
            }),
            checked: raw.checked,
        };
        // Contradictions are only worth telling once each field can be read.
        if read.is_clean() {
            for (field, message) in contact.contradictions() {
                read.refuse(field, message);
            }
        }
        read.finish(contact)
    }

    fn contradictions(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let has = |mode| self.modes.contains(&mode);
        let by_number = has(ContactMode::Phone) || has(ContactMode::Text);
        let by_email = has(ContactMode::Email);
        [
            (
                self.modes.is_empty(),
                "modes",
                "say at least one safe way to get in touch; via_worker is one",
            ),
            (
                by_number && self.number.is_none(),
                "number",
                "give the number to phone or text, or choose another way",
            ),
            (
                !by_number && self.number.is_some(),
                "number",
                "leave the number out, or say whether phone or text is safe",
            ),
            (
                by_email && self.email.is_none(),
                "email",
                "give the address to write to, or choose another way",
            ),
            (
                !by_email && self.email.is_some(),
                "email",
                "leave the address out, or say that email is safe",
            ),
            (
                has(ContactMode::Text) && !self.text,
                "text",
                "text is named as a safe way but not allowed; ask her which is right",
            ),
            (
                has(ContactMode::Letter) && !self.letters,
                "letters",
                "letter is named as a safe way but not allowed; ask her which is right",
            ),
            (
                !self.checked && self.last_checked_at.is_some(),
                "last_checked_at",
                "leave it out if nobody has checked that this is safe",
            ),
        ]
        .into_iter()
        .filter_map(|(wrong, field, message)| wrong.then_some((field, message)))
    }

    pub fn modes(&self) -> &[ContactMode] {
        &self.modes
    }

    pub fn number(&self) -> Option<&Phone> {
        self.number.as_ref()
    }

    pub fn email(&self) -> Option<&Email> {
        self.email.as_ref()
    }

    pub fn hours(&self) -> Option<&str> {
        self.hours.as_ref().map(Line::as_str)
    }

    pub fn who_may_answer(&self) -> Option<&str> {
        self.who_may_answer.as_ref().map(Line::as_str)
    }

    pub fn code_word(&self) -> Option<&str> {
        self.code_word.as_ref().map(Line::as_str)
    }

    /// A message may be left.
    pub fn voicemail(&self) -> bool {
        self.voicemail
    }

    pub fn text(&self) -> bool {
        self.text
    }

    pub fn letters(&self) -> bool {
        self.letters
    }

    pub fn language_need(&self) -> Option<&LanguageTag> {
        self.language_need.as_ref()
    }

    /// Takes the language out, to be sealed apart under its own data class.
    pub fn take_language_need(&mut self) -> Option<LanguageTag> {
        self.language_need.take()
    }

    pub fn last_checked_at(&self) -> Option<When> {
        self.last_checked_at
    }

    /// False: show it as "not checked".
    pub fn checked(&self) -> bool {
        self.checked
    }

    /// # Errors
    /// Bytes that [`SafeContact::encode`] of this or an earlier version did not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadEncoding> {
        codec::decode(bytes)
    }
}

impl Written for SafeContact {
    fn free_texts(&self) -> Vec<(&'static str, &str)> {
        let Self {
            version: _,
            modes: _,
            number: _,
            email: _,
            hours,
            who_may_answer,
            code_word,
            voicemail: _,
            text: _,
            letters: _,
            language_need: _,
            last_checked_at: _,
            checked: _,
        } = self;
        [
            ("safe_contact.hours", hours.as_ref().map(Line::as_str)),
            (
                "safe_contact.who_may_answer",
                who_may_answer.as_ref().map(Line::as_str),
            ),
            (
                "safe_contact.code_word",
                code_word.as_ref().map(Line::as_str),
            ),
        ]
        .into_iter()
        .filter_map(|(field, text)| text.map(|text| (field, text)))
        .collect()
    }
}

impl ScreenedText<&SafeContact> {
    /// Plain bytes, for the sealing call only.
    ///
    /// # Errors
    /// Never in practice: the limits of each field keep it far below what borsh can count.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, BadEncoding> {
        codec::encode(*self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> When {
        When::parse("2026-11-20T14:30:00Z").unwrap()
    }

    fn whole() -> RawSafeContact {
        let mut raw = RawSafeContact::default();
        raw.modes = vec!["text".to_owned(), "phone".to_owned(), "text".to_owned()];
        raw.number = Some("07700 900123".to_owned());
        raw.hours = Some("weekdays 9.30 to 14.30".to_owned());
        raw.who_may_answer = Some("only her; hang up on anyone else".to_owned());
        raw.code_word = Some("the library".to_owned());
        raw.text = true;
        raw.language_need = Some("pa-Arab".to_owned());
        raw.last_checked_at = Some("2026-11-20T14:00:00Z".to_owned());
        raw.checked = true;
        raw
    }

    fn errors(raw: RawSafeContact) -> Vec<&'static str> {
        let errors = SafeContact::parse(raw, now()).err().unwrap_or_default();
        errors.iter().map(|error| error.field).collect()
    }

    #[test]
    fn it_is_parsed_and_survives_its_encoding() {
        let contact = SafeContact::parse(whole(), now()).ok().unwrap();
        let mut contact = SafeContact::decode(&codec::encode(&contact).unwrap())
            .ok()
            .unwrap();
        assert_eq!(contact.modes(), [ContactMode::Phone, ContactMode::Text]);
        assert_eq!(contact.number().unwrap().as_str(), "+447700900123");
        assert_eq!(contact.hours(), Some("weekdays 9.30 to 14.30"));
        assert_eq!(contact.code_word(), Some("the library"));
        assert!(contact.text() && contact.checked());
        assert!(!contact.voicemail() && !contact.letters());
        assert_eq!(contact.free_texts().len(), 3);
        assert_eq!(contact.take_language_need().unwrap().as_str(), "pa-arab");
        assert!(contact.language_need().is_none());
        assert!(contact.last_checked_at() < Some(now()));
    }

    #[test]
    fn silence_means_no() {
        let mut raw = RawSafeContact::default();
        raw.modes = vec!["via_worker".to_owned()];
        let contact = SafeContact::parse(raw, now()).ok().unwrap();
        assert!(!contact.voicemail() && !contact.text() && !contact.letters());
        assert!(!contact.checked());
    }

    #[test]
    fn a_contradiction_is_put_to_the_sender() {
        assert_eq!(errors(RawSafeContact::default()), ["modes"]);
        let mut raw = whole();
        raw.number = None;
        assert_eq!(errors(raw), ["number"]);
        let mut raw = whole();
        raw.modes = vec!["letter".to_owned()];
        assert_eq!(errors(raw), ["number", "letters"]);
        let mut raw = whole();
        raw.text = false;
        raw.email = Some("a@example.org".to_owned());
        assert_eq!(errors(raw), ["email", "text"]);
        let mut raw = whole();
        raw.checked = false;
        assert_eq!(errors(raw), ["last_checked_at"]);
    }

    #[test]
    fn a_field_that_cannot_be_read_is_named() {
        let mut raw = whole();
        raw.modes = vec!["pigeon".to_owned()];
        raw.number = Some("020 7946 0018 ext 4".to_owned());
        raw.hours = Some("x".repeat(101));
        raw.who_may_answer = Some("2012/0052494Q".to_owned());
        raw.language_need = Some("urdu!".to_owned());
        raw.last_checked_at = Some("2026-11-20T15:00:00Z".to_owned());
        assert_eq!(
            errors(raw),
            [
                "modes",
                "number",
                "hours",
                "who_may_answer",
                "language_need",
                "last_checked_at"
            ]
        );
    }

    #[test]
    fn every_mode_reads_back() {
        for mode in ContactMode::ALL {
            assert_eq!(ContactMode::parse(mode.code()), Ok(mode));
        }
    }

    #[test]
    fn it_is_wiped_when_dropped() {
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<RawSafeContact>();
        wiped::<SafeContact>();
        wiped::<LanguageTag>();
    }

    proptest! {
        #[test]
        fn reading_never_panics(text: String, bytes: Vec<u8>) {
            let mut raw = whole();
            raw.hours = Some(text.clone());
            raw.last_checked_at = Some(text);
            let _ = SafeContact::parse(raw, now());
            let _ = SafeContact::decode(&bytes);
        }
    }
}
