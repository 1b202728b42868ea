//! How much a test does: a sample in `tests/run`, all of it in `tests/long`.

/// `long` if the long tier was asked for (`FIREDOOR_LONG`), otherwise `run`.
pub fn size(run: u32, long: u32) -> u32 {
    if std::env::var_os("FIREDOOR_LONG").is_some() {
        long
    } else {
        run
    }
}

/// The seed of a run that is to be repeated (`FIREDOOR_SEED`).
pub fn seed() -> Option<u64> {
    let seed = std::env::var_os("FIREDOOR_SEED")?;
    seed.to_str()?.parse().ok()
}
