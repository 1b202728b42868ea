//! The README's commands, run as a reader would run them, in the order in which they stand.
//!
//! A comment before each `sh` block says how: `plays` (until its last line, then Ctrl-C), `serves`
//! (the same, but it goes on until the end), `runs` (to an exit status of 0), `signs in` (the same,
//! with a new code of the second factor), or `elsewhere`, with the reason. Two things are put in place of what is written: the programs built with this test
//! for `cargo run --release --` and `target/release/`, and a free port for 8443.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "fixtures: a failure here is a failed test"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use firedoor::ops::clock::now;
use rustix::process::{Pid, Signal, kill_process};

/// What the demo says last, before it serves.
const LAST_LINE: &str = "Firedoor shuts its own doors; it cannot stop someone telling what they \
                         already know.";

struct Block {
    /// What the comment says.
    how: String,
    command: String,
}

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// Every block of commands, with what the comment before it says.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            assert_eq!(language, "sh", "a block in another language than sh");
            let comment = before.strip_prefix("<!-- readme: ");
            let how = comment.and_then(|comment| comment.strip_suffix(" -->"));
            let how = how.unwrap_or_else(|| panic!("a block without a comment, after: {before}"));
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block {
                how: how.to_owned(),
                command: body.join("\n"),
            });
        }
        before = line;
    }
    blocks
}

/// Where the commands run, and with which programs.
struct Terminal {
    dir: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
}

impl Terminal {
    fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            dir: tempfile::tempdir().unwrap(),
            programs: Path::new(env!("CARGO_BIN_EXE_firedoor"))
                .parent()
                .unwrap()
                .to_owned(),
            port: free.local_addr().unwrap().port(),
        }
    }

    fn command(&self, written: &str) -> Command {
        let programs = self.programs.display();
        let port = self.port;
        // The folder of the programs may itself be named so: that name is replaced first.
        let text = written
            .replace("target/release/", &format!("{programs}/"))
            .replace(
                "cargo run --release -- demo",
                &format!("{programs}/firedoor demo --port {port}"),
            )
            .replace("localhost:8443", &format!("localhost:{port}"));
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", &text])
            .current_dir(self.dir.path())
            // Cargo's own settings are not in a reader's terminal.
            .env_remove("CARGO")
            .env_remove("CARGO_MANIFEST_DIR")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, written: &str) {
        let output = self.command(written).output().unwrap();
        assert!(
            output.status.success(),
            "{written}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Starts it, and waits until it has told everything and serves.
    fn start(&self, written: &str) -> Serving {
        let mut child = self
            .command(written)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        let mut transcript = String::new();
        while !transcript.ends_with(&format!("{LAST_LINE}\n")) {
            let read = told.read_line(&mut transcript).unwrap();
            assert!(
                read > 0,
                "{written} ended before its last line:\n{transcript}"
            );
        }
        // The pipe is emptied, or the gateway would stop when it is full.
        let rest = thread::spawn(move || {
            let mut rest = String::new();
            told.read_to_string(&mut rest).unwrap();
            rest
        });
        Serving {
            child,
            rest: Some(rest),
            transcript,
        }
    }
}

/// A demo that serves. It does not outlive the test.
struct Serving {
    child: Child,
    rest: Option<JoinHandle<String>>,
    transcript: String,
}

impl Serving {
    /// Ctrl-C: it stops in order, and every step did what it should.
    fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let status = self.child.wait().unwrap();
        let rest = self.rest.take().unwrap().join().unwrap();
        assert!(status.success(), "{status}\n{}{rest}", self.transcript);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A code lasts for half a minute and serves once, and the story has used this one.
fn wait_for_a_new_code() {
    let gone = now().millis().rem_euclid(30_000);
    let left = u64::try_from(30_000 - gone).unwrap();
    thread::sleep(Duration::from_millis(left + 100));
}

#[test]
fn every_command_of_the_readme_does_what_it_says() {
    let terminal = Terminal::new();
    let mut serving = Vec::new();
    for block in blocks(&readme()) {
        match block.how.split(':').next() {
            Some("plays") => terminal.start(&block.command).stop(),
            Some("serves") => serving.push(terminal.start(&block.command)),
            Some("runs") => terminal.run(&block.command),
            Some("signs in") => {
                wait_for_a_new_code();
                terminal.run(&block.command);
            }
            // Running the tests cannot be tested by a test.
            Some("elsewhere") => assert_eq!(block.command, "tests/run"),
            how => panic!("what is {how:?}?"),
        }
    }
    assert_eq!(
        serving.len(),
        1,
        "the README keeps one borough to try against"
    );
    serving.into_iter().for_each(Serving::stop);
}

#[test]
fn the_readme_names_only_files_that_exist() {
    let page = readme();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let prefixes = ["src/", "deploy/", "certs/", "policies/", "tests/"];
    let named: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|quoted| prefixes.iter().any(|prefix| quoted.starts_with(prefix)))
        .collect();
    assert!(named.len() > 4);
    for path in named {
        assert!(root.join(path).exists(), "README.md names {path}");
    }
}
