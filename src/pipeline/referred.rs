//! The referrals of the people whom a decision is about.

use crate::domain::decision::Aggregate;
use crate::domain::id::OrgId;
use crate::domain::known::Known;
use crate::store::Fault;

use super::Gateway;

impl Gateway {
    /// The referrals that `organisation` itself sent about the people read so far.
    pub(super) async fn read_own_referrals(
        &self,
        known: &mut Known,
        organisation: &OrgId,
    ) -> Result<(), Fault> {
        let of: Vec<Aggregate> = known
            .people
            .values()
            .filter(|person| {
                person
                    .record
                    .as_ref()
                    .is_some_and(|record| record.organisation == *organisation)
            })
            .flat_map(|person| &person.referrals)
            .filter(|link| link.sent)
            .map(|link| Aggregate::Referral(link.referral))
            .collect();
        self.read(known, &of).await
    }

    /// The referrals about the people read so far.
    pub(super) async fn read_referrals_of_people(&self, known: &mut Known) -> Result<(), Fault> {
        let of: Vec<Aggregate> = known
            .people
            .values()
            .flat_map(|person| &person.referrals)
            .map(|link| Aggregate::Referral(link.referral))
            .collect();
        self.read(known, &of).await
    }
}
