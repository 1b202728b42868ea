//~ E0599
// Nor can the purpose (F1).
use firedoor::domain::codes::Purpose;

pub const PURPOSE: Purpose = Purpose::ImmigrationEnforcement;
