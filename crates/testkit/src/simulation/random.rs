//! What a seed does to an app.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ambo_controller::formations::Quantity;
use ambo_model::{ProcessType, ReleaseStatus, ReleaseVersion, Timestamp};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use super::{GOOD, Simulation};
use crate::fake_builder::{NEVER_READY, Outcome};

/// What is done between two rests.
const OPERATIONS_MAX: usize = 9;
/// Longest pause between two of them, in milliseconds.
const PAUSE_MAX_MS: u64 = 6_000;

/// What the users were told.
#[derive(Clone, Debug, Default)]
struct Promises {
    deployed: Vec<ReleaseVersion>,
    rolled_back: Vec<ReleaseVersion>,
    configured: Vec<u32>,
}

/// A simulation under a seed.
#[derive(Debug)]
pub struct Chaos {
    simulation: Simulation,
    random: StdRng,
    clients: JoinSet<()>,
    promises: Arc<Mutex<Promises>>,
    changes: u32,
    history: Vec<&'static str>,
}

impl Drop for Chaos {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[allow(clippy::print_stderr, reason = "a failed test says how to repeat it")]
            {
                eprintln!("seed {:?} did: {}", self.simulation.seed, self.history.join(", "));
            }
        }
    }
}

impl Chaos {
    /// A simulation of this seed, with an app that serves.
    ///
    /// # Panics
    /// When the first deploy fails.
    pub async fn new(seed: u64) -> Self {
        let mut simulation = Simulation::new(Some(seed)).await;
        simulation.deploy(GOOD).await.expect("the first deploy serves");
        simulation.settle().await;
        Self {
            simulation,
            random: StdRng::seed_from_u64(seed),
            clients: JoinSet::new(),
            promises: Arc::default(),
            changes: 0,
            history: Vec::new(),
        }
    }

    /// Does something for a while, lets all come to rest, and holds what follows to the claims.
    ///
    /// # Panics
    /// When a claim does not hold.
    pub async fn round(&mut self) {
        for _ in 0..self.random.random_range(1..=OPERATIONS_MAX) {
            self.operate().await;
            let pause = self.random.random_range(0..=PAUSE_MAX_MS);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        self.history.push("rest");
        self.simulation.engine.up();
        self.simulation.engine.starts_take(Duration::ZERO);
        self.simulation.engine.sigterm_ignored(false);
        if self.random.random_bool(0.5) {
            self.clients.shutdown().await;
        } else {
            let patient = async { while self.clients.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(Duration::from_secs(120), patient).await; // Some builds hang.
            self.clients.shutdown().await;
        }
        self.simulation.settle().await;
        self.promises_kept().await;
    }

    async fn operate(&mut self) {
        let random = self.random.random_range(0..100);
        match random {
            0..22 => self.deploy(),
            22..37 => self.configure(),
            37..45 => self.roll_back().await,
            45..55 => self.scale(),
            55..61 => self.restart(),
            61..72 => self.kill(),
            72..76 => self.engine_down(),
            76..82 => self.engine_up(),
            82..85 => self.slow(),
            85..90 => self.leave().await,
            90..95 => self.crash().await,
            _ => self.stop().await,
        }
    }

    fn deploy(&mut self) {
        let crashing = "web: exit 3\nworker: sleep infinity\n".to_owned();
        let never = format!("web: {NEVER_READY}\n");
        let with_release_phase = format!("{GOOD}release: sleep 2; true\n");
        let (name, outcome) = match self.random.random_range(0..10) {
            0 => ("deploy that fails to build", Outcome::Fails),
            1 => ("deploy that hangs", Outcome::Hangs),
            2 => ("deploy that crashes", Outcome::Procfile(crashing)),
            3 => ("deploy that is never ready", Outcome::Procfile(never)),
            4 => ("deploy with a release phase", Outcome::Procfile(with_release_phase)),
            _ => ("deploy", Outcome::Procfile(GOOD.to_owned())),
        };
        self.history.push(name);
        let lasting = Duration::from_millis(self.random.random_range(0..5_000));
        let (deploy, promises) = (self.simulation.deploy_begin(outcome, lasting), Arc::clone(&self.promises));
        self.clients.spawn(async move {
            if let Ok(deployed) = deploy.await {
                promises.lock().deployed.push(deployed.version);
            }
        });
    }

    fn configure(&mut self) {
        self.history.push("config");
        self.changes += 1;
        let (number, promises) = (self.changes, Arc::clone(&self.promises));
        let change = ambo_model::ConfigChange::from([(
            ambo_model::ConfigKey::parse(&format!("KEY_{number}")).expect("a key"),
            Some(ambo_model::Secret::new(number.to_string())),
        )]);
        let (controller, caller, app) = self.at();
        self.clients.spawn(async move {
            if controller.config_update(&caller, &app, &change, Timestamp::now()).await.is_ok() {
                promises.lock().configured.push(number);
            }
        });
    }

    async fn roll_back(&mut self) {
        self.history.push("rollback");
        let releases = self.simulation.releases().await;
        let good = |release: &&ambo_controller::releases::ReleaseSummary| {
            release.artifact.is_some() && release.status == ReleaseStatus::Succeeded
        };
        let good: Vec<_> = releases.iter().filter(good).map(|release| release.version.to_string()).collect();
        let Some(to) = good.choose(&mut self.random).cloned() else { return };
        let (controller, caller, app) = self.at();
        let promises = Arc::clone(&self.promises);
        self.clients.spawn(async move {
            if let Ok((_, release)) = controller.release_rollback(&caller, &app, &to, Timestamp::now()).await {
                promises.lock().rolled_back.push(release.version);
            }
        });
    }

    fn scale(&mut self) {
        self.history.push("scale");
        let (process, count) = match self.random.random_range(0..8) {
            0 => (ProcessType::web(), 0),
            1..5 => (ProcessType::web(), self.random.random_range(1..4)),
            _ => (ProcessType::parse("worker").expect("a process"), self.random.random_range(0..3)),
        };
        if process.is_web() {
            self.disturb();
        }
        let wanted = BTreeMap::from([(process, Quantity::Absolute(count))]);
        let (controller, caller, app) = self.at();
        self.clients.spawn(async move {
            let _ = controller.formation_scale(&caller, &app, &wanted, Timestamp::now()).await;
        });
    }

    fn restart(&mut self) {
        self.history.push("restart");
        let (controller, caller, app) = self.at();
        self.clients.spawn(async move {
            let restart = ambo_release::Restart::All;
            let _ = controller.app_restart(&caller, &app, restart, Timestamp::now()).await;
        });
    }

    fn kill(&mut self) {
        let instances = self.simulation.engine.instances();
        let Some(instance) = instances.choose(&mut self.random) else { return };
        self.disturb();
        if self.random.random_bool(0.5) {
            self.history.push("kill");
            self.simulation.engine.kill(&instance.id);
        } else {
            self.history.push("vanish");
            self.simulation.engine.vanish(&instance.id);
        }
    }

    fn engine_down(&mut self) {
        self.history.push("engine down");
        self.simulation.engine.down();
    }

    fn engine_up(&mut self) {
        self.history.push("engine up");
        self.simulation.engine.up();
    }

    fn slow(&mut self) {
        self.history.push("slow starts and stops");
        self.simulation.engine.starts_take(Duration::from_millis(self.random.random_range(0..8_000)));
        self.simulation.engine.sigterm_ignored(self.random.random_bool(0.5));
        for target in self.simulation.router.route(self.simulation.app).into_iter().flat_map(|route| route.targets) {
            let taking = Duration::from_millis(self.random.random_range(0..8_000));
            self.simulation.router.requests_take(target.instance, taking);
        }
    }

    async fn leave(&mut self) {
        self.history.push("clients leave");
        self.clients.shutdown().await;
    }

    async fn crash(&mut self) {
        self.history.push("crash");
        self.simulation.crash().await;
        self.clients.shutdown().await;
    }

    async fn stop(&mut self) {
        self.history.push("stop and start");
        self.simulation.restart().await;
        let patient = async { while self.clients.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(1), patient).await; // They are told, not cut off.
        self.clients.shutdown().await;
    }

    fn disturb(&self) {
        self.simulation.router.disturbed(self.simulation.app);
    }

    fn at(&self) -> (Arc<ambo_controller::Controller>, ambo_controller::accounts::Caller, String) {
        (self.simulation.controller(), self.simulation.caller.clone(), self.simulation.name())
    }

    /// What was acknowledged is there, whatever has died since.
    async fn promises_kept(&self) {
        let seed = self.simulation.seed;
        let releases = self.simulation.releases().await;
        let status = |version: &ReleaseVersion| {
            releases.iter().find(|release| release.version == *version).map(|release| release.status.clone())
        };
        let Promises { deployed, rolled_back, mut configured } = self.promises.lock().clone();
        for version in deployed {
            assert_eq!(status(&version), Some(ReleaseStatus::Succeeded), "seed {seed:?}: {version} was deployed");
        }
        for version in rolled_back {
            assert!(status(&version).is_some(), "seed {seed:?}: the rollback {version} has gone");
        }
        let (controller, caller, app) = self.at();
        for release in &releases {
            let config = controller.release_config(&caller, &app, &release.version.to_string()).await;
            let config = config.expect("read a config");
            configured.retain(|number| config.get(&format!("KEY_{number}")).is_none());
        }
        assert!(configured.is_empty(), "seed {seed:?}: the changes {configured:?} have gone");
    }
}
