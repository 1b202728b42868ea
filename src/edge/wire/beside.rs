//! Who stands beside her, as partners send it: the other party, the parent under whom a child is
//! recorded, and whoever asks for her.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Secret, Wrong, taken};
use crate::domain::codes::{OtherPartyRisk, Relation, YesNoUnknown};
use crate::domain::other_party::{OtherParty, OtherPartyGiven};
use crate::domain::person::RawBeside;

/// Whom she is to be kept safe from. The names are told to nobody and not kept: they keep this person
/// away from what is hers, by both names, or by the family name and date of birth; less keeps nobody
/// away. The codes are told to the service that accepts her, if it may be told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherPartyIn {
    pub given_name: Option<Secret>,
    pub family_name: Option<Secret>,
    /// ISO 8601 date.
    pub birth_date: Option<Secret>,
    /// From police alone.
    pub pnc_id: Option<Secret>,
    /// What the other party is to her.
    pub relation: String,
    /// Whether they live at one address: `yes`, `no` or `unknown` (the default).
    pub shares_address: Option<String>,
    #[serde(default)]
    pub risks: Vec<String>,
}

/// Somebody beside her, by both names; where there is only one, by that in both fields. It is kept as
/// a keyed trace, and told to nobody.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BesideIn {
    pub given_name: Option<Secret>,
    pub family_name: Option<Secret>,
    /// ISO 8601 date. Without it somebody of the same name is taken for this person.
    pub birth_date: Option<Secret>,
}

impl OtherPartyIn {
    pub(super) fn parse(self, wrong: &mut Wrong) -> Option<OtherPartyGiven> {
        let mut who = RawBeside::default();
        who.given_name = taken(self.given_name);
        who.family_name = taken(self.family_name);
        who.birth_date = taken(self.birth_date);
        who.pnc_id = taken(self.pnc_id);
        let relation = wrong.code("other_party.relation", &self.relation, Relation::parse);
        let shares_address = wrong.maybe(
            "other_party.shares_address",
            self.shares_address.as_ref(),
            YesNoUnknown::Unknown,
            YesNoUnknown::parse,
        );
        let mut risks = wrong.codes("other_party.risks", &self.risks, OtherPartyRisk::parse);
        risks.sort_unstable();
        risks.dedup();
        Some(OtherPartyGiven {
            who,
            told: OtherParty {
                relation: relation?,
                shares_address,
                risks,
            },
        })
    }
}

impl BesideIn {
    pub fn raw(self) -> RawBeside {
        let mut who = RawBeside::default();
        who.given_name = taken(self.given_name);
        who.family_name = taken(self.family_name);
        who.birth_date = taken(self.birth_date);
        who
    }
}
