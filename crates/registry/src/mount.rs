//! Giving an image that one app has to another, without a byte of it being copied: content is shared, links are made.

use std::collections::BTreeSet;

use ambo_model::{AppId, ImageDigest};
use bytes::Bytes;

use crate::contents::Contents;
use crate::digest::Digest;
use crate::error::Error;
use crate::layout::Repository;
use crate::manifest::{MANIFEST_REFERENCES_MAX, Manifest};
use crate::name::Reference;
use crate::registry::{Registry, RegistryError};

impl Registry {
    /// Gives the image to the app `to`, in its own repository. `false`: the app `from` does not have it, whole. Safe to run
    /// twice, and to be cut short anywhere. It stays for the grace period, so that a release cut now can rely on it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn manifest_mount(&self, from: AppId, to: AppId, digest: &ImageDigest) -> Result<bool, RegistryError> {
        let digest = Digest::from(digest);
        let to = Repository { app: to, path: String::new() };
        for repository in self.repositories(from).await?.into_keys() {
            if self.contents().manifest_mount(&repository, &to, &digest).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A manifest on the way through what it needs.
enum Step {
    Enter(Digest),
    /// All that it needs is there.
    Put {
        digest: Digest,
        media_type: String,
        body: Bytes,
    },
}

impl Contents {
    /// Blobs first, then the manifests below, then the manifest itself: what is linked is whole.
    async fn manifest_mount(&self, from: &Repository, to: &Repository, digest: &Digest) -> Result<bool, Error> {
        let mut seen = BTreeSet::new();
        let mut steps = vec![Step::Enter(digest.clone())];
        while let Some(step) = steps.pop() {
            let digest = match step {
                Step::Put { digest, media_type, body } => {
                    self.manifest_put(to, &Reference::Digest(digest), Some(&media_type), body).await?;
                    continue;
                }
                Step::Enter(digest) if !seen.insert(digest.clone()) => continue,
                Step::Enter(digest) => digest,
            };
            let Some(link) = self.manifest_find(from, &digest).await? else { return Ok(false) };
            let body = self.manifest_read(&digest).await?;
            let manifest = Manifest::parse(Some(&link.media_type), &body);
            let Ok(manifest) = manifest else { return Err(Error::Damaged(digest)) };
            for blob in &manifest.blobs {
                if seen.insert(blob.digest.clone()) && !self.blob_mount(from, to, &blob.digest).await? {
                    return Ok(false);
                }
            }
            if seen.len() > MANIFEST_REFERENCES_MAX {
                return Err(Error::Damaged(digest));
            }
            steps.push(Step::Put { digest, media_type: link.media_type, body });
            steps.extend(manifest.manifests.into_iter().map(|child| Step::Enter(child.digest)));
        }
        Ok(true)
    }
}
