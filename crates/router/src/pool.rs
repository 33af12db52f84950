//! Idle keep-alive connections to one instance, per worker.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::upstream::InstanceConnection;

/// Most idle connections that one worker keeps to one instance.
pub const IDLE_CONNECTIONS_MAX: usize = 256;
/// How long an idle connection is kept.
pub const IDLE_AGE_MAX: Duration = Duration::from_secs(30);
/// How long it may have been idle to be given a request that must not be sent twice. Servers close idle connections after
/// seconds (Node after five, gunicorn after two); such a request must not meet that moment.
pub const IDLE_AGE_UNREPEATABLE_MAX: Duration = Duration::from_secs(1);

/// A connection belongs to the runtime that opened it, hence one slot per worker. The locks are uncontended.
#[derive(Debug)]
#[expect(
    clippy::vec_box,
    reason = "a connection is large and moves between here and the requests; its box moves instead"
)]
pub(crate) struct IdleConnections {
    workers: Box<[Mutex<Vec<Box<InstanceConnection>>>]>,
}

impl IdleConnections {
    pub(crate) fn new(worker_count: usize) -> Self {
        Self { workers: (0..worker_count.max(1)).map(|_| Mutex::new(Vec::new())).collect() }
    }

    /// The connection used last that still stands and has been idle for no longer than `age_max`.
    pub(crate) fn take(&self, worker: usize, now: Instant, age_max: Duration) -> Option<Box<InstanceConnection>> {
        let mut idle = self.workers.get(worker)?.lock();
        while let Some(mut connection) = idle.pop() {
            if connection.idle_age(now) > age_max {
                // Older ones lie below it: none will do. It stays for requests that mind less.
                idle.push(connection);
                return None;
            }
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(crate) fn put(&self, worker: usize, connection: Box<InstanceConnection>) {
        let Some(idle) = self.workers.get(worker) else { return };
        let mut idle = idle.lock();
        if idle.len() < IDLE_CONNECTIONS_MAX {
            idle.push(connection);
        }
    }

    /// Drops what has been closed or has been idle for too long.
    pub(crate) fn sweep(&self, worker: usize, now: Instant) {
        if let Some(idle) = self.workers.get(worker) {
            idle.lock().retain_mut(|connection| connection.idle_age(now) <= IDLE_AGE_MAX && connection.is_ready());
        }
    }

    /// Drops all.
    pub(crate) fn clear(&self) {
        for idle in &self.workers {
            idle.lock().clear();
        }
    }
}
