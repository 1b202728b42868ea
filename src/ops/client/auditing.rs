//! The log for information-governance officers. Reading it is itself logged.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ClientFault;
use super::input::document;
use super::reporting::ReportArgs;
use super::reporting::export::Format;
use super::reporting::pages::Source;

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
    /// The stated purpose, as prior_assessment. (--purpose is the one of your own request.)
    #[arg(long = "for", value_name = "PURPOSE")]
    pub why: Option<String>,
    /// Whose worker asked
    #[arg(long)]
    pub organisation: Option<String>,
    /// A person, as entries that you were shown name her (decided, person)
    #[arg(long, value_name = "REFERENCE")]
    pub person: Option<String>,
    /// proved (a person's own certificate) or asserted (a system names its user)
    #[arg(long)]
    pub identity: Option<String>,
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
        /// All pages, not only one
        #[arg(long)]
        all: bool,
    },
    /// Everything that one user did
    #[command(
        after_help = "Example: firedoor audit user pc-ward --bundle bundles/ig\n\
        With proofs, as a folder: firedoor audit bundle DIR --of pc-ward"
    )]
    User {
        /// As her organisation names its worker
        #[arg(value_name = "USER")]
        worker: String,
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Everyone who touched one person: when, why, on which consent
    #[command(
        after_help = "Example: firedoor audit subject her.json --bundle bundles/ig\nThe file \
        holds her identity: given_name, family_name, birth_date, nhs_number.\n\
        With proofs, as a folder: firedoor audit bundle DIR --subject her.json"
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
    /// One item of the queue, with what the same user did around it
    #[command(after_help = "Example: firedoor audit open 01J... --bundle bundles/ig")]
    Open { id: String },
    /// Flag a person, so that your own workers' attempts about her come to your queue
    #[command(
        after_help = "Example: firedoor audit flag her.json --user j-pell --bundle bundles/ig\nThe \
        file holds her identity. With --user she is one of your own workers, and her family counts."
    )]
    Flag {
        /// Her identity as JSON, or - for standard input
        file: String,
        /// Her user name, if she works for your organisation
        #[arg(long)]
        user: Option<String>,
        /// Until the flag ends by itself, at most 730
        #[arg(long)]
        days: Option<u16>,
    },
    /// Propose to open the seal on whom an entry is about
    #[command(
        after_help = "Example: firedoor audit seal 184220 complaint --bundle bundles/ig\nA person of \
        another organisation must approve it. Reasons: misuse, complaint, safeguarding_review, \
        subject_access, regulator_order."
    )]
    Seal { entry: u64, reason: String },
    /// Whom an entry is about, once, under your own organisation's name for her
    #[command(
        after_help = "Example: firedoor audit person 184220 01J... --bundle bundles/ig\nWithin seven \
        days of the approval of your proposal."
    )]
    Person { entry: u64, proposal: String },
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
    /// The log as files for outsiders, or its entries in a format that other systems read
    #[command(
        after_help = "Example: firedoor audit export --log export --bundle bundles/ig\n\
        Then: firedoor-verify log export --key gateway.vkey\n\
        Example: firedoor audit export --format csv --from 2026-10-01T00:00:00Z > october.csv"
    )]
    Export {
        /// Folder for checkpoint and tiles
        #[arg(
            long,
            value_name = "DIR",
            conflicts_with = "format",
            required_unless_present = "format"
        )]
        log: Option<PathBuf>,
        /// Entries that you may see, as they are written to standard output
        #[arg(long, value_enum)]
        format: Option<Format>,
        /// Only what is about one person: her identity as JSON
        #[arg(long, value_name = "FILE", conflicts_with = "log")]
        subject: Option<String>,
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Evidence for someone outside: entries with their proofs, and how to check them, as a folder
    #[command(
        after_help = "Example: firedoor audit bundle evidence --of pc-ward --bundle bundles/ig\n\
        Then: firedoor-verify bundle evidence --key gateway.vkey"
    )]
    Bundle {
        /// A folder that does not exist yet, or is empty
        dir: PathBuf,
        /// Only what is about one person: her identity as JSON
        #[arg(long, value_name = "FILE")]
        subject: Option<String>,
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// What a month came to, for your board
    #[command(after_help = "Example: firedoor audit figures 2026-10 --bundle bundles/ig")]
    Figures {
        /// As 2026-10
        month: String,
    },
}

/// A page of entries.
pub fn list_path(filter: &FilterArgs) -> Result<String, ClientFault> {
    let max = filter.max.map(|max| max.to_string());
    let pairs = [
        ("user", &filter.of),
        ("action", &filter.action),
        ("outcome", &filter.outcome),
        ("purpose", &filter.why),
        ("organisation", &filter.organisation),
        ("person", &filter.person),
        ("identity", &filter.identity),
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

/// Where entries come from: the lists, or what is about one person.
///
/// # Errors
/// [`ClientFault`] if a filter is not plain or the file cannot be read.
pub fn source(filter: &FilterArgs, subject: Option<&str>) -> Result<Source, ClientFault> {
    let Some(file) = subject else {
        return Ok(Source::list(list_path(filter)?));
    };
    let mut body = subject_body(file)?;
    let set = [
        ("user", &filter.of),
        ("action", &filter.action),
        ("outcome", &filter.outcome),
        ("purpose", &filter.why),
        ("organisation", &filter.organisation),
        ("identity", &filter.identity),
        ("from", &filter.from),
        ("to", &filter.to),
    ];
    let set = set.into_iter().filter_map(|(name, value)| {
        let value = value.as_ref()?;
        Some((name.to_owned(), json!(value)))
    });
    if let Value::Object(map) = &mut body {
        map.insert("filter".to_owned(), Value::Object(set.collect()));
    }
    Ok(Source::subject(body))
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

/// What to post to flag one person.
pub fn flag_body(file: &str, user: Option<&str>, days: Option<u16>) -> Result<Value, ClientFault> {
    let mut body = subject_body(file)?;
    if let Value::Object(map) = &mut body {
        map.extend(user.map(|user| ("user".to_owned(), json!(user))));
        map.extend(days.map(|days| ("days".to_owned(), json!(days))));
    }
    Ok(body)
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
