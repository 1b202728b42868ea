//! What is sent when she moves, and news about her.

use serde::Deserialize;
use utoipa::ToSchema;

use super::text::{Secret, taken};
use super::{ConsentIn, LIST_MAX, RiskSummaryIn, SafeContactIn, Wrong};
use crate::domain::attempt::Attempt;
use crate::domain::codes::{
    Adjustment, DataClass, Grade, Instrument, Need, Purpose, ServiceFamily, TransferMode,
    UpdateCode,
};
use crate::domain::consent::Consent;
use crate::domain::journey::transferring::MOVED_CLASSES;
use crate::domain::person::{FieldError, RawFields, RawIdentifier, RawSafeContact};
use crate::domain::referral::{RiskSummary, UrgencyCode};
use crate::domain::time::When;
use crate::domain::transfer::RISKS_MAX;

/// Who she is, as it was released to you. There is no place for an address, old or new: whoever
/// takes her asks her.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub struct MovedIdentityIn {
    pub given_name: Option<Secret>,
    pub family_name: Option<Secret>,
    #[serde(default)]
    pub other_names: Vec<Secret>,
    /// ISO 8601 date.
    pub birth_date: Option<Secret>,
    pub sex: Option<Secret>,
    pub nhs_number: Option<Secret>,
}

impl MovedIdentityIn {
    fn raw(self) -> RawIdentifier {
        let mut fields = RawFields::default();
        fields.given_name = taken(self.given_name);
        fields.family_name = taken(self.family_name);
        fields.other_names = self.other_names.into_iter().map(Secret::take).collect();
        fields.birth_date = taken(self.birth_date);
        fields.sex = taken(self.sex);
        fields.nhs_number = taken(self.nhs_number);
        RawIdentifier::new(fields)
    }
}

/// She moves to another area. The gateway picks the service; you are told that it waits until one has
/// accepted her, and never which.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferIn {
    /// GSS code of the borough, district or county that she moves to, as `E09000012`.
    pub area: String,
    pub service_family: String,
    /// `hand_over`, `keep_both` or `close`.
    pub mode: String,
    /// RFC 3339; with `keep_both`: until when both work with her, at most 28 days.
    pub until: Option<String>,
    pub identity: MovedIdentityIn,
    /// How it is safe for a new service to reach her, as she says now.
    pub safe_contact: SafeContactIn,
    /// What she says now about a service in the other area. What she agreed to before does not count
    /// there.
    pub consent: ConsentIn,
    /// As before if you leave it out.
    pub needs: Option<Vec<String>>,
    /// As before if you leave it out.
    pub urgency: Option<String>,
    /// Gradings so far.
    #[serde(default)]
    pub risk_history: Vec<RiskSummaryIn>,
    #[serde(default)]
    pub adjustments: Vec<String>,
}

/// A transfer whose person is not resolved yet.
pub struct Moving {
    pub area: String,
    pub family: ServiceFamily,
    pub mode: TransferMode,
    pub until: Option<When>,
    pub identity: RawIdentifier,
    pub contact: RawSafeContact,
    pub consent: Consent,
    pub needs: Option<Vec<Need>>,
    pub urgency: Option<UrgencyCode>,
    pub risks: Vec<RiskSummary>,
    pub adjustments: Vec<Adjustment>,
}

impl TransferIn {
    /// # Errors
    /// What is wrong, field by field.
    pub fn parse(self, attempt: &Attempt) -> Result<Moving, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let family = wrong.code("service_family", &self.service_family, ServiceFamily::parse);
        let mode = wrong.code("mode", &self.mode, TransferMode::parse);
        let until = wrong.when("until", self.until.as_ref());
        let classes = [MOVED_CLASSES.as_slice(), &[DataClass::Ip]].concat();
        let given = self.consent.parse(
            attempt.organisation(),
            attempt.when,
            &classes,
            &[Purpose::Support],
        );
        let consent = given.map_err(|errors| wrong.0.extend(errors)).ok();
        let needs = self.needs.as_ref();
        let needs = needs.map(|needs| wrong.codes("needs", needs, Need::parse));
        let urgency = self.urgency.as_ref();
        let urgency = urgency.and_then(|code| wrong.code("urgency", code, UrgencyCode::parse));
        if self.risk_history.len() > RISKS_MAX {
            wrong.add("risk_history", "at most 16; leave out the oldest");
        }
        let risks = self.risk_history.iter().take(RISKS_MAX);
        let risks = risks.filter_map(|risk| graded(&mut wrong, risk)).collect();
        let mut adjustments = wrong.codes("adjustments", &self.adjustments, Adjustment::parse);
        adjustments.sort_unstable();
        adjustments.dedup();
        match (family, mode, consent) {
            (Some(family), Some(mode), Some(given)) if wrong.0.is_empty() => Ok(Moving {
                area: self.area,
                family,
                mode,
                until,
                identity: self.identity.raw(),
                contact: self.safe_contact.raw(),
                consent: given.consent,
                needs,
                urgency,
                risks,
                adjustments,
            }),
            _ => Err(wrong.0),
        }
    }
}

fn graded(wrong: &mut Wrong, risk: &RiskSummaryIn) -> Option<RiskSummary> {
    let field = "risk_history.assessed_at";
    Some(RiskSummary {
        instrument: wrong.code(
            "risk_history.instrument",
            &risk.instrument,
            Instrument::parse,
        )?,
        grade: wrong.code("risk_history.grade", &risk.grade, Grade::parse)?,
        assessed_at: wrong.when(field, Some(&risk.assessed_at))?,
    })
}

/// News about her: a code, and nothing in words.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateIn {
    pub code: String,
    /// To police only: life is at risk.
    #[serde(default)]
    pub life_at_risk: bool,
    /// With `safe_contact_changed`: how it is safe to reach her now.
    pub safe_contact: Option<SafeContactIn>,
    /// With `call_us_about_her_safety` to police, unless life is at risk: she agrees that they are
    /// told to call you.
    pub consent: Option<ConsentIn>,
}

/// News whose safe contact is not checked yet.
pub struct Reported {
    pub code: UpdateCode,
    pub life_at_risk: bool,
    pub contact: Option<RawSafeContact>,
    pub consent: Option<Consent>,
}

impl UpdateIn {
    /// # Errors
    /// What is wrong, field by field.
    pub fn parse(self, attempt: &Attempt) -> Result<Reported, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let code = UpdateCode::parse(&self.code);
        if code.is_none() {
            wrong.add("code", "no such update; see GET /v1/codes");
        }
        let own = attempt.organisation();
        let purposes = [Purpose::SafetyPlanning];
        let parse =
            |stated: &ConsentIn| stated.parse(own, attempt.when, &[DataClass::Op], &purposes);
        let consent = self.consent.as_ref().map(parse).transpose();
        let consent = consent.map_err(|errors| wrong.0.extend(errors)).ok();
        match (code, consent) {
            (Some(code), Some(given)) if wrong.0.is_empty() => Ok(Reported {
                code,
                life_at_risk: self.life_at_risk,
                contact: self.safe_contact.map(SafeContactIn::raw),
                consent: given.map(|given| given.consent),
            }),
            _ => Err(wrong.0),
        }
    }
}

const _: () = assert!(RISKS_MAX <= LIST_MAX, "no list is longer than others");
