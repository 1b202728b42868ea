//! `firedoor init`: a new gateway in a folder of its own, ready to serve.
//!
//! It asks nothing, takes no secret as an argument, and never overwrites: a folder that holds
//! anything is refused. The first people are named here, of two organisations, because afterwards
//! nobody can bring in anyone alone (P11).

mod founders;
mod house;

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::cli::{CommandError, CommandResult};
use super::clock::now;
use super::config::Config;
use super::gateway;
use super::keys::{RootKey, forbid_core_dumps, log_key};

use founders::{Founder, Founders};
pub use house::{House, Plan};

/// Make a new gateway in a new folder, with keys, an authority, and its first people
#[derive(clap::Args)]
#[command(after_help = "\
The operator may only govern. Name at least one more person, of another organisation: she approves \
what the operator proposes, and the other way round.\n\n\
Example: firedoor init /etc/firedoor --host gateway.example.org --operator borough:it:s-khan \
--approver haven:refuge:managers:j-obi --approver dpc:reviewer:office:a-lee")]
pub struct Args {
    /// Folder to make; or an empty one
    dir: PathBuf,
    /// A name under which clients reach the gateway; may be repeated. The first one names the log
    #[arg(long, required = true)]
    host: Vec<String>,
    /// An address that may stand in place of the name; may be repeated
    #[arg(long)]
    address: Vec<IpAddr>,
    /// The log's name, for ever; by default the first host name with "/log"
    #[arg(long)]
    origin: Option<String>,
    #[arg(long, default_value = "0.0.0.0:8443")]
    listen: SocketAddr,
    /// The operator's first person, as ORGANISATION:TEAM:USER
    #[arg(long, value_name = "ORG:TEAM:USER")]
    operator: String,
    /// A first person of another organisation, as ORGANISATION:KIND:TEAM:USER; may be repeated.
    /// One of kind `reviewer` sees every odd access
    #[arg(long, required = true, value_name = "ORG:KIND:TEAM:USER")]
    approver: Vec<String>,
}

pub fn run(args: &Args) -> CommandResult {
    let mut people = vec![Founder::operator(&args.operator)?];
    for approver in &args.approver {
        people.push(Founder::approver(approver)?);
    }
    let founders = Founders::new(people)?;
    let first_host = args.host.first().ok_or("name a host")?;
    let plan = Plan {
        origin: args
            .origin
            .clone()
            .unwrap_or_else(|| format!("{first_host}/log")),
        hosts: args.host.clone(),
        addresses: args.address.clone(),
        listen: args.listen,
    };
    forbid_core_dumps()?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(make(&args.dir, &plan, founders, &mut io::stdout().lock()))?;
    Ok(ExitCode::SUCCESS)
}

async fn make(
    dir: &Path,
    plan: &Plan,
    founders: Founders,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let house = House::make(dir, plan, now())?;
    furnish(&house, plan, founders, out).await.map_err(|error| {
        let dir = dir.display();
        format!("{error}; {dir} is unfinished: remove it and run init again").into()
    })
}

/// The first people, the first entry of the log, and what to do next.
async fn furnish(
    house: &House,
    plan: &Plan,
    founders: Founders,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let config = Config::read(&house.config)?;
    let admitted = founders.admit(house, &config, now())?;
    let gateway = gateway::open(&config).await?;
    let founded = gateway.found(&admitted.founding).await;
    gateway.store.close().await?;
    founded?;
    let key = log_key(&RootKey::read(&config.key_path)?, &config.origin)?;
    house.write_verifier(&key.verifier().vkey())?;
    let port = config.listen.port();
    let address = plan.hosts.first().map_or("localhost", String::as_str);
    for person in &admitted.people {
        person.tell(out, &format!("{address}:{port}"))?;
    }
    house.tell_next_steps(out)?;
    Ok(())
}

#[cfg(test)]
mod tests;
