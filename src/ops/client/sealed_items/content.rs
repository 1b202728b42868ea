//! What lies in a sealed item: each piece by its code, and her consent to each of them. Both clients
//! check it by the same rules (`domain.md` 3.9, 4.3).

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::super::ClientFault;
use super::super::input::given;
use super::SealFault;
use crate::domain::consent::CONSENT_DAYS_MAX;
use crate::domain::custody::BOX_OVER_BYTES;
use crate::domain::sealed_item::{BOX_BYTES, Commitment};
use crate::domain::time::When;

/// Her consent ends after this long unless it says less or more.
pub const CONSENT_DAYS: i64 = 90;
/// The longest piece, in characters.
pub const TEXT_CHARS_MAX: usize = 4_000;
/// By how much two computers' clocks may differ.
const CLOCKS_MS: i64 = 300_000;

/// Salt and length stand before the content.
const HEAD_BYTES: usize = 32 + 4;

/// What a piece is. Nothing else is sealed: what is not asked for here is not needed to advise her.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemCode {
    VisaType,
    LeaveEnds,
    DateOfEntry,
    PreviousApplications,
    MvdacNeeded,
    NoRecourseToPublicFunds,
    AsylumClaim,
    NrmReference,
    HomeOfficeReference,
    Nationality,
    CountryOfBirth,
    DocumentsHeld,
    Children,
}

impl ItemCode {
    const fn code(self) -> &'static str {
        match self {
            Self::VisaType => "visa_type",
            Self::LeaveEnds => "leave_ends",
            Self::DateOfEntry => "date_of_entry",
            Self::PreviousApplications => "previous_applications",
            Self::MvdacNeeded => "mvdac_needed",
            Self::NoRecourseToPublicFunds => "no_recourse_to_public_funds",
            Self::AsylumClaim => "asylum_claim",
            Self::NrmReference => "nrm_reference",
            Self::HomeOfficeReference => "home_office_reference",
            Self::Nationality => "nationality",
            Self::CountryOfBirth => "country_of_birth",
            Self::DocumentsHeld => "documents_held",
            Self::Children => "children",
        }
    }
}

/// What was said: never printed, wiped when dropped.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Words(String);

/// One piece.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    pub code: ItemCode,
    pub text: Words,
}

macro_rules! said {
    ($(#[$doc:meta])* $name:ident { $($(#[$word:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$word])* $variant),+ }
    };
}

said!(Decision { Permit, Deny });
said!(Strength { Explicit, Implied });
said!(
    /// The one purpose for which this is taken down at all.
    Purpose { ImmigrationLegalAdvice }
);
said!(GivenBy {
    #[serde(rename = "self")]
    Herself,
    ParentGuardian,
    LpaDeputy
});
said!(
    /// Who she is in law: an adult, a child who understands what she agrees to (Gillick), a child.
    Competence { Adult, AdultWithoutCapacity, GillickCompetent, Child }
);
said!(How {
    Spoken,
    Written,
    Bsl,
    Digital
});
said!(Interpreter {
    None,
    Professional,
    Family
});
said!(Answer { Yes, No, Unknown });
said!(InTheRoom {
    Worker,
    OtherProfessional,
    ProfessionalInterpreter,
    Friend,
    Relative,
    Child
});

/// Her consent to each piece.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    pub decision: Decision,
    pub strength: Strength,
    pub purpose: Purpose,
    /// The adviser that she agreed to.
    pub to: String,
    /// The pieces that she agreed to, each ticked with her.
    pub items: Vec<ItemCode>,
    pub given_by: GivenBy,
    pub competence: Competence,
    /// Where a parent agrees for a child: is the parent the other party?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_is_other_party: Option<Answer>,
    pub how: How,
    pub language: String,
    pub interpreter: Interpreter,
    pub other_party_present: Answer,
    pub in_the_room: Vec<InTheRoom>,
    /// She was told that no copy goes onward.
    pub no_copies_onward: bool,
    /// RFC 3339.
    pub given_at: String,
    /// RFC 3339; 90 days after it was given if absent, twelve months at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// The file that a worker writes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The adviser's organisation.
    pub to: String,
    /// The service's own reference of her, or else who she is: for the gateway, so that she can stop it
    /// anywhere. It is not sealed.
    pub person: Option<String>,
    pub identity: Option<serde_json::Value>,
    pub items: Vec<Item>,
    pub consent: Consent,
}

/// What is in the box.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    version: u8,
    pub from: String,
    pub to: String,
    pub sealed_at: String,
    pub items: Vec<Item>,
    pub consent: Consent,
}

/// One reason why an item may not be sealed or used. Names codes and fields, never what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    NoConsentTo(ItemCode),
    Twice(ItemCode),
    Length(ItemCode),
    Rule(&'static str),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConsentTo(code) => {
                write!(f, "her consent does not name the item {}", code.code())
            }
            Self::Twice(code) => write!(f, "the item {} is there twice", code.code()),
            Self::Length(code) => write!(
                f,
                "the item {} needs 1 to {TEXT_CHARS_MAX} characters",
                code.code()
            ),
            Self::Rule(says) => f.write_str(says),
        }
    }
}

/// Reads the worker's file: JSON, or else TOML. An error names no value.
///
/// # Errors
/// [`ClientFault`] if it cannot be read, [`SealFault::Form`] if it is in another form.
pub fn read(file: &str) -> Result<Form, ClientFault> {
    let bytes = Zeroizing::new(given(file)?);
    let form = || SealFault::Form(file.to_owned());
    let text = std::str::from_utf8(&bytes).map_err(|_| form())?;
    if text.trim_start().starts_with('{') {
        let read = serde_json::from_str(text);
        return read
            .map_err(|error| SealFault::Form(format!("{file}, line {},", error.line())).into());
    }
    let read = toml::from_str(text);
    read.map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.lines().count().max(1));
        SealFault::Form(format!("{file}, line {line},")).into()
    })
}

impl Content {
    /// What the worker wrote, with what follows from it.
    pub fn of(form: Form, from: &str, now: When) -> Self {
        let Form {
            to,
            person: _,
            identity: _,
            items,
            mut consent,
        } = form;
        let given_at = When::parse(&consent.given_at);
        consent.until = consent
            .until
            .or(given_at.map(|at| at.plus_days(CONSENT_DAYS).rfc3339()));
        Self {
            version: 1,
            from: from.to_owned(),
            to,
            sealed_at: now.rfc3339(),
            items,
            consent,
        }
    }

    /// Everything that is wrong with it; nothing if it may be sealed by `from` and used by `to`.
    pub fn unfit(&self, from: &str, to: &str, now: When) -> Vec<Unfit> {
        let mut unfit = Vec::new();
        let mut rule = |holds: bool, says: &'static str| {
            if !holds {
                unfit.push(Unfit::Rule(says));
            }
        };
        let consent = &self.consent;
        rule(
            consent.decision == Decision::Permit && consent.strength == Strength::Explicit,
            "she must have agreed explicitly: decision permit, strength explicit",
        );
        rule(
            self.from == from && self.to == to && consent.to == to,
            "her consent and the item must name the same adviser, and the service that seals it",
        );
        rule(
            consent.other_party_present == Answer::No,
            "the other party was present, or that is not known: ask her again, alone",
        );
        rule(
            consent.interpreter != Interpreter::Family,
            "a relative interpreted: ask her again with a professional interpreter",
        );
        let may_agree = match (consent.competence, consent.given_by) {
            (Competence::Adult | Competence::GillickCompetent, GivenBy::Herself) => true,
            (Competence::AdultWithoutCapacity, GivenBy::LpaDeputy) => true,
            (Competence::Child, GivenBy::ParentGuardian) => {
                consent.parent_is_other_party == Some(Answer::No)
            }
            (
                Competence::Adult
                | Competence::AdultWithoutCapacity
                | Competence::GillickCompetent
                | Competence::Child,
                GivenBy::Herself | GivenBy::ParentGuardian | GivenBy::LpaDeputy,
            ) => false,
        };
        rule(
            may_agree,
            "an adult or a Gillick-competent child agrees herself; for a child a parent who is not \
             the other party; for an adult without capacity her deputy",
        );
        rule(
            !consent.in_the_room.is_empty() && !consent.language.trim().is_empty(),
            "say who was in the room, and in which language she agreed",
        );
        rule(
            consent.no_copies_onward,
            "tell her that no copy goes onward, and say so: no_copies_onward",
        );
        let given_at = When::parse(&consent.given_at);
        let until = consent.until.as_deref().and_then(When::parse);
        rule(
            given_at.is_some_and(|at| at.millis() <= now.millis() + CLOCKS_MS),
            "given_at is a date with a time that is not in the future",
        );
        let in_bounds = given_at.zip(until).is_some_and(|(given_at, until)| {
            given_at < until && until <= given_at.plus_days(CONSENT_DAYS_MAX)
        });
        rule(in_bounds, "her consent lasts twelve months at most: until");
        rule(
            until.is_some_and(|until| now < until),
            "her consent has ended: ask her again",
        );
        rule(!self.items.is_empty(), "there is no item");
        for (place, item) in self.items.iter().enumerate() {
            let code = item.code;
            if !consent.items.contains(&code) {
                unfit.push(Unfit::NoConsentTo(code));
            }
            if self.items.iter().take(place).any(|one| one.code == code) {
                unfit.push(Unfit::Twice(code));
            }
            let chars = item.text.0.chars().count();
            if item.text.0.trim().is_empty() || chars > TEXT_CHARS_MAX {
                unfit.push(Unfit::Length(code));
            }
        }
        unfit
    }

    /// The content under a salt, filled up to the next size of box, and its commitment.
    ///
    /// # Errors
    /// [`SealFault::TooMuch`].
    pub fn to_plain(&self, salt: &[u8; 32]) -> Result<(Zeroizing<Vec<u8>>, Commitment), SealFault> {
        let content = serde_json::to_vec(self).map_err(|_| SealFault::TooMuch)?;
        let content = Zeroizing::new(content);
        let needed = HEAD_BYTES + content.len() + BOX_OVER_BYTES;
        let mut sizes = BOX_BYTES.iter();
        let size = sizes
            .find(|size| needed <= **size)
            .ok_or(SealFault::TooMuch)?;
        let length = u32::try_from(content.len()).map_err(|_| SealFault::TooMuch)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(*size));
        plain.extend_from_slice(salt);
        plain.extend_from_slice(&length.to_be_bytes());
        plain.extend_from_slice(&content);
        plain.resize(size - BOX_OVER_BYTES, 0);
        Ok((plain, Commitment::of(salt, &content)))
    }

    /// What was in the box; `None` if it is not what was committed to, or in another form.
    pub fn from_plain(plain: &[u8], commitment: Commitment) -> Option<Self> {
        let (salt, rest) = plain.split_first_chunk::<32>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (content, filling) = rest.split_at_checked(length)?;
        let whole = filling.iter().all(|byte| *byte == 0);
        let kept = whole && Commitment::of(salt, content) == commitment;
        let content: Self = serde_json::from_slice(content).ok().filter(|_| kept)?;
        (content.version == 1).then_some(content)
    }

    /// As the adviser's file holds it.
    ///
    /// # Errors
    /// [`ClientFault::Reply`].
    pub fn to_page(&self) -> Result<Zeroizing<Vec<u8>>, ClientFault> {
        let page = serde_json::to_vec_pretty(self).map_err(|_| ClientFault::Reply)?;
        Ok(Zeroizing::new(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn now() -> When {
        When::parse("2026-11-22T10:00:00Z").unwrap()
    }

    fn form() -> Value {
        json!({
            "to": "quay",
            "items": [
                { "code": "visa_type", "text": "as his partner" },
                { "code": "leave_ends", "text": "in March" },
            ],
            "consent": {
                "decision": "permit", "strength": "explicit",
                "purpose": "immigration_legal_advice", "to": "quay",
                "items": ["visa_type", "leave_ends"],
                "given_by": "self", "competence": "adult", "how": "spoken", "language": "en",
                "interpreter": "none", "other_party_present": "no", "in_the_room": ["worker"],
                "no_copies_onward": true, "given_at": "2026-11-20T10:00:00Z",
            },
        })
    }

    fn content(form: Value) -> Content {
        Content::of(serde_json::from_value(form).unwrap(), "lantern", now())
    }

    fn said(content: &Content, at: When) -> String {
        let unfit = content.unfit("lantern", "quay", at);
        let said: Vec<String> = unfit.iter().map(ToString::to_string).collect();
        said.join("; ")
    }

    fn with(changes: Value) -> String {
        let mut form = form();
        for (key, to) in changes.as_object().unwrap() {
            form["consent"][key] = to.clone();
        }
        said(&content(form), now())
    }

    #[test]
    fn what_she_agreed_to_explicitly_is_fit() {
        let content = content(form());
        assert_eq!(said(&content, now()), "");
        // Ninety days, if it says nothing else.
        let until = When::parse("2027-02-18T10:00:00Z").unwrap();
        let told = content.consent.until.as_deref().and_then(When::parse);
        assert_eq!(told, Some(until));
        assert!(said(&content, until).contains("has ended"));
    }

    #[test]
    fn an_item_that_her_consent_does_not_name_is_named() {
        assert_eq!(
            with(json!({ "items": ["leave_ends"] })),
            "her consent does not name the item visa_type"
        );
    }

    #[test]
    fn consent_that_is_not_hers_alone_is_none() {
        for (change, says) in [
            (json!({ "decision": "deny" }), "agreed explicitly"),
            (json!({ "strength": "implied" }), "agreed explicitly"),
            (
                json!({ "other_party_present": "yes" }),
                "other party was present",
            ),
            (
                json!({ "other_party_present": "unknown" }),
                "other party was present",
            ),
            (json!({ "interpreter": "family" }), "relative interpreted"),
            (json!({ "to": "harbour" }), "same adviser"),
            (json!({ "no_copies_onward": false }), "no copy goes onward"),
            (json!({ "in_the_room": [] }), "who was in the room"),
            (
                json!({ "given_at": "2026-11-23T10:00:00Z" }),
                "not in the future",
            ),
            (json!({ "until": "2028-01-01T00:00:00Z" }), "twelve months"),
            (json!({ "until": "2026-11-21T00:00:00Z" }), "has ended"),
        ] {
            let told = with(change.clone());
            assert!(told.contains(says), "{change}: {told}");
        }
        assert_eq!(with(json!({ "interpreter": "professional" })), "");
        assert_eq!(with(json!({ "until": "2027-11-20T10:00:00Z" })), "");
    }

    #[test]
    fn who_may_agree_depends_on_who_she_is() {
        let agrees = |competence: &str, by: &str, parent: Option<&str>| {
            with(json!({
                "competence": competence, "given_by": by, "parent_is_other_party": parent,
            }))
            .is_empty()
        };
        assert!(agrees("gillick_competent", "self", None));
        assert!(agrees("child", "parent_guardian", Some("no")));
        assert!(agrees("adult_without_capacity", "lpa_deputy", None));
        assert!(!agrees("child", "self", None));
        assert!(!agrees("child", "parent_guardian", None));
        assert!(!agrees("child", "parent_guardian", Some("yes")));
        assert!(!agrees("child", "parent_guardian", Some("unknown")));
        assert!(!agrees("adult", "parent_guardian", Some("no")));
        assert!(!agrees("adult", "lpa_deputy", None));
        assert!(!agrees("adult_without_capacity", "self", None));
    }

    #[test]
    fn a_piece_has_a_code_of_the_list_a_text_and_stands_once() {
        let mut twice = form();
        twice["items"][1] = json!({ "code": "visa_type", "text": " " });
        let told = said(&content(twice), now());
        assert!(told.contains("visa_type is there twice"), "{told}");
        assert!(told.contains("needs 1 to 4000"), "{told}");
        let mut unknown = form();
        unknown["items"][0]["code"] = json!("her_address");
        assert!(serde_json::from_value::<Form>(unknown).is_err());
        let mut empty = form();
        empty["items"] = json!([]);
        assert_eq!(said(&content(empty), now()), "there is no item");
    }

    #[test]
    fn a_box_is_filled_up_and_what_comes_out_is_what_was_committed_to() {
        let mut long = form();
        long["items"][0]["text"] = json!("é".repeat(4_000));
        for (form, size) in [(form(), 1_024), (long, 16_384)] {
            let content = content(form);
            let (plain, commitment) = content.to_plain(&[3; 32]).unwrap();
            assert_eq!(plain.len() + BOX_OVER_BYTES, size);
            let opened = Content::from_plain(&plain, commitment).unwrap();
            assert_eq!(*opened.to_page().unwrap(), *content.to_page().unwrap());
            assert!(Content::from_plain(&plain, Commitment([0; 32])).is_none());
            let mut changed = plain.clone();
            *changed.last_mut().unwrap() = 1;
            assert!(Content::from_plain(&changed, commitment).is_none());
            assert!(Content::from_plain(&plain[..20], commitment).is_none());
        }
    }

    #[test]
    fn the_adviser_refuses_what_a_careless_sender_sealed() {
        let mut careless = form();
        careless["consent"]["items"] = json!(["visa_type"]);
        let (plain, commitment) = content(careless).to_plain(&[3; 32]).unwrap();
        let opened = Content::from_plain(&plain, commitment).unwrap();
        assert_eq!(
            said(&opened, now()),
            "her consent does not name the item leave_ends"
        );
        // Nor does it take one that says it came from another service.
        assert!(!opened.unfit("harbour", "quay", now()).is_empty());
    }

    #[test]
    fn a_form_is_json_or_toml_and_an_error_repeats_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("item");
        let name = path.to_str().unwrap();
        let toml = toml::to_string(&form()).unwrap();
        for text in [form().to_string(), toml] {
            std::fs::write(&path, &text).unwrap();
            assert_eq!(read(name).ok().unwrap().items.len(), 2);
            let wrong = text.replace("spoken", "her visa expired");
            std::fs::write(&path, wrong).unwrap();
            let told = read(name).err().unwrap().to_string();
            assert!(
                told.contains("line") && !told.contains("visa expired"),
                "{told}"
            );
        }
    }
}
