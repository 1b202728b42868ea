//! The report that she asks for and the figures of a month: what is looked at.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::audit::{Counted, Reach, SomeOrganisation};
use crate::domain::decision::{Aggregate, List, Listed};
use crate::domain::id::OrgId;
use crate::domain::journey::reporting::{
    Asked, ListedEntry, MonthAsked, figures as counted, report,
};
use crate::domain::known::Known;
use crate::domain::person::TaggedToken;
use crate::domain::report::{self, Commission, Figures, REPORT_ENTRIES_MAX, Said, Terms};
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
        let asked = MonthAsked {
            month,
            from,
            to,
            within: self.first_since(from).await?..self.first_since(to).await?,
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
        let counted = &answered.more.sum.counted;
        let kinds = self.kinds(counted).await?;
        let figures = report::figures(counting, counted, &kinds, answered.at);
        Ok((answered, Some(figures)))
    }

    /// Of those who made offers in a stretch, and whom these reached.
    async fn kinds(&self, counted: &Counted) -> Result<report::Kinds, Fault> {
        let ids = counted.offers.keys();
        let ids: BTreeSet<&OrgId> = ids.flat_map(|(from, to)| to.iter().chain([from])).collect();
        let of = ids.into_iter().cloned();
        let of: Vec<Aggregate> = of.map(Aggregate::Organisation).collect();
        let mut known = Known::default();
        self.read(&mut known, &of).await?;
        let kinds = known.organisations.into_iter();
        Ok(kinds.map(|(id, found)| (id, found.kind)).collect())
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
