//! `firedoor client`, `org`, `team`, `agreement`, `audit` and `log`: the API from a shell, over mTLS.
//!
//! An agency without integration works with these. They keep nothing but receipts and, beside the
//! key, a session; what a reply says about a person goes to standard output and nowhere else.

pub mod agency;
pub mod auditing;
pub mod bundle;
pub mod caller;
pub mod comparing;
pub mod custody;
pub mod emergencies;
pub mod export;
pub mod governing;
mod input;
mod queue;
pub mod receipts;
pub mod reconciling;
pub mod reporting;
pub mod sealed_items;
pub mod subject_access;
pub mod succeeding;
pub mod witnessing;
pub mod words;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::edge::client::ClientError;
use crate::edge::tls::TlsError;
use crate::ops::cli::CommandResult;
use agency::ClientCommand;
use auditing::AuditCommand;
use bundle::{ConnectionArgs, totp_code};
use caller::{Ask, BodyKind, Caller, Said};
use governing::{AgreementCommand, Change, OrgCommand, TeamCommand};
use input::{read, read_text};
use reconciling::ReconcileArgs;
use reporting::{Work, pages};
use sealed_items::{SealFault, Sealing};

/// Why a command could not be carried out. A refusal of the gateway is not among these.
#[derive(Debug, thiserror::Error)]
pub enum ClientFault {
    #[error("there is a custody key already: {}", .0.display())]
    CustodyKeyExists(PathBuf),
    #[error("this is sealed to your organisation's own key: give --bundle with its custody.key")]
    NoCustodyKey,
    #[error("the box does not open with the custody key in this bundle")]
    BoxClosed,
    #[error("name a certificate: --bundle DIR, or --cert, --key and --ca")]
    NoCertificate,
    #[error("the address must look like https://localhost:8443")]
    Url,
    #[error("{0} cannot be found: {1}")]
    Host(String, #[source] io::Error),
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    #[error("{0} is larger than 17 MiB")]
    TooLarge(PathBuf),
    #[error("{0} is not UTF-8 text")]
    NotText(PathBuf),
    #[error("{0} is not JSON")]
    NotJson(PathBuf),
    #[error("{0}: {1}")]
    Bundle(PathBuf, String),
    #[error("{0}: {1}")]
    Policies(PathBuf, String),
    #[error("after a file nothing follows; a folder follows the word policy")]
    NotPolicy,
    #[error("{0} holds no secret of a second factor (base32)")]
    Totp(PathBuf),
    #[error("{0} may hold letters, digits and . : _ @ - only")]
    NotPlain(&'static str),
    #[error("an id is 26 letters and digits")]
    NotId,
    #[error("give the code, or --totp-secret-file in a demo")]
    NoCode,
    #[error("the gateway does not show its log, or it is too large for one command")]
    Log,
    #[error("{0} holds no trail key: 64 hexadecimal digits, from `firedoor audit trail`")]
    NotTrail(PathBuf),
    #[error("{0} holds no C2SP verifier key of a log")]
    NotLogKey(PathBuf),
    #[error("{0} is not what was kept of a withdrawal: restore it from a copy, or move it away")]
    NotKept(PathBuf),
    #[error("{0} exists and is not empty: name another folder")]
    NotEmpty(PathBuf),
    #[error("the gateway's reply is not what was asked for; is it of the same version?")]
    Reply,
    #[error("name the folder of your receipts: --receipts DIR, or --bundle DIR")]
    NoReceipts,
    #[error("the operating system gives no randomness")]
    NoRandomness,
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
    #[error(transparent)]
    Seal(#[from] SealFault),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Figures that are still being counted are asked for again so often, after so long.
const COUNTING_MAX: u32 = 120;
const COUNTING_PAUSE: Duration = Duration::from_millis(500);

/// What came of a command: the exit status says it to scripts.
enum Outcome {
    Done,
    /// The gateway answered, and refused.
    Refused,
}

/// Work as an agency from the shell: offer, accept, ask, withdraw
#[derive(Args, Debug)]
#[command(
    after_help = "FILE is JSON as in /v1/openapi.json, or - for standard input.\n\n\
                        Example: firedoor client inbox --bundle bundles/larkfield"
)]
pub struct ClientArgs {
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(subcommand)]
    pub command: ClientCommand,
}

/// A group of commands about governance or the log.
#[derive(Args, Debug)]
pub struct GroupArgs<C: Subcommand> {
    #[command(flatten)]
    pub connection: ConnectionArgs,
    #[command(subcommand)]
    pub command: C,
}

/// One request of the command line, or the whole log as files.
pub struct Request {
    path: String,
    body: Option<Vec<u8>>,
    kind: BodyKind,
    strict: bool,
    export: Option<PathBuf>,
    reconcile: Option<ReconcileArgs>,
    /// Where the organisation's trail key goes.
    trail: Option<PathBuf>,
    /// A text of the reply that is shown alone, so that it can be a file of its own.
    alone: Option<&'static str>,
    /// More than one request, by the rules of [`reporting`].
    work: Option<Work>,
    /// The same, by those of [`sealed_items`].
    sealing: Option<Sealing>,
}

impl Request {
    /// Of `firedoor client ...`.
    ///
    /// # Errors
    /// [`ClientFault`] if a file cannot be read or an id is none.
    pub fn client(args: &ClientArgs) -> Result<Self, ClientFault> {
        args.command.request(&args.connection)
    }

    /// Of `firedoor org ...`.
    ///
    /// # Errors
    /// [`ClientFault`] if a file cannot be read.
    pub fn org(args: &GroupArgs<OrgCommand>) -> Result<Self, ClientFault> {
        Ok(Self::change(args.command.change()?))
    }

    /// Of `firedoor team ...`.
    pub fn team(args: &GroupArgs<TeamCommand>) -> Self {
        Self::change(args.command.change())
    }

    /// Of `firedoor agreement ...`.
    ///
    /// # Errors
    /// [`ClientFault`] if a file cannot be read.
    pub fn agreement(args: &GroupArgs<AgreementCommand>) -> Result<Self, ClientFault> {
        Ok(Self::change(args.command.change()?))
    }

    /// Of `firedoor audit ...`.
    ///
    /// # Errors
    /// [`ClientFault`] if a file cannot be read or a filter is not plain.
    pub fn audit(args: &GroupArgs<AuditCommand>) -> Result<Self, ClientFault> {
        Ok(match &args.command {
            AuditCommand::List { filter, all: false } => Self::get(auditing::list_path(filter)?),
            AuditCommand::List { filter, all: true } => {
                Self::work(Work::List(auditing::source(filter, None)?))
            }
            AuditCommand::User { worker, filter } => {
                let filter = auditing::FilterArgs {
                    of: Some(worker.clone()),
                    ..filter.clone()
                };
                Self::work(Work::List(auditing::source(&filter, None)?))
            }
            AuditCommand::Subject { file } => {
                let filter = auditing::FilterArgs::default();
                Self::work(Work::List(auditing::source(&filter, Some(file))?))
            }
            AuditCommand::Report(report) => Self {
                alone: Some("report"),
                ..Self::post("/v1/audit/reports", &report.body()?)
            },
            AuditCommand::Queue => Self::get("/v1/audit/queue"),
            AuditCommand::Open { id: text } => Self::get(format!("/v1/audit/queue/{}", id(text)?)),
            AuditCommand::Flag { file, user, days } => Self::post(
                "/v1/audit/flags",
                &auditing::flag_body(file, user.as_deref(), *days)?,
            ),
            AuditCommand::Person { entry, proposal } => Self::get(format!(
                "/v1/audit/entries/{entry}/person?proposal={}",
                id(proposal)?
            )),
            AuditCommand::Seal { entry, reason } => Self::post(
                "/v1/proposals",
                &json!({ "change": "open_seal", "entry": entry, "reason": reason }),
            ),
            AuditCommand::SignOff { id: text, decision } => Self::post(
                format!("/v1/audit/queue/{}", id(text)?),
                &json!({ "decision": decision }),
            ),
            AuditCommand::Trail { file } => Self {
                trail: Some(file.clone()),
                ..Self::get("/v1/audit/trail")
            },
            AuditCommand::Export {
                log, format: None, ..
            } => Self {
                export: log.clone(),
                ..Self::get("/log/checkpoint")
            },
            AuditCommand::Export {
                format: Some(format),
                subject,
                filter,
                ..
            } => {
                let source = auditing::source(filter, subject.as_deref())?;
                Self::work(Work::Export(source, *format))
            }
            AuditCommand::Bundle {
                dir,
                subject,
                filter,
            } => {
                let source = auditing::source(filter, subject.as_deref())?;
                Self::work(Work::Bundle(source, dir.clone()))
            }
            AuditCommand::Figures { month } => Self::get(reporting::figures_path(month)?),
        })
    }

    fn change(change: Change) -> Self {
        match change.body {
            Some(body) => Self::post(change.path, &body),
            None => Self::get(change.path),
        }
    }

    fn get(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            body: None,
            kind: BodyKind::Json,
            strict: false,
            export: None,
            reconcile: None,
            trail: None,
            alone: None,
            work: None,
            sealing: None,
        }
    }

    fn work(work: Work) -> Self {
        Self {
            work: Some(work),
            ..Self::get("/v1/audit/entries")
        }
    }

    fn post(path: impl Into<String>, body: &Value) -> Self {
        Self {
            body: Some(body.to_string().into_bytes()),
            ..Self::get(path)
        }
    }
}

/// An id as part of a path: nothing else may come in there.
fn id(text: &str) -> Result<&str, ClientFault> {
    let plain = text.len() <= 40 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    (plain && !text.is_empty())
        .then_some(text)
        .ok_or(ClientFault::NotId)
}

/// The whole command: 0 done, 1 refused.
pub fn run(connection: &ConnectionArgs, request: Result<Request, ClientFault>) -> CommandResult {
    let request = request?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(once(connection, request, &mut io::stdout().lock()))?;
    Ok(match outcome {
        Outcome::Done => ExitCode::SUCCESS,
        Outcome::Refused => ExitCode::FAILURE,
    })
}

async fn once(
    connection: &ConnectionArgs,
    request: Request,
    out: &mut impl Write,
) -> Result<Outcome, ClientFault> {
    let mut caller = connection.connect().await?;
    if let Some(dir) = &request.export {
        let entries = export::log(&mut caller, dir).await?;
        let dir = dir.display();
        writeln!(
            out,
            "{entries} entries are in {dir}. Check them: firedoor-verify log {dir} --key FILE"
        )?;
        return Ok(Outcome::Done);
    }
    if let Some(args) = &request.reconcile {
        return reconciling::reconcile(connection, &mut caller, args, out).await;
    }
    if let Some(work) = &request.work {
        let mut desk = pages::Desk {
            connection,
            caller: &mut caller,
        };
        return match work {
            Work::List(source) => pages::list(&mut desk, source, out).await,
            Work::Export(source, format) => {
                reporting::export::write(&mut desk, source, *format, out).await
            }
            Work::Bundle(source, dir) => {
                reporting::bundle::write(&mut desk, source, dir, out).await
            }
        };
    }
    if let Some(sealing) = &request.sealing {
        return sealed_items::run(connection, &mut caller, sealing, out).await;
    }
    let mut said = signed_in(connection, &mut caller, &request).await?;
    for _ in 0..COUNTING_MAX {
        if said.body.pointer("/figures/whole") != Some(&Value::Bool(false)) {
            break;
        }
        // A long month is counted behind the answer.
        tokio::time::sleep(COUNTING_PAUSE).await;
        said = signed_in(connection, &mut caller, &request).await?;
    }
    connection.keep_session(&caller)?;
    custody::open(connection.bundle.as_ref(), &mut said)?;
    // What is given for a withdrawal is kept unasked: it may be needed after a restore.
    let withdrew = said
        .bodies()
        .iter()
        .any(|body| body.get("replay").is_some());
    let dir = match withdrew {
        true => connection.receipts_dir(),
        false => connection.receipts.clone(),
    };
    let kept = match dir {
        Some(dir) => receipts::keep_all(&dir, &said)?,
        None => None,
    };
    if let (Some(path), Some(key)) = (&request.trail, said.text("/trail_key")) {
        receipts::write_own(path, format!("{key}\n").as_bytes())?;
        writeln!(
            out,
            "Your organisation's trail key is in {}",
            path.display()
        )?;
        return Ok(Outcome::Done);
    }
    match request.alone.and_then(|name| said.body.get(name)) {
        Some(Value::String(text)) if !connection.json => {
            out.write_all(words::page(text).as_bytes())?
        }
        Some(_) | None => print(connection, &said, out)?,
    }
    if let (Some(path), false) = (kept, connection.json) {
        writeln!(out, "Receipt kept in {}", path.display())?;
    }
    if withdrew && connection.receipts_dir().is_none() && !connection.json {
        writeln!(
            out,
            "Nothing of it is kept here: give --receipts DIR, so that it can be handed in again \
             should the gateway be restored from a copy."
        )?;
    }
    Ok(if said.refused() {
        Outcome::Refused
    } else {
        Outcome::Done
    })
}

/// Asks, and in a demo shows the second factor first where one is needed; a person types hers.
async fn signed_in(
    connection: &ConnectionArgs,
    caller: &mut Caller,
    request: &Request,
) -> Result<Said, ClientFault> {
    let said = send(connection, caller, request).await?;
    let secret = connection.totp_secret();
    let Some(secret) = secret.filter(|_| said.result() == "second-factor-needed") else {
        return Ok(said);
    };
    caller.session = None;
    let code = json!({ "code": totp_code(&secret)? });
    let opened = caller.post("/v1/second-factor", &code).await?;
    match opened.refused() {
        true => Ok(opened),
        false => send(connection, caller, request).await,
    }
}

async fn send(
    connection: &ConnectionArgs,
    caller: &mut Caller,
    request: &Request,
) -> Result<Said, ClientFault> {
    caller
        .ask(Ask {
            path: &request.path,
            body: request.body.clone(),
            kind: request.kind,
            purpose: connection.purpose.as_deref(),
            key: connection.idempotency_key.as_deref(),
            strict: request.strict,
            session: None,
        })
        .await
}

fn print(
    connection: &ConnectionArgs,
    said: &Said,
    out: &mut impl Write,
) -> Result<(), ClientFault> {
    if connection.json {
        out.write_all(said.bytes.trim_ascii_end())?;
        writeln!(out)?;
    } else if said.body.is_null() {
        // Many referrals: one reply a line.
        for body in said.bodies() {
            let status = body.get("status_code").and_then(Value::as_u64);
            let status = status.and_then(|status| u16::try_from(status).ok());
            out.write_all(words::tell(status.unwrap_or(said.status), &body).as_bytes())?;
        }
    } else {
        out.write_all(words::tell(said.status, &said.body).as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        client: ClientArgs,
    }

    #[derive(Parser, Debug)]
    struct AuditLine {
        #[command(flatten)]
        audit: GroupArgs<AuditCommand>,
    }

    fn request(line: &str) -> Result<Request, String> {
        let words = std::iter::once("client").chain(line.split(' '));
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        let ClientArgs {
            connection,
            command,
        } = line.client;
        command
            .request(&connection)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_command_parses_and_has_an_example() {
        Line::command().debug_assert();
        AuditLine::command().debug_assert();
        for command in Line::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let name = command.get_name();
            assert!(help.contains("Example: "), "{name}");
            assert!(help.contains(&format!("firedoor client {name}")), "{name}");
        }
    }

    #[test]
    fn options_may_stand_before_and_after_the_command() {
        for line in [
            "--bundle b status 0123456789ABCDEFGHJKMNPQRS",
            "status 0123456789ABCDEFGHJKMNPQRS --bundle b",
        ] {
            let request = request(line).unwrap();
            assert_eq!(request.path, "/v1/referrals/0123456789ABCDEFGHJKMNPQRS");
        }
    }

    #[test]
    fn an_id_cannot_lead_to_another_path() {
        for bad in ["../me", "a/b", "a?check=only", "", "é"] {
            assert!(request(&format!("status {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn accepting_says_what_was_ticked() {
        let body = |line| {
            let body = request(line).unwrap().body.unwrap();
            serde_json::from_slice::<Value>(&body).unwrap()
        };
        let ticked = body("accept ABC --worker r-osei --onward-rule-accepted");
        assert_eq!(ticked["onward_rule_accepted"], json!(true));
        let not = body("accept ABC --worker r-osei");
        assert_eq!(not["onward_rule_accepted"], json!(false));
    }

    #[test]
    fn a_folder_of_policies_is_proposed_whole_with_its_proof_and_its_lists_of_words() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
        let names = |line: &str| {
            let body = request(line).unwrap().body.unwrap();
            assert!(body.len() < crate::edge::server::BODY_BYTES_MAX);
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["change"], "change_policy");
            let files = body["rulebook"].as_array().unwrap().iter();
            let names = files.map(|file| file["name"].as_str().unwrap().to_owned());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        let folder = names(&format!("propose policy {dir}"));
        assert_eq!(folder, names("propose policy"));
        assert!(folder.contains("proof.json") && folder.contains("lexicon.toml"));
        assert!(request("propose a.json b").is_err());
    }

    #[test]
    fn a_query_needs_her_reference_or_a_file() {
        assert!(request("query").is_err());
        let body = request("query --person ABC").unwrap().body.unwrap();
        assert_eq!(body, br#"{"person":"ABC","step":"exists"}"#);
        let line = "query --person ABC --step answers --assessment DEF";
        let body = request(line).unwrap().body.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            json!({ "assessment": "DEF", "person": "ABC", "step": "answers" })
        );
    }
}
