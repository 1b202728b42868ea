//! Reads a table in CSV (RFC 4180) by the names of its columns. No error repeats what a field holds.

use std::io::{self, BufRead};

use super::bad_line;

/// Longest record read, in bytes, with all its lines.
const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Most columns of a table.
const COLUMNS_MAX: usize = 200;

/// A table, record by record.
pub struct Table<R> {
    input: R,
    columns: Vec<String>,
    /// Of the line read last.
    line: u64,
}

/// One record: its fields in the order of the columns, and the line on which it begins.
pub struct Row {
    fields: Vec<String>,
    pub line: u64,
}

/// Which column of a table is meant, if it has it.
#[derive(Clone, Copy)]
pub struct Column(Option<usize>);

impl Row {
    /// The field without blanks around it; `None` if it is empty or the table has no such column.
    pub fn get(&self, column: Column) -> Option<&str> {
        let field = self.fields.get(column.0?)?.trim();
        (!field.is_empty()).then_some(field)
    }
}

impl<R: BufRead> Table<R> {
    /// Reads the header.
    pub fn open(input: R) -> io::Result<Self> {
        let mut table = Self {
            input,
            columns: Vec::new(),
            line: 0,
        };
        let header = table.record()?;
        let Some(Row { fields, line }) = header else {
            return Err(bad_line(1, "must name the columns"));
        };
        let names = fields.iter().map(|name| {
            let name = name.trim_start_matches('\u{FEFF}').trim();
            name.to_ascii_lowercase()
        });
        table.columns = names.collect();
        if table.columns.len() > COLUMNS_MAX {
            return Err(bad_line(line, "names too many columns"));
        }
        let repeated = table.columns.iter().enumerate().any(|(place, name)| {
            let before = table.columns.iter().take(place);
            !name.is_empty() && before.into_iter().any(|other| other == name)
        });
        if repeated {
            return Err(bad_line(line, "names a column twice"));
        }
        Ok(table)
    }

    pub fn column(&self, name: &str) -> Column {
        Column(self.columns.iter().position(|column| column == name))
    }

    pub fn has(&self, name: &str) -> bool {
        self.column(name).0.is_some()
    }

    /// A column without which the table means nothing.
    pub fn required(&self, name: &'static str) -> io::Result<Column> {
        let column = self.column(name);
        if column.0.is_some() {
            Ok(column)
        } else {
            Err(bad_line(1, &format!("must name the column '{name}'")))
        }
    }

    /// The next record; blank lines are passed over.
    pub fn next_row(&mut self) -> io::Result<Option<Row>> {
        loop {
            let Some(row) = self.record()? else {
                return Ok(None);
            };
            if row.fields.iter().all(|field| field.trim().is_empty()) {
                continue;
            }
            if row.fields.len() != self.columns.len() {
                let what = format!(
                    "has {} fields; the header has {}",
                    row.fields.len(),
                    self.columns.len()
                );
                return Err(bad_line(row.line, &what));
            }
            return Ok(Some(row));
        }
    }

    fn record(&mut self) -> io::Result<Option<Row>> {
        let begins_at = self.line + 1;
        let mut bytes = Vec::new();
        // A record ends with a line on which no quotation is open.
        while bytes.is_empty() || bytes.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
            let room = RECORD_BYTES_MAX.saturating_sub(bytes.len()) + 1;
            let limit = u64::try_from(room).unwrap_or(u64::MAX);
            if io::Read::take(&mut self.input, limit).read_until(b'\n', &mut bytes)? == 0 {
                if bytes.is_empty() {
                    return Ok(None);
                }
                return Err(bad_line(begins_at, "opens a quotation that never ends"));
            }
            if bytes.len() > RECORD_BYTES_MAX {
                return Err(bad_line(begins_at, "is too long"));
            }
            self.line += 1;
        }
        let text = String::from_utf8(bytes).map_err(|_| bad_line(begins_at, "is not UTF-8"))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let fields =
            split(text).ok_or_else(|| bad_line(begins_at, "has a stray quotation mark"))?;
        Ok(Some(Row {
            fields,
            line: begins_at,
        }))
    }
}

/// `None` where a quotation mark stands inside an unquoted field, or text follows a quoted one.
fn split(record: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut letters = record.chars().peekable();
    loop {
        let mut field = String::new();
        if letters.next_if_eq(&'"').is_some() {
            loop {
                match letters.next()? {
                    '"' if letters.next_if_eq(&'"').is_some() => field.push('"'),
                    '"' => break,
                    letter => field.push(letter),
                }
            }
        } else {
            while let Some(letter) = letters.next_if(|letter| *letter != ',') {
                if letter == '"' {
                    return None;
                }
                field.push(letter);
            }
        }
        fields.push(field);
        match letters.next() {
            None => return Some(fields),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

/// A field as RFC 4180 writes it.
pub fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> io::Result<Vec<Vec<String>>> {
        let mut table = Table::open(text.as_bytes())?;
        let mut rows = Vec::new();
        while let Some(row) = table.next_row()? {
            rows.push(row.fields);
        }
        Ok(rows)
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        let text = "\u{FEFF}a,B\r\n1,\"x, \"\"y\"\"\nz\"\r\n\r\n,2";
        assert_eq!(read(text).unwrap(), [["1", "x, \"y\"\nz"], ["", "2"]]);
        assert!(Table::open(text.as_bytes()).unwrap().has("b"));
    }

    #[test]
    fn an_error_names_the_line_and_not_the_field() {
        for (text, told) in [
            ("", "line 1 must name the columns"),
            ("a,a\n", "line 1 names a column twice"),
            (
                "a,b\n1,2\nsecret\n",
                "line 3 has 1 fields; the header has 2",
            ),
            (
                "a\n\"x\ny\"\nse\"cr\"et\n",
                "line 4 has a stray quotation mark",
            ),
            ("a\n\"secret\n", "line 2 opens a quotation that never ends"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), told);
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_reads_back(field in "\\PC*") {
            let text = format!("a,b\n{},1\n", quoted(&field));
            prop_assert_eq!(&read(&text).unwrap()[0][0], &field);
        }

        #[test]
        fn reading_never_panics(text: String) {
            let _ = read(&text);
        }
    }
}
