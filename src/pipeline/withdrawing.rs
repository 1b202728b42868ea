//! Her word that less be shared: what each way of saying it reads. The same in every way that it
//! comes in.

use crate::domain::alias::AliasKind;
use crate::domain::attempt::Attempt;
use crate::domain::decision::Aggregate;
use crate::domain::id::{Id, PersonId, ServiceId};
use crate::domain::journey::{consenting, rereading, revoking, withdrawing};
use crate::domain::known::Known;
use crate::domain::person::{TaggedToken, Token, keys_of};
use crate::store::Fault;

use super::{Answered, Gateway, Read};

/// An organisation's own record of a person.
pub(super) fn own_record(id: Id) -> Aggregate {
    Aggregate::Person(PersonId(id))
}

impl Gateway {
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
            &[Read::Tokens(tokens), Read::ReferralsOfPeople],
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
