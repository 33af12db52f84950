//! The newest lines of an app, in memory: what is not yet written, and some of what is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ambo_model::LogLine;

use crate::record::LogRecord;

/// What a record costs beside its name and text, in bytes.
const RECORD_BYTES: usize = 192;
/// Most bytes that one batch of the writer takes.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// How much rings may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RingLimits {
    /// Most bytes of one ring.
    pub(crate) bytes_max: usize,
    /// Most lines of one ring.
    pub(crate) lines_max: usize,
    /// Most bytes of all rings.
    pub(crate) total_bytes_max: usize,
}

/// The newest lines. Everything after `trimmed` is in here.
#[derive(Debug)]
pub(crate) struct Ring {
    records: VecDeque<Arc<LogRecord>>,
    bytes: usize,
    /// The cursor of the newest line.
    newest: u64,
    /// The cursor of the newest line that has left the ring.
    trimmed: u64,
    /// The cursor up to which lines are written.
    written: u64,
    /// The cursor up to which lines are in the writer's hands.
    taken: u64,
    /// Lines that were neither kept nor written, and that the log has not told of yet.
    dropped: u64,
    total_bytes: Arc<AtomicUsize>,
}

impl Ring {
    /// An empty ring behind a log whose newest line has the cursor `newest`.
    pub(crate) fn new(newest: u64, total_bytes: Arc<AtomicUsize>) -> Self {
        let records = VecDeque::new();
        Self { records, bytes: 0, newest, trimmed: newest, written: newest, taken: newest, dropped: 0, total_bytes }
    }

    /// Adds a line; the oldest go when it does not fit. One that would displace what is just being written is dropped.
    pub(crate) fn push(&mut self, line: LogLine, limits: &RingLimits) {
        self.push_record(LogRecord { cursor: self.newest + 1, line }, limits);
    }

    /// Adds a record of a log that this one is a copy of. It keeps its cursor, which no other has here.
    pub(crate) fn push_copy(&mut self, mut record: LogRecord, limits: &RingLimits) {
        record.cursor = record.cursor.max(self.newest + 1);
        self.push_record(record, limits);
    }

    /// Goes on from a later cursor.
    pub(crate) fn leap(&mut self, cursors: u64) {
        self.newest = self.newest.saturating_add(cursors);
    }

    fn push_record(&mut self, record: LogRecord, limits: &RingLimits) {
        let bytes = line_bytes(&record.line);
        while !self.fits(bytes, 1, limits) && self.front_pop() {}
        // What is being written cannot leave, so the ring may hold twice as much while a write takes long.
        if !self.fits(bytes, 2, limits) {
            self.dropped += 1;
            return;
        }
        self.newest = record.cursor;
        self.bytes += bytes;
        self.total_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.records.push_back(Arc::new(record));
    }

    /// The next lines to write, none of which leaves before [`Ring::written`] or [`Ring::not_written`].
    pub(crate) fn take(&mut self) -> Vec<Arc<LogRecord>> {
        let mut bytes = 0;
        let batch: Vec<_> = self
            .after(self.written)
            .take_while(|record| {
                let room = bytes < BATCH_BYTES_MAX;
                bytes += line_bytes(&record.line);
                room
            })
            .cloned()
            .collect();
        self.taken = batch.last().map_or(self.written, |record| record.cursor);
        batch
    }

    /// What was taken is written.
    pub(crate) fn written(&mut self) {
        self.written = self.taken;
    }

    /// What was taken could not be written.
    pub(crate) fn not_written(&mut self) {
        self.taken = self.written;
    }

    /// Lets written lines go until no more than `bytes_kept` are left, and no more lines than leave room for new ones.
    pub(crate) fn trim(&mut self, bytes_kept: usize, limits: &RingLimits) {
        let (bytes_kept, lines_kept) = (bytes_kept.min(limits.bytes_max / 4), limits.lines_max / 4);
        let is_large = |ring: &Self| ring.bytes > bytes_kept || ring.records.len() > lines_kept;
        while is_large(self) && self.trimmed < self.written && self.front_pop() {}
        if self.records.capacity() > 64 && self.records.len() < self.records.capacity() / 4 {
            self.records.shrink_to(self.records.len() * 2);
        }
    }

    /// The lines after a cursor that is not before [`Ring::trimmed`].
    pub(crate) fn after(&self, cursor: u64) -> impl DoubleEndedIterator<Item = &Arc<LogRecord>> {
        let start = self.records.partition_point(|record| record.cursor <= cursor);
        self.records.range(start..)
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    pub(crate) fn trimmed(&self) -> u64 {
        self.trimmed
    }

    pub(crate) fn is_written(&self) -> bool {
        self.records.back().is_none_or(|newest| newest.cursor <= self.written) && self.dropped == 0
    }

    /// Whether it is at most half full.
    pub(crate) fn has_room(&self, limits: &RingLimits) -> bool {
        self.bytes <= limits.bytes_max / 2
            && self.records.len() <= limits.lines_max / 2
            && self.total_bytes.load(Ordering::Relaxed) <= limits.total_bytes_max
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The count of lines that were dropped since this was last asked.
    pub(crate) fn dropped_take(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn fits(&self, bytes: usize, times: usize, limits: &RingLimits) -> bool {
        self.bytes + bytes <= limits.bytes_max * times
            && self.records.len() < limits.lines_max * times
            && self.total_bytes.load(Ordering::Relaxed) + bytes <= limits.total_bytes_max * times
    }

    /// Lets the oldest line go; `false` when there is none or it is being written.
    fn front_pop(&mut self) -> bool {
        let Some(front) = self.records.front() else { return false };
        let cursor = front.cursor;
        if cursor > self.written && cursor <= self.taken {
            return false;
        }
        if cursor > self.written {
            self.dropped += 1;
            // It will never be written: the writer goes on after it.
            self.written = cursor;
            self.taken = cursor;
        }
        let bytes = line_bytes(&front.line);
        self.records.pop_front();
        self.bytes -= bytes;
        self.total_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.trimmed = cursor;
        true
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.total_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn line_bytes(line: &LogLine) -> usize {
    RECORD_BYTES + line.name.len() + line.text.len()
}
