//! What is written about the log, from a shell: the report that a person asks for, figures,
//! evidence as a folder, and exports. Lists are followed to their last page.

pub mod bundle;
pub mod export;
pub mod pages;

use clap::Args;
use serde_json::{Value, json};

use super::ClientFault;
use super::auditing::subject_body;

/// `firedoor audit report`
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// Her identity as JSON, or - for standard input
    pub file: String,
    /// Given to her own solicitor in person; specialist services are then named
    #[arg(long)]
    pub to_solicitor: bool,
    /// Name your own workers, and why: essential_to_her_rights, staff_agreed or ordered
    #[arg(long, value_name = "REASON")]
    pub name_workers: Option<String>,
    /// An organisation that has given her its own part of the answer; may be repeated
    #[arg(long, value_name = "ORGANISATION")]
    pub answered: Vec<String>,
}

impl ReportArgs {
    /// What to post.
    ///
    /// # Errors
    /// [`ClientFault`] if the file cannot be read.
    pub fn body(&self) -> Result<Value, ClientFault> {
        let mut body = subject_body(&self.file)?;
        if let Value::Object(map) = &mut body {
            map.insert("identity_checked".to_owned(), json!(true));
            let to = if self.to_solicitor {
                "her_solicitor"
            } else {
                "herself"
            };
            map.insert("handed_to".to_owned(), json!(to));
            if let Some(reason) = &self.name_workers {
                map.insert("staff_names".to_owned(), json!(reason));
            }
            map.insert("answered".to_owned(), json!(self.answered));
        }
        Ok(body)
    }
}

/// Work that takes more than one request.
#[derive(Clone, Debug)]
pub enum Work {
    /// All pages, one after the other.
    List(pages::Source),
    Export(pages::Source, export::Format),
    Bundle(pages::Source, std::path::PathBuf),
}

/// A month in a path: nothing else may come in there.
///
/// # Errors
/// [`ClientFault::NotPlain`].
pub fn figures_path(month: &str) -> Result<String, ClientFault> {
    let plain = month.len() == 7 && month.chars().all(|c| c.is_ascii_digit() || c == '-');
    plain
        .then(|| format!("/v1/audit/figures?month={month}"))
        .ok_or(ClientFault::NotPlain("month"))
}
