//! The contract of [`BlobStore`].

use std::sync::Arc;
use std::time::Duration;

use ambo_model::Timestamp;
use ambo_registry::BlobStore;
use bytes::Bytes;
use futures::TryStreamExt;

use crate::backing::Backing;

struct TestStore {
    scratch: tempfile::TempDir,
    backing: Backing,
    store: Arc<dyn BlobStore>,
}

impl TestStore {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let backing = Backing::new(scratch.path());
        Self { store: backing.store(), backing, scratch }
    }

    fn staged(&self, content: &[u8]) -> std::path::PathBuf {
        let path = self.scratch.path().join("staged");
        std::fs::write(&path, content).unwrap();
        path
    }
}

pub(crate) async fn keys(store: &dyn BlobStore, prefix: &str) -> Vec<String> {
    let mut keys: Vec<String> = store.list(prefix).map_ok(|stat| stat.key).try_collect().await.unwrap();
    keys.sort();
    keys
}

#[tokio::test]
async fn objects_are_written_read_listed_and_deleted() {
    let test = TestStore::new();
    let store = &*test.store;
    assert_eq!(store.get("a/b").await.unwrap(), None, "{store:?}");
    assert_eq!(keys(store, "a").await, Vec::<String>::new());
    for (key, content) in [("a/b", "1"), ("a/b", "22"), ("a/c/d", "3"), ("ab/x", "4")] {
        store.put(key, Bytes::from(content)).await.unwrap();
    }
    assert_eq!(store.get("a/b").await.unwrap().unwrap(), "22");
    assert_eq!(store.stat("a/b").await.unwrap().unwrap().size, 2);
    assert_eq!(keys(store, "a").await, ["a/b", "a/c/d"]);
    assert!(store.delete("a/b").await.unwrap());
    assert!(!store.delete("a/b").await.unwrap());
    assert_eq!(store.stat("a/b").await.unwrap(), None);
    assert!(store.delete("a/c/d").await.unwrap());
    assert_eq!(keys(store, "a").await, Vec::<String>::new());
    store.put("a/c/d", Bytes::from("back")).await.unwrap();
}

#[tokio::test]
async fn staged_files_become_objects_that_are_read_in_part() {
    let test = TestStore::new();
    let store = &*test.store;
    let content: Vec<u8> = (0..20_000_000u32).map(|number| (number % 251) as u8).collect();
    let staged = test.staged(&content);
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

#[tokio::test]
async fn an_objects_age_starts_with_its_last_touch() {
    let test = TestStore::new();
    let store = &*test.store;
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

#[tokio::test]
async fn an_old_staged_file_becomes_a_young_object() {
    let test = TestStore::new();
    let store = &*test.store;
    let staged = test.staged(b"x");
    let before = Timestamp::now().checked_sub(Duration::from_secs(5)).unwrap();
    let old = std::fs::File::options().write(true).open(&staged).unwrap();
    old.set_modified(Timestamp::from_second(1_000_000).unwrap().into()).unwrap();
    store.publish("k", &staged).await.unwrap();
    assert!(store.stat("k").await.unwrap().unwrap().modified > before, "{store:?}");
}

#[tokio::test]
async fn what_was_touched_stays_young_until_it_is_deleted() {
    let test = TestStore::new();
    let store = &*test.store;
    for key in ["a/touched", "a/not"] {
        store.put(key, Bytes::from("x")).await.unwrap();
    }
    test.backing.age().await;
    let now = Timestamp::now();
    let is_old = |modified: Timestamp| now.duration_since(modified).unsigned_abs() > Duration::from_secs(3600);
    assert!(store.touch("a/touched").await.unwrap());
    let listed: Vec<(String, bool)> =
        store.list("a").map_ok(|stat| (stat.key, is_old(stat.modified))).try_collect().await.unwrap();
    assert!(
        listed.contains(&("a/touched".to_owned(), false)) && listed.contains(&("a/not".to_owned(), true)),
        "{listed:?}"
    );
    assert!(!is_old(store.stat("a/touched").await.unwrap().unwrap().modified));
    // Tidying up takes no touch away from an object that is there, however long ago it was.
    store.tidy(now.checked_add(Duration::from_secs(3600)).unwrap()).await.unwrap();
    assert!(!is_old(store.stat("a/touched").await.unwrap().unwrap().modified));
    assert!(store.delete("a/touched").await.unwrap());
    assert_eq!(store.stat("a/touched").await.unwrap(), None);
    assert_eq!(keys(store, "a").await, ["a/not"]);
}

#[tokio::test]
async fn an_object_is_replaced_by_who_has_seen_it() {
    let test = TestStore::new();
    let store = &*test.store;
    let (content, nothing) = store.look("k").await.unwrap();
    assert_eq!(content, None);
    assert!(store.replace("k", &nothing, Bytes::from("1")).await.unwrap());
    let (content, first) = store.look("k").await.unwrap();
    assert_eq!(content.unwrap(), "1");
    assert!(store.replace("k", &first, Bytes::from("2")).await.unwrap());
    assert_eq!(store.get("k").await.unwrap().unwrap(), "2");
}
