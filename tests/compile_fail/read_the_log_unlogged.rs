//~ E0308
// Reading the log about someone is itself an attempt with an entry.
use firedoor::domain::ruling::Ruled;
use firedoor::store::Store;

pub async fn read(store: &Store, ruled: &Ruled) -> usize {
    store.entries(ruled).await.map_or(0, |entries| entries.len())
}
