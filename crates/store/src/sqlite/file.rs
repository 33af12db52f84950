//! The data file: how it is made, opened and brought to the current schema.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::backend;
use crate::port::StoreError;

/// Only the owner reads the state: it holds password hashes and sealed secrets.
const FILE_MODE: u32 = 0o600;
/// How long a connection waits for another one's lock. The owner of the directory is alone, so this is for a restart
/// that overlaps.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The log is cut back to this size after a checkpoint.
const LOG_BYTES_KEPT: u64 = 8 * 1024 * 1024;
/// What a connection caches, in KiB. The operating system's cache does the rest.
const CACHE_KIB: u32 = 1024;

/// Every step from one schema to the next; the file's `user_version` counts the steps taken.
const MIGRATIONS: [&str; 2] = [
    "
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 0),
        revision INTEGER NOT NULL,
        compacted INTEGER NOT NULL
    ) STRICT;
    INSERT INTO state (id, revision, compacted) VALUES (0, 0, 0);
    CREATE TABLE entries (
        key TEXT NOT NULL PRIMARY KEY,
        value BLOB NOT NULL,
        created INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        lease TEXT
    ) STRICT;
    CREATE INDEX entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
    CREATE TABLE history (
        revision INTEGER NOT NULL,
        position INTEGER NOT NULL,
        key TEXT NOT NULL,
        value BLOB,
        created INTEGER,
        PRIMARY KEY (revision, position)
    ) STRICT;
    CREATE TABLE leases (
        id TEXT NOT NULL PRIMARY KEY,
        ttl_ms INTEGER NOT NULL
    ) STRICT;
",
    "ALTER TABLE history ADD COLUMN is_leased INTEGER NOT NULL DEFAULT 0;",
];

/// Why a file cannot be the state, though SQLite may be content with it.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error(
        "it has schema {found}, this version of Ambo knows up to {known}: install the version that wrote it or restore a backup"
    )]
    Newer { found: usize, known: usize },
    #[error("it is no state of Ambo's, or damaged: restore a backup, or move it away to begin anew")]
    NoState,
    #[error("its file system cannot keep a write-ahead log ({mode} instead): put the data directory on a local disk")]
    NoLog { mode: String },
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl Unfit {
    fn into_store_error(self, doing: String) -> StoreError {
        match self {
            Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                Self::NoState.into_store_error(doing)
            }
            Self::Sqlite(error) => backend(doing, error),
            unfit => StoreError::Backend { doing, source: Box::new(unfit) },
        }
    }
}

/// Opens the connection that writes, makes the file when it is absent and brings it to the current schema.
pub(super) fn writer_open(path: &Path, file_bytes_max: Option<u64>) -> Result<Connection, StoreError> {
    let doing = || format!("open the state in `{}`", path.display());
    file_ensure(path).map_err(|source| StoreError::Backend { doing: doing(), source: Box::new(source) })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| backend(doing(), error))?;
    let prepared = writer_prepare(&connection, file_bytes_max).and_then(|()| migrate(&mut connection));
    prepared.map_err(|unfit| unfit.into_store_error(doing()))?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn reader_open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -i64::from(CACHE_KIB))?;
    Ok(connection)
}

fn file_ensure(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path);
    match made {
        Ok(file) => {
            file.sync_all()?;
            match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
                _ => File::open(".")?.sync_all(),
            }
        }
        // SQLite gives its log and shared-memory files the mode of the data file.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::set_permissions(path, Permissions::from_mode(FILE_MODE))
        }
        Err(error) => Err(error),
    }
}

fn writer_prepare(connection: &Connection, file_bytes_max: Option<u64>) -> Result<(), Unfit> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Where it cannot, SQLite keeps the mode that it had, and says no more than that.
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Unfit::NoLog { mode });
    }
    // With a log, NORMAL syncs at checkpoints only: a power cut would take back commits that were acknowledged.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -i64::from(CACHE_KIB))?;
    connection.pragma_update(None, "journal_size_limit", i64::try_from(LOG_BYTES_KEPT).unwrap_or(i64::MAX))?;
    connection.pragma_update(None, "trusted_schema", false)?;
    if let Some(bytes) = file_bytes_max {
        let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page_bytes.max(1);
        connection.pragma_update(None, "max_page_count", pages.max(1))?;
    }
    Ok(())
}

fn migrate(connection: &mut Connection) -> Result<(), Unfit> {
    let found: usize =
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).map(|version| {
            usize::try_from(version).unwrap_or(usize::MAX) // A negative version is nobody's.
        })?;
    if found > MIGRATIONS.len() {
        return Err(Unfit::Newer { found, known: MIGRATIONS.len() });
    }
    for (index, step) in MIGRATIONS.iter().enumerate().skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(i64::MAX))?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What makes an acknowledged commit outlive a power cut. A test cannot cut the power, so it reads the settings.
    #[test]
    fn a_commit_is_synced_before_it_is_acknowledged() {
        let directory = tempfile::tempdir().unwrap();
        let connection = writer_open(&directory.path().join("state.db"), None).unwrap();
        let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
        let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!((synchronous, mode.as_str()), (2, "wal"), "FULL, with a write-ahead log");
    }

    #[test]
    fn a_file_system_without_a_log_is_refused() {
        let connection = Connection::open_in_memory().unwrap();
        let refused = writer_prepare(&connection, None).unwrap_err();
        assert!(matches!(refused, Unfit::NoLog { .. }) && refused.to_string().contains("local disk"), "{refused}");
    }
}
