//! The free texts of a proposal, for the screen.

use super::ProposalIn;
use crate::domain::firewall::hold::Written;

/// Names that others see: of teams, services and agreements. An organisation's own name is as it is
/// registered; the names that cannot be enrolled are refused elsewhere (F1).
impl Written for ProposalIn {
    fn free_texts(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::EnrolOrganisation { organisation } => {
                let teams = organisation.teams.iter();
                let agreements = organisation.agreements.iter();
                let lines = organisation.duty_line.iter();
                teams
                    .map(|team| ("organisation.teams.name", team.name.text()))
                    .chain(
                        agreements
                            .map(|one| ("organisation.agreements.reference", one.reference.text())),
                    )
                    .chain(lines.map(|line| ("organisation.duty_line", line.text())))
                    .collect()
            }
            Self::AddTeam {
                organisation: _,
                team,
            } => vec![("team.name", team.name.text())],
            Self::AddAgreement {
                organisation: _,
                agreement,
            } => vec![("agreement.reference", agreement.reference.text())],
            Self::OpenService { service } => {
                vec![("service.public_name", service.public_name.text())]
            }
            // Ids, codes, dates and keys; and lists of words, which are about nobody.
            Self::AttestTeam { .. }
            | Self::AddCertificate { .. }
            | Self::ResumeOrganisation { .. }
            | Self::LiftTaint { .. }
            | Self::GoOnWithout { .. }
            | Self::HoldReferral { .. }
            | Self::EndHold { .. }
            | Self::OpenSeal { .. }
            | Self::ChangePolicy { .. }
            | Self::IssueOwnCertificate { .. }
            | Self::SayWhatWeMeet { .. } => Vec::new(),
        }
    }
}
