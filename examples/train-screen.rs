//! Makes `policies/screen/weights.bin` from the corpus, and prints what the screen does on each voice
//! when it was held out: `cargo run --release --example train-screen`.

use std::error::Error;
use std::fs;
use std::io::{Write, stdout};
use std::path::Path;

use firedoor::domain::firewall::text::Lists;
use firedoor::domain::firewall::text::training::{Tally, Voice, train};

const VOICES: [&str; 22] = [
    "police",
    "health",
    "charity",
    "council",
    "courts",
    "wards",
    "refuges",
    "offices",
    "fields",
    "community",
    "formal",
    "frontline",
    "helpline",
    "schools",
    "ownwords",
    "casework",
    "housing",
    "surgery",
    "reports",
    "around",
    "emails",
    "notes",
];

fn main() -> Result<(), Box<dyn Error>> {
    let screen = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/screen");
    let mut voices = Vec::new();
    for name in VOICES {
        let text = fs::read_to_string(screen.join(format!("corpus/{name}.tsv")))?;
        voices.push(Voice::parse(name, &text)?);
    }
    let trained = train(&Lists::BUILT_IN, &voices)?;
    fs::write(screen.join("weights.bin"), &trained.weights)?;
    let mut out = stdout().lock();
    writeln!(
        out,
        "{} bytes, held from {}, weak hits from {}\n",
        trained.weights.len(),
        trained.hold_from,
        trained.weak_from
    )?;
    writeln!(
        out,
        "| held out | kind | lines | word list | classifier | both |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    let mut all: Vec<Tally> = Vec::new();
    for (voice, tallies) in &trained.held_out {
        for tally in tallies {
            write_row(&mut out, voice, tally)?;
            match all.iter_mut().find(|sum| sum.kind == tally.kind) {
                Some(sum) => {
                    sum.lines += tally.lines;
                    sum.listed += tally.listed;
                    sum.learned += tally.learned;
                    sum.held += tally.held;
                }
                None => all.push(*tally),
            }
        }
    }
    for tally in &all {
        write_row(&mut out, "all", tally)?;
    }
    Ok(())
}

fn write_row(out: &mut impl Write, voice: &str, tally: &Tally) -> std::io::Result<()> {
    let percent = |count: usize| 100.0 * count as f64 / tally.lines.max(1) as f64;
    writeln!(
        out,
        "| {voice} | {:?} | {} | {:.1} % | {:.1} % | {:.1} % |",
        tally.kind,
        tally.lines,
        percent(tally.listed),
        percent(tally.learned),
        percent(tally.held)
    )
}
