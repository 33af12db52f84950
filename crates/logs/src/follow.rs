//! Following: recent lines, then new ones as they come; no gap, none twice.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt};
use tokio::sync::Semaphore;

use crate::app_log::{AppLog, Next, platform_line};
use crate::record::{LogFilter, LogRecord};

/// Most lines that a follower takes at once.
const TAKEN_LINES_MAX: usize = 256;

/// Lines as they come. Ends when the app's log is removed.
///
/// A follower that is slower than its app reads from the disk; what the disk no longer holds when it gets there, it is
/// told that it missed (L11).
pub struct Follow(BoxStream<'static, LogRecord>);

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Follow").finish()
    }
}

impl Stream for Follow {
    type Item = LogRecord;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<LogRecord>> {
        self.0.poll_next_unpin(context)
    }
}

impl Follow {
    /// Gives `recent`, then what follows `cursor`.
    pub(crate) fn new(
        log: Arc<AppLog>,
        reads: Arc<Semaphore>,
        recent: Vec<LogRecord>,
        cursor: u64,
        filter: LogFilter,
    ) -> Self {
        let follower = Follower { log, reads, ready: recent.into(), cursor, filter: Arc::new(filter) };
        Self(
            stream::unfold(follower, |mut follower| async move { follower.next().await.map(|line| (line, follower)) })
                .boxed(),
        )
    }

    /// Nothing to follow.
    pub(crate) fn none() -> Self {
        Self(stream::empty().boxed())
    }
}

struct Follower {
    log: Arc<AppLog>,
    reads: Arc<Semaphore>,
    ready: VecDeque<LogRecord>,
    /// Everything up to here was looked at.
    cursor: u64,
    filter: Arc<LogFilter>,
}

impl Follower {
    async fn next(&mut self) -> Option<LogRecord> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Some(record);
            }
            let log = Arc::clone(&self.log);
            let mut changed = std::pin::pin!(log.changed());
            changed.as_mut().enable();
            match self.log.next(self.cursor, TAKEN_LINES_MAX, &self.filter) {
                Next::Removed => return None,
                Next::Stored(trimmed) => self.stored_read(trimmed).await,
                Next::Lines(lines, looked_at) => {
                    self.cursor = looked_at;
                    self.ready.extend(lines.iter().map(|record| LogRecord::clone(record)));
                    if self.ready.is_empty() {
                        changed.await;
                    }
                }
            }
        }
    }

    /// Goes on from the disk; everything up to `trimmed` is there or nowhere.
    async fn stored_read(&mut self, trimmed: u64) {
        let (log, filter, cursor) = (Arc::clone(&self.log), Arc::clone(&self.filter), self.cursor);
        let reads = Arc::clone(&self.reads);
        let Ok(place) = reads.acquire_owned().await else { return };
        let read = tokio::task::spawn_blocking(move || {
            let found = log.next_stored(cursor, &filter);
            drop(place);
            found
        });
        let Ok(found) = read.await else {
            self.cursor = trimmed;
            return;
        };
        if found.missed {
            let text = "L11 (tail buffer overflow): this session was too slow and missed lines".to_owned();
            let line = platform_line(self.log.app(), text);
            self.ready.push_back(LogRecord { cursor: self.cursor, line });
        }
        self.ready.extend(found.records);
        self.cursor = found.last.unwrap_or(trimmed);
    }
}
