//~ E0624
// The same for the other backend.
use firedoor::domain::decision::PartRef;
use firedoor::store::OpenedItem;
use firedoor::store::postgres::Postgres;

pub async fn open(postgres: &Postgres, parts: &[PartRef]) -> Vec<OpenedItem> {
    postgres.open_parts(parts).await.unwrap_or_default()
}
