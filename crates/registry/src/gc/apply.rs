//! Sweeps what was planned, each after a second look at its age.

use ambo_model::Timestamp;

use super::{Collected, Plan, Removal};
use crate::contents::Contents;
use crate::error::Error;
use crate::layout;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Swept {
    Removed,
    Spared,
    Gone,
}

impl Contents {
    /// Applies a plan. Safe to run twice, and to be cut short anywhere.
    pub(crate) async fn plan_apply(&self, plan: &Plan) -> Result<Collected, Error> {
        let mut collected = Collected::default();
        for removal in &plan.removals {
            let key = match removal {
                Removal::Tag(repository, tag) => repository.tag(tag),
                Removal::Referrer(repository, subject, digest) => repository.referrer(subject, digest),
                Removal::Manifest(repository, digest) => repository.manifest(digest),
                Removal::Blob(repository, digest) => repository.blob(digest),
                Removal::Content(digest, _) => layout::content(digest),
            };
            match (self.sweep(&key, plan.cutoff).await?, removal) {
                (Swept::Gone, _) => {}
                (Swept::Spared, _) => collected.spared += 1,
                (Swept::Removed, Removal::Tag(..)) => collected.tags += 1,
                (Swept::Removed, Removal::Referrer(..)) => {}
                (Swept::Removed, Removal::Manifest(..)) => collected.manifests += 1,
                (Swept::Removed, Removal::Blob(..)) => collected.blobs += 1,
                (Swept::Removed, Removal::Content(_, size)) => {
                    collected.contents += 1;
                    collected.freed += size;
                }
            }
        }
        collected.manifests_kept = plan.manifests_found.saturating_sub(collected.manifests);
        collected.bytes_kept = plan.bytes_found.saturating_sub(collected.freed);
        Ok(collected)
    }

    async fn sweep(&self, key: &str, cutoff: Timestamp) -> Result<Swept, Error> {
        let _gate = self.gate.write().await;
        let Some(stat) = self.store.stat(key).await? else { return Ok(Swept::Gone) };
        if stat.modified > cutoff {
            return Ok(Swept::Spared);
        }
        self.store.delete(key).await?;
        Ok(Swept::Removed)
    }
}
