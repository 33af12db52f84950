//! Slows down those who guess passwords. Lives in memory, in a table of bounded size.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ambo_model::{Email, Timestamp};
use parking_lot::Mutex;

/// Most rows of a table; the one that failed longest ago makes room.
const ROWS_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy)]
struct Row {
    failures: u32,
    last: Timestamp,
}

/// Failures per key, and how long each must wait.
#[derive(Debug)]
pub(super) struct Throttle<K> {
    /// Failures that cost nothing.
    free: u32,
    /// The longest wait.
    wait_max: Duration,
    rows: Mutex<HashMap<K, Row>>,
}

impl Throttle<Email> {
    /// Per address of an account. The wait is short, so that a stranger's guesses do not keep the owner out for long.
    pub(super) fn for_emails() -> Self {
        Self { free: 5, wait_max: Duration::from_secs(60), rows: Mutex::default() }
    }
}

impl Throttle<IpAddr> {
    /// Per network address.
    pub(super) fn for_addresses() -> Self {
        Self { free: 20, wait_max: Duration::from_secs(15 * 60), rows: Mutex::default() }
    }
}

impl<K: Eq + Hash + Clone> Throttle<K> {
    /// How long this one must still wait; `None` when it need not.
    pub(super) fn wait(&self, key: &K, now: Timestamp) -> Option<Duration> {
        let row = *self.rows.lock().get(key)?;
        let passed = Duration::try_from(now.duration_since(row.last)).unwrap_or_default();
        self.delay(row.failures).checked_sub(passed).filter(|left| !left.is_zero())
    }

    /// Takes note of a failure.
    pub(super) fn failed(&self, key: &K, now: Timestamp) {
        let mut rows = self.rows.lock();
        if rows.len() >= ROWS_MAX && !rows.contains_key(key) {
            let oldest = rows.iter().min_by_key(|(_, row)| row.last).map(|(key, _)| key.clone());
            oldest.map(|key| rows.remove(&key));
        }
        let row = rows.entry(key.clone()).or_insert(Row { failures: 0, last: now });
        let quiet = Duration::try_from(now.duration_since(row.last)).unwrap_or_default();
        if quiet > self.wait_max * 2 {
            row.failures = 0;
        }
        row.failures = row.failures.saturating_add(1);
        row.last = now;
    }

    /// Forgets the failures.
    pub(super) fn succeeded(&self, key: &K) {
        self.rows.lock().remove(key);
    }

    /// One second after the free failures, doubled with each further one.
    fn delay(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.free) {
            None => Duration::ZERO,
            Some(beyond) => Duration::from_secs(1_u64 << beyond.min(20)).min(self.wait_max),
        }
    }
}

/// What counts as one address: an IPv6 user has a whole /64. `None` for this machine itself, where a proxy in front of us
/// would make everybody look alike.
pub(super) fn address_key(peer: IpAddr) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    match peer {
        _ if peer.is_loopback() => None,
        IpAddr::V4(_) => Some(peer),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Some(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn the_wait_doubles_up_to_its_maximum_and_ends_with_a_success() {
        let (throttle, email) = (Throttle::for_emails(), Email::parse("a@example.com").unwrap());
        for _ in 0..4 {
            throttle.failed(&email, at(0));
            assert_eq!(throttle.wait(&email, at(0)), None);
        }
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            throttle.failed(&email, at(0));
            assert_eq!(throttle.wait(&email, at(0)), Some(Duration::from_secs(expected)));
        }
        assert_eq!(throttle.wait(&email, at(60)), None);
        throttle.succeeded(&email);
        throttle.failed(&email, at(60));
        assert_eq!(throttle.wait(&email, at(60)), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let throttle = Throttle::for_addresses();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..(u32::try_from(ROWS_MAX).unwrap() + 10) {
            throttle.failed(&address(n), at(i64::from(n)));
        }
        assert_eq!(throttle.rows.lock().len(), ROWS_MAX);
        assert!(!throttle.rows.lock().contains_key(&address(0)));
    }

    #[test]
    fn an_ipv6_user_is_one_network_and_this_machine_is_nobody() {
        let one: IpAddr = "2001:db8:1:2::1".parse().unwrap();
        let two: IpAddr = "2001:db8:1:2:ffff::9".parse().unwrap();
        assert_eq!(address_key(one), address_key(two));
        assert_eq!(address_key("127.0.0.1".parse().unwrap()), None);
        assert_eq!(address_key("::ffff:127.0.0.1".parse().unwrap()), None);
    }
}
