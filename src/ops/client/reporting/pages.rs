//! Entries of the log, page after page, until there are no more or the gateway refuses.

use std::io::Write;

use serde_json::{Value, json};

use super::super::bundle::ConnectionArgs;
use super::super::caller::{Caller, Said};
use super::super::{ClientFault, Outcome, Request, print, signed_in};

/// Pages of one command; with 200 entries each this is far more than anyone reads.
const PAGES_MAX: usize = 10_000;

/// Who asks, over which connection.
pub struct Desk<'a> {
    pub connection: &'a ConnectionArgs,
    pub caller: &'a mut Caller,
}

/// Where entries come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    path: String,
    /// Of a look-up of one person.
    body: Option<Value>,
}

impl Source {
    /// A list, with its filter in the query string.
    pub const fn list(path: String) -> Self {
        Self { path, body: None }
    }

    /// What is about one person; her identity is in the body.
    pub fn subject(body: Value) -> Self {
        Self {
            path: "/v1/audit/subjects".to_owned(),
            body: Some(body),
        }
    }

    /// The request for one page, with what else is asked of it.
    pub fn page(&self, before: Option<u64>, more: &[(&'static str, Value)]) -> Request {
        let before = before.map(|before| ("before", json!(before)));
        let more = more.iter().cloned().chain(before);
        let Some(body) = &self.body else {
            let mut path = self.path.clone();
            for (name, value) in more {
                let joint = if path.contains('?') { '&' } else { '?' };
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                path.push_str(&format!("{joint}{name}={value}"));
            }
            return Request::get(path);
        };
        let mut body = body.clone();
        if let Some(Value::Object(filter)) = body.get_mut("filter") {
            filter.extend(more.map(|(name, value)| (name.to_owned(), value)));
        }
        Request::post(self.path.clone(), &body)
    }
}

/// One page: what was said, and the cursor of the next.
pub struct Page {
    pub said: Said,
    pub next: Option<u64>,
}

impl Page {
    /// The entries, as they were asked for.
    pub fn entries(&self) -> &[Value] {
        let entries = self.said.body.get("entries").and_then(Value::as_array);
        entries.map_or(&[], Vec::as_slice)
    }
}

impl Desk<'_> {
    /// One page.
    ///
    /// # Errors
    /// [`ClientFault`] if the gateway cannot be asked.
    pub async fn page(
        &mut self,
        source: &Source,
        before: Option<u64>,
        more: &[(&'static str, Value)],
    ) -> Result<Page, ClientFault> {
        let request = source.page(before, more);
        let said = signed_in(self.connection, self.caller, &request).await?;
        self.connection.keep_session(self.caller)?;
        let next = said.body.get("next").and_then(Value::as_u64);
        // A cursor that does not go back would never end.
        let next = next.filter(|next| before.is_none_or(|before| *next < before));
        Ok(Page { said, next })
    }

    /// Shows what is not a page of entries: a refusal.
    pub(in crate::ops::client) fn refused(
        &self,
        page: &Page,
        out: &mut impl Write,
    ) -> Result<Outcome, ClientFault> {
        print(self.connection, &page.said, out)?;
        Ok(Outcome::Refused)
    }
}

/// Walks all pages; `take` is given each. Returns the page that was refused, if one was.
///
/// # Errors
/// [`ClientFault`] of the gateway or of `take`.
pub async fn each(
    desk: &mut Desk<'_>,
    source: &Source,
    more: &[(&'static str, Value)],
    mut take: impl FnMut(&Page) -> Result<(), ClientFault>,
) -> Result<Option<Page>, ClientFault> {
    let mut before = None;
    for _ in 0..PAGES_MAX {
        let page = desk.page(source, before, more).await?;
        if page.said.refused() {
            return Ok(Some(page));
        }
        take(&page)?;
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok(None)
}

/// All pages, as a reader at a terminal is shown one.
pub(in crate::ops::client) async fn list(
    desk: &mut Desk<'_>,
    source: &Source,
    out: &mut impl Write,
) -> Result<Outcome, ClientFault> {
    let connection = desk.connection;
    let refused = each(desk, source, &[], |page| {
        let last = page.next.is_none();
        // A page in the middle on which the filter left nothing says nothing.
        match page.entries().is_empty() && !last && !connection.json {
            true => Ok(()),
            false => print(connection, &page.said, out),
        }
    })
    .await?;
    match refused {
        Some(page) => desk.refused(&page, out),
        None => Ok(Outcome::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_asked_for_in_the_query_or_in_the_body() {
        let list = Source::list("/v1/audit/entries?outcome=deny".to_owned());
        let request = list.page(Some(7), &[("evidence", json!(true))]);
        assert_eq!(
            request.path,
            "/v1/audit/entries?outcome=deny&evidence=true&before=7"
        );
        let all = Source::list("/v1/audit/entries".to_owned());
        let request = all.page(None, &[("format", json!("csv"))]);
        assert_eq!(request.path, "/v1/audit/entries?format=csv");
        let subject = Source::subject(json!({ "identity": {}, "filter": { "to": "x" } }));
        let request = subject.page(Some(7), &[("evidence", json!(true))]);
        let body: Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
        assert_eq!(
            body["filter"],
            json!({ "to": "x", "evidence": true, "before": 7 })
        );
    }
}
