//! Where images and repositories are: the data directory, another one, or an object store.

use std::path::Path;
use std::sync::Arc;

use ambo_blobs::{BlobSettings, Bucket, Variables};
use ambo_gitreceive::GitSettings;
use ambo_registry::{BlobStore, DiskBlobStore, ObjectBlobStore};
use anyhow::Context;

use crate::settings::{Role, Settings};

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

/// Where the git server keeps repositories: in a part of the bucket of their own, with the data directory as its cache, and
/// without a bucket in the data directory. A directory that the controllers of a cluster share has them too.
pub(crate) fn git_settings(settings: &Settings, data: &Path) -> anyhow::Result<GitSettings> {
    let program = std::env::current_exe().context("find this program's file")?;
    let mut git = GitSettings::new(data, program);
    if settings.blobs.is_empty() {
        return Ok(git);
    }
    match BlobSettings::parse(&settings.blobs).context("the setting `blobs`")? {
        BlobSettings::Disk(directory) if settings.role == Role::Controller => {
            git.repositories = directory.join("repos")
        }
        BlobSettings::Disk(_) => {}
        bucket @ BlobSettings::Bucket(_) => {
            let bucket = Bucket::open(&bucket, &Variables::from_environment())?;
            git.bucket = Some(bucket.below("repositories"));
        }
    }
    Ok(git)
}
