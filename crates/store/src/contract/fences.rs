//! Leaders that were replaced.

use std::sync::Arc;
use std::time::Duration;

use crate::port::TRANSACTION_OPERATIONS_MAX;
use crate::{Election, FencedStore, Store, StoreError, Transaction};

use super::{entry, is_limit};

const LONG: Duration = Duration::from_secs(60);

pub async fn what_a_past_leader_writes_is_refused_however_late(store: Arc<dyn Store>) {
    let election = Election::new(Arc::clone(&store), "leader", LONG);
    let first = election.campaign("first").await.expect("leads");
    let past = FencedStore::new(Arc::clone(&store), first.fence());
    past.commit(Transaction::new().put("app", "1")).await.expect("a leader writes");
    first.resign().await.expect("resigns");
    assert!(matches!(past.commit(Transaction::new().put("app", "2")).await, Err(StoreError::Deposed)));

    let second = election.campaign("second").await.expect("leads");
    let present = FencedStore::new(Arc::clone(&store), second.fence());
    present.commit(Transaction::new().put("app", "3")).await.expect("a leader writes");
    assert!(matches!(past.commit(Transaction::new().put("app", "4")).await, Err(StoreError::Deposed)));
    assert!(matches!(past.commit(Transaction::new().delete("app")).await, Err(StoreError::Deposed)));
    assert!(matches!(past.commit(Transaction::new().present("app")).await, Err(StoreError::Deposed)));
    assert_eq!(entry(&*store, "app").await.expect("the key is there").value, "3");
    let conflict = present.commit(Transaction::new().absent("app").put("app", "5")).await;
    assert!(matches!(conflict, Err(StoreError::Conflict { key }) if key == "app"), "others' preconditions as ever");
}

pub async fn a_full_transaction_fits_behind_a_fence(store: Arc<dyn Store>) {
    let leader = Election::new(Arc::clone(&store), "leader", LONG).campaign("leader").await.expect("leads");
    let fenced = FencedStore::new(Arc::clone(&store), leader.fence());
    let number = |number: usize| format!("many/{number:03}");
    let puts = |count| (0..count).fold(Transaction::new(), |all, at| all.put(number(at), "1"));
    let deletes = |count| (0..count).fold(Transaction::new(), |all, at| all.delete(number(at)));
    let mixed = (0..TRANSACTION_OPERATIONS_MAX / 2)
        .fold(Transaction::new(), |all, at| all.present(number(at)).put(number(at), "2"));
    fenced.commit(puts(TRANSACTION_OPERATIONS_MAX)).await.expect("it fits");
    fenced.commit(mixed).await.expect("it fits");
    fenced.commit(deletes(TRANSACTION_OPERATIONS_MAX)).await.expect("it fits");
    assert_eq!(entry(&*store, &number(0)).await, None);
    assert!(is_limit(&fenced.commit(puts(TRANSACTION_OPERATIONS_MAX + 1)).await));
}
