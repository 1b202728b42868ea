//! How much a test does: a sample in `tests/run`, all of it in `tests/long`.

/// `long` if the long tier was asked for (`FIREDOOR_LONG`), otherwise `run`.
pub fn size(run: u32, long: u32) -> u32 {
    if std::env::var_os("FIREDOOR_LONG").is_some() {
        long
    } else {
        run
    }
}
