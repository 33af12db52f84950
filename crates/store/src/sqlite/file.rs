//! The data file: how it is made, opened and brought to the current schema.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

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
const MIGRATIONS: [&str; 1] = ["
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
"];

#[derive(Debug, thiserror::Error)]
enum SchemaError {
    #[error(
        "it has schema {found}, this version of Ambo knows up to {known}: install the version that wrote it or restore a backup"
    )]
    Newer { found: usize, known: usize },
}

/// Opens the connection that writes, makes the file when it is absent and brings it to the current schema.
pub(super) fn writer_open(path: &Path, file_bytes_max: Option<u64>) -> Result<Connection, StoreError> {
    let doing = || format!("open the state in `{}`", path.display());
    file_ensure(path).map_err(|source| StoreError::Backend { doing: doing(), source: Box::new(source) })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| backend(doing(), error))?;
    writer_prepare(&connection, file_bytes_max).map_err(|error| backend(doing(), error))?;
    match migrate(&mut connection).map_err(|error| backend(doing(), error))? {
        Ok(()) => Ok(connection),
        Err(error) => Err(StoreError::Backend { doing: doing(), source: Box::new(error) }),
    }
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

fn writer_prepare(connection: &Connection, file_bytes_max: Option<u64>) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
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

fn migrate(connection: &mut Connection) -> rusqlite::Result<Result<(), SchemaError>> {
    let found: usize =
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).map(|version| {
            usize::try_from(version).unwrap_or(usize::MAX) // A negative version is nobody's.
        })?;
    if found > MIGRATIONS.len() {
        return Ok(Err(SchemaError::Newer { found, known: MIGRATIONS.len() }));
    }
    for (index, step) in MIGRATIONS.iter().enumerate().skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(i64::MAX))?;
        transaction.commit()?;
    }
    Ok(Ok(()))
}
