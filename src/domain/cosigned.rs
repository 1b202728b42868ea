//! A signed head with the words of witnesses below it (C2SP tlog-cosignature): which lines are kept,
//! and how what two hands brought becomes one note.
//!
//! The log's own line stands first. Of one key only the earliest line counts, because what a
//! cosignature is kept for is that the head existed by then. Nothing here judges a signature.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::checkpoint::CHECKPOINT_BYTES_MAX;

/// Signature lines of one note.
pub const LINES_MAX: usize = 64;

/// A note in its parts: the text with its last line feed, and the lines below it, each with its own.
pub struct Cosigned<'a> {
    pub text: &'a str,
    pub lines: Vec<&'a str>,
}

impl<'a> Cosigned<'a> {
    /// `None` if it is not in the form of a signed note, is larger than one that is read, or has more
    /// than [`LINES_MAX`] lines.
    pub fn parse(note: &'a str) -> Option<Self> {
        if note.len() > CHECKPOINT_BYTES_MAX {
            return None;
        }
        let (_, below) = note.rsplit_once("\n\n")?;
        let text = note.strip_suffix(below)?.strip_suffix('\n')?;
        let lines: Vec<&str> = below.split_inclusive('\n').collect();
        let whole = |line: &&str| line.ends_with('\n') && key_of(line).is_some();
        let good = (1..=LINES_MAX).contains(&lines.len()) && lines.iter().all(whole);
        good.then_some(Self { text, lines })
    }

    /// The number of entries that the head names.
    pub fn size(&self) -> Option<u64> {
        self.text.lines().nth(1)?.parse().ok()
    }

    /// `own`, which is the same head with the log's line alone, and below it those lines of this note
    /// that are `wanted`. Each is judged alone, as a note of its own.
    pub fn added_to(&self, own: &str, wanted: impl Fn(&str) -> bool) -> String {
        let lines = self.lines.iter().copied();
        let others = lines.filter(|line| !own.ends_with(line));
        let wanted: Vec<&str> = others
            .filter(|line| wanted(&format!("{own}{line}")))
            .collect();
        format!("{own}{}", wanted.concat())
    }
}

/// Name and id of the key that a line claims.
fn key_of(line: &str) -> Option<(&str, Vec<u8>)> {
    let line = line.strip_prefix("\u{2014} ")?.strip_suffix('\n')?;
    let (name, value) = line.split_once(' ')?;
    let mut value = BASE64_STANDARD.decode(value).ok()?;
    if value.len() <= 4 {
        return None;
    }
    value.truncate(4);
    Some((name, value))
}

/// Adds to `kept` the lines of keys that it lacks. `None` if the two are not of one head, or the
/// result would be larger than a note that is read.
pub fn merge(kept: &str, handed: &str) -> Option<String> {
    let (mine, theirs) = (Cosigned::parse(kept)?, Cosigned::parse(handed)?);
    if mine.text != theirs.text {
        return None;
    }
    let mut lines = mine.lines;
    for line in theirs.lines {
        let key = key_of(line);
        if !lines.iter().any(|known| key_of(known) == key) {
            lines.push(line);
        }
    }
    let merged = format!("{}\n{}", mine.text, lines.concat());
    let good = Cosigned::parse(&merged).is_some();
    good.then_some(merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "gw.example/log\n3\nAAAA\n";

    /// A line of witness `key` that says `value`.
    fn line(key: u8, value: u8) -> String {
        let bytes = [key, 0, 0, key, value, value];
        format!("\u{2014} witness-{key} {}\n", BASE64_STANDARD.encode(bytes))
    }

    fn note(lines: &[(u8, u8)]) -> String {
        let below: String = lines
            .iter()
            .map(|(key, value)| line(*key, *value))
            .collect();
        format!("{TEXT}\n{below}")
    }

    #[test]
    fn a_note_is_taken_apart_and_what_is_none_is_refused() {
        let text = note(&[(1, 1), (2, 2)]);
        let parts = Cosigned::parse(&text).unwrap();
        assert_eq!((parts.text, parts.size()), (TEXT, Some(3)));
        assert_eq!(parts.lines, [line(1, 1), line(2, 2)]);
        let many: Vec<(u8, u8)> = (0..65).map(|key| (key, 0)).collect();
        for bad in ["", "a\n\nb\n", TEXT, &format!("{TEXT}\n"), &note(&many)] {
            assert!(Cosigned::parse(bad).is_none(), "{bad}");
        }
        assert!(Cosigned::parse(text.trim_end()).is_none());
    }

    #[test]
    fn lines_that_nobody_wants_are_left_out_and_the_logs_own_stands_first() {
        let text = note(&[(3, 1), (1, 1), (2, 2)]);
        let parts = Cosigned::parse(&text).unwrap();
        let kept = parts.added_to(&note(&[(1, 1)]), |alone| alone.contains("witness-2"));
        assert_eq!(kept, note(&[(1, 1), (2, 2)]));
    }

    #[test]
    fn heads_of_another_text_are_never_mixed() {
        let other = note(&[(1, 1)]).replace("\n3\n", "\n4\n");
        assert_eq!(merge(&note(&[(1, 1)]), &other), None);
    }

    proptest! {
        #[test]
        fn the_order_of_hands_changes_no_set_of_keys_and_twice_is_once(
            mine in proptest::collection::vec((0_u8..9, 0_u8..3), 1..6),
            theirs in proptest::collection::vec((0_u8..9, 0_u8..3), 1..6),
        ) {
            let (mine, theirs) = (note(&mine), note(&theirs));
            let keys = |note: &str| {
                let parts = Cosigned::parse(note).unwrap();
                let keys = parts.lines.iter().map(|line| key_of(line).unwrap().0.to_owned());
                keys.collect::<std::collections::BTreeSet<_>>()
            };
            let one = merge(&mine, &theirs).unwrap();
            prop_assert_eq!(keys(&one), keys(&merge(&theirs, &mine).unwrap()));
            prop_assert_eq!(merge(&one, &theirs).unwrap(), one.clone());
            prop_assert!(one.starts_with(&mine));
        }
    }
}
