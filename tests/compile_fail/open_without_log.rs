//~ E0308
// Payload opens for a logged decision, not for a decision.
use firedoor::domain::ruling::Ruled;
use firedoor::store::{OpenedItem, Store};

pub async fn open(store: &Store, ruled: &Ruled) -> Vec<OpenedItem> {
    store.open(ruled).await.unwrap_or_default()
}
