//! SQLite's errors in the port's words.

use rusqlite::ffi;

use crate::port::StoreError;

/// What SQLite failed at, in the port's words.
pub(super) fn backend(doing: impl Into<String>, source: rusqlite::Error) -> StoreError {
    if is_disk_full(&source) {
        return StoreError::DiskFull;
    }
    StoreError::Backend { doing: doing.into(), source: Box::new(source) }
}

/// The store's thread is gone.
pub(super) fn closed() -> StoreError {
    StoreError::Backend { doing: "use the state store".to_owned(), source: "it is closed".into() }
}

/// Whether nothing could be written for want of space.
fn is_disk_full(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(failure, _) = error else { return false };
    // The shared-memory file grows with the log; SQLite reports that lack of space under a code of its own.
    failure.code == rusqlite::ErrorCode::DiskFull || failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE
}
