//! The store in memory keeps what the simulation relies on.

use ambo_store::{Event, Page, Revision, Store, StoreError, Transaction};
use ambo_testkit::MemoryStore;
use futures::StreamExt;

#[tokio::test]
async fn a_transaction_is_done_whole_or_not_at_all() {
    let store = MemoryStore::default();
    store.commit(Transaction::new().absent("a").put("a", "1").put("b", "1")).await.unwrap();
    let stale = store.get("a").await.unwrap().unwrap();
    store.commit(Transaction::new().unmodified(&stale).put("a", "2")).await.unwrap();
    let late = store.commit(Transaction::new().unmodified(&stale).put("a", "3").delete("b")).await;
    assert!(matches!(late, Err(StoreError::Conflict { key }) if key == "a"));
    assert_eq!(store.get("a").await.unwrap().unwrap().value, "2");
    assert!(store.get("b").await.unwrap().is_some());
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended_in_both_directions() {
    let store = MemoryStore::default();
    for key in ["x/1", "x/2", "x/3", "y/1"] {
        store.commit(Transaction::new().put(key, "")).await.unwrap();
    }
    for (descending, expected) in [(false, ["x/1", "x/2", "x/3"]), (true, ["x/3", "x/2", "x/1"])] {
        let first = store.list("x/", Page { after: None, limit: Some(2), descending }).await.unwrap();
        let after = Some(first.entries[1].key.clone());
        let second = store.list("x/", Page { after, limit: Some(2), descending }).await.unwrap();
        let keys: Vec<_> = first.entries.iter().chain(&second.entries).map(|entry| entry.key.as_str()).collect();
        assert_eq!((keys.as_slice(), first.more, second.more), (expected.as_slice(), true, false));
    }
}

#[tokio::test]
async fn a_watch_tells_what_was_and_what_comes() {
    let store = MemoryStore::default();
    store.commit(Transaction::new().put("a/1", "").put("b/1", "")).await.unwrap();
    let mut watch = store.watch("a/", Revision(1)).await.unwrap();
    store.commit(Transaction::new().delete("a/1")).await.unwrap();
    assert!(matches!(watch.next().await, Some(Ok(Event::Put(entry))) if entry.key == "a/1"));
    assert!(matches!(watch.next().await, Some(Ok(Event::Delete { key, revision: Revision(2) })) if key == "a/1"));
}
