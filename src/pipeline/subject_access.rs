//! Her request for what is held about her: which facts each step rests on, and the report that is put
//! together once its words are opened.

use crate::domain::alias::AliasKind;
use crate::domain::answer::Answer;
use crate::domain::attempt::Attempt;
use crate::domain::audit::Reach;
use crate::domain::codes::Withheld;
use crate::domain::decision::{Aggregate, List, Listed};
use crate::domain::id::{Id, SubjectAccessId};
use crate::domain::journey::subject_access::delivering::{Delivering, Looked, deliver};
use crate::domain::journey::subject_access::erasing::{self, Due};
use crate::domain::journey::subject_access::replying::{Replying, redact, reply, show};
use crate::domain::journey::subject_access::{Stepping, Taking, list, step, take};
use crate::domain::known::Known;
use crate::domain::person::TaggedToken;
use crate::domain::report::Said;
use crate::domain::subject_access::{AccessAsk, Words};
use crate::domain::time::When;
use crate::store::Fault;

use super::{Answered, Gateway, Read, TRIES_MAX};

impl Gateway {
    /// She asks what is held about her.
    pub async fn take_access(&self, attempt: Attempt, taking: &Taking) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Tokens(&taking.tokens), Read::ReferralsOfPeople],
            |rules, attempt, known, keys| take(rules, attempt, known, keys, taking),
        )
        .await
    }

    /// What happened with one of the caller's requests since.
    pub async fn step_access(
        &self,
        attempt: Attempt,
        alias: Id,
        stepping: &Stepping,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Access(alias), Read::ReferralsOfPeople],
            |rules, attempt, known, keys| step(rules, attempt, known, keys, alias, stepping),
        )
        .await
    }

    /// A page of what the caller's organisation took, and of what it is asked.
    pub async fn accesses(
        &self,
        attempt: Attempt,
        after: Option<Listed>,
        max: u16,
    ) -> Result<(Answered, Vec<Listed>), Fault> {
        let own = List::SubjectAccess(attempt.organisation().clone());
        let entries = self.store.list(&own, after, max).await?;
        let items = items(&entries);
        let answered = self
            .run(
                attempt,
                &[Read::Of(&items), Read::AskedFor],
                |rules, attempt, known, keys| list(rules, attempt, known, keys, &entries),
            )
            .await?;
        Ok((answered, entries))
    }

    /// One of these.
    pub async fn access(&self, attempt: Attempt, alias: Id) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Access(alias)],
            |rules, attempt, known, keys| show(rules, attempt, known, keys, alias),
        )
        .await
    }

    /// The caller's organisation says what it holds.
    pub async fn reply_access(
        &self,
        attempt: Attempt,
        alias: Id,
        replying: &Replying,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Access(alias)],
            |rules, attempt, known, keys| reply(rules, attempt, known, keys, alias, replying),
        )
        .await
    }

    /// A second person looks at one entry of it.
    pub async fn redact_access(
        &self,
        attempt: Attempt,
        alias: Id,
        entry: Id,
        withheld: Option<Withheld>,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Access(alias)],
            |rules, attempt, known, keys| {
                redact(rules, attempt, known, keys, alias, entry, withheld)
            },
        )
        .await
    }

    /// The report, handed over, as text; none where there is nothing to show.
    pub async fn deliver_access(
        &self,
        attempt: Attempt,
        alias: Id,
        delivering: &Delivering,
    ) -> Result<(Answered, Option<String>), Fault> {
        let own = attempt.organisation().clone();
        let tokens = self.tokens_of(&attempt, alias).await?;
        // Entries of others too: those who have answered for theirs are told, no others.
        let (listed, whole) = self.listed_about(&own, Reach::All, &tokens).await?;
        let looked = Looked {
            listed: &listed,
            whole,
        };
        let answered = self
            .run(
                attempt,
                &[Read::Access(alias), Read::ReferralsOfPeople],
                |rules, attempt, known, keys| {
                    deliver(rules, attempt, known, keys, alias, (delivering, &looked))
                },
            )
            .await?;
        let Answer::AccessReport(commission, _) = &answered.answer else {
            return Ok((answered, None));
        };
        let said = said(&answered);
        let text = self.written(commission, &answered, &said).await?;
        Ok((answered, Some(text)))
    }

    /// Erases the words of requests that ended long enough before `now`; whether there were any.
    ///
    /// # Errors
    /// [`Fault`]. What was committed before stays erased; the rest is found again.
    pub async fn erase_access_words(&self, now: When) -> Result<bool, Fault> {
        let (mut any, mut moved) = (false, 0);
        while moved < TRIES_MAX {
            let most = erasing::ERASED_AT_ONCE;
            let mut entries = self.store.list(&List::AccessDue, None, most).await?;
            entries.retain(|entry| i64::try_from(entry.at).is_ok_and(|at| at <= now.millis()));
            if entries.is_empty() {
                return Ok(any);
            }
            let mut known = self.members().await?;
            self.read(&mut known, &items(&entries)).await?;
            let requests = known.accesses.values();
            let places: Vec<Aggregate> = requests.flat_map(erasing::places).collect();
            self.read(&mut known, &places).await?;
            let due = Due {
                now,
                entries: &entries,
            };
            let acted = self.must_act(&known, erasing::KEYS, |rules, when, entropy, keys| {
                erasing::erase_due(rules, when, entropy, keys, &known, &due)
            });
            match acted.await? {
                true => any = true,
                false => moved += 1,
            }
        }
        Err(Fault::CannotRecord("the facts kept moving; try again"))
    }

    /// Whom a request of the caller's is about, so that her entries can be looked for.
    async fn tokens_of(&self, attempt: &Attempt, alias: Id) -> Result<Vec<TaggedToken>, Fault> {
        let mut known = self.caller(attempt).await?;
        let id = self.access_id(&known, attempt, alias);
        self.read(&mut known, &[Aggregate::SubjectAccess(id)])
            .await?;
        let found = known.accesses.get(&id);
        let found = found.filter(|request| request.taken_by == *attempt.organisation());
        Ok(found.map_or_else(Vec::new, |request| request.tokens.clone()))
    }

    fn access_id(&self, known: &Known, attempt: &Attempt, alias: Id) -> SubjectAccessId {
        let aliases = self.rules.load().aliases(attempt, known);
        SubjectAccessId(aliases.inward(AliasKind::SubjectAccess, alias))
    }

    /// A request with what each holder was asked, and the records of her; or what one holder is
    /// asked, with the request and who took it.
    pub(super) async fn read_access(
        &self,
        known: &mut Known,
        attempt: &Attempt,
        alias: Id,
    ) -> Result<(), Fault> {
        let id = self.access_id(known, attempt, alias);
        self.read(known, &[Aggregate::SubjectAccess(id)]).await?;
        if let Some(request) = known.accesses.get(&id).cloned() {
            let asks = request.asked.iter();
            let asks: Vec<Aggregate> = asks
                .map(|holder| Aggregate::SubjectAccess(AccessAsk::id_of(id, holder)))
                .collect();
            self.read(known, &asks).await?;
            self.read_person(known, &request.tokens).await?;
        }
        self.read_asked_for(known).await?;
        let takers = known.accesses.values();
        let takers: Vec<Aggregate> = takers
            .map(|request| Aggregate::Organisation(request.taken_by.clone()))
            .collect();
        self.read(known, &takers).await
    }

    /// The requests for which what was read so far is asked.
    pub(super) async fn read_asked_for(&self, known: &mut Known) -> Result<(), Fault> {
        let asks = known.access_asks.values();
        let of: Vec<Aggregate> = asks
            .map(|ask| Aggregate::SubjectAccess(ask.request))
            .collect();
        self.read(known, &of).await
    }
}

/// The words that were opened, by their items. An explanation is words alone.
fn said(answered: &Answered) -> Said {
    let explanations = match &answered.answer {
        Answer::AccessReport(commission, _) => commission
            .assembled
            .as_ref()
            .map_or(&[][..], |assembled| &assembled.explanations),
        _ => &[],
    };
    let words = answered.opened.iter().filter_map(|opened| {
        let item = opened.part.item;
        let words = if explanations.contains(&item) {
            let text = std::str::from_utf8(&opened.plain).ok()?;
            (text.to_owned(), String::new())
        } else {
            let words = Words::decode(&opened.plain)?;
            (words.what.clone(), words.why.clone())
        };
        Some((item, words))
    });
    words.collect()
}

pub(super) fn items(entries: &[Listed]) -> Vec<Aggregate> {
    let ids = entries.iter().map(|entry| SubjectAccessId(entry.item));
    ids.map(Aggregate::SubjectAccess).collect()
}
