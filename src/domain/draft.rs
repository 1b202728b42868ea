//! A referral that somebody has begun and keeps for later: what of it is kept, and for how long.
//!
//! As closed as the form that it is of: no field that the form has not, and no code that is none. What
//! a referral makes tokens of and wipes (the names of anybody but her) has no field here.

use borsh::{BorshDeserialize, BorshSerialize};
use zeroize::Zeroizing;

use super::attempt::Attempt;
use super::codes::{
    Article6, Competence, ConsentDecision, ConsentHow, DataClass, Grade, Instrument, Interpreter,
    Need, OffenceGroup, OtherPartyRisk, Parent, PartyRole, PriorityCategory, Relation,
    ReportedToPolice, WorkerGender, YesNoUnknown,
};
use super::firewall::hold::{Hold, Unread, read};
use super::id::{DraftId, OrgId, ServiceId};
use super::person::{ContactMode, CrimeRef, FieldError, LanguageTag, Name, Sex, looks_like_pnc};
use super::referral::UrgencyCode;
use super::rules::Rules;
use super::time::When;

/// It goes by itself so many days after it was last kept.
pub const DRAFT_DAYS: i64 = 7;
/// One person keeps so many at once.
pub const DRAFTS_MAX: usize = 5;
/// All that is in one.
pub const DRAFT_BYTES_MAX: usize = 12 * 1024;
/// Boxes ticked in one field.
const VALUES_MAX: usize = 24;
const NOTE_CHARS_MAX: usize = 1_000;
const LINE_CHARS_MAX: usize = 100;

/// The classes of the fields.
pub const DRAFT_CLASSES: [DataClass; 6] = [
    DataClass::Op,
    DataClass::Id,
    DataClass::Loc,
    DataClass::Ip,
    DataClass::Perp,
    DataClass::Ft,
];

/// What a field takes. A number that is half written down is kept as it is.
enum Takes {
    /// What this says yes to: a code, a name, a part of a date or a number.
    Only(fn(&str) -> bool),
    /// Words of up to so many characters, which the screen reads.
    Words(usize),
}

/// A field of the form.
pub struct Field {
    pub name: &'static str,
    class: DataClass,
    takes: Takes,
}

const fn only(class: DataClass, name: &'static str, takes: fn(&str) -> bool) -> Field {
    Field {
        name,
        class,
        takes: Takes::Only(takes),
    }
}

const fn words(class: DataClass, name: &'static str, max: usize) -> Field {
    Field {
        name,
        class,
        takes: Takes::Words(max),
    }
}

fn yes(text: &str) -> bool {
    text == "yes"
}

/// A part of a date.
fn digits(text: &str) -> bool {
    text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(text: &str) -> bool {
    let of_number = |byte: u8| byte.is_ascii_digit() || b" +()-".contains(&byte);
    text.len() <= 32 && text.bytes().all(of_number)
}

fn email(text: &str) -> bool {
    let of_address = |byte: u8| byte.is_ascii_alphanumeric() || b".@_-+%'".contains(&byte);
    text.len() <= 254 && text.bytes().all(of_address)
}

/// A GSS code, or how it begins.
fn district(text: &str) -> bool {
    let rest = text.strip_prefix(|first: char| first.is_ascii_alphabetic());
    rest.is_some_and(|rest| rest.len() <= 8 && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn name(text: &str) -> bool {
    Name::parse(text).is_ok()
}

fn yes_no(text: &str) -> bool {
    YesNoUnknown::parse(text).is_some()
}

fn language(text: &str) -> bool {
    LanguageTag::parse(text).is_ok()
}

use DataClass::{Ft, Id, Ip, Loc, Op, Perp};

/// Every field that is kept.
pub const FIELDS: &[Field] = &[
    only(Op, "offence_group", |text| {
        OffenceGroup::parse(text).is_some()
    }),
    only(Op, "party_role", |text| PartyRole::parse(text).is_some()),
    only(Op, "reported_to_police", |text| {
        ReportedToPolice::parse(text).is_some()
    }),
    only(Op, "reported_at-day", digits),
    only(Op, "reported_at-month", digits),
    only(Op, "reported_at-year", digits),
    only(Op, "area", district),
    only(Op, "area_other", district),
    only(Op, "risk_summary.instrument", |text| {
        Instrument::parse(text).is_some()
    }),
    only(Op, "risk_summary.grade", |text| {
        Grade::parse(text).is_some()
    }),
    only(Op, "risk_summary.assessed_at-day", digits),
    only(Op, "risk_summary.assessed_at-month", digits),
    only(Op, "risk_summary.assessed_at-year", digits),
    only(Op, "priority_category", |text| {
        PriorityCategory::parse(text).is_some()
    }),
    only(Op, "needs", |text| Need::parse(text).is_some()),
    only(Op, "urgency", |text| UrgencyCode::parse(text).is_some()),
    only(Op, "preferences.worker_gender", |text| {
        WorkerGender::parse(text).is_some()
    }),
    only(Op, "service", |text| ServiceId::parse(text).is_ok()),
    only(Op, "consent.decision", |text| {
        ConsentDecision::parse(text).is_some()
    }),
    only(Op, "consent.how", |text| ConsentHow::parse(text).is_some()),
    only(Op, "consent.other_party_present", yes_no),
    only(Op, "consent.interpreter", |text| {
        Interpreter::parse(text).is_some()
    }),
    only(Ip, "consent.language", language),
    only(Op, "consent.given_at-day", digits),
    only(Op, "consent.given_at-month", digits),
    only(Op, "consent.given_at-year", digits),
    only(Op, "consent.stop_future_offers", yes),
    only(Op, "consent.widely", yes),
    only(Op, "consent.competence", |text| {
        Competence::parse(text).is_some()
    }),
    only(Op, "consent.parent", |text| Parent::parse(text).is_some()),
    only(Op, "consent.parent_is_other_party", yes_no),
    only(Op, "legal_basis.art6", |text| {
        Article6::parse(text).is_some()
    }),
    only(Id, "identity.given_name", name),
    only(Id, "identity.family_name", name),
    only(Id, "identity.other_names", name),
    only(Id, "identity.birth_date-day", digits),
    only(Id, "identity.birth_date-month", digits),
    only(Id, "identity.birth_date-year", digits),
    only(Id, "identity.sex", |text| Sex::parse(text).is_ok()),
    only(Id, "identity.nhs_number", number),
    only(Id, "identity.crime_ref", |text| {
        CrimeRef::parse(text).is_ok()
    }),
    only(Loc, "safe_contact.modes", |text| {
        ContactMode::parse(text).is_ok()
    }),
    only(Loc, "safe_contact.number", number),
    only(Loc, "safe_contact.email", email),
    words(Loc, "safe_contact.hours", LINE_CHARS_MAX),
    words(Loc, "safe_contact.who_may_answer", LINE_CHARS_MAX),
    words(Loc, "safe_contact.code_word", LINE_CHARS_MAX),
    only(Loc, "safe_contact.voicemail", yes),
    only(Loc, "safe_contact.letters", yes),
    only(Ip, "safe_contact.language_need", language),
    only(Perp, "other_party.relation", |text| {
        Relation::parse(text).is_some()
    }),
    only(Perp, "other_party.shares_address", yes_no),
    only(Perp, "other_party.risks", |text| {
        OtherPartyRisk::parse(text).is_some()
    }),
    words(Ft, "note", NOTE_CHARS_MAX),
];

const NO_FIELD: FieldError = FieldError {
    field: "fields",
    message: "names something that a draft does not keep",
};
const NOTHING: FieldError = FieldError {
    field: "fields",
    message: "there is nothing to keep yet: fill something in first",
};
const TOO_LARGE: FieldError = FieldError {
    field: "fields",
    message: "is more than a draft keeps; shorten it",
};

/// A form as it was filled in so far, before the screen has read its words.
pub struct Filled {
    values: Vec<(&'static Field, Zeroizing<String>)>,
    words: Vec<(&'static Field, Unread)>,
}

impl Filled {
    /// # Errors
    /// All fields that are wrong: none of the form's, not what they take, or too much.
    pub fn parse(
        fields: impl IntoIterator<Item = (String, Vec<String>)>,
    ) -> Result<Self, Vec<FieldError>> {
        let (mut filled, mut errors) = (
            Self {
                values: Vec::new(),
                words: Vec::new(),
            },
            Vec::new(),
        );
        let mut bytes = 0_usize;
        for (name, values) in fields {
            let values: Vec<_> = values.into_iter().map(Zeroizing::new).collect();
            let Some(field) = FIELDS.iter().find(|field| field.name == name) else {
                errors.push(NO_FIELD);
                continue;
            };
            for value in &values {
                bytes = bytes.saturating_add(name.len()).saturating_add(value.len());
            }
            if values.len() > VALUES_MAX || bytes > DRAFT_BYTES_MAX {
                errors.push(TOO_LARGE);
                break;
            }
            for value in values.into_iter().filter(|value| !value.trim().is_empty()) {
                match filled.take(field, value) {
                    Ok(()) => {}
                    Err(error) => errors.push(error),
                }
            }
        }
        errors.dedup();
        if errors.is_empty() && filled.values.is_empty() && filled.words.is_empty() {
            errors.push(NOTHING);
        }
        if errors.is_empty() {
            Ok(filled)
        } else {
            Err(errors)
        }
    }

    fn take(&mut self, field: &'static Field, value: Zeroizing<String>) -> Result<(), FieldError> {
        let text = value.trim();
        let wrong = |message| FieldError {
            field: field.name,
            message,
        };
        match field.takes {
            Takes::Only(_) if looks_like_pnc(text) => {
                Err(wrong("PNC ID is an offender number; do not put one here"))
            }
            Takes::Only(takes) if takes(text) => {
                self.values.push((field, value));
                Ok(())
            }
            Takes::Only(_) => Err(wrong("put this right, or leave it out for now")),
            Takes::Words(max) if text.chars().count() > max => {
                Err(wrong("is too long; shorten it"))
            }
            Takes::Words(_) => {
                let words = Unread::new(field.name, text.to_owned());
                self.words.push((field, words));
                Ok(())
            }
        }
    }

    /// What is kept of the classes in `kept`, once the screen has read every word.
    ///
    /// # Errors
    /// What the screen holds: then nothing of the draft is kept.
    pub fn screened(
        &self,
        rules: &Rules,
        attempt: &Attempt,
        kept: &[DataClass],
    ) -> Result<KeptFields, Vec<Hold>> {
        let mut screened = KeptFields::default();
        let mut holds = Vec::new();
        for (field, words) in &self.words {
            match read(rules, attempt, words) {
                Ok(words) => screened.put(field, words.bytes()),
                Err(held) => holds.extend(held),
            }
        }
        if !holds.is_empty() {
            return Err(holds);
        }
        for (field, value) in &self.values {
            screened.put(field, Zeroizing::new(value.trim().as_bytes().to_vec()));
        }
        screened.0.retain(|one| kept.contains(&one.0));
        Ok(screened)
    }
}

/// What is kept, in which no word was held: class, field, and what it holds.
#[derive(Default)]
pub struct KeptFields(Vec<(DataClass, &'static str, Zeroizing<Vec<u8>>)>);

impl KeptFields {
    fn put(&mut self, field: &'static Field, value: Zeroizing<Vec<u8>>) {
        self.0.push((field.class, field.name, value));
    }

    /// One part of each class, encoded.
    pub fn parts(&self) -> impl Iterator<Item = (DataClass, Zeroizing<Vec<u8>>)> + '_ {
        DRAFT_CLASSES.into_iter().filter_map(|class| {
            let of_class = self.0.iter().filter(|one| one.0 == class);
            let pairs: Vec<(&str, &[u8])> = of_class.map(|one| (one.1, one.2.as_slice())).collect();
            if pairs.is_empty() {
                return None;
            }
            let mut bytes = Zeroizing::new(vec![VERSION]);
            // Writing to a Vec cannot fail; what broke off does not decode.
            let _ = pairs.serialize(&mut *bytes);
            Some((class, bytes))
        })
    }

    /// The fields that are kept.
    pub fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = self.0.iter().map(|one| one.1).collect();
        names.dedup();
        names
    }
}

const VERSION: u8 = 1;

/// Field and value, as a part that was opened holds them; nothing if another build wrote it.
pub fn decode(part: &[u8]) -> Vec<(String, Zeroizing<String>)> {
    let Some((&VERSION, rest)) = part.split_first() else {
        return Vec::new();
    };
    let pairs = Vec::<(String, String)>::try_from_slice(rest).unwrap_or_default();
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| (name, Zeroizing::new(value)))
        .collect()
}

/// That a draft is kept, and whose it is. Nothing of what is in it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Draft {
    pub id: DraftId,
    pub organisation: OrgId,
    pub user: String,
    pub begun_at: When,
    pub until: When,
}

impl Draft {
    /// Hers alone: nobody else of her organisation opens it.
    pub fn is_of(&self, attempt: &Attempt) -> bool {
        self.organisation == *attempt.organisation()
            && self.user == attempt.user.as_str()
            && attempt.when < self.until
    }
}

/// A draft as the one who keeps it sees it, under her organisation's name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenDraft {
    pub id: DraftId,
    pub begun_at: When,
    pub until: When,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(pairs: &[(&str, &str)]) -> Result<Filled, Vec<FieldError>> {
        let pairs = pairs.iter();
        Filled::parse(pairs.map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])))
    }

    #[test]
    fn there_is_no_field_for_status_and_no_code_that_is_none() {
        for (name, value) in [
            ("nationality", "x"),
            ("visa", "x"),
            ("other_party.given_name", "Tom"),
            ("child_of.given_name", "Tom"),
            ("address_line", "1 High Street"),
            ("offence_group", "overstayed_her_visa"),
            ("needs", "nrpf"),
            ("identity.nhs_number", "her visa ended"),
            ("reported_at-day", "visa"),
            ("identity.crime_ref", "2012/0052494Q"),
        ] {
            assert!(filled(&[(name, value)]).is_err(), "{name} {value}");
        }
    }

    #[test]
    fn a_form_that_is_half_filled_in_is_taken_as_it_is() {
        for (name, value) in [
            ("offence_group", "domestic_abuse"),
            ("identity.given_name", "Zoë-Mae"),
            ("identity.nhs_number", "999 12"),
            ("safe_contact.number", "07700"),
            ("reported_at-day", "31"),
            ("note", "Two children."),
        ] {
            assert!(filled(&[(name, value)]).is_ok(), "{name} {value}");
        }
    }

    #[test]
    fn a_draft_has_a_size() {
        let many = |values: usize| {
            let values = vec!["emotional".to_owned(); values];
            Filled::parse([("needs".to_owned(), values)])
        };
        assert!(many(VALUES_MAX).is_ok());
        assert!(many(VALUES_MAX + 1).is_err());
        assert!(filled(&[("note", &"x".repeat(NOTE_CHARS_MAX + 1))]).is_err());
        assert!(filled(&[("note", &" ".repeat(DRAFT_BYTES_MAX))]).is_err());
    }
}
