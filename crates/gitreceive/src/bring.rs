//! How the repository on this disk comes to be what it should, and how the bucket comes to have one that lies here.

use ambo_model::{AppId, Timestamp};
use tokio::fs;

use crate::cache::Held;
use crate::manifest::Manifest;
use crate::origin::{Origin, OriginFault, Seen};
use crate::repositories::{LOOKS_MAX, Repositories};
use crate::repository::{RepositoryFault, repository_ensure, repository_pack, repository_remove};

impl Repositories {
    /// Whether the repository on this disk is there and what it should be.
    pub(crate) async fn is_current(&self, app: AppId) -> Result<bool, RepositoryFault> {
        let path = self.path(app);
        if !fs::try_exists(path.join("HEAD")).await.unwrap_or(false) {
            return Ok(false);
        }
        let Some(origin) = &self.kept.origin else { return Ok(true) };
        let written = origin.look(app).await?.map(|seen| seen.manifest.written);
        let held = self.cache_at(&path).held().await.map_err(|source| RepositoryFault::Write { path, source })?;
        Ok(held.is_some_and(|held| held.at == written))
    }

    /// Makes the repository on this disk what it should be. One at a time, under the app's gate.
    pub(crate) async fn bring(&self, app: AppId) -> Result<(), RepositoryFault> {
        let Some(origin) = &self.kept.origin else {
            return repository_ensure(&self.kept.git, &self.kept.directory, app).await;
        };
        let mut looks = 1;
        loop {
            let seen = origin.look(app).await?;
            match self.bring_to(origin, app, seen.as_ref()).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                // Superseded and removed while we were at it, if a fresh look shows other packs.
                Err(RepositoryFault::Origin(OriginFault::PackMissing { .. })) if looks < LOOKS_MAX => {}
                Err(fault) => return Err(fault),
            }
            looks += 1;
        }
    }

    /// Makes the cache what was seen. `false`: the bucket has something else by now.
    async fn bring_to(&self, origin: &Origin, app: AppId, seen: Option<&Seen>) -> Result<bool, RepositoryFault> {
        let path = self.path(app);
        let cache = self.cache_at(&path);
        let fault = |source| RepositoryFault::Write { path: path.clone(), source };
        let held = cache.held().await.map_err(fault)?;
        let wanted = seen.map(|seen| seen.manifest.written);
        let is_repository = fs::try_exists(path.join("HEAD")).await.unwrap_or(false);
        let held = match held {
            Some(held) if is_repository => {
                if held.at == wanted {
                    return Ok(true);
                }
                // One that was removed from the bucket is not to shine through.
                wanted.and(Some(held))
            }
            None if is_repository && wanted.is_none() && !cache.refs_observe().await?.names.is_empty() => {
                return self.store(origin, app, None).await;
            }
            _ => None,
        };
        if held.is_none() {
            repository_remove(&self.kept.directory, app).await?;
            repository_ensure(&self.kept.git, &self.kept.directory, app).await?;
            cache.note(&Held::default()).await.map_err(fault)?;
        }
        if let Some(seen) = seen {
            cache.follow(origin, app, &seen.manifest).await?;
        }
        Ok(true)
    }

    /// Stores the repository on this disk as one pack, in the place of what was seen. `false`: the bucket has something else
    /// by now.
    pub(crate) async fn store(
        &self,
        origin: &Origin,
        app: AppId,
        seen: Option<&Seen>,
    ) -> Result<bool, RepositoryFault> {
        let path = self.path(app);
        let cache = self.cache_at(&path);
        let fault = |source| RepositoryFault::Write { path: path.clone(), source };
        repository_pack(&self.kept.git, &path).await?;
        let refs = cache.refs_observe().await?;
        let packs = origin.packs_put(app, &cache.packs().await.map_err(fault)?).await?;
        let next = match seen {
            Some(seen) => seen.manifest.replaced(refs, packs.clone(), Timestamp::now()),
            None => Manifest::new(refs, packs.clone()),
        };
        let stored = origin.swap(app, seen, &next).await?;
        if stored {
            cache.note(&Held::all(&next)).await.map_err(fault)?;
        } else {
            origin.packs_drop(app, &packs).await;
        }
        Ok(stored)
    }
}
