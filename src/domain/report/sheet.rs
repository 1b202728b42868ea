//! The sheet on which a report is written: plain text, in lines that fit on paper.

use std::fmt::Write;

/// Characters of a line.
pub const LINE_CHARS: usize = 72;

/// What is written so far.
#[derive(Default)]
pub struct Sheet(String);

impl Sheet {
    /// The first line.
    pub fn head(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push_str("\n\n");
    }

    /// A heading.
    pub fn title(&mut self, text: &str) {
        // A String takes everything.
        let _ = write!(self.0, "\n\n{}\n{}\n\n", text, "-".repeat(text.len()));
    }

    /// A paragraph.
    pub fn line(&mut self, text: &str) {
        if !self.0.ends_with("\n\n") {
            self.0.push('\n');
        }
        wrap(&mut self.0, text, "", "");
    }

    /// A point of a list.
    pub fn item(&mut self, text: &str) {
        wrap(&mut self.0, &capital(text), "* ", "  ");
    }

    /// More about the point above.
    pub fn under(&mut self, text: &str) {
        wrap(&mut self.0, text, "  ", "  ");
    }

    /// The whole.
    pub fn text(self) -> String {
        self.0
    }
}

/// With a capital letter in front.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn wrap(out: &mut String, text: &str, first: &str, rest: &str) {
    let mut line = first.to_owned();
    let mut begun = false;
    for word in text.split_whitespace() {
        if begun && line.chars().count() + 1 + word.chars().count() > LINE_CHARS {
            out.push_str(line.trim_end());
            out.push('\n');
            line = rest.to_owned();
            begun = false;
        }
        if begun {
            line.push(' ');
        }
        line.push_str(word);
        begun = true;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
