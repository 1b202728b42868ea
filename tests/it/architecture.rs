//! The rules of the house (`src/README.md`), kept as tests on the source itself.
//!
//! Text is searched without comments and without tests, so that a rule binds what runs.
#![expect(
    clippy::unwrap_used,
    reason = "fixtures: a failure here is a failed test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Past this, a file has a second job.
const LINES_MAX: usize = 600;

/// Files past [`LINES_MAX`], with the most lines each may have. Lower a number when a file shrinks,
/// and take it out when it is below the limit; never raise one.
const LONG: [(&str, usize); 3] = [
    ("domain/journey/offering.rs", 621),
    ("edge/wire.rs", 665),
    ("pipeline.rs", 652),
];

/// Each crate that touches the world, or makes or breaks a promise, and where it may be named.
const OWNERS: [(&str, &[&str]); 27] = [
    ("sled", &["store/index.rs"]),
    ("cedar_policy", &["domain/policy/"]),
    ("rustls", &["edge/tls", "store/postgres"]),
    ("tokio_rustls", &["edge/tls"]),
    ("tokio_postgres_rustls", &["store/postgres/connect.rs"]),
    ("tokio_postgres", &["store/postgres", "ops/bench"]),
    ("deadpool_postgres", &["store/postgres"]),
    ("openssl", &["ops/pki"]),
    ("x509_parser", &["edge/tls", "ops/"]),
    ("hyper", &["edge/"]),
    ("hyper_util", &["edge/"]),
    (
        "axum",
        &[
            "edge/",
            "web/",
            "ops/bench/",
            "ops/serve.rs",
            "ops/client/caller.rs",
        ],
    ),
    ("tower", &["edge/", "web/visit.rs", "ops/bench/pages.rs"]),
    ("maud", &["web/"]),
    ("form_urlencoded", &["web/form.rs"]),
    ("utoipa", &["edge/"]),
    ("quick_xml", &["edge/fhir/"]),
    ("serde", &["edge/", "ops/"]),
    (
        "serde_json",
        &[
            "edge/",
            "web/",
            "ops/",
            "domain/policy/proof.rs",
            "domain/passkey.rs",
        ],
    ),
    ("clap", &["ops/", "bin/"]),
    ("ed25519_dalek", &["domain/note.rs"]),
    (
        "aes_gcm",
        &["domain/seal.rs", "store/names.rs", "store/slots/file.rs"],
    ),
    ("getrandom", &["store/", "ops/"]),
    ("webauthn_rs", &["domain/passkey.rs"]),
    ("tlog_tiles", &["bin/firedoor-verify"]),
    ("signed_note", &["bin/firedoor-verify"]),
    ("rustix", &["store/", "ops/"]),
];

/// What a layer may not name. The order is `main -> ops -> web -> edge -> pipeline -> store -> domain`.
const LAYERS: [(&str, &[&str]); 6] = [
    (
        "domain/",
        &[
            "crate::store",
            "crate::edge",
            "crate::web",
            "crate::ops",
            "crate::pipeline",
            "tokio",
            "tracing",
            "serde",
            "async fn",
            ".await",
            "std::fs",
            "std::net",
            "std::env",
            "std::process",
            "std::thread",
            "SystemTime",
            "Instant::now",
            "Timestamp::now",
            "Zoned::now",
            "getrandom",
        ],
    ),
    (
        "store/",
        &[
            "crate::edge",
            "crate::web",
            "crate::ops",
            "crate::pipeline",
            "std::env",
        ],
    ),
    (
        "pipeline",
        &[
            "crate::edge",
            "crate::web",
            "crate::ops",
            "std::fs",
            "std::net",
            "std::env",
        ],
    ),
    (
        "edge/",
        &[
            "crate::store",
            "crate::web",
            "crate::ops",
            "std::env",
            "SystemTime",
        ],
    ),
    (
        // A page has nothing that the API would not tell.
        "web/",
        &[
            "crate::store",
            "crate::pipeline",
            "crate::ops",
            "std::env",
            "SystemTime",
        ],
    ),
    (
        "bin/firedoor-verify",
        &[
            "firedoor::store",
            "firedoor::edge",
            "firedoor::ops",
            "firedoor::pipeline",
            // It shares no Merkle code with the writer.
            "firedoor::domain::merkle",
            "firedoor::domain::subtree",
            "firedoor::domain::witness",
        ],
    ),
];

/// What each of these never derives. `Clone` is for a lasting fact only (`Peer`).
const WITNESSES: [(&str, &[&str]); 8] = [
    ("Peer", &["Default", "Deserialize"]),
    (
        "RawIdentifier",
        &["Default", "Deserialize", "Clone", "Debug"],
    ),
    ("Identity", &["Default", "Deserialize", "Clone", "Debug"]),
    ("Payload", &["Deserialize", "Clone", "Debug"]),
    ("Permitted", &["Default", "Deserialize", "Clone"]),
    ("Screened", &["Default", "Deserialize", "Clone"]),
    ("Logged", &["Default", "Deserialize", "Clone"]),
    ("Answered", &["Default", "Deserialize", "Clone", "Debug"]),
];

struct Source {
    /// From `src/`, with `/`.
    path: String,
    text: String,
    /// Compiled for tests only.
    test: bool,
}

impl Source {
    fn in_(&self, place: &str) -> bool {
        self.path.starts_with(place)
    }

    /// What runs: without comments, and without the test module, which comes last.
    fn code(&self) -> String {
        if self.test {
            return String::new();
        }
        let end = self.text.find("#[cfg(test)]\nmod ").filter(|end| {
            // `#[cfg(test)] mod tests;` names a file and may stand anywhere.
            let line = self.text.get(*end..).and_then(|rest| rest.lines().nth(1));
            line.is_some_and(|line| line.ends_with('{'))
        });
        let code = end.and_then(|end| self.text.get(..end));
        code.unwrap_or(&self.text)
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .fold(String::new(), |code, line| code + line + "\n")
    }

    /// The places of the modules that it declares for tests only, without `.rs`.
    fn declares_for_tests(&self) -> Vec<String> {
        let own = self.path.trim_end_matches(".rs");
        let own = own.strip_suffix("/mod").unwrap_or(own);
        let folder = if own == "lib" {
            String::new()
        } else {
            format!("{own}/")
        };
        let after = self.text.split("#[cfg(test)]\n").skip(1);
        let named = after.filter_map(|rest| {
            let line = rest.lines().next()?.trim().strip_suffix(';')?;
            line.rsplit_once("mod ").map(|(_, name)| name)
        });
        named.map(|name| format!("{folder}{name}")).collect()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn sources() -> Vec<Source> {
    let top = root().join("src");
    let mut found = Vec::new();
    let mut pending = vec![top.clone()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let path = path
                .strip_prefix(&top)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let test = false;
            found.push(Source { path, text, test });
        }
    }
    let tests: Vec<String> = found.iter().flat_map(Source::declares_for_tests).collect();
    for source in &mut found {
        let within = |place: &String| {
            let rest = source.path.strip_prefix(place.as_str());
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        source.test = tests.iter().any(within);
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// Whether `word` stands in `code` as a whole path: `serde` is not in `serde_json`.
fn names(code: &str, word: &str) -> bool {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(word).any(|(at, found)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code
            .get(at + found.len()..)
            .and_then(|text| text.chars().next());
        let within = |letter: Option<char>| letter.is_some_and(part);
        let path = before == Some(':') && !word.starts_with('.');
        !path && (word.starts_with('.') || !within(before)) && !within(after)
    })
}

/// A crate is named by a path that begins with it.
fn names_crate(code: &str, name: &str) -> bool {
    names(code, &format!("{name}::")) || names(code, &format!("use {name};")) || {
        let path = format!("{name}::");
        code.match_indices(&path).any(|(at, _)| {
            let before = code.get(..at).and_then(|text| text.chars().next_back());
            before.is_none_or(|letter| !letter.is_alphanumeric() && !"_:".contains(letter))
        })
    }
}

fn check(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn each_layer_names_only_those_below_it() {
    let mut wrong = Vec::new();
    for source in sources() {
        let code = source.code();
        if code.contains("crate::{") {
            // The words below would not be found in it.
            wrong.push(format!("{}: write out each `use crate::...`", source.path));
        }
        for (layer, banned) in LAYERS {
            for word in banned.iter().filter(|_| source.in_(layer)) {
                if names(&code, word) {
                    wrong.push(format!("{} may not name `{word}`", source.path));
                }
            }
        }
    }
    check(&wrong);
}

#[test]
fn each_crate_that_touches_the_world_is_named_in_one_place() {
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources() {
        let code = source.code();
        for (name, owners) in OWNERS {
            if !names_crate(&code, name) {
                continue;
            }
            seen.insert(name);
            if !owners.iter().any(|owner| source.in_(owner)) {
                wrong.push(format!(
                    "{} may not name `{name}`: see {owners:?}",
                    source.path
                ));
            }
        }
    }
    // A rule about a crate that nobody names any more guards nothing.
    for (name, _) in OWNERS.iter().filter(|(name, _)| !seen.contains(name)) {
        wrong.push(format!("no file names `{name}`"));
    }
    check(&wrong);
}

#[test]
fn witnesses_are_asserted_only_where_they_are_earned() {
    let owners = [
        ("Peer::assertion(", "edge/tls.rs"),
        ("Logged::assertion(", "store/mod.rs"),
    ];
    let mut wrong = Vec::new();
    for (call, owner) in owners {
        let callers: Vec<String> = sources()
            .into_iter()
            .filter(|source| source.code().contains(call))
            .map(|source| source.path)
            .collect();
        if callers != [owner] {
            wrong.push(format!(
                "{call}..) belongs in {owner} alone, and is in {callers:?}"
            ));
        }
    }
    check(&wrong);
}

#[test]
fn a_witness_derives_nothing_that_would_forge_it() {
    let sources = sources();
    let mut wrong = Vec::new();
    for (name, banned) in WITNESSES {
        let found: Vec<(&Source, usize)> = sources
            .iter()
            .filter(|source| source.in_("domain/") || source.in_("pipeline"))
            .filter_map(|source| {
                let ends = ["<", " {", "("];
                let mut at = ends
                    .iter()
                    .filter_map(|end| source.text.find(&format!("pub struct {name}{end}")));
                at.next().map(|at| (source, at))
            })
            .collect();
        if found.len() != 1 {
            wrong.push(format!("`{name}` is defined {} times", found.len()));
        }
        for (source, at) in found {
            let before = source.text.get(..at).unwrap_or_default();
            // Attributes and comments stand right above, up to an empty line.
            let above = before.rsplit("\n\n").next().unwrap_or_default();
            let derived: String = above
                .lines()
                .filter(|line| !line.starts_with("//"))
                .collect();
            for derive in banned.iter().filter(|derive| derived.contains(**derive)) {
                wrong.push(format!("{}: `{name}` derives {derive}", source.path));
            }
        }
    }
    check(&wrong);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .into_iter()
        .filter(|source| {
            let first = source
                .text
                .lines()
                .next()
                .and_then(|line| line.strip_prefix("//! "));
            // Twenty letters say more than a placeholder; `lib.rs` has its page as its header.
            first.is_none_or(|header| header.len() < 20) && source.path != "lib.rs"
        })
        .map(|source| format!("{} has no header", source.path))
        .collect();
    check(&silent);
}

#[test]
fn files_are_named_by_their_job_and_nothing_is_left_undone() {
    let bags = [
        "utils", "util", "common", "helpers", "helper", "manager", "misc", "shared",
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        for part in source.path.split(['/', '.']) {
            if bags.contains(&part) {
                wrong.push(format!("{}: `{part}` is no job", source.path));
            }
        }
        // In two halves, so that this file does not find itself.
        for left in [
            concat!("TO", "DO"),
            concat!("FIX", "ME"),
            concat!("#[ign", "ore"),
        ] {
            if names(&source.text, left) || source.text.contains(left) {
                wrong.push(format!("{}: {left}", source.path));
            }
        }
    }
    check(&wrong);
}

#[test]
fn only_the_command_line_prints() {
    let printing: Vec<String> = sources()
        .into_iter()
        .filter(|source| !source.in_("ops/") && !source.in_("bin/") && source.path != "main.rs")
        .filter(|source| {
            let code = source.code();
            ["println!", "print!", "eprintln!", "eprint!", "dbg!"]
                .iter()
                .any(|word| code.contains(word))
        })
        .map(|source| format!("{} prints", source.path))
        .collect();
    check(&printing);
}

#[test]
fn every_consent_is_kept_in_one_place_that_asks_which_words_were_read() {
    let mut wrong = Vec::new();
    for source in sources() {
        if source.test || !source.in_("domain/journey/") {
            continue;
        }
        let code = source.code();
        // What was recorded before a restore is handed in again as it was.
        let here = ["consenting.rs", "reconciling.rs"].map(|name| format!("domain/journey/{name}"));
        let here = here.contains(&source.path.to_string());
        if code.contains("&Record::Consent(") && !here {
            wrong.push(format!("{}: keep_consent writes it", source.path));
        }
        if code.contains("keep_consent(") && !code.contains("names_a_notice(") {
            wrong.push(format!("{}: names_a_notice is not asked", source.path));
        }
    }
    check(&wrong);
}

#[test]
fn long_files_only_shrink() {
    let mut wrong = Vec::new();
    for source in sources() {
        if source.test {
            continue;
        }
        let lines = source.text.lines().count();
        let allowed = LONG.iter().find(|(path, _)| *path == source.path);
        let most = allowed.map_or(LINES_MAX, |(_, most)| *most);
        if lines > most {
            wrong.push(format!("{}: {lines} lines, {most} at most", source.path));
        }
        if allowed.is_some() && lines <= LINES_MAX {
            wrong.push(format!(
                "{} is short again: take it off the list",
                source.path
            ));
        }
    }
    for (path, _) in LONG {
        if !root().join("src").join(path).exists() {
            wrong.push(format!("{path} is gone: take it off the list"));
        }
    }
    let main = fs::read_to_string(root().join("src/main.rs")).unwrap();
    if main.lines().count() >= 60 {
        wrong.push("main.rs is the start of the program, not a part of it".to_owned());
    }
    check(&wrong);
}

/// The paths in the code map: the first column of its table, in backticks.
fn mapped() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("src/README.md")).unwrap();
    let map = page.split("\n## Code map\n").nth(1).unwrap_or_default();
    let map = map.split("\n## ").next().unwrap_or_default();
    map.lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_code_map_names_every_module_and_no_other() {
    let mapped = mapped();
    let mut wrong: Vec<String> = mapped
        .iter()
        .filter(|path| !root().join("src").join(path).exists())
        .map(|path| format!("src/README.md names {path}, which does not exist"))
        .collect();
    for source in sources() {
        let parts: Vec<&str> = source.path.trim_end_matches(".rs").split('/').collect();
        // A module and its parts are one line: `store/journal.rs` covers `store/journal/`.
        let place = match parts.as_slice() {
            [_, "mod"] | [_, _, ..] if source.test => continue,
            [top] => format!("{top}.rs"),
            [top, "mod"] => format!("{top}/mod.rs"),
            [top, module, ..] => format!("{top}/{module}"),
            [] => continue,
        };
        let spelt = [
            place.clone(),
            format!("{place}.rs"),
            format!("{place}/"),
            // Of a part that is not a layer, as `pipeline/`, the folder is enough.
            format!("{}/", parts.first().unwrap_or(&"")),
        ];
        if !spelt.iter().any(|name| mapped.contains(name)) {
            wrong.push(format!("src/README.md does not name {}", source.path));
        }
    }
    check(&wrong);
}
