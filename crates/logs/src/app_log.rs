//! One app's log: the ring in front, the segment files behind.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use ambo_model::{AppId, LogLine, LogSource, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::record::{LogFilter, LogRecord};
use crate::ring::{Ring, RingLimits};
use crate::segments::{self, Found, SegmentLimits, Segments};

/// How soon the log tells again of dropped lines.
const DROPPED_INTERVAL: Duration = Duration::from_secs(1);

/// One app's log.
#[derive(Debug)]
pub(crate) struct AppLog {
    app: AppId,
    directory: PathBuf,
    front: Mutex<Front>,
    back: Mutex<Back>,
    /// Told of every new line, and of the end.
    changed: Notify,
    /// Told after every write.
    written: Notify,
}

#[derive(Debug)]
struct Front {
    ring: Ring,
    /// Whether the writer knows that there is something to write.
    queued: bool,
    appended: Instant,
    removed: bool,
    /// Whether the last attempt to write failed.
    failing: bool,
}

#[derive(Debug)]
struct Back {
    segments: Segments,
    dropped_told: Option<Instant>,
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Whether the app must be queued again, because not everything is written and nobody else has queued it.
    pub(crate) queue: bool,
    /// Whether the disk refused: wait before the next attempt.
    pub(crate) failed: bool,
}

/// What a follower may see next.
#[derive(Debug)]
pub(crate) enum Next {
    /// These lines; all up to the cursor were looked at.
    Lines(Vec<Arc<LogRecord>>, u64),
    /// The lines up to this cursor have left the memory.
    Stored(u64),
    /// The log was removed.
    Removed,
}

impl AppLog {
    /// A log whose newest line has the cursor `newest`.
    pub(crate) fn new(app: AppId, directory: PathBuf, newest: u64, total_bytes: Arc<AtomicUsize>) -> Self {
        let ring = Ring::new(newest, total_bytes);
        let back = Back { segments: Segments::new(directory.clone()), dropped_told: None };
        let front = Front { ring, queued: false, appended: Instant::now(), removed: false, failing: false };
        Self {
            app,
            directory,
            front: Mutex::new(front),
            back: Mutex::new(back),
            changed: Notify::new(),
            written: Notify::new(),
        }
    }

    /// Adds lines; calls `queue` when the writer does not yet know that there is something to write.
    pub(crate) fn append(&self, lines: impl Iterator<Item = LogLine>, limits: &RingLimits, queue: impl FnOnce()) {
        self.add(|ring| lines.for_each(|line| ring.push(line, limits)), queue);
    }

    /// Adds records of the log that this one is a copy of; `queue` as with [`AppLog::append`].
    pub(crate) fn append_copy(
        &self,
        records: impl Iterator<Item = LogRecord>,
        limits: &RingLimits,
        queue: impl FnOnce(),
    ) {
        self.add(|ring| records.for_each(|record| ring.push_copy(record, limits)), queue);
    }

    /// Whether it has the record with this cursor, said at that time. Blocks.
    pub(crate) fn holds(&self, cursor: u64, at: Timestamp) -> bool {
        {
            let front = self.front.lock();
            if cursor > front.ring.trimmed() {
                let record = front.ring.after(cursor - 1).next();
                return record.is_some_and(|record| record.cursor == cursor && record.line.at == at);
            }
        }
        let all = LogFilter::default();
        let found = self.read("look", || segments::read_newest(&self.directory, self.app, cursor..=cursor, 1, &all));
        found.first().is_some_and(|record| record.line.at == at)
    }

    /// Goes on from a later cursor.
    pub(crate) fn leap(&self, cursors: u64) {
        self.front.lock().ring.leap(cursors);
    }

    fn add(&self, push: impl FnOnce(&mut Ring), queue: impl FnOnce()) {
        let mut front = self.front.lock();
        if front.removed {
            return;
        }
        push(&mut front.ring);
        front.appended = Instant::now();
        if !std::mem::replace(&mut front.queued, true) {
            // Still locked, so that whoever finds the app queued can rely on it.
            queue();
        }
        drop(front);
        self.changed.notify_waiters();
    }

    /// Waits until lines can be added without any being dropped. While the disk refuses there is nothing to wait for.
    pub(crate) async fn room(&self, limits: &RingLimits) {
        loop {
            let mut written = std::pin::pin!(self.written.notified());
            written.as_mut().enable();
            let has_room = {
                let front = self.front.lock();
                front.failing || front.removed || front.ring.has_room(limits)
            };
            if has_room {
                return;
            }
            written.await;
        }
    }

    /// Writes what is new. Blocks.
    pub(crate) fn write(&self, limits: &SegmentLimits, ring_limits: &RingLimits, bytes_kept: usize) -> Written {
        let mut back = self.back.lock();
        self.front.lock().queued = false;
        let written = self.write_new(&mut back, limits).and_then(|()| {
            if self.dropped_tell(&mut back, ring_limits) { self.write_new(&mut back, limits) } else { Ok(()) }
        });
        let failed = written.is_err();
        let mut front = self.front.lock();
        match (written, std::mem::replace(&mut front.failing, failed)) {
            (Err(error), false) => {
                tracing::warn!(app = %self.app, %error, "log lines cannot be stored; the newest stay in memory");
            }
            (Ok(()), true) => tracing::info!(app = %self.app, "log lines are stored again"),
            (Err(_), true) | (Ok(()), false) => {}
        }
        front.ring.trim(bytes_kept, ring_limits);
        let more = !front.removed && !front.ring.is_written();
        let queue = more && !front.queued;
        front.queued |= more;
        drop(front);
        self.written.notify_waiters();
        Written { queue, failed }
    }

    /// Gives up what an idle app needs not: memory and the open file. `false` while it is not idle. Blocks.
    pub(crate) fn rest(&self, idle: Duration, limits: &RingLimits) -> bool {
        let mut back = self.back.lock();
        let mut front = self.front.lock();
        if front.removed {
            return true;
        }
        if front.queued || front.appended.elapsed() < idle {
            return false;
        }
        front.ring.trim(0, limits);
        back.segments.close();
        front.ring.is_empty()
    }

    /// Lets written lines go from memory.
    pub(crate) fn trim(&self, limits: &RingLimits) {
        self.front.lock().ring.trim(0, limits);
    }

    /// Removes the log for good; followers end. Blocks.
    pub(crate) fn remove(&self) -> io::Result<()> {
        self.front.lock().removed = true;
        self.changed.notify_waiters();
        self.back.lock().segments.remove()
    }

    /// The newest `count` wanted lines, oldest first, and the cursor up to which they were looked for. Blocks.
    pub(crate) fn tail(&self, count: usize, filter: &LogFilter) -> (Vec<LogRecord>, u64) {
        let (mut recent, trimmed, newest) = {
            let front = self.front.lock();
            let (trimmed, newest) = (front.ring.trimmed(), front.ring.newest());
            let wanted = front.ring.after(trimmed).rev().filter(|record| filter.matches(&record.line));
            (wanted.take(count).cloned().collect::<Vec<_>>(), trimmed, newest)
        };
        recent.reverse();
        let mut lines = Vec::new();
        if recent.len() < count && trimmed > 0 {
            lines = self.read("tail", || {
                segments::read_newest(&self.directory, self.app, 0..=trimmed, count - recent.len(), filter)
            });
        }
        lines.extend(recent.iter().map(|record| LogRecord::clone(record)));
        (lines, newest)
    }

    /// When an instance last said something that is stored. Blocks.
    pub(crate) fn last_at(&self, name: &str) -> Option<Timestamp> {
        let filter = LogFilter { source: Some(LogSource::App), name: None };
        let said = |line: &LogLine| filter.matches(line) && line.name == name;
        let trimmed = {
            let front = self.front.lock();
            let trimmed = front.ring.trimmed();
            if let Some(record) = front.ring.after(trimmed).rev().find(|record| said(&record.line)) {
                return Some(record.line.at);
            }
            trimmed
        };
        let filter = LogFilter { name: Some(name.to_owned()), ..filter };
        let last = self.read("tail", || segments::read_newest(&self.directory, self.app, 0..=trimmed, 1, &filter));
        last.first().map(|record| record.line.at)
    }

    /// What follows a cursor, from memory; no more than `count` lines.
    pub(crate) fn next(&self, cursor: u64, count: usize, filter: &LogFilter) -> Next {
        let front = self.front.lock();
        if front.removed {
            return Next::Removed;
        }
        if cursor < front.ring.trimmed() {
            return Next::Stored(front.ring.trimmed());
        }
        let mut lines = Vec::new();
        for record in front.ring.after(cursor) {
            if filter.matches(&record.line) {
                lines.push(Arc::clone(record));
            }
            if lines.len() == count {
                return Next::Lines(lines, record.cursor);
            }
        }
        Next::Lines(lines, front.ring.newest().max(cursor))
    }

    /// What follows a cursor, from the disk. Blocks.
    pub(crate) fn next_stored(&self, cursor: u64, filter: &LogFilter) -> Found {
        segments::read_after(&self.directory, self.app, cursor, filter).unwrap_or_else(|error| {
            tracing::warn!(app = %self.app, %error, "stored log lines cannot be read");
            Found { records: Vec::new(), last: None, missed: true }
        })
    }

    pub(crate) fn app(&self) -> AppId {
        self.app
    }

    pub(crate) fn newest(&self) -> u64 {
        self.front.lock().ring.newest()
    }

    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// Writes what was there at the beginning.
    fn write_new(&self, back: &mut Back, limits: &SegmentLimits) -> io::Result<()> {
        let newest = self.newest();
        loop {
            let batch = {
                let mut front = self.front.lock();
                if front.removed {
                    return Ok(());
                }
                front.ring.take()
            };
            let Some(last) = batch.last().map(|record| record.cursor) else { return Ok(()) };
            let appended = back.segments.append(&batch, limits);
            let mut front = self.front.lock();
            match appended {
                Ok(()) => front.ring.written(),
                Err(error) => {
                    front.ring.not_written();
                    return Err(error);
                }
            }
            if last >= newest {
                return Ok(());
            }
        }
    }

    /// Adds a line about dropped ones, if there are any and it is time.
    fn dropped_tell(&self, back: &mut Back, limits: &RingLimits) -> bool {
        if back.dropped_told.is_some_and(|told| told.elapsed() < DROPPED_INTERVAL) {
            return false;
        }
        let mut front = self.front.lock();
        let dropped = front.ring.dropped_take();
        if dropped == 0 {
            return false;
        }
        let text = format!("L10 (output buffer overflow): {dropped} messages dropped");
        front.ring.push(platform_line(self.app, text), limits);
        back.dropped_told = Some(Instant::now());
        drop(front);
        self.changed.notify_waiters();
        true
    }

    fn read(&self, doing: &'static str, read: impl FnOnce() -> io::Result<Vec<LogRecord>>) -> Vec<LogRecord> {
        read().unwrap_or_else(|error| {
            tracing::warn!(app = %self.app, doing, %error, "stored log lines cannot be read");
            Vec::new()
        })
    }
}

/// What the log calls itself in its own lines.
const OWN_NAME: &str = "logs";

/// A line of the log about itself.
pub(crate) fn platform_line(app: AppId, text: String) -> LogLine {
    LogLine { app, at: Timestamp::now(), source: LogSource::Ambo, name: OWN_NAME.to_owned(), text }
}

/// Whether the log says it of itself.
pub(crate) fn is_about_logs(line: &LogLine) -> bool {
    line.source == LogSource::Ambo && line.name == OWN_NAME
}
