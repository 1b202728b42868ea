//~ E0599
// The kind cannot be written down (P4).
use firedoor::domain::codes::OrgKind;

pub const KIND: OrgKind = OrgKind::ImmigrationEnforcement;
