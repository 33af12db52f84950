//! The control plane's life: recover, serve, stop.

use std::sync::Arc;
use std::time::Duration;

use ambo_model::{App, AppId};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinSet;

use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::keys;
use crate::records::list;

/// Apps that are put right side by side: each waits for the store alone, and nobody leads until all are.
const RECOVERED_AT_ONCE: usize = 32;

impl Controller {
    /// Puts right what an interruption left behind. Call it before anything is served.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recover(&self) -> Result<(), ControllerError> {
        self.builds_recover().await?;
        self.releases_recover().await
    }

    /// Does something for every app, several at a time.
    pub(crate) async fn apps_each<F>(&self, act: impl Fn(AppId) -> F) -> Result<(), ControllerError>
    where
        F: Future<Output = Result<(), ControllerError>>,
    {
        let apps = list::<App>(&*self.store, keys::APPS).await?;
        let acts = stream::iter(apps).map(|app| act(app.value.id)).buffer_unordered(RECOVERED_AT_ONCE);
        acts.try_for_each(|()| std::future::ready(Ok(()))).await
    }

    /// Looks at the instances and hands the router its first table, unless the engine takes longer than `patience`: then
    /// the router serves its last good one. Call it before the router accepts, so that nobody meets an old table.
    pub async fn routes_prepare(&self, patience: Duration) {
        // Before anything that needs the engine: a host without its certificate is as good as down.
        self.certificates_follow().await;
        let prepared = tokio::time::timeout(patience, async {
            self.health_round().await?;
            self.routes_publish().await
        });
        match prepared.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = %chain(&error), "the router begins with its last routes"),
            Err(_) => tracing::warn!("the engine is slow: the router begins with its last routes"),
        }
    }

    /// Runs jobs and reconcilers until [`Controller::stop`]. A panic in one of them ends all: better a restart than a
    /// platform that heals nothing.
    pub async fn run(self: Arc<Self>) {
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
