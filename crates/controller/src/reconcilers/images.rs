//! Frees images that no kept release needs, so that no disk fills up.

use std::sync::Arc;
use std::time::Duration;

use ambo_model::App;

use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::keys;
use crate::ports::{CollectedImages, KeptImages};
use crate::records::{list, newest};
use crate::releases::{ReleaseRecord, ReleaseSummary};

/// How often.
const COLLECT_INTERVAL: Duration = Duration::from_secs(3600);

impl Controller {
    pub(crate) async fn images_run(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(COLLECT_INTERVAL) => {}
            }
            match self.images_collect().await {
                Ok(freed) => tracing::info!(manifests = freed.manifest_count, bytes = freed.bytes, "collected images"),
                Err(error) => tracing::warn!(error = %chain(&error), "cannot collect images now"),
            }
        }
    }

    /// Collects now: keeps the images of every app's newest releases and of the one that serves.
    ///
    /// # Errors
    /// When the store, the registry or the engine fails; nothing that is needed has gone.
    pub async fn images_collect(&self) -> Result<CollectedImages, ControllerError> {
        let mut kept = Vec::new();
        for app in list::<App>(&*self.store, keys::APPS).await? {
            kept.push(self.images_kept(&app.value).await?);
        }
        self.artifacts.images_collect(&kept).await.map_err(ControllerError::Conflict)
    }

    async fn images_kept(&self, app: &App) -> Result<KeptImages, ControllerError> {
        let recent =
            newest::<ReleaseRecord>(&*self.store, &keys::releases(app.id), self.releases_kept().await?).await?;
        let mut images: Vec<_> = recent
            .into_iter()
            .filter_map(|found| ReleaseSummary::from(found.value).artifact.map(|artifact| artifact.image))
            .collect();
        if let Some(version) = app.serving {
            images.extend(self.release_record(app.id, version).await?.value.artifact().map(|artifact| artifact.image));
        }
        images.sort();
        images.dedup();
        Ok(KeptImages { app: app.id, repository: self.settings.repository(&app.name), images })
    }

    async fn releases_kept(&self) -> Result<usize, ControllerError> {
        Ok(self.accounts.platform_settings().await?.releases_kept.unwrap_or(self.settings.releases_kept))
    }
}
