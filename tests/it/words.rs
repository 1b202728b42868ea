//! What people read has no word that only we understand (the page: `cargo run --example words`).

use std::collections::BTreeSet;
use std::path::Path;

#[path = "../../examples/words/sentences.rs"]
mod sentences;

use sentences::{AUDIENCES, said_to};

/// Words of the inside of the program.
const OURS: [&str; 20] = [
    "tombstone",
    "leaf",
    "token",
    "alias",
    "aggregate",
    "pseudonym",
    "payload",
    "entropy",
    "borsh",
    "cedar",
    "quarantine",
    "pipeline",
    "backend",
    "serialis",
    "commitment",
    "merkle",
    "null pointer",
    "panicked",
    "unwrap",
    "mutex",
];

/// What a screen does not say (`domain.md` 2.6, words to avoid).
const AVOIDED: [&str; 8] = [
    "illegal",
    "alien",
    "whitelist",
    "blacklist",
    "minor incident",
    "alleged victim",
    "victim refused",
    "oriental",
];

fn holds(words: &str, banned: &str) -> bool {
    words.to_lowercase().match_indices(banned).any(|(at, _)| {
        let before = words.to_lowercase();
        !before
            .get(..at)
            .is_some_and(|text| text.ends_with(char::is_alphabetic))
    })
}

#[test]
fn nobody_is_shown_a_word_that_only_we_understand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sentences = 0;
    let mut files = BTreeSet::new();
    let mut wrong = Vec::new();
    for audience in &AUDIENCES {
        let all = said_to(root, audience).unwrap();
        assert!(!all.is_empty(), "nothing is said to: {}", audience.who);
        for said in all {
            sentences += 1;
            files.insert(said.file.clone());
            for banned in OURS.iter().chain(&AVOIDED) {
                if holds(&said.words, banned) {
                    let (who, file) = (audience.who, &said.file);
                    wrong.push(format!("{who} ({file}): '{banned}' in: {}", said.words));
                }
            }
        }
    }
    assert!(sentences > 200, "only {sentences} were found");
    for file in [
        "policies/notices.toml",
        "policies/watch/rules.toml",
        // What only tests are built with stands at its head.
        "src/domain/journey/governing.rs",
    ] {
        assert!(files.contains(file), "{file}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
