//! The log as files: the layout of C2SP tlog-tiles, which any static server can hold.
//!
//! Tiles are derived: they can always be made again from the leaves, so nothing rests on them.

use std::fmt;

use super::leaf::{LEAF_BYTES, Leaf};
use super::merkle::Tree;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// The highest level that the layout names.
const LEVEL_MAX: u32 = 63;
/// Where the signed head lies.
pub const CHECKPOINT_PATH: &str = "checkpoint";

/// The name of one immutable file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TilePath {
    pub kind: TileKind,
    /// The place within the level.
    pub index: u64,
    /// 1 to 256; less than 256 for a partial tile.
    pub width: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TileKind {
    /// Entries, each with its length in two bytes before it.
    Entries,
    /// Hashes of complete subtrees of `256^level` leaves.
    Hashes { level: u32 },
}

impl TilePath {
    /// Reads `tile/<L>/x001/234`, `tile/entries/000.p/5`. Only the one canonical spelling counts.
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes {
                level: level.parse().ok()?,
            },
        };
        let (digits, width) = match rest.split_once(".p/") {
            Some((digits, width)) => (digits, width.parse().ok().filter(|w| *w < TILE_WIDTH)?),
            None => (rest, TILE_WIDTH),
        };
        let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
        let found = Self {
            kind,
            index: digits.parse().ok()?,
            width,
        };
        let level_fits = match kind {
            TileKind::Entries => true,
            TileKind::Hashes { level } => level <= LEVEL_MAX,
        };
        (level_fits && width > 0 && found.to_string() == path).then_some(found)
    }

    /// Every file of a log of `size` entries but its checkpoint, with the partial ones at the edge.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        let rows = std::iter::successors(Some((0_u32, size)), |(level, count)| {
            Some((level + 1, count / TILE_WIDTH))
        });
        let hashes = rows
            .take_while(|(_, count)| *count > 0)
            .flat_map(|(level, count)| row(TileKind::Hashes { level }, count));
        row(TileKind::Entries, size).chain(hashes)
    }

    /// The indices of the entries it holds, or `None` for a tile of hashes.
    pub fn entries(&self) -> Option<std::ops::Range<u64>> {
        match self.kind {
            TileKind::Entries => {
                let first = self.index.checked_mul(TILE_WIDTH)?;
                Some(first..first.checked_add(self.width)?)
            }
            TileKind::Hashes { .. } => None,
        }
    }

    /// The bytes of a tile of hashes; `None` for entries, or if the tree is not that large.
    pub fn hashes(&self, tree: &Tree) -> Option<Vec<u8>> {
        match self.kind {
            TileKind::Entries => None,
            TileKind::Hashes { level } => {
                let first = self.index.checked_mul(TILE_WIDTH)?;
                Some(tree.row(level.checked_mul(8)?, first, self.width)?.concat())
            }
        }
    }
}

/// The tiles of one level that together hold `count` things.
fn row(kind: TileKind, count: u64) -> impl Iterator<Item = TilePath> {
    let full = (0..count / TILE_WIDTH).map(move |index| TilePath {
        kind,
        index,
        width: TILE_WIDTH,
    });
    let rest = count % TILE_WIDTH;
    let partial = TilePath {
        kind,
        index: count / TILE_WIDTH,
        width: rest,
    };
    full.chain((rest > 0).then_some(partial))
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Entries => f.write_str("tile/entries/")?,
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (place, group) in groups.iter().enumerate().rev() {
            if place > 0 {
                write!(f, "x{group:03}/")?;
            } else {
                write!(f, "{group:03}")?;
            }
        }
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// An entry bundle: each leaf behind its length, 16 bits, big-endian.
pub fn bundle(leaves: &[Leaf]) -> Vec<u8> {
    const LENGTH: [u8; 2] = (LEAF_BYTES as u16).to_be_bytes();
    leaves
        .iter()
        .flat_map(|leaf| LENGTH.iter().chain(leaf.bytes()))
        .copied()
        .collect()
}

/// The whole log as files: `checkpoint`, bundles and tiles of exactly these leaves, which must be
/// those of the checkpoint's size.
pub fn export(leaves: &[Leaf], checkpoint: &str) -> Vec<(String, Vec<u8>)> {
    let mut tree = Tree::new();
    for leaf in leaves {
        tree.append(leaf);
    }
    let size = tree.size();
    let mut bundles = leaves.chunks(TILE_WIDTH as usize);
    let mut files = vec![(CHECKPOINT_PATH.to_owned(), checkpoint.as_bytes().to_vec())];
    files.extend(TilePath::all(size).filter_map(|path| {
        let bytes = match path.kind {
            // `all` names the bundles in the order of the chunks.
            TileKind::Entries => bundle(bundles.next()?),
            TileKind::Hashes { .. } => path.hashes(&tree)?,
        };
        Some((path.to_string(), bytes))
    }));
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::merkle::leaf_hash;
    use proptest::prelude::*;

    fn paths(size: u64) -> Vec<String> {
        TilePath::all(size).map(|path| path.to_string()).collect()
    }

    #[test]
    fn the_layout_is_that_of_the_specification() {
        // The example of C2SP tlog-tiles.
        let files = paths(70_000);
        let count = |start: &str| files.iter().filter(|path| path.starts_with(start)).count();
        assert_eq!(
            (count("tile/0/"), count("tile/1/"), count("tile/2/")),
            (274, 2, 1)
        );
        assert_eq!(count("tile/entries/"), 274);
        for path in [
            "tile/0/272",
            "tile/0/273.p/112",
            "tile/1/000",
            "tile/1/001.p/17",
        ] {
            assert!(files.iter().any(|known| known == path), "{path}");
        }
        assert_eq!(files.last().map(String::as_str), Some("tile/2/000.p/1"));
        assert_eq!(
            paths(256),
            ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
        );
        assert!(paths(0).is_empty());
        let deep = TilePath {
            kind: TileKind::Entries,
            index: 1_234_067,
            width: 256,
        };
        assert_eq!(deep.to_string(), "tile/entries/x001/x234/067");
    }

    #[test]
    fn only_the_canonical_spelling_is_a_path() {
        for bad in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/+0/000",
            "tile/64/000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001/00",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/05",
            "tile/0/000.p/",
            "tile/8/0/000",
            "tile/data/000",
            "/tile/0/000",
            "tile/0/../000",
            "tile/0/000/",
            "tile/0/x099/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(TilePath::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_path_survives_its_text(level in 0..=64_u32, index: u64, width in 1..=256_u64) {
            let kind = if level == 64 { TileKind::Entries } else { TileKind::Hashes { level } };
            let path = TilePath { kind, index, width };
            prop_assert_eq!(TilePath::parse(&path.to_string()), Some(path));
        }

        #[test]
        fn reading_a_path_never_panics(text: String, tail in "[0-9x/.p]{0,40}") {
            let _ = TilePath::parse(&text);
            let _ = TilePath::parse(&format!("tile/{tail}"));
        }
    }

    #[test]
    fn a_tile_holds_the_hashes_of_full_tiles_below() {
        let mut tree = Tree::new();
        for index in 0..600_u64 {
            tree.append_hash(leaf_hash(&index.to_be_bytes()));
        }
        let hashes = |path: &str| TilePath::parse(path).unwrap().hashes(&tree);
        assert_eq!(hashes("tile/0/000").unwrap().len(), 8192);
        assert_eq!(
            hashes("tile/1/000.p/1").unwrap(),
            tree.root_at(256).unwrap()
        );
        assert_eq!(hashes("tile/0/002.p/88").unwrap().len(), 88 * 32);
        assert_eq!(hashes("tile/0/002.p/89"), None);
        assert_eq!(hashes("tile/63/000"), None);
        assert_eq!(hashes("tile/entries/000"), None);
    }
}
