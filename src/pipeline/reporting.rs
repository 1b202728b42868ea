//! The report that she asks for, the figures of a month and a quarter's return: what is looked at.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::audit::{Reach, SomeOrganisation, VisibleEntry};
use crate::domain::decision::{Aggregate, List, Listed};
use crate::domain::id::{Id, LineId, OrgId};
use crate::domain::journey::counting;
use crate::domain::journey::reporting::{
    Asked, ListedEntry, MonthAsked, figures as counted, report,
};
use crate::domain::known::Known;
use crate::domain::person::TaggedToken;
use crate::domain::report::{
    self, Commission, FIGURES_ENTRIES_MAX, Figures, REPORT_ENTRIES_MAX, Said, Terms,
};
use crate::domain::returns::{Line, Quarter, RETURN_LINES_MAX, Return};
use crate::domain::rules::Entries;
use crate::domain::time::When;
use crate::store::Fault;

use super::{Answered, Entry, Gateway, Read};

/// What is asked for of one list at once.
const PAGE: u16 = 200;

impl Gateway {
    /// The report about the person with these tokens, as far as the caller's organisation may see,
    /// as text; none where there is nothing to show.
    pub async fn report(
        &self,
        attempt: Attempt,
        tokens: &[TaggedToken],
        terms: &Terms,
    ) -> Result<(Answered, Option<String>), Fault> {
        let own = attempt.organisation().clone();
        let reach = self.reach(&attempt).await?;
        let (listed, whole) = self.listed_about(&own, reach, tokens).await?;
        let asked = Asked {
            tokens,
            listed: &listed,
            whole,
            terms,
        };
        let answered = self
            .run(
                attempt,
                &[Read::Tokens(tokens)],
                |rules, attempt, known, keys| report(rules, attempt, known, keys, &asked),
            )
            .await?;
        let Answer::Report(commission) = &answered.answer else {
            return Ok((answered, None));
        };
        let text = self.written(commission, &answered, &Said::new()).await?;
        Ok((answered, Some(text)))
    }

    /// A report as text, once what it names is opened.
    pub(super) async fn written(
        &self,
        commission: &Commission,
        answered: &Answered,
        said: &Said,
    ) -> Result<String, Fault> {
        let named = self.named(commission, &answered.entries).await?;
        let entries: Vec<report::Seen<'_>> = answered
            .entries
            .iter()
            .map(|entry| (entry.at, &entry.seen))
            .collect();
        let rules = self.rules.load();
        Ok(report::write(
            commission,
            &entries,
            &named.organisations,
            &rules.clock,
            (said, answered.at),
        ))
    }

    /// The figures of one month, for the caller's own organisation; none where it is refused.
    pub async fn figures(
        &self,
        attempt: Attempt,
        month: &str,
        from: When,
        to: When,
    ) -> Result<(Answered, Option<Figures>), Fault> {
        let own = attempt.organisation().clone();
        let reach = self.reach(&attempt).await?;
        let (first, end) = (self.first_since(from).await?, self.first_since(to).await?);
        let (indices, whole) = self.within(&own, reach, first, end).await?;
        let asked = MonthAsked {
            month,
            from,
            to,
            indices: &indices,
            whole,
        };
        let queue = [Aggregate::Queue(own)];
        let answered = self
            .run(
                attempt,
                // An item that was closed is open again if signs came since.
                &[Read::Of(&queue), Read::Signs],
                |rules, attempt, known, keys| counted(rules, attempt, known, keys, &asked),
            )
            .await?;
        let Answer::Figures(counting) = &answered.answer else {
            return Ok((answered, None));
        };
        let entries: Vec<(When, &VisibleEntry)> = answered
            .entries
            .iter()
            .map(|entry| (entry.at, &entry.seen))
            .collect();
        let kinds = self.kinds(&answered.entries).await?;
        let figures = report::figures(counting, &entries, &kinds, answered.at);
        Ok((answered, Some(figures)))
    }

    /// What a quarter, which is from `from` to before `to`, came to for the caller's organisation; none
    /// where it is refused.
    pub async fn quarter_return(
        &self,
        attempt: Attempt,
        quarter: Quarter,
        (from, to): (When, When),
    ) -> Result<(Answered, Option<Return>), Fault> {
        let own = attempt.organisation().clone();
        let answered = self.run(attempt, &[], counting::read).await?;
        if !matches!(answered.answer, Answer::Return) {
            return Ok((answered, None));
        }
        let (lines, whole) = self.lines(&own, from, to).await?;
        let mut known = Known::default();
        self.read(&mut known, &[Aggregate::Settings]).await?;
        let so_far = answered.at < to;
        let found = Return::of(quarter, (&lines, whole), so_far, &own, &known.directory);
        Ok((answered, Some(found)))
    }

    /// The newest lines of a stretch of time, and whether these are all.
    async fn lines(&self, own: &OrgId, from: When, to: When) -> Result<(Vec<Line>, bool), Fault> {
        let list = List::Lines(own.clone());
        let mut before = Some(Listed {
            at: to.place(),
            index: 0,
            item: Id::ZERO,
        });
        let mut lines = Vec::new();
        loop {
            let page = self.store.newest(&list, before, PAGE).await?;
            before = page.last().copied();
            let is_last = page.len() < usize::from(PAGE);
            let within = page.iter().filter(|listed| from.place() <= listed.at);
            let of: Vec<Aggregate> = within
                .map(|listed| Aggregate::Line(LineId(listed.item)))
                .collect();
            let mut known = Known::default();
            self.read(&mut known, &of).await?;
            lines.append(&mut known.lines);
            if lines.len() > RETURN_LINES_MAX {
                lines.truncate(RETURN_LINES_MAX);
                return Ok((lines, false));
            }
            if is_last || of.len() < page.len() {
                return Ok((lines, true));
            }
        }
    }

    /// Of those whom these entries name.
    async fn kinds(&self, entries: &[Entry]) -> Result<report::Kinds, Fault> {
        let ids: BTreeSet<OrgId> = entries.iter().flat_map(named_in).collect();
        let of: Vec<Aggregate> = ids.into_iter().map(Aggregate::Organisation).collect();
        let mut known = Known::default();
        self.read(&mut known, &of).await?;
        let kinds = known.organisations.into_iter();
        Ok(kinds.map(|(id, found)| (id, found.kind)).collect())
    }

    /// The newest entries from `first` to before `end` that a reader may see, and whether all.
    async fn within(
        &self,
        own: &OrgId,
        reach: Reach,
        first: u64,
        end: u64,
    ) -> Result<(Vec<u64>, bool), Fault> {
        let lists = match reach {
            Reach::All => {
                let all = (first..end).rev().take(FIGURES_ENTRIES_MAX).collect();
                let whole = end.saturating_sub(first) <= FIGURES_ENTRIES_MAX as u64;
                return Ok((all, whole));
            }
            Reach::OwnAndConcerned => vec![
                List::Audit(own.clone()),
                List::Operator,
                List::AuditConcerned(own.clone()),
            ],
            Reach::Own => vec![List::Audit(own.clone()), List::Operator],
        };
        let mut found: BTreeSet<u64> = BTreeSet::new();
        for list in &lists {
            let mut before = Some(Listed {
                at: 0,
                index: end,
                item: Id::ZERO,
            });
            while found.len() <= FIGURES_ENTRIES_MAX {
                let page = self.store.newest(list, before, PAGE).await?;
                let since = page.iter().filter(|listed| listed.index >= first);
                found.extend(since.map(|listed| listed.index));
                before = page.last().copied();
                let older = page.last().is_none_or(|last| last.index < first);
                if older || page.len() < usize::from(PAGE) {
                    break;
                }
            }
        }
        let whole = found.len() <= FIGURES_ENTRIES_MAX;
        let newest = found.into_iter().rev().take(FIGURES_ENTRIES_MAX);
        Ok((newest.collect(), whole))
    }

    /// The name of the log, which exports carry.
    pub fn origin(&self) -> String {
        self.store.log().verifier().origin().to_owned()
    }

    /// The key that checks the log, as C2SP writes it.
    pub fn vkey(&self) -> String {
        self.store.log().verifier().vkey()
    }

    /// The newest entries that are listed under her tokens, with the kinds of these.
    pub(super) async fn listed_about(
        &self,
        own: &OrgId,
        reach: Reach,
        tokens: &[TaggedToken],
    ) -> Result<(Vec<ListedEntry>, bool), Fault> {
        let rules = self.rules.load_full();
        let mut found: BTreeMap<u64, ListedEntry> = BTreeMap::new();
        let mut whole = true;
        for tagged in tokens {
            let Some(subject) = rules.log_subjects(&[*tagged]).first().copied() else {
                continue;
            };
            let list = |of| rules.subject_list(own, of, &subject);
            let (done, readings) = match reach {
                Reach::All => (vec![List::AuditSubject(subject)], rules.readings(&subject)),
                Reach::OwnAndConcerned => (
                    vec![list(Entries::OwnStaff), list(Entries::Others)],
                    list(Entries::Readings),
                ),
                Reach::Own => (vec![list(Entries::OwnStaff)], list(Entries::Readings)),
            };
            let lists = done.iter().map(|list| (list, false));
            for (list, reading) in lists.chain([(&readings, true)]) {
                let (indices, all) = self.newest_of(list).await?;
                whole &= all;
                for index in indices {
                    let entry = found.entry(index).or_insert_with(|| ListedEntry {
                        index,
                        kinds: Vec::new(),
                        reading,
                    });
                    entry.kinds.push(tagged.kind);
                }
            }
        }
        whole &= found.len() <= REPORT_ENTRIES_MAX;
        let newest = found.into_values().rev().take(REPORT_ENTRIES_MAX);
        Ok((newest.collect(), whole))
    }

    /// The newest entries of a list, and whether these are all.
    async fn newest_of(&self, list: &List) -> Result<(Vec<u64>, bool), Fault> {
        let mut indices = Vec::new();
        let mut before: Option<Listed> = None;
        while indices.len() < REPORT_ENTRIES_MAX {
            let page = self.store.newest(list, before, PAGE).await?;
            indices.extend(page.iter().map(|listed| listed.index));
            before = page.last().copied();
            if page.len() < usize::from(PAGE) {
                return Ok((indices, true));
            }
        }
        Ok((indices, false))
    }

    /// The organisations that a report speaks of, so that it can call them by name or by kind.
    async fn named(&self, commission: &Commission, entries: &[Entry]) -> Result<Known, Fault> {
        let held = &commission.held;
        let mut ids = vec![commission.reading.viewer.organisation.clone()];
        ids.extend(entries.iter().flat_map(named_in));
        ids.extend(held.referrals.iter().map(|(_, id, _)| id.clone()));
        ids.extend(held.assessments.iter().map(|(_, id)| id.clone()));
        ids.extend(held.stops.iter().map(|stop| stop.taken_by.clone()));
        ids.extend(held.consents.iter().map(|one| one.recorded_by.clone()));
        if let Some(assembled) = &commission.assembled {
            ids.extend(assembled.answers.iter().map(|one| one.holder.clone()));
            ids.extend(assembled.unanswered.iter().cloned());
        }
        let of: Vec<Aggregate> = ids.into_iter().map(Aggregate::Organisation).collect();
        let mut known = Known::default();
        self.read(&mut known, &of).await?;
        Ok(known)
    }
}

/// The organisations that its reader may know from an entry.
fn named_in(entry: &Entry) -> impl Iterator<Item = OrgId> {
    let concerned = entry.seen.decided.iter().flat_map(|seen| &seen.concerned);
    let all = std::iter::once(&entry.seen.organisation).chain(concerned);
    all.filter_map(|organisation| match organisation {
        SomeOrganisation::Named(id) => Some(id.clone()),
        SomeOrganisation::Hidden => None,
    })
}
