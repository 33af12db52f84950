//! The real control plane with many nodes, apps and instances: what it costs, and whether it finds its way back after a part
//! of the nodes is lost.
//!
//! Time is the runtime's own, as in [`super::Simulation`], so that it says how long the control plane waits, while what it
//! works is measured in CPU time. Everything runs in one thread. The store takes its time to answer, as over a network.

mod fleet;
mod meter;
mod routers;
mod seeding;
mod store;

use std::sync::Arc;
use std::time::Duration;

use ambo_controller::accounts::Accounts;
use ambo_controller::vault::Vault;
use ambo_controller::{Controller, Stations};
use ambo_logs::{LogSettings, LogStore};
use ambo_scheduler::Scheduler;
use ambo_store::Store;
use tempfile::TempDir;

use self::fleet::Fleet;
use self::meter::Meter;
use self::routers::Routers;
use self::seeding::Seed;
use self::store::MeteredStore;
use super::{ROUTES_PATIENCE, SETTLE_LOOK, SETTLE_MAX, settings};
use crate::fake_builder::FakeBuilder;
use crate::memory_store::MemoryStore;

pub use self::meter::{Traffic, process_cpu};

/// How long an instance takes from its start until it runs, once the platform is up.
const START_DURATION: Duration = Duration::from_secs(3);

/// How large a platform is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Machines.
    pub nodes: usize,
    /// Apps, each with a release that serves.
    pub apps: usize,
    /// Instances, as evenly over the apps as can be.
    pub instances: usize,
}

impl Size {
    fn instances_of(&self, app: usize) -> u32 {
        let each = self.instances / self.apps;
        u32::try_from(each + usize::from(app < self.instances % self.apps)).unwrap_or(u32::MAX)
    }
}

/// The platform.
#[derive(Debug)]
pub struct Scale {
    size: Size,
    meter: Meter,
    store: MeteredStore,
    fleet: Fleet,
    routers: Arc<Routers>,
    web: usize,
    controller: Option<Arc<Controller>>,
    directory: TempDir,
}

impl Scale {
    /// A platform of this size whose control plane is off.
    ///
    /// # Panics
    /// When that cannot be made; so do all the others of this type.
    pub async fn new(size: Size) -> Self {
        let meter = Meter::default();
        let store = MeteredStore { store: MemoryStore::default(), meter: meter.clone() };
        let fleet = Fleet::new(size.nodes, meter.clone());
        let routers = Arc::new(Routers::new(meter.clone()));
        let directory = tempfile::tempdir().expect("a directory for the logs");
        let mut scale = Self { size, meter, store, fleet, routers, web: 0, controller: None, directory };
        scale.seed().await;
        scale
    }

    async fn seed(&mut self) {
        let vault = self.vault();
        for number in 0..self.size.apps {
            let seed = Seed::new(number, &self.size);
            self.store.commit(seed.records(&vault)).await.expect("write an app down");
            for workload in seed.workloads() {
                self.fleet.workload_ensure(&workload).await.expect("start an app's instances");
            }
            self.web += seed.web();
        }
        self.fleet.starts_take(START_DURATION);
    }

    fn vault(&self) -> Vault {
        Vault::with_key_file(&self.directory.path().join("master.key")).expect("a master key")
    }

    /// Starts a control plane with so many routers linked to it, as a leader that takes over.
    pub async fn start(&mut self, routers: usize) {
        let logs = LogStore::open(&self.directory.path().join("logs"), LogSettings::default()).expect("open the logs");
        let store: Arc<dyn Store> = Arc::new(self.store.clone());
        let stations = Stations {
            store: store.clone(),
            scheduler: Arc::new(self.fleet.clone()),
            builder: Arc::new(FakeBuilder::default()),
            routes: self.routers.clone(),
            dialer: Arc::new(self.fleet.clone()),
            artifacts: Arc::new(self.store.clone()),
            logs: Arc::new(logs),
            nodes: None,
        };
        let controller = Controller::new(stations, Accounts::new(store), self.vault(), settings());
        controller.recover().await.expect("put right what the last run left behind");
        self.routers.link(routers).await;
        controller.routes_prepare(ROUTES_PATIENCE).await;
        tokio::spawn(Arc::clone(&controller).run());
        self.controller = Some(controller);
    }

    /// Loses so many nodes at once; gives how many instances went with them.
    pub fn nodes_lose(&self, count: usize) -> usize {
        (1..=count).map(|number| self.fleet.node_lose(&format!("node-{number}"))).sum()
    }

    /// What does not hold now: every app has all of its instances, and every `web` of them is routed to by everybody.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let running = self.fleet.running();
        if running != self.size.instances {
            complaints.push(format!("{running} of {} instances run", self.size.instances));
        }
        let table = self.routers.table();
        let routed: usize = table.routes.iter().map(|route| route.targets.len()).sum();
        if routed != self.web {
            complaints.push(format!("{routed} of {} are routed to", self.web));
        }
        let (linked, in_step) = self.routers.in_step();
        if in_step != linked {
            complaints.push(format!("{in_step} of {linked} routers go by the newest table"));
        }
        complaints
    }

    /// Lets time pass until nothing is to complain of; gives how long that was, in the simulation's time.
    pub async fn settle(&self) -> Duration {
        let begun = tokio::time::Instant::now();
        loop {
            let complaints = self.complaints();
            if complaints.is_empty() {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < SETTLE_MAX, "it does not come to rest: {complaints:#?}");
            tokio::time::sleep(SETTLE_LOOK).await;
        }
    }

    /// How many routers are linked and go by the newest table.
    #[must_use]
    pub fn routers_in_step(&self) -> usize {
        self.routers.in_step().1
    }

    /// Bytes that were sent to routers.
    #[must_use]
    pub fn router_bytes(&self) -> u64 {
        self.routers.bytes()
    }

    /// What has gone over the control plane's ports.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.meter.traffic()
    }

    /// Stops the control plane.
    pub async fn stop(&mut self) {
        if let Some(controller) = self.controller.take() {
            controller.stop();
            controller.stopped().await;
        }
    }
}
