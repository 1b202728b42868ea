//! The queue of an information-governance officer in plain words, for a narrow screen: what happened,
//! then what must be decided, each with the next command.

use serde_json::Value;

/// Columns of a telephone held upright, in a small type.
const COLUMNS: usize = 56;

/// The reply to `audit queue`.
pub fn tell_queue(body: &Value) -> String {
    let mut text = String::new();
    if let Some(counts) = body.get("since_friday") {
        let since = counts.get("since").and_then(Value::as_str);
        text.push_str(&format!("Since {}\n", minute(since.unwrap_or_default())));
        for (name, label) in [
            ("accesses", "accesses"),
            ("people", "people"),
            ("break_glass", "break-glass"),
            ("firewall_stops", "firewall stops"),
            ("denials", "refusals"),
            ("items_due", "due within a day"),
        ] {
            let count = counts.get(name).and_then(Value::as_u64).unwrap_or_default();
            text.push_str(&format!("  {label:<18}{count:>6}\n"));
        }
        if counts.get("complete") == Some(&Value::Bool(false)) {
            text.push_str("  There is more than was counted.\n");
        }
    }
    let items = body.get("items").and_then(Value::as_array);
    let (open, closed): (Vec<&Value>, Vec<&Value>) = items
        .into_iter()
        .flatten()
        .partition(|item| item.get("state").and_then(Value::as_str) != Some("closed"));
    text.push('\n');
    if open.is_empty() {
        let says = body.get("says").and_then(Value::as_str);
        wrapped(&mut text, 0, says.unwrap_or("Nothing to decide."));
    } else {
        text.push_str(&format!("{} to decide.\n", open.len()));
    }
    for item in open {
        text.push('\n');
        text.push_str(&tell_item(item));
    }
    let accesses = body.get("subject_access").and_then(Value::as_array);
    for access in accesses.into_iter().flatten() {
        text.push('\n');
        text.push_str(&tell_access(access));
    }
    if !closed.is_empty() {
        text.push_str(&format!(
            "\n{} decided in the last 90 days.\n",
            closed.len()
        ));
    }
    text
}

/// A request for what is held about somebody, that is late or soon due.
fn tell_access(access: &Value) -> String {
    let get = |name: &str| access.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut text = String::new();
    let late = match access.get("overdue") {
        Some(Value::Bool(true)) => "LATE",
        Some(_) | None => "SOON",
    };
    let state = get("state").replace('_', " ");
    let due = get("due");
    wrapped(&mut text, 0, &format!("{late}, {state}, due {due}"));
    wrapped(
        &mut text,
        2,
        match get("kind") {
            "asked" => "Your organisation is asked what it holds about one of its people.",
            _ => "Somebody asked you what is held about her.",
        },
    );
    wrapped(
        &mut text,
        2,
        &format!("client subject-access show {}", get("id")),
    );
    text
}

/// One item of it.
pub fn tell_item(item: &Value) -> String {
    let get = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut text = String::new();
    let state = get("state").replace('_', " ");
    wrapped(
        &mut text,
        0,
        &format!(
            "{}, {state}, due {}",
            get("severity").to_uppercase(),
            minute(get("due"))
        ),
    );
    wrapped(&mut text, 2, get("says"));
    if !get("user").is_empty() {
        wrapped(
            &mut text,
            2,
            &format!("{} at {}", get("user"), get("organisation")),
        );
    }
    if !get("passed_on_by").is_empty() {
        wrapped(
            &mut text,
            2,
            &format!("passed on by {}", get("passed_on_by")),
        );
    }
    if let Some(entry) = item.pointer("/sample/entry").and_then(Value::as_u64) {
        wrapped(&mut text, 2, &format!("entry {entry}, drawn at random"));
    }
    let figure = |name: &str| {
        item.pointer(name)
            .and_then(Value::as_u64)
            .unwrap_or_default()
    };
    let version = item.pointer("/why/rules_version").and_then(Value::as_str);
    wrapped(
        &mut text,
        2,
        &format!(
            "why: {} of {}, rule {} of {}",
            figure("/why/count"),
            figure("/why/limit"),
            get("code"),
            version.unwrap_or_default()
        ),
    );
    if let Some(decided) = item.get("decided").filter(|decided| decided.is_object()) {
        let part = |name: &str| {
            decided
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        wrapped(
            &mut text,
            2,
            &format!(
                "last: {} by {}, {}",
                part("decision"),
                part("by"),
                minute(part("at"))
            ),
        );
    }
    let id = get("id");
    wrapped(&mut text, 2, &format!("audit open {id}"));
    wrapped(&mut text, 2, &format!("audit sign-off {id} accept"));
    text
}

/// To the minute, in UTC.
fn minute(at: &str) -> String {
    let minute: String = at.chars().take(16).collect();
    minute.replace('T', " ")
}

/// Lines of at most [`COLUMNS`], broken at blanks. Nothing steers the terminal.
fn wrapped(text: &mut String, indent: usize, said: &str) {
    let mut line = String::new();
    let flush = |text: &mut String, line: &mut String| {
        if !line.is_empty() {
            text.push_str(&" ".repeat(indent));
            text.push_str(line);
            text.push('\n');
            line.clear();
        }
    };
    for word in said.split_whitespace() {
        let word: String = word
            .chars()
            .map(|c| if c.is_control() { '?' } else { c })
            .collect();
        let full = line.chars().count() + 1 + word.chars().count() + indent > COLUMNS;
        if full {
            flush(text, &mut line);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    flush(text, &mut line);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_queue_reads_well_on_a_narrow_screen() {
        let queue = json!({
            "since_friday": {
                "since": "2026-11-20T17:00:00.000Z", "accesses": 212, "people": 61,
                "break_glass": 1, "firewall_stops": 0, "denials": 12, "items_due": 1,
                "complete": true,
            },
            "must_decide": 1,
            "items": [{
                "id": "01J8Z2M4T6", "severity": "red", "state": "under_investigation",
                "due": "2026-11-25T09:12:00.000Z", "code": "probe.status_shaped",
                "says": "Status-shaped activity by one user: 3 tries, 9 minutes. Never check a \
                         database only to establish immigration status.",
                "organisation": "met", "user": "pc-ward", "tries": 3, "minutes": 9,
                "why": { "count": 3, "limit": 3, "rules_version": "2026-11-22" },
                "decided": { "at": "2026-11-23T09:30:00.000Z", "by": "s-mwangi", "decision": "ask" },
            }, { "state": "closed" }],
        });
        let told = tell_queue(&queue);
        assert!(told.lines().all(|line| line.chars().count() <= COLUMNS));
        insta::assert_snapshot!(told, @r"
        Since 2026-11-20 17:00
          accesses             212
          people                61
          break-glass            1
          firewall stops         0
          refusals              12
          due within a day       1

        1 to decide.

        RED, under investigation, due 2026-11-25 09:12
          Status-shaped activity by one user: 3 tries, 9
          minutes. Never check a database only to establish
          immigration status.
          pc-ward at met
          why: 3 of 3, rule probe.status_shaped of 2026-11-22
          last: ask by s-mwangi, 2026-11-23 09:30
          audit open 01J8Z2M4T6
          audit sign-off 01J8Z2M4T6 accept

        1 decided in the last 90 days.
        ");
    }

    #[test]
    fn an_empty_queue_says_what_was_checked() {
        let told = tell_queue(&json!({
            "items": [],
            "says": "Nothing to decide. 14 rules were checked at every attempt.\u{1b}[2J",
        }));
        assert!(told.contains("14 rules were checked"), "{told}");
        assert!(!told.contains('\u{1b}'));
    }
}
