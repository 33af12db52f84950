//! What happened, for watches: appended with every commit, read in pages, cut off at the old end.

use std::collections::VecDeque;

use bytes::Bytes;
use rusqlite::{Connection, Row, params};

use super::apply::column;
use super::readers::{key_range, revision, revision_at};
use crate::port::{Entry, Event, Revision};

/// Most events that one read gives.
const READ_EVENTS_MAX: usize = 256;
/// A read ends early once its values reach so many bytes.
const READ_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How far, in revisions, the history may outgrow its limit before it is cut, so that not every commit cuts.
const SLACK_REVISIONS: u64 = 100;

/// A change, as it is appended.
pub(super) struct Change<'a> {
    pub(super) revision: Revision,
    pub(super) position: usize,
    pub(super) key: &'a str,
    /// What was set; `None` when the key was removed.
    pub(super) put: Option<Put<'a>>,
}

/// What a key was set to.
pub(super) struct Put<'a> {
    pub(super) value: &'a [u8],
    /// When the key was made.
    pub(super) created: i64,
    pub(super) is_leased: bool,
}

/// Appends a change.
pub(super) fn append(connection: &Connection, change: &Change<'_>) -> rusqlite::Result<()> {
    let sql =
        "INSERT INTO history (revision, position, key, value, created, is_leased) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let position = i64::try_from(change.position).unwrap_or(i64::MAX);
    let (value, created) = change.put.as_ref().map(|put| (put.value, put.created)).unzip();
    let is_leased = change.put.as_ref().is_some_and(|put| put.is_leased);
    let row = params![column(change.revision), position, change.key, value, created, is_leased];
    connection.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// How far a reader of the history has come: it has seen all before this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) revision: Revision,
    pub(super) position: i64,
}

impl Cursor {
    /// At the first event of a revision.
    pub(super) fn start(revision: Revision) -> Self {
        Self { revision, position: 0 }
    }
}

/// What one read of the history found.
#[derive(Debug)]
pub(super) enum HistoryRead {
    /// Events in order, and where to go on.
    Events { events: VecDeque<Event>, next: Cursor },
    /// The history at the cursor is gone.
    Compacted,
}

/// Reads what follows a cursor, under a prefix.
pub(super) fn read(connection: &Connection, prefix: &str, from: Cursor) -> rusqlite::Result<HistoryRead> {
    let head = revision(connection)?;
    if from.revision <= compacted(connection)? {
        return Ok(HistoryRead::Compacted);
    }
    let (first, end) = key_range(prefix);
    let sql = "SELECT revision, position, key, value, created, is_leased FROM history
        WHERE (revision, position) >= (?1, ?2) AND key >= ?3 AND key < ?4 ORDER BY revision, position LIMIT ?5";
    let mut statement = connection.prepare_cached(sql)?;
    let rows_max = i64::try_from(READ_EVENTS_MAX).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![column(from.revision), from.position, first, end, rows_max])?;
    let mut events = VecDeque::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let (event, value_bytes) = event(row)?;
        let next = Cursor { revision: revision_at(row, 0)?, position: row.get::<_, i64>(1)? + 1 };
        events.push_back(event);
        bytes += value_bytes;
        if events.len() == READ_EVENTS_MAX || bytes >= READ_BYTES_MAX {
            return Ok(HistoryRead::Events { events, next });
        }
    }
    let next = from.revision.max(head.next());
    let next = if next == from.revision { from } else { Cursor::start(next) };
    Ok(HistoryRead::Events { events, next })
}

/// Up to which revision the history is gone.
pub(super) fn compacted(connection: &Connection) -> rusqlite::Result<Revision> {
    connection.prepare_cached("SELECT compacted FROM state")?.query_row([], |row| revision_at(row, 0))
}

/// How large the history is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Up to which revision it is gone.
    pub(super) compacted: Revision,
    /// Bytes of the values in it.
    pub(super) bytes: u64,
}

/// Measures the history.
pub(super) fn extent(connection: &Connection) -> rusqlite::Result<Extent> {
    let sql = "SELECT coalesce(sum(length(value)), 0) FROM history";
    let bytes: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(Extent { compacted: compacted(connection)?, bytes: u64::try_from(bytes).unwrap_or(0) })
}

/// Cuts the old end off when the history has outgrown its limits. The revision `head` stays.
pub(super) fn compact(
    connection: &Connection,
    extent: &mut Extent,
    head: Revision,
    revisions_max: u64,
    bytes_max: u64,
) -> rusqlite::Result<()> {
    let revisions_max = revisions_max.max(1);
    let revisions = head.0 - extent.compacted.0;
    let mut cut = extent.compacted;
    if revisions > revisions_max.saturating_add(SLACK_REVISIONS.min(revisions_max)) {
        cut = Revision(head.0 - revisions_max);
    }
    if extent.bytes > bytes_max {
        // An eighth more than needed, so that not every commit cuts.
        cut = cut.max(cut_for_bytes(connection, head, extent.bytes - (bytes_max - bytes_max / 8))?);
    }
    if cut <= extent.compacted {
        return Ok(());
    }
    let sql = "SELECT coalesce(sum(length(value)), 0) FROM history WHERE revision <= ?1";
    let freed: i64 = connection.prepare_cached(sql)?.query_row([column(cut)], |row| row.get(0))?;
    connection.prepare_cached("DELETE FROM history WHERE revision <= ?1")?.execute([column(cut)])?;
    connection.prepare_cached("UPDATE state SET compacted = ?1")?.execute([column(cut)])?;
    extent.compacted = cut;
    extent.bytes = extent.bytes.saturating_sub(u64::try_from(freed).unwrap_or(0));
    Ok(())
}

/// The revision up to which the history must go for `excess` bytes to become free.
fn cut_for_bytes(connection: &Connection, head: Revision, excess: u64) -> rusqlite::Result<Revision> {
    let sql = "SELECT revision, length(value) FROM history WHERE revision < ?1 ORDER BY revision";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([column(head)])?;
    let mut freed = 0;
    let mut cut = Revision(0);
    while let Some(row) = rows.next()? {
        if freed >= excess {
            break;
        }
        cut = revision_at(row, 0)?;
        freed += u64::try_from(row.get::<_, Option<i64>>(1)?.unwrap_or(0)).unwrap_or(0);
    }
    Ok(cut)
}

fn event(row: &Row<'_>) -> rusqlite::Result<(Event, usize)> {
    let modified = revision_at(row, 0)?;
    let key: String = row.get(2)?;
    let value: Option<Vec<u8>> = row.get(3)?;
    let Some(value) = value else { return Ok((Event::Delete { key, revision: modified }, 0)) };
    let bytes = value.len();
    let entry =
        Entry { key, value: Bytes::from(value), created: revision_at(row, 4)?, modified, is_leased: row.get(5)? };
    Ok((Event::Put(entry), bytes))
}
