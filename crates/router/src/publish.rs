//! What all workers share, and the handle by which the control plane steers it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{InstanceId, RouteTable};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use crate::access::AccessRing;
use crate::host::NormalHost;
use crate::settings::RouterSettings;
use crate::table::{CompiledRoute, CompiledTable};
use crate::target::TargetState;
use crate::tls::{Certificate, Certificates};

/// Events that a slow listener may be behind; then it loses the oldest.
const EVENTS_MAX: usize = 256;

/// What the router noticed about an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouterEvent {
    /// It accepts no connections and gets no requests for a while but a probe now and then.
    Ejected {
        /// Which.
        instance: InstanceId,
    },
    /// It accepts connections again.
    Restored {
        /// Which.
        instance: InstanceId,
    },
}

/// How a drain ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drained {
    /// Requests and tunnels that were still in flight at the deadline, per instance. The tunnels were closed then.
    pub in_flight: Vec<(InstanceId, usize)>,
}

impl Drained {
    /// Whether nothing was in flight any more.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.in_flight.is_empty()
    }
}

/// Shared by the workers.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: RouterSettings,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) rings: Vec<Arc<AccessRing>>,
    table: ArcSwap<CompiledTable>,
    /// Every instance that a table names or that still has requests. Locked by whoever publishes or asks, never by requests.
    targets: Mutex<Vec<Arc<TargetState>>>,
    latest: watch::Sender<Arc<RouteTable>>,
    events: broadcast::Sender<RouterEvent>,
}

impl Shared {
    pub(crate) fn new(settings: RouterSettings, certificates: Arc<Certificates>) -> Self {
        let rings = (0..settings.worker_count).map(|_| Arc::default()).collect();
        Self {
            settings,
            certificates,
            rings,
            table: ArcSwap::default(),
            targets: Mutex::default(),
            latest: watch::Sender::new(Arc::default()),
            events: broadcast::Sender::new(EVENTS_MAX),
        }
    }

    /// The route of a host. On the path of every request: no lock, no allocation.
    pub(crate) fn route_lookup(&self, host: &NormalHost) -> Option<Arc<CompiledRoute>> {
        self.table.load().route_lookup(host).cloned()
    }

    /// Calls `visit` with every target that may hold idle connections.
    pub(crate) fn targets_each(&self, mut visit: impl FnMut(&TargetState)) {
        self.targets.lock().iter().for_each(|target| visit(target));
    }

    pub(crate) fn event(&self, event: RouterEvent) {
        tracing::info!(?event, "instance changed");
        // Nobody listening is fine.
        let _ = self.events.send(event);
    }

    pub(crate) fn latest(&self) -> watch::Receiver<Arc<RouteTable>> {
        self.latest.subscribe()
    }

    /// Puts a table in place. Instances that it names keep their state; the others are retired and remembered for as long as
    /// they have requests.
    pub(crate) fn table_swap(&self, table: &RouteTable) {
        let mut targets = self.targets.lock();
        let mut known: HashMap<_, _> =
            targets.iter().map(|state| ((state.instance.clone(), state.endpoint), Arc::clone(state))).collect();
        let mut named = HashSet::new();
        let compiled = CompiledTable::compile(table, &self.settings.platform_hosts, |target| {
            let key = (target.instance.clone(), target.endpoint);
            let state = known
                .entry(key.clone())
                .or_insert_with(|| Arc::new(TargetState::new(target, self.settings.worker_count)));
            state.revive();
            named.insert(key);
            Arc::clone(state)
        });
        self.table.store(Arc::new(compiled));
        known.retain(|key, state| {
            if named.contains(key) {
                return true;
            }
            state.retire();
            state.in_flight() > 0
        });
        *targets = known.into_values().collect();
    }

    fn targets_of(&self, instances: &[InstanceId]) -> Vec<Arc<TargetState>> {
        self.targets.lock().iter().filter(|state| instances.contains(&state.instance)).cloned().collect()
    }
}

/// Steers a router from outside. Cheap to clone; outlives the router harmlessly.
#[derive(Debug, Clone)]
pub struct RouterHandle {
    pub(crate) shared: Arc<Shared>,
}

impl RouterHandle {
    /// Replaces the whole table. When this returns, every new request goes by it. It is written to disk later, off the path
    /// of requests and of the caller. One that is in place already costs neither.
    pub fn publish(&self, table: RouteTable) {
        if *self.table() == table {
            return;
        }
        self.shared.table_swap(&table);
        self.shared.latest.send_replace(Arc::new(table));
    }

    /// The table that was published or loaded last.
    #[must_use]
    pub fn table(&self) -> Arc<RouteTable> {
        Arc::clone(&self.shared.latest.borrow())
    }

    /// Waits until no request and no tunnel is in flight to any of these, or the grace has passed. To be called after a
    /// [`publish`](Self::publish) that does not name them. Cancel safe.
    ///
    /// Tunnels that are left have the grace once more: whoever stops an instance tells it, and it can close its WebSockets in
    /// their own words. Then they are closed.
    pub async fn drained(&self, instances: &[InstanceId], grace: Duration) -> Drained {
        let targets = self.shared.targets_of(instances);
        let deadline = Instant::now() + grace;
        for target in &targets {
            if tokio::time::timeout_at(deadline, target.wait_until_drained()).await.is_err() {
                break;
            }
        }
        // Counted before the tunnels are closed.
        let in_flight = targets.iter().map(|target| (target.instance.clone(), target.in_flight()));
        let in_flight: Vec<_> = in_flight.filter(|(_, count)| *count > 0).collect();
        targets.iter().for_each(|target| target.tunnels_close(grace));
        Drained { in_flight }
    }

    /// Requests and tunnels in flight to these.
    #[must_use]
    pub fn in_flight(&self, instances: &[InstanceId]) -> usize {
        self.shared.targets_of(instances).iter().map(|target| target.in_flight()).sum()
    }

    /// Instances that are out of rotation because they accept no connections.
    #[must_use]
    pub fn ejected(&self) -> Vec<InstanceId> {
        let targets = self.shared.targets.lock();
        targets.iter().filter(|target| target.is_ejected()).map(|target| target.instance.clone()).collect()
    }

    /// What the router notices from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<RouterEvent> {
        self.shared.events.subscribe()
    }

    /// Replaces all certificates but the default one. New handshakes use them at once.
    pub fn certificates_publish(&self, certificates: Vec<Certificate>) {
        self.shared.certificates.replace(certificates);
    }

    /// Replaces the default certificate, for names that have none of their own and for clients that name none.
    pub fn default_certificate_publish(&self, certificate: Certificate) {
        self.shared.certificates.replace_default(certificate);
    }

    /// Access records that were dropped because the sink was too slow.
    #[must_use]
    pub fn access_dropped(&self) -> u64 {
        self.shared.rings.iter().map(|ring| ring.dropped()).sum()
    }
}

#[cfg(test)]
mod tests {
    use ambo_model::{AppId, AppName, Route};

    use super::*;

    #[test]
    fn a_table_that_is_in_place_is_not_written_again() {
        let shared = Shared::new(RouterSettings::default(), Arc::new(Certificates::new(None)));
        let handle = RouterHandle { shared: Arc::new(shared) };
        let route = Route {
            app: AppId::new(),
            app_name: AppName::parse("shop").unwrap(),
            hosts: Vec::new(),
            targets: Vec::new(),
            maintenance: false,
            crashed: false,
        };
        let mut latest = handle.shared.latest();
        handle.publish(RouteTable { routes: vec![route.clone()] });
        assert!(latest.has_changed().unwrap());
        latest.mark_unchanged();
        handle.publish(RouteTable { routes: vec![route.clone()] });
        assert!(!latest.has_changed().unwrap());
        handle.publish(RouteTable { routes: vec![Route { maintenance: true, ..route }] });
        assert!(latest.has_changed().unwrap());
    }
}
