//! One member: the contract of the port, and what is etcd's own.

use std::sync::Arc;

use ambo_store::contract::{ContractFixture, all, entry, model, next, within_deadline};
use ambo_store::port::PAGE_ENTRIES_MAX;
use ambo_store::{Page, Revision, Store, StoreError, Transaction};
use futures::StreamExt;

use crate::etcd::Etcd;

fn fresh() -> Etcd {
    Etcd::of(1)
}

impl ContractFixture for Etcd {
    fn shared(&self) -> Arc<dyn Store> {
        self.store(0)
    }
}

mod contract {
    ambo_store::store_contract!(super::fresh());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 6, ..Default::default() })]
    #[test]
    fn the_store_agrees_with_a_map(steps in model::steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(within_deadline(model::the_store_agrees_with_a_map(fresh().shared(), steps)));
    }
}

#[tokio::test]
async fn platforms_with_different_prefixes_share_an_etcd_and_see_nothing_of_each_other() {
    let etcd = Etcd::of(1);
    let one = etcd.shared();
    let mut settings = etcd.settings(0);
    settings.prefix = "ambo-two".to_owned();
    let other = ambo_store_etcd::EtcdStore::new(settings);
    one.commit(Transaction::new().put("a", "1")).await.unwrap();
    let mut watch = one.watch("", Revision(0)).await.unwrap();
    ambo_store::Store::commit(&other, Transaction::new().absent("a").put("a", "2")).await.unwrap();
    one.commit(Transaction::new().put("b", "1")).await.unwrap();
    assert_eq!(all(&*one, "", PAGE_ENTRIES_MAX, false).await.len(), 2);
    for key in ["a", "b"] {
        assert!(matches!(next(&mut watch).await, ambo_store::Event::Put(entry) if entry.key == key));
    }
}

#[tokio::test]
async fn a_history_that_was_compacted_is_gone_and_says_so() {
    let etcd = Etcd::of(1);
    let store = etcd.shared();
    for number in 0..5 {
        store.commit(Transaction::new().put("a", number.to_string())).await.unwrap();
    }
    // etcd's own number of the last commit.
    assert!(etcd.etcdctl(&["compaction", "6"], 0).1);
    let refused = store.watch("a", Revision(2)).await.err();
    assert!(matches!(refused, Some(StoreError::Compacted(Revision(2)))), "{refused:?}");
    let listing = store.list("a", Page::default()).await.unwrap();
    let mut watch = store.watch("a", listing.revision.next()).await.unwrap();
    store.commit(Transaction::new().put("a", "last")).await.unwrap();
    assert!(matches!(next(&mut watch).await, ambo_store::Event::Put(entry) if entry.value == "last"));
}

#[tokio::test]
async fn a_full_etcd_says_so_and_reads_on() {
    let etcd = Etcd::with(1, "http", &["--quota-backend-bytes".to_owned(), "400000".to_owned()]);
    let store = etcd.shared();
    store.commit(Transaction::new().put("kept", "1")).await.unwrap();
    let full = loop {
        match store.commit(Transaction::new().put("a", vec![0; 100_000])).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::DiskFull), "{full}");
    assert_eq!(entry(&*store, "kept").await.unwrap().value, "1");
}

/// etcd drops a removal at the very revision that it compacts to.
#[tokio::test]
async fn a_removal_at_the_compacted_revision_is_gone_and_its_watch_says_so() {
    let etcd = Etcd::of(1);
    let store = etcd.shared();
    store.commit(Transaction::new().put("a", "1")).await.unwrap();
    let removed = store.commit(Transaction::new().delete("a")).await.unwrap().revision;
    store.commit(Transaction::new().put("b", "1")).await.unwrap();
    let theirs = (removed.0 + 1).to_string();
    assert!(etcd.etcdctl(&["compaction", "--physical", &theirs], 0).1);
    let refused = store.watch("a", removed).await.err();
    assert!(matches!(refused, Some(StoreError::Compacted(from)) if from == removed), "{refused:?}");
    let mut watch = store.watch("", removed.next()).await.unwrap();
    assert!(matches!(next(&mut watch).await, ambo_store::Event::Put(entry) if entry.key == "b"));
}

#[tokio::test]
async fn a_watch_ends_when_the_store_is_closed() {
    let etcd = Etcd::of(1);
    let store = etcd.shared();
    let clone = Arc::clone(&store);
    let mut watch = store.watch("", Revision(0)).await.unwrap();
    drop(store);
    assert!(futures::FutureExt::now_or_never(watch.next()).is_none(), "a clone is still there");
    drop(clone);
    assert!(within_deadline(watch.next()).await.is_none());
}
