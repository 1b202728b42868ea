//! How a message is written, and how its reply is to be.

use super::problem::{Kind, Problem};

/// How a message is written; the reply is written the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Xml,
}

impl Format {
    /// Reads a `Content-Type`. Parameters other than `charset` and `fhirVersion` do not matter;
    /// BaRS sends its own version number in one.
    ///
    /// # Errors
    /// Another media type, another character set than UTF-8, or another FHIR version than R4.
    pub fn of_content_type(text: &str) -> Result<Self, Problem> {
        let refuse = || {
            Problem::whole(
                Kind::MediaType,
                "send application/fhir+json or application/fhir+xml, FHIR R4 (4.0), in UTF-8; no \
                 file is taken beside it or in it",
            )
        };
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let format = match essence.as_str() {
            "application/fhir+json" | "application/json" => Self::Json,
            "application/fhir+xml" | "application/xml" | "text/xml" => Self::Xml,
            _ => return Err(refuse()),
        };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            let good = match name.trim().to_ascii_lowercase().as_str() {
                "charset" => value.eq_ignore_ascii_case("utf-8"),
                "fhirversion" => value == "4.0" || value == "4.0.1",
                _ => true,
            };
            if !good {
                return Err(refuse());
            }
        }
        Ok(format)
    }

    /// How the reply is wanted: `_format` before `Accept` before how the request was written. JSON if
    /// nothing is said.
    ///
    /// # Errors
    /// Only forms are asked for that no reply is written in.
    pub fn wanted(
        format: Option<&str>,
        accept: Option<&str>,
        sent: Option<Self>,
    ) -> Result<Self, Problem> {
        let refuse = || {
            Problem::whole(
                Kind::NotAcceptable,
                "ask for application/fhir+json or application/fhir+xml, FHIR R4 (4.0)",
            )
        };
        if let Some(text) = format {
            let text = text.replace("%2F", "/").replace("%2f", "/");
            // A plus sign in a query string means a blank.
            let text = text.replace("%2B", "+").replace("%2b", "+");
            return Self::named(&text.replace(' ', "+")).ok_or_else(refuse);
        }
        let otherwise = sent.unwrap_or(Self::Json);
        let Some(accept) = accept.map(str::trim).filter(|text| !text.is_empty()) else {
            return Ok(otherwise);
        };
        let mut best: Option<(u32, Self)> = None;
        for range in accept.split(',') {
            let (essence, rest) = range.split_once(';').unwrap_or((range, ""));
            let essence = essence.trim();
            let format = match essence {
                "*/*" | "application/*" => Some(otherwise),
                _ => Self::named(essence),
            };
            let weight = quality(rest);
            if let Some(format) = format
                && weight > 0
                && best.is_none_or(|(known, _)| weight > known)
            {
                best = Some((weight, format));
            }
        }
        best.map(|(_, format)| format).ok_or_else(refuse)
    }

    fn named(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "json" | "application/fhir+json" | "application/json" | "text/json" => Some(Self::Json),
            "xml" | "application/fhir+xml" | "application/xml" | "text/xml" => Some(Self::Xml),
            _ => None,
        }
    }

    /// For the reply.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/fhir+json; charset=utf-8",
            Self::Xml => "application/fhir+xml; charset=utf-8",
        }
    }
}

/// The weight of a range in thousandths (RFC 9110, 12.4.2); 1,000 where none is given.
fn quality(parameters: &str) -> u32 {
    let mut parts = parameters.split(';').map(str::trim);
    let Some(text) = parts.find_map(|part| part.strip_prefix("q=")) else {
        return 1_000;
    };
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let thousandths = format!("{rest:0<3}");
    let thousandths = thousandths.get(..3).and_then(|digits| digits.parse().ok());
    match (whole, thousandths) {
        ("1", _) => 1_000,
        ("0", Some(thousandths)) => thousandths,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(format: Option<&str>, accept: Option<&str>, sent: Option<Format>) -> Option<Format> {
        Format::wanted(format, accept, sent).ok()
    }

    #[test]
    fn a_reply_is_written_as_it_is_wanted() {
        use Format::{Json, Xml};
        assert_eq!(wanted(None, None, None), Some(Json));
        assert_eq!(wanted(None, None, Some(Xml)), Some(Xml));
        assert_eq!(wanted(None, Some("*/*"), Some(Xml)), Some(Xml));
        assert_eq!(wanted(None, Some("application/fhir+xml"), None), Some(Xml));
        assert_eq!(
            wanted(None, Some("text/html, application/json;q=0.3"), None),
            Some(Json)
        );
        let both = "application/fhir+json;q=0.5;fhirVersion=4.0, application/fhir+xml;q=0.9";
        assert_eq!(wanted(None, Some(both), None), Some(Xml));
        assert_eq!(
            wanted(Some("xml"), Some("application/fhir+json"), None),
            Some(Xml)
        );
        assert_eq!(
            wanted(Some("application%2Ffhir%2Bxml"), None, None),
            Some(Xml)
        );
        assert_eq!(
            wanted(Some("application/fhir+json"), None, Some(Xml)),
            Some(Json)
        );
        assert_eq!(wanted(None, Some("text/html"), None), None);
        assert_eq!(wanted(None, Some("application/fhir+json;q=0"), None), None);
        assert_eq!(wanted(Some("turtle"), None, None), None);
    }
}
