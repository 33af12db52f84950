//! What keeps a test registry's objects: `BACKEND` of the program that the test is built into. Times can be moved, so that
//! what is young can be made old on stores that let nobody do that.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ambo_blobs::Bucket;
use ambo_model::Timestamp;
use ambo_registry::{BlobStore, ByteStream, DiskBlobStore, ObjectBlobStore, Seen, Stat, StoreError};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use parking_lot::Mutex;

use crate::BACKEND;
use crate::servers::ObjectServer;

/// How much older everything gets.
const AGEING: Duration = Duration::from_secs(100 * 60 * 60);
/// How long the store's clock may take to show another time.
const TICK_DURATION_MAX: Duration = Duration::from_secs(10);

/// The kinds of stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "each test program is built for one of them")]
pub(crate) enum Backend {
    Disk,
    Memory,
    S3,
    Azure,
}

impl Backend {
    /// How many cases of a property are tried.
    pub(crate) const fn cases(self) -> u32 {
        match self {
            Self::Disk | Self::Memory => 24,
            Self::S3 | Self::Azure => 6,
        }
    }
}

#[derive(Debug, Clone)]
enum Kept {
    Disk(PathBuf),
    Bucket(Bucket),
}

/// A store of one test's own. Clones are the same store.
#[derive(Debug, Clone)]
pub(crate) struct Backing {
    kept: Kept,
    /// What was written until then is shown as old.
    aged: Arc<Mutex<Option<Timestamp>>>,
}

/// The server that all tests of a process share; it ends with the process.
fn server() -> Bucket {
    static SERVER: OnceLock<ObjectServer> = OnceLock::new();
    let server = SERVER.get_or_init(|| match BACKEND {
        Backend::Azure => ObjectServer::azure(),
        _ => ObjectServer::s3(),
    });
    server.bucket().below(&uuid::Uuid::new_v4().to_string())
}

impl Backing {
    pub(crate) fn new(directory: &Path) -> Self {
        let kept = match BACKEND {
            Backend::Disk => Kept::Disk(directory.join("store")),
            Backend::Memory => Kept::Bucket(Bucket::in_memory()),
            Backend::S3 | Backend::Azure => Kept::Bucket(server()),
        };
        Self { kept, aged: Arc::default() }
    }

    fn raw(&self) -> Arc<dyn BlobStore> {
        match &self.kept {
            Kept::Disk(path) => Arc::new(DiskBlobStore::open(path).unwrap()),
            Kept::Bucket(bucket) => Arc::new(ObjectBlobStore::new(bucket.clone())),
        }
    }

    /// The store, opened anew.
    pub(crate) fn store(&self) -> Arc<dyn BlobStore> {
        Arc::new(AgedStore { inner: self.raw(), aged: Arc::clone(&self.aged) })
    }

    /// The keys of everything that a registry keeps.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let store = self.raw();
        store.list("blobs").chain(store.list("apps")).map_ok(|stat| stat.key).try_collect().await.unwrap()
    }

    /// Makes everything that is there old, and returns when whatever is written next is young.
    pub(crate) async fn age(&self) {
        let now = Timestamp::now();
        *self.aged.lock() = Some(now);
        let store = self.raw();
        let key = format!("clock/{}", uuid::Uuid::new_v4());
        let ticked = async {
            loop {
                store.put(&key, Bytes::from_static(b"tick")).await.unwrap();
                if store.stat(&key).await.unwrap().unwrap().modified > now {
                    return store.delete(&key).await.unwrap();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(TICK_DURATION_MAX, ticked).await.expect("the store's clock stands still");
    }
}

#[derive(Debug)]
struct AgedStore {
    inner: Arc<dyn BlobStore>,
    aged: Arc<Mutex<Option<Timestamp>>>,
}

fn shown(stat: Stat, aged: Option<Timestamp>) -> Stat {
    match aged {
        Some(aged) if stat.modified <= aged => Stat { modified: stat.modified.checked_sub(AGEING).unwrap(), ..stat },
        _ => stat,
    }
}

#[async_trait]
impl BlobStore for AgedStore {
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
        let aged = *self.aged.lock();
        Ok(self.inner.stat(key).await?.map(|stat| shown(stat, aged)))
    }
    async fn touch(&self, key: &str) -> Result<bool, StoreError> {
        self.inner.touch(key).await
    }
    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        self.inner.delete(key).await
    }
    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Stat, StoreError>> {
        let aged = *self.aged.lock();
        self.inner.list(prefix).map_ok(move |stat| shown(stat, aged)).boxed()
    }
    async fn tidy(&self, cutoff: Timestamp) -> Result<u64, StoreError> {
        self.inner.tidy(cutoff).await
    }
}
