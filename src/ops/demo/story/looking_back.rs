//! Steps 11 and 12: who did what, and that nobody has changed the record of it.

use std::io::Write;

use serde_json::Value;

use super::{Story, find};
use crate::domain::time::When;
use crate::ops::demo::transcript::time_of_day;
use crate::ops::demo::witnesses;
use crate::ops::demo::{DemoError, proof};

impl<W: Write> Story<'_, W> {
    /// 11: who, when, why, on which consent.
    pub(super) async fn review(&mut self) -> Result<(), DemoError> {
        self.begin(
            "Who, when, why, on which consent: the log names every step, the refused ones too",
        )?;
        self.told.does(
            "The IG officers read what concerns their own organisation. The independent reviewer \
             reads all of it. Their reading is logged as well.",
        )?;
        let desks = [
            ("st-hildas-ig", "St Hilda's IG"),
            ("larkfield-ig", "the charity's IG"),
            ("met-ig", "police IG"),
            ("reviewer", "reviewer"),
        ];
        let mut read: Vec<(&str, Vec<Value>)> = Vec::new();
        for (bundle, who) in desks {
            let mut person = self.signed_in(bundle).await?;
            let said = person.get("/v1/audit/entries?max=200").await?;
            read.push((who, said.list("/entries").to_vec()));
        }
        let done = std::mem::take(&mut self.done);
        let mut missing = Vec::new();
        let mut consents = 0;
        for one in &done {
            let all = read
                .last()
                .and_then(|(_, entries)| entry(entries, one.index));
            let Some(entry_of_all) = all else {
                missing.push(format!("{} by {}", one.what, one.user));
                continue;
            };
            let seen_by: Vec<&str> = read
                .iter()
                .filter(|(_, entries)| entry(entries, one.index).is_some())
                .map(|(who, _)| *who)
                .collect();
            let row = Row::of(entry_of_all);
            consents += usize::from(row.consents > 0);
            if row.user != one.user || row.action != one.what {
                missing.push(format!("{} by {}", one.what, one.user));
            }
            self.told.row(&format!(
                "step {}, {}. Seen by {}.",
                one.step,
                row.text(),
                seen_by.join(", ")
            ))?;
        }
        self.told.so(
            missing.is_empty() && done.len() >= 22,
            &format!(
                "All {} requests of the steps above are named, with who, when and why{}.",
                done.len(),
                if missing.is_empty() {
                    String::new()
                } else {
                    format!("; missing: {}", missing.join("; "))
                }
            ),
        )?;
        self.told.so(
            consents >= 3,
            "Where her consent was used, the entry names which one.",
        )?;
        Ok(())
    }

    /// 12: checked by someone else's tool, offline.
    pub(super) async fn verify(&mut self, verifier: &proof::Verifier) -> Result<(), DemoError> {
        self.begin("Anyone can check: a receipt and the whole log, offline")?;
        let mut person = self.signed_in("reviewer").await?;
        let dir = &self.borough.dir;
        self.told.does(
            "Three agencies look at the log with their own programs and sign its head, each with \
             its own key and clock: police, hospital and charity.",
        )?;
        let mut seen = true;
        for bundle in witnesses::LOOKING {
            let mut agency = self.client(bundle, None).await?;
            seen &= witnesses::look(&mut agency, dir, bundle).await?;
        }
        self.told.so(
            seen,
            "Each found that the log had only grown, and the gateway keeps their word with it.",
        )?;
        let found = proof::check(&mut person, dir, &self.receipt, verifier).await?;
        self.told
            .does("The reviewer runs firedoor-verify on the receipt of step 2.")?;
        self.told.sees("The reviewer", &found.receipt.said)?;
        self.told
            .so(found.receipt.status == 0, "The receipt is good.")?;
        self.told.does(&format!(
            "She takes the whole log out as files, {} entries, and checks them.",
            found.entries
        ))?;
        self.told.sees("The reviewer", &found.log.said)?;
        self.told.so(
            found.log.status == 0,
            "Nothing is missing and nothing has changed.",
        )?;
        self.told.does(&format!(
            "Someone flips one bit of one byte of entry {} in a copy.",
            found.flipped
        ))?;
        self.told.sees("The reviewer", &found.tampered.said)?;
        let said = found.tampered.said.to_lowercase();
        let named = said.contains(&format!("entry {} ", found.flipped));
        self.told.so(
            found.tampered.status == 1 && named,
            "It is found, and the entry is named.",
        )?;
        Ok(())
    }
}

fn entry(entries: &[Value], index: Option<u64>) -> Option<&Value> {
    let index = index?;
    entries
        .iter()
        .find(|entry| entry.get("entry").and_then(Value::as_u64) == Some(index))
}

/// One entry of the log, in one line.
struct Row {
    at: String,
    organisation: String,
    user: String,
    role: String,
    purpose: String,
    action: String,
    told: String,
    consents: usize,
    first_consent: Option<String>,
}

impl Row {
    fn of(entry: &Value) -> Self {
        let text = |name: &str| find(entry, name).unwrap_or_default();
        let consents = entry
            .pointer("/decided/consents")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        Self {
            at: text("at"),
            organisation: text("organisation"),
            user: text("user"),
            role: text("role"),
            purpose: text("purpose"),
            action: text("action"),
            told: text("told"),
            consents: consents.len(),
            first_consent: consents.first().and_then(Value::as_str).map(str::to_owned),
        }
    }

    fn text(&self) -> String {
        let time = When::parse(&self.at).map_or_else(|| self.at.clone(), time_of_day);
        let consent = match &self.first_consent {
            Some(id) => format!(", on consent {}", id.get(..4).unwrap_or_default()),
            None => String::new(),
        };
        format!(
            "{time} {} ({}, {}): {}, for {}: {}{consent}",
            self.user,
            self.organisation,
            self.role,
            self.action.replace('_', " "),
            self.purpose.replace('_', " "),
            self.told,
        )
    }
}
