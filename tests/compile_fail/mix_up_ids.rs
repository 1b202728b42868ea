//~ E0308
// An id of one kind is not an id of another.
use firedoor::domain::decision::Aggregate;
use firedoor::domain::id::ReferralId;

pub fn person(referral: ReferralId) -> Aggregate {
    Aggregate::Person(referral)
}
