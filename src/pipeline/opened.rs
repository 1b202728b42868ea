//! What a logged decision opens: which parts and entries, and of these what their reader may see.

use std::collections::BTreeSet;

use crate::domain::answer::Answer;
use crate::domain::audit::{VisibleEntry, visible};
use crate::domain::decision::PartRef;
use crate::domain::journey::sealing::{Behind, OwnName, behind};
use crate::domain::leaf::Leaf;
use crate::domain::logged::{Inclusion, Logged};
use crate::domain::opening::{Opening, Part};
use crate::domain::receipt::{Proof, Receipt};
use crate::domain::ruling::Ruled;
use crate::domain::time::When;
use crate::store::{Discloses, Fault, Named, Readable, ReadsLog};

use super::{Gateway, Sum};

/// What is made of entries after they were opened, beside the entries themselves.
#[derive(Default)]
pub struct More {
    /// What a stretch of the log came to.
    pub sum: Sum,
    /// What the seal on whom an entry is about hid, under her own organisation's name.
    pub behind: Option<OwnName>,
    /// Entries of the page whose accounts were erased.
    pub erased: Vec<Erased>,
    /// The thing that the sealed entry names; never told.
    pub(super) sealed: Option<Behind>,
}

/// A log entry, as far as its reader may see it; her reading is itself logged.
pub struct Entry {
    pub index: u64,
    /// Rounded down to ten seconds, as in the leaf.
    pub at: When,
    pub seen: VisibleEntry,
    /// If it was asked for: its proof, and what of it this reader may open.
    pub evidence: Option<Receipt>,
}

/// A log entry that its reader's own list names, and whose account was erased when its time was
/// over.
pub struct Erased {
    pub index: u64,
    /// As of an [`Entry`].
    pub at: When,
}

impl Discloses for Ruled {
    fn parts(&self) -> &[PartRef] {
        self.answer.parts()
    }
}

impl ReadsLog for Ruled {
    fn named(&self) -> Named {
        if let Some(stretch) = self.answer.stretch() {
            return Named::Within(stretch.within.clone());
        }
        let indices: &[u64] = match &self.answer {
            Answer::Replayed { index, .. } => index,
            answer => answer.reading().map_or(&[], |reading| &reading.indices),
        };
        Named::Each(indices.iter().copied().collect())
    }
}

impl Gateway {
    /// What a logged reading of the log makes of the entries that it names. No opening leaves here:
    /// only what this reader may see of it.
    pub(super) async fn open_entries(
        &self,
        logged: &Logged<Ruled>,
    ) -> Result<(Vec<Entry>, More), Fault> {
        let mut more = More::default();
        let answer = &logged.value().answer;
        if let Some(stretch) = answer.stretch() {
            more.sum = self.sum_of(logged, stretch).await?;
        }
        let Some(reading) = answer.reading() else {
            return Ok((Vec::new(), more));
        };
        let by = Readable::of(logged);
        let opened = self.store.entries(&by, &reading.indices).await?;
        let there: BTreeSet<u64> = opened.iter().map(|(index, _, _)| *index).collect();
        let gone = reading
            .indices
            .iter()
            .filter(|index| !there.contains(index));
        for index in gone.copied() {
            let leaves = self.store.leaves(index, index.saturating_add(1)).await?;
            let at = leaves.first().map(Leaf::when);
            let kept = at.filter(|at| reading.filter.keeps_erased(&reading.viewer, *at));
            more.erased.extend(kept.map(|at| Erased { index, at }));
        }
        let mut entries = Vec::new();
        for (index, leaf, bytes) in opened {
            let opening =
                Opening::parse(&bytes).map_err(|_| Fault::Unreadable("a log entry's opening"))?;
            let at = leaf.when();
            let seen = visible(&reading.viewer, &logged.value().aliases, &opening)
                .filter(|seen| reading.filter.keeps(at, seen));
            let Some(seen) = seen else { continue };
            match answer {
                Answer::SealOpened(_) => more.sealed = behind(&opening),
                _ => {
                    let evidence = match reading.filter.evidence {
                        true => self.evidence(leaf, &opening, index, seen.side).await?,
                        false => None,
                    };
                    entries.push(Entry {
                        index,
                        at,
                        seen,
                        evidence,
                    });
                }
            }
        }
        Ok((entries, more))
    }
}

/// What the caller keeps: its entry, the proof, and what it asked. What was decided, and on what
/// it rests, is not the asker's to open.
pub(super) fn receipt(leaf: Leaf, inclusion: Inclusion, opening: &Opening) -> Receipt {
    Receipt {
        leaf,
        proof: Proof {
            index: inclusion.index,
            path: inclusion.hashes,
            checkpoint: inclusion.checkpoint.as_ref().to_owned(),
        },
        request_salt: Some(opening.request_salt),
        opened: vec![
            opening.open(Part::Who),
            opening.open(Part::Why),
            opening.open(Part::What),
        ],
    }
}
