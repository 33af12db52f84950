//! The control plane's life: recover, serve, stop.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::controller::Controller;
use crate::error::{ControllerError, chain};

impl Controller {
    /// Puts right what an interruption left behind. Call it before anything is served.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recover(&self) -> Result<(), ControllerError> {
        self.builds_recover().await?;
        self.releases_recover().await
    }

    /// Runs jobs and reconcilers until [`Controller::stop`]. A panic in one of them ends all: better a restart than a
    /// platform that heals nothing.
    pub async fn run(self: Arc<Self>) {
        if let Err(error) = self.health_round().await {
            tracing::warn!(error = %chain(&error), "cannot look at the instances yet; the router serves its last routes");
        } else if let Err(error) = self.routes_publish().await {
            tracing::warn!(error = %chain(&error), "cannot derive the routes yet; the router serves its last ones");
        }
        let mut set = JoinSet::new();
        set.spawn(Arc::clone(&self).jobs_run());
        self.reconcilers_start(&mut set);
        while let Some(ended) = set.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a part of the control plane has failed");
                self.stopping.cancel();
            }
        }
    }

    /// Tells everything to stop: deploys are cancelled and marked so, jobs are handed back, reconcilers end.
    pub fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
    }

    /// Waits until every deploy has written down how it ended.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}
