//! Manifests: kept byte for byte, linked by digest, and only when everything they name is there.

mod document;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::contents::Contents;
use crate::digest::{Algorithm, Digest};
use crate::error::Error;
use crate::layout::{self, Repository};
use crate::name::{Reference, Tag};

pub(crate) use document::{Descriptor, Manifest};
pub use document::{MANIFEST_BYTES_MAX, MANIFEST_REFERENCES_MAX};

/// What a repository's link to a manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManifestLink {
    pub(crate) media_type: String,
    pub(crate) size: u64,
}

/// A manifest that was put.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ManifestPut {
    pub(crate) digest: Digest,
    pub(crate) subject: Option<Digest>,
}

impl Contents {
    pub(crate) async fn manifest_resolve(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<(Digest, ManifestLink), Error> {
        let unknown = || Error::ManifestUnknown(reference.clone());
        let digest = match reference {
            Reference::Digest(digest) => digest.clone(),
            Reference::Tag(tag) => self.tag_resolve(repository, tag).await?.ok_or_else(unknown)?,
        };
        let link = self.manifest_find(repository, &digest).await?.ok_or_else(unknown)?;
        Ok((digest, link))
    }

    pub(crate) async fn manifest_find(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<ManifestLink>, Error> {
        let Some(link) = self.store.get(&repository.manifest(digest)).await? else { return Ok(None) };
        serde_json::from_slice(&link).map(Some).map_err(|_| Error::Damaged(digest.clone()))
    }

    /// The manifest's bytes. The caller has found it.
    pub(crate) async fn manifest_read(&self, digest: &Digest) -> Result<Bytes, Error> {
        self.store.get(&layout::content(digest)).await?.ok_or_else(|| Error::Damaged(digest.clone()))
    }

    /// Puts a manifest: content, link, referrer, tag, in this order, each durable before the next.
    pub(crate) async fn manifest_put(
        &self,
        repository: &Repository,
        reference: &Reference,
        media_type: Option<&str>,
        body: Bytes,
    ) -> Result<ManifestPut, Error> {
        let manifest = Manifest::parse(media_type, &body)?;
        let digest = match reference {
            Reference::Tag(_) => Digest::of(Algorithm::Sha256, &body),
            Reference::Digest(expected) => {
                let actual = Digest::of(expected.algorithm(), &body);
                if *expected != actual {
                    return Err(Error::DigestMismatch { expected: expected.clone(), actual });
                }
                actual
            }
        };
        let _gate = self.gate.read().await;
        self.manifest_references_renew(repository, &manifest).await?;
        let size = body.len() as u64;
        self.store.put(&layout::content(&digest), body).await?;
        let link = ManifestLink { media_type: manifest.media_type.clone(), size };
        let link = serde_json::to_vec(&link).map_err(|error| Error::ManifestInvalid(error.to_string()))?;
        self.store.put(&repository.manifest(&digest), Bytes::from(link)).await?;
        if let Some(subject) = &manifest.subject {
            self.referrer_put(repository, subject, &manifest.descriptor(&digest, size)).await?;
        }
        if let Reference::Tag(tag) = reference {
            self.tag_put(repository, tag, &digest).await?;
        }
        Ok(ManifestPut { digest, subject: manifest.subject })
    }

    /// Removes a manifest with its tags. Tags go first, so none ever points at nothing.
    pub(crate) async fn manifest_remove(&self, repository: &Repository, digest: &Digest) -> Result<(), Error> {
        let unknown = || Error::ManifestUnknown(Reference::Digest(digest.clone()));
        self.manifest_find(repository, digest).await?.ok_or_else(unknown)?;
        let pointing: Vec<Tag> = self.tag_list_of(repository, digest).await?;
        for tag in &pointing {
            self.tag_remove(repository, tag).await?;
        }
        // A damaged manifest can still be removed; it has no subject that could be read.
        let body = self.store.get(&layout::content(digest)).await?;
        if let Some(subject) = body.and_then(|body| Manifest::parse(None, &body).ok()?.subject) {
            self.referrer_remove(repository, &subject, digest).await?;
        }
        match self.store.delete(&repository.manifest(digest)).await? {
            true => Ok(()),
            false => Err(unknown()),
        }
    }

    /// Makes a manifest and all it needs young. `false`: the manifest or some of what it needs is missing.
    pub(crate) async fn manifest_renew(&self, repository: &Repository, digest: &Digest) -> Result<bool, Error> {
        let _gate = self.gate.read().await;
        if !self.manifest_touch(repository, digest).await? {
            return Ok(false);
        }
        let manifest = Manifest::parse(None, &self.manifest_read(digest).await?);
        let Ok(manifest) = manifest else { return Err(Error::Damaged(digest.clone())) };
        match self.manifest_references_renew(repository, &manifest).await {
            Ok(()) => Ok(true),
            Err(Error::ManifestBlobUnknown(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes everything young that the manifest needs, manifests below it included; the caller holds the gate.
    async fn manifest_references_renew(&self, repository: &Repository, manifest: &Manifest) -> Result<(), Error> {
        let mut missing = Vec::new();
        let mut seen = BTreeSet::new();
        let mut waiting = VecDeque::from([manifest.clone()]);
        while let Some(manifest) = waiting.pop_front() {
            for blob in &manifest.blobs {
                if !seen.insert(blob.digest.clone()) {
                    continue;
                }
                match self.blob_renew(repository, &blob.digest).await? {
                    Some(size) if size != blob.size => return Err(Error::Size(size_mismatch(blob, size))),
                    Some(_) => {}
                    None => missing.push(blob.digest.clone()),
                }
            }
            for child in &manifest.manifests {
                if !seen.insert(child.digest.clone()) {
                    continue;
                }
                if self.manifest_touch(repository, &child.digest).await? {
                    let body = self.manifest_read(&child.digest).await?;
                    waiting.extend(Manifest::parse(None, &body).ok());
                } else {
                    missing.push(child.digest.clone());
                }
                if seen.len() > MANIFEST_REFERENCES_MAX {
                    return Err(Error::ManifestInvalid(format!(
                        "the manifest leads to more than {MANIFEST_REFERENCES_MAX} others"
                    )));
                }
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(Error::ManifestBlobUnknown(missing)) }
    }

    /// Makes a manifest's link and content young. `false`: the repository does not have it.
    async fn manifest_touch(&self, repository: &Repository, digest: &Digest) -> Result<bool, Error> {
        let Some(link) = self.store.stat(&repository.manifest(digest)).await? else { return Ok(false) };
        Ok(self.content_renew(digest).await?.is_some() && self.renew(&link).await?)
    }
}

fn size_mismatch(blob: &Descriptor, size: u64) -> String {
    format!("the manifest gives blob `{}` a size of {}, but it has {size} bytes", blob.digest, blob.size)
}
