//! An instance as the router knows it: requests in flight, idle connections, ejection.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ambo_model::{InstanceId, Target};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::pool::IdleConnections;

/// How long an instance is left alone after its first failed connect. Doubles with each further one.
pub const EJECTION_FIRST: Duration = Duration::from_secs(1);
/// How long it is left alone at most.
pub const EJECTION_MAX: Duration = Duration::from_secs(30);
/// The number of doublings after which [`EJECTION_MAX`] is reached for certain.
const EJECTION_DOUBLINGS_MAX: u32 = 16;

/// One instance that requests may be sent to. Outlives the tables that name it while requests are in flight.
#[derive(Debug)]
pub(crate) struct TargetState {
    pub(crate) instance: InstanceId,
    pub(crate) name: String,
    pub(crate) endpoint: SocketAddr,
    pub(crate) idle: IdleConnections,
    in_flight: AtomicUsize,
    /// Set when no table names it any more.
    retired: AtomicBool,
    /// Told when the last request in flight to a retired instance has ended.
    drained: Notify,
    /// Told that tunnels to it must end.
    closing: Mutex<Closing>,
    born: Instant,
    failures: AtomicU32,
    /// Milliseconds after `born` until which no request is sent; zero when in rotation.
    ejected_until_ms: AtomicU64,
}

/// The end of an instance's tunnels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Closing {
    begun: CancellationToken,
    /// How long the two sides have to take leave of one another. Set before it has begun.
    goodbye: Arc<OnceLock<Duration>>,
}

impl Closing {
    /// Resolves when the tunnel must end. Cancel safe.
    pub(crate) async fn over(&self) {
        self.begun.cancelled().await;
        tokio::time::sleep(self.goodbye.get().copied().unwrap_or_default()).await;
    }
}

impl TargetState {
    pub(crate) fn new(target: &Target, worker_count: usize) -> Self {
        Self {
            instance: target.instance.clone(),
            name: target.name.clone(),
            endpoint: target.endpoint,
            idle: IdleConnections::new(worker_count),
            in_flight: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
            drained: Notify::new(),
            closing: Mutex::new(Closing::default()),
            born: Instant::now(),
            failures: AtomicU32::new(0),
            ejected_until_ms: AtomicU64::new(0),
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }

    /// Takes it out of use. Called after the table that does not name it any more is in place.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        self.idle.clear();
    }

    /// Takes it into use again.
    pub(crate) fn revive(&self) {
        if self.retired.swap(false, Ordering::SeqCst) {
            *self.closing.lock() = Closing::default();
        }
    }

    /// Ends the tunnels to it that have not ended themselves after `goodbye`; once it is retired, also those that are just
    /// beginning.
    pub(crate) fn tunnels_close(&self, goodbye: Duration) {
        let mut closing = self.closing.lock();
        closing.goodbye.get_or_init(|| goodbye);
        closing.begun.cancel();
        if !self.is_retired() {
            *closing = Closing::default();
        }
    }

    /// What tunnels to it wait for.
    pub(crate) fn closing(&self) -> Closing {
        self.closing.lock().clone()
    }

    /// Waits until no request is in flight. Cancel safe.
    pub(crate) async fn wait_until_drained(&self) {
        loop {
            let mut drained = std::pin::pin!(self.drained.notified());
            drained.as_mut().enable();
            if self.in_flight() == 0 {
                return;
            }
            drained.await;
        }
    }

    /// Whether requests may be sent to it. An instance whose cool-down is over may be sent one, as a probe: the caller that
    /// is told so holds the only permission until the cool-down has passed once more.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let until_ms = self.ejected_until_ms.load(Ordering::Relaxed);
        if until_ms == 0 {
            return true;
        }
        let now_ms = self.age_ms(now);
        if now_ms < until_ms {
            return false;
        }
        let next_ms = now_ms + cool_down_ms(self.failures.load(Ordering::Relaxed));
        self.ejected_until_ms.compare_exchange(until_ms, next_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether it is out of rotation.
    pub(crate) fn is_ejected(&self) -> bool {
        self.ejected_until_ms.load(Ordering::Relaxed) != 0
    }

    /// Notes a failed connect. True when it was in rotation until now.
    pub(crate) fn connect_failed(&self, now: Instant) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        self.idle.clear();
        self.ejected_until_ms.swap(self.age_ms(now) + cool_down_ms(failures), Ordering::Relaxed) == 0
    }

    /// Notes a successful connect. True when it was out of rotation until now.
    pub(crate) fn connect_succeeded(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) == 0 {
            return false;
        }
        self.failures.store(0, Ordering::Relaxed);
        self.ejected_until_ms.swap(0, Ordering::Relaxed) != 0
    }

    fn age_ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX / 2)
    }
}

fn cool_down_ms(failures: u32) -> u64 {
    let doublings = failures.saturating_sub(1).min(EJECTION_DOUBLINGS_MAX);
    let cool_down = EJECTION_FIRST.saturating_mul(1 << doublings).min(EJECTION_MAX);
    u64::try_from(cool_down.as_millis()).unwrap_or(u64::MAX / 2)
}

/// A request in flight to an instance; it counts until dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    target: Arc<TargetState>,
}

impl Lease {
    /// Counts a request, unless the instance was taken out of use meanwhile.
    ///
    /// The order matters: count, then look. `retire` and whoever waits for the drain do the reverse, so either this sees
    /// the retirement or they see the request.
    pub(crate) fn take(target: &Arc<TargetState>) -> Option<Self> {
        target.in_flight.fetch_add(1, Ordering::SeqCst);
        let lease = Self { target: Arc::clone(target) };
        if target.is_retired() { None } else { Some(lease) }
    }

    pub(crate) fn target(&self) -> &Arc<TargetState> {
        &self.target
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.target.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.target.drained.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Arc<TargetState> {
        let endpoint = SocketAddr::from(([127, 0, 0, 1], 1));
        Arc::new(TargetState::new(&Target { instance: InstanceId::new("a"), name: "web.1".into(), endpoint }, 1))
    }

    #[test]
    fn an_ejected_target_is_probed_once_per_cool_down_and_returns_after_a_success() {
        let target = target();
        let start = Instant::now();
        assert!(target.admits(start));
        assert!(target.connect_failed(start), "it was in rotation");
        assert!(!target.admits(start + Duration::from_millis(500)));
        let after = start + EJECTION_FIRST + Duration::from_millis(5);
        assert!(target.admits(after), "the probe");
        assert!(!target.admits(after), "one probe at a time");
        assert!(!target.connect_failed(after), "it was out already");
        assert!(!target.admits(after + EJECTION_FIRST + Duration::from_millis(5)), "the cool-down has doubled");
        assert!(target.admits(after + 2 * EJECTION_FIRST + Duration::from_millis(5)));
        assert!(target.connect_succeeded());
        assert!(target.admits(after));
    }

    #[test]
    fn a_cool_down_never_exceeds_its_maximum() {
        assert_eq!(cool_down_ms(u32::MAX), 30_000);
        assert_eq!(cool_down_ms(1), 1_000);
    }

    #[test]
    fn a_retired_target_gives_no_lease() {
        let target = target();
        let lease = Lease::take(&target).unwrap();
        target.retire();
        assert!(Lease::take(&target).is_none());
        assert_eq!(target.in_flight(), 1);
        drop(lease);
        assert_eq!(target.in_flight(), 0);
    }
}
