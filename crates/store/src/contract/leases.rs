//! Leases. A backend may round their time up to whole seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::port::LEASE_TTL_MAX;
use crate::{Event, LeaseId, Page, Store, StoreError, Transaction};

use super::{entry, is_limit, next};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(2);

pub async fn the_keys_of_an_ended_lease_go_together_and_watches_are_told(store: Arc<dyn Store>) {
    let granted = Instant::now();
    let lease = store.lease_grant(SHORT).await.expect("grants");
    let put =
        Transaction::new().put_leased("a/1", "", lease.clone()).put_leased("a/2", "", lease.clone()).put("a/3", "");
    let put = store.commit(put).await.expect("commits");
    let mut watch = store.watch("a/", put.revision.next()).await.expect("watches");
    let Event::Delete { key, revision: end } = next(&mut watch).await else { panic!("expected a delete") };
    assert!(key == "a/1" && end > put.revision);
    assert!(granted.elapsed() >= SHORT, "the lease ended early");
    assert_eq!(next(&mut watch).await, Event::Delete { key: "a/2".to_owned(), revision: end });
    assert_eq!(entry(&*store, "a/1").await, None);
    assert!(entry(&*store, "a/3").await.is_some());
    assert!(matches!(store.lease_renew(&lease).await, Err(StoreError::LeaseGone)));
    let late = store.commit(Transaction::new().put("b", "").put_leased("a/1", "", lease)).await;
    assert!(matches!(late, Err(StoreError::LeaseGone)));
    assert_eq!(entry(&*store, "b").await, None);
}

pub async fn a_renewed_lease_lives_on(store: Arc<dyn Store>) {
    let ttl = SHORT * 2;
    let granted = Instant::now();
    let lease = store.lease_grant(ttl).await.expect("grants");
    let other = store.lease_grant(ttl).await.expect("grants");
    let put = Transaction::new().put_leased("kept", "", lease.clone()).put_leased("other", "", other);
    let put = store.commit(put).await.expect("commits");
    let mut watch = store.watch("", put.revision.next()).await.expect("watches");
    let renewals = async {
        loop {
            store.lease_renew(&lease).await.expect("renews");
            tokio::time::sleep(ttl / 10).await;
        }
    };
    tokio::select! {
        () = renewals => {}
        event = next(&mut watch) => assert!(matches!(event, Event::Delete { key, .. } if key == "other")),
    }
    assert!(granted.elapsed() >= ttl);
    assert!(entry(&*store, "kept").await.is_some());
}

pub async fn a_revoked_lease_takes_its_keys_at_once(store: Arc<dyn Store>) {
    let lease = store.lease_grant(LONG).await.expect("grants");
    store.commit(Transaction::new().put_leased("a", "", lease.clone())).await.expect("commits");
    store.lease_revoke(&lease).await.expect("revokes");
    assert_eq!(entry(&*store, "a").await, None);
    store.lease_revoke(&lease).await.expect("revoking again is no error");
    store.lease_revoke(&LeaseId("12345".to_owned())).await.expect("revoking an unknown one is no error");
    assert!(matches!(store.lease_renew(&lease).await, Err(StoreError::LeaseGone)));
}

pub async fn a_key_put_without_the_lease_outlives_it(store: Arc<dyn Store>) {
    let lease = store.lease_grant(LONG).await.expect("grants");
    let other = store.lease_grant(LONG).await.expect("grants");
    store
        .commit(Transaction::new().put_leased("a", "", lease.clone()).put_leased("b", "", lease.clone()))
        .await
        .expect("commits");
    store.commit(Transaction::new().put("a", "").put_leased("b", "", other.clone())).await.expect("commits");
    store.lease_revoke(&lease).await.expect("revokes");
    assert!(entry(&*store, "a").await.is_some() && entry(&*store, "b").await.is_some());
    store.lease_revoke(&other).await.expect("revokes");
    assert!(entry(&*store, "a").await.is_some() && entry(&*store, "b").await.is_none());
}

pub async fn reads_and_watches_tell_which_keys_go_with_a_lease(store: Arc<dyn Store>) {
    let lease = store.lease_grant(LONG).await.expect("grants");
    let put = Transaction::new().put("a", "").put_leased("b", "", lease.clone()).put_leased("c", "", lease);
    let first = store.commit(put).await.expect("commits");
    store.commit(Transaction::new().put("c", "")).await.expect("commits");
    let mut watch = store.watch("", first.revision).await.expect("watches");
    for expected in [("a", false), ("b", true), ("c", true), ("c", false)] {
        let Event::Put(put) = next(&mut watch).await else { panic!("expected a put") };
        assert_eq!((put.key.as_str(), put.is_leased), expected);
    }
    assert!(entry(&*store, "b").await.is_some_and(|entry| entry.is_leased));
    for descending in [false, true] {
        let listing = store.list("", Page { descending, ..Page::default() }).await.expect("lists");
        let leased = listing.entries.iter().filter(|entry| entry.is_leased).map(|entry| entry.key.as_str());
        assert_eq!(leased.collect::<Vec<_>>(), ["b"]);
    }
}

pub async fn a_lease_of_no_or_endless_time_is_refused(store: Arc<dyn Store>) {
    assert!(is_limit(&store.lease_grant(Duration::ZERO).await));
    assert!(is_limit(&store.lease_grant(LEASE_TTL_MAX * 2).await));
}
