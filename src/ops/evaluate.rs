//! `firedoor evaluate`: runs the real text screen over a file of sentences and the real matcher over
//! a table of people, so that anyone can measure them on data of their own. It never opens a store
//! and logs nothing.

mod figures;
mod linkage;
mod linkage_figures;
mod table;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use figures::Figures;
use jiff::tz::TimeZone;
use linkage::People;
use linkage_figures::Truth;
use serde_json::{Value, json};

use super::cli::CommandResult;
use super::clock;
use super::rules;
use crate::domain::firewall::text::{Finding, Label, TextScreen};

/// Longest line read, in bytes: a note of the longest kind, escaped, with room for its fields.
const LINE_BYTES_MAX: usize = 512 * 1024;

/// Run the real rules over data of your own and measure them
#[derive(clap::Args)]
#[command(after_help = "Example: firedoor evaluate firewall sentences.jsonl > predictions.jsonl")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What the text screen would hold, for each line of a file
    #[command(
        after_help = "Each line has `id`, `text` and perhaps `route`; each answer has `id`, `label` \
                      (explicit, proxy, none), `spans` (code points, whole sentences) and \
                      `rules`.\n\n\
                      Example: firedoor evaluate firewall sentences.jsonl > predictions.jsonl"
    )]
    Firewall {
        /// JSON lines; `-` for standard input
        file: PathBuf,
        /// A folder with screen/lexicon.toml, instead of the words that are built in
        #[arg(long, value_name = "DIR")]
        policies: Option<PathBuf>,
    },
    /// How much of labelled text is held, as a table with 95 % intervals
    #[command(
        after_help = "Each line has `text`, `label` (explicit, proxy, hard, none, disclosing) and \
                      perhaps `kind` and `spans`; all files are counted together.\n\n\
                      Example: firedoor evaluate figures labelled.jsonl"
    )]
    Figures {
        /// JSON lines; `-` for standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// A folder with screen/lexicon.toml, instead of the words that are built in
        #[arg(long, value_name = "DIR")]
        policies: Option<PathBuf>,
    },
    /// Which records of one table, or across two, are of one person
    #[command(
        after_help = "Columns by header: `record_id` and any of `given_name`, `family_name`, \
                      `birth_date` (ISO), `address_line`, `postcode`, `phone`, `email`, \
                      `nhs_number`, `pnc_id`; absent or empty is unknown, and so is a field that \
                      cannot be read, which is counted on standard error. Prints \
                      `record_id_1,record_id_2,tier`: auto, name_dob, possible.\n\n\
                      Example: firedoor evaluate linkage people.csv > pairs.csv"
    )]
    Linkage {
        /// CSV with a header; `-` for standard input
        file: PathBuf,
        /// A second table: only pairs across the two
        second: Option<PathBuf>,
    },
    /// How well the matcher does, by tier, pair of agencies and origin of the name
    #[command(
        after_help = "The people as for `evaluate linkage`, perhaps with columns `agency` and \
                      `origin`; the truth with `record_id` and `person_id`, or with `record_id_1` \
                      and `record_id_2`.\n\n\
                      Example: firedoor evaluate linkage-figures people.csv truth.csv"
    )]
    LinkageFigures {
        /// CSV with a header
        file: PathBuf,
        /// CSV with a header: which records are of one person
        truth: PathBuf,
    },
}

pub fn run(args: &Args) -> CommandResult {
    let output = BufWriter::new(io::stdout().lock());
    match &args.command {
        Command::Firewall { file, policies } => {
            let screen = rules::screen(policies.as_deref())?;
            firewall(open(file)?, output, &screen)?;
        }
        Command::Figures { files, policies } => {
            let screen = rules::screen(policies.as_deref())?;
            let mut figures = Figures::default();
            for file in files {
                figures.read(open(file)?, &screen)?;
            }
            figures.write(output)?;
        }
        Command::Linkage { file, second } => {
            let people = people([Some(file), second.as_ref()].into_iter().flatten())?;
            people.write_pairs(output)?;
        }
        Command::LinkageFigures { file, truth } => {
            let people = people([file].into_iter())?;
            let truth = named(truth, |input| Truth::read(input, &people))?;
            linkage_figures::write(&people, &truth, output)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Compared under a key that everybody knows, of zeros, so that a run can be repeated: what is
/// printed holds no token.
fn people<'f>(files: impl Iterator<Item = &'f PathBuf>) -> Result<People, String> {
    let today = clock::now()
        .timestamp()
        .ok_or("the clock is out of range")?;
    let today = today.to_zoned(TimeZone::UTC).date();
    let mut people = People::new(&[0; 32], today);
    for file in files {
        named(file, |input| people.read(input))?;
    }
    let mut unread = io::stderr().lock();
    for (field, count) in people.unread() {
        // Nobody is told where standard error is closed.
        let _ = writeln!(
            unread,
            "{count} of {field} could not be read and count as unknown"
        );
    }
    Ok(people)
}

/// An error that says in which file.
fn named<T>(
    file: &Path,
    read: impl FnOnce(Box<dyn BufRead>) -> io::Result<T>,
) -> Result<T, String> {
    read(open(file)?).map_err(|error| format!("{}: {error}", file.display()))
}

fn open(file: &Path) -> Result<Box<dyn BufRead>, String> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Box::new(BufReader::new(opened)))
}

/// One JSON line out for each line in: `id`, `label` (`explicit`, `proxy`, `none`), `spans` (code
/// points, whole sentences), `rules`. Text that is held unread counts as explicit. Blank lines are
/// skipped; a line that is no object with `id` and `text` is an error that names its number.
pub fn firewall(
    input: impl BufRead,
    mut output: impl Write,
    screen: &TextScreen,
) -> io::Result<()> {
    lines(input, |number, item| {
        let (Some(id), Some(text)) = (item.get("id"), item.get("text").and_then(Value::as_str))
        else {
            return Err(bad_line(number, "needs 'id' and 'text'"));
        };
        serde_json::to_writer(&mut output, &prediction(id, &screen.read(text)))?;
        output.write_all(b"\n")
    })?;
    output.flush()
}

/// Each line that is not blank, with its number.
fn lines(
    mut input: impl BufRead,
    mut each: impl FnMut(u64, &Value) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let limit = u64::try_from(LINE_BYTES_MAX + 1).unwrap_or(u64::MAX);
        if io::Read::take(&mut input, limit).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(bad_line(number, "is too long"));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let item = serde_json::from_slice(&line).map_err(|_| bad_line(number, "is not JSON"))?;
        each(number, &item)?;
    }
    Ok(())
}

fn prediction(id: &Value, finding: &Finding) -> Value {
    match finding {
        Finding::Clean => json!({ "id": id, "label": "none", "spans": [], "rules": [] }),
        Finding::Held(held) => {
            let label = match held.label {
                Label::Explicit | Label::Unreadable => "explicit",
                Label::Proxy => "proxy",
            };
            let spans: Vec<[u32; 2]> = held
                .spans
                .iter()
                .map(|span| [span.start, span.end])
                .collect();
            json!({ "id": id, "label": label, "spans": spans, "rules": held.rules })
        }
    }
}

fn bad_line(number: u64, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("line {number} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::firewall::text::Lists;

    fn run(input: &str) -> io::Result<String> {
        let screen = TextScreen::parse(&Lists::BUILT_IN).unwrap();
        let mut output = Vec::new();
        firewall(input.as_bytes(), &mut output, &screen)?;
        Ok(String::from_utf8(output).unwrap())
    }

    #[test]
    fn each_line_gets_one_prediction_in_order() {
        let input = concat!(
            r#"{"id": "1", "text": "Locks changed. Her visa expired.", "route": "police->charity"}"#,
            "\n\n",
            r#"{"id": 2, "text": "Needs a panic alarm."}"#,
            "\n",
            r#"{"id": "3", "text": "v\u200bi\u200bs\u200ba"}"#,
        );
        insta::assert_snapshot!(run(input).unwrap(), @r#"
        {"id":"1","label":"explicit","spans":[[15,32]],"rules":["visa"]}
        {"id":2,"label":"none","spans":[],"rules":[]}
        {"id":"3","label":"explicit","spans":[[0,7]],"rules":["visa"]}
        "#);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_not_repeated() {
        let error = run("{\"id\": 1, \"text\": \"fine\"}\n{\"id\": 2}\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2 needs 'id' and 'text'");
        assert_eq!(run("secret").unwrap_err().to_string(), "line 1 is not JSON");
    }
}
