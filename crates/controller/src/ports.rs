//! What the control plane needs from stations that it does not own.

use std::time::Duration;

use ambo_model::{AppId, ImageDigest, InstanceId, RouteTable};
use async_trait::async_trait;

/// The router, or all of them.
#[async_trait]
pub trait Routes: Send + Sync + 'static {
    /// Replaces the whole table. When this returns, no new request goes by the old one.
    async fn routes_publish(&self, table: RouteTable);
    /// Waits until no request is in flight to any of these, or the deadline has passed.
    async fn instances_drained(&self, instances: &[InstanceId], deadline: Duration);
}

/// Where images and repositories of apps lie.
#[async_trait]
pub trait Artifacts: Send + Sync + 'static {
    /// Removes what an app leaves behind: images and the git repository. Idempotent.
    async fn app_remove(&self, app: AppId) -> Result<(), String>;
    /// Frees what no kept release needs, and packs the git repositories: every app with its repository and the images to
    /// keep.
    async fn images_collect(&self, kept: &[KeptImages]) -> Result<CollectedImages, String>;
}

/// The images of one app that must stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptImages {
    /// Whose.
    pub app: AppId,
    /// As the engine names the app's repository.
    pub repository: String,
    /// Which.
    pub images: Vec<ImageDigest>,
}

/// What a collection freed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectedImages {
    /// Manifests that went.
    pub manifest_count: u64,
    /// Bytes that went.
    pub bytes: u64,
}
