//! Entries in a format that other systems read, to standard output.

use std::io::Write;

use serde_json::{Value, json};

use super::super::{ClientFault, Outcome};
use super::pages::{Desk, Source, each};
use crate::edge::wire::reports;

/// The formats, as the command line names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A Bundle of HL7 FHIR R4 AuditEvent (IHE BALP)
    Fhir,
    /// OCSF API Activity (class 6003), a JSON object a line
    Ocsf,
    /// RFC 4180, with a head
    Csv,
}

impl Format {
    const fn wire(self) -> reports::Format {
        match self {
            Self::Fhir => reports::Format::Fhir,
            Self::Ocsf => reports::Format::Ocsf,
            Self::Csv => reports::Format::Csv,
        }
    }

    const fn begin(self) -> &'static str {
        match self {
            Self::Fhir => "{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[\n",
            Self::Ocsf | Self::Csv => "",
        }
    }

    const fn end(self) -> &'static str {
        match self {
            Self::Fhir => "\n]}\n",
            Self::Ocsf | Self::Csv => "",
        }
    }

    /// What stands before an entry, and the entry as text.
    fn entry(self, entry: &Value, first: bool) -> String {
        match (self, entry) {
            (Self::Csv, Value::String(line)) => format!("{line}\r\n"),
            (Self::Ocsf, entry) => format!("{entry}\n"),
            (Self::Fhir, entry) => {
                let joint = if first { "" } else { ",\n" };
                format!("{joint}{}", json!({ "resource": entry }))
            }
            (Self::Csv, _) => String::new(),
        }
    }
}

/// The whole export: nothing but the format goes to `out`, unless the gateway refuses.
pub(in crate::ops::client) async fn write(
    desk: &mut Desk<'_>,
    source: &Source,
    format: Format,
    out: &mut impl Write,
) -> Result<Outcome, ClientFault> {
    let word = format.wire().word();
    let (mut begun, mut first) = (false, true);
    let refused = each(desk, source, &[("format", json!(word))], |page| {
        if !begun {
            out.write_all(format.begin().as_bytes())?;
            let head = page.said.body.get("head").and_then(Value::as_str);
            if let Some(head) = head {
                write!(out, "{head}\r\n")?;
            }
            begun = true;
        }
        for entry in page.entries() {
            out.write_all(format.entry(entry, first).as_bytes())?;
            first = false;
        }
        Ok(())
    })
    .await?;
    if let Some(page) = refused {
        return desk.refused(&page, out);
    }
    out.write_all(format.end().as_bytes())?;
    Ok(Outcome::Done)
}
