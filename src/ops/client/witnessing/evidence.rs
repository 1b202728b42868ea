//! What a witness keeps when the log contradicts itself: both signed heads, what proves it, and a
//! page that says how a stranger can check it alone. Nothing here is ever overwritten or removed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::domain::checkpoint::LogVerifier;
use crate::domain::time::When;
use crate::domain::witness::{Head, Judgement};
use crate::ops::client::ClientFault;

use super::state::{make_dir, replace};
use super::words::Source;

/// The head that was known before.
pub const KNOWN: &str = "known";
/// The head that the gateway showed.
pub const SHOWN: &str = "shown";
/// The log's hashes, as far as they are needed, in the layout of C2SP tlog-tiles.
pub const TILES: &str = "log";
const README: &str = "README.txt";

/// Two heads of one log that do not fit.
pub struct Contradiction<'a> {
    pub judgement: Judgement,
    /// The whole notes: with this witness's own signature, if it gave one.
    pub known: &'a str,
    pub known_head: &'a Head,
    pub shown: &'a str,
    pub shown_head: &'a Head,
    /// Where the known one comes from.
    pub source: Source,
}

impl Contradiction<'_> {
    /// The folder's name. A log that went on another way grows, and shows a new head each time; the
    /// first of them is kept for each known head, and of two heads of one size each.
    fn name(&self) -> String {
        let of = |head: &Head| {
            let root = head.root().iter().take(4);
            let hex: String = root.map(|byte| format!("{byte:02x}")).collect();
            format!("{}-{hex}", head.size())
        };
        let (known, shown) = (of(self.known_head), of(self.shown_head));
        match self.judgement {
            Judgement::Smaller => format!("smaller-{known}"),
            Judgement::TwoHeads => format!("two-heads-{known}-{shown}"),
            Judgement::Rewritten => format!("rewritten-{known}"),
            Judgement::Unproven | Judgement::Grown | Judgement::Same => format!("unproven-{known}"),
        }
    }

    /// Whether it is kept below `dir` already. Its page is written last: a folder with it is whole.
    pub fn is_kept(&self, dir: &Path) -> bool {
        dir.join(self.name()).join(README).exists()
    }

    /// Keeps it below `dir`, with files of the log's tiles, and returns the folder.
    ///
    /// # Errors
    /// [`ClientFault::File`].
    pub fn keep(
        &self,
        dir: &Path,
        log: &LogVerifier,
        at: When,
        tiles: &[(String, Vec<u8>)],
    ) -> Result<PathBuf, ClientFault> {
        let folder = dir.join(self.name());
        let fault = |error| ClientFault::File(folder.clone(), error);
        make_dir(&folder).map_err(fault)?;
        for (path, bytes) in tiles {
            let path = folder.join(TILES).join(path);
            let parent = path.parent().unwrap_or(&folder);
            make_dir(parent).map_err(fault)?;
            fs::write(&path, bytes).map_err(fault)?;
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(fault)?;
        }
        replace(&folder, KNOWN, self.known.as_bytes())?;
        replace(&folder, SHOWN, self.shown.as_bytes())?;
        replace(&folder, README, self.page(log, at).as_bytes())?;
        File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(fault)?;
        Ok(folder)
    }

    /// What the two files are, what they prove, and how to check that without asking anybody.
    fn page(&self, log: &LogVerifier, at: When) -> String {
        let (known, shown) = (self.known_head.size(), self.shown_head.size());
        let (at, source, vkey) = (at.rfc3339(), self.source.words(), log.vkey());
        let proves = match self.judgement {
            Judgement::TwoHeads => format!(
                "The log signed two different histories of {known} entries. Its own two signatures prove\n\
                 it; nothing else is needed, and only the holder of the log's key can have made both."
            ),
            Judgement::Rewritten => format!(
                "The log signed {known} entries and later {shown}, and the later log does not begin with\n\
                 the earlier one: something was changed or taken out. The hashes in log/ lead to the\n\
                 later signed head, and to another one than was signed for the first {known} entries."
            ),
            Judgement::Smaller => format!(
                "The log had {known} entries when the first head was signed, and afterwards showed only\n\
                 {shown}. Both heads are genuine. Alone they do not prove that entries are missing,\n\
                 because every log was smaller once: ask the gateway for its head of {known} entries or\n\
                 more. If it cannot show one that continues the first head, entries that were\n\
                 acknowledged are gone."
            ),
            Judgement::Unproven | Judgement::Grown | Judgement::Same => format!(
                "The log signed {known} entries and later {shown}, and the hashes that the gateway served\n\
                 do not lead to the later head. Alone this does not prove that the log was changed;\n\
                 that it cannot be shown is the finding. Ask the operator for a copy of the whole log\n\
                 (firedoor audit export) and check with that."
            ),
        };
        let (first, second) = match known > shown {
            true => (SHOWN, KNOWN),
            false => (KNOWN, SHOWN),
        };
        let tiles = match self.judgement {
            Judgement::Rewritten => TILES,
            Judgement::TwoHeads => ".",
            Judgement::Smaller | Judgement::Unproven | Judgement::Grown | Judgement::Same => {
                "EXPORTED-LOG"
            }
        };
        format!(
            "Evidence about the log {origin}, kept by a witness at {at}.\n\
             \n\
             {proves}\n\
             \n\
             known    the head that {source}\n\
             shown    the head that the gateway showed afterwards\n\
             \n\
             To check it alone, take the log's key as you have it from elsewhere, in a file outside this\n\
             folder, and run in this folder:\n\
             \n\
             firedoor-verify consistency {first} {second} --key FILE --log {tiles}\n\
             \n\
             The witness took this for the log's key: {vkey}\n\
             Both files are signed notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint), which other\n\
             tools read too. Keep this folder as it is, and make a copy.\n",
            origin = log.origin(),
        )
    }
}
