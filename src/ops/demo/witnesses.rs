//! The borough's witnesses: agencies that sign the log's head with keys and clocks of their own, so
//! that nobody has to believe the gateway about its log.
//!
//! Each is what `firedoor log witness` runs. In earnest each keeps its folder on a machine of its
//! own; here they lie side by side, because it is a demo.

use std::path::Path;

use super::DemoError;
use super::borough::{folder, write};
use crate::ops::client::caller::Caller;
use crate::ops::client::witnessing::look_once;
use crate::ops::client::witnessing::state::{Start, State};

/// Who must have seen the log (C2SP tlog-policy).
pub const POLICY_FILE: &str = "witnesses.policy";
const FOLDER: &str = "witnesses";
/// Bundles whose agencies look at the log in the story.
pub const LOOKING: [&str; 3] = ["met", "st-hildas", "larkfield"];
/// The public bodies, two of which must sign; and the voluntary bodies, any of which must.
const PUBLIC: [&str; 3] = ["met", "st-hildas", "lowmarsh"];
const VOICE: [&str; 3] = ["larkfield", "harbour", "rowan"];

/// Makes a key for each witness, and the policy that names them.
///
/// # Errors
/// [`DemoError`] if a file cannot be written.
pub fn make(dir: &Path, log_key: &Path) -> Result<(), DemoError> {
    folder(&dir.join(FOLDER))?;
    let mut text =
        "# Two public bodies and one voluntary body must have signed a head.\n".to_owned();
    for (group, rule, names) in [("public", "2", PUBLIC), ("voice", "any", VOICE)] {
        for name in names {
            let own = format!("{name}.demo.firedoor.example");
            let start = Start {
                name: Some(&own),
                log_key: Some(log_key),
                bundled: None,
                new_log: false,
            };
            let state = State::open(&dir.join(FOLDER).join(name), &start)?;
            let vkey = state.key.verifier().vkey();
            text.push_str(&format!("witness {name} {vkey}\n"));
        }
        text.push_str(&format!("group {group} {rule} {}\n", names.join(" ")));
    }
    text.push_str("group seen all public voice\nquorum seen\n");
    write(&dir.join(POLICY_FILE), text.as_bytes())
}

/// One look at the log by the witness of a bundle; whether all was well.
///
/// # Errors
/// [`DemoError`] if the gateway gives no answer.
pub async fn look(caller: &mut Caller, dir: &Path, bundle: &str) -> Result<bool, DemoError> {
    let start = Start {
        name: None,
        log_key: None,
        bundled: None,
        new_log: false,
    };
    let state = State::open(&dir.join(FOLDER).join(bundle), &start)?;
    Ok(look_once(caller, state).await?)
}
