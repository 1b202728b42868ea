//! What a witness says: the first line of each is one plain sentence for an information-governance
//! officer, what follows says what to do.

use std::borrow::Cow;
use std::path::Path;

use serde_json::Value;

use crate::domain::checkpoint::BadCheckpoint;
use crate::domain::time::When;
use crate::domain::witness::{BadClock, Head, Judgement};

use super::state::{Last, State};

/// Longest text of a gateway that is repeated, in characters.
const REPEATED_MAX: usize = 400;

/// Where a head comes from that the gateway's does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Own,
    Receipt,
}

impl Source {
    /// As the end of "the head that ...".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Own => "this witness signed",
            Self::Receipt => "a receipt of yours shows",
        }
    }
}

fn entries(count: u64) -> String {
    match count {
        1 => "1 entry".to_owned(),
        _ => format!("{count} entries"),
    }
}

/// To the second, as a person writes it down.
fn time(at: When) -> String {
    let text = at.rfc3339();
    let seconds = text.get(..19).unwrap_or(&text).replace('T', " ");
    format!("{seconds} UTC")
}

pub fn signed(before: Option<u64>, last: &Last) -> String {
    let (size, at) = (last.head.size(), time(last.signed));
    match before {
        None => format!(
            "The log has {}. From now on this witness vouches that nothing in it is changed or \
             taken out (signed {at}).",
            entries(size)
        ),
        Some(before) => format!(
            "The log has {}, {} more than before; nothing was changed or taken out (signed {at}).",
            entries(size),
            size.saturating_sub(before),
        ),
    }
}

pub fn unchanged(last: &Last) -> String {
    format!(
        "The log has no new entries to sign: {} (signed {}).",
        entries(last.head.size()),
        time(last.signed)
    )
}

/// The sentence of an alarm.
pub fn alarm(judgement: Judgement, known: &Head, source: Source, shown: &Head) -> String {
    let (before, now) = (entries(known.size()), entries(shown.size()));
    let source = source.words();
    match judgement {
        Judgement::Smaller => format!(
            "ALARM: the log has become smaller: {source} {before}, the gateway now shows {now}."
        ),
        Judgement::TwoHeads => format!(
            "ALARM: the log exists in two versions: of the same {before} the gateway now shows \
             another history than {source}."
        ),
        Judgement::Rewritten => format!(
            "ALARM: the log was rewritten: its first {before} are no longer those that {source}."
        ),
        Judgement::Unproven | Judgement::Grown | Judgement::Same => format!(
            "ALARM: the gateway cannot show that its log of {now} continues the {before} that \
             {source}."
        ),
    }
}

/// What to do about one that is kept in `folder`. `vouched`: this witness signed what is shown,
/// before it knew better.
pub fn advice(judgement: Judgement, vouched: bool, folder: &Path) -> String {
    let meaning = match judgement {
        Judgement::Smaller => {
            "Either entries that were acknowledged are missing, or an old copy was shown to you."
        }
        Judgement::TwoHeads | Judgement::Rewritten => {
            "Somebody was shown another history than you. This cannot happen by accident in a \
             gateway that works."
        }
        Judgement::Unproven | Judgement::Grown | Judgement::Same => {
            "Its log may be damaged, or its head was made up."
        }
    };
    let signed = match vouched {
        true => "This witness had signed the head that is shown, before it knew.",
        false => "The head that is shown was not signed.",
    };
    format!(
        "{meaning}\n\
         {signed} Both heads are kept in {}\n\
         Tell the independent reviewer and the other agencies, not only the operator; README.txt \
         there says how anyone can check it.",
        folder.display()
    )
}

pub fn not_ours(error: BadCheckpoint, log: &str) -> String {
    format!(
        "ALARM: what the gateway shows is not a head of the log {log}: {error}.\n\
         It was not signed. If the log was given a new name or key, the operator can say who \
         decided that; then start with --log-key FILE --new-log."
    )
}

/// A head with entries, of which there are none to be seen.
pub fn no_head(status: u16) -> String {
    format!("The gateway shows no head of its log (status {status}); trying again.")
}

pub fn clock(bad: BadClock, now: When) -> String {
    let why = match bad {
        BadClock::Apart { gateway } => format!(
            "this computer's clock says {}, the gateway's {}: one of them is wrong by more than 5 \
             minutes",
            time(now),
            time(gateway)
        ),
        BadClock::Unknown => "the gateway does not say what time it has".to_owned(),
        BadClock::WentBack { signed } => format!(
            "this computer's clock says {}, but this witness signed at {} already",
            time(now),
            time(signed)
        ),
    };
    format!(
        "The new head was not signed: {why}.\n\
         A signature with a wrong time would be worth nothing. Set this computer's clock, or tell \
         the operator."
    )
}

pub fn behind(last: &Last, said: &[u8]) -> String {
    format!(
        "ALARM: the gateway's log does not reach or does not contain the {} that this witness \
         signed.\nThe gateway answered: {}",
        entries(last.head.size()),
        repeated(said)
    )
}

pub fn not_taken(status: u16, said: &[u8]) -> String {
    let said = repeated(said);
    let answer = match said.is_empty() {
        true => format!("status {status}"),
        false => format!("status {status}: {said}"),
    };
    format!(
        "The gateway did not take the signature ({answer}). It is kept here, and is handed in \
         with the next look."
    )
}

/// What came from elsewhere, without anything that could fool a terminal; of a problem (RFC 9457) its
/// detail alone.
fn repeated(text: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(text).unwrap_or_default();
    let detail = problem.get("detail").and_then(Value::as_str);
    let text = match detail {
        Some(detail) => Cow::Borrowed(detail),
        None => String::from_utf8_lossy(text),
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(REPEATED_MAX).map(plain).collect()
}

pub fn new_witness(state: &State) -> String {
    format!(
        "This is a new witness of the log {}.\n\
         Its key; give it to the operator by a way that the gateway cannot change, as by telephone:\n\
         {}\n\
         The log's key, which it trusts from now on. Compare it with the operator in the same way:\n\
         {}",
        state.log.origin(),
        state.key.verifier().vkey(),
        state.log.vkey()
    )
}

pub fn shown(state: &State, evidence: &[String]) -> String {
    let last = match &state.last {
        None => "It has signed nothing yet.".to_owned(),
        Some(last) => format!(
            "It vouched last for {}, at {}.",
            entries(last.head.size()),
            time(last.signed)
        ),
    };
    let kept = match evidence {
        [] => "It has seen nothing wrong.".to_owned(),
        some => format!(
            "ALARM: it keeps evidence, see README.txt in each of: {}",
            some.join(", ")
        ),
    };
    format!(
        "This is a witness of the log {}. {last}\n{kept}\nIts key:     {}\nThe log's key: {}",
        state.log.origin(),
        state.key.verifier().vkey(),
        state.log.vkey()
    )
}

pub fn unreachable(error: &str, again: u64, rounds: u32) -> String {
    match rounds {
        0 | 1 => format!("The log could not be read: {error}. Trying again every {again} seconds."),
        _ => format!(
            "ALARM: the log could not be read for {} seconds: {error}. Nobody here vouches for what \
             is entered meanwhile.",
            u64::from(rounds).saturating_mul(again)
        ),
    }
}
