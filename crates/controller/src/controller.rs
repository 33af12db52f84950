//! The control plane as one value: what every operation works with.

use std::sync::Arc;

use ambo_builder::ImageBuilder;
use ambo_logs::LogStore;
use ambo_scheduler::Scheduler;
use ambo_store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Accounts;
use crate::attach::AttachSessions;
use crate::board::Board;
use crate::nudge::Nudges;
use crate::ports::{Artifacts, Dialer, NodeLabels, Routes};
use crate::settings::ControllerSettings;
use crate::tally::Tallies;
use crate::turns::Turns;
use crate::vault::Vault;

/// The stations that the control plane joins.
pub struct Stations {
    /// Keeps the state.
    pub store: Arc<dyn Store>,
    /// Runs instances.
    pub scheduler: Arc<dyn Scheduler>,
    /// Builds images.
    pub builder: Arc<dyn ImageBuilder>,
    /// Sends requests to instances.
    pub routes: Arc<dyn Routes>,
    /// Reaches instances.
    pub dialer: Arc<dyn Dialer>,
    /// Keeps images and repositories.
    pub artifacts: Arc<dyn Artifacts>,
    /// Keeps log lines.
    pub logs: Arc<LogStore>,
    /// The machines of a cluster; one machine has none to choose among.
    pub nodes: Option<Arc<dyn NodeLabels>>,
}

/// The control plane.
pub struct Controller {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) scheduler: Arc<dyn Scheduler>,
    pub(crate) builder: Arc<dyn ImageBuilder>,
    pub(crate) routes: Arc<dyn Routes>,
    pub(crate) dialer: Arc<dyn Dialer>,
    pub(crate) artifacts: Arc<dyn Artifacts>,
    pub(crate) nodes: Option<Arc<dyn NodeLabels>>,
    /// Log lines of apps.
    pub logs: Arc<LogStore>,
    /// Accounts, tokens and keys.
    pub accounts: Accounts,
    /// What the platform was told.
    pub settings: ControllerSettings,
    pub(crate) vault: Vault,
    /// Sessions that wait for somebody to attach.
    pub attach: AttachSessions,
    pub(crate) board: Board,
    pub(crate) tallies: Tallies,
    pub(crate) nudge: Nudges,
    /// One deploy at a time per app.
    pub(crate) deploys: Turns,
    /// One rollout at a time per app.
    pub(crate) rollouts: Turns,
    pub(crate) builds: Semaphore,
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
    pub(crate) publishing: crate::rounds::Rounds,
    pub(crate) publishing_certificates: crate::rounds::Rounds,
}

impl std::fmt::Debug for Controller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controller").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Stations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stations").finish_non_exhaustive()
    }
}

impl Controller {
    /// Joins the stations. Nothing runs until [`Controller::run`].
    #[must_use]
    pub fn new(stations: Stations, accounts: Accounts, vault: Vault, settings: ControllerSettings) -> Arc<Self> {
        Arc::new(Self {
            store: stations.store,
            scheduler: stations.scheduler,
            builder: stations.builder,
            routes: stations.routes,
            dialer: stations.dialer,
            artifacts: stations.artifacts,
            nodes: stations.nodes,
            logs: stations.logs,
            accounts,
            vault,
            attach: AttachSessions::default(),
            board: Board::default(),
            tallies: Tallies::default(),
            nudge: Nudges::default(),
            deploys: Turns::default(),
            rollouts: Turns::default(),
            builds: Semaphore::new(settings.builds_max),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            publishing_certificates: crate::rounds::Rounds::default(),
            publishing: crate::rounds::Rounds::default(),
            settings,
        })
    }

    /// A key of the platform for one purpose: the same in every process of it, and after a restart.
    #[must_use]
    pub fn derive_key(&self, purpose: &str) -> zeroize::Zeroizing<[u8; 32]> {
        self.vault.derive_key(purpose)
    }

    /// Waits until the deploys that are under way now have ended, at most so long. Whether they have.
    pub async fn deploys_settle(&self, wait: std::time::Duration) -> bool {
        self.deploys.settle(wait).await
    }

    /// What the engine says of itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn engine_status(&self) -> Result<ambo_scheduler::EngineStatus, crate::error::ControllerError> {
        Ok(self.scheduler.status().await?)
    }
}
