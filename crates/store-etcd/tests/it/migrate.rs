//! Moving the state to etcd and back.

use ambo_store::migrate::{MigrateError, contents, migrate};
use ambo_store::port::VALUE_BYTES_MAX;
use ambo_store::{Election, SqliteStore, Store, Transaction};
use std::time::Duration;

use crate::etcd::Etcd;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_that_went_to_etcd_and_back_is_the_same() {
    let files = tempfile::tempdir().unwrap();
    let (before, after) = (files.path().join("before.db"), files.path().join("after.db"));
    let (before, after) = (SqliteStore::open(&before).unwrap(), SqliteStore::open(&after).unwrap());
    for hundred in 0..15_u8 {
        let many =
            (0..100).fold(Transaction::new(), |all, at| all.put(format!("many/{hundred}/{at}"), vec![hundred; 99]));
        before.commit(many).await.unwrap();
        before
            .commit(Transaction::new().put(format!("large/{hundred}"), vec![hundred; VALUE_BYTES_MAX]))
            .await
            .unwrap();
    }
    let etcd = Etcd::of(3);
    let store = etcd.store(0);
    let there = migrate(&before, &*store).await.unwrap();
    assert!(matches!(migrate(&before, &*store).await, Err(MigrateError::TargetTaken { .. })), "it is there already");
    // A controller leads on etcd; that is not state.
    let leader = Election::new(store.clone(), "leader", Duration::from_secs(60)).campaign("me").await.unwrap();
    let back = migrate(&*store, &after).await.unwrap();
    assert_eq!((back.contents, &back.left_out[..]), (there.contents, &["leader".to_owned()][..]));
    assert_eq!(contents(&after).await.unwrap(), contents(&before).await.unwrap());
    leader.resign().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_dies_on_the_way_does_not_end_the_move() {
    let files = tempfile::tempdir().unwrap();
    let before = SqliteStore::open(&files.path().join("before.db")).unwrap();
    for number in 0..60_u8 {
        before
            .commit(Transaction::new().put(format!("large/{number}"), vec![number; VALUE_BYTES_MAX / 3]))
            .await
            .unwrap();
    }
    let mut etcd = Etcd::of(3);
    let (store, watched, leader) = (etcd.store(0), etcd.store(1), etcd.leader());
    let (moved, ()) = tokio::join!(migrate(&before, &*store), async {
        while watched.get("large/0").await.unwrap().is_none() {}
        etcd.kill(leader);
    });
    assert_eq!(moved.unwrap().contents, contents(&before).await.unwrap());
}
