//! Frees images that no kept release needs, so that no disk fills up.

use std::sync::Arc;
use std::time::Duration;

use ambo_model::{App, Artifact, ImageDigest, ReleaseStatus};
use ambo_store::Page;
use async_trait::async_trait;

use crate::accounts::Caller;
use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::keys;
use crate::ports::{CollectedImages, KeptImages, KeptImagesSource};
use crate::records::list;
use crate::releases::ReleaseRecord;

/// How often.
const COLLECT_INTERVAL: Duration = Duration::from_secs(3600);
/// Releases that are read at a time when looking for those that keep their images.
const RELEASES_PAGE: usize = 50;

impl Controller {
    pub(crate) async fn images_run(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(COLLECT_INTERVAL) => {}
            }
            match self.artifacts.images_collect(&*self).await {
                Ok(freed) => {
                    tracing::info!(manifests = freed.freed_count, bytes = freed.freed_bytes, "collected images")
                }
                Err(error) => tracing::warn!(error, "cannot collect images now"),
            }
        }
    }

    /// Collects now: keeps the images of every app's newest releases that have not failed, and of the one that serves.
    ///
    /// # Errors
    /// When the caller is no administrator; when the store, the registry or the engine fails, and nothing that is needed
    /// has gone then.
    pub async fn images_collect(&self, caller: &Caller) -> Result<CollectedImages, ControllerError> {
        caller.require_administrator()?;
        self.artifacts.images_collect(self).await.map_err(ControllerError::Conflict)
    }

    async fn images_kept_by(&self, app: &App) -> Result<KeptImages, ControllerError> {
        let mut images: Vec<ImageDigest> = Vec::new();
        let mut left = self.releases_kept().await?;
        let mut after = None;
        while left > 0 {
            let page = Page { after, limit: Some(RELEASES_PAGE), descending: true };
            let listing = self.store.list(&keys::releases(app.id), page).await?;
            after = listing.entries.last().map(|entry| entry.key.clone());
            for entry in &listing.entries {
                let record: ReleaseRecord = self.record_parse(entry)?;
                let failed = matches!(record.status, ReleaseStatus::Failed { .. });
                if let Some(artifact) = record.artifact().filter(|_| left > 0 && !failed) {
                    images.extend(artifact.images().cloned());
                    left -= 1;
                }
            }
            if !listing.more {
                break;
            }
        }
        if let Some(version) = app.serving {
            let serving = self.release_record(app.id, version).await?.value.artifact();
            images.extend(serving.iter().flat_map(Artifact::images).cloned());
        }
        images.sort();
        images.dedup();
        Ok(KeptImages { app: app.id, repository: self.settings.repository(&app.name), images })
    }

    async fn releases_kept(&self) -> Result<usize, ControllerError> {
        Ok(self.accounts.platform_settings().await?.releases_kept.unwrap_or(self.settings.releases_kept))
    }

    async fn images_kept_now(&self) -> Result<Vec<KeptImages>, ControllerError> {
        let mut kept = Vec::new();
        for app in list::<App>(&*self.store, keys::APPS).await? {
            match self.images_kept_by(&app.value).await {
                Ok(images) => kept.push(images),
                // Destroyed since the listing.
                Err(ControllerError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(kept)
    }
}

#[async_trait]
impl KeptImagesSource for Controller {
    async fn images_kept(&self) -> Result<Vec<KeptImages>, String> {
        self.images_kept_now().await.map_err(|error| chain(&error))
    }
}
