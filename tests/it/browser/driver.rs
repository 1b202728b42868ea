//! A browser that is driven: chromedriver as a process of its own, and WebDriver over HTTP (W3C
//! WebDriver) with what we have of hyper: a library for it would bring nine more crates for one POST.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One command, on a loaded machine.
const COMMAND_WITHIN: Duration = Duration::from_secs(45);
const STARTED: &str = "ChromeDriver was started successfully on port ";

/// One Chromium with a home of its own, and its driver. Dropped, both are gone.
pub struct Driver {
    process: Child,
    port: u16,
    session: String,
    home: TempDir,
}

fn profile(home: &Path) -> PathBuf {
    home.join("profile")
}

impl Driver {
    /// Starts both. `prefs` are settings of its profile, as a person may set them.
    pub async fn start(home: TempDir, prefs: Value) -> Self {
        let at = home.path().to_owned();
        let (process, port) = tokio::task::spawn_blocking(move || launch(&at))
            .await
            .unwrap();
        let mut driver = Self {
            process,
            port,
            session: String::new(),
            home,
        };
        let profile = profile(driver.home.path());
        let mut args = vec![
            "--headless=new".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            // It ends with its driver.
            "--remote-debugging-pipe".to_owned(),
            // Nothing but this machine is ever asked for.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost".to_owned(),
            "--window-size=1280,900".to_owned(),
            format!("--user-data-dir={}", profile.display()),
        ];
        if geteuid().is_root() {
            args.push("--no-sandbox".to_owned());
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": args, "prefs": prefs },
        } } });
        let begun = driver.send("POST", "/session", Some(&wanted)).await;
        let begun = begun.expect("Chromium starts");
        driver.session = begun["sessionId"].as_str().unwrap().to_owned();
        driver
    }

    /// The home of this Chromium alone.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A command of this session; what went wrong in the driver's words.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let path = format!("/session/{}{path}", self.session);
        self.send(method, &path, body).await
    }

    /// A command of the DevTools protocol.
    pub async fn devtools(&self, command: &str, params: Value) -> Result<Value, String> {
        let body = json!({ "cmd": command, "params": params });
        self.ask("POST", "/goog/cdp/execute", Some(&body)).await
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let exchange = async {
            let tcp = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await.unwrap();
            tokio::spawn(connection);
            let body = body.map(Value::to_string).unwrap_or_default();
            let request = axum::http::Request::builder()
                .method(method)
                .uri(path)
                .header("host", format!("127.0.0.1:{}", self.port))
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from(body)))
                .unwrap();
            let reply = sender.send_request(request).await.unwrap();
            reply.into_body().collect().await.unwrap().to_bytes()
        };
        let Ok(said) = timeout(COMMAND_WITHIN, exchange).await else {
            return Err(format!("{method} {path}: no answer"));
        };
        let said: Value = serde_json::from_slice(&said).unwrap();
        let value = said["value"].clone();
        match value["error"].as_str() {
            None => Ok(value),
            Some(error) => Err(format!("{error}: {}", value["message"])),
        }
    }
}

/// chromedriver with a home of its own, where Chromium looks for its certificates, and its port.
fn launch(home: &Path) -> (Child, u16) {
    let temporary = home.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = Command::new("chromedriver");
    command
        .args(["--port=0", "--log-level=SEVERE"])
        .env("HOME", home)
        .env("TMPDIR", &temporary)
        .env("LANG", "en_GB.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    for other in [
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "DISPLAY",
        "WAYLAND_DISPLAY",
    ] {
        command.env_remove(other);
    }
    let mut process = command
        .spawn()
        .expect("chromedriver: tests/run installs it, from the package chromium-driver");
    let said = BufReader::new(process.stdout.take().unwrap());
    let port = said.lines().map_while(Result::ok).find_map(|line| {
        line.strip_prefix(STARTED)?
            .trim_end_matches('.')
            .parse()
            .ok()
    });
    (process, port.expect("chromedriver says its port"))
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The lock of the profile names the process that holds it: `host-pid`.
        let lock = fs::read_link(profile(self.home.path()).join("SingletonLock"));
        let browser = lock.ok().and_then(|lock| {
            let (_, pid) = lock.to_str()?.rsplit_once('-')?;
            Pid::from_raw(pid.parse().ok()?)
        });
        if let Some(browser) = browser {
            let _ = kill_process(browser, Signal::KILL);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
