//! Who may connect, and on which agreement: proposals and narrowings, posted under a person's own
//! certificate.
//!
//! Nothing here changes anything by itself: what lets more through waits for a person of another
//! organisation.

use clap::Subcommand;
use serde_json::{Value, json};

use super::ClientFault;
use super::input::document;

/// `firedoor org ...`
#[derive(Subcommand, Debug)]
pub enum OrgCommand {
    /// Propose an organisation; a person of another organisation approves it
    #[command(
        after_help = "Example: firedoor org add larkfield.json --bundle bundles/operator\n\
        The file holds the organisation: id, name, kind, teams, certificates, agreements."
    )]
    Add {
        /// JSON, or - for standard input
        file: String,
    },
    /// What is proposed and waits for approval
    #[command(after_help = "Example: firedoor org list --bundle bundles/operator")]
    List,
    /// Suspend an organisation, at once
    #[command(after_help = "Example: firedoor org suspend larkfield --bundle bundles/operator")]
    Suspend { organisation: String },
    /// Say that a whole organisation hosts or works with those who enforce immigration law
    #[command(
        after_help = "Example: firedoor org taint council hosts_home_office --bundle \
        bundles/council-admin\n`none` waits for a person of another organisation; any taint is in \
        force at once, for all its teams."
    )]
    Taint {
        organisation: String,
        /// none, hosts_home_office, uses_nrpf_connect, overseas_visitor_team, immigration_joint_op
        taint: String,
    },
}

/// `firedoor team ...`
#[derive(Subcommand, Debug)]
pub enum TeamCommand {
    /// Attest whether a team hosts or works with those who enforce immigration law
    #[command(
        after_help = "Example: firedoor team attest council housing none --bundle \
        bundles/council-admin\n`none` waits for a person of another organisation; any taint is in \
        force at once."
    )]
    Attest {
        organisation: String,
        team: String,
        /// none, hosts_home_office, uses_nrpf_connect, overseas_visitor_team, immigration_joint_op
        taint: String,
    },
}

/// `firedoor agreement ...`
#[derive(Subcommand, Debug)]
pub enum AgreementCommand {
    /// Propose a sharing agreement
    #[command(
        after_help = "Example: firedoor agreement add larkfield agreement.json --bundle \
        bundles/operator\nThe file holds: reference, classes, purposes, from, to."
    )]
    Add {
        organisation: String,
        /// JSON, or - for standard input
        file: String,
    },
    /// End an agreement, at once
    #[command(
        after_help = "Example: firedoor agreement end larkfield 01J... --bundle bundles/operator"
    )]
    End {
        organisation: String,
        agreement: String,
    },
}

/// Where to send what.
pub struct Change {
    pub path: &'static str,
    /// None for a list.
    pub body: Option<Value>,
}

fn propose(body: Value) -> Change {
    Change {
        path: "/v1/proposals",
        body: Some(body),
    }
}

fn narrow(body: Value) -> Change {
    Change {
        path: "/v1/narrowings",
        body: Some(body),
    }
}

impl OrgCommand {
    /// # Errors
    /// [`ClientFault`] if the file cannot be read.
    pub fn change(&self) -> Result<Change, ClientFault> {
        Ok(match self {
            Self::Add { file } => propose(json!({
                "change": "enrol_organisation", "organisation": document(file)?,
            })),
            Self::List => Change {
                path: "/v1/proposals",
                body: None,
            },
            Self::Suspend { organisation } => narrow(json!({
                "change": "suspend_organisation", "organisation": organisation,
            })),
            Self::Taint {
                organisation,
                taint,
            } if taint == "none" => propose(json!({
                "change": "lift_taint", "organisation": organisation,
            })),
            Self::Taint {
                organisation,
                taint,
            } => narrow(json!({
                "change": "taint_organisation", "organisation": organisation, "taint": taint,
            })),
        })
    }
}

impl TeamCommand {
    /// What lifts a taint widens; what sets one narrows.
    pub fn change(&self) -> Change {
        let Self::Attest {
            organisation,
            team,
            taint,
        } = self;
        let change = |name: &str| json!({ "change": name, "organisation": organisation, "team": team, "taint": taint });
        if taint == "none" {
            propose(change("attest_team"))
        } else {
            narrow(change("taint_team"))
        }
    }
}

impl AgreementCommand {
    /// # Errors
    /// [`ClientFault`] if the file cannot be read.
    pub fn change(&self) -> Result<Change, ClientFault> {
        Ok(match self {
            Self::Add { organisation, file } => propose(json!({
                "change": "add_agreement", "organisation": organisation,
                "agreement": document(file)?,
            })),
            Self::End {
                organisation,
                agreement,
            } => narrow(json!({
                "change": "end_agreement", "organisation": organisation, "agreement": agreement,
            })),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifting_a_taint_is_proposed_and_setting_one_is_not() {
        let attest = |taint: &str| {
            TeamCommand::Attest {
                organisation: "council".to_owned(),
                team: "housing".to_owned(),
                taint: taint.to_owned(),
            }
            .change()
        };
        assert_eq!(attest("none").path, "/v1/proposals");
        assert_eq!(attest("uses_nrpf_connect").path, "/v1/narrowings");
    }
}
