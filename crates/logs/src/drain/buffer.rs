//! Lines on their way to a drain: bounded, and the oldest go.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ambo_model::Timestamp;

use crate::record::LogRecord;

/// Most lines that wait for one drain.
pub(crate) const LINES_MAX: usize = 1024;
/// Most bytes of lines that wait for one drain.
const BYTES_MAX: usize = 1024 * 1024;
/// Most bytes of lines that wait for all drains.
const TOTAL_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a line costs beside its text, in bytes.
const LINE_BYTES: usize = 128;

/// What all drains hold together.
#[derive(Debug, Clone, Default)]
pub struct DrainTotal(Arc<AtomicUsize>);

/// Lines that went before they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) count: u64,
    pub(crate) since: Timestamp,
}

#[derive(Debug)]
pub(crate) struct Buffer {
    lines: VecDeque<LogRecord>,
    bytes: usize,
    total: DrainTotal,
    dropped: Option<Dropped>,
}

impl Buffer {
    pub(crate) fn new(total: DrainTotal) -> Self {
        Self { lines: VecDeque::new(), bytes: 0, total, dropped: None }
    }

    /// Adds a line; the oldest go when it does not fit. Says how many went.
    pub(crate) fn push(&mut self, line: LogRecord, now: Timestamp) -> u64 {
        let (bytes, mut dropped) = (bytes(&line), 0);
        while !self.fits(bytes) {
            self.drop_note(1, now);
            dropped += 1;
            // With nothing left of its own to give up, a drain gives up the new line.
            if self.pop().is_none() {
                return dropped;
            }
        }
        self.bytes += bytes;
        self.total.0.fetch_add(bytes, Ordering::Relaxed);
        self.lines.push_back(line);
        dropped
    }

    /// The next lines to send: as many as go well together.
    pub(crate) fn take(&mut self, lines_max: usize, bytes_max: usize) -> Vec<LogRecord> {
        let mut taken = Vec::new();
        let mut size = 0;
        while taken.len() < lines_max && (taken.is_empty() || size < bytes_max) {
            let Some(line) = self.pop() else { break };
            size += line.line.text.len();
            taken.push(line);
        }
        if self.lines.is_empty() {
            self.lines.shrink_to(LINES_MAX / 16);
        }
        taken
    }

    /// Counts lines that will never be sent.
    pub(crate) fn drop_note(&mut self, count: u64, now: Timestamp) {
        let dropped = self.dropped.get_or_insert(Dropped { count: 0, since: now });
        dropped.count += count;
    }

    /// The lines that went since this was last asked.
    pub(crate) fn dropped_take(&mut self) -> Option<Dropped> {
        self.dropped.take()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn fits(&self, bytes: usize) -> bool {
        self.lines.len() < LINES_MAX
            && (self.bytes + bytes <= BYTES_MAX || self.lines.is_empty())
            && self.total.0.load(Ordering::Relaxed) + bytes <= TOTAL_BYTES_MAX
    }

    fn pop(&mut self) -> Option<LogRecord> {
        let line = self.lines.pop_front()?;
        let bytes = bytes(&line);
        self.bytes -= bytes;
        self.total.0.fetch_sub(bytes, Ordering::Relaxed);
        Some(line)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.total.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn bytes(record: &LogRecord) -> usize {
    LINE_BYTES + record.line.name.len() + record.line.text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ambo_model::{AppId, LogLine, LogSource};

    fn line(cursor: u64, text: &str) -> LogRecord {
        let line = LogLine {
            app: AppId::new(),
            at: Timestamp::UNIX_EPOCH,
            source: LogSource::App,
            name: "web.1".to_owned(),
            text: text.to_owned(),
        };
        LogRecord { cursor, line }
    }

    #[test]
    fn the_oldest_go_and_are_counted() {
        let (mut buffer, now) = (Buffer::new(DrainTotal::default()), Timestamp::UNIX_EPOCH);
        for cursor in 0..LINES_MAX as u64 + 5 {
            buffer.push(line(cursor, "x"), now);
        }
        assert_eq!(buffer.dropped_take(), Some(Dropped { count: 5, since: now }));
        assert_eq!(buffer.dropped_take(), None);
        assert_eq!(buffer.take(2, 100).iter().map(|line| line.cursor).collect::<Vec<_>>(), [5, 6]);
    }

    #[test]
    fn large_lines_are_bounded_by_their_bytes_and_all_drains_together() {
        let (total, now) = (DrainTotal::default(), Timestamp::UNIX_EPOCH);
        let text = "x".repeat(16 * 1024);
        {
            let mut buffers: Vec<Buffer> = (0..100).map(|_| Buffer::new(total.clone())).collect();
            for buffer in &mut buffers {
                for cursor in 0..100 {
                    buffer.push(line(cursor, &text), now);
                }
                assert!(buffer.bytes <= BYTES_MAX);
            }
            assert!(total.0.load(Ordering::Relaxed) <= TOTAL_BYTES_MAX);
            assert!(buffers[99].is_empty() && buffers[99].dropped_take().is_some());
        }
        assert_eq!(total.0.load(Ordering::Relaxed), 0, "what is gone is given back");
    }

    #[test]
    fn a_batch_ends_with_its_lines_or_its_bytes() {
        let (mut buffer, now) = (Buffer::new(DrainTotal::default()), Timestamp::UNIX_EPOCH);
        for cursor in 0..10 {
            buffer.push(line(cursor, "0123456789"), now);
        }
        assert_eq!(buffer.take(3, 1000).len(), 3);
        assert_eq!(buffer.take(100, 15).len(), 2);
        assert_eq!(buffer.take(100, 1000).len(), 5);
        assert!(buffer.is_empty());
    }
}
