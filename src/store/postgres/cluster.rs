//! A throw-away PostgreSQL server for tests: one for each test process, a fresh pair of databases
//! for each test. A missing server fails the test; it never skips one.
//!
//! The server is guarded by a shell that waits for the end of its input. However the test process
//! ends, even by a kill, the pipe closes, the server stops and its files go.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

const MISSING: &str = "no PostgreSQL server found: apt-get install postgresql openssl";

/// Ports tried for one server.
const PORTS_TRIED: u32 = 8;

pub(crate) struct Cluster {
    server: Server,
    /// The server's certificate, for `localhost`; it is its own root.
    pub(crate) certificate: PathBuf,
    _home: Home,
}

/// The main and the slots database of one test.
#[derive(Clone)]
pub(crate) struct Databases {
    pub(crate) url: String,
    pub(crate) slots_url: String,
}

impl Cluster {
    /// The server of this process; the first call starts it.
    pub(crate) fn get() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Self::start)
    }

    /// Two fresh databases.
    pub(crate) async fn databases(&self) -> Databases {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let main = format!("main{number}");
        let slots = format!("slots{number}");
        self.server.create(&main).await;
        self.server.create(&slots).await;
        Databases {
            url: self.server.url(&main),
            slots_url: self.server.url(&slots),
        }
    }

    /// A plain connection, to look at what a backend wrote.
    pub(crate) async fn client(&self, database: &str) -> tokio_postgres::Client {
        look(&self.server.url(database)).await
    }

    fn start() -> Self {
        let home = Home::new();
        let mut server = Server::new(&home, "data");
        server.init();
        let certificate = home.path.join("cert.pem");
        run(as_postgres("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes".split(' '))
            .args("-days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost".split(' '))
            .args("-addext basicConstraints=critical,CA:FALSE -keyout".split(' '))
            .arg(home.path.join("key.pem"))
            .arg("-out")
            .arg(&certificate));
        let at = home.path.display();
        server.begin(&format!(
            "-c ssl=on -c ssl_cert_file={at}/cert.pem -c ssl_key_file={at}/key.pem"
        ));
        Self {
            server,
            certificate,
            _home: home,
        }
    }
}

/// A primary and a standby that must have what the primary acknowledges, for one test alone.
pub(crate) struct Pair {
    pub(crate) primary: Server,
    pub(crate) standby: Server,
    _home: Home,
}

impl Pair {
    pub(crate) async fn start() -> Self {
        let home = Home::new();
        let mut primary = Server::new(&home, "primary");
        primary.init();
        primary.begin("");
        let mut standby = Server::new(&home, "standby");
        run(as_postgres(standby.programs.join("pg_basebackup"))
            .args(["-R", "-X", "stream", "-c", "fast", "-h", "127.0.0.1"])
            .args(["-U", "postgres", "-p", &primary.port.to_string(), "-D"])
            .arg(&standby.data));
        standby.begin("");
        let admin = look(&primary.url("postgres")).await;
        for sql in [
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "SELECT pg_reload_conf()",
        ] {
            admin.batch_execute(sql).await.unwrap();
        }
        let synchronous = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
        while admin.query_opt(synchronous, &[]).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        Self {
            primary,
            standby,
            _home: home,
        }
    }

    /// Two fresh databases, by addresses that name both servers, the first primary first.
    pub(crate) async fn databases(&self) -> Databases {
        self.primary.create("main").await;
        self.primary.create("slots").await;
        let (one, two) = (self.primary.port, self.standby.port);
        let url = |name| {
            format!(
                "postgresql://postgres@127.0.0.1:{one},127.0.0.1:{two}/{name}\
                 ?target_session_attrs=read-write"
            )
        };
        Databases {
            url: url("main"),
            slots_url: url("slots"),
        }
    }
}

/// One server of a test and the folder of its data.
pub(crate) struct Server {
    programs: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Server {
    fn new(home: &Home, name: &str) -> Self {
        Self {
            programs: home.programs.clone(),
            data: home.path.join(name),
            port: 0,
        }
    }

    /// The first start, on a free port. Before the server has it somebody else may take it; then another
    /// is tried.
    fn begin(&mut self, more: &str) {
        let started = (0..PORTS_TRIED).any(|_| {
            self.port = TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| listener.local_addr())
                .unwrap()
                .port();
            succeeds(&mut self.starting(more))
        });
        assert!(
            started,
            "the server does not start: {}",
            self.data.display()
        );
    }

    fn init(&self) {
        run(as_postgres(self.programs.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C", "-D"])
            .arg(&self.data));
    }

    /// Starts it, again after a kill too, and waits until it answers.
    pub(crate) fn start(&self, more: &str) {
        run(&mut self.starting(more));
    }

    fn starting(&self, more: &str) -> Command {
        let home = self.data.parent().unwrap();
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories={} \
             -c fsync=on -c max_connections=200 {more}",
            self.port,
            home.display()
        );
        let mut command = as_postgres(self.programs.join("pg_ctl"));
        command
            .args(["-w", "-t", "60", "-l"])
            .arg(self.data.with_extension("log"))
            .args(["-o", &options, "-D"])
            .arg(&self.data)
            .arg("start");
        command
    }

    /// SIGKILL to the server and every process of it, as when the machine is lost.
    pub(crate) fn kill(&self) {
        use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
        let pid = std::fs::read_to_string(self.data.join("postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().parse().unwrap();
        let group = Pid::from_raw(pid).unwrap();
        kill_process_group(group, Signal::KILL).unwrap();
        while test_kill_process_group(group).is_ok() {
            std::thread::yield_now();
        }
    }

    /// A standby becomes the primary; returns when it takes writes.
    pub(crate) fn promote(&self) {
        run(as_postgres(self.programs.join("pg_ctl"))
            .args(["promote", "-w", "-t", "60", "-D"])
            .arg(&self.data));
    }

    pub(crate) fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgresql://postgres@127.0.0.1:{port}/{database}")
    }

    async fn create(&self, database: &str) {
        let sql = format!("CREATE DATABASE {database}");
        let admin = look(&self.url("postgres")).await;
        admin.batch_execute(&sql).await.unwrap();
    }
}

/// A folder that goes, with every server in it, when the test's process has ended.
struct Home {
    programs: PathBuf,
    path: PathBuf,
    /// Its input is what keeps the servers alive.
    _guard: Child,
}

impl Home {
    fn new() -> Self {
        let programs = programs();
        let made = as_postgres("mktemp")
            .args(["-d", "-t", "firedoor-postgres-XXXXXX"])
            .output()
            .unwrap();
        assert!(made.status.success(), "mktemp failed");
        let path = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
        // The guard comes first, so that nothing stays behind if a start fails.
        let guard = as_postgres("sh")
            .args([
                "-c",
                "cat; for d in \"$1\"/*/; do \"$0/pg_ctl\" -D \"$d\" -m immediate stop; done; \
                 rm -rf \"$1\"",
            ])
            .arg(&programs)
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            programs,
            path,
            _guard: guard,
        }
    }
}

/// A plain connection to a database of the cluster.
pub(crate) async fn look(url: &str) -> tokio_postgres::Client {
    let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    tokio::spawn(connection);
    client
}

/// Where `initdb` and the others are: Debian keeps them outside `PATH`, by version.
fn programs() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql");
    let mut versions: Vec<PathBuf> = debian
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).chain(versions.into_iter().rev());
    let complete = |folder: &PathBuf| {
        let has = |name: &str| Path::exists(&folder.join(name));
        has("initdb") && has("pg_ctl") && has("pg_basebackup")
    };
    found.find(complete).expect(MISSING)
}

/// The server refuses to run as root.
fn as_postgres(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

fn run(command: &mut Command) {
    assert!(succeeds(command), "{command:?} failed");
}

fn succeeds(command: &mut Command) -> bool {
    // Not `output`: the server would keep the pipes open.
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect(MISSING);
    status.success()
}
