//! What is filled: empty, or left by a restore that was interrupted.

use std::path::Path;

use ambo_registry::copy::CopyRound;
use ambo_store::Transaction;
use ambo_store::migrate::{MigrateError, Target, is_unfinished};
use futures::TryStreamExt;

use super::{RestoreError, Targets};

/// A target that is ours to fill.
pub(super) struct Begun<'a>(Target<'a>);

impl<'a> Begun<'a> {
    /// Marks it, and removes what an earlier restore has left.
    pub(super) async fn at(targets: &'a Targets) -> Result<Self, RestoreError> {
        let store = &*targets.store;
        let is_left = is_unfinished(store).await?;
        if !is_left {
            ensure_empty(targets).await?;
        }
        staging_make(&targets.staging)?;
        let target = Target::mark(store).await?;
        if is_left {
            target.clear().await?;
            clear(targets).await?;
        }
        Ok(Self(target))
    }

    pub(super) async fn commit(&self, batch: Transaction) -> Result<(), MigrateError> {
        self.0.commit(batch).await
    }

    /// It is whole.
    pub(super) async fn finish(self) -> Result<(), MigrateError> {
        self.0.finish().await
    }

    /// Nothing was written: it is as empty as before.
    pub(super) async fn give_up(self) -> Result<(), MigrateError> {
        self.0.finish().await
    }
}

/// The store is looked at when it is marked.
async fn ensure_empty(targets: &Targets) -> Result<(), RestoreError> {
    for round in CopyRound::ORDER {
        if let Some(stat) = targets.blobs.list(round.prefix()).try_next().await? {
            return Err(RestoreError::Taken(format!("the registry has `{}`", stat.key)));
        }
    }
    match targets.repositories.list().await?.first() {
        Some(app) => Err(RestoreError::Taken(format!("there is a repository of app {app}"))),
        None => Ok(()),
    }
}

/// Contents are left where they are: they are what their key says, or are written again.
async fn clear(targets: &Targets) -> Result<(), RestoreError> {
    let mut links = targets.blobs.list(CopyRound::Pointers.prefix());
    while let Some(link) = links.try_next().await? {
        targets.blobs.delete(&link.key).await?;
    }
    for app in targets.repositories.list().await? {
        targets.repositories.remove(app).await?;
    }
    Ok(())
}

fn staging_make(directory: &Path) -> Result<(), RestoreError> {
    let made = std::fs::create_dir_all(directory);
    made.map_err(|source| RestoreError::Staging { directory: directory.display().to_string(), source })
}
