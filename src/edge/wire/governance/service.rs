//! The JSON of a service: what is proposed of it, and what its own administrator says.

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::text::{CODE_CHARS_MAX, FreeText, code_like};
use super::super::{Wrong, area};
use super::{name, org, team_id};
use crate::domain::codes::{Need, ServiceFamily};
use crate::domain::id::ServiceId;
use crate::domain::journey::governing::OwnWord;
use crate::domain::organisation::Service;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceIn {
    pub id: String,
    pub organisation: String,
    pub team: String,
    pub public_name: FreeText,
    pub family: String,
    pub area: Option<String>,
    /// Its number in the health directory.
    pub dos_service_id: Option<String>,
}

impl ServiceIn {
    pub(super) fn parse(self, wrong: &mut Wrong) -> Option<Service> {
        if let Some(number) = &self.dos_service_id {
            code_like(wrong, "service.dos_service_id", number, CODE_CHARS_MAX);
        }
        Some(Service {
            id: name(wrong, "service.id", ServiceId::parse(&self.id).ok())?,
            organisation: org(wrong, "service.organisation", &self.organisation)?,
            team: team_id(wrong, "service.team", &self.team)?,
            public_name: self.public_name.take(),
            family: wrong.code("service.family", &self.family, ServiceFamily::parse)?,
            area: area(wrong, self.area),
            takes_referrals: true,
            dos_service_id: self.dos_service_id,
            meets: None,
        })
    }
}

/// What a service can meet, in its administrator's word.
pub(super) fn own_word(wrong: &mut Wrong, service: &str, needs: &[String]) -> Option<OwnWord> {
    Some(OwnWord {
        service: name(wrong, "service", ServiceId::parse(service).ok())?,
        needs: wrong.codes("needs", needs, Need::parse),
    })
}
