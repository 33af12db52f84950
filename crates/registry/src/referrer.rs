//! Referrers: manifests that name another as their subject, such as signatures and bills of materials.

use bytes::Bytes;
use futures::TryStreamExt;

use crate::contents::Contents;
use crate::digest::Digest;
use crate::error::Error;
use crate::layout::Repository;
use crate::manifest::Descriptor;

impl Contents {
    pub(crate) async fn referrer_put(
        &self,
        repository: &Repository,
        subject: &Digest,
        descriptor: &Descriptor,
    ) -> Result<(), Error> {
        let key = repository.referrer(subject, &descriptor.digest);
        let content = serde_json::to_vec(descriptor).map_err(|error| Error::ManifestInvalid(error.to_string()))?;
        Ok(self.store.put(&key, Bytes::from(content)).await?)
    }

    pub(crate) async fn referrer_remove(
        &self,
        repository: &Repository,
        subject: &Digest,
        digest: &Digest,
    ) -> Result<(), Error> {
        self.store.delete(&repository.referrer(subject, digest)).await?;
        Ok(())
    }

    /// Who refers to the subject, in the order of their digests. The subject need not exist.
    pub(crate) async fn referrer_list(
        &self,
        repository: &Repository,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, Error> {
        let keys = self.store.list(&repository.referrers(subject)).map_ok(|stat| stat.key);
        let mut keys: Vec<String> = keys.try_collect().await?;
        keys.sort();
        let mut descriptors = Vec::with_capacity(keys.len());
        for key in keys {
            // One that is gone by now was deleted while we read.
            let Some(content) = self.store.get(&key).await? else { continue };
            descriptors.extend(serde_json::from_slice::<Descriptor>(&content).ok());
        }
        Ok(descriptors)
    }
}
