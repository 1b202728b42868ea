//! The JSON of governance and of the second factor.

use serde::Deserialize;
use utoipa::ToSchema;

use super::key_text::{hex32, secret};
use super::text::{CODE_CHARS_MAX, FreeText, code_like};
use super::{Secret, Wrong};
use crate::domain::attempt::{Attempt, UserName};
use crate::domain::codes::{
    Custody, DataClass, HoldReason, OffenceGroup, OrgKind, Purpose, Role, SealReason, Taint,
};
use crate::domain::firewall::hold::ScreenedText;
use crate::domain::governance::{Hold, HoldChange, SealOpening, Widening};
use crate::domain::id::{Id, OrgId, ReferralId, TeamId};
use crate::domain::journey::governing::{OwnCertificate, OwnWord};
use crate::domain::journey::onward_rule;
use crate::domain::organisation::{
    Agreement, Attestation, Certificate, Organisation, StandingAcceptance, Team,
};
use crate::domain::person::FieldError;
use crate::domain::rulebook::Revision;

mod narrowing;
mod service;
mod texts;

pub use narrowing::NarrowingIn;
use service::ServiceIn;

/// Different people one worker may ask about in a day, unless stated.
const PEOPLE_A_DAY: u32 = 30;

/// What `POST /v1/proposals` asks for.
pub enum Change {
    /// Takes a second person of another organisation.
    Propose(Widening),
    /// A certificate for the caller's own team, at once.
    IssueOwn(OwnCertificate),
    /// What a service of the caller's own organisation can meet, at once.
    SayMeets(OwnWord),
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentifierIn {
    /// `ods`, `charity_no`, `force_code`, `gss`, `sra`, `iaa` or `cafcass`.
    pub kind: String,
    pub value: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamIn {
    pub id: String,
    pub name: FreeText,
    /// What is attested of the team; without it the team counts as tainted.
    pub taint: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateIn {
    /// SHA-256 of the certificate's SubjectPublicKeyInfo, as 64 hexadecimal digits.
    pub spki_sha256: String,
    pub team: String,
    /// For a person's certificate.
    pub user: Option<String>,
    pub roles: Vec<String>,
    /// RFC 3339.
    pub not_after: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StandingIn {
    pub offences: Vec<String>,
    #[serde(default)]
    pub areas: Vec<String>,
    /// What is taken by agreement may not be passed on for immigration purposes: `true` accepts
    /// it for as long as the agreement lasts.
    #[serde(default)]
    pub onward_rule_accepted: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreementIn {
    pub reference: FreeText,
    pub classes: Vec<String>,
    pub purposes: Vec<String>,
    /// RFC 3339.
    pub from: String,
    /// RFC 3339.
    pub to: String,
    /// 30 if absent.
    pub people_a_day: Option<u32>,
    pub standing: Option<StandingIn>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganisationIn {
    pub id: String,
    /// As it is registered.
    pub name: String,
    pub kind: String,
    #[serde(default)]
    pub identifiers: Vec<IdentifierIn>,
    /// GSS codes.
    #[serde(default)]
    pub areas: Vec<String>,
    pub teams: Vec<TeamIn>,
    /// Certificates of systems; a person's is proposed by itself.
    #[serde(default)]
    pub certificates: Vec<CertificateIn>,
    #[serde(default)]
    pub agreements: Vec<AgreementIn>,
    /// `gateway` (the default) or `own`.
    pub custody: Option<String>,
    /// The X25519 public key under custody `own`, as 64 hexadecimal digits.
    pub hpke_public_key: Option<String>,
    pub duty_line: Option<FreeText>,
    /// Why none of its teams may be told, if that is so.
    pub taint: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PageIn {
    /// `schema.cedarschema`, `proof.json`, `lexicon.toml`, or the name of a `.cedar` file.
    pub name: String,
    pub text: String,
}

/// A change that lets more through.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum ProposalIn {
    EnrolOrganisation {
        organisation: OrganisationIn,
    },
    AddTeam {
        organisation: String,
        team: TeamIn,
    },
    AttestTeam {
        organisation: String,
        team: String,
        taint: String,
    },
    AddAgreement {
        organisation: String,
        agreement: AgreementIn,
    },
    AddCertificate {
        organisation: String,
        certificate: CertificateIn,
        /// Base32 of 20 bytes, as authenticator apps take it.
        totp_secret: Option<Secret>,
    },
    OpenService {
        service: ServiceIn,
    },
    ResumeOrganisation {
        organisation: String,
    },
    /// The organisation as a whole hosts no immigration enforcement any more.
    LiftTaint {
        organisation: String,
    },
    /// After a restore: waits no longer for an organisation's withdrawals.
    GoOnWithout {
        organisation: String,
    },
    /// Keeps what a referral of your organisation carries from being destroyed. Nobody is shown it.
    HoldReferral {
        referral: String,
        /// `court_order`, `ico_order`, `subject_access`, `police_investigation`, `litigation` or
        /// `safeguarding_review`.
        reason: String,
        /// RFC 3339, within a year.
        review_at: String,
    },
    EndHold {
        referral: String,
    },
    /// Lets you learn once, within seven days of its approval, which of your own organisation's
    /// people a log entry is about. By an information-governance officer.
    OpenSeal {
        /// The number of the entry.
        entry: u64,
        /// `misuse`, `complaint`, `safeguarding_review`, `subject_access` or `regulator_order`.
        reason: String,
    },
    /// Puts other policies in force, whole and with their proof: every file of a folder that
    /// `firedoor policy check` finds good, the lists of the text screen among them.
    ChangePolicy {
        rulebook: Vec<PageIn>,
    },
    /// For your own team, by your organisation's administrator in person: takes effect at once.
    IssueOwnCertificate {
        certificate: CertificateIn,
        totp_secret: Option<Secret>,
    },
    /// What a service of your organisation can meet, by its administrator in person: takes effect at
    /// once, and no other organisation is told. Said again, it is still right.
    SayWhatWeMeet {
        service: String,
        /// Each a `need`; none of them is an answer too.
        needs: Vec<String>,
    },
}

impl ScreenedText<ProposalIn> {
    pub fn parse(self, attempt: &Attempt) -> Result<Change, Vec<FieldError>> {
        let mut wrong = Wrong::default();
        let change = self.into_inner().change(&mut wrong, attempt);
        complete(wrong, change)
    }
}

impl ProposalIn {
    fn change(self, wrong: &mut Wrong, attempt: &Attempt) -> Option<Change> {
        let widening = match self {
            Self::EnrolOrganisation { organisation } => {
                Widening::Enrol(organisation.parse(wrong, attempt)?)
            }
            Self::AddTeam { organisation, team } => Widening::AddTeam {
                organisation: org(wrong, "organisation", &organisation)?,
                team: team.parse(wrong, attempt)?,
            },
            Self::AttestTeam {
                organisation,
                team,
                taint,
            } => Widening::Attest {
                organisation: org(wrong, "organisation", &organisation)?,
                team: team_id(wrong, "team", &team)?,
                taint: wrong.code("taint", &taint, Taint::parse)?,
            },
            Self::AddAgreement {
                organisation,
                agreement,
            } => Widening::AddAgreement {
                organisation: org(wrong, "organisation", &organisation)?,
                agreement: agreement.parse(wrong)?,
            },
            Self::AddCertificate {
                organisation,
                certificate,
                totp_secret,
            } => Widening::AddCertificate {
                organisation: org(wrong, "organisation", &organisation)?,
                certificate: certificate.parse(wrong)?,
                totp_secret: secret(wrong, totp_secret),
            },
            Self::OpenService { service } => Widening::OpenService(service.parse(wrong)?),
            Self::ResumeOrganisation { organisation } => Widening::Resume {
                organisation: org(wrong, "organisation", &organisation)?,
            },
            Self::LiftTaint { organisation } => Widening::LiftTaint {
                organisation: org(wrong, "organisation", &organisation)?,
            },
            Self::GoOnWithout { organisation } => Widening::GoOnWithout {
                organisation: org(wrong, "organisation", &organisation)?,
            },
            Self::HoldReferral {
                referral,
                reason,
                review_at,
            } => Widening::Hold(Hold {
                organisation: attempt.organisation().clone(),
                referral: ReferralId(id(wrong, "referral", &referral)?),
                change: HoldChange::Set {
                    reason: wrong.code("reason", &reason, HoldReason::parse)?,
                    review_at: wrong.when("review_at", Some(&review_at))?,
                },
            }),
            Self::EndHold { referral } => Widening::Hold(Hold {
                organisation: attempt.organisation().clone(),
                referral: ReferralId(id(wrong, "referral", &referral)?),
                change: HoldChange::End,
            }),
            Self::OpenSeal { entry, reason } => Widening::OpenSeal(SealOpening {
                organisation: attempt.organisation().clone(),
                entry,
                reason: wrong.code("reason", &reason, SealReason::parse)?,
            }),
            Self::ChangePolicy { rulebook } => {
                let pages = rulebook.into_iter().map(|file| (file.name, file.text));
                let own = attempt.organisation().clone();
                Widening::Revise(Revision::of(own, pages.collect()))
            }
            Self::IssueOwnCertificate {
                certificate,
                totp_secret,
            } => {
                return Some(Change::IssueOwn(OwnCertificate {
                    certificate: certificate.parse(wrong)?,
                    totp_secret: secret(wrong, totp_secret),
                }));
            }
            Self::SayWhatWeMeet { service, needs } => {
                return service::own_word(wrong, &service, &needs).map(Change::SayMeets);
            }
        };
        Some(Change::Propose(widening))
    }
}

/// A user as her organisation names her.
pub(super) fn user_name(wrong: &mut Wrong, field: &'static str, text: &str) {
    if UserName::parse(text).is_err() {
        wrong.add(field, "1 to 64 of letters, digits and '. _ @ -'");
    }
}

pub(super) fn complete<T>(wrong: Wrong, value: Option<T>) -> Result<T, Vec<FieldError>> {
    match value {
        Some(value) => wrong.finish(value),
        None => Err(wrong.0),
    }
}

fn org(wrong: &mut Wrong, field: &'static str, text: &str) -> Option<OrgId> {
    name(wrong, field, OrgId::parse(text).ok())
}

fn team_id(wrong: &mut Wrong, field: &'static str, text: &str) -> Option<TeamId> {
    name(wrong, field, TeamId::parse(text).ok())
}

fn name<T>(wrong: &mut Wrong, field: &'static str, parsed: Option<T>) -> Option<T> {
    if parsed.is_none() {
        wrong.add(
            field,
            "2 to 32 of a-z, 0-9 and '-', not beginning or ending with '-'",
        );
    }
    parsed
}

impl TeamIn {
    fn parse(self, wrong: &mut Wrong, attempt: &Attempt) -> Option<Team> {
        let taint = match &self.taint {
            None => None,
            Some(taint) => Some(wrong.code("team.taint", taint, Taint::parse)?),
        };
        Some(Team {
            id: team_id(wrong, "team.id", &self.id)?,
            name: self.name.take(),
            attestation: taint.map(|taint| Attestation {
                taint,
                at: attempt.when,
                by: attempt.user.as_str().to_owned(),
            }),
        })
    }
}

impl CertificateIn {
    fn parse(self, wrong: &mut Wrong) -> Option<Certificate> {
        if let Some(user) = &self.user {
            user_name(wrong, "certificate.user", user);
        }
        let roles = wrong.codes("certificate.roles", &self.roles, Role::parse);
        Some(Certificate {
            spki_sha256: hex32(wrong, "certificate.spki_sha256", &self.spki_sha256)?,
            team: team_id(wrong, "certificate.team", &self.team)?,
            user: self.user,
            roles,
            not_after: wrong.when("certificate.not_after", Some(&self.not_after))?,
            revoked_at: None,
        })
    }
}

impl AgreementIn {
    /// Its id is given when it is proposed.
    fn parse(self, wrong: &mut Wrong) -> Option<Agreement> {
        if let Some(standing) = &self.standing
            && let Err(not_accepted) = onward_rule(standing.onward_rule_accepted)
        {
            wrong.add(
                "agreement.standing.onward_rule_accepted",
                not_accepted.message,
            );
        }
        let standing = self.standing.map(|standing| StandingAcceptance {
            offences: wrong.codes(
                "agreement.standing.offences",
                &standing.offences,
                OffenceGroup::parse,
            ),
            areas: areas(wrong, standing.areas),
        });
        Some(Agreement {
            id: Id::ZERO,
            reference: self.reference.take(),
            classes: wrong.codes("agreement.classes", &self.classes, DataClass::parse),
            purposes: wrong.codes("agreement.purposes", &self.purposes, Purpose::parse),
            from: wrong.when("agreement.from", Some(&self.from))?,
            to: wrong.when("agreement.to", Some(&self.to))?,
            ended_at: None,
            people_a_day: self.people_a_day.unwrap_or(PEOPLE_A_DAY),
            standing,
        })
    }
}

impl OrganisationIn {
    fn parse(self, wrong: &mut Wrong, attempt: &Attempt) -> Option<Organisation> {
        let custody = wrong.maybe(
            "organisation.custody",
            self.custody.as_ref(),
            Custody::Gateway,
            Custody::parse,
        );
        let hpke_public_key = match &self.hpke_public_key {
            None => None,
            Some(key) => Some(hex32(wrong, "organisation.hpke_public_key", key)?),
        };
        if (custody == Custody::Own) != hpke_public_key.is_some() {
            wrong.add(
                "organisation.hpke_public_key",
                "custody 'own' needs a public key, and only it does",
            );
        }
        let teams = self.teams.into_iter();
        let certificates = self.certificates.into_iter();
        let agreements = self.agreements.into_iter();
        Some(Organisation {
            id: org(wrong, "organisation.id", &self.id)?,
            name: self.name,
            kind: wrong.code("organisation.kind", &self.kind, OrgKind::parse)?,
            enrolled_at: attempt.when,
            suspended_at: None,
            suspensions: 0,
            identifiers: self
                .identifiers
                .into_iter()
                .map(|IdentifierIn { kind, value }| {
                    code_like(
                        wrong,
                        "organisation.identifiers.kind",
                        &kind,
                        CODE_CHARS_MAX,
                    );
                    code_like(
                        wrong,
                        "organisation.identifiers.value",
                        &value,
                        CODE_CHARS_MAX,
                    );
                    (kind, value)
                })
                .collect(),
            areas: areas(wrong, self.areas),
            teams: teams
                .map(|team| team.parse(wrong, attempt))
                .collect::<Option<_>>()?,
            certificates: certificates
                .map(|certificate| certificate.parse(wrong))
                .collect::<Option<_>>()?,
            agreements: agreements
                .map(|agreement| agreement.parse(wrong))
                .collect::<Option<_>>()?,
            custody,
            hpke_public_key,
            duty_line: self.duty_line.map(FreeText::take),
            taint: wrong.maybe(
                "organisation.taint",
                self.taint.as_ref(),
                Taint::None,
                Taint::parse,
            ),
        })
    }
}

fn areas(wrong: &mut Wrong, given: Vec<String>) -> Vec<String> {
    given
        .into_iter()
        .filter_map(|code| super::area(wrong, Some(code)))
        .collect()
}

fn id(wrong: &mut Wrong, field: &'static str, text: &str) -> Option<Id> {
    let parsed = Id::parse(text);
    if parsed.is_none() {
        wrong.add(field, "give the 26 characters of its id");
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::governance::Narrowing;

    #[test]
    fn a_change_is_read_by_its_name() {
        let narrow: NarrowingIn = serde_json::from_str(
            r#"{"change":"taint_team","organisation":"council","team":"housing","taint":"uses_nrpf_connect"}"#,
        )
        .unwrap();
        assert_eq!(
            narrow.parse().unwrap(),
            Narrowing::TaintTeam {
                organisation: OrgId::parse("council").unwrap(),
                team: TeamId::parse("housing").unwrap(),
                taint: Taint::UsesNrpfConnect,
            }
        );
    }

    #[test]
    fn unknown_fields_and_changes_are_refused() {
        for json in [
            r#"{"change":"suspend_organisation","organisation":"council","why":"x"}"#,
            r#"{"change":"enrol_anyone","organisation":"council"}"#,
            r#"{"organisation":"council"}"#,
        ] {
            assert!(serde_json::from_str::<NarrowingIn>(json).is_err(), "{json}");
            assert!(serde_json::from_str::<ProposalIn>(json).is_err(), "{json}");
        }
        let nested = r#"{"change":"add_team","organisation":"council",
            "team":{"id":"housing","name":"Housing","immigration":true}}"#;
        assert!(serde_json::from_str::<ProposalIn>(nested).is_err());
    }

    #[test]
    fn a_kind_of_immigration_enforcement_does_not_parse() {
        assert_eq!(OrgKind::parse("immigration_enforcement"), None);
        let mut wrong = Wrong::default();
        let parsed = wrong.code(
            "organisation.kind",
            "immigration_enforcement",
            OrgKind::parse,
        );
        assert!(parsed.is_none());
        assert!(wrong.finish(()).is_err());
    }

    #[test]
    fn a_second_factor_is_twenty_bytes_of_base32() {
        let read = |text: &str| {
            let mut wrong = Wrong::default();
            let secret: Secret = serde_json::from_value(text.into()).unwrap();
            let read = super::secret(&mut wrong, Some(secret));
            assert_eq!(read.is_none(), wrong.finish(()).is_err());
            read.map(|secret| *secret.bytes())
        };
        assert_eq!(
            read("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
            Some(*b"12345678901234567890")
        );
        assert_eq!(read("GEZDGNBVGY3TQOJQ"), None);
        assert_eq!(read("not base32!"), None);
    }

    #[test]
    fn a_fingerprint_is_sixty_four_digits() {
        let read = |text: &str| hex32(&mut Wrong::default(), "spki_sha256", text);
        assert_eq!(read(&"aF".repeat(32)), Some([0xaf; 32]));
        for bad in ["", "aF", &"a".repeat(63), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(read(bad), None);
        }
    }
}
