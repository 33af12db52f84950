//! What it takes to keep a copy of the logs on another machine: one side tells what is new, the other adds it as it is.

use std::sync::Arc;

use ambo_model::{AppId, Timestamp};
use tokio::sync::watch;

use crate::app_log::{AppLog, Next};
use crate::record::{LogFilter, LogRecord};
use crate::store::LogStore;

/// Most lines that are read at once from memory.
const READ_LINES_MAX: usize = 512;

/// How far a log reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Whose log.
    pub app: AppId,
    /// The cursor of its newest line.
    pub cursor: u64,
    /// When that was said.
    pub at: Timestamp,
}

impl LogStore {
    /// A number that grows with whatever is added or removed.
    #[must_use]
    pub fn growth(&self) -> watch::Receiver<u64> {
        self.shared.growth.subscribe()
    }

    /// The apps that have a log, with the cursors of their newest lines, or one that no line has had yet.
    #[must_use]
    pub fn newest_all(&self) -> Vec<(AppId, u64)> {
        let logs: Vec<Arc<AppLog>> = self.shared.apps.read().logs.values().cloned().collect();
        logs.iter().map(|log| (log.app(), log.newest())).collect()
    }

    /// How far each log reaches that has a line.
    pub async fn reaches(&self) -> Vec<Reach> {
        let mut reaches = Vec::new();
        for (app, _) in self.newest_all() {
            let newest = self.tail(app, 1, LogFilter::default()).await;
            reaches.extend(newest.first().map(|record| Reach { app, cursor: record.cursor, at: record.line.at }));
        }
        reaches
    }

    /// Whether an app's log has that very line: whether a log that reaches so far is a copy of this one.
    pub async fn holds(&self, reach: Reach) -> bool {
        let Some(log) = self.shared.log(reach.app) else { return false };
        self.read(move || log.holds(reach.cursor, reach.at)).await.unwrap_or(false)
    }

    /// The next lines after a cursor, which zero stands before; none when there is nothing more.
    pub async fn after(&self, app: AppId, cursor: u64) -> Vec<LogRecord> {
        let Some(log) = self.shared.log(app) else { return Vec::new() };
        match log.next(cursor, READ_LINES_MAX, &LogFilter::default()) {
            Next::Lines(lines, _) => lines.iter().map(|record| LogRecord::clone(record)).collect(),
            Next::Removed => Vec::new(),
            Next::Stored(trimmed) => {
                let stored = Arc::clone(&log);
                let found = self.read(move || stored.next_stored(cursor, &LogFilter::default()).records).await;
                match found.filter(|records| !records.is_empty()) {
                    Some(records) => records,
                    // The disk has nothing between: what is in memory follows.
                    None => match log.next(trimmed, READ_LINES_MAX, &LogFilter::default()) {
                        Next::Lines(lines, _) => lines.iter().map(|record| LogRecord::clone(record)).collect(),
                        Next::Stored(_) | Next::Removed => Vec::new(),
                    },
                }
            }
        }
    }

    /// Adds lines of the log that this one is a copy of, with their cursors; waits for room as
    /// [`LogStore::append_when_room`] does.
    pub async fn copy(&self, app: AppId, records: Vec<LogRecord>) {
        let Some(log) = self.shared.log_ensure(app) else { return };
        self.room_wait(&log).await;
        log.append_copy(records.into_iter(), &self.shared.settings.ring_limits(), || self.shared.queue(&log));
        self.shared.grow();
    }

    /// Empties an app's log, which is no copy of what it should be one of. Lines may be added anew.
    pub async fn copy_discard(&self, app: AppId) {
        let Some(log) = self.shared.apps.write().logs.remove(&app) else { return };
        self.log_remove(log).await;
    }
}
