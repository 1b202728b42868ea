//! The other party, as one referral names whom she is to be kept safe from (`domain.md` 3.0.1, class
//! PERP).
//!
//! Who it is becomes keyed tokens of a lane of its own ([`Beside`](super::person::Beside)) and is
//! wiped: it serves to keep the other party away from what is hers, and is told to nobody. What a
//! service must know to keep her safe is sealed with the referral, and released with it by the table.

use borsh::{BorshDeserialize, BorshSerialize};

use super::codes::{OtherPartyRisk, Relation, YesNoUnknown};
use super::known::Known;
use super::person::{Beside, FieldNames, RawBeside, TaggedToken};

/// As a partner sent it.
pub struct OtherPartyGiven {
    pub who: RawBeside,
    pub told: OtherParty,
}

/// The names of the fields in which a partner says who the other party is.
pub const OTHER_PARTY_FIELDS: FieldNames = FieldNames {
    given_name: "other_party.given_name",
    family_name: "other_party.family_name",
    birth_date: "other_party.birth_date",
    pnc_id: "other_party.pnc_id",
};

/// And of the parent under whom a child is recorded; a police number is none of these.
pub const CHILD_OF_FIELDS: FieldNames = FieldNames {
    given_name: "child_of.given_name",
    family_name: "child_of.family_name",
    birth_date: "child_of.birth_date",
    pnc_id: "child_of",
};

/// And of somebody who asks for her.
pub const ASKING_FIELDS: FieldNames = FieldNames {
    given_name: "requester_identity.given_name",
    family_name: "requester_identity.family_name",
    birth_date: "requester_identity.birth_date",
    pnc_id: "requester_identity",
};

/// What the service that accepted her is told: codes, and no name.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct OtherParty {
    pub relation: Relation,
    /// Whether they live at one address.
    pub shares_address: YesNoUnknown,
    pub risks: Vec<OtherPartyRisk>,
}

impl OtherParty {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![1];
        // Writing to a Vec cannot fail.
        let _ = self.serialize(&mut bytes);
        bytes
    }

    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first() {
            Some((1, rest)) => Self::try_from_slice(rest).ok(),
            Some(_) | None => None,
        }
    }
}

/// Somebody who asks for her, as the other party and as a parent would be known again.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Asker {
    pub other_party: Beside,
    pub parent: Beside,
}

/// Whether who asks may be the other party in a referral of hers: of any record that may be of her,
/// because to give too little harms less. Her own records lead to it; nobody is looked for.
pub fn may_be_asking(known: &Known, hers: &[TaggedToken], asking: &Asker) -> bool {
    let people = known.linked(None, hers).into_iter();
    let people = people.filter_map(|(id, _)| known.people.get(&id));
    let mut referrals = people
        .flat_map(|person| &person.referrals)
        .filter_map(|link| known.referrals.get(&link.referral));
    referrals.any(|referral| {
        let party = referral.other_party.as_ref();
        party.is_some_and(|party| party.may_be(&asking.other_party))
    })
}
