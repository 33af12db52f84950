//! A router that only remembers. It outlives the control planes that publish to it, and notices on the spot what no table
//! may say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ambo_controller::ports::{Routes, ServedCertificate};
use ambo_model::{AppId, InstanceId, Route, RouteTable, WorkloadId};
use ambo_scheduler::fake::FakeEngine;
use async_trait::async_trait;
use parking_lot::Mutex;

/// The router.
#[derive(Debug)]
pub struct RecordingRouter {
    engine: FakeEngine,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tables: Vec<RouteTable>,
    served: BTreeSet<AppId>,
    disturbed: BTreeSet<AppId>,
    faults: Vec<String>,
    in_flight: BTreeMap<InstanceId, Duration>,
    routed: BTreeSet<WorkloadId>,
}

impl RecordingRouter {
    /// A router to the instances of an engine.
    #[must_use]
    pub fn new(engine: FakeEngine) -> Self {
        Self { engine, state: Mutex::default() }
    }

    /// From now on the app may be without a target: something that explains it has been done to it.
    pub fn disturbed(&self, app: AppId) {
        self.state.lock().disturbed.insert(app);
    }

    /// All is quiet: from now on every app that has a target keeps one.
    pub fn calm(&self) {
        let mut state = self.state.lock();
        state.disturbed.clear();
        let newest = state.tables.last().cloned().unwrap_or_default();
        state.served = newest.routes.iter().filter(|route| !route.targets.is_empty()).map(|route| route.app).collect();
    }

    /// Requests to every instance take this long to end, from when it is drained.
    pub fn requests_take(&self, instance: InstanceId, duration: Duration) {
        self.state.lock().in_flight.insert(instance, duration);
    }

    /// Every table that was published, oldest first.
    #[must_use]
    pub fn tables(&self) -> Vec<RouteTable> {
        self.state.lock().tables.clone()
    }

    /// The newest table.
    #[must_use]
    pub fn table(&self) -> RouteTable {
        self.state.lock().tables.last().cloned().unwrap_or_default()
    }

    /// The newest route of an app.
    #[must_use]
    pub fn route(&self, app: AppId) -> Option<Route> {
        self.table().routes.into_iter().find(|route| route.app == app)
    }

    /// Whether requests may be sent to an instance now.
    #[must_use]
    pub fn sends_to(&self, instance: &InstanceId) -> bool {
        self.table().routes.iter().any(|route| route.targets.iter().any(|target| target.instance == *instance))
    }

    /// Everything that was ever routed.
    #[must_use]
    pub fn routed(&self) -> BTreeSet<WorkloadId> {
        self.state.lock().routed.clone()
    }

    /// Adds something that must not have happened.
    pub fn fault(&self, fault: String) {
        self.state.lock().faults.push(fault);
    }

    /// What must not have happened, and did.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.state.lock().faults.clone()
    }
}

#[async_trait]
impl Routes for RecordingRouter {
    async fn routes_publish(&self, table: RouteTable) {
        let instances = self.engine.instances();
        let mut state = self.state.lock();
        let number = state.tables.len();
        for route in &table.routes {
            for target in &route.targets {
                match instances.iter().find(|instance| instance.id == target.instance) {
                    Some(instance) => drop(state.routed.insert(instance.workload.clone())),
                    None => {
                        state.faults.push(format!("table {number} names {}, which does not exist", target.instance));
                    }
                }
            }
            if !route.targets.is_empty() {
                state.served.insert(route.app);
            } else if state.served.contains(&route.app) && !state.disturbed.contains(&route.app) {
                state.faults.push(format!("table {number} has no target for {}, whose instances live", route.app_name));
            }
        }
        state.tables.push(table);
    }

    /// Whose host a request is for matters to no claim here.
    async fn certificates_publish(&self, _: Vec<ServedCertificate>) {}

    async fn instances_drained(&self, instances: &[InstanceId], deadline: Duration) {
        let longest = {
            let mut state = self.state.lock();
            instances.iter().filter_map(|instance| state.in_flight.remove(instance)).max()
        };
        if let Some(longest) = longest {
            tokio::time::sleep(longest.min(deadline)).await;
        }
    }
}
