//! The connections that read.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::Semaphore;

use super::error::{backend, closed};
use super::file::reader_open;
use crate::port::{Entry, Listing, PAGE_BYTES_MAX, Page, Revision, StoreError};

/// Most reads at a time. More wait.
const READERS_MAX: usize = 4;

/// Reading connections, opened when they are first needed.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    slots: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), slots: Arc::new(Semaphore::new(READERS_MAX)), idle: Arc::default() }
    }

    /// Runs `read` in one consistent snapshot.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        doing: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| closed())?;
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        let task = tokio::task::spawn_blocking(move || {
            let taken = idle.lock().pop();
            let connection = match taken {
                Some(connection) => connection,
                None => reader_open(&path)?,
            };
            let value = {
                let snapshot = connection.unchecked_transaction()?;
                read(&snapshot)?
            };
            idle.lock().push(connection);
            drop(slot);
            Ok(value)
        });
        match task.await {
            Ok(result) => result.map_err(|error| backend(doing, error)),
            Err(error) => Err(StoreError::Backend { doing: doing.to_owned(), source: Box::new(error) }),
        }
    }
}

/// One entry.
pub(super) fn get(connection: &Connection, key: &str) -> rusqlite::Result<Option<Entry>> {
    let sql = "SELECT key, value, created, modified, lease IS NOT NULL FROM entries WHERE key = ?1";
    connection.prepare_cached(sql)?.query_row([key], entry).optional()
}

/// A page of entries.
pub(super) fn list(connection: &Connection, prefix: &str, page: &Page, limit: usize) -> rusqlite::Result<Listing> {
    let revision = revision(connection)?;
    let (mut first, mut end) = key_range(prefix);
    match (&page.after, page.descending) {
        // No key holds NUL, so this is the least text after `after`.
        (Some(after), false) => first = first.max(format!("{after}\0")),
        (Some(after), true) => end = end_least(end, after),
        (None, _) => {}
    }
    let sql = if page.descending {
        "SELECT key, value, created, modified, lease IS NOT NULL FROM entries
            WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3"
    } else {
        "SELECT key, value, created, modified, lease IS NOT NULL FROM entries
            WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"
    };
    // One row more than asked for says whether more follow.
    let rows = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query(params![first, end, rows])?;
    let mut entries = Vec::new();
    let mut bytes = 0;
    let mut more = false;
    while let Some(row) = found.next()? {
        if entries.len() == limit || bytes >= PAGE_BYTES_MAX {
            more = true;
            break;
        }
        let entry = entry(row)?;
        bytes += entry.value.len();
        entries.push(entry);
    }
    Ok(Listing { entries, more, revision })
}

/// The revision of the last commit.
pub(super) fn revision(connection: &Connection) -> rusqlite::Result<Revision> {
    connection.prepare_cached("SELECT revision FROM state")?.query_row([], |row| revision_at(row, 0))
}

/// A revision in a row.
pub(super) fn revision_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Revision> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map(Revision).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// The first key that starts with `prefix`, and what follows the last.
pub(super) fn key_range(prefix: &str) -> (String, Value) {
    // SQLite orders every blob after every text: an end for a range that has none.
    let end = prefix_end(prefix).map_or(Value::Blob(Vec::new()), Value::Text);
    (prefix.to_owned(), end)
}

fn end_least(end: Value, after: &str) -> Value {
    match end {
        Value::Text(end) if end.as_str() < after => Value::Text(end),
        _ => Value::Text(after.to_owned()),
    }
}

/// The first key after all that start with `prefix`; `None` when there is none.
///
/// The order of UTF-8 bytes is the order of code points, so the last character that has a successor is raised.
fn prefix_end(prefix: &str) -> Option<String> {
    let mut end: Vec<char> = prefix.chars().collect();
    let raised = end.iter_mut().rev().try_fold(0, |dropped, last| match char_after(*last) {
        Some(next) => {
            *last = next;
            ControlFlow::Break(dropped)
        }
        None => ControlFlow::Continue(dropped + 1),
    });
    let ControlFlow::Break(dropped) = raised else { return None };
    end.truncate(end.len() - dropped);
    Some(end.into_iter().collect())
}

fn char_after(character: char) -> Option<char> {
    (character..=char::MAX).nth(1)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        key: row.get(0)?,
        value: Bytes::from(row.get::<_, Vec<u8>>(1)?),
        created: revision_at(row, 2)?,
        modified: revision_at(row, 3)?,
        is_leased: row.get(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_first_key_after_it() {
        assert_eq!(prefix_end("apps/"), Some("apps0".to_owned()));
        assert_eq!(prefix_end(""), None);
        assert_eq!(prefix_end("a\u{10FFFF}"), Some("b".to_owned()));
        assert_eq!(prefix_end("\u{10FFFF}"), None);
        assert_eq!(prefix_end("\u{D7FF}"), Some("\u{E000}".to_owned()));
    }
}
