//! Every sentence that the program says to a person, in one page, to be read as whoever it is for.
//!
//! `cargo run --example words > words.md`. The sentences are taken from the source, so that none is
//! missing from the page; `tests/it/words.rs` holds them to plain words.

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;

#[path = "words/sentences.rs"]
mod sentences;

use sentences::{AUDIENCES, said_to};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut page = stdout().lock();
    writeln!(page, "# What Firedoor says\n")?;
    for audience in &AUDIENCES {
        writeln!(page, "## {}\n", audience.who)?;
        let mut of = String::new();
        for said in said_to(root, audience)? {
            if said.file != of {
                writeln!(page, "\n{}\n", said.file)?;
                of.clone_from(&said.file);
            }
            writeln!(page, "- {}", said.words)?;
        }
        writeln!(page)?;
    }
    Ok(())
}
