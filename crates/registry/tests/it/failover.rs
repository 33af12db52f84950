//! Another controller takes over: the same store, another disk, and requests of the one before it that come in late.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use ambo_model::Timestamp;
use ambo_registry::{BlobStore, ByteStream, Seen, Stat, StoreError};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use http::{Method, StatusCode};
use tokio::sync::{Notify, watch};

use crate::platform::{TestRegistry, sha256};

impl TestRegistry {
    /// Another controller's: the same platform, the same store, a disk of its own.
    pub(crate) fn successor(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::over(directory, self.backing.clone(), Arc::clone(&self.platform), |_| {})
    }
}

#[tokio::test]
async fn a_successor_has_all_that_was_acknowledged() {
    let first = TestRegistry::new();
    let digest = first.push_image("myapp", "v1", b"layer").await;
    let second = first.successor();
    let manifest = second.get("/v2/myapp/manifests/v1").await;
    assert_eq!(manifest.expect(StatusCode::OK).header("docker-content-digest"), digest.to_string());
    let layer = second.get(&format!("/v2/myapp/blobs/{}", sha256(b"layer"))).await;
    assert_eq!(layer.expect(StatusCode::OK).body, "layer");
}

#[tokio::test]
async fn an_upload_under_way_is_begun_anew_with_the_successor() {
    let first = TestRegistry::new();
    let upload = first.start_upload("myapp").await;
    first.ask(Method::PATCH, &upload, &[], "hello").await.expect(StatusCode::ACCEPTED);
    let second = first.successor();
    let refused = second.ask(Method::PATCH, &upload, &[("content-range", "5-10")], " world").await;
    refused.expect_error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN");
    let digest = second.push_blob("myapp", b"hello world").await;
    assert_eq!(second.get(&format!("/v2/myapp/blobs/{digest}")).await.body, "hello world");
}

/// A store whose owner stops between looking at a tag and writing it, until the test lets it go on.
#[derive(Debug)]
struct LateStore {
    inner: Arc<dyn BlobStore>,
    reached: Notify,
    open: watch::Sender<bool>,
}

#[async_trait]
impl BlobStore for LateStore {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), StoreError> {
        self.inner.put(key, content).await
    }
    async fn look(&self, key: &str) -> Result<(Option<Bytes>, Seen), StoreError> {
        self.inner.look(key).await
    }
    async fn replace(&self, key: &str, seen: &Seen, content: Bytes) -> Result<bool, StoreError> {
        self.reached.notify_one();
        let _ = self.open.subscribe().wait_for(|open| *open).await;
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
        self.inner.delete(key).await
    }
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Stat, StoreError>> {
        self.inner.list(prefix)
    }
    async fn tidy(&self, cutoff: Timestamp) -> Result<u64, StoreError> {
        self.inner.tidy(cutoff).await
    }
}

/// What a late write of a tag is answered, when the successor has done `meanwhile`.
async fn late_write(meanwhile: impl AsyncFnOnce(&TestRegistry)) -> (TestRegistry, StatusCode) {
    let mut first = TestRegistry::new();
    let second = first.successor();
    first.push_image("myapp", "stable", b"old").await;
    let late = first.image("myapp", b"late").await;
    let inner = first.backing.store();
    let store = Arc::new(LateStore { inner, reached: Notify::new(), open: watch::Sender::new(false) });
    first.use_store(store.clone());
    let (written, ()) = tokio::join!(first.put_manifest("myapp", "stable", &late), async {
        store.reached.notified().await;
        meanwhile(&second).await;
        store.open.send_replace(true);
    });
    (second, written.status)
}

#[tokio::test]
async fn a_tag_that_the_successor_has_moved_is_not_moved_back_by_a_late_writer() {
    let (second, late) = late_write(async |second| drop(second.push_image("myapp", "stable", b"new").await)).await;
    assert_eq!(late, StatusCode::SERVICE_UNAVAILABLE);
    let manifest = second.get("/v2/myapp/manifests/stable").await;
    assert_eq!(manifest.json()["layers"][0]["digest"], sha256(b"new").to_string());
}

#[tokio::test]
async fn nor_is_one_that_points_where_it_did_again() {
    let moved_and_back = async |second: &TestRegistry| {
        second.push_image("myapp", "stable", b"new").await;
        second.push_image("myapp", "stable", b"old").await;
    };
    let (second, late) = late_write(moved_and_back).await;
    assert_eq!(late, StatusCode::SERVICE_UNAVAILABLE);
    let manifest = second.get("/v2/myapp/manifests/stable").await;
    assert_eq!(manifest.json()["layers"][0]["digest"], sha256(b"old").to_string());
}

#[tokio::test]
async fn nor_is_one_brought_back_that_the_successor_has_removed() {
    let removed = async |second: &TestRegistry| {
        second.delete("/v2/myapp/manifests/stable").await.expect(StatusCode::ACCEPTED);
    };
    let (second, late) = late_write(removed).await;
    assert_eq!(late, StatusCode::SERVICE_UNAVAILABLE);
    second.get("/v2/myapp/manifests/stable").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_late_writer_of_a_tag_that_nobody_moved_is_only_late() {
    let (second, late) = late_write(async |_| {}).await;
    assert_eq!(late, StatusCode::CREATED);
    let manifest = second.get("/v2/myapp/manifests/stable").await;
    assert_eq!(manifest.json()["layers"][0]["digest"], sha256(b"late").to_string());
}
