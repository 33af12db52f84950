//! The bucket as the place of repositories: a manifest each, swapped and never overwritten, and packs that never change.
//!
//! `refs/<app>.json` is a repository's [`Manifest`]; `packs/<app>/<name>.pack` are packs. Who writes a manifest looks at the
//! one that is there, stores packs, and then swaps, so a pack is there before anything names it. Who removes packs that
//! nothing names lists them, swaps the manifest for a new writing of the same, and only then deletes: whoever had stored one
//! of them to name it has looked at a manifest that is no longer there, and loses the swap.

use std::path::Path;

use ambo_blobs::{BlobsError, Bucket, ByteStream, Version};
use ambo_model::{AppId, Timestamp};
use bytes::Bytes;
use futures::TryStreamExt;
use uuid::Uuid;

use crate::manifest::{Manifest, ManifestFault, Pack, Refs};

/// Where the manifests are.
const REFS: &str = "refs";
/// Where the packs are.
const PACKS: &str = "packs";

/// Why the bucket did not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OriginFault {
    #[error(transparent)]
    Bucket(#[from] BlobsError),
    #[error("the repository of app {app} cannot be read in the bucket")]
    Manifest { app: AppId, source: ManifestFault },
    #[error("the repository of app {app} cannot be written down")]
    Write { app: AppId, source: serde_json::Error },
    #[error("the pack {pack} of app {app} is not in the bucket")]
    PackMissing { app: AppId, pack: Uuid },
}

/// A manifest that was read, with what a swap of it wants to see.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) manifest: Manifest,
    version: Version,
}

/// Repositories in a bucket.
#[derive(Debug)]
pub(crate) struct Origin {
    bucket: Bucket,
}

fn manifest_key(app: AppId) -> String {
    format!("{REFS}/{app}.json")
}

fn packs_key(app: AppId) -> String {
    format!("{PACKS}/{app}")
}

fn pack_key(app: AppId, name: Uuid) -> String {
    format!("{}/{}.pack", packs_key(app), name.simple())
}

fn pack_name(key: &str) -> Option<Uuid> {
    key.rsplit('/').next()?.strip_suffix(".pack")?.parse().ok()
}

impl Origin {
    /// Repositories in `bucket`, where nothing else is.
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// The repository as it is; `None` when nothing was ever pushed.
    pub(crate) async fn look(&self, app: AppId) -> Result<Option<Seen>, OriginFault> {
        let Some((content, version)) = self.bucket.look(&manifest_key(app)).await? else { return Ok(None) };
        let manifest = Manifest::parse(&content).map_err(|source| OriginFault::Manifest { app, source })?;
        Ok(Some(Seen { manifest, version }))
    }

    /// Makes a repository this, if it still is what was seen. `false`: somebody else was faster, and nothing has changed. On
    /// an error nobody knows; looking tells.
    pub(crate) async fn swap(&self, app: AppId, seen: Option<&Seen>, next: &Manifest) -> Result<bool, OriginFault> {
        let content = serde_json::to_vec(next).map_err(|source| OriginFault::Write { app, source })?;
        let seen = seen.map(|seen| &seen.version);
        Ok(self.bucket.swap(&manifest_key(app), seen, Bytes::from(content)).await?)
    }

    /// Stores packs, which are no part of the repository yet.
    pub(crate) async fn packs_put(&self, app: AppId, files: &[impl AsRef<Path>]) -> Result<Vec<Pack>, OriginFault> {
        let mut packs = Vec::new();
        for file in files {
            let name = Uuid::new_v4();
            let bytes = self.bucket.put_file(&pack_key(app, name), file.as_ref()).await?;
            packs.push(Pack { name, bytes });
        }
        Ok(packs)
    }

    /// Reads a pack as it comes.
    pub(crate) async fn pack_read(&self, app: AppId, pack: &Pack) -> Result<ByteStream, OriginFault> {
        let content = self.bucket.read(&pack_key(app, pack.name), 0..pack.bytes).await?;
        content.ok_or(OriginFault::PackMissing { app, pack: pack.name })
    }

    /// Removes packs that lost their swap. What stays is removed by a sweep.
    pub(crate) async fn packs_drop(&self, app: AppId, packs: &[Pack]) {
        for pack in packs {
            if let Err(error) = self.bucket.delete(&pack_key(app, pack.name)).await {
                tracing::debug!(%app, %error, "a pack that is not needed stays for now");
            }
        }
    }

    /// The apps that have a repository.
    pub(crate) async fn apps(&self) -> Result<Vec<AppId>, OriginFault> {
        let parse = |key: &str| key.rsplit('/').next()?.strip_suffix(".json")?.parse::<AppId>().ok();
        let apps = self.bucket.list(REFS).try_filter_map(|listed| std::future::ready(Ok(parse(&listed.key))));
        let mut apps: Vec<AppId> = apps.try_collect().await?;
        apps.sort();
        Ok(apps)
    }

    /// Removes a repository. Done when it is gone, however often it is called.
    pub(crate) async fn remove(&self, app: AppId) -> Result<(), OriginFault> {
        self.bucket.delete(&manifest_key(app)).await?;
        self.bucket.delete_below(&packs_key(app)).await?;
        Ok(())
    }

    /// Removes packs that nobody has needed since `cutoff`. Gives their number.
    pub(crate) async fn sweep(&self, app: AppId, cutoff: Timestamp) -> Result<usize, OriginFault> {
        let seen = self.look(app).await?;
        let empty = Manifest::new(Refs::none(), Vec::new());
        let manifest = seen.as_ref().map_or(&empty, |seen| &seen.manifest);
        let idle = |listed: &ambo_blobs::Listed| {
            pack_name(&listed.key).is_some_and(|name| manifest.is_idle_since(cutoff, name, listed.modified))
        };
        let listed = self.bucket.list(&packs_key(app));
        let idle: Vec<String> = listed
            .try_filter_map(|listed| std::future::ready(Ok(idle(&listed).then_some(listed.key))))
            .try_collect()
            .await?;
        if idle.is_empty() || !self.swap(app, seen.as_ref(), &manifest.swept(cutoff)).await? {
            return Ok(0);
        }
        for key in &idle {
            self.bucket.delete(key).await?;
        }
        Ok(idle.len())
    }

    /// Gives up what writers that died before `cutoff` had begun to store.
    pub(crate) async fn tidy(&self, cutoff: Timestamp) -> Result<(), OriginFault> {
        self.bucket.tidy(cutoff).await?;
        Ok(())
    }
}
