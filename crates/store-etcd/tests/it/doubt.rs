//! Answers that are lost, and what is done late.

use std::sync::Arc;
use std::time::Duration;

use ambo_store::contract::{DEADLINE, all, entry, next, within_deadline};
use ambo_store::port::{PAGE_ENTRIES_MAX, VALUE_BYTES_MAX};
use ambo_store::{Event, LeaseId, Revision, Store, StoreError, Transaction};
use ambo_store_etcd::EtcdStore;
use futures::future::join_all;

use crate::etcd::Etcd;

/// Longer than the driver waits for its first answer.
const HANG: Duration = Duration::from_millis(1200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_write_the_same_at_once_one_is_told_that_it_won_though_every_answer_was_lost() {
    let etcd = Etcd::of(1);
    let (one, other) = (etcd.store(0), etcd.store(0));
    one.commit(Transaction::new().put("n", "0")).await.unwrap();
    other.commit(Transaction::new().put("x", "0")).await.unwrap();
    for round in 1..4 {
        let read = entry(&*one, "n").await.unwrap();
        etcd.pause(0);
        let raise = || Transaction::new().unmodified(&read).put("n", round.to_string());
        let (first, second, ()) = tokio::join!(one.commit(raise()), other.commit(raise()), async {
            tokio::time::sleep(HANG).await;
            etcd.resume(0);
        });
        let won = [&first, &second].into_iter().filter(|result| result.is_ok()).count();
        let lost = |result| matches!(result, &Err(StoreError::Conflict { .. }));
        assert!(won == 1 && (lost(&first) || lost(&second)), "{first:?} {second:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_member_that_hung_does_late_is_void() {
    let etcd = Etcd::of(3);
    let follower = (etcd.leader() + 1) % 3;
    let store = etcd.store(follower);
    store.commit(Transaction::new().put("begun", "")).await.unwrap();
    etcd.pause(follower);
    // They lie with the follower, and are done by another member.
    let claims =
        (0..16).map(|at| store.commit(Transaction::new().absent(format!("a/{at}")).put(format!("a/{at}"), "")));
    join_all(claims).await.into_iter().for_each(|claimed| assert!(claimed.is_ok(), "{claimed:?}"));
    let removals = (0..16).map(|at| store.commit(Transaction::new().delete(format!("a/{at}"))));
    join_all(removals).await.into_iter().for_each(|removed| assert!(removed.is_ok(), "{removed:?}"));
    etcd.resume(follower);
    // What lay there is done before what comes now.
    let behind = etcd.alone(follower);
    within_deadline(async { while behind.commit(Transaction::new().put("caught up", "")).await.is_err() {} }).await;
    assert!(all(&*behind, "a/", PAGE_ENTRIES_MAX, false).await.is_empty(), "a claim was done twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_never_comes_is_said_to_be_unclear_and_the_store_goes_on() {
    let etcd = Etcd::of(1);
    let store = etcd.store(0);
    store.commit(Transaction::new().put("a", "1")).await.unwrap();
    etcd.pause(0);
    let unclear = store.commit(Transaction::new().put("a", "2")).await;
    assert!(matches!(unclear, Err(StoreError::Unclear { .. })), "{unclear:?}");
    etcd.resume(0);
    within_deadline(async { while store.commit(Transaction::new().put("a", "3")).await.is_err() {} }).await;
    assert_eq!(entry(&*store, "a").await.unwrap().value, "3", "not the second, late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_that_is_down_has_surely_not_written() {
    let mut etcd = Etcd::of(1);
    etcd.kill(0);
    let down = etcd.store(0).commit(Transaction::new().put("a", "1")).await;
    assert!(matches!(down, Err(StoreError::Backend { .. })), "{down:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_write_passes_a_member_by_that_hangs() {
    let etcd = Etcd::of(3);
    let follower = (etcd.leader() + 1) % 3;
    let store = etcd.store(follower);
    store.get("a").await.unwrap();
    etcd.pause(follower);
    for number in 0..3 {
        store.commit(Transaction::new().put("a", number.to_string())).await.unwrap();
    }
    etcd.resume(follower);
}

/// etcd answers that it is full also to the requests that it has done as it filled up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_etcd_refuses_nothing_that_it_has_done() {
    let etcd = Etcd::with(1, "http", &["--quota-backend-bytes".to_owned(), "8000000".to_owned()]);
    let store = etcd.store(0);
    let key = |round: usize, at: usize| format!("a/{round}/{at:02}");
    let mut is_full = false;
    for round in 0.. {
        let put = |at| Transaction::new().put(key(round, at), vec![7; VALUE_BYTES_MAX - 1024]);
        let writes = join_all((0..8).map(|at| store.commit(put(at)))).await;
        for (at, written) in writes.into_iter().enumerate() {
            let is_there = entry(&*store, &key(round, at)).await.is_some();
            match written {
                Ok(_) => assert!(is_there),
                Err(StoreError::DiskFull) => {
                    is_full = true;
                    assert!(!is_there, "{} was refused and is there", key(round, at));
                }
                Err(error) => panic!("{error}"),
            }
        }
        if is_full {
            break;
        }
    }
}

/// Each has more to tell than a connection takes at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watches_that_nobody_reads_hold_nothing_up() {
    let etcd = Etcd::of(1);
    let store = etcd.store(0);
    let mut watches = Vec::new();
    for _ in 0..8 {
        watches.push(store.watch("a", Revision(0)).await.unwrap());
    }
    for number in 0..8 {
        store.commit(Transaction::new().put("a", vec![number; VALUE_BYTES_MAX])).await.unwrap();
    }
    for watch in &mut watches {
        for number in 0..8 {
            assert!(matches!(next(watch).await, Event::Put(entry) if entry.value[0] == number));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_whose_own_keys_were_removed_goes_on() {
    let etcd = Etcd::of(1);
    let store = etcd.store(0);
    let put = |value: &str| Transaction::new().put("a", value.to_owned());
    store.commit(put("1")).await.unwrap();
    let (said, done) = etcd.etcdctl(&["del", "ambo/", "ambo/\u{1}"], 0);
    assert!(done && said.trim() == "1", "{said}");
    store.commit(put("2")).await.unwrap();
    assert_eq!(entry(&*store, "a").await.unwrap().value, "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_own_keys_of_stores_that_are_gone_do_not_pile_up() {
    let etcd = Etcd::of(1);
    for number in 0..300 {
        etcd.store(0).commit(Transaction::new().put("a", number.to_string())).await.unwrap();
    }
    let (said, _) = etcd.etcdctl(&["get", "--prefix", "--keys-only", "ambo/"], 0);
    let kept = said.lines().filter(|line| line.contains("slot/")).count();
    assert!((250..=257).contains(&kept), "{kept}");
    assert_eq!(all(&*etcd.store(0), "", PAGE_ENTRIES_MAX, false).await.len(), 1, "the port shows none of them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_that_leave_harm_nobody() {
    let etcd = Etcd::of(1);
    let store = etcd.store(0);
    for number in 0..100_u32 {
        let left =
            store.commit(Transaction::new().put("a", format!("left {number}")).put("b", format!("left {number}")));
        let _ = tokio::time::timeout(Duration::from_micros(u64::from(number) * 20), left).await;
        store.commit(Transaction::new().put("a", number.to_string()).put("b", number.to_string())).await.unwrap();
        let found = (entry(&*store, "a").await.unwrap(), entry(&*store, "b").await.unwrap());
        assert_eq!(found.0.value, number.to_string(), "what came later stays");
        assert_eq!((&found.0.value, found.0.modified), (&found.1.value, found.1.modified));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_writers_than_turns_all_get_theirs() {
    let etcd = Etcd::of(1);
    let store: Arc<dyn Store> = etcd.store(0);
    let writes =
        (0..200).map(|at| store.commit(Transaction::new().absent(format!("a/{at:03}")).put(format!("a/{at:03}"), "")));
    let written = tokio::time::timeout(DEADLINE, join_all(writes)).await.unwrap();
    written.into_iter().for_each(|written| assert!(written.is_ok(), "{written:?}"));
    assert_eq!(all(&*store, "a/", PAGE_ENTRIES_MAX, false).await.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_lease_of_etcd_s_is_gone() {
    let etcd = Etcd::of(1);
    let store = EtcdStore::new(etcd.settings(0));
    for name in ["", "none", "0", "99999999999999999999"] {
        let lease = LeaseId(name.to_owned());
        assert!(matches!(store.lease_renew(&lease).await, Err(StoreError::LeaseGone)), "{name}");
        let put = store.commit(Transaction::new().put_leased("a", "", lease.clone())).await;
        assert!(matches!(put, Err(StoreError::LeaseGone)), "{name}: {put:?}");
        store.lease_revoke(&lease).await.unwrap();
    }
    assert!(entry(&store, "a").await.is_none());
}
