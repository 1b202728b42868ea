//! The IG officer's reading of the log: which entries are looked at, and the queue.

use std::ops::Range;

use crate::domain::alias::AliasKind;
use crate::domain::attempt::Attempt;
use crate::domain::audit::{Filter, QueueVerdict, Reach, Side, Viewer, since_friday};
use crate::domain::decision::{Aggregate, List, Listed};
use crate::domain::id::{Id, OrgId};
use crate::domain::journey::auditing;
use crate::domain::leaf::Leaf;
use crate::domain::opening::Opening;
use crate::domain::person::TaggedToken;
use crate::domain::receipt::{Proof, Receipt};
use crate::domain::rules::{Entries, Rules};
use crate::store::Fault;

use super::subject_access::items;
use super::{Answered, Gateway, Read};

/// Entries of one page before the filter.
pub const PAGE_ENTRIES_MAX: u16 = 200;
/// Strong tokens of one person whose entries are looked up.
const TOKENS_MAX: usize = 16;

/// Where a page of the log begins and how much is looked at, the newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Entries before this index; none for the newest.
    pub before: Option<u64>,
    /// At most [`PAGE_ENTRIES_MAX`]; 0 for as many.
    pub max: u16,
}

impl Page {
    fn max(self) -> u16 {
        match self.max {
            0 => PAGE_ENTRIES_MAX,
            max => max.min(PAGE_ENTRIES_MAX),
        }
    }
}

/// A run of entries that is taken at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// It begins before this index.
    pub before: u64,
    pub newest: u64,
    pub oldest: u64,
    pub entries: u64,
}

/// Parts that are told at once.
const PARTS_MAX: usize = 100;

/// What of the log is looked at: all of it, or what is listed.
enum Source {
    Whole,
    Lists(Vec<List>),
}

/// Entries to be looked at, the newest first, and whether older ones are left.
#[derive(Default)]
struct Found {
    indices: Vec<u64>,
    more: bool,
}

/// Where entries about a person are listed, of those that a reader may see.
fn lists_about(rules: &Rules, own: &OrgId, reach: Reach, subject: &[u8; 16]) -> Vec<List> {
    let list = |of| rules.subject_list(own, of, subject);
    match reach {
        Reach::All => vec![List::AuditSubject(*subject), rules.readings(subject)],
        Reach::OwnAndConcerned => vec![
            list(Entries::OwnStaff),
            list(Entries::Readings),
            list(Entries::Others),
        ],
        Reach::Own => vec![list(Entries::OwnStaff), list(Entries::Readings)],
    }
}

impl Gateway {
    /// One entry, if the caller's organisation may see it.
    pub async fn audit_entry(
        &self,
        attempt: Attempt,
        index: u64,
        filter: &Filter,
    ) -> Result<Answered, Fault> {
        let known = index < self.store.health().leaves;
        let found = Found {
            indices: known.then_some(index).into_iter().collect(),
            more: false,
        };
        let read = self.read_log(attempt, None, found, filter).await;
        read.map(|(answered, _)| answered)
    }

    /// The proof of an entry, and the parts of it that are shown on this side.
    pub(super) async fn evidence(
        &self,
        leaf: Leaf,
        opening: &Opening,
        index: u64,
        side: Side,
    ) -> Result<Option<Receipt>, Fault> {
        let inclusion = self.store.inclusion(index).await?;
        Ok(inclusion.map(|inclusion| Receipt {
            leaf,
            proof: Proof {
                index: inclusion.index,
                path: inclusion.hashes,
                checkpoint: inclusion.checkpoint.as_ref().to_owned(),
            },
            // Whoever reads the log is not whoever made the request.
            request_salt: None,
            opened: side
                .parts()
                .iter()
                .map(|part| opening.open(*part))
                .collect(),
        }))
    }

    /// A page of the entries that the caller's organisation may see, and the index before which
    /// the next page begins. A page may be short before the last, because of the filter.
    pub async fn audit_entries(
        &self,
        attempt: Attempt,
        filter: &Filter,
        page: Page,
    ) -> Result<(Answered, Option<u64>), Fault> {
        let source = self.source(&attempt, filter).await?;
        let found = self
            .looked_at(&source, filter, page.before, page.max())
            .await?;
        self.read_log(attempt, None, found, filter).await
    }

    /// The same in parts of at most `size` entries before the filter, without the entries: where each
    /// part begins, and the index before which further parts begin.
    pub async fn audit_parts(
        &self,
        attempt: Attempt,
        filter: &Filter,
        before: Option<u64>,
        size: u16,
    ) -> Result<(Answered, Vec<Part>, Option<u64>), Fault> {
        let source = self.source(&attempt, filter).await?;
        let within = self.period(filter).await?;
        let mut next = Some(before.unwrap_or(within.end).min(within.end));
        let mut parts = Vec::new();
        while let Some(before) = next.filter(|_| parts.len() < PARTS_MAX) {
            let found = self.looked_at_in(&source, &within, before, size).await?;
            let ends = found.indices.first().zip(found.indices.last());
            let Some((newest, oldest)) = ends.map(|(newest, oldest)| (*newest, *oldest)) else {
                next = None;
                break;
            };
            parts.push(Part {
                before,
                newest,
                oldest,
                entries: found.indices.len() as u64,
            });
            next = found.more.then_some(oldest);
        }
        let read = self.read_log(attempt, None, Found::default(), filter).await;
        read.map(|(answered, _)| (answered, parts, next))
    }

    async fn source(&self, attempt: &Attempt, filter: &Filter) -> Result<Source, Fault> {
        let own = attempt.organisation().clone();
        let reach = self.reach(attempt).await?;
        if let Some(person) = filter.person {
            let rules = self.rules.load_full();
            let aliases = self.aliases(attempt).await?;
            let subject = aliases.inward(AliasKind::LogSubject, person);
            let lists = lists_about(&rules, &own, reach, subject.bytes());
            return Ok(Source::Lists(lists));
        }
        let lists = match (reach, &filter.user) {
            (Reach::All, user) if filter.organisation.is_some() => {
                let of = filter.organisation.iter().cloned();
                of.map(|of| match user {
                    Some(user) => List::AuditUser(of, user.clone()),
                    None => List::Audit(of),
                })
                .collect()
            }
            (Reach::All, _) => return Ok(Source::Whole),
            (Reach::Own | Reach::OwnAndConcerned, Some(user)) => {
                vec![List::AuditUser(own, user.clone())]
            }
            (Reach::OwnAndConcerned, None) => vec![
                List::Audit(own.clone()),
                List::Operator,
                List::AuditConcerned(own),
            ],
            (Reach::Own, None) => vec![List::Audit(own), List::Operator],
        };
        Ok(Source::Lists(lists))
    }

    /// Which part of the log the filter's times leave, so that an old month is as near as this one.
    async fn period(&self, filter: &Filter) -> Result<Range<u64>, Fault> {
        let start = match filter.from {
            Some(from) => self.first_since(from.coarse()).await?,
            None => 0,
        };
        let end = match filter.to {
            Some(to) => self.first_since(to).await?,
            None => self.store.health().leaves,
        };
        Ok(start..end)
    }

    async fn looked_at(
        &self,
        source: &Source,
        filter: &Filter,
        before: Option<u64>,
        max: u16,
    ) -> Result<Found, Fault> {
        let within = self.period(filter).await?;
        let before = before.unwrap_or(within.end).min(within.end);
        self.looked_at_in(source, &within, before, max).await
    }

    async fn looked_at_in(
        &self,
        source: &Source,
        within: &Range<u64>,
        before: u64,
        max: u16,
    ) -> Result<Found, Fault> {
        let max = usize::from(max);
        let mut indices: Vec<u64> = match source {
            Source::Whole => (within.start..before).rev().take(max).collect(),
            Source::Lists(lists) => self.listed(lists, before, max).await?,
        };
        let full = indices.len() >= max;
        indices.retain(|index| *index >= within.start);
        let more = full && indices.len() >= max;
        Ok(Found { indices, more })
    }

    /// What the log holds about a person, by the identifier that the officer has. Entries that she
    /// may not see are not looked at, so that neither pages nor positions tell of them.
    pub async fn audit_subject(
        &self,
        attempt: Attempt,
        tokens: &[TaggedToken],
        filter: &Filter,
        page: Page,
    ) -> Result<(Answered, Option<u64>), Fault> {
        let own = attempt.organisation().clone();
        let reach = self.reach(&attempt).await?;
        let rules = self.rules.load_full();
        let subjects = rules.log_subjects(tokens);
        let lists: Vec<List> = subjects
            .iter()
            .take(TOKENS_MAX)
            .flat_map(|subject| lists_about(&rules, &own, reach, subject))
            .collect();
        let lists = Source::Lists(lists);
        let found = self
            .looked_at(&lists, filter, page.before, page.max())
            .await?;
        self.read_log(attempt, Some(tokens), found, filter).await
    }

    /// Which lists to look at. What is then shown of each entry is settled on the facts of the
    /// decision itself.
    pub(super) async fn reach(&self, attempt: &Attempt) -> Result<Reach, Fault> {
        let known = self.caller(attempt).await?;
        let own = known.organisations.get(attempt.organisation());
        Ok(own.map_or(Reach::Own, |own| {
            let viewer = Viewer {
                organisation: own.id.clone(),
                kind: own.kind,
                tainted: own.tainted(&attempt.peer.name().team, self.time()),
            };
            viewer.reach()
        }))
    }

    /// What is listed before an index, the newest first.
    async fn listed(&self, lists: &[List], before: u64, max: usize) -> Result<Vec<u64>, Fault> {
        let cursor = Some(Listed {
            at: 0,
            index: before,
            item: Id::ZERO,
        });
        let step = u16::try_from(max).unwrap_or(u16::MAX);
        let mut indices: Vec<u64> = Vec::new();
        for list in lists {
            let listed = self.store.newest(list, cursor, step).await?;
            indices.extend(listed.iter().map(|entry| entry.index));
        }
        indices.sort_unstable_by(|a, b| b.cmp(a));
        indices.dedup();
        indices.truncate(max);
        Ok(indices)
    }

    async fn read_log(
        &self,
        attempt: Attempt,
        about: Option<&[TaggedToken]>,
        found: Found,
        filter: &Filter,
    ) -> Result<(Answered, Option<u64>), Fault> {
        let Found { indices, more } = found;
        let answered = self
            .run(attempt, &[], |rules, attempt, known, keys| {
                auditing::entries(rules, attempt, known, keys, about, &indices, filter)
            })
            .await?;
        let next = indices.last().copied().filter(|_| more);
        Ok((answered, next))
    }

    /// The key of the trail of the caller's organisation.
    pub async fn audit_trail(&self, attempt: Attempt) -> Result<Answered, Fault> {
        self.run(attempt, &[], auditing::trail).await
    }

    /// What the caller's organisation must decide, after what happened since Friday 17:00.
    pub async fn audit_queue(&self, attempt: Attempt) -> Result<Answered, Fault> {
        let own = attempt.organisation().clone();
        let first = self.first_since(since_friday(self.time())).await?;
        let within = first..self.position();
        let open = List::SubjectAccess(own.clone());
        let open = self.store.list(&open, None, PAGE_ENTRIES_MAX).await?;
        let open = items(&open);
        let queue = [Aggregate::Queue(own)];
        self.run(
            attempt,
            &[
                Read::Of(&queue),
                Read::Signs,
                Read::Of(&open),
                Read::AskedFor,
            ],
            |rules, attempt, known, keys| auditing::queue(rules, attempt, known, keys, &within),
        )
        .await
    }

    /// Decides one item of the caller's own queue.
    pub async fn decide_queue(
        &self,
        attempt: Attempt,
        alias: Id,
        verdict: QueueVerdict,
    ) -> Result<Answered, Fault> {
        let queue = [Aggregate::Queue(attempt.organisation().clone())];
        self.run(
            attempt,
            &[Read::Of(&queue), Read::Signs],
            |rules, attempt, known, keys| {
                auditing::decide_queue(rules, attempt, known, keys, alias, verdict)
            },
        )
        .await
    }
}
