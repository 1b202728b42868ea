//! What a command reads: a file or standard input, within a limit.
//!
//! What is about a person is taken from a file or standard input, never needed as an argument,
//! because arguments are seen by other users of the computer and kept by shells.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ClientFault;

pub const OFFER_HELP: &str = "\
Example: firedoor client offer referral.json --bundle bundles/met

FILE is JSON: service, direction, offence_group, identity, safe_contact, consent or legal_basis, and
more (see /v1/openapi.json). Whom she is to be kept safe from, if you know:

    \"other_party\": { \"given_name\": \"...\", \"family_name\": \"...\", \"birth_date\": \"1988-01-20\",
                     \"relation\": \"former_partner\", \"shares_address\": \"no\",
                     \"risks\": [\"knows_where_she_is\"] }   the codes: firedoor client codes

The names and date keep that person away from what is hers: both names, or the family name and date
of birth; less keeps nobody away. They are told to nobody and not kept, so put them into your own
record too. The codes are told to the voluntary service that accepts her.
Police may add pnc_id. Of a child for whom a parent speaks, name that parent:

    \"party_role\": \"child_victim\",
    \"child_of\": { \"given_name\": \"...\", \"family_name\": \"...\", \"birth_date\": \"...\" }

What another parent says of the child is kept apart.";

/// Larger is taken by no route (1,000 lines of 16 KiB).
pub const INPUT_BYTES_MAX: u64 = 17 * 1024 * 1024;

/// A file, whole.
///
/// # Errors
/// [`ClientFault::File`], or [`ClientFault::TooLarge`].
pub fn read(path: &Path) -> Result<Vec<u8>, ClientFault> {
    let file = File::open(path).map_err(|error| ClientFault::File(path.to_owned(), error))?;
    limited(file, path)
}

pub fn read_text(path: &Path) -> Result<String, ClientFault> {
    String::from_utf8(read(path)?).map_err(|_| ClientFault::NotText(path.to_owned()))
}

/// A file, or standard input for `-`.
pub fn given(file: &str) -> Result<Vec<u8>, ClientFault> {
    if file == "-" {
        return limited(std::io::stdin().lock(), Path::new("standard input"));
    }
    read(Path::new(file))
}

/// JSON from a file, or from standard input for `-`.
pub fn document(file: &str) -> Result<Value, ClientFault> {
    serde_json::from_slice(&given(file)?).map_err(|_| ClientFault::NotJson(PathBuf::from(file)))
}

/// The text itself, or standard input for `-`.
pub fn typed(text: &str) -> Result<String, ClientFault> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let text = String::from_utf8(given("-")?);
    text.map(|text| text.trim_end().to_owned())
        .map_err(|_| ClientFault::NotText(PathBuf::from("standard input")))
}

fn limited(source: impl Read, path: &Path) -> Result<Vec<u8>, ClientFault> {
    let mut bytes = Vec::new();
    source
        .take(INPUT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| ClientFault::File(path.to_owned(), error))?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        return Err(ClientFault::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}
