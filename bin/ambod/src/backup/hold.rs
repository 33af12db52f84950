//! The running platform, as a backup of it needs it.

use std::sync::Arc;
use std::time::Duration;

use ambo_backup::{Failure, Held, Hold, ImagesNeeded};
use ambo_controller::Controller;
use ambo_controller::ports::KeptImagesSource;
use async_trait::async_trait;

use super::removals::Removals;

/// Longest wait for deploys: one that takes longer has a build to do, and releases nothing that is in the archive.
const DEPLOYS_WAIT: Duration = Duration::from_secs(60);

/// A platform at work.
pub(super) struct PlatformHold {
    pub(super) controller: Arc<Controller>,
    pub(super) removals: Removals,
}

#[async_trait]
impl Hold for PlatformHold {
    async fn hold(&self) -> Result<Held, Failure> {
        Ok(Held::new(self.removals.hold().await))
    }

    async fn images_needed(&self) -> Result<ImagesNeeded, Failure> {
        let kept = self.controller.images_kept().await?;
        Ok(kept.into_iter().map(|app| (app.app, app.images.into_iter().collect())).collect())
    }

    async fn deploys_settle(&self) -> Result<(), Failure> {
        if !self.controller.deploys_settle(DEPLOYS_WAIT).await {
            tracing::info!("a deploy outlives this part of the backup: its push is in the next one");
        }
        Ok(())
    }
}
