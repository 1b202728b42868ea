//! What a browser sends, and the fields that a person fills in.
//!
//! Each field has a label, a hint where one helps, and its own error, tied together for a screen
//! reader. What was typed comes back with the error, so that nothing is typed twice.

use maud::{Markup, html};
use zeroize::Zeroizing;

/// A form or a query, as it was sent. It may be about a person, so it cannot be printed.
#[derive(Default)]
pub struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`; what is not UTF-8 is replaced (URL Standard).
    pub fn parse(bytes: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(bytes);
        // A browser sends line ends as CR LF.
        let plain = |value: &str| Zeroizing::new(value.replace("\r\n", "\n").trim().to_owned());
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), plain(&value)))
                .collect(),
        )
    }

    /// The first value of that name; what is not there is empty.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// What was filled in, if anything was.
    pub fn said(&self, name: &str) -> Option<&str> {
        let value = self.get(name);
        (!value.is_empty()).then_some(value)
    }

    /// Every value of that name: the boxes that are ticked.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.0.iter().filter(move |(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Everything that was sent, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|one| one == value)
    }

    /// Whether anything was filled in whose name begins so.
    pub fn holds(&self, prefix: &str) -> bool {
        let mut filled = self.0.iter().filter(|(_, value)| !value.is_empty());
        filled.any(|(name, _)| name.starts_with(prefix))
    }

    /// What a field begins with, when a form is given out that is filled in already.
    pub fn set(&mut self, name: &str, value: &str) {
        let value = Zeroizing::new(value.to_owned());
        self.0.push((name.to_owned(), value));
    }

    /// The same for a date of three fields.
    pub fn set_date(&mut self, name: &str, iso: &str) {
        for (part, value) in ["year", "month", "day"].iter().zip(iso.split('-')) {
            self.set(&format!("{name}-{part}"), value.trim_start_matches('0'));
        }
    }

    /// A date of three fields (`name-day`, `name-month`, `name-year`) as `YYYY-MM-DD`; whether it is
    /// one is for the API to say. `None` if all three are empty.
    pub fn date(&self, name: &str) -> Option<String> {
        let part = |part: &str| self.get(&format!("{name}-{part}"));
        let (day, month, year) = (part("day"), part("month"), part("year"));
        let blank = [day, month, year].iter().all(|part| part.is_empty());
        (!blank).then(|| format!("{year:0>4}-{month:0>2}-{day:0>2}"))
    }
}

/// What is wrong, by field.
#[derive(Default)]
pub struct Errors(pub Vec<(String, String)>);

impl Errors {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn add(&mut self, field: &str, message: &str) {
        self.0.push((field.to_owned(), message.to_owned()));
    }

    /// What is wrong with a field, or with a part of it (`identity.phone[0]` is of `identity.phone`).
    pub fn of(&self, field: &str) -> Option<&str> {
        let is_of = |name: &str| {
            name == field
                || name
                    .strip_prefix(field)
                    .is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        let found = self.0.iter().find(|(name, _)| is_of(name));
        found.map(|(_, message)| message.as_str())
    }
}

/// The id of a field's element. Names hold dots, which are awkward in a fragment.
pub fn element(name: &str) -> String {
    name.replace(['.', '[', ']'], "-")
}

/// How a field is asked for.
#[derive(Clone, Copy, Default)]
pub struct Field<'a> {
    pub name: &'a str,
    pub label: &'a str,
    pub hint: &'a str,
    /// `autocomplete`; a person's own details only, never hers.
    pub autocomplete: &'a str,
    /// `inputmode`, for the keyboard of a phone.
    pub inputmode: &'a str,
    /// About how many characters it holds, so that its width says so; 0 is the full width.
    pub width: u8,
    /// The most characters that are taken.
    pub longest: u16,
}

impl Field<'_> {
    /// The ids of its hint and its error.
    pub fn described(&self, errors: &Errors) -> Option<String> {
        let id = element(self.name);
        let hint = (!self.hint.is_empty()).then(|| format!("{id}-hint"));
        let error = errors.of(self.name).map(|_| format!("{id}-error"));
        let both: Vec<String> = hint.into_iter().chain(error).collect();
        (!both.is_empty()).then(|| both.join(" "))
    }

    fn around(&self, errors: &Errors, inner: &Markup) -> Markup {
        let id = element(self.name);
        html! {
            div.field.wrong[errors.of(self.name).is_some()] {
                label for=(id) { (self.label) }
                (self.help(errors))
                (inner)
            }
        }
    }

    /// Its hint and its error.
    pub fn help(&self, errors: &Errors) -> Markup {
        let id = element(self.name);
        html! {
            @if !self.hint.is_empty() { p.hint id=(format!("{id}-hint")) { (self.hint) } }
            @if let Some(message) = errors.of(self.name) {
                p.error id=(format!("{id}-error")) {
                    span.away { "Error: " } (message)
                }
            }
        }
    }

    /// One line of text.
    pub fn text(&self, form: &Form, errors: &Errors) -> Markup {
        let autocomplete = if self.autocomplete.is_empty() {
            "off"
        } else {
            self.autocomplete
        };
        let wrong = errors.of(self.name).map(|_| "true");
        self.around(
            errors,
            &html! {
                input id=(element(self.name)) name=(self.name) type="text" value=(form.get(self.name))
                    class=[(self.width > 0).then(|| format!("wide-{}", self.width))]
                    autocomplete=(autocomplete) spellcheck="false"
                    inputmode=[(!self.inputmode.is_empty()).then_some(self.inputmode)]
                    maxlength=[(self.longest > 0).then_some(self.longest)]
                    aria-describedby=[self.described(errors)] aria-invalid=[wrong];
            },
        )
    }

    /// Several lines of text.
    pub fn area(&self, form: &Form, errors: &Errors, rows: u8) -> Markup {
        let wrong = errors.of(self.name).map(|_| "true");
        self.around(
            errors,
            &html! {
                textarea id=(element(self.name)) name=(self.name) rows=(rows) autocomplete="off"
                    maxlength=[(self.longest > 0).then_some(self.longest)]
                    aria-describedby=[self.described(errors)] aria-invalid=[wrong] {
                    (form.get(self.name))
                }
            },
        )
    }

    /// A date of three fields.
    pub fn date(&self, form: &Form, errors: &Errors) -> Markup {
        let wrong = errors.of(self.name).map(|_| "true");
        let part = |part: &str, label: &str, width: u8| {
            let name = format!("{}-{part}", self.name);
            let id = if part == "day" {
                element(self.name)
            } else {
                element(&name)
            };
            html! {
                div.part {
                    label for=(id) { (label) }
                    input id=(id) name=(name) type="text" inputmode="numeric" autocomplete="off"
                        class=(format!("wide-{width}")) value=(form.get(&name))
                        maxlength=(width) aria-invalid=[wrong];
                }
            }
        };
        html! {
            fieldset.field.wrong[wrong.is_some()] aria-describedby=[self.described(errors)] {
                legend { (self.label) }
                (self.help(errors))
                div.date { (part("day", "Day", 2)) (part("month", "Month", 2)) (part("year", "Year", 4)) }
            }
        }
    }

    /// One of several; `(value, label)`.
    pub fn radios(&self, form: &Form, errors: &Errors, options: &[(&str, &str)]) -> Markup {
        self.choices(form, errors, options, "radio")
    }

    /// Any of several.
    pub fn boxes(&self, form: &Form, errors: &Errors, options: &[(&str, &str)]) -> Markup {
        self.choices(form, errors, options, "checkbox")
    }

    fn choices(
        &self,
        form: &Form,
        errors: &Errors,
        options: &[(&str, &str)],
        kind: &str,
    ) -> Markup {
        let first = element(self.name);
        html! {
            fieldset.field.wrong[errors.of(self.name).is_some()]
                aria-describedby=[self.described(errors)] {
                legend { (self.label) }
                (self.help(errors))
                @for (place, (value, label)) in options.iter().enumerate() {
                    @let id = if place == 0 { first.clone() } else { format!("{first}-{place}") };
                    div.choice {
                        input id=(id) type=(kind) name=(self.name) value=(value)
                            checked[form.has(self.name, value)];
                        label for=(id) { (label) }
                    }
                }
            }
        }
    }

    /// One of many, in a list that opens.
    pub fn select(&self, form: &Form, errors: &Errors, options: &[(&str, &str)]) -> Markup {
        let wrong = errors.of(self.name).map(|_| "true");
        self.around(
            errors,
            &html! {
                select id=(element(self.name)) name=(self.name)
                    aria-describedby=[self.described(errors)] aria-invalid=[wrong] {
                    option value="" { "Choose one" }
                    @for (value, label) in options {
                        option value=(value) selected[form.get(self.name) == *value] { (label) }
                    }
                }
            },
        )
    }

    /// One box that is ticked or not; its value is `yes`.
    pub fn tick(&self, form: &Form, errors: &Errors) -> Markup {
        let id = element(self.name);
        html! {
            div.field.wrong[errors.of(self.name).is_some()] {
                (self.help(errors))
                div.choice {
                    input id=(id) type="checkbox" name=(self.name) value="yes"
                        checked[form.get(self.name) == "yes"]
                        aria-describedby=[self.described(errors)];
                    label for=(id) { (self.label) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_write_it() {
        let form = Form::parse(b"name=Si%C3%A2n+O%27Neil&need=a&need=b&note=one%0D%0Atwo&empty=");
        assert_eq!(form.get("name"), "Siân O'Neil");
        assert_eq!(form.all("need").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(form.get("note"), "one\ntwo");
        assert_eq!(form.said("empty"), None);
        assert_eq!(form.get("absent"), "");
    }

    #[test]
    fn a_date_is_put_together_and_not_judged() {
        let form = Form::parse(b"born-day=4&born-month=7&born-year=1988&empty-day=");
        assert_eq!(form.date("born").as_deref(), Some("1988-07-04"));
        assert_eq!(form.date("empty"), None);
        assert_eq!(
            Form::parse(b"born-day=x").date("born").as_deref(),
            Some("0000-00-0x")
        );
    }

    #[test]
    fn what_is_written_in_a_field_is_shown_and_never_run() {
        let form = Form::parse(b"note=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E");
        let field = Field {
            name: "note",
            label: "Note",
            ..Field::default()
        };
        for shown in [
            field.text(&form, &Errors::default()),
            field.area(&form, &Errors::default(), 3),
        ] {
            assert!(!shown.0.contains("<script>"), "{}", shown.0);
            assert!(shown.0.contains("&lt;script&gt;"), "{}", shown.0);
        }
    }

    #[test]
    fn an_error_stands_with_its_field_and_is_tied_to_it() {
        let mut errors = Errors::default();
        errors.add("identity.phone[0]", "give a number");
        let field = Field {
            name: "identity.phone",
            label: "Telephone",
            ..Field::default()
        };
        let shown = field.text(&Form::default(), &errors).0;
        assert!(
            shown.contains("aria-describedby=\"identity-phone-error\""),
            "{shown}"
        );
        assert!(shown.contains("id=\"identity-phone-error\""), "{shown}");
        assert!(shown.contains("give a number"), "{shown}");
    }
}
