//! One transaction, inside a database transaction that others may share.

use rusqlite::{Connection, OptionalExtension, params};

use super::history::{self, Change, Put};
use crate::limits::precondition_key;
use crate::port::{LeaseId, Operation, Precondition, Revision, Transaction};

/// What a batch of requests has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// The revision of the last change.
    pub(super) revision: Revision,
    /// Bytes of the values in the history.
    pub(super) history_bytes: u64,
}

/// A revision as SQLite keeps it.
pub(super) fn column(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

/// The key of the first precondition that does not hold.
pub(super) fn conflict(connection: &Connection, transaction: &Transaction) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT modified FROM entries WHERE key = ?1")?;
    for precondition in transaction.conditions() {
        let key = precondition_key(precondition);
        let modified: Option<i64> = statement.query_row([key], |row| row.get(0)).optional()?;
        let holds = match precondition {
            Precondition::Absent { .. } => modified.is_none(),
            Precondition::Present { .. } => modified.is_some(),
            Precondition::Unmodified { since, .. } => modified == Some(column(*since)),
        };
        if !holds {
            return Ok(Some(key.to_owned()));
        }
    }
    Ok(None)
}

/// Does the operations of a transaction whose preconditions hold.
pub(super) fn operations(
    connection: &Connection,
    transaction: &Transaction,
    progress: &mut Progress,
) -> rusqlite::Result<()> {
    let revision = progress.revision.next();
    let mut changes = 0;
    for operation in &transaction.operations {
        match operation {
            Operation::Put { key, value, lease } => {
                let created = put(connection, key, value, lease.as_ref(), revision)?;
                let put = Put { value, created, is_leased: lease.is_some() };
                let change = Change { revision, position: changes, key, put: Some(put) };
                history::append(connection, &change)?;
                progress.history_bytes += value.len() as u64;
                changes += 1;
            }
            Operation::Delete { key } => {
                let removed = connection.prepare_cached("DELETE FROM entries WHERE key = ?1")?.execute([key])?;
                if removed > 0 {
                    history::append(connection, &Change { revision, position: changes, key, put: None })?;
                    changes += 1;
                }
            }
        }
    }
    if changes > 0 {
        progress.revision = revision;
    }
    Ok(())
}

/// Records a new lease.
pub(super) fn lease_insert(connection: &Connection, lease: &LeaseId, ttl_ms: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT INTO leases (id, ttl_ms) VALUES (?1, ?2)")?.execute(params![lease.0, ttl_ms])?;
    Ok(())
}

/// Removes a lease with its keys: one revision, however many keys.
pub(super) fn lease_remove(connection: &Connection, lease: &LeaseId, progress: &mut Progress) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM leases WHERE id = ?1")?.execute([&lease.0])?;
    let mut statement = connection.prepare_cached("SELECT key FROM entries WHERE lease = ?1 ORDER BY key")?;
    let keys: Vec<String> = statement.query_map([&lease.0], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Ok(());
    }
    let revision = progress.revision.next();
    connection.prepare_cached("DELETE FROM entries WHERE lease = ?1")?.execute([&lease.0])?;
    for (position, key) in keys.iter().enumerate() {
        history::append(connection, &Change { revision, position, key, put: None })?;
    }
    progress.revision = revision;
    Ok(())
}

/// Sets a key and says when it was made.
fn put(
    connection: &Connection,
    key: &str,
    value: &[u8],
    lease: Option<&LeaseId>,
    revision: Revision,
) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO entries (key, value, created, modified, lease) VALUES (?1, ?2, ?3, ?3, ?4)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified = excluded.modified, lease = excluded.lease
        RETURNING created";
    let lease = lease.map(|lease| lease.0.as_str());
    connection.prepare_cached(sql)?.query_row(params![key, value, column(revision), lease], |row| row.get(0))
}
