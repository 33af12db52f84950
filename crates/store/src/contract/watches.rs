//! Watching.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::port::VALUE_BYTES_MAX;
use crate::{Entry, Event, Page, Revision, Store, Transaction};
use futures::{FutureExt, StreamExt};

use super::next;

pub async fn a_watch_tells_puts_and_deletes_under_its_prefix_in_order(store: Arc<dyn Store>) {
    let mut watch = store.watch("a/", Revision(0)).await.expect("watches");
    assert!(watch.next().now_or_never().is_none(), "nothing has happened yet");
    let first =
        store.commit(Transaction::new().put("a/2", "x").put("b/1", "x").put("a/1", "y")).await.expect("commits");
    let second = store.commit(Transaction::new().delete("a/2").delete("a/absent")).await.expect("commits");
    let Event::Put(put) = next(&mut watch).await else { panic!("expected a put") };
    assert_eq!(
        (put.key.as_str(), &put.value[..], put.created, put.modified),
        ("a/2", &b"x"[..], first.revision, first.revision)
    );
    assert!(
        matches!(next(&mut watch).await, Event::Put(entry) if entry.key == "a/1" && entry.modified == first.revision)
    );
    assert_eq!(next(&mut watch).await, Event::Delete { key: "a/2".to_owned(), revision: second.revision });
    assert!(watch.next().now_or_never().is_none(), "nothing else has happened");
}

pub async fn a_watch_replays_from_a_revision_then_goes_on_live(store: Arc<dyn Store>) {
    store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    let second = store.commit(Transaction::new().put("a", "2")).await.expect("commits");
    store.commit(Transaction::new().put("a", "3")).await.expect("commits");
    let mut watch = store.watch("a", second.revision).await.expect("watches");
    store.commit(Transaction::new().put("a", "4")).await.expect("commits");
    for expected in ["2", "3", "4"] {
        assert!(matches!(next(&mut watch).await, Event::Put(entry) if entry.value == expected));
    }
}

pub async fn a_watch_from_a_future_revision_waits_for_it(store: Arc<dyn Store>) {
    let first = store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    let mut watch = store.watch("", first.revision.next().next()).await.expect("watches");
    store.commit(Transaction::new().put("a", "2")).await.expect("commits");
    store.commit(Transaction::new().put("a", "3")).await.expect("commits");
    assert!(matches!(next(&mut watch).await, Event::Put(entry) if entry.value == "3"));
}

/// Writers commit while watchers start at arbitrary moments: each sees every change from its start, once, in order.
pub async fn watches_have_no_gap_under_concurrent_commits(store: Arc<dyn Store>) {
    const WRITERS: usize = 4;
    const COMMITS: u64 = 100;
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(&store);
        async move {
            for number in 1..=COMMITS {
                store.commit(Transaction::new().put(format!("w/{writer}"), number.to_string())).await.expect("commits");
            }
        }
    });
    let watchers = (0..16_u64).map(|index| {
        let store = Arc::clone(&store);
        async move {
            let start = index * COMMITS / 20;
            let mut early = store.watch("w/0", Revision(0)).await.expect("watches");
            while start > 0 && !matches!(next(&mut early).await, Event::Put(entry) if number(&entry) >= start) {}
            let listing = store.list("w/", Page::default()).await.expect("lists");
            let mut last: BTreeMap<_, _> =
                listing.entries.iter().map(|entry| (entry.key.clone(), number(entry))).collect();
            let mut watch = store.watch("w/", listing.revision.next()).await.expect("watches");
            let mut revision = listing.revision;
            while last.len() < WRITERS || last.values().any(|number| *number < COMMITS) {
                let Event::Put(entry) = next(&mut watch).await else { panic!("expected a put") };
                assert!(entry.modified > revision, "in order");
                revision = entry.modified;
                let before = last.insert(entry.key.clone(), number(&entry)).unwrap_or(0);
                assert_eq!(number(&entry), before + 1, "no gap");
            }
        }
    });
    tokio::join!(futures::future::join_all(writers), futures::future::join_all(watchers));
}

fn number(entry: &Entry) -> u64 {
    std::str::from_utf8(&entry.value).expect("text").parse().expect("a number")
}

pub async fn a_long_history_is_replayed_whole(store: Arc<dyn Store>) {
    let mut revisions = Vec::new();
    for number in 0..12 {
        let many = (0..100).fold(Transaction::new(), |all, key| all.put(format!("a/{key:03}"), number.to_string()));
        revisions.push(store.commit(many).await.expect("commits").revision);
    }
    let mut watch = store.watch("a/", Revision(0)).await.expect("watches");
    for revision in revisions {
        for key in 0..100 {
            let Event::Put(entry) = next(&mut watch).await else { panic!("expected a put") };
            assert_eq!((entry.key, entry.modified), (format!("a/{key:03}"), revision));
        }
    }
}

/// More than any message between a store and its clients should hold.
pub async fn a_history_of_large_values_is_replayed_whole(store: Arc<dyn Store>) {
    const COUNT: u8 = 48;
    for number in 0..COUNT {
        store.commit(Transaction::new().put("a", vec![number; VALUE_BYTES_MAX])).await.expect("commits");
    }
    let mut watch = store.watch("a", Revision(0)).await.expect("watches");
    for number in 0..COUNT {
        let Event::Put(entry) = next(&mut watch).await else { panic!("expected a put") };
        assert_eq!((entry.value.len(), entry.value[0]), (VALUE_BYTES_MAX, number));
    }
}
