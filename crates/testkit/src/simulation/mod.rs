//! One app on the real control plane in a world of ours, which is killed, cut off and started again.
//!
//! Time is the runtime's own: run it with paused time. A seed gives the order of what is done and how long calls take;
//! ids are random, so that two runs of a seed differ where something is ordered by them.
//!
//! The app's `web` is checked by its uptime, since instances of the fake engine listen nowhere.

mod claims;
pub mod random;
pub mod scale;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ambo_builder::{BuildLimits, RegistryLogin};
use ambo_controller::accounts::{Accounts, Caller};
use ambo_controller::progress::Progress;
use ambo_controller::push::{Deploy, DeployError, Deployed};
use ambo_controller::vault::Vault;
use ambo_controller::{Controller, ControllerError, ControllerSettings, Stations, records};
use ambo_logs::{LogSettings, LogStore};
use ambo_model::{
    Account, AccountId, App, AppId, AppName, ByteSize, ConfigChange, ConfigKey, Email, HealthCheck, Hostname, Instance,
    Probe, ProcessType, ReleaseVersion, Role, Secret, Timestamp,
};
use ambo_scheduler::fake::FakeEngine;
use ambo_store::{Store, Transaction};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::fake_builder::{FakeBuilder, Outcome};
use crate::lifeline::{Fault, Lifeline, Moment};
use crate::memory_store::MemoryStore;
use crate::recording_router::RecordingRouter;

/// A program that runs for ever.
pub const GOOD: &str = "web: sleep infinity\nworker: sleep infinity\n";
/// Longest wait for rest, in the simulation's time.
const SETTLE_MAX: Duration = Duration::from_secs(600);
/// From one look whether all is at rest to the next.
const SETTLE_LOOK: Duration = Duration::from_secs(1);
/// How long a start waits for the engine before the router begins.
const ROUTES_PATIENCE: Duration = Duration::from_secs(10);

/// The simulation.
#[derive(Debug)]
pub struct Simulation {
    /// The state's disk.
    pub store: MemoryStore,
    /// The engine.
    pub engine: FakeEngine,
    /// The builder.
    pub builder: Arc<FakeBuilder>,
    /// The router.
    pub router: Arc<RecordingRouter>,
    /// The app.
    pub app: AppId,
    /// Its owner.
    pub caller: Caller,
    seed: Option<u64>,
    plane: Plane,
    starts: u64,
    promised: ReleaseVersion,
    directory: TempDir,
}

#[derive(Debug)]
struct Plane {
    controller: Arc<Controller>,
    lifeline: Lifeline,
    run: JoinHandle<()>,
}

impl Simulation {
    /// An app without a build, on a control plane that runs.
    ///
    /// # Panics
    /// When that cannot be made; so do all the others of this type.
    pub async fn new(seed: Option<u64>) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the logs");
        let (store, engine) = (MemoryStore::default(), FakeEngine::new());
        let router = Arc::new(RecordingRouter::new(engine.clone()));
        let builder = Arc::new(FakeBuilder::default());
        let caller = Caller::of(&Account {
            id: AccountId::new(),
            email: Email::parse("ann@example.com").expect("an address"),
            role: Role::Member,
            created_at: Timestamp::UNIX_EPOCH,
        });
        let lifeline = Lifeline::new(store.clone(), engine.clone(), builder.clone(), router.clone(), seed);
        let plane = Plane::start(&lifeline, &directory).await;
        let name = AppName::parse("shop").expect("a name");
        let app = plane.controller.app_create(&caller, Some(name), Timestamp::now()).await.expect("create the app");
        uptime_check_set(&store, app.id).await;
        let promised = app.last_version;
        Self { store, engine, builder, router, app: app.id, caller, seed, plane, starts: 0, promised, directory }
    }

    /// The control plane.
    #[must_use]
    pub fn controller(&self) -> Arc<Controller> {
        Arc::clone(&self.plane.controller)
    }

    /// The app, as operations name it.
    #[must_use]
    pub fn name(&self) -> String {
        self.app.to_string()
    }

    /// The app's record.
    pub async fn record(&self) -> App {
        let found = records::get::<App>(&self.store, &format!("apps/{}", self.app)).await;
        found.expect("read the app").expect("the app is there").value
    }

    /// Begins a deploy; its client waits for it.
    pub fn deploy_begin(
        &self,
        outcome: Outcome,
        lasting: Duration,
    ) -> impl Future<Output = Result<Deployed, DeployError>> + Send + use<> {
        let deploy = Deploy::Image { reference: self.builder.order(outcome, lasting), procfile: None };
        let (controller, app, caller) = (self.controller(), self.app, self.caller.clone());
        async move { controller.deploy(app, &caller, deploy, Progress::silent()).await }
    }

    /// Deploys this Procfile.
    ///
    /// # Errors
    /// As the control plane's.
    pub async fn deploy(&self, procfile: &str) -> Result<Deployed, DeployError> {
        self.deploy_begin(Outcome::Procfile(procfile.to_owned()), Duration::from_secs(1)).await
    }

    /// Sets a config variable.
    ///
    /// # Errors
    /// As the control plane's.
    pub async fn config_set(&self, key: &str, value: &str) -> Result<(), ControllerError> {
        let change = ConfigChange::from([(ConfigKey::parse(key).expect("a key"), Some(Secret::new(value)))]);
        self.controller().config_update(&self.caller, &self.name(), &change, Timestamp::now()).await.map(drop)
    }

    /// The config that the next change builds on.
    pub async fn config(&self) -> BTreeMap<String, String> {
        let config = self.controller().config_find(&self.caller, &self.name()).await.expect("read the config");
        config.iter().map(|(key, value)| (key.as_str().to_owned(), value.reveal().to_owned())).collect()
    }

    /// What runs of the app.
    #[must_use]
    pub fn running(&self) -> Vec<Instance> {
        self.engine.instances().into_iter().filter(Instance::is_running).collect()
    }

    /// Something will happen at this moment.
    pub fn fault_at(&self, moment: Moment, fault: Fault) {
        self.plane.lifeline.fault_at(moment, fault);
    }

    /// Whether it has happened.
    #[must_use]
    pub fn fault_happened(&self) -> bool {
        self.plane.lifeline.fault_happened()
    }

    /// Whether the control plane is dead.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.plane.lifeline.is_cut()
    }

    /// Kills the control plane and starts another one on the same world.
    pub async fn crash(&mut self) {
        self.plane.lifeline.cut();
        self.plane.run.abort();
        self.start().await;
    }

    /// Stops the control plane as a signal does, and starts another one.
    pub async fn restart(&mut self) {
        self.plane.controller.stop();
        self.plane.controller.stopped().await;
        let ended = tokio::time::timeout(SETTLE_MAX, &mut self.plane.run).await;
        ended.expect("the control plane stops").expect("the control plane ends well");
        self.plane.lifeline.cut();
        self.start().await;
    }

    async fn start(&mut self) {
        self.starts += 1;
        let (store, engine) = (self.store.clone(), self.engine.clone());
        let seed = self.seed.map(|seed| seed.wrapping_add(self.starts << 32));
        let lifeline = Lifeline::new(store, engine, self.builder.clone(), self.router.clone(), seed);
        self.plane = Plane::start(&lifeline, &self.directory).await;
    }

    /// Lets time pass until all is at rest and every claim of [`Simulation::complaints`] holds.
    ///
    /// # Panics
    /// When that takes too long, or something has happened that must not happen at any time.
    pub async fn settle(&mut self) {
        let begun = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(SETTLE_LOOK).await;
            let faults = self.router.faults();
            assert!(faults.is_empty(), "seed {:?}: {faults:#?}", self.seed);
            let complaints = self.complaints().await;
            if complaints.is_empty() {
                break;
            }
            assert!(begun.elapsed() < SETTLE_MAX, "seed {:?} does not come to rest: {complaints:#?}", self.seed);
        }
        self.router.calm();
    }
}

impl Plane {
    /// Starts a control plane as `ambod` does.
    async fn start(lifeline: &Lifeline, directory: &TempDir) -> Self {
        let line = || Arc::new(lifeline.clone());
        let logs = LogStore::open(&directory.path().join("logs"), LogSettings::default()).expect("open the logs");
        let stations = Stations {
            store: line(),
            scheduler: line(),
            builder: line(),
            routes: line(),
            dialer: Arc::new(ambo_controller::ports::DirectDialer),
            artifacts: line(),
            logs: Arc::new(logs),
            nodes: None,
        };
        let vault = Vault::with_key_file(&directory.path().join("master.key")).expect("a master key");
        let controller = Controller::new(stations, Accounts::new(line()), vault, settings());
        controller.recover().await.expect("put right what the last run left behind");
        controller.routes_prepare(ROUTES_PATIENCE).await;
        let run = tokio::spawn(Arc::clone(&controller).run());
        Self { controller, lifeline: lifeline.clone(), run }
    }
}

async fn uptime_check_set(store: &MemoryStore, app: AppId) {
    let web = ProcessType::web();
    let mut found = records::get::<App>(store, &format!("apps/{app}")).await.expect("read").expect("the app");
    let check = HealthCheck { probe: Probe::Uptime { seconds: 1 }, ..HealthCheck::default_for(&web) };
    found.value.formation.entry_mut(&web).health = Some(check);
    store.commit(records::replace(Transaction::new(), &found)).await.expect("write the app");
}

fn settings() -> ControllerSettings {
    ControllerSettings {
        domain: Hostname::parse("localhost").expect("a host"),
        platform_hosts: Vec::new(),
        web_scheme: "http".to_owned(),
        web_port: 7000,
        registry: "127.0.0.1:7050".to_owned(),
        registry_login: RegistryLogin { username: "platform".to_owned(), password: Secret::new("x") },
        builds_max: 2,
        build_limits: BuildLimits {
            duration: Duration::from_secs(600),
            memory: None,
            output_bytes: 1 << 20,
            source: ByteSize::mib(10),
        },
        grace: Duration::from_secs(5),
        release_phase_max: Duration::from_secs(60),
        deploy_wait: Duration::from_secs(10),
        releases_kept: 10,
        drain_guard: ambo_model::address::refusal,
    }
}
