//! Her word: consent, and that less be shared, what each way of saying it reads, and what follows.
//! The same in every way that it comes in.

use crate::domain::alias::AliasKind;
use crate::domain::attempt::Attempt;
use crate::domain::consent::Consent;
use crate::domain::decision::{Aggregate, List, Listed};
use crate::domain::id::{Id, PersonId, ServiceId, StopUseId, WithdrawalId};
use crate::domain::journey::{
    carding, consenting, rereading, revoking, settling, stop_use, withdrawing,
};
use crate::domain::known::Known;
use crate::domain::person::{TaggedToken, Token, keys_of};
use crate::domain::stop_use::Settling;
use crate::store::Fault;

use super::{Answered, Gateway, Read};

/// An organisation's own record of a person.
fn own_record(id: Id) -> Aggregate {
    Aggregate::Person(PersonId(id))
}

impl Gateway {
    /// Consent recorded on the caller's own record of a person.
    pub async fn record_consent(
        &self,
        attempt: Attempt,
        person: Id,
        consent: &Consent,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Named(AliasKind::Person, person, own_record)],
            |rules, attempt, known, keys| {
                consenting::record(rules, attempt, known, keys, person, consent)
            },
        )
        .await
    }

    /// One consent that the caller's organisation recorded itself.
    pub async fn own_consent(
        &self,
        attempt: Attempt,
        person: Id,
        consent: Id,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Named(AliasKind::Person, person, own_record)],
            |rules, attempt, known, keys| {
                rereading::consent(rules, attempt, known, keys, person, consent)
            },
        )
        .await
    }

    /// Takes back one consent.
    pub async fn withdraw_consent(
        &self,
        attempt: Attempt,
        person: Id,
        consent: Id,
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[Read::Named(AliasKind::Person, person, own_record)],
            |rules, attempt, known, keys| {
                consenting::withdraw(rules, attempt, known, keys, person, consent)
            },
        )
        .await
    }

    /// She withdraws, at any service. `services` are those that she named.
    pub async fn withdraw(
        &self,
        attempt: Attempt,
        tokens: &[TaggedToken],
        wish: withdrawing::Wish,
        services: &[ServiceId],
    ) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[
                Read::Tokens(tokens),
                Read::ReferralsOfPeople,
                Read::SealedOfPeople,
            ],
            |rules, attempt, known, keys| {
                let wish = wish.naming(known, services);
                withdrawing::withdraw(rules, attempt, known, keys, tokens, &wish)
            },
        )
        .await
    }

    /// The same for a person whom the caller's organisation already knows.
    pub async fn withdraw_known(
        &self,
        attempt: Attempt,
        person: Id,
        wish: withdrawing::Wish,
        services: &[ServiceId],
    ) -> Result<Answered, Fault> {
        let person = PersonId(
            self.aliases(&attempt)
                .await?
                .inward(AliasKind::Person, person),
        );
        let mut known = Known::default();
        self.read(&mut known, &[Aggregate::Person(person)]).await?;
        let tokens = consenting::own_tokens(&known, &attempt, person).unwrap_or_default();
        self.withdraw(attempt, &tokens, wish, services).await
    }

    /// The same by a code of her card, by the token that it makes.
    pub async fn withdraw_by_card(
        &self,
        attempt: Attempt,
        token: Option<Token>,
        wish: withdrawing::Wish,
        services: &[ServiceId],
    ) -> Result<Answered, Fault> {
        let on_token: Vec<Aggregate> = token.into_iter().map(Aggregate::Token).collect();
        let mut known = Known::default();
        self.read(&mut known, &on_token).await?;
        let found = token.and_then(|token| known.card_codes.get(&token));
        let hers = found.map_or_else(Vec::new, |code| code.tokens.clone());
        self.run(
            attempt,
            &[
                Read::Of(&on_token),
                Read::Tokens(&hers),
                Read::ReferralsOfPeople,
                Read::SealedOfPeople,
            ],
            |rules, attempt, known, keys| {
                let wish = wish.naming(known, services);
                carding::withdraw(rules, attempt, known, keys, token, &wish)
            },
        )
        .await
    }

    /// A pause is confirmed or lifted by the service that took it.
    pub async fn settle(
        &self,
        attempt: Attempt,
        alias: Id,
        how: Settling,
        asked_safely: bool,
    ) -> Result<Answered, Fault> {
        let aliases = self.aliases(&attempt).await?;
        let id = WithdrawalId(aliases.inward(AliasKind::Withdrawal, alias));
        let (of, hers) = self.taken_before(id).await?;
        self.run(
            attempt,
            &[
                Read::Of(&of),
                Read::Tokens(&hers),
                Read::ReferralsOfPeople,
                Read::SealedOfPeople,
            ],
            |rules, attempt, known, keys| {
                settling::settle(rules, attempt, known, keys, alias, how, asked_safely)
            },
        )
        .await
    }

    /// What is read of a withdrawal that was taken before: itself and its notices; and her tokens.
    /// Whose it is never changes, and who was told only with the withdrawal, which is read again.
    pub(super) async fn taken_before(
        &self,
        id: WithdrawalId,
    ) -> Result<(Vec<Aggregate>, Vec<TaggedToken>), Fault> {
        let mut known = Known::default();
        let mut of = vec![Aggregate::Withdrawal(id)];
        self.read(&mut known, &of).await?;
        let taken = known.taken.remove(&id);
        let notices = taken.iter().flat_map(|taken| &taken.notices);
        of.extend(notices.map(|notice| Aggregate::StopUse(*notice)));
        Ok((
            of,
            taken
                .map(|taken| taken.tombstone.tokens)
                .unwrap_or_default(),
        ))
    }

    /// Who was shown something says what became of it.
    pub async fn answer_stop_use(
        &self,
        attempt: Attempt,
        alias: Id,
        said: stop_use::Said,
    ) -> Result<Answered, Fault> {
        let aliases = self.aliases(&attempt).await?;
        let id = StopUseId(aliases.inward(AliasKind::StopUse, alias));
        let mut known = Known::default();
        self.read(&mut known, &[Aggregate::StopUse(id)]).await?;
        let mut of = vec![Aggregate::StopUse(id)];
        let about = known.stop_uses.get(&id);
        of.extend(about.map(|notice| Aggregate::Person(notice.person)));
        self.run(attempt, &[Read::Of(&of)], |rules, attempt, known, keys| {
            stop_use::answer(rules, attempt, known, keys, alias, said)
        })
        .await
    }

    /// A card for a person of the caller's own.
    pub async fn issue_card(&self, attempt: Attempt, person: Id) -> Result<Answered, Fault> {
        self.run(
            attempt,
            &[
                Read::Named(AliasKind::Person, person, own_record),
                Read::ReferralsOfPeople,
            ],
            |rules, attempt, known, keys| carding::issue(rules, attempt, known, keys, person),
        )
        .await
    }

    /// A page of the caller's own consents whose review is due.
    pub async fn consents_due(
        &self,
        attempt: Attempt,
        after: Option<Listed>,
        max: u16,
    ) -> Result<(Answered, Vec<Listed>), Fault> {
        let list = List::Reviews(attempt.organisation().clone());
        let mut entries = self.store.list(&list, after, max).await?;
        let now = self.time().place();
        entries.retain(|entry| entry.at <= now);
        let people = entries.iter().map(|entry| own_record(entry.item));
        let people: Vec<Aggregate> = people.collect();
        let answered = self
            .run(
                attempt,
                &[Read::Of(&people)],
                |rules, attempt, known, keys| {
                    consenting::due(rules, attempt, known, keys, &entries)
                },
            )
            .await?;
        Ok((answered, entries))
    }

    /// A sender takes back its own offers, under the names that it gave them.
    pub async fn revoke(&self, attempt: Attempt, names: &[String]) -> Result<Answered, Fault> {
        let tokens = self.externals(&attempt, names);
        self.run(
            attempt,
            &[Read::Externals(&tokens)],
            |rules, attempt, known, keys| revoking::revoke(rules, attempt, known, keys, &tokens),
        )
        .await
    }

    /// The caller's name of the newest referral that it sent under any of the names that it gave it.
    /// Whatever is asked about it then is an attempt of its own.
    pub async fn named_by_sender(
        &self,
        attempt: &Attempt,
        names: &[String],
    ) -> Result<Option<Id>, Fault> {
        let tokens = self.externals(attempt, names);
        let known = self.facts(attempt, &[Read::Externals(&tokens)]).await?;
        let own = attempt.organisation();
        let sent = known.externals.values().flatten();
        let sent = sent.filter_map(|id| known.referrals.get(id));
        let newest = sent
            .filter(|referral| referral.sender == *own)
            .max_by_key(|referral| (referral.offered_at, referral.id));
        let aliases = self.rules.load().aliases(attempt, &known);
        Ok(newest.map(|referral| aliases.outward(AliasKind::Referral, referral.id.id())))
    }

    /// A sender's own names for its referrals, as they are kept.
    fn externals(&self, attempt: &Attempt, names: &[String]) -> Vec<Token> {
        let rules = self.rules.load_full();
        let own = attempt.organisation().as_str();
        names.iter().map(|name| rules.external(own, name)).collect()
    }

    /// Withdrawals on tokens that only another organisation's record of her carries.
    pub(super) async fn read_withdrawals(&self, known: &mut Known) -> Result<(), Fault> {
        let records = known.people.values().filter_map(|one| one.record.as_ref());
        let of: Vec<Aggregate> = records
            .flat_map(|record| keys_of(&record.tokens))
            .map(Aggregate::Token)
            .collect();
        self.read(known, &of).await
    }
}
