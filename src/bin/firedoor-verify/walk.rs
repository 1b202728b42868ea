//! Every bundle and tile of a copy, compared with a tree.
//!
//! Also the older partial ones, and also those that nothing needs: a reader may use any of them.

use std::path::Path;

use tlog_tiles::Hash;

use super::copy::{Copy, RECORD_BYTES, Stored, TILE_BYTES_MAX, TILE_WIDTH};
use super::report::{Report, files_below, read_file};

/// Every bundle and tile of the copy, also older partial ones, compared with a tree.
#[derive(Default)]
pub struct Walk {
    pub compared: u64,
    pub difference: Option<String>,
    pub strangers: Vec<String>,
}

impl Walk {
    /// `stored` is the tree of the entries of `copy`, whose own bundles need no second look.
    pub fn read(dir: &Path, copy: &Copy, stored: &Stored) -> Result<Self, Report> {
        let size = copy.entries.len() as u64;
        let mut walk = Self::default();
        for path in files_below(&dir.join("tile"), "tile")? {
            if copy.bundles.contains(&path) {
                walk.compared += 1;
                continue;
            }
            let Some(tile) = parse_path(&path) else {
                walk.strangers.push(path);
                continue;
            };
            walk.compare(dir, &path, tile, size, stored)?;
        }
        Ok(walk)
    }

    /// A file that reaches beyond the signed size is a stranger: nothing is known about it.
    fn compare(
        &mut self,
        dir: &Path,
        path: &str,
        (kind, index, width): (Kind, u64, u64),
        size: u64,
        stored: &Stored,
    ) -> Result<(), Report> {
        let (level, step) = match kind {
            Kind::Entries => (0, RECORD_BYTES),
            Kind::Hashes(level) => (level, size_of::<Hash>()),
        };
        let first = index.saturating_mul(TILE_WIDTH);
        let hash_at = |place: u64| stored.tile_hash(level, first.checked_add(place)?, size);
        if hash_at(width.saturating_sub(1)).is_none() {
            self.strangers.push(path.to_owned());
            return Ok(());
        }
        self.compared += 1;
        let bytes = read_file(&dir.join(path), TILE_BYTES_MAX)?.unwrap_or_default();
        let mut parts = bytes.chunks(step);
        for place in 0..width {
            let same = match (kind, parts.next()) {
                (Kind::Hashes(_), Some(hash)) => {
                    hash_at(place).is_some_and(|known| known.0 == *hash)
                }
                (Kind::Entries, Some([1, 0, entry @ ..])) => {
                    hash_at(place).is_some_and(|known| known == tlog_tiles::record_hash(entry))
                }
                (_, Some(_) | None) => false,
            };
            if !same && self.difference.is_none() {
                let span = 1_u64 << (u32::from(level) * 8);
                let from = (first + place) * span;
                self.difference = Some(match (kind, span) {
                    (Kind::Entries, _) => format!("{path} differs at entry {from}"),
                    (Kind::Hashes(_), 1) => format!("{path} differs at the hash of entry {from}"),
                    (Kind::Hashes(_), _) => format!(
                        "{path} differs at the hash of entries {from} to {}",
                        from + span - 1
                    ),
                });
            }
        }
        if parts.next().is_some() && self.difference.is_none() {
            self.difference = Some(format!("{path} is longer than it may be"));
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Entries,
    Hashes(u8),
}

/// The C2SP name of a bundle or tile.
pub fn tile_path(kind: &str, index: u64, width: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    let partial = if width < TILE_WIDTH {
        format!(".p/{width}")
    } else {
        String::new()
    };
    format!("tile/{kind}/{path}{partial}")
}

/// What a file of the copy is, by its name; `None` if the log has no such file.
fn parse_path(path: &str) -> Option<(Kind, u64, u64)> {
    let (name, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let (digits, width) = match rest.split_once(".p/") {
        Some((digits, width)) => (digits, width.parse().ok()?),
        None => (rest, TILE_WIDTH),
    };
    let index = digits.replace(['x', '/'], "").parse().ok()?;
    let kind = match name {
        "entries" => Kind::Entries,
        // Eight levels of 256 hold more entries than there are numbers for.
        level => Kind::Hashes(level.parse().ok().filter(|level| *level < 8)?),
    };
    (width > 0 && tile_path(name, index, width) == path).then_some((kind, index, width))
}
