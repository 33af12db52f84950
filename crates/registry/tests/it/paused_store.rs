//! A store that stops before it deletes a blob's link, until the test lets it go on.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::Timestamp;
use ambo_registry::{BlobStore, ByteStream, Seen, Stat, StoreError};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use http::StatusCode;
use tokio::sync::{Notify, watch};

use crate::collection::keep;
use crate::platform::{TestRegistry, sha256};

#[derive(Debug)]
struct PausedStore {
    inner: Arc<dyn BlobStore>,
    reached: Notify,
    open: watch::Sender<bool>,
}

#[async_trait]
impl BlobStore for PausedStore {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), StoreError> {
        self.inner.put(key, content).await
    }
    async fn look(&self, key: &str) -> Result<(Option<Bytes>, Seen), StoreError> {
        self.inner.look(key).await
    }
    async fn replace(&self, key: &str, seen: &Seen, content: Bytes) -> Result<bool, StoreError> {
        self.inner.replace(key, seen, content).await
    }
    async fn publish(&self, key: &str, staged: &Path) -> Result<(), StoreError> {
        self.inner.publish(key, staged).await
    }
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.inner.get(key).await
    }
    async fn read(&self, key: &str, range: Range<u64>) -> Result<Option<ByteStream>, StoreError> {
        self.inner.read(key, range).await
    }
    async fn stat(&self, key: &str) -> Result<Option<Stat>, StoreError> {
        self.inner.stat(key).await
    }
    async fn touch(&self, key: &str) -> Result<bool, StoreError> {
        self.inner.touch(key).await
    }
    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        if key.contains("/_blobs/") {
            self.reached.notify_one();
            let _ = self.open.subscribe().wait_for(|open| *open).await;
        }
        self.inner.delete(key).await
    }
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Stat, StoreError>> {
        self.inner.list(prefix)
    }
    async fn tidy(&self, cutoff: Timestamp) -> Result<u64, StoreError> {
        self.inner.tidy(cutoff).await
    }
}

#[tokio::test]
async fn a_manifest_cannot_rely_on_a_blob_that_is_being_swept() {
    let mut test = TestRegistry::new();
    let manifest = test.image("myapp", b"layer").await;
    keep(&test, &[], &[]);
    test.backing.age().await;
    let inner = test.backing.store();
    let store = Arc::new(PausedStore { inner, reached: Notify::new(), open: watch::Sender::new(false) });
    test.use_store(store.clone());
    let plan = test.registry.collection_plan(&*test.platform, Timestamp::now()).await.unwrap();
    let (put, collected) = tokio::join!(
        async {
            store.reached.notified().await;
            let mut put = Box::pin(test.put_manifest("myapp", "v1", &manifest));
            // The put has all the time it wants, should nothing hold it back.
            let early = tokio::time::timeout(Duration::from_millis(500), &mut put).await;
            store.open.send_replace(true);
            match early {
                Ok(put) => put,
                Err(_) => put.await,
            }
        },
        test.registry.collection_apply(&plan),
    );
    collected.unwrap();
    if put.status == StatusCode::CREATED {
        for blob in [&b"layer"[..], b"{}"] {
            test.get(&format!("/v2/myapp/blobs/{}", sha256(blob))).await.expect(StatusCode::OK);
        }
    } else {
        put.expect_error(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN");
    }
}
