//! `firedoor cert`: certificates for agencies, systems, people and the gateway itself.
//!
//! A certificate only says who calls. What its holder may do is a fact in the store, which a
//! second organisation approves (P11): issuing one opens nothing by itself. Passwords are made
//! here and shown once; none is taken as an argument.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use zeroize::Zeroizing;

use super::cli::{CommandError, CommandResult};
use super::client::custody;
use super::clock::now;
use super::config::Config;
use super::pki::{
    BundleForm, CERTIFICATE_DAYS, Ca, Issued, Kind, Listed, Profile, REVOCATION_LIST_DAYS, Serial,
    key_and_csr, pkcs12, write_secret,
};
use crate::domain::handover::password;
use crate::domain::id::{OrgId, TeamId, UserId};
use crate::domain::peer::SpiffeName;
use crate::domain::time::When;

/// Make, hand over, take back and list certificates
#[derive(clap::Args)]
#[command(
    after_help = "Example: firedoor cert bundle --ca ca --trust-domain gateway.example.org \
                        --org refuge --team intake --user j-obi --out j-obi"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a certificate authority in a new folder
    #[command(after_help = "Example: firedoor cert ca --dir ca --name \"Borough clients 2026\"")]
    Ca {
        /// Folder to make; keep it away from the gateway's data and back it up in a safe
        #[arg(long)]
        dir: PathBuf,
        /// Its name, as people see it in a browser; each authority needs one of its own
        #[arg(long)]
        name: String,
        #[arg(long, default_value_t = 3_650)]
        days: u32,
    },
    /// Make a key and a request for a certificate; the key never leaves this machine
    #[command(
        after_help = "Example: firedoor cert request --name refuge-cms --key refuge.key \
                            --out refuge.csr"
    )]
    Request {
        /// What to call it; the certificate's real name is given by who issues it
        #[arg(long)]
        name: String,
        /// Where to write the key (mode 0600)
        #[arg(long)]
        key: PathBuf,
        /// Where to write the request, for the operator of the gateway
        #[arg(long)]
        out: PathBuf,
    },
    /// Issue a certificate for a request
    #[command(
        after_help = "Example: firedoor cert issue --ca ca --csr refuge.csr --out \
                            refuge.pem --org refuge --team intake\n\
                            For a server: firedoor cert issue --ca ca --csr gw.csr --out gw.pem \
                            --host gateway.example.org --address 10.0.0.5"
    )]
    Issue {
        #[command(flatten)]
        authority: Authority,
        #[arg(long)]
        csr: PathBuf,
        /// Where to write the certificate and its authority, in PEM
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        holder: Holder,
        /// For a server instead of a client: a host name; may be repeated
        #[arg(long, conflicts_with = "org")]
        host: Vec<String>,
        /// For a server: an IP address; may be repeated
        #[arg(long, requires = "host")]
        address: Vec<IpAddr>,
        #[command(flatten)]
        lasting: Lasting,
    },
    /// Make a key, a certificate and a file to import, all at once, for who has no IT staff
    #[command(
        after_help = "Hand over the folder; say the password by telephone.\n\n\
                            Example: firedoor cert bundle --ca ca --org refuge --team intake \
                            --user j-obi --out j-obi"
    )]
    Bundle {
        #[command(flatten)]
        authority: Authority,
        #[command(flatten)]
        holder: Holder,
        /// Folder to make, with NAME.p12 for a browser, NAME.pem for curl, and ca.pem
        #[arg(long)]
        out: PathBuf,
        /// For Mac, iPhone, iPad and Android, and for Windows before 10 (1709)
        #[arg(long)]
        legacy: bool,
        #[command(flatten)]
        lasting: Lasting,
    },
    /// Take a certificate back, for good; a running gateway obeys within seconds
    #[command(after_help = "Example: firedoor cert revoke --ca ca \
                            5f2c9a0e4b7d41c3a1f0e2d3c4b5a697")]
    Revoke {
        #[arg(long)]
        ca: PathBuf,
        /// As `firedoor cert list` shows it
        serial: String,
    },
    /// Make the key of an organisation's own custody in a client's bundle, and print its public half
    #[command(after_help = "Example: firedoor cert custody --bundle bundles/harbour")]
    Custody {
        /// The bundle of the client that will open what is released to the organisation
        #[arg(long)]
        bundle: PathBuf,
    },
    /// Renew the revocation list: after its date no client is accepted, so run it weekly
    #[command(after_help = "Example: firedoor cert crl --ca /etc/firedoor/ca")]
    Crl {
        #[arg(long)]
        ca: PathBuf,
        /// How long it holds
        #[arg(long, default_value_t = REVOCATION_LIST_DAYS)]
        days: u32,
    },
    /// Show every certificate of an authority, oldest first
    #[command(after_help = "Example: firedoor cert list --ca ca --json")]
    List {
        #[arg(long)]
        ca: PathBuf,
        /// One JSON array
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
struct Authority {
    /// The authority's folder
    #[arg(long)]
    ca: PathBuf,
    /// Host part of clients' names; if absent it is taken from the configuration
    #[arg(long)]
    trust_domain: Option<String>,
    #[arg(long, default_value = "firedoor.toml")]
    config: PathBuf,
}

impl Authority {
    fn trust_domain(&self) -> Result<String, CommandError> {
        match &self.trust_domain {
            Some(given) => Ok(given.clone()),
            None => Config::read(&self.config)
                .map(|config| config.trust_domain)
                .map_err(|error| format!("give --trust-domain, or --config: {error}").into()),
        }
    }
}

#[derive(clap::Args)]
struct Holder {
    /// The organisation's short name
    #[arg(long, requires = "team")]
    org: Option<String>,
    #[arg(long, requires = "org")]
    team: Option<String>,
    /// A person; without it the certificate is a system's, which names its user on each request
    #[arg(long, requires = "org")]
    user: Option<String>,
}

impl Holder {
    fn profile(&self, trust_domain: &str) -> Result<Profile, CommandError> {
        let (Some(org), Some(team)) = (&self.org, &self.team) else {
            return Err("say whom it is for: --org and --team, and --user for a person".into());
        };
        let bad = |flag: &str| format!("{flag} must be 2 to 32 of a-z, 0-9 and '-'");
        let name = SpiffeName {
            organisation: OrgId::parse(org).map_err(|_| bad("--org"))?,
            team: TeamId::parse(team).map_err(|_| bad("--team"))?,
            user: match &self.user {
                Some(user) => Some(UserId::parse(user).map_err(|_| bad("--user"))?),
                None => None,
            },
        };
        Ok(client_profile(name, trust_domain))
    }
}

#[derive(clap::Args)]
struct Lasting {
    /// How long it holds; the holder is warned from 45 days before
    #[arg(long, default_value_t = CERTIFICATE_DAYS)]
    days: u32,
}

/// A person's or a system's, as the name says.
pub(super) fn client_profile(name: SpiffeName, trust_domain: &str) -> Profile {
    let trust_domain = trust_domain.to_owned();
    match name.user {
        Some(_) => Profile::Person { name, trust_domain },
        None => Profile::System { name, trust_domain },
    }
}

pub fn run(args: &Args) -> CommandResult {
    let mut out = io::stdout().lock();
    match &args.command {
        Command::Ca { dir, name, days } => {
            let ca = Ca::create(dir, name, now(), *days)?;
            writeln!(out, "made {}", ca.certificate_path().display())?;
            writeln!(
                out,
                "tls.client_ca = \"{}\"",
                ca.certificate_path().display()
            )?;
            writeln!(out, "tls.crl = \"{}\"", ca.crl_path().display())?;
        }
        Command::Request {
            name,
            key,
            out: csr,
        } => {
            let (secret, request) = key_and_csr(name)?;
            write_secret(key, &secret)?;
            write_new(csr, request.as_bytes())?;
            writeln!(out, "send {} to the gateway's operator", csr.display())?;
            writeln!(out, "keep {}: nobody else needs it", key.display())?;
        }
        Command::Issue {
            authority,
            csr,
            out: to,
            holder,
            host,
            address,
            lasting,
        } => {
            let profile = if host.is_empty() {
                holder.profile(&authority.trust_domain()?)?
            } else {
                let (hosts, addresses) = (host.clone(), address.clone());
                Profile::Server { hosts, addresses }
            };
            let ca = Ca::open(&authority.ca)?;
            let issued = ca.issue(&read(csr)?, &profile, now(), lasting.days)?;
            let chain = [issued.pem.as_bytes(), &ca.certificate_pem()?].concat();
            write_new(to, &chain)?;
            tell_issued(&mut out, &issued)?;
        }
        Command::Bundle {
            authority,
            holder,
            out: to,
            legacy,
            lasting,
        } => {
            let ca = Ca::open(&authority.ca)?;
            let profile = holder.profile(&authority.trust_domain()?)?;
            let form = match legacy {
                true => BundleForm::Legacy,
                false => BundleForm::Modern,
            };
            let bundle = make_bundle(&ca, &profile, to, form, now(), lasting.days)?;
            tell_issued(&mut out, &bundle.issued)?;
            bundle.tell(&mut out, "localhost:8443")?;
        }
        Command::Custody { bundle } => {
            let public = custody::keygen(bundle)?;
            writeln!(out, "{public}")?;
            writeln!(
                out,
                "propose it as hpke_public_key with custody \"own\"; the private key stays here"
            )?;
        }
        Command::Revoke { ca, serial } => {
            let serial = Serial::parse(serial)
                .ok_or("a serial number has 32 hexadecimal digits: see `firedoor cert list`")?;
            let ca = Ca::open(ca)?;
            ca.revoke(serial, now())?;
            writeln!(out, "revoked; the new list is {}", ca.crl_path().display())?;
            writeln!(
                out,
                "a gateway whose tls.crl is this file obeys within seconds; elsewhere copy it there"
            )?;
        }
        Command::Crl { ca, days } => {
            let ca = Ca::open(ca)?;
            let at = now();
            ca.crl(at, *days)?;
            let until = at.plus_days(i64::from(*days));
            writeln!(
                out,
                "{} holds until {}",
                ca.crl_path().display(),
                until.rfc3339()
            )?;
        }
        Command::List { ca, json } => {
            let listed = Ca::open(ca)?.list()?;
            tell_list(&mut out, &listed, now(), *json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A folder that was made for one holder, and the password of its file.
pub(super) struct Bundle {
    pub(super) issued: Issued,
    folder: PathBuf,
    name: String,
    password: Zeroizing<String>,
}

/// Makes `folder` with `NAME.p12`, `NAME.pem` and `ca.pem`, all for its owner only.
pub(super) fn make_bundle(
    ca: &Ca,
    profile: &Profile,
    folder: &Path,
    form: BundleForm,
    now: When,
    days: u32,
) -> Result<Bundle, CommandError> {
    let name = match profile {
        Profile::Person { name, .. } | Profile::System { name, .. } => match &name.user {
            Some(user) => user.as_str().to_owned(),
            None => format!("{}-{}", name.organisation, name.team),
        },
        Profile::Server { .. } => return Err("a bundle is for a client".into()),
    };
    let told = |error: io::Error| format!("{}: {error}", folder.display());
    let parent = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        fs::create_dir_all(parent).map_err(told)?;
    }
    // Before anything is issued: a certificate that cannot be handed over is one to revoke.
    DirBuilder::new().mode(0o700).create(folder).map_err(told)?;
    let (key, request) = key_and_csr(&name)?;
    let issued = ca.issue(request.as_bytes(), profile, now, days)?;
    let authority = ca.certificate_pem()?;
    let password = new_password()?;
    let shown = format!("Firedoor {name}");
    let p12 = pkcs12(
        issued.pem.as_bytes(),
        &key,
        &authority,
        &shown,
        &password,
        form,
    )?;
    write_secret(&folder.join(format!("{name}.p12")), &p12)?;
    let pem = Zeroizing::new([issued.pem.as_bytes(), &key].concat());
    write_secret(&folder.join(format!("{name}.pem")), &pem)?;
    write_new(&folder.join("ca.pem"), &authority)?;
    Ok(Bundle {
        issued,
        folder: folder.to_owned(),
        name,
        password,
    })
}

impl Bundle {
    /// The password, this once, and how to use the files against a gateway at `address`.
    pub(super) fn tell(&self, out: &mut impl Write, address: &str) -> io::Result<()> {
        let (folder, name) = (self.folder.display(), &self.name);
        writeln!(out, "import {folder}/{name}.p12 into a browser")?;
        writeln!(out, "its password, shown only now: {}", *self.password)?;
        writeln!(
            out,
            "or: curl --cacert {folder}/ca.pem --cert {folder}/{name}.pem https://{address}/v1/me"
        )
    }
}

fn new_password() -> Result<Zeroizing<String>, CommandError> {
    let mut bytes = Zeroizing::new([0; 16]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| "there is no randomness")?;
    Ok(password(&bytes))
}

fn tell_issued(out: &mut impl Write, issued: &Issued) -> io::Result<()> {
    writeln!(out, "serial {}", issued.serial)?;
    writeln!(out, "holds until {}", issued.not_after.rfc3339())?;
    writeln!(out, "key (spki_sha256) {}", hex(&issued.spki_sha256))
}

fn tell_list(out: &mut impl Write, listed: &[Listed], now: When, json: bool) -> io::Result<()> {
    let state = |entry: &Listed| match entry.revoked {
        Some(_) => "revoked",
        None if entry.not_after <= now => "expired",
        None => "good",
    };
    let kind = |entry: &Listed| match entry.kind {
        Kind::System => "system",
        Kind::Person => "person",
        Kind::Server => "server",
    };
    if json {
        let items: Vec<serde_json::Value> = listed
            .iter()
            .map(|entry| {
                serde_json::json!({
                    "serial": entry.serial.to_string(),
                    "kind": kind(entry),
                    "name": entry.name,
                    "state": state(entry),
                    "spki_sha256": hex(&entry.spki_sha256),
                    "not_after": entry.not_after.rfc3339(),
                    "revoked_at": entry.revoked.map(When::rfc3339),
                })
            })
            .collect();
        serde_json::to_writer_pretty(&mut *out, &items)?;
        return writeln!(out);
    }
    for entry in listed {
        let (state, kind, until) = (state(entry), kind(entry), entry.not_after.rfc3339());
        writeln!(
            out,
            "{}  {state:7}  {kind:6}  {until}  {}",
            entry.serial, entry.name
        )?;
    }
    Ok(())
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Public, but no less kept: never over a file that is there.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    let write = || {
        let mut file = fs::File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| format!("{}: {error}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use openssl::pkcs12::Pkcs12;
    use std::os::unix::fs::MetadataExt;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        args: Args,
    }

    fn typed(folder: &Path, line: &str) -> CommandResult {
        let words = line
            .split_whitespace()
            .map(|word| match word.strip_prefix('@') {
                Some(path) => folder.join(path).display().to_string(),
                None => word.to_owned(),
            });
        run(&Typed::parse_from([String::from("cert")].into_iter().chain(words)).args)
    }

    #[test]
    fn an_agency_without_staff_gets_a_folder_that_opens_with_its_password_only() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create(&dir.path().join("ca"), "Clients", now(), 3_650).unwrap();
        let holder = Holder {
            org: Some("refuge".to_owned()),
            team: Some("intake".to_owned()),
            user: Some("j-obi".to_owned()),
        };
        let profile = holder.profile("gateway.example.org").unwrap();
        let folder = dir.path().join("out/j-obi");
        let bundle = make_bundle(&ca, &profile, &folder, BundleForm::Modern, now(), 30).unwrap();
        for name in ["j-obi.p12", "j-obi.pem"] {
            let mode = fs::metadata(folder.join(name)).unwrap().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
        }
        assert_eq!(bundle.password.len(), 19);
        let p12 = Pkcs12::from_der(&fs::read(folder.join("j-obi.p12")).unwrap()).unwrap();
        assert!(p12.parse2(&bundle.password).is_ok());
        assert!(p12.parse2("2222-2222-2222-2222").is_err());
        let mut told = Vec::new();
        bundle.tell(&mut told, "gateway.example.org:8443").unwrap();
        let told = String::from_utf8(told).unwrap();
        assert!(told.contains("curl --cacert") && told.contains("/v1/me"));
        assert!(make_bundle(&ca, &profile, &folder, BundleForm::Modern, now(), 30).is_err());
    }

    #[test]
    fn a_request_is_issued_listed_and_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        typed(at, "ca --dir @ca --name Borough").unwrap();
        typed(at, "request --name refuge-cms --key @r.key --out @r.csr").unwrap();
        assert!(typed(at, "request --name again --key @r.key --out @s.csr").is_err());
        let issue = "issue --ca @ca --trust-domain gw.example --csr @r.csr --out @r.pem";
        assert!(typed(at, issue).is_err(), "nobody is named");
        typed(at, &format!("{issue} --org refuge --team intake")).unwrap();
        let ca = Ca::open(&at.join("ca")).unwrap();
        let listed = ca.list().unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].name, "spiffe://gw.example/org/refuge/team/intake");
        typed(at, &format!("revoke --ca @ca {}", listed[0].serial)).unwrap();
        typed(at, "crl --ca @ca --days 7").unwrap();
        typed(at, "list --ca @ca").unwrap();
        let listed = ca.list().unwrap();
        let mut told = Vec::new();
        tell_list(&mut told, &listed, now(), true).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(json[0]["state"], "revoked");
        assert!(typed(at, "revoke --ca @ca 00").is_err());
    }

    #[test]
    fn a_server_certificate_needs_no_organisation() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        typed(at, "ca --dir @ca --name Borough").unwrap();
        typed(at, "request --name gw --key @g.key --out @g.csr").unwrap();
        let line = "issue --ca @ca --csr @g.csr --out @g.pem --host gw.example --address 10.0.0.5";
        typed(at, line).unwrap();
        let listed = Ca::open(&at.join("ca")).unwrap().list().unwrap();
        assert_eq!(listed[0].name, "gw.example 10.0.0.5");
    }
}
