//! What is particular to a directory of this machine.

use std::sync::Arc;
use std::time::Duration;

use ambo_model::Timestamp;
use ambo_registry::{BlobStore, DiskBlobStore};
use bytes::Bytes;

use crate::store::keys;

#[tokio::test]
async fn unfinished_writes_are_hidden_and_tidied_away() {
    let scratch = tempfile::tempdir().unwrap();
    let store = DiskBlobStore::open(scratch.path().join("store")).unwrap();
    store.put("a/tag", Bytes::from("x")).await.unwrap();
    let unfinished = scratch.path().join("store/a/tag#1");
    std::fs::write(&unfinished, "half").unwrap();
    assert_eq!(keys(&store, "a").await, ["a/tag"]);
    assert_eq!(store.tidy(Timestamp::from_second(0).unwrap()).await.unwrap(), 0);
    let soon = Timestamp::now().checked_add(Duration::from_secs(60)).unwrap();
    assert_eq!(store.tidy(soon).await.unwrap(), 1);
    assert!(!unfinished.exists());
}

#[tokio::test]
async fn directories_that_empty_while_others_fill_them_are_no_trouble() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Arc::new(DiskBlobStore::open(scratch.path().join("store")).unwrap());
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let store = Arc::clone(&store);
        let staged = scratch.path().join(format!("staged-{writer}"));
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
