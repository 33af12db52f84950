//! Garbage collection: mark what is needed, sweep the rest, while pushes go on.
//!
//! Three things protect a push. What was written, linked or looked up within the grace period is young, and never
//! planned for removal. Putting a manifest makes everything that it needs young, under a lock. And each removal looks at
//! its object's age again, under the same lock, so what became young since the plan stays.
//!
//! Links go before content and tags before manifests, so a crash in the middle leaves nothing that points at nothing; the
//! next collection goes on.

mod apply;
mod inventory;
mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ambo_model::{AppId, ByteSize, ImageDigest};
use async_trait::async_trait;

pub use inventory::Inventory;
pub use plan::{Plan, Removal, plan};

/// Says what must stay.
#[async_trait]
pub trait Retention: Send + Sync {
    /// What each app needs. An app that is missing here is gone, and everything of it is swept.
    ///
    /// Asked after the registry was looked through: an image of a release that is cut meanwhile is either named here or
    /// young.
    async fn retained(&self) -> Result<Retained, Box<dyn std::error::Error + Send + Sync>>;
}

/// What every app needs.
pub type Retained = BTreeMap<AppId, Keep>;

/// What one app needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keep {
    /// Manifests that kept releases run, in whichever of the app's repositories they are.
    pub digests: BTreeSet<ImageDigest>,
    /// Tags to keep, with what they point at.
    pub tags: KeepTags,
}

/// Which of an app's tags to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KeepTags {
    /// Every tag: users decide.
    #[default]
    All,
    /// These alone, in whichever of the app's repositories they are.
    Only(BTreeSet<String>),
    /// Every tag that does not begin so: the platform's own go with their images, users' stay.
    AllBut(String),
}

/// What a collection did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Manifests that stay in repositories.
    pub manifests_kept: u64,
    /// Content that stays in the store, in bytes.
    pub bytes_kept: u64,
    /// Tags removed.
    pub tags: u64,
    /// Manifests removed from repositories.
    pub manifests: u64,
    /// Blobs removed from repositories.
    pub blobs: u64,
    /// Contents removed from the store.
    pub contents: u64,
    /// Their size: what the disk got back.
    pub freed: u64,
    /// Stale uploads removed.
    pub uploads: u64,
    /// Unfinished writes of a crashed process removed.
    pub unfinished: u64,
    /// Planned, but needed again by the time of their removal.
    pub spared: u64,
}

impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "freed {}: {} contents, {} blobs and {} manifests of repositories, {} tags, {} stale uploads",
            ByteSize::bytes(self.freed),
            self.contents,
            self.blobs,
            self.manifests,
            self.tags,
            self.uploads
        )
    }
}

/// Why a collection stopped. What was removed by then stays removed; the next one goes on.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The platform cannot say what must stay.
    #[error("ask the platform what to keep")]
    Retention(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The registry's own store failed.
    #[error(transparent)]
    Registry(#[from] crate::RegistryError),
}
