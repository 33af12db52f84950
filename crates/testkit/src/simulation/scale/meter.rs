//! What goes over the ports of a control plane, counted; and the CPU time of what stands in for store and engine, so that
//! it can be taken off the whole.

use std::ops::Sub;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

/// Counts since the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Single keys that were asked for.
    pub gets: u64,
    /// Pages of listings.
    pub pages: u64,
    /// Entries that came back.
    pub entries_read: u64,
    /// Bytes of their keys and values.
    pub bytes_read: u64,
    /// Transactions.
    pub commits: u64,
    /// Bytes of the keys and values that they put.
    pub bytes_written: u64,
    /// Watches that were begun.
    pub watches: u64,
    /// Observations of all instances.
    pub observations: u64,
    /// Instances that these gave.
    pub instances_observed: u64,
    /// Workloads that were brought to their count.
    pub ensures: u64,
    /// Connections to instances: health checks.
    pub dials: u64,
    /// Tables that were published.
    pub tables: u64,
    /// CPU time of the stand-ins.
    pub stand_ins: Duration,
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            gets: self.gets - before.gets,
            pages: self.pages - before.pages,
            entries_read: self.entries_read - before.entries_read,
            bytes_read: self.bytes_read - before.bytes_read,
            commits: self.commits - before.commits,
            bytes_written: self.bytes_written - before.bytes_written,
            watches: self.watches - before.watches,
            observations: self.observations - before.observations,
            instances_observed: self.instances_observed - before.instances_observed,
            ensures: self.ensures - before.ensures,
            dials: self.dials - before.dials,
            tables: self.tables - before.tables,
            stand_ins: self.stand_ins.saturating_sub(before.stand_ins),
        }
    }
}

/// The counter. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<Mutex<Traffic>>);

impl Meter {
    /// As counted until now.
    pub(super) fn traffic(&self) -> Traffic {
        *self.0.lock()
    }

    pub(super) fn count(&self, add: impl FnOnce(&mut Traffic)) {
        add(&mut self.0.lock());
    }

    /// Does a stand-in's work, which waits for nothing.
    pub(super) fn stand_in<T>(&self, work: impl FnOnce() -> T) -> T {
        let begun = thread_cpu();
        let done = work();
        let lasted = thread_cpu().saturating_sub(begun);
        self.count(|traffic| traffic.stand_ins += lasted);
        done
    }
}

/// The CPU time of this thread.
fn thread_cpu() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

/// The CPU time of this process, of the kernel's for it as well.
#[must_use]
pub fn process_cpu() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

fn clock(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
