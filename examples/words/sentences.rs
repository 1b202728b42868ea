//! Finds the sentences that people read: in the source, the literals of the places that speak to
//! them; in the notices, every line.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Somebody whom a part of the program speaks to.
pub struct Audience {
    pub who: &'static str,
    /// Files and folders from the project's root.
    places: &'static [&'static str],
}

/// In the order in which they should be read: she comes first.
pub const AUDIENCES: [Audience; 5] = [
    Audience {
        who: "She, as somebody reads it to her or hands it to her",
        places: &["policies/notices.toml", "src/domain/report"],
    },
    Audience {
        who: "A worker, whatever she uses",
        places: &[
            "src/domain/refusal.rs",
            "src/domain/consent.rs",
            "src/domain/journey",
            "src/domain/person",
            "src/edge/http",
            "src/edge/wire.rs",
            "src/edge/wire",
        ],
    },
    Audience {
        who: "A worker at a shell",
        places: &["src/ops/client"],
    },
    Audience {
        who: "An information-governance officer",
        places: &["policies/watch/rules.toml"],
    },
    Audience {
        who: "A health service's software, and whoever reads its log",
        places: &["src/edge/fhir"],
    },
];

/// One sentence, and where it stands.
pub struct Said {
    pub file: String,
    pub words: String,
}

/// Files and folders that only tests use.
const TESTS: [&str; 7] = [
    "tests",
    "tests.rs",
    "interleaved",
    "interleaved.rs",
    "scene.rs",
    "trial.rs",
    "walled.rs",
];

/// A text of fewer words is a name or a code, not a sentence.
const WORDS_MIN: usize = 4;

/// All that is said to an audience, file by file, each sentence once a file.
///
/// # Errors
/// The source cannot be read.
pub fn said_to(root: &Path, audience: &Audience) -> io::Result<Vec<Said>> {
    let mut all: Vec<Said> = Vec::new();
    for place in audience.places {
        let mut files = Vec::new();
        find(&root.join(place), &mut files)?;
        files.sort();
        for path in files {
            let name = path.strip_prefix(root).unwrap_or(&path);
            let file = name.to_string_lossy().into_owned();
            let text = fs::read_to_string(&path)?;
            let found = if file.ends_with(".toml") {
                spoken(&text)
            } else {
                literals(&text)
            };
            for words in found {
                let known = |said: &Said| said.file == file && said.words == words;
                if words.split_whitespace().count() >= WORDS_MIN && !all.iter().any(known) {
                    all.push(Said {
                        file: file.clone(),
                        words,
                    });
                }
            }
        }
    }
    Ok(all)
}

fn find(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if path.is_dir() {
        if !TESTS.contains(&name.as_ref()) {
            for entry in fs::read_dir(path)? {
                find(&entry?.path(), files)?;
            }
        }
    } else if (name.ends_with(".rs") && !TESTS.contains(&name.as_ref())) || name.ends_with(".toml")
    {
        files.push(path.to_owned());
    }
    Ok(())
}

/// The English of the notices; what the rules of the watch say.
fn spoken(text: &str) -> Vec<String> {
    let table: toml::Table = text.parse().unwrap_or_default();
    let all = |name: &str| table.get(name).and_then(toml::Value::as_array);
    let notices = all("notice").into_iter().flatten();
    let notices = notices.filter_map(|notice| notice.get("text")?.get("en")?.as_str());
    let rules = all("rule").into_iter().flatten();
    let rules = rules.filter_map(|rule| rule.get("says")?.as_str());
    notices.chain(rules).map(str::to_owned).collect()
}

/// String literals of a source file, but for its tests, comments and attributes.
fn literals(source: &str) -> Vec<String> {
    let source = without_tests(source);
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'', '#']) {
        let (before, from) = rest.split_at(at);
        rest = if from.starts_with("//") {
            from.split_once('\n').map_or("", |(_, after)| after)
        } else if from.starts_with("#[") {
            after_attribute(from)
        } else if from.starts_with("'\"'") {
            from.get(3..).unwrap_or_default()
        } else if from.starts_with('"') {
            let (words, after) = literal(from.get(1..).unwrap_or_default());
            if !before.trim_end().ends_with("expect(") {
                found.push(words);
            }
            after
        } else {
            from.get(1..).unwrap_or_default()
        };
    }
    found
}

/// The source up to the module of its tests. What else only tests are built with may stand anywhere,
/// and what comes after it is read.
fn without_tests(source: &str) -> &str {
    const TESTS_ONLY: &str = "#[cfg(test)]";
    let tests = source.match_indices(TESTS_ONLY).find(|(at, _)| {
        let after = source.get(at + TESTS_ONLY.len()..).unwrap_or_default();
        let after = after.trim_start();
        let after = after.strip_prefix("pub ").unwrap_or(after);
        after.starts_with("mod tests")
    });
    tests.map_or(source, |(at, _)| source.get(..at).unwrap_or(source))
}

/// What stands behind an attribute that may run over several lines.
fn after_attribute(from: &str) -> &str {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in from.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return from.get(at + 1..).unwrap_or_default();
                }
            }
            _ => {}
        }
    }
    ""
}

/// The literal that begins here, as it is printed, and what stands behind it.
fn literal(from: &str) -> (String, &str) {
    let mut words = String::new();
    let mut chars = from.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (words, from.get(at + 1..).unwrap_or_default()),
            '\\' => match chars.next() {
                Some((_, '\n')) => while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                Some((_, 'n')) => words.push(' '),
                Some((_, other)) => words.push(other),
                None => {}
            },
            other => words.push(other),
        }
    }
    (words, "")
}
