//! `firedoor demo`: a small borough, a real gateway, and the story that shows what it does.
//!
//! Everything is made anew in a folder of its own and is invented. The story is played by clients
//! that know no more than an agency does; a step that does not do what it should is told, and
//! `--once` then exits with 1.

pub mod borough;
pub mod people;
mod proof;
mod responder;
mod story;
mod transcript;
mod witnesses;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

use crate::edge::client::ClientError;
use crate::edge::tls::TlsError;
use crate::ops::cli::CommandResult;
use crate::ops::client::ClientFault;
use crate::ops::client::caller::GatewayUrl;
use crate::ops::client::witnessing::state::StateFault;
use crate::ops::config::{Config, ConfigError};
use crate::ops::keys::{KeyError, RootKey, log_key};
use crate::ops::pki::PkiError;
use crate::ops::serve::{self, ServeError};
use crate::pipeline::Unfounded;
use borough::{Borough, P12_PASSWORD, TRUST_DOMAIN, folder, write};
use people::{TEST_PEOPLE, referral};
use proof::{KEY_FILE, Verifier};
use story::{LAST_LINE, Story};
use transcript::Transcript;
use witnesses::POLICY_FILE;

const ORIGIN: &str = "demo.firedoor.example/log";
const CONFIG_FILE: &str = "firedoor.toml";

/// Play the story of one woman and seven organisations, then serve
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Needs no network and no server. It ends with 0 only if every step did \
                        what it should.\n\nExample: firedoor demo --once\n\
                        Example: firedoor demo --keep try/"
)]
pub struct Args {
    /// Stop after the story
    #[arg(long)]
    once: bool,
    /// Keep keys, bundles and data in this new or empty folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Where to listen on 127.0.0.1; 0 takes any free port
    #[arg(long, default_value_t = 8443)]
    port: u16,
}

/// Why the demo cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("port {0} is taken: end the program that uses it, or choose another with --port")]
    PortTaken(u16),
    #[error("{0} is not empty: name a new folder")]
    NotEmpty(PathBuf),
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    #[error("{0} is not there: build it with cargo build --bins")]
    NoVerifier(PathBuf),
    #[error("the operating system gives no randomness")]
    NoRandomness,
    #[error("{0}")]
    Story(&'static str),
    #[error("the operating system refused: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Founding(#[from] Unfounded),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Fault(#[from] ClientFault),
    #[error(transparent)]
    Witness(#[from] StateFault),
}

/// The folder of one demo. Unless it is kept, it goes when the demo ends.
struct Place {
    dir: PathBuf,
    kept: bool,
}

impl Place {
    fn new(keep: Option<&Path>) -> Result<Self, DemoError> {
        match keep {
            Some(dir) => {
                folder(dir)?;
                let fault = |error| DemoError::File(dir.to_owned(), error);
                // A relative path would lead elsewhere once the reader changes folder.
                let dir = std::fs::canonicalize(dir).map_err(fault)?;
                if std::fs::read_dir(&dir).map_err(fault)?.next().is_some() {
                    return Err(DemoError::NotEmpty(dir));
                }
                Ok(Self { dir, kept: true })
            }
            None => {
                let mut bytes = [0; 8];
                getrandom::fill(&mut bytes).map_err(|_| DemoError::NoRandomness)?;
                let name = format!("firedoor-demo-{:016x}", u64::from_be_bytes(bytes));
                let dir = std::env::temp_dir().join(name);
                folder(&dir)?;
                Ok(Self { dir, kept: false })
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing more can be done about a folder that does not go.
            drop(std::fs::remove_dir_all(&self.dir));
        }
    }
}

/// The whole command.
pub fn run(args: &Args) -> CommandResult {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let held = runtime.block_on(play(args, io::stdout()))?;
    Ok(if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Plays, and serves unless told not to; whether every step did what it should.
async fn play(args: &Args, out: impl Write) -> Result<bool, DemoError> {
    let verifier = Verifier::find()?;
    let place = Place::new(args.keep.as_deref())?;
    let (config, port) = prepare(&place.dir, args.port).await?;
    let url = format!("https://localhost:{port}");
    let borough = Borough::make(&place.dir, &url)?;
    let mut running = serve::start(&config).await.map_err(|error| match error {
        ServeError::Listen { key: "listen", .. } => DemoError::PortTaken(port),
        other => other.into(),
    })?;
    running.app.gateway.found(&borough.founding()?).await?;
    let gateway = GatewayUrl::parse(&url)?;
    let mut told = Transcript::new(out, false);
    open(&mut told, &url)?;
    let mut story = Story::new(&borough, gateway.clone(), told);
    let played = story.play(&verifier).await;
    let mut told = story.told;
    played?;
    told.line("")?;
    for failed in told.failed.clone() {
        told.line(&format!("NOT SO, {failed}"))?;
    }
    if !args.once {
        look_around(&mut told, &place, &borough, &url)?;
    }
    // Before the last line: whoever reads it may press Ctrl-C at once.
    let mut interrupted = signal(SignalKind::interrupt())?;
    told.line(LAST_LINE)?;
    told.flush()?;
    if !args.once {
        tokio::select! {
            _ = interrupted.recv() => {}
            ended = running.ended() => ended?,
            // Without its other side the gateway still serves.
            () = test_desks(&borough, &gateway) => {}
        }
    }
    let held = told.failed.is_empty();
    running.stop().await?;
    Ok(held)
}

/// Keys and configuration. The port is found out here, because the bundles name it.
pub(super) async fn prepare(dir: &Path, port: u16) -> Result<(Config, u16), DemoError> {
    folder(&dir.join("keys"))?;
    let root = RootKey::create(&dir.join("keys/root.key"))?;
    let vkey = log_key(&root, ORIGIN)?.verifier().vkey();
    write(&dir.join(KEY_FILE), format!("{vkey}\n").as_bytes())?;
    witnesses::make(dir, &dir.join(KEY_FILE))?;
    // Taken and given back: it is taken again in a moment.
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let found = tokio::net::TcpListener::bind(address).await;
    let port = found
        .and_then(|listener| listener.local_addr())
        .map_err(|_| DemoError::PortTaken(port))?
        .port();
    let text = format!(
        "# The demo's gateway. Run it again with: firedoor serve --config {CONFIG_FILE}\n\
         listen = \"127.0.0.1:{port}\"\n\
         admin_listen = \"127.0.0.1:0\"\n\
         public_host = \"localhost\"\n\
         data_dir = \"data\"\n\n\
         [tls]\ncertificate = \"tls/server.pem\"\nkey = \"tls/server.key\"\n\
         client_ca = \"ca/ca.pem\"\ncrl = \"ca/crl.pem\"\ntrust_domain = \"{TRUST_DOMAIN}\"\n\n\
         [keys]\npath = \"keys/root.key\"\nslots = \"keys/slots\"\n\n\
         [log]\norigin = \"{ORIGIN}\"\npolicy = \"{POLICY_FILE}\"\n\n\
         [renewals]\nca = \"ca\"\n"
    );
    let file = dir.join(CONFIG_FILE);
    write(&file, text.as_bytes())?;
    Ok((Config::parse(&text, &file)?, port))
}

fn open<W: Write>(told: &mut Transcript<W>, url: &str) -> io::Result<()> {
    told.line("Firedoor: one woman, seven organisations, twelve steps")?;
    told.line(&format!(
        "Everyone in it is invented. Each request is a real one, over TLS with the caller's own \
         certificate, to the gateway at {url}. Every line marked ok was checked as it was printed."
    ))
}

/// Where to look, once the story is over.
fn look_around<W: Write>(
    told: &mut Transcript<W>,
    place: &Place,
    borough: &Borough,
    url: &str,
) -> Result<(), DemoError> {
    let dir = place.dir.display();
    let trials = place.dir.join("try");
    folder(&trials)?;
    told.line(&format!("The gateway serves at {url} until Ctrl-C."))?;
    told.line(&format!("Folder:   {dir}"))?;
    let names: Vec<&str> = borough.bundles().map(|(bundle, _)| bundle).collect();
    told.line(&format!(
        "Bundles:  {dir}/bundles/ with {}",
        names.join(", ")
    ))?;
    told.line("Try:")?;
    told.line(&format!(
        "  firedoor client --bundle {dir}/bundles/larkfield inbox"
    ))?;
    told.line(&format!(
        "  firedoor audit --bundle {dir}/bundles/st-hildas-ig list"
    ))?;
    let bundle = format!("{dir}/bundles/met");
    told.line(&format!(
        "  curl --cacert {bundle}/ca.pem --cert {bundle}/client.pem --key {bundle}/client.key \
         -H 'Firedoor-User: ref=pc-ward;role=officer' {url}/v1/me"
    ))?;
    if place.kept {
        borough.for_browsers()?;
        let person = format!("{dir}/bundles/larkfield-browser");
        told.line(&format!(
            "Pages: import {person}/larkfield-browser.p12 into a browser (password: {P12_PASSWORD}), \
             open {url}; the six digits are those of {person}/totp.secret in any authenticator"
        ))?;
    }
    told.line("Test people, whose other side is played for you while this serves:")?;
    for person in &TEST_PEOPLE {
        let file = trials.join(format!("{}.json", person.outcome));
        let reported = crate::ops::clock::now().plus_hours(-1);
        let body = referral(person.service, &person.identity(), reported, None);
        let text = serde_json::to_string_pretty(&body).unwrap_or_default();
        write(&file, text.as_bytes())?;
        told.line(&format!("  {:<10} {}", person.outcome, person.says))?;
    }
    told.line(&format!(
        "  firedoor client --bundle {bundle} offer {}/full.json",
        trials.display()
    ))?;
    if !place.kept {
        told.line("The folder goes when the demo ends; --keep DIR keeps it.")?;
    }
    told.line("")?;
    Ok(())
}

/// Plays the other side of the test people for as long as the gateway answers.
async fn test_desks(borough: &Borough, url: &GatewayUrl) {
    if let Err(error) = responder::play(borough, url).await {
        tracing::warn!(%error, "the test desks are closed");
    }
    // The gateway goes on serving without them.
    std::future::pending::<()>().await;
}
