//! The registry as the platform uses it: a router to mount, and what needs no HTTP.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{AppId, ByteSize, ImageDigest, Timestamp};
use axum::Router;
use futures::TryStreamExt;

use crate::access::RepositoryAccess;
use crate::contents::Contents;
use crate::digest::Digest;
use crate::endpoint;
use crate::error::Error;
use crate::gc::{CollectError, Collected, Plan, Retained, Retention, plan};
use crate::layout::{self, Item, Repository};
use crate::manifest::Manifest;
use crate::settings::{GRACE_MIN, Settings};
use crate::store::{BlobStore, StoreError};
use crate::upload::Uploads;

/// The OCI distribution server. Cheap to clone; all clones are one registry.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) contents: Contents,
    pub(crate) uploads: Uploads,
    pub(crate) access: Arc<dyn RepositoryAccess>,
    pub(crate) settings: Settings,
    /// Held by the one collection that runs.
    collecting: tokio::sync::Mutex<()>,
}

/// Why the registry could not do what the platform asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The staging directory cannot be used.
    #[error("use `{directory}` to stage uploads")]
    Uploads {
        /// Which.
        directory: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A push could lose what it relies on.
    #[error("a grace period of {} seconds is too short: set at least {}", .0.as_secs(), GRACE_MIN.as_secs())]
    GraceTooShort(Duration),
    /// The disk or the object store has no space left.
    #[error("the registry's disk is full")]
    Full,
    /// The store failed. A retry may help.
    #[error(transparent)]
    Store(StoreError),
    /// What is stored cannot be read.
    #[error("{0}")]
    Damaged(String),
}

impl From<Error> for RegistryError {
    fn from(error: Error) -> Self {
        match error {
            Error::Full => Self::Full,
            Error::Store(error) => Self::Store(error),
            Error::Staging(source) => Self::Uploads { directory: "uploads".to_owned(), source },
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

/// What an app's repositories hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Different manifests.
    pub manifests: u64,
    /// Different blobs.
    pub blobs: u64,
    /// Their size, each counted once. Shared with other apps in part, so the apps' sizes add up to more than the disk's.
    pub size: ByteSize,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("store", &self.inner.contents.store).finish_non_exhaustive()
    }
}

impl Registry {
    /// A registry over a store. Takes up the uploads that an earlier process left.
    ///
    /// # Errors
    /// When the staging directory cannot be used, or the grace period is too short to protect a push.
    pub fn new(
        blobs: Arc<dyn BlobStore>,
        access: Arc<dyn RepositoryAccess>,
        settings: Settings,
    ) -> Result<Self, RegistryError> {
        if settings.grace < GRACE_MIN {
            return Err(RegistryError::GraceTooShort(settings.grace));
        }
        let directory = settings.uploads_directory.clone();
        let uploads = Uploads::open(directory.clone(), settings.uploads_max)
            .map_err(|source| RegistryError::Uploads { directory: directory.display().to_string(), source })?;
        let contents = Contents::new(blobs, settings.grace);
        Ok(Self {
            inner: Arc::new(Inner { contents, uploads, access, settings, collecting: tokio::sync::Mutex::new(()) }),
        })
    }

    /// The HTTP server, for `/v2/` and everything below it. Wants no body limit in front of it: it has its own.
    pub fn router(&self) -> Router {
        endpoint::router(Arc::clone(&self.inner))
    }

    /// Whether the app has the image, whole. When it has, the image stays for the grace period, so that a release cut
    /// now can rely on it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn manifest_exists(&self, app: AppId, digest: &ImageDigest) -> Result<bool, RegistryError> {
        let digest = Digest::from(digest);
        for repository in self.repositories(app).await?.into_keys() {
            if self.inner.contents.manifest_renew(&repository, &digest).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The manifest that goes by `digest` in the app's repository below `path`: its own digest, or that of the image
    /// configuration which it names (what Docker calls an image's id).
    ///
    /// # Errors
    /// When the store fails.
    pub async fn manifest_by_digest_or_config(
        &self,
        app: AppId,
        path: &str,
        digest: &ImageDigest,
    ) -> Result<Option<ImageDigest>, RegistryError> {
        let wanted = Digest::from(digest);
        let repository = Repository { app, path: path.to_owned() };
        let Some(items) = self.repositories(app).await?.remove(&repository) else { return Ok(None) };
        for item in items {
            let Item::Manifest(found) = item else { continue };
            if found == wanted {
                return Ok(Some(digest.clone()));
            }
            let manifest = Manifest::parse(None, &self.inner.contents.manifest_read(&found).await?);
            let is_wanted = manifest.is_ok_and(|manifest| manifest.config.is_some_and(|config| config == wanted));
            if let Some(found) = ImageDigest::parse(&found.to_string()).ok().filter(|_| is_wanted) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What the app's repositories hold.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn usage(&self, app: AppId) -> Result<Usage, RegistryError> {
        let (mut manifests, mut blobs) = (BTreeMap::new(), BTreeMap::new());
        for (repository, items) in self.repositories(app).await? {
            for item in items {
                match item {
                    Item::Blob(digest) => {
                        let size = self.inner.contents.store.get(&repository.blob(&digest)).await?;
                        let size = size.and_then(|size| std::str::from_utf8(&size).ok()?.parse::<u64>().ok());
                        blobs.insert(digest, size.unwrap_or(0));
                    }
                    Item::Manifest(digest) => {
                        let link = self.inner.contents.manifest_find(&repository, &digest).await?;
                        manifests.insert(digest, link.map_or(0, |link| link.size));
                    }
                    Item::Tag(_) | Item::Referrer { .. } => {}
                }
            }
        }
        let size = manifests.values().chain(blobs.values()).sum();
        Ok(Usage { manifests: manifests.len() as u64, blobs: blobs.len() as u64, size: ByteSize::bytes(size) })
    }

    /// Removes the app's repositories and uploads. The content that nobody else has goes with the next collection.
    /// Safe to run twice, and to be cut short anywhere. The app must be out of reach by then: the port says `NotFound`.
    ///
    /// # Errors
    /// When the store fails; run it again.
    pub async fn repository_remove(&self, app: AppId) -> Result<(), RegistryError> {
        let mut ordered: Vec<(u8, String)> = Vec::new();
        for (repository, items) in self.repositories(app).await? {
            ordered.extend(items.iter().map(|item| match item {
                Item::Tag(tag) => (0, repository.tag(tag)),
                Item::Referrer { subject, digest } => (1, repository.referrer(subject, digest)),
                Item::Manifest(digest) => (2, repository.manifest(digest)),
                Item::Blob(digest) => (3, repository.blob(digest)),
            }));
        }
        ordered.sort();
        for (_, key) in ordered {
            self.inner.contents.store.delete(&key).await?;
        }
        self.inner.uploads.remove_of(app).await?;
        Ok(())
    }

    /// Looks through everything and decides what a collection at `now` would remove.
    ///
    /// # Errors
    /// When the store or the platform fails.
    pub async fn collection_plan(&self, retention: &dyn Retention, now: Timestamp) -> Result<Plan, CollectError> {
        let inventory = self.inner.contents.inventory().await.map_err(RegistryError::from)?;
        let retained: Retained = retention.retained().await.map_err(CollectError::Retention)?;
        let cutoff = now.checked_sub(self.inner.settings.grace).unwrap_or(Timestamp::MIN);
        Ok(plan(&inventory, &retained, cutoff))
    }

    /// Removes what a plan says, but for what was needed again since.
    ///
    /// # Errors
    /// When the store fails; what was removed by then stays removed.
    pub async fn collection_apply(&self, plan: &Plan) -> Result<Collected, RegistryError> {
        Ok(self.inner.contents.plan_apply(plan).await?)
    }

    /// Removes stale uploads, and everything that nobody needs. Safe beside pushes and pulls; a second one
    /// waits for the first.
    ///
    /// # Errors
    /// When the store or the platform fails; the next run goes on.
    pub async fn collect(&self, retention: &dyn Retention, now: Timestamp) -> Result<Collected, CollectError> {
        let _alone = self.inner.collecting.lock().await;
        let uploads = self.uploads_expire(now).await?;
        let plan = self.collection_plan(retention, now).await?;
        let collected = self.collection_apply(&plan).await?;
        let unfinished = self.inner.contents.store.tidy(plan.cutoff).await.map_err(RegistryError::from)?;
        Ok(Collected { uploads, unfinished, ..collected })
    }

    /// Removes the uploads that nobody wrote to for [`Settings::upload_lifetime`]. Gives their number.
    ///
    /// # Errors
    /// When the staging directory fails.
    pub async fn uploads_expire(&self, now: Timestamp) -> Result<u64, RegistryError> {
        let cutoff = now.checked_sub(self.inner.settings.upload_lifetime).unwrap_or(Timestamp::MIN);
        Ok(self.inner.uploads.expire(cutoff).await?)
    }

    pub(crate) fn contents(&self) -> &Contents {
        &self.inner.contents
    }

    /// The app's repositories with what is in them.
    pub(crate) async fn repositories(&self, app: AppId) -> Result<BTreeMap<Repository, Vec<Item>>, RegistryError> {
        let mut repositories: BTreeMap<Repository, Vec<Item>> = BTreeMap::new();
        let mut links = self.inner.contents.store.list(&layout::app(app));
        while let Some(stat) = links.try_next().await? {
            if let Some((repository, item)) = layout::item(&stat.key) {
                repositories.entry(repository).or_default().push(item);
            }
        }
        Ok(repositories)
    }
}

impl Contents {
    /// Whether anything is in the repository or below it.
    pub(crate) async fn repository_exists(&self, repository: &Repository) -> Result<bool, Error> {
        Ok(self.store.list(&repository.prefix()).try_next().await?.is_some())
    }
}
