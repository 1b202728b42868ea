//! The log for information-governance officers. Reading it is itself logged.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ClientFault;
use super::input::document;
use super::reporting::ReportArgs;

/// What to look for.
#[derive(Args, Clone, Debug, Default)]
pub struct FilterArgs {
    /// A user of your own organisation
    #[arg(long, value_name = "USER")]
    pub of: Option<String>,
    /// As query_assessments
    #[arg(long)]
    pub action: Option<String>,
    /// permit, deny, empty or error
    #[arg(long)]
    pub outcome: Option<String>,
    /// RFC 3339
    #[arg(long)]
    pub from: Option<String>,
    /// RFC 3339, exclusive
    #[arg(long)]
    pub to: Option<String>,
    /// The cursor of the page before
    #[arg(long)]
    pub before: Option<String>,
    /// Entries of one page
    #[arg(long)]
    pub max: Option<u16>,
}

/// `firedoor audit ...`
#[derive(Subcommand, Debug)]
pub enum AuditCommand {
    /// Entries of the log that your organisation may see, the newest first
    #[command(after_help = "Example: firedoor audit list --outcome deny --bundle bundles/ig")]
    List {
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Who accessed one person, when, why, on which consent
    #[command(
        after_help = "Example: firedoor audit subject her.json --bundle bundles/ig\nThe file \
        holds her identity: given_name, family_name, birth_date, nhs_number."
    )]
    Subject {
        /// Her identity as JSON, or - for standard input
        file: String,
    },
    /// The report that a person asks for about herself, in plain words
    #[command(
        after_help = "Example: firedoor audit report her.json --bundle bundles/ig > report.txt\n\
        The file holds her identity. See her in person first, and give it to her in person: by \
        this command you say that you checked that it is she who asks."
    )]
    Report(ReportArgs),
    /// What must be decided
    #[command(after_help = "Example: firedoor audit queue --bundle bundles/ig")]
    Queue,
    /// Decide one item of the queue
    #[command(after_help = "Example: firedoor audit sign-off 01J... ask --bundle bundles/ig")]
    SignOff {
        id: String,
        /// accept, ask or escalate
        decision: String,
    },
    /// The key by which your organisation finds all its own entries in the public log
    #[command(
        after_help = "Example: firedoor audit trail trail.key --bundle bundles/ig\n\
        Then: firedoor client reconcile --trail trail.key --bundle bundles/ig"
    )]
    Trail {
        /// File for the key; keep it as you keep the log itself
        file: PathBuf,
    },
    /// The log as files, for outsiders to check without a certificate
    #[command(
        after_help = "Example: firedoor audit export --log export --bundle bundles/ig\n\
        Then: firedoor-verify log export --key gateway.vkey"
    )]
    Export {
        /// Folder for checkpoint and tiles
        #[arg(long, value_name = "DIR")]
        log: PathBuf,
    },
}

/// A page of entries.
pub fn list_path(filter: &FilterArgs) -> Result<String, ClientFault> {
    let max = filter.max.map(|max| max.to_string());
    let pairs = [
        ("user", &filter.of),
        ("action", &filter.action),
        ("outcome", &filter.outcome),
        ("from", &filter.from),
        ("to", &filter.to),
        ("before", &filter.before),
        ("max", &max),
    ];
    let mut path = "/v1/audit/entries".to_owned();
    let mut joint = '?';
    for (name, value) in pairs {
        let Some(value) = value else { continue };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:@".contains(c);
        if value.is_empty() || !value.chars().all(plain) {
            return Err(ClientFault::NotPlain(name));
        }
        path.push(joint);
        path.push_str(&format!("{name}={value}"));
        joint = '&';
    }
    Ok(path)
}

/// What to post to look up one person.
pub fn subject_body(file: &str) -> Result<Value, ClientFault> {
    let read = document(file)?;
    // A file that says more than the identity, as the route takes it, is sent as it is.
    Ok(if read.get("identity").is_some() {
        read
    } else {
        json!({ "identity": read })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_query_string_of_plain_words() {
        let mut filter = FilterArgs {
            outcome: Some("deny".to_owned()),
            max: Some(20),
            ..FilterArgs::default()
        };
        assert_eq!(
            list_path(&filter).unwrap(),
            "/v1/audit/entries?outcome=deny&max=20"
        );
        filter.of = Some("a&b=c".to_owned());
        assert!(list_path(&filter).is_err());
        filter.of = Some(String::new());
        assert!(list_path(&filter).is_err());
    }
}
