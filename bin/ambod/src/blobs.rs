//! Where images are: the data directory, another one, or an object store.

use std::path::Path;
use std::sync::Arc;

use ambo_blobs::{BlobSettings, Bucket, Variables};
use ambo_registry::{BlobStore, DiskBlobStore, ObjectBlobStore};
use anyhow::Context;

use crate::settings::Settings;

/// Opens what the settings name. Images have a part of a bucket of their own.
pub(crate) fn open(settings: &Settings, data: &Path) -> anyhow::Result<Arc<dyn BlobStore>> {
    if settings.blobs.is_empty() {
        return Ok(Arc::new(DiskBlobStore::open(data.join("registry/blobs"))?));
    }
    match BlobSettings::parse(&settings.blobs).context("the setting `blobs`")? {
        BlobSettings::Disk(directory) => Ok(Arc::new(DiskBlobStore::open(directory.join("registry"))?)),
        bucket @ BlobSettings::Bucket(_) => {
            let bucket = Bucket::open(&bucket, &Variables::from_environment())?;
            Ok(Arc::new(ObjectBlobStore::new(bucket.below("registry"))))
        }
    }
}
