//! A district whose gateway is a process of its own, on either backend: as an operator runs it, to
//! be loaded, killed, read from outside and started again.
//!
//! All certificates are systems', so that a test says who asks. The agreements allow more people a
//! day than one would have in life; nothing else is easier than outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the lints spare tests, but not the functions that tests share"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use firedoor::domain::checkpoint::LogVerifier;
use firedoor::domain::codes::{Custody, DataClass, OrgKind, Purpose, Role, ServiceFamily, Taint};
use firedoor::domain::governance::Approvers;
use firedoor::domain::id::{Id, OrgId, ServiceId, TeamId, UserId};
use firedoor::domain::journey::governing::founding::Founding;
use firedoor::domain::organisation::{
    Agreement, Attestation, Certificate, Directory, Organisation, Service, Team, TotpSecret,
};
use firedoor::domain::peer::SpiffeName;
use firedoor::domain::receipt::Receipt;
use firedoor::domain::tiles::TilePath;
use firedoor::domain::time::When;
use firedoor::edge::client::{Client, ClientError};
use firedoor::edge::tls::{ClientTls, Protocol};
use firedoor::ops::client::bundle::code_at;
use firedoor::ops::clock::now;
use firedoor::ops::config::Config;
use firedoor::ops::gateway;
use firedoor::ops::init::{House, Plan};
use firedoor::ops::keys::{RootKey, log_key};
use firedoor::ops::pki::{Profile, key_and_csr};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::cluster::Databases;
use super::town::Desk;

const FIREDOOR: &str = env!("CARGO_BIN_EXE_firedoor");
const VERIFY: &str = env!("CARGO_BIN_EXE_firedoor-verify");
const HOST: &str = "district.example";
const ORIGIN: &str = "district.example/log";
/// Requests of one caller at a time, where a test has many.
const AT_ONCE: usize = 16;
/// The most that an agreement may state.
const PEOPLE_A_DAY: u32 = 500;
/// Every person's second factor.
const TOTP: [u8; 20] = [7; 20];

/// Three charities and the service that each runs.
pub const CHARITIES: [(&str, &str); 3] = [
    ("larkfield", "service-14"),
    ("harbour", "helpline"),
    ("beacon", "outreach"),
];
/// A health body that takes BaRS messages, and its number in the health directory.
pub const HEALTH_DOS: &str = "2000012345";
/// The number of the first charity's service there.
pub const CHARITY_DOS: &str = "2000012346";
/// Where the NHS's own examples are sent.
const EXAMPLE_DOS: &str = "111111111";

/// Organisation, kind, team, user of a person's certificate, roles.
type Body = (
    &'static str,
    OrgKind,
    &'static str,
    Option<&'static str>,
    &'static [Role],
);

const BODIES: [Body; 9] = [
    (
        "operator",
        OrgKind::Operator,
        "desk",
        Some("o-bright"),
        &[Role::OperatorAdmin],
    ),
    (
        "reviewer",
        OrgKind::Reviewer,
        "desk",
        Some("r-moss"),
        &[Role::Reviewer, Role::OrgAdmin],
    ),
    ("police", OrgKind::Police, "unit", None, &[Role::Officer]),
    (
        "hospital",
        OrgKind::NhsTrust,
        "ward",
        None,
        &[Role::Clinician, Role::Triage],
    ),
    (
        "clinic",
        OrgKind::Sarc,
        "intake",
        None,
        &[Role::Triage, Role::Clinician],
    ),
    (
        "council",
        OrgKind::LocalAuthority,
        "housing",
        None,
        &[Role::Housing],
    ),
    (
        "larkfield",
        OrgKind::VoluntarySpecialist,
        "advice",
        None,
        &[Role::Adviser],
    ),
    (
        "harbour",
        OrgKind::VoluntaryGeneric,
        "advice",
        None,
        &[Role::Adviser],
    ),
    ("beacon", OrgKind::Refuge, "advice", None, &[Role::Adviser]),
];

/// The files of a district: keys, authority, certificates, configuration. The gateway runs apart.
pub struct District {
    dir: TempDir,
    authority: Vec<u8>,
    /// Certificate and key of each system, in PEM.
    holders: BTreeMap<&'static str, (Vec<u8>, Vec<u8>)>,
    pub log: LogVerifier,
}

impl District {
    /// A founded district on the embedded store, or on two empty databases.
    pub async fn new(databases: Option<&Databases>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let plan = Plan {
            origin: ORIGIN.to_owned(),
            hosts: vec!["localhost".to_owned()],
            addresses: Vec::new(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let house = House::make(&dir.path().join("house"), &plan, now()).unwrap();
        fs::write(&house.config, configuration(databases)).unwrap();
        let mut holders = BTreeMap::new();
        let mut organisations = Vec::new();
        let mut users = Vec::new();
        for body in &BODIES {
            let (id, _, team, person, _) = *body;
            let name = SpiffeName {
                organisation: OrgId::parse(id).unwrap(),
                team: TeamId::parse(team).unwrap(),
                user: person.map(|person| UserId::parse(person).unwrap()),
            };
            let trust_domain = HOST.to_owned();
            let profile = match person {
                Some(_) => Profile::Person { name, trust_domain },
                None => Profile::System { name, trust_domain },
            };
            let (key, request) = key_and_csr(id).unwrap();
            let issued = house
                .ca
                .issue(request.as_bytes(), &profile, now(), 90)
                .unwrap();
            organisations.push(organisation(body, issued.spki_sha256, issued.not_after));
            holders.insert(id, (issued.pem.into_bytes(), key.to_vec()));
            users.extend(person.map(|person| {
                let organisation = OrgId::parse(id).unwrap();
                (organisation, person.to_owned(), TotpSecret::new(TOTP))
            }));
        }
        tainted_team(&house, &mut organisations, &mut holders);
        let org = |id| OrgId::parse(id).unwrap();
        let founding = Founding {
            organisations,
            users,
            approvers: Approvers {
                first: vec![
                    (org("operator"), "o-bright".to_owned()),
                    (org("reviewer"), "r-moss".to_owned()),
                ],
                reviewers: vec![org("reviewer")],
            },
            directory: directory(),
        };
        let config = Config::read(&house.config).unwrap();
        let gateway = gateway::open(&config).await.unwrap();
        gateway.found(&founding).await.unwrap();
        gateway.store.close().await.unwrap();
        let root = RootKey::read(&config.key_path).unwrap();
        let log = log_key(&root, ORIGIN).unwrap().verifier().clone();
        let authority = house.ca.certificate_pem().unwrap();
        Self {
            dir,
            authority,
            holders,
            log,
        }
    }

    /// The key of a certificate, in PEM.
    pub fn key(&self, id: &str) -> &[u8] {
        &self.holders[id].1
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("house").join(name)
    }

    /// Starts the gateway and waits until it serves.
    pub fn serve(&self) -> Served {
        match self.try_serve() {
            Ok(served) => served,
            Err((status, said)) => panic!("{status}: {said}"),
        }
    }

    /// Starts the gateway; if it ends instead of serving, how, and what it said.
    pub fn try_serve(&self) -> Result<Served, (ExitStatus, String)> {
        let config = self.path("firedoor.toml");
        let mut child = Command::new(FIREDOOR)
            .args(["serve", "--log-format", "json", "--log-level", "debug"])
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let (serving, started) = mpsc::channel();
        let keep = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if let Some(addresses) = addresses(&line) {
                    let _ = serving.send(addresses);
                }
                let mut said = keep.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
            }
        });
        match started.recv() {
            Ok((address, admin)) => Ok(Served {
                child,
                address,
                admin,
                said,
                reader: Some(reader),
            }),
            // Its standard error closed: it ended.
            Err(_) => {
                reader.join().unwrap();
                let status = child.wait().unwrap();
                let said = said.lock().unwrap().clone();
                Err((status, said))
            }
        }
    }

    /// A person who has shown her second factor.
    pub async fn person(&self, at: &Served, id: &str) -> Desk {
        let (certificate, key) = &self.holders[id];
        let holder = Some((certificate.as_slice(), key.as_slice()));
        let tls = ClientTls::new(&self.authority, holder, Arc::new(now)).unwrap();
        let mut desk = Desk::connect(at.address, tls, None).await;
        let seconds = u64::try_from(now().millis() / 1_000).unwrap();
        let code = json!({ "code": code_at(&TOTP, seconds).unwrap() });
        let said = desk.post("/v1/second-factor", &code).await;
        assert_eq!(said.status, 200, "{}", said.whole());
        desk.session = said.text("/session").map(str::to_owned);
        desk
    }

    /// A system's connection, and the user and role that it asserts.
    pub async fn caller(&self, at: &Served, system: &str, user: &str, role: Role) -> Caller {
        let caller = self.try_caller(at.address, system, user, role);
        caller.await.unwrap()
    }

    /// The same, to a gateway that may be killed meanwhile.
    pub async fn try_caller(
        &self,
        at: SocketAddr,
        system: &str,
        user: &str,
        role: Role,
    ) -> Result<Caller, ClientError> {
        let (certificate, key) = &self.holders[system];
        let holder = Some((certificate.as_slice(), key.as_slice()));
        let tls = ClientTls::new(&self.authority, holder, Arc::new(now)).unwrap();
        let client = Client::connect(at, "localhost", tls.speaking(Protocol::Http2));
        Ok(Caller {
            client: Arc::new(client.await?),
            user: format!("ref={user};role={}", role.code()),
        })
    }

    /// `firedoor-verify log` on what the gateway gives to anyone: its status and first line.
    pub async fn verify(&self, caller: &Caller) -> (Option<i32>, String) {
        let copy = self.copy();
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir(&copy).unwrap();
        let checkpoint = caller.get("/log/checkpoint").await;
        let size = self.log.verify(&checkpoint.whole()).unwrap().size;
        fs::write(copy.join("checkpoint"), &checkpoint.bytes).unwrap();
        for tile in TilePath::all(size) {
            let file = copy.join(tile.to_string());
            let said = caller.get(&format!("/log/{tile}")).await;
            assert_eq!(said.status, 200, "{tile}");
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, &said.bytes).unwrap();
        }
        self.run_verify("log", &copy)
    }

    /// Where [`District::verify`] puts what it checks.
    pub fn copy(&self) -> PathBuf {
        self.dir.path().join("copy")
    }

    /// `firedoor-verify receipt`.
    pub fn verify_receipt(&self, receipt: &str) -> (Option<i32>, String) {
        let file = self.dir.path().join("receipt");
        fs::write(&file, receipt).unwrap();
        self.run_verify("receipt", &file)
    }

    fn run_verify(&self, what: &str, file: &Path) -> (Option<i32>, String) {
        let key = self.dir.path().join("log.vkey");
        fs::write(&key, format!("{}\n", self.log.vkey())).unwrap();
        let ran = Command::new(VERIFY)
            .arg(what)
            .arg(file)
            .arg("--key")
            .arg(&key)
            .output()
            .unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        let first = said.lines().next().unwrap_or_default().to_owned();
        (ran.status.code(), first)
    }

    /// The leaf at `index`, as the gateway gives it to anyone.
    pub async fn leaf(&self, caller: &Caller, index: u64) -> Vec<u8> {
        let size = caller.leaves(self).await;
        let path = TilePath::all(size)
            .find(|tile| tile.entries().is_some_and(|range| range.contains(&index)))
            .unwrap();
        let bundle = caller.get(&format!("/log/{path}")).await.bytes;
        let first = path.entries().unwrap().start;
        // Each entry follows its length in two bytes.
        let at = usize::try_from(index - first).unwrap() * 258;
        bundle.slice(at + 2..at + 258).to_vec()
    }
}

/// A gateway that runs; killed when dropped.
pub struct Served {
    child: Child,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    said: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Served {
    /// SIGKILL: nothing is finished, nothing is closed.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM: what was accepted is finished. Gives all that it said from its start.
    pub fn stop(mut self) -> String {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.reader.take().unwrap().join().unwrap();
        self.said.lock().unwrap().clone()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// A page of the admin listener.
    pub fn admin_page(&self, path: &str) -> String {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(self.admin).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One user of a system. Clones share the connection.
#[derive(Clone)]
pub struct Caller {
    client: Arc<Client>,
    /// The value of `Firedoor-User`.
    pub user: String,
}

/// A whole reply.
pub struct Said {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    pub took: Duration,
}

static KEY_NUMBER: AtomicU64 = AtomicU64::new(0);

/// A key for one request that makes something.
pub fn new_key() -> String {
    format!("district-{}", KEY_NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl Caller {
    /// Another user of the same system, in the same role.
    pub fn as_user(&self, user: &str) -> Self {
        let (_, role) = self.user.split_once(';').unwrap();
        Self {
            client: Arc::clone(&self.client),
            user: format!("ref={user};{role}"),
        }
    }

    pub async fn get(&self, path: &str) -> Said {
        self.ask(Method::GET, path, &[], Bytes::new())
            .await
            .unwrap()
    }

    /// A POST of JSON under a new key.
    pub async fn post(&self, path: &str, body: &Value) -> Said {
        self.try_post(path, body).await.unwrap()
    }

    /// The same, to a gateway that may be killed meanwhile.
    pub async fn try_post(&self, path: &str, body: &Value) -> Result<Said, ClientError> {
        let key = new_key();
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key.as_str()),
        ];
        self.ask(Method::POST, path, &headers, body.to_string())
            .await
    }

    /// Many POSTs of JSON, some at a time; the replies in their order. A request waits for its
    /// boundary, so that one after the other takes a tenth of a second each.
    pub async fn post_all(&self, requests: Vec<(String, Value)>) -> Vec<Said> {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let running = requests.into_iter().map(|(path, body)| {
            let (caller, room) = (self.clone(), Arc::clone(&room));
            tokio::spawn(async move {
                let _room = room.acquire().await.unwrap();
                caller.post(&path, &body).await
            })
        });
        let mut replies = Vec::new();
        for running in running.collect::<Vec<_>>() {
            replies.push(running.await.unwrap());
        }
        replies
    }

    /// Accepts every offer in the inbox: what was released of each, and how many requests it took.
    pub async fn accept_all(&self) -> (Vec<Value>, u64) {
        let (offers, pages) = self.pages("/v1/inbox", "offers").await;
        let open = offers.iter().filter(|offer| offer["status"] == "offered");
        let accept = json!({ "worker": "a-worker", "onward_rule_accepted": true });
        let requests = open.map(|offer| {
            let id = offer["id"].as_str().unwrap();
            (format!("/v1/referrals/{id}/accept"), accept.clone())
        });
        let replies = self.post_all(requests.collect()).await;
        let requests = pages + replies.len() as u64;
        let released = replies.iter().map(|reply| {
            assert_eq!(reply.status, 200, "{}", reply.whole());
            reply.json()
        });
        (released.collect(), requests)
    }

    /// A POST of NDJSON.
    pub async fn batch(&self, key: &str, lines: impl Into<Bytes>) -> Result<Said, ClientError> {
        let headers = [
            ("content-type", "application/x-ndjson"),
            ("idempotency-key", key),
        ];
        self.ask(Method::POST, "/v1/referrals", &headers, lines)
            .await
    }

    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Said, ClientError> {
        let user = [("firedoor-user", self.user.as_str())];
        let headers = [user.as_slice(), headers].concat();
        let start = Instant::now();
        let reply = self.client.request(method, path, &headers, body).await?;
        Ok(Said {
            status: reply.status.as_u16(),
            headers: reply.headers,
            bytes: reply.body,
            took: start.elapsed(),
        })
    }

    /// How many entries the signed head counts. Asking adds none.
    pub async fn leaves(&self, district: &District) -> u64 {
        let head = self.get("/log/checkpoint").await;
        district.log.verify(&head.whole()).unwrap().size
    }

    /// Every entry of a list, page by page, and how many pages that took.
    pub async fn pages(&self, path: &str, field: &str) -> (Vec<Value>, u64) {
        let (mut all, mut pages, mut after) = (Vec::new(), 0, String::new());
        loop {
            let page = self.get(&format!("{path}?after={after}")).await;
            pages += 1;
            let body = page.json();
            let entries = body[field].as_array().unwrap();
            if entries.is_empty() {
                return (all, pages);
            }
            all.extend(entries.iter().cloned());
            after = body["next"].as_str().unwrap().to_owned();
        }
    }
}

impl Said {
    pub fn whole(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    /// Each line of an NDJSON reply.
    pub fn lines(&self) -> Vec<Value> {
        let lines = self.bytes.split(|byte| *byte == b'\n');
        lines
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}

/// Her NHS number, from what was released of her.
pub fn nhs_number(released: &Value) -> String {
    let number = released["released"]["identity"]["nhs_number"].as_str();
    number.unwrap().replace(' ', "")
}

/// The receipt in a reply, or in a line of one.
pub fn receipt(body: &Value) -> Receipt {
    Receipt::parse(body["receipt"].as_str().unwrap()).unwrap()
}

fn addresses(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    let address = |name| fields.get(name)?.as_str()?.parse().ok();
    (fields.get("message")? == "serving").then_some(())?;
    address("listen").zip(address("admin"))
}

fn configuration(databases: Option<&Databases>) -> String {
    let (store, slots) = match databases {
        Some(databases) => (databases.url.as_str(), databases.slots_url.as_str()),
        None => ("embedded", "keys/slots"),
    };
    format!(
        "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\n\
         store = \"{store}\"\n[keys]\npath = \"keys/root.key\"\nslots = \"{slots}\"\n\
         [log]\norigin = \"{ORIGIN}\"\n[renewals]\nca = \"ca\"\n[limits]\n\
         requests_per_user_per_minute = 100000\nrequests_per_user_burst = 100000\n\
         requests_per_organisation_per_minute = 1000000\n\
         requests_per_organisation_burst = 1000000\n"
    )
}

/// A second team of the council, which works with the Home Office: `council-nrpf`.
fn tainted_team(
    house: &House,
    organisations: &mut [Organisation],
    holders: &mut BTreeMap<&'static str, (Vec<u8>, Vec<u8>)>,
) {
    let council = organisations
        .iter_mut()
        .find(|one| one.id.as_str() == "council");
    let council = council.unwrap();
    let team = TeamId::parse("nrpf").unwrap();
    let profile = Profile::System {
        name: SpiffeName {
            organisation: council.id.clone(),
            team: team.clone(),
            user: None,
        },
        trust_domain: HOST.to_owned(),
    };
    let (key, request) = key_and_csr("council-nrpf").unwrap();
    let issued = house
        .ca
        .issue(request.as_bytes(), &profile, now(), 90)
        .unwrap();
    let mut attested = council.teams[0].clone();
    attested.id = team.clone();
    attested.attestation = Some(Attestation {
        taint: Taint::UsesNrpfConnect,
        at: now(),
        by: "district".to_owned(),
    });
    council.teams.push(attested);
    council.certificates.push(Certificate {
        spki_sha256: issued.spki_sha256,
        team,
        not_after: issued.not_after,
        ..council.certificates[0].clone()
    });
    holders.insert("council-nrpf", (issued.pem.into_bytes(), key.to_vec()));
}

fn organisation(body: &Body, spki_sha256: [u8; 32], not_after: When) -> Organisation {
    let (id, kind, team, person, roles) = *body;
    let team = TeamId::parse(team).unwrap();
    Organisation {
        id: OrgId::parse(id).unwrap(),
        name: format!("The {id}"),
        kind,
        enrolled_at: now(),
        suspended_at: None,
        suspensions: 0,
        identifiers: Vec::new(),
        areas: vec!["E09000022".to_owned()],
        teams: vec![Team {
            id: team.clone(),
            name: "Team".to_owned(),
            attestation: Some(Attestation {
                taint: Taint::None,
                at: now(),
                by: "district".to_owned(),
            }),
        }],
        certificates: vec![Certificate {
            spki_sha256,
            team,
            user: person.map(str::to_owned),
            roles: roles.to_vec(),
            not_after,
            revoked_at: None,
        }],
        agreements: vec![Agreement {
            id: Id::ZERO,
            reference: format!("DSA {id}"),
            classes: vec![
                DataClass::Op,
                DataClass::Id,
                DataClass::Loc,
                DataClass::Sp,
                DataClass::Ip,
                DataClass::Ft,
            ],
            purposes: vec![
                Purpose::Support,
                Purpose::SafetyPlanning,
                Purpose::OnwardReferral,
                Purpose::PriorAssessment,
            ],
            from: now().plus_days(-1),
            to: now().plus_days(365),
            ended_at: None,
            people_a_day: PEOPLE_A_DAY,
            standing: None,
        }],
        custody: Custody::Gateway,
        hpke_public_key: None,
        duty_line: None,
        taint: Taint::None,
    }
}

fn directory() -> Directory {
    let service = |id: &str, organisation: &str, team: &str, dos: Option<&str>| Service {
        id: ServiceId::parse(id).unwrap(),
        organisation: OrgId::parse(organisation).unwrap(),
        team: TeamId::parse(team).unwrap(),
        public_name: format!("Service {id}"),
        family: ServiceFamily::Community,
        area: Some("E09000022".to_owned()),
        takes_referrals: true,
        dos_service_id: dos.map(str::to_owned),
        meets: None,
    };
    let mut services: Vec<Service> = CHARITIES
        .iter()
        .map(|(charity, id)| service(id, charity, "advice", None))
        .collect();
    services.extend([
        service("housing", "council", "housing", None),
        service("clinic", "clinic", "intake", Some(HEALTH_DOS)),
        service("clinic-by-example", "clinic", "intake", Some(EXAMPLE_DOS)),
        service(
            "advice-by-message",
            "larkfield",
            "advice",
            Some(CHARITY_DOS),
        ),
    ]);
    Directory { services }
}
