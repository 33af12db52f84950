//! A push on its way into the bucket, before git moves the ref here.

use std::io;
use std::path::Path;

use ambo_model::{AppId, CommitId};
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

use crate::app_gate::AppGate;
use crate::cache::{Held, packs_in};
use crate::manifest::{Manifest, Refs};
use crate::origin::OriginFault;
use crate::refs::Deploy;
use crate::repositories::{LOOKS_MAX, Repositories};

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
    /// Stores the packs of a push, which lie in `objects`, and moves the branch in the bucket, unless somebody else has. Without
    /// a bucket there is nothing to do.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the branch where it was, or moved.
    pub(crate) async fn publish(
        &self,
        gate: &AppGate,
        deploy: &Deploy,
        objects: &Path,
    ) -> Result<Option<Published>, PublishFault> {
        let Some(origin) = &self.kept.origin else { return Ok(None) };
        let app = gate.app();
        let files = packs_in(objects).await?;
        for _ in 0..LOOKS_MAX {
            let seen = origin.look(app).await?;
            let none = Manifest::new(Refs::none(), Vec::new());
            let manifest = seen.as_ref().map_or(&none, |seen| &seen.manifest);
            if manifest.branch(deploy.branch) != deploy.old.as_ref() {
                return Err(PublishFault::Moved { now: manifest.branch(deploy.branch).cloned() });
            }
            let packs = origin.packs_put(app, &files).await?;
            let next = manifest.pushed(deploy.branch, &deploy.new, &packs);
            let alone = gate.alone().await;
            if origin.swap(app, seen.as_ref(), &next).await? {
                let based_on = seen.map(|seen| seen.manifest.written);
                return Ok(Some(Published { manifest: next, based_on, _alone: alone }));
            }
            // Repacked, perhaps. What lost is not stored under this name again: a sweep may be about to remove it.
            origin.packs_drop(app, &packs).await;
        }
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
