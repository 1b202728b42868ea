//! The JSON that partners send. Unknown fields are refused; every limit is here; nothing prints.
//!
//! Parsing gives domain types or a list of fields with what to do; no error repeats a value.

pub mod assessment;
pub mod audit;
mod beside;
mod competence;
mod depth;
pub mod devices;
pub mod emergency;
pub mod governance;
mod key_text;
pub mod reports;
pub mod subject_access;
pub mod text;
pub mod transfer;
pub mod withdrawal;

use serde::Deserialize;
use utoipa::ToSchema;

pub use beside::{BesideIn, OtherPartyIn};
pub use text::Secret;
use text::{CODE_CHARS_MAX, FreeText, code_like, language, taken};

use crate::domain::attempt::Attempt;
use crate::domain::codes::{
    Article6, ConsentDecision, ConsentHow, ConsentStrength, DataClass, Direction, GivenBy, Grade,
    Instrument, Interpreter, Need, OffenceGroup, PartyRole, PriorityCategory, Purpose,
    ReportedToPolice, ServiceFamily, WorkerGender, YesNoUnknown,
};
use crate::domain::consent::{CONSENT_DAYS_MAX, Consent, Opens, Recipients};
use crate::domain::id::{ConsentId, Id, OrgId, ServiceId};
use crate::domain::person::{FieldError, RawFields, RawIdentifier, RawSafeContact};
use crate::domain::referral::{
    AgreedTiming, ConsentGiven, Draft, Epr, Ground, Operational, RiskSummary, UrgencyCode,
};
use crate::domain::time::When;

/// Free text of a note, in characters.
pub const NOTE_CHARS_MAX: usize = 1_000;
/// Words beside a code, in characters.
const ASIDE_CHARS_MAX: usize = 64;
const REASON_CHARS_MAX: usize = 500;
/// Codes in one list.
pub const LIST_MAX: usize = 32;

/// A victim's identity, inside TLS. At least a name.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct IdentityIn {
    pub given_name: Option<Secret>,
    pub family_name: Option<Secret>,
    #[serde(default)]
    pub other_names: Vec<Secret>,
    /// ISO 8601 date.
    pub birth_date: Option<Secret>,
    pub sex: Option<Secret>,
    pub nhs_number: Option<Secret>,
    #[serde(default)]
    pub phone: Vec<Secret>,
    #[serde(default)]
    pub email: Vec<Secret>,
    pub address_line: Option<Secret>,
    pub postcode: Option<Secret>,
    pub crime_ref: Option<Secret>,
}

impl IdentityIn {
    pub fn raw(self) -> RawIdentifier {
        let mut fields = RawFields::default();
        fields.given_name = taken(self.given_name);
        fields.family_name = taken(self.family_name);
        fields.other_names = self.other_names.into_iter().map(Secret::take).collect();
        fields.birth_date = taken(self.birth_date);
        fields.sex = taken(self.sex);
        fields.nhs_number = taken(self.nhs_number);
        fields.phone = self.phone.into_iter().map(Secret::take).collect();
        fields.email = self.email.into_iter().map(Secret::take).collect();
        fields.address_line = taken(self.address_line);
        fields.postcode = taken(self.postcode);
        fields.crime_ref = taken(self.crime_ref);
        RawIdentifier::new(fields)
    }
}

/// How it is safe to reach her.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SafeContactIn {
    #[serde(default)]
    pub modes: Vec<String>,
    pub number: Option<Secret>,
    pub email: Option<Secret>,
    pub hours: Option<FreeText>,
    pub who_may_answer: Option<FreeText>,
    pub code_word: Option<FreeText>,
    #[serde(default)]
    pub voicemail: bool,
    #[serde(default)]
    pub text: bool,
    #[serde(default)]
    pub letters: bool,
    pub language_need: Option<Secret>,
    pub last_checked_at: Option<String>,
}

impl SafeContactIn {
    pub fn raw(self) -> RawSafeContact {
        let mut raw = RawSafeContact::default();
        raw.modes = self.modes;
        raw.number = taken(self.number);
        raw.email = taken(self.email);
        raw.hours = self.hours.map(FreeText::take);
        raw.who_may_answer = self.who_may_answer.map(FreeText::take);
        raw.code_word = self.code_word.map(FreeText::take);
        raw.voicemail = self.voicemail;
        raw.text = self.text;
        raw.letters = self.letters;
        raw.language_need = taken(self.language_need);
        raw.last_checked_at = self.last_checked_at;
        raw.checked = true;
        raw
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RiskSummaryIn {
    pub instrument: String,
    pub grade: String,
    /// RFC 3339.
    pub assessed_at: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EprIn {
    #[serde(default)]
    pub set_by_person: bool,
    pub rule_version: String,
    /// A code of your own, without blanks.
    pub reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreedTimingIn {
    /// RFC 3339.
    pub by: String,
    /// It is not kept.
    pub agreed_with: FreeText,
}

#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct PreferencesIn {
    pub worker_gender: Option<String>,
}

/// Whom she allows to be told. Empty in a referral: the service referred to.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct RecipientsIn {
    #[serde(default)]
    pub organisations: Vec<String>,
    #[serde(default)]
    pub families: Vec<String>,
}

/// Consent as she gave it, or that she did not.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentIn {
    /// `permit` or `deny`.
    pub decision: String,
    /// `explicit` (the default) or `implied`.
    pub strength: Option<String>,
    /// `share`: what you recorded may be told to the recipients. `query`: you may be told what
    /// others hold.
    pub opens: Option<String>,
    #[serde(default)]
    pub recipients: RecipientsIn,
    #[serde(default)]
    pub classes: Vec<String>,
    #[serde(default)]
    pub purposes: Vec<String>,
    /// How far she allows earlier assessments to be shown, if that is among the purposes: `exists`,
    /// `cards` or `answers`, each with those before it. Left out with `deny`, which stops all of it.
    pub depth: Option<String>,
    pub given_by: Option<String>,
    /// `adult` (the default), `gillick_competent` or `parent_for_child`.
    pub competence: Option<String>,
    /// With `parent_for_child`: who spoke for the child.
    pub parent: Option<String>,
    /// With `parent_for_child`: whether the child is to be kept safe from that parent. Only `no` serves.
    pub parent_is_other_party: Option<String>,
    pub how: String,
    /// As `ur`; without a country.
    pub language: Option<String>,
    pub interpreter: Option<String>,
    pub other_party_present: String,
    /// The words that were read to her, by their name in `GET /v1/notices`; an earlier version if she was
    /// read that.
    pub notice_version: Option<String>,
    /// RFC 3339; now if absent.
    pub given_at: Option<String>,
    /// RFC 3339; 12 months from when it was given if absent.
    pub until: Option<String>,
    /// RFC 3339; when you go through it with her again. It comes up in `GET /v1/consents` then.
    pub review_at: Option<String>,
    /// With `deny`: she asks that future offers be stopped too.
    #[serde(default)]
    pub stop_future_offers: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LegalBasisIn {
    pub art6: String,
    /// It is not kept: keep your own record of why.
    pub reason: Option<FreeText>,
}

/// A referral. There is no field for immigration status, nationality or visa, and none is taken.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferralIn {
    pub service: String,
    pub direction: String,
    pub party_role: Option<String>,
    pub offence_group: String,
    pub reported_to_police: Option<String>,
    /// RFC 3339.
    pub reported_at: Option<String>,
    pub agreed_different_timing: Option<AgreedTimingIn>,
    #[serde(default)]
    pub priority_category: Vec<String>,
    /// `high`, `standard` (the default) or `low`.
    pub urgency: Option<String>,
    pub risk_summary: Option<RiskSummaryIn>,
    pub epr: Option<EprIn>,
    #[serde(default)]
    pub needs: Vec<String>,
    #[serde(default)]
    pub preferences: PreferencesIn,
    /// GSS code of the borough she lives in.
    pub area: Option<String>,
    pub identity: IdentityIn,
    pub safe_contact: Option<SafeContactIn>,
    pub other_party: Option<OtherPartyIn>,
    /// Of a child: the parent whose referral this is. What another parent says of the child is kept
    /// apart.
    pub child_of: Option<BesideIn>,
    pub note: Option<FreeText>,
    pub consent: Option<ConsentIn>,
    pub legal_basis: Option<LegalBasisIn>,
    /// Your own name for this referral, 1 to 64 characters without blanks.
    pub your_reference: Option<String>,
}

/// Collects what is wrong, so that the caller learns all of it at once.
#[derive(Default)]
pub struct Wrong(Vec<FieldError>);

impl Wrong {
    pub fn add(&mut self, field: &'static str, message: &'static str) {
        self.0.push(FieldError { field, message });
    }

    fn code<T>(
        &mut self,
        field: &'static str,
        text: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let parsed = parse(text);
        if parsed.is_none() {
            self.add(
                field,
                "this is not a code we know; GET /v1/codes lists them",
            );
        }
        parsed
    }

    fn codes<T>(
        &mut self,
        field: &'static str,
        texts: &[String],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        if texts.len() > LIST_MAX {
            self.add(field, "at most 32");
            return Vec::new();
        }
        texts
            .iter()
            .filter_map(|text| self.code(field, text, &parse))
            .collect()
    }

    fn maybe<T>(
        &mut self,
        field: &'static str,
        text: Option<&String>,
        default: T,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        match text {
            None => default,
            Some(text) => self.code(field, text, parse).unwrap_or(default),
        }
    }

    fn when(&mut self, field: &'static str, text: Option<&String>) -> Option<When> {
        let text = text?;
        let parsed = When::parse(text);
        if parsed.is_none() {
            self.add(
                field,
                "give date, time and offset, as 2026-04-02T21:10:00+01:00",
            );
        }
        parsed
    }

    pub fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self.0)
        }
    }
}

/// A GSS code: a letter and eight digits.
fn area(wrong: &mut Wrong, text: Option<String>) -> Option<String> {
    let text = text?;
    let well = text.len() == 9
        && text.bytes().take(1).all(|byte| byte.is_ascii_uppercase())
        && text.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    if !well {
        wrong.add(
            "area",
            "give the borough's GSS code, as E09000022, or leave it out",
        );
        return None;
    }
    Some(text)
}

impl ConsentIn {
    /// The consent as stated; the id and who recorded it come later.
    pub fn parse(
        &self,
        attempt_org: &OrgId,
        now: When,
        default_classes: &[DataClass],
        default_purposes: &[Purpose],
    ) -> Result<ConsentGiven, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let decision = wrong.maybe(
            "consent.decision",
            Some(&self.decision),
            ConsentDecision::Deny,
            ConsentDecision::parse,
        );
        let strength = wrong.maybe(
            "consent.strength",
            self.strength.as_ref(),
            ConsentStrength::Explicit,
            ConsentStrength::parse,
        );
        let opens =
            wrong.maybe(
                "consent.opens",
                self.opens.as_ref(),
                Opens::Share,
                |code| match code {
                    "share" => Some(Opens::Share),
                    "query" => Some(Opens::Query),
                    _ => None,
                },
            );
        let mut classes = wrong.codes("consent.classes", &self.classes, DataClass::parse);
        if classes.iter().any(|class| class.no_consent_opens()) {
            wrong.add(
                "consent.classes",
                "no consent opens this class; leave it out",
            );
        }
        if classes.is_empty() {
            classes = default_classes.to_vec();
        }
        let mut purposes = wrong.codes("consent.purposes", &self.purposes, Purpose::parse);
        if purposes.is_empty() {
            purposes = default_purposes.to_vec();
        }
        let depth = self.depth(&mut wrong, decision, &purposes);
        let organisations = wrong.codes(
            "consent.recipients.organisations",
            &self.recipients.organisations,
            |text| OrgId::parse(text).ok(),
        );
        let families = wrong.codes(
            "consent.recipients.families",
            &self.recipients.families,
            ServiceFamily::parse,
        );
        let given_at = wrong
            .when("consent.given_at", self.given_at.as_ref())
            .unwrap_or(now);
        if given_at > now.plus_hours(1) {
            wrong.add("consent.given_at", "this is in the future");
        }
        // A clock that runs ahead must not make her word newer than a withdrawal that comes after it.
        let given_at = given_at.min(now);
        let longest = given_at.plus_days(CONSENT_DAYS_MAX);
        let until = wrong
            .when("consent.until", self.until.as_ref())
            .unwrap_or(longest);
        if let Some(tag) = &self.language {
            language(&mut wrong, "consent.language", tag);
        }
        if let Some(version) = &self.notice_version {
            code_like(
                &mut wrong,
                "consent.notice_version",
                version,
                CODE_CHARS_MAX,
            );
        }
        let (competence, parent) = self.competence(&mut wrong);
        self.not_through_a_relative(&mut wrong);
        if until <= given_at {
            wrong.add("consent.until", "this is before it was given");
        }
        let until = until.min(longest);
        let review_at = wrong.when("consent.review_at", self.review_at.as_ref());
        if review_at.is_some_and(|at| at <= given_at || until < at) {
            wrong.add(
                "consent.review_at",
                "give a time after it was given and before it ends",
            );
        }
        let consent = Consent {
            id: ConsentId(Id::ZERO),
            recorded_by: attempt_org.clone(),
            decision,
            strength,
            opens,
            recipients: Recipients::default(),
            classes,
            purposes,
            items: Vec::new(),
            competence,
            parent,
            depth,
            given_by: wrong.maybe(
                "consent.given_by",
                self.given_by.as_ref(),
                GivenBy::Herself,
                GivenBy::parse,
            ),
            how: wrong.maybe(
                "consent.how",
                Some(&self.how),
                ConsentHow::Spoken,
                ConsentHow::parse,
            ),
            language: self.language.clone(),
            interpreter: wrong.maybe(
                "consent.interpreter",
                self.interpreter.as_ref(),
                Interpreter::None,
                Interpreter::parse,
            ),
            other_party_present: wrong.maybe(
                "consent.other_party_present",
                Some(&self.other_party_present),
                YesNoUnknown::Unknown,
                YesNoUnknown::parse,
            ),
            notice_version: self.notice_version.clone(),
            given_at,
            from: given_at,
            until,
            review_at,
            paused: false,
            withdrawn_at: None,
        };
        wrong.finish(ConsentGiven {
            consent,
            recipients: Recipients {
                organisations,
                families,
            },
        })
    }
}

impl ReferralIn {
    /// Parses everything but the person, whose identifiers go to `resolve`.
    pub fn parse(self, attempt: &Attempt, strict: bool) -> Result<Draft, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let now = attempt.when;
        let service = wrong.code("service", &self.service, |text| ServiceId::parse(text).ok());
        let operational = operational(&mut wrong, &self);
        let ground = self.ground(&mut wrong, attempt, now);
        let mut asides = Vec::new();
        let agreed_timing = self.agreed_different_timing.and_then(|timing| {
            let field = "agreed_different_timing.agreed_with";
            asides.push(timing.agreed_with.line(&mut wrong, field, ASIDE_CHARS_MAX));
            let by = wrong.when("agreed_different_timing.by", Some(&timing.by))?;
            Some(AgreedTiming { by })
        });
        if let Some(reason) = self.legal_basis.and_then(|basis| basis.reason) {
            asides.push(reason.line(&mut wrong, "legal_basis.reason", REASON_CHARS_MAX));
        }
        if self
            .note
            .as_ref()
            .is_some_and(|note| note.text().chars().count() > NOTE_CHARS_MAX)
        {
            wrong.add(
                "note",
                "at most 1,000 characters; needs and risks have their own fields",
            );
        }
        if let Some(reference) = &self.your_reference {
            code_like(&mut wrong, "your_reference", reference, CODE_CHARS_MAX);
        }
        let other_party = self.other_party.and_then(|party| party.parse(&mut wrong));
        let safe_contact = self.safe_contact.map(SafeContactIn::raw);
        let note = self.note.map(|note| note.unread("note"));
        let note = note.filter(|note| note.chars() > 0);
        match (service, operational, ground) {
            (Some(service), Some(operational), Some(ground)) if wrong.0.is_empty() => Ok(Draft {
                service,
                operational,
                identity: self.identity.raw(),
                safe_contact,
                other_party,
                parent: self.child_of.map(BesideIn::raw),
                note,
                asides,
                ground,
                agreed_timing,
                externals: self.your_reference.into_iter().collect(),
                strict,
                left_behind: Vec::new(),
            }),
            _ => Err(wrong.0),
        }
    }

    fn ground(&self, wrong: &mut Wrong, attempt: &Attempt, now: When) -> Option<Ground> {
        match (&self.consent, &self.legal_basis) {
            (Some(_), Some(_)) => {
                wrong.add("legal_basis", "give her consent or another basis, not both");
                None
            }
            (Some(consent), None) => {
                let classes = [
                    DataClass::Op,
                    DataClass::Id,
                    DataClass::Loc,
                    DataClass::Ip,
                    DataClass::Ft,
                ];
                let purposes = [Purpose::Support];
                match consent.parse(attempt.organisation(), now, &classes, &purposes) {
                    Err(errors) => {
                        wrong.0.extend(errors);
                        None
                    }
                    Ok(given) if given.consent.decision == ConsentDecision::Deny => {
                        let stop_future_offers = consent.stop_future_offers;
                        Some(Ground::Declined {
                            stop_future_offers,
                            given,
                        })
                    }
                    Ok(given) => Some(Ground::Consent(given)),
                }
            }
            (None, Some(basis)) => {
                let article6 = wrong.code("legal_basis.art6", &basis.art6, Article6::parse)?;
                Some(Ground::Basis { article6 })
            }
            // Policy says what is needed for this offence.
            (None, None) => Some(Ground::None),
        }
    }
}

fn operational(wrong: &mut Wrong, referral: &ReferralIn) -> Option<Operational> {
    let direction = wrong.code("direction", &referral.direction, Direction::parse);
    let offence = wrong.code(
        "offence_group",
        &referral.offence_group,
        OffenceGroup::parse,
    );
    let risk = referral.risk_summary.as_ref().and_then(|risk| {
        Some(RiskSummary {
            instrument: wrong.code(
                "risk_summary.instrument",
                &risk.instrument,
                Instrument::parse,
            )?,
            grade: wrong.code("risk_summary.grade", &risk.grade, Grade::parse)?,
            assessed_at: wrong.when("risk_summary.assessed_at", Some(&risk.assessed_at))?,
        })
    });
    let epr = referral.epr.as_ref().map(|epr| {
        code_like(wrong, "epr.rule_version", &epr.rule_version, 32);
        code_like(wrong, "epr.reason", &epr.reason, CODE_CHARS_MAX);
        Epr {
            set_by_person: epr.set_by_person,
            rule_version: epr.rule_version.clone(),
            reason: epr.reason.clone(),
        }
    });
    Some(Operational {
        direction: direction?,
        party_role: wrong.maybe(
            "party_role",
            referral.party_role.as_ref(),
            PartyRole::Victim,
            PartyRole::parse,
        ),
        offence_group: offence?,
        reported_to_police: wrong.maybe(
            "reported_to_police",
            referral.reported_to_police.as_ref(),
            ReportedToPolice::Unknown,
            ReportedToPolice::parse,
        ),
        reported_at: wrong.when("reported_at", referral.reported_at.as_ref()),
        priority_categories: wrong.codes(
            "priority_category",
            &referral.priority_category,
            PriorityCategory::parse,
        ),
        urgency: wrong.maybe(
            "urgency",
            referral.urgency.as_ref(),
            UrgencyCode::Standard,
            UrgencyCode::parse,
        ),
        risk,
        needs: wrong.codes("needs", &referral.needs, Need::parse),
        area: area(wrong, referral.area.clone()),
        worker_gender: wrong.maybe(
            "preferences.worker_gender",
            referral.preferences.worker_gender.as_ref(),
            WorkerGender::Any,
            WorkerGender::parse,
        ),
        epr,
    })
}
