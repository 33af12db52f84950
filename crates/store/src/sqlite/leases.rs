//! Which leases live, and until when.
//!
//! Deadlines are of this process only: a renewal touches no disk, and a restart renews all.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::port::LeaseId;

/// The leases of a store.
#[derive(Debug, Clone, Default)]
pub(super) struct Leases {
    alive: HashMap<LeaseId, Lease>,
    by_deadline: BTreeSet<(Instant, LeaseId)>,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    ttl: Duration,
    deadline: Instant,
}

impl Leases {
    /// Reads the leases of the file; each starts anew.
    pub(super) fn load(connection: &Connection, now: Instant) -> rusqlite::Result<Self> {
        let mut leases = Self::default();
        let mut statement = connection.prepare("SELECT id, ttl_ms FROM leases")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let ttl_ms: i64 = row.get(1)?;
            leases.insert(LeaseId(row.get(0)?), Duration::from_millis(u64::try_from(ttl_ms).unwrap_or(0)), now);
        }
        Ok(leases)
    }

    pub(super) fn contains(&self, lease: &LeaseId) -> bool {
        self.alive.contains_key(lease)
    }

    pub(super) fn insert(&mut self, lease: LeaseId, ttl: Duration, now: Instant) {
        let deadline = now + ttl;
        self.by_deadline.insert((deadline, lease.clone()));
        self.alive.insert(lease, Lease { ttl, deadline });
    }

    /// Extends a lease; `false` when it has ended.
    pub(super) fn renew(&mut self, lease: &LeaseId, now: Instant) -> bool {
        let Some(Lease { ttl, deadline }) = self.alive.get(lease).copied() else { return false };
        if deadline <= now {
            return false;
        }
        self.remove(lease);
        self.insert(lease.clone(), ttl, now);
        true
    }

    /// Forgets a lease; `false` when it was gone.
    pub(super) fn remove(&mut self, lease: &LeaseId) -> bool {
        let Some(Lease { deadline, .. }) = self.alive.remove(lease) else { return false };
        self.by_deadline.remove(&(deadline, lease.clone()));
        true
    }

    /// When the next lease ends.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    /// A lease that has ended.
    pub(super) fn ended(&self, now: Instant) -> Option<LeaseId> {
        self.by_deadline.first().filter(|(deadline, _)| *deadline <= now).map(|(_, lease)| lease.clone())
    }
}
