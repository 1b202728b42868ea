//! The JSON of a change that lets less through.

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Wrong;
use super::{complete, hex32, id, name, org, team_id};
use crate::domain::codes::Taint;
use crate::domain::governance::Narrowing;
use crate::domain::id::ServiceId;
use crate::domain::person::FieldError;

/// A change that lets less through. One person, at once.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum NarrowingIn {
    SuspendOrganisation {
        organisation: String,
    },
    RevokeCertificate {
        organisation: String,
        /// SHA-256 of the certificate's SubjectPublicKeyInfo, as 64 hexadecimal digits.
        spki_sha256: String,
    },
    TaintTeam {
        organisation: String,
        team: String,
        taint: String,
    },
    /// All its teams at once; lifted by a proposal.
    TaintOrganisation {
        organisation: String,
        taint: String,
    },
    EndAgreement {
        organisation: String,
        agreement: String,
    },
    RemoveUser {
        organisation: String,
        user: String,
    },
    CloseService {
        organisation: String,
        service: String,
    },
}

impl NarrowingIn {
    pub fn parse(self) -> Result<Narrowing, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let narrowing = self.narrowing(&mut wrong);
        complete(wrong, narrowing)
    }

    fn narrowing(self, wrong: &mut Wrong) -> Option<Narrowing> {
        Some(match self {
            Self::SuspendOrganisation { organisation } => Narrowing::SuspendOrganisation {
                organisation: org(wrong, "organisation", &organisation)?,
            },
            Self::RevokeCertificate {
                organisation,
                spki_sha256,
            } => Narrowing::RevokeCertificate {
                organisation: org(wrong, "organisation", &organisation)?,
                spki_sha256: hex32(wrong, "spki_sha256", &spki_sha256)?,
            },
            Self::TaintTeam {
                organisation,
                team,
                taint,
            } => Narrowing::TaintTeam {
                organisation: org(wrong, "organisation", &organisation)?,
                team: team_id(wrong, "team", &team)?,
                taint: wrong.code("taint", &taint, Taint::parse)?,
            },
            Self::TaintOrganisation {
                organisation,
                taint,
            } => Narrowing::TaintOrganisation {
                organisation: org(wrong, "organisation", &organisation)?,
                taint: wrong.code("taint", &taint, Taint::parse)?,
            },
            Self::EndAgreement {
                organisation,
                agreement,
            } => Narrowing::EndAgreement {
                organisation: org(wrong, "organisation", &organisation)?,
                agreement: id(wrong, "agreement", &agreement)?,
            },
            Self::RemoveUser { organisation, user } => {
                if crate::domain::attempt::UserName::parse(&user).is_err() {
                    wrong.add("user", "1 to 64 of letters, digits and '. _ @ -'");
                }
                Narrowing::RemoveUser {
                    organisation: org(wrong, "organisation", &organisation)?,
                    user,
                }
            }
            Self::CloseService {
                organisation,
                service,
            } => Narrowing::CloseService {
                organisation: org(wrong, "organisation", &organisation)?,
                service: name(wrong, "service", ServiceId::parse(&service).ok())?,
            },
        })
    }
}
