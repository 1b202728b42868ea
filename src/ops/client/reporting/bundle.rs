//! Evidence as a folder: entries with their proofs, the head, the policies, and how to check them.
//!
//! Nothing here checks it: whoever collects the evidence is not whom its reader should have to
//! believe. The folder holds no key; the reader pins it from elsewhere.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::super::caller::Said;
use super::super::{ClientFault, Outcome};
use super::pages::{Desk, Source, each};
use crate::domain::tiles::CHECKPOINT_PATH;

const README: &str = include_str!("bundle.txt");

/// Collects the evidence into `dir`.
pub(in crate::ops::client) async fn write(
    desk: &mut Desk<'_>,
    source: &Source,
    dir: &Path,
    out: &mut impl Write,
) -> Result<Outcome, ClientFault> {
    fresh(dir)?;
    let mut written = 0_u64;
    let mut policies: BTreeSet<String> = BTreeSet::new();
    let refused = each(desk, source, &[("evidence", json!(true))], |page| {
        for entry in page.entries() {
            let index = entry.get("entry").and_then(Value::as_u64);
            let receipt = entry.get("evidence").and_then(Value::as_str);
            // One whose account was erased has no evidence any more.
            let Some((index, receipt)) = index.zip(receipt) else {
                continue;
            };
            file(dir, &format!("entries/{index}.receipt"), receipt.as_bytes())?;
            written += 1;
            let named = entry.pointer("/decided/policy").and_then(Value::as_str);
            policies.extend(named.map(str::to_owned));
        }
        Ok(())
    })
    .await?;
    if let Some(page) = refused {
        return desk.refused(&page, out);
    }
    let missing = write_policies(desk, dir, &policies).await?;
    head(desk, dir).await?;
    // Last: a folder with a README is whole.
    file(dir, "README.txt", readme(written, &missing).as_bytes())?;
    let shown = dir.display();
    writeln!(
        out,
        "{written} entries with their proofs are in {shown}. Check them: firedoor-verify bundle \
         {shown} --key FILE"
    )?;
    for hash in &missing {
        writeln!(
            out,
            "Policies that are no longer in force are missing: {hash}"
        )?;
    }
    Ok(Outcome::Done)
}

fn fresh(dir: &Path) -> Result<(), ClientFault> {
    let unusable = |error| ClientFault::File(dir.to_owned(), error);
    fs::create_dir_all(dir).map_err(unusable)?;
    let mut entries = fs::read_dir(dir).map_err(unusable)?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(ClientFault::NotEmpty(dir.to_owned())),
    }
}

/// The policies in force, those that entries name, and which of these are missing.
async fn write_policies(
    desk: &mut Desk<'_>,
    dir: &Path,
    named: &BTreeSet<String>,
) -> Result<Vec<String>, ClientFault> {
    let said = desk.caller.get("/v1/policies").await?;
    let in_force = write_set(dir, &said)?;
    let mut missing = Vec::new();
    for hash in named.iter().filter(|named| **named != in_force) {
        if !is_hash(hash) {
            return Err(ClientFault::Reply);
        }
        let said = desk.caller.get(&format!("/v1/policies/{hash}")).await?;
        if said.refused() {
            missing.push(hash.clone());
        } else if write_set(dir, &said)? != *hash {
            return Err(ClientFault::Reply);
        }
    }
    Ok(missing)
}

/// Writes the files of one set; its hash.
fn write_set(dir: &Path, said: &Said) -> Result<String, ClientFault> {
    let hash = said.body.get("hash").and_then(Value::as_str);
    let hash = hash
        .filter(|hash| is_hash(hash))
        .ok_or(ClientFault::Reply)?;
    let files = said.body.get("files").and_then(Value::as_array);
    for one in files.into_iter().flatten() {
        let part = |name: &str| one.get(name).and_then(Value::as_str);
        let (name, text) = part("name").zip(part("text")).ok_or(ClientFault::Reply)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.starts_with('.') || !name.chars().all(plain) {
            return Err(ClientFault::Reply);
        }
        file(dir, &format!("policy/{hash}/{name}"), text.as_bytes())?;
    }
    Ok(hash.to_owned())
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The newest head that witnesses have seen, or else the newest that the log has signed.
async fn head(desk: &mut Desk<'_>, dir: &Path) -> Result<(), ClientFault> {
    let witnessed = desk.caller.get("/log/witnessed").await?;
    let said = match witnessed.refused() {
        false => witnessed,
        true => desk.caller.get(&format!("/log/{CHECKPOINT_PATH}")).await?,
    };
    if said.refused() {
        return Err(ClientFault::Log);
    }
    file(dir, "checkpoint", &said.bytes)
}

fn file(dir: &Path, path: &str, bytes: &[u8]) -> Result<(), ClientFault> {
    let path = dir.join(path);
    let parent = path.parent().unwrap_or(dir);
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(&path, bytes))
        .map_err(|error| ClientFault::File(path.clone(), error))
}

fn readme(entries: u64, missing: &[String]) -> String {
    let policies = match missing {
        [] => "Every policy that an entry names is here.".to_owned(),
        missing => format!(
            "These policies were replaced and are not here; ask the operator for them:\n  {}",
            missing.join("\n  ")
        ),
    };
    README
        .replace("{entries}", &entries.to_string())
        .replace("{policies}", &policies)
}
