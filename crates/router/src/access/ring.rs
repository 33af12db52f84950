//! From the workers to the sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::access::record::{AccessRecord, AccessSink};

/// Most records that wait in one worker's ring; further ones are dropped and counted.
const RING_RECORDS_MAX: usize = 16 * 1024;
/// How long the thread lets records gather, so that it is woken once for many.
const GATHER: Duration = Duration::from_millis(10);

/// One worker's records that the sink has not seen yet.
#[derive(Debug, Default)]
pub(crate) struct AccessRing {
    waiting: Mutex<Vec<AccessRecord>>,
    dropped: AtomicU64,
    reader: Mutex<Option<Thread>>,
}

impl AccessRing {
    /// Adds a record, or drops it when the sink is too far behind. Never waits for the sink.
    pub(crate) fn push(&self, record: AccessRecord) {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= RING_RECORDS_MAX {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let first = waiting.is_empty();
        waiting.push(record);
        drop(waiting);
        if first && let Some(reader) = &*self.reader.lock() {
            reader.unpark();
        }
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The thread that empties the rings; ends, after a last round, when dropped.
#[derive(Debug)]
pub(crate) struct AccessThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl AccessThread {
    pub(crate) fn start(rings: Vec<Arc<AccessRing>>, sink: Arc<dyn AccessSink>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let readers = rings.clone();
        let run = move || rings_empty(&rings, &*sink, &stopped);
        let thread = thread::Builder::new().name("router-log".to_owned()).spawn(run)?;
        for ring in readers {
            *ring.reader.lock() = Some(thread.thread().clone());
        }
        // Records that came before the rings knew their reader.
        thread.thread().unpark();
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for AccessThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A sink that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}

fn rings_empty(rings: &[Arc<AccessRing>], sink: &dyn AccessSink, stop: &AtomicBool) {
    let mut batch = Vec::new();
    loop {
        let last = stop.load(Ordering::Acquire);
        let mut idle = true;
        for ring in rings {
            // Whatever room the batch has gained goes to the worker, so neither side allocates in the long run.
            std::mem::swap(&mut batch, &mut ring.waiting.lock());
            idle &= batch.is_empty();
            batch.drain(..).for_each(|record| sink.record(record));
        }
        if last {
            return;
        }
        if idle {
            thread::park();
        }
        gather(stop);
    }
}

fn gather(stop: &AtomicBool) {
    let until = Instant::now() + GATHER;
    while !stop.load(Ordering::Acquire) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        thread::park_timeout(left);
    }
}
