//! The registry's objects, on their way out of an archive: small ones many at a time, large ones through a file.

use std::io;
use std::path::Path;

use ambo_registry::copy::Object;
use ambo_registry::{BlobStore, StoreError};
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, TryStreamExt};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use super::RestoreError;
use crate::archive::{ArchiveReader, Event};
use crate::objects::{SMALL_AT_A_TIME, SMALL_BYTES};

/// Writes objects. What is under way is not waited for until there is too much of it.
pub(super) struct Objects<'a> {
    blobs: &'a dyn BlobStore,
    staging: &'a Path,
    under_way: FuturesUnordered<BoxFuture<'a, Result<(), StoreError>>>,
}

impl<'a> Objects<'a> {
    pub(super) fn new(blobs: &'a dyn BlobStore, staging: &'a Path) -> Self {
        Self { blobs, staging, under_way: FuturesUnordered::new() }
    }

    /// Writes one, unless it is not what its key says.
    pub(super) async fn write(&mut self, key: &str, reader: &mut ArchiveReader) -> Result<(), RestoreError> {
        if Object::of(key).is_none() {
            return Err(RestoreError::Stray(key.to_owned()));
        }
        let mut content = BytesMut::new();
        loop {
            match reader.next().await? {
                Event::Data(piece) => content.extend_from_slice(&piece),
                Event::End { is_sound: true } => return self.small_write(key, content.freeze()).await,
                Event::End { is_sound: false } => return Ok(()),
                _ => return Err(RestoreError::Stray(key.to_owned())),
            }
            if content.len() as u64 > SMALL_BYTES {
                return self.large_write(key, content.freeze(), reader).await;
            }
        }
    }

    /// Waits for all that is under way.
    pub(super) async fn flush(&mut self) -> Result<(), RestoreError> {
        while self.under_way.try_next().await?.is_some() {}
        Ok(())
    }

    async fn small_write(&mut self, key: &str, content: Bytes) -> Result<(), RestoreError> {
        if self.under_way.len() >= SMALL_AT_A_TIME {
            self.under_way.try_next().await?;
        }
        let (blobs, key) = (self.blobs, key.to_owned());
        self.under_way.push(async move { blobs.put(&key, content).await }.boxed());
        Ok(())
    }

    async fn large_write(
        &mut self,
        key: &str,
        beginning: Bytes,
        reader: &mut ArchiveReader,
    ) -> Result<(), RestoreError> {
        let unusable = |source| RestoreError::Staging { directory: self.staging.display().to_string(), source };
        let (file, path) = NamedTempFile::new_in(self.staging).map_err(unusable)?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        file.write_all(&beginning).await.map_err(unusable)?;
        let is_sound = loop {
            match reader.next().await? {
                Event::Data(piece) => file.write_all(&piece).await.map_err(unusable)?,
                Event::End { is_sound } => break is_sound,
                _ => return Err(RestoreError::Stray(key.to_owned())),
            }
        };
        file.flush().await.map_err(unusable)?;
        if is_sound {
            self.blobs.publish(key, &path).await?;
            // It has moved.
            path.keep().map_err(|error| unusable(io::Error::other(error)))?;
        }
        Ok(())
    }
}
