//! The log as comma-separated values (RFC 4180), one line an entry.
//!
//! Spreadsheets take a cell that begins with `=`, `+`, `-` or `@` for a formula and run it: such a
//! cell is given an apostrophe in front, with which they show it as text.

use crate::domain::audit::{SomeOrganisation, VisibleDecision};
use crate::pipeline::Entry;

const COLUMNS: [&str; 26] = [
    "entry",
    "at",
    "organisation",
    "team",
    "user",
    "role",
    "identity",
    "certificate",
    "purpose",
    "reason",
    "action",
    "object",
    "asked",
    "told",
    "outcome",
    "seen_as",
    "rule",
    "policy",
    "person",
    "consents",
    "basis",
    "relationship",
    "firewall",
    "disclosed",
    "concerned",
    "notes",
];

/// The names of the columns, without the end of the line.
pub fn head() -> String {
    join(COLUMNS.map(str::to_owned))
}

/// One entry, without the end of the line. What its reader may not see is empty.
pub fn line(entry: &Entry) -> String {
    let seen = &entry.seen;
    let text = |of: fn(&VisibleDecision) -> Option<String>| {
        seen.decided.as_ref().and_then(of).unwrap_or_default()
    };
    let cells: [String; COLUMNS.len()] = [
        entry.index.to_string(),
        entry.at.rfc3339(),
        seen.organisation.text().to_owned(),
        seen.team.as_str().to_owned(),
        seen.user.clone(),
        seen.role.clone(),
        identity(seen.asserted).to_owned(),
        super::hex(&seen.certificate),
        seen.purpose.clone(),
        seen.reason.clone().unwrap_or_default(),
        seen.action.clone(),
        seen.object.map(|id| id.to_string()).unwrap_or_default(),
        seen.asked.join(" "),
        seen.told.clone(),
        seen.outcome.code().to_owned(),
        seen.side.code().to_owned(),
        text(|decided| Some(decided.rule.clone())),
        text(|decided| Some(super::hex(&decided.policy))),
        text(|decided| decided.person.map(|id| id.to_string())),
        text(|decided| {
            let ids = decided.consents.iter().map(ToString::to_string);
            Some(ids.collect::<Vec<_>>().join(" "))
        }),
        text(|decided| decided.basis.clone()),
        text(|decided| decided.relationship.clone()),
        text(|decided| {
            let mark = decided.firewall.as_ref()?;
            Some(format!("{} {}", mark.rule, mark.class))
        }),
        text(|decided| Some(decided.disclosed.join(" "))),
        text(|decided| {
            let concerned = decided.concerned.iter().map(SomeOrganisation::text);
            Some(concerned.collect::<Vec<_>>().join("; "))
        }),
        text(|decided| Some(decided.notes.join(" "))),
    ];
    join(cells)
}

/// How the user of an entry was known, as this API says it.
pub const fn identity(asserted: bool) -> &'static str {
    if asserted {
        "asserted by system"
    } else {
        "proved person"
    }
}

fn join(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|text| cell(&text)).collect();
    cells.join(",")
}

/// One value: no formula, quoted where it must be.
pub fn cell(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let runs = text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '|', '%']);
    let text = if runs { format!("'{text}") } else { text };
    if text.contains([',', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_quotes_are_doubled() {
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("\t@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(cell(" -2"), "' -2");
        assert_eq!(cell("a,\"b\"\r\nc"), "\"a,\"\"b\"\"c\"");
        assert_eq!(cell("plain"), "plain");
    }
}
