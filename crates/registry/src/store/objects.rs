//! A bucket of an object store.
//!
//! Objects there cannot be touched: no store lets the time of an object be set, and some refuse to copy one onto itself.
//! So a touch is an empty object beside it, under [`TOUCHED`], and the younger of the two tells the age. It lives as long
//! as its object.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use ambo_blobs::{Bucket, Listed};
use ambo_model::Timestamp;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use super::{BlobStore, ByteStream, Seen, Stat, StoreError};

/// Where touches lie, each under its object's key.
const TOUCHED: &str = "touched";
/// Requests to the store that are under way at a time when many are to be made.
const REQUESTS_AT_A_TIME: usize = 16;

/// Keeps objects in a bucket.
#[derive(Debug, Clone)]
pub struct ObjectBlobStore {
    bucket: Bucket,
}

impl ObjectBlobStore {
    /// Keeps objects in `bucket`, where nobody else keeps any.
    #[must_use]
    pub fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// Removes the touches of objects that are gone. One that is young may be of an object that is about to come.
    async fn touches_tidy(&self, cutoff: Timestamp) -> Result<(), StoreError> {
        let old = self.bucket.list(TOUCHED).try_filter(|touch| std::future::ready(touch.modified < cutoff));
        let tidied = old.map_err(StoreError::from).try_for_each_concurrent(REQUESTS_AT_A_TIME, async |touch| {
            let key = touch.key.strip_prefix(TOUCHED).unwrap_or_default().trim_start_matches('/');
            if self.bucket.stat(key).await?.is_none() {
                self.bucket.delete(&touch.key).await?;
            }
            Ok(())
        });
        tidied.await
    }
}

impl From<Listed> for Stat {
    fn from(listed: Listed) -> Self {
        Self { key: listed.key, size: listed.size, modified: listed.modified }
    }
}

/// A bucket's content as the registry reads it.
pub(super) fn bytes(stream: ambo_blobs::ByteStream) -> ByteStream {
    stream.map_err(StoreError::from).boxed()
}

fn touch_key(key: &str) -> String {
    format!("{TOUCHED}/{key}")
}

/// The touches below a prefix: the keys of the objects, and when.
async fn touches(bucket: &Bucket, prefix: &str) -> Result<BTreeMap<String, Timestamp>, StoreError> {
    let touch = |listed: Listed| {
        let key = listed.key.strip_prefix(TOUCHED).unwrap_or_default().trim_start_matches('/').to_owned();
        (key, listed.modified)
    };
    Ok(bucket.list(&touch_key(prefix)).map_ok(touch).try_collect().await?)
}

#[async_trait]
impl BlobStore for ObjectBlobStore {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), StoreError> {
        Ok(self.bucket.put(key, content).await?)
    }

    async fn look(&self, key: &str) -> Result<(Option<Bytes>, Seen), StoreError> {
        Ok(match self.bucket.look(key).await? {
            Some((content, version)) => (Some(content), Seen(Some(version))),
            None => (None, Seen(None)),
        })
    }

    async fn replace(&self, key: &str, seen: &Seen, content: Bytes) -> Result<bool, StoreError> {
        Ok(self.bucket.swap(key, seen.0.as_ref(), content).await?)
    }

    async fn publish(&self, key: &str, staged: &Path) -> Result<(), StoreError> {
        self.bucket.put_file(key, staged).await?;
        let removed = tokio::fs::remove_file(staged).await;
        removed.map_err(|error| StoreError::new("remove the staged file of", key, error))
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.bucket.get(key).await?)
    }

    async fn read(&self, key: &str, range: Range<u64>) -> Result<Option<ByteStream>, StoreError> {
        Ok(self.bucket.read(key, range).await?.map(bytes))
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>, StoreError> {
        let touch = touch_key(key);
        let (found, touch) = tokio::try_join!(self.bucket.stat(key), self.bucket.stat(&touch))?;
        Ok(found.map(|found| {
            let modified = touch.map_or(found.modified, |touch| touch.modified.max(found.modified));
            Stat { modified, ..Stat::from(found) }
        }))
    }

    async fn touch(&self, key: &str) -> Result<bool, StoreError> {
        if self.bucket.stat(key).await?.is_none() {
            return Ok(false);
        }
        self.bucket.put(&touch_key(key), Bytes::new()).await?;
        Ok(true)
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        // Deleting what is not there is a success to some stores.
        if self.bucket.stat(key).await?.is_none() {
            return Ok(false);
        }
        // In this order: a touch without its object says nothing.
        self.bucket.delete(key).await?;
        self.bucket.delete(&touch_key(key)).await?;
        Ok(true)
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Stat, StoreError>> {
        let (bucket, prefix) = (self.bucket.clone(), prefix.to_owned());
        let listed = async move {
            let touches = touches(&bucket, &prefix).await?;
            let aged = move |found: Listed| {
                let modified = touches.get(&found.key).map_or(found.modified, |touched| found.modified.max(*touched));
                Stat { modified, ..Stat::from(found) }
            };
            Ok::<_, StoreError>(bucket.list(&prefix).map_ok(aged).map_err(StoreError::from))
        };
        futures::stream::once(listed).try_flatten().boxed()
    }

    async fn tidy(&self, cutoff: Timestamp) -> Result<u64, StoreError> {
        self.touches_tidy(cutoff).await?;
        Ok(self.bucket.tidy(cutoff).await?)
    }
}
