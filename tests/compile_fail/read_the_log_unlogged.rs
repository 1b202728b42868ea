//~ E0308
// Reading the log about someone is itself an attempt with an entry.
use firedoor::domain::ruling::Ruled;
use firedoor::store::{Readable, Store};

pub async fn read(store: &Store, ruled: &Ruled) -> usize {
    let by = Readable::of(ruled);
    store.entries(&by, &[0]).await.map_or(0, |entries| entries.len())
}
