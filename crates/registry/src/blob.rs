//! Blobs: content shared by all repositories, and each repository's links to what it has.

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use crate::contents::Contents;
use crate::digest::Digest;
use crate::error::Error;
use crate::layout::{self, Repository};
use crate::store::ByteStream;

impl Contents {
    /// The blob's size, when the repository has it. Makes it young: whoever asks may be about to refer to it.
    pub(crate) async fn blob_find(&self, repository: &Repository, digest: &Digest) -> Result<Option<u64>, Error> {
        let _gate = self.gate.read().await;
        self.blob_renew(repository, digest).await
    }

    /// As [`Self::blob_find`]; the caller holds the gate.
    pub(crate) async fn blob_renew(&self, repository: &Repository, digest: &Digest) -> Result<Option<u64>, Error> {
        let Some(link) = self.store.stat(&repository.blob(digest)).await? else { return Ok(None) };
        let Some(content) = self.content_renew(digest).await? else { return Ok(None) };
        Ok(self.renew(&link).await?.then_some(content.size))
    }

    /// Part of a blob's content. The caller has found the blob.
    pub(crate) async fn blob_read(&self, digest: &Digest, range: Range<u64>) -> Result<ByteStream, Error> {
        let content = self.store.read(&layout::content(digest), range).await?;
        content.ok_or_else(|| Error::BlobUnknown(digest.clone()))
    }

    /// Takes a staged file, whose digest was verified, in as a blob of the repository. The file is gone afterwards, unless
    /// this fails.
    pub(crate) async fn blob_publish(
        &self,
        repository: &Repository,
        digest: &Digest,
        size: u64,
        staged: &Path,
    ) -> Result<(), Error> {
        {
            let _gate = self.gate.read().await;
            // Content of another size was damaged; the verified file replaces it.
            if self.content_renew(digest).await?.is_some_and(|content| content.size == size) {
                self.blob_link(repository, digest, size).await?;
                return Ok(tokio::fs::remove_file(staged).await?);
            }
        }
        // Outside the gate: a far store takes its time. New content is young, so no collection takes it meanwhile.
        self.store.publish(&layout::content(digest), staged).await?;
        let _gate = self.gate.read().await;
        self.blob_link(repository, digest, size).await
    }

    /// Gives `to` a blob that `from` has. `false`: it does not have it.
    pub(crate) async fn blob_mount(&self, from: &Repository, to: &Repository, digest: &Digest) -> Result<bool, Error> {
        let _gate = self.gate.read().await;
        let Some(size) = self.blob_renew(from, digest).await? else { return Ok(false) };
        self.blob_link(to, digest, size).await?;
        Ok(true)
    }

    /// Takes the blob from the repository; its content goes with the next collection when nobody else has it.
    pub(crate) async fn blob_unlink(&self, repository: &Repository, digest: &Digest) -> Result<(), Error> {
        match self.store.delete(&repository.blob(digest)).await? {
            true => Ok(()),
            false => Err(Error::BlobUnknown(digest.clone())),
        }
    }

    async fn blob_link(&self, repository: &Repository, digest: &Digest, size: u64) -> Result<(), Error> {
        let key = repository.blob(digest);
        if let Some(link) = self.store.stat(&key).await?
            && self.renew(&link).await?
        {
            return Ok(());
        }
        Ok(self.store.put(&key, Bytes::from(size.to_string())).await?)
    }
}
