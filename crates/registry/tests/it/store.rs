//! The contract of [`BlobStore`], over every implementation.

use std::sync::Arc;
use std::time::Duration;

use ambo_model::Timestamp;
use ambo_registry::{BlobStore, DiskBlobStore, ObjectBlobStore};
use bytes::Bytes;
use futures::TryStreamExt;
use http::StatusCode;

use crate::platform::TestRegistry;

struct Stores {
    scratch: tempfile::TempDir,
}

impl Stores {
    fn new() -> Self {
        Self { scratch: tempfile::tempdir().unwrap() }
    }

    fn all(&self) -> Vec<Arc<dyn BlobStore>> {
        let disk = DiskBlobStore::open(self.scratch.path().join("store")).unwrap();
        let memory = ObjectBlobStore::new(Arc::new(object_store::memory::InMemory::new()));
        vec![Arc::new(disk), Arc::new(memory)]
    }

    fn staged(&self, content: &[u8]) -> std::path::PathBuf {
        let path = self.scratch.path().join("staged");
        std::fs::write(&path, content).unwrap();
        path
    }
}

async fn keys(store: &dyn BlobStore, prefix: &str) -> Vec<String> {
    let mut keys: Vec<String> = store.list(prefix).map_ok(|stat| stat.key).try_collect().await.unwrap();
    keys.sort();
    keys
}

#[tokio::test]
async fn objects_are_written_read_listed_and_deleted() {
    let stores = Stores::new();
    for store in stores.all() {
        assert_eq!(store.get("a/b").await.unwrap(), None, "{store:?}");
        assert_eq!(keys(&*store, "a").await, Vec::<String>::new());
        for (key, content) in [("a/b", "1"), ("a/b", "22"), ("a/c/d", "3"), ("ab/x", "4")] {
            store.put(key, Bytes::from(content)).await.unwrap();
        }
        assert_eq!(store.get("a/b").await.unwrap().unwrap(), "22");
        assert_eq!(store.stat("a/b").await.unwrap().unwrap().size, 2);
        assert_eq!(keys(&*store, "a").await, ["a/b", "a/c/d"]);
        assert!(store.delete("a/b").await.unwrap());
        assert!(!store.delete("a/b").await.unwrap());
        assert_eq!(store.stat("a/b").await.unwrap(), None);
        assert!(store.delete("a/c/d").await.unwrap());
        assert_eq!(keys(&*store, "a").await, Vec::<String>::new());
        store.put("a/c/d", Bytes::from("back")).await.unwrap();
    }
}

#[tokio::test]
async fn staged_files_become_objects_that_are_read_in_part() {
    let stores = Stores::new();
    let content: Vec<u8> = (0..20_000_000u32).map(|number| (number % 251) as u8).collect();
    for store in stores.all() {
        let staged = stores.staged(&content);
        store.publish("x/y/z", &staged).await.unwrap();
        assert!(!staged.exists());
        assert_eq!(store.stat("x/y/z").await.unwrap().unwrap().size, content.len() as u64);
        for range in [0..content.len(), 5..1_000_000, 19_999_999..20_000_000, 3..3] {
            let asked = range.start as u64..range.end as u64;
            let pieces: Vec<Bytes> = store.read("x/y/z", asked).await.unwrap().unwrap().try_collect().await.unwrap();
            assert!(pieces.concat() == content[range.clone()], "{store:?} {range:?}");
        }
        assert!(store.read("x/none", 0..1).await.unwrap().is_none());
        assert!(store.read("x/none", 0..0).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_objects_age_starts_with_its_last_touch() {
    let stores = Stores::new();
    for store in stores.all() {
        store.put("k", Bytes::from("x")).await.unwrap();
        let written = store.stat("k").await.unwrap().unwrap().modified;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            assert!(store.touch("k").await.unwrap());
            if store.stat("k").await.unwrap().unwrap().modified > written {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "{store:?} never grew younger");
        }
        assert_eq!(store.get("k").await.unwrap().unwrap(), "x");
        assert!(!store.touch("none").await.unwrap());
    }
}

#[tokio::test]
async fn an_old_staged_file_becomes_a_young_object() {
    let stores = Stores::new();
    for store in stores.all() {
        let staged = stores.staged(b"x");
        let before = Timestamp::now().checked_sub(Duration::from_secs(5)).unwrap();
        let old = std::fs::File::options().write(true).open(&staged).unwrap();
        old.set_modified(Timestamp::from_second(1_000_000).unwrap().into()).unwrap();
        store.publish("k", &staged).await.unwrap();
        assert!(store.stat("k").await.unwrap().unwrap().modified > before, "{store:?}");
    }
}

#[tokio::test]
async fn unfinished_writes_are_hidden_and_tidied_away() {
    let stores = Stores::new();
    let store = DiskBlobStore::open(stores.scratch.path().join("store")).unwrap();
    store.put("a/tag", Bytes::from("x")).await.unwrap();
    let unfinished = stores.scratch.path().join("store/a/tag#1");
    std::fs::write(&unfinished, "half").unwrap();
    assert_eq!(keys(&store, "a").await, ["a/tag"]);
    assert_eq!(store.tidy(Timestamp::from_second(0).unwrap()).await.unwrap(), 0);
    let soon = Timestamp::now().checked_add(Duration::from_secs(60)).unwrap();
    assert_eq!(store.tidy(soon).await.unwrap(), 1);
    assert!(!unfinished.exists());
}

#[tokio::test]
async fn directories_that_empty_while_others_fill_them_are_no_trouble() {
    let stores = Stores::new();
    let store = Arc::new(DiskBlobStore::open(stores.scratch.path().join("store")).unwrap());
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let store = Arc::clone(&store);
        let staged = stores.scratch.path().join(format!("staged-{writer}"));
        writers.spawn(async move {
            for _ in 0..100 {
                let key = format!("deep/er/still/{writer}");
                std::fs::write(&staged, "x").unwrap();
                store.publish(&key, &staged).await.unwrap();
                store.delete(&key).await.unwrap();
                store.put(&key, Bytes::from("x")).await.unwrap();
                store.delete(&key).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    assert_eq!(keys(&*store, "deep").await, Vec::<String>::new());
}

#[tokio::test]
async fn the_registry_works_over_a_store_that_is_no_disk() {
    let test =
        TestRegistry::with_store(Arc::new(ObjectBlobStore::new(Arc::new(object_store::memory::InMemory::new()))));
    let digest = test.push_image("myapp", "v1", b"layer").await;
    assert_eq!(test.get("/v2/myapp/manifests/v1").await.header("docker-content-digest"), digest.to_string());
    test.push_image("myapp", "v1", b"second").await;
    test.platform.keep.lock().clear();
    let collected = test.registry.collect(&*test.platform, test.later()).await.unwrap();
    assert_eq!((collected.manifests, collected.tags), (2, 1));
    test.get("/v2/myapp/manifests/v1").await.expect(StatusCode::NOT_FOUND);
}
