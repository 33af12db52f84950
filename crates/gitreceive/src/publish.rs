//! A push on its way into the bucket: its packs before it is built, its ref after that, and before git moves the ref here.

use std::io;
use std::path::{Path, PathBuf};

use ambo_model::{AppId, CommitId};
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

use crate::app_gate::AppGate;
use crate::cache::{Held, packs_in};
use crate::manifest::{Manifest, Pack, Refs};
use crate::origin::{Origin, OriginFault, Seen};
use crate::refs::Deploy;
use crate::repositories::{LOOKS_MAX, Repositories};

/// A push whose packs are in the bucket, and whose ref has not moved there.
#[derive(Debug)]
pub(crate) struct Staged {
    deploy: Deploy,
    files: Vec<PathBuf>,
    /// What was there before the packs were stored.
    seen: Option<Seen>,
    packs: Vec<Pack>,
}

/// What the bucket has of a push now. As long as this value is there, nobody else here follows the bucket: git moves the ref
/// from where it was.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) manifest: Manifest,
    based_on: Option<Uuid>,
    _alone: OwnedMutexGuard<()>,
}

/// Why a push is not in the bucket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishFault {
    #[error("the branch was moved")]
    Moved { now: Option<CommitId> },
    #[error("others change the repository all the time")]
    Contended,
    #[error("read the pushed objects")]
    Objects(#[from] io::Error),
    #[error(transparent)]
    Origin(#[from] OriginFault),
}

impl Repositories {
    /// Stores the packs of a push, which lie in `objects`, unless somebody else has moved its branch. Without a bucket there is
    /// nothing to do.
    ///
    /// # Cancel safety
    /// Dropping the future leaves packs behind that a sweep removes.
    pub(crate) async fn stage(
        &self,
        app: AppId,
        deploy: &Deploy,
        objects: &Path,
    ) -> Result<Option<Staged>, PublishFault> {
        let Some(origin) = &self.kept.origin else { return Ok(None) };
        let files = packs_in(objects).await?;
        self.stage_in(origin, app, deploy.clone(), files).await.map(Some)
    }

    async fn stage_in(
        &self,
        origin: &Origin,
        app: AppId,
        deploy: Deploy,
        files: Vec<PathBuf>,
    ) -> Result<Staged, PublishFault> {
        let seen = origin.look(app).await?;
        let now = seen.as_ref().and_then(|seen| seen.manifest.branch(deploy.branch));
        if now != deploy.old.as_ref() {
            return Err(PublishFault::Moved { now: now.cloned() });
        }
        let packs = origin.packs_put(app, &files).await?;
        Ok(Staged { deploy, files, seen, packs })
    }

    /// Removes the packs of a push that was rejected.
    pub(crate) async fn unstage(&self, app: AppId, staged: Option<Staged>) {
        if let (Some(origin), Some(staged)) = (&self.kept.origin, staged) {
            origin.packs_drop(app, &staged.packs).await;
        }
    }

    /// Moves the branch in the bucket, unless somebody else has. Packs are stored anew when others have written meanwhile
    /// what has nothing to do with the branch: a sweep may be about to remove those that are there.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the branch where it was, or moved.
    pub(crate) async fn publish(
        &self,
        gate: &AppGate,
        staged: Option<Staged>,
    ) -> Result<Option<Published>, PublishFault> {
        let (Some(origin), Some(mut staged)) = (&self.kept.origin, staged) else { return Ok(None) };
        let app = gate.app();
        for _ in 0..LOOKS_MAX {
            let Staged { deploy, files, seen, packs } = staged;
            let none = Manifest::new(Refs::none(), Vec::new());
            let manifest = seen.as_ref().map_or(&none, |seen| &seen.manifest);
            let next = manifest.pushed(deploy.branch, &deploy.new, &packs);
            let alone = gate.alone().await;
            if origin.swap(app, seen.as_ref(), &next).await? {
                let based_on = seen.map(|seen| seen.manifest.written);
                return Ok(Some(Published { manifest: next, based_on, _alone: alone }));
            }
            drop(alone);
            origin.packs_drop(app, &packs).await;
            staged = self.stage_in(origin, app, deploy, files).await?;
        }
        self.unstage(app, Some(staged)).await;
        Err(PublishFault::Contended)
    }

    /// Writes down that this disk has what was published, after git moved the ref. If others wrote in between, the next
    /// session finds out what is missing.
    pub(crate) async fn published_note(&self, app: AppId, published: &Published) -> io::Result<()> {
        let path = self.path(app);
        let cache = self.cache_at(&path);
        let held = cache.held().await?.unwrap_or_default();
        if held.at == published.based_on {
            cache.note(&Held::all(&published.manifest)).await?;
        }
        Ok(())
    }
}
