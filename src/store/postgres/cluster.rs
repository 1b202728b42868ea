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

pub(crate) struct Cluster {
    port: u16,
    /// The server's certificate, for `localhost`; it is its own root.
    pub(crate) certificate: PathBuf,
    /// Its input is what keeps the server alive.
    _guard: Child,
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
        let admin = self.client("postgres").await;
        for name in [&main, &slots] {
            let sql = format!("CREATE DATABASE {name}");
            admin.batch_execute(&sql).await.unwrap();
        }
        Databases {
            url: self.url(&main),
            slots_url: self.url(&slots),
        }
    }

    /// A plain connection, to look at what a backend wrote.
    pub(crate) async fn client(&self, database: &str) -> tokio_postgres::Client {
        look(&self.url(database)).await
    }

    fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgresql://postgres@127.0.0.1:{port}/{database}")
    }

    fn start() -> Self {
        let programs = programs();
        let made = as_postgres("mktemp")
            .args(["-d", "-t", "firedoor-postgres-XXXXXX"])
            .output()
            .unwrap();
        assert!(made.status.success(), "mktemp failed");
        let home = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
        let data = home.join("data");
        run(as_postgres(programs.join("initdb"))
            .args(["--auth=trust", "--username=postgres", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data));
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={home} \
             -c ssl=on -c ssl_cert_file={home}/cert.pem -c ssl_key_file={home}/key.pem \
             -c fsync=on -c max_connections=200",
            home = home.display()
        );
        // The guard comes first, so that nothing stays behind if the start fails.
        let guard = as_postgres("sh")
            .args([
                "-c",
                "cat; \"$0/pg_ctl\" -D \"$1/data\" -m immediate stop; rm -rf \"$1\"",
            ])
            .arg(&programs)
            .arg(&home)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let certificate = home.join("cert.pem");
        run(as_postgres("openssl")
            .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes".split(' '))
            .args("-days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost".split(' '))
            .args("-addext basicConstraints=critical,CA:FALSE -keyout".split(' '))
            .arg(home.join("key.pem"))
            .arg("-out")
            .arg(&certificate));
        run(as_postgres(programs.join("pg_ctl"))
            .args(["-w", "-t", "60", "-l"])
            .arg(home.join("log"))
            .args(["-o", &options, "-D"])
            .arg(&data)
            .arg("start"));
        Self {
            port,
            certificate,
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

/// Where `initdb` and `pg_ctl` are: Debian keeps them outside `PATH`, by version.
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
        has("initdb") && has("pg_ctl")
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
    // Not `output`: the server would keep the pipes open.
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect(MISSING);
    assert!(status.success(), "{command:?} failed");
}
