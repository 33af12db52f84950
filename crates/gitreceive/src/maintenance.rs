//! What is done to repositories once in a while: packing, and removing what nobody needs.

use std::time::Duration;

use ambo_model::{AppId, Timestamp};

use crate::origin::Origin;
use crate::repositories::{Repositories, RepositoryError};
use crate::repository::{RepositoryFault, leftovers_remove, repository_pack, repository_remove};

/// After which time a pack that is still being stored counts as given up.
const STORING_DURATION_MAX: Duration = Duration::from_secs(24 * 3600);

/// The time that was `age` ago.
fn ago(age: Duration) -> Timestamp {
    Timestamp::now().checked_sub(age).unwrap_or(Timestamp::MIN)
}

impl Repositories {
    /// Packs an app's repository, and removes packs from the bucket that nobody needs any more, unless somebody pushes right
    /// now. To be called once in a while; pushes wait for it.
    ///
    /// # Errors
    /// When git cannot pack, or the bucket fails; the repository stays usable.
    pub async fn maintain(&self, app: AppId) -> Result<(), RepositoryError> {
        let path = self.path(app);
        let work = async {
            if tokio::fs::try_exists(&path).await.unwrap_or(false) {
                leftovers_remove(&path).await;
                // A cache that is being brought up to date holds what its refs do not reach yet.
                if self.is_current(app).await? {
                    repository_pack(&self.kept.git, &path).await?;
                }
            }
            if let Some(origin) = &self.kept.origin {
                self.repack(origin, app).await?;
                let removed = origin.sweep(app, ago(self.kept.packs_grace)).await?;
                tracing::debug!(%app, removed, "packs that nobody needs are gone");
            }
            Ok::<(), RepositoryFault>(())
        };
        let done = self.gate(app).while_nobody_pushes(work).await;
        done.unwrap_or(Ok(())).map_err(|fault| RepositoryError::Maintain { app, source: Box::new(fault) })
    }

    /// Makes one pack of many in the bucket, if there are too many and nobody pushes.
    pub(crate) async fn repack_if_many(&self, app: AppId) -> Result<(), RepositoryError> {
        let Some(origin) = &self.kept.origin else { return Ok(()) };
        let done = self.gate(app).while_nobody_pushes(self.repack(origin, app)).await;
        done.unwrap_or(Ok(())).map_err(|fault| RepositoryError::Maintain { app, source: Box::new(fault) })
    }

    /// Makes one pack of too many. Whoever writes meanwhile wins, and the next time does it.
    async fn repack(&self, origin: &Origin, app: AppId) -> Result<(), RepositoryFault> {
        let too_many = |count| count >= self.kept.packs_max;
        if !origin.look(app).await?.is_some_and(|seen| too_many(seen.manifest.packs.len())) {
            return Ok(());
        }
        self.bring(app).await?;
        let Some(seen) = origin.look(app).await? else { return Ok(()) };
        let path = self.path(app);
        let held = self.cache_at(&path).held().await;
        let held = held.map_err(|source| RepositoryFault::Write { path: path.clone(), source })?;
        if held.is_some_and(|held| held.at == Some(seen.manifest.written)) {
            let done = self.store(origin, app, Some(&seen)).await?;
            tracing::info!(%app, packs = seen.manifest.packs.len(), done, "packs of a repository are made one");
        }
        Ok(())
    }

    /// Stores repositories of the time before there was a bucket, removes what this disk has of apps that are gone, and gives
    /// up what dead writers began to store. To be called once in a while; without a bucket there is nothing to do.
    ///
    /// # Errors
    /// When the bucket, git or the disk fails; what was done by then stays done.
    pub async fn tidy(&self) -> Result<(), RepositoryError> {
        let Some(origin) = &self.kept.origin else { return Ok(()) };
        let listed = |source| RepositoryError::List { source };
        origin.tidy(ago(STORING_DURATION_MAX)).await.map_err(|fault| listed(fault.into()))?;
        let apps = origin.apps().await.map_err(|fault| listed(fault.into()))?;
        let mut done = Ok(());
        for app in self.directories().await.map_err(|error| listed(error.into()))? {
            if apps.binary_search(&app).is_err() {
                let tidied = self.gate(app).while_nobody_pushes(self.directory_tidy(origin, app)).await;
                let tidied = tidied.unwrap_or(Ok(()));
                done = done.and(tidied.map_err(|fault| RepositoryError::Maintain { app, source: Box::new(fault) }));
            }
        }
        done
    }

    /// One that the bucket does not have: it was never stored, or it was removed there.
    async fn directory_tidy(&self, origin: &Origin, app: AppId) -> Result<(), RepositoryFault> {
        let path = self.path(app);
        let held = self.cache_at(&path).held().await;
        match held.map_err(|source| RepositoryFault::Write { path: path.clone(), source })? {
            None => self.bring(app).await,
            Some(_) if origin.look(app).await?.is_none() => repository_remove(&self.kept.directory, app).await,
            Some(_) => Ok(()),
        }
    }
}
