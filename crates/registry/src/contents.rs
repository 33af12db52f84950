//! What the repositories hold, without HTTP. The nouns' operations are in [`blob`](crate::blob),
//! [`manifest`](crate::manifest), [`tag`](crate::tag) and [`referrer`](crate::referrer).
//!
//! Invariant: what is linked exists. Content is written before its link, and links go before their content, so a crash
//! at any point leaves at worst content without a link, which the next collection sweeps.

use std::sync::Arc;
use std::time::Duration;

use ambo_model::Timestamp;
use tokio::sync::{Mutex, RwLock};

use crate::digest::Digest;
use crate::error::Error;
use crate::layout;
use crate::store::{BlobStore, Stat};

/// An object younger than this part of the grace period is not touched again: its age cannot matter yet.
const RENEW_PART: u32 = 8;

#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) store: Arc<dyn BlobStore>,
    /// Links are made and renewed under a shared lock, which is never held while a client sends. The collector deletes
    /// each object under an exclusive lock, after a second look at its age. So a push never relies on what is swept.
    pub(crate) gate: RwLock<()>,
    /// Held from looking at a tag until it is written, so that nobody but another process can come between.
    pub(crate) tagging: Mutex<()>,
    renew_after: Duration,
}

impl Contents {
    pub(crate) fn new(store: Arc<dyn BlobStore>, grace: Duration) -> Self {
        Self { store, gate: RwLock::new(()), tagging: Mutex::new(()), renew_after: grace / RENEW_PART }
    }

    /// Makes an object young, so that no collection takes it for the length of the grace period. `false`: it is gone.
    pub(crate) async fn renew(&self, stat: &Stat) -> Result<bool, Error> {
        if Timestamp::now().duration_since(stat.modified).unsigned_abs() < self.renew_after {
            return Ok(true);
        }
        Ok(self.store.touch(&stat.key).await?)
    }

    /// Looks content up and makes it young.
    pub(crate) async fn content_renew(&self, digest: &Digest) -> Result<Option<Stat>, Error> {
        let Some(stat) = self.store.stat(&layout::content(digest)).await? else { return Ok(None) };
        Ok(self.renew(&stat).await?.then_some(stat))
    }
}
