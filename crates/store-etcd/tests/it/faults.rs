//! Three members, of which one dies, hangs or is behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ambo_store::{Election, Event, FencedStore, Revision, Store, StoreError, Transaction};

use crate::etcd::Etcd;
use ambo_store::contract::{entry, next, within_deadline};

/// Adds one to a number until told to stop; says how often it was told that this is done.
async fn count_up(store: Arc<dyn Store>, stop: Arc<AtomicBool>) -> u64 {
    let (mut done, mut unknown) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let Ok(found) = store.get("n").await else { continue };
        let number = found.as_ref().map_or(0, |found| text(&found.value).parse::<u64>().unwrap());
        let raised = match &found {
            Some(found) => Transaction::new().unmodified(found),
            None => Transaction::new().absent("n"),
        };
        match store.commit(raised.put("n", (number + 1).to_string())).await {
            Ok(_) => done += 1,
            Err(StoreError::Conflict { .. }) => {}
            Err(_) => unknown += 1,
        }
    }
    assert_eq!(unknown, 0, "of two members out of three the answer is always clear");
    done
}

fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).unwrap()
}

/// Waits until the number has grown by so much.
async fn wait_until_counted(store: &dyn Store, more: u64) {
    let number = async || match store.get("n").await {
        Ok(Some(found)) => text(&found.value).parse::<u64>().unwrap(),
        _ => 0,
    };
    within_deadline(async {
        let begun = number().await;
        while number().await < begun + more {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

async fn nothing_is_lost_or_done_twice(fault: impl AsyncFnOnce(&mut Etcd, &dyn Store)) {
    let mut etcd = Etcd::of(3);
    let (store, stop) = (etcd.store(0), Arc::new(AtomicBool::new(false)));
    let counting: Vec<_> = (0..3).map(|first| tokio::spawn(count_up(etcd.store(first), stop.clone()))).collect();
    let mut watch = store.watch("n", Revision(0)).await.unwrap();
    wait_until_counted(&*store, 20).await;
    fault(&mut etcd, &*store).await;
    wait_until_counted(&*store, 20).await;
    stop.store(true, Ordering::Relaxed);
    let mut done = 0;
    for counted in counting {
        done += counted.await.unwrap();
    }
    let number: u64 = text(&entry(&*store, "n").await.unwrap().value).parse().unwrap();
    assert_eq!(number, done, "every step that was acknowledged, once");
    for expected in 1..=number {
        let Event::Put(told) = next(&mut watch).await else { panic!("expected a put") };
        assert_eq!(text(&told.value).parse::<u64>().unwrap(), expected, "the watch tells each change once, in order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_costs_no_write_and_no_event() {
    nothing_is_lost_or_done_twice(async |etcd, store| {
        let leader = etcd.leader();
        etcd.kill(leader);
        wait_until_counted(store, 20).await;
        etcd.start(leader);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_hangs_costs_no_write_and_no_event() {
    nothing_is_lost_or_done_twice(async |etcd, store| {
        let leader = etcd.leader();
        etcd.pause(leader);
        wait_until_counted(store, 20).await;
        etcd.resume(leader);
        wait_until_counted(store, 20).await;
        let follower = (etcd.leader() + 1) % 3;
        etcd.pause(follower);
        wait_until_counted(store, 20).await;
        etcd.resume(follower);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nothing_is_written_and_with_it_again_all_goes_on() {
    let mut etcd = Etcd::of(3);
    let store = etcd.store(0);
    store.commit(Transaction::new().put("a", "1")).await.unwrap();
    let mut watch = store.watch("a", Revision(0)).await.unwrap();
    assert!(matches!(next(&mut watch).await, Event::Put(_)));
    etcd.kill(1);
    etcd.kill(2);
    let refused = within_deadline(store.commit(Transaction::new().absent("b").put("b", "1"))).await;
    assert!(matches!(refused, Err(StoreError::Backend { .. } | StoreError::Unclear { .. })), "{refused:?}");
    etcd.start(1);
    within_deadline(async { while store.commit(Transaction::new().put("a", "2")).await.is_err() {} }).await;
    assert!(matches!(next(&mut watch).await, Event::Put(found) if found.value == "2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_lost_its_member_and_its_history_says_so() {
    let mut etcd = Etcd::of(3);
    let (store, other) = (etcd.store(0), etcd.store(1));
    store.commit(Transaction::new().put("a", "1")).await.unwrap();
    let mut watch = store.watch("a", Revision(0)).await.unwrap();
    assert!(matches!(next(&mut watch).await, Event::Put(_)));
    // Nobody reads the watch meanwhile.
    etcd.kill(0);
    for number in 0..20 {
        within_deadline(async {
            while other.commit(Transaction::new().put("a", number.to_string())).await.is_err() {}
        })
        .await;
    }
    let last = other.get("a").await.unwrap().unwrap().modified;
    assert!(etcd.etcdctl(&["compaction", &(last.0 + 1).to_string()], 1).1);
    let lagged = within_deadline(async {
        loop {
            match futures::StreamExt::next(&mut watch).await {
                Some(Ok(_)) => {}
                ended => return ended,
            }
        }
    })
    .await;
    assert!(matches!(lagged, Some(Err(StoreError::WatchLagged))), "{lagged:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_with_its_member_is_replaced_and_writes_nothing_more() {
    const TTL: Duration = Duration::from_secs(2);
    let etcd = Etcd::of(3);
    let (cut_off, present) = (etcd.alone(0), etcd.alone(1));
    let mut first = within_deadline(Election::new(cut_off.clone(), "leader", TTL).campaign("first")).await.unwrap();
    let past = FencedStore::new(cut_off.clone(), first.fence());
    past.commit(Transaction::new().put("work", "first")).await.unwrap();

    etcd.pause(0);
    let election = Election::new(present.clone(), "leader", TTL);
    let (second, ()) = within_deadline(async { tokio::join!(election.campaign("second"), first.hold()) }).await;
    let second = second.unwrap();
    let leading = FencedStore::new(present, second.fence());
    leading.commit(Transaction::new().put("work", "second")).await.unwrap();
    let refused = past.commit(Transaction::new().put("work", "late")).await;
    assert!(matches!(refused, Err(StoreError::Backend { .. } | StoreError::Unclear { .. })), "{refused:?}");

    etcd.resume(0);
    within_deadline(async {
        // Until its member has caught up it cannot answer.
        while !matches!(past.commit(Transaction::new().put("work", "late")).await, Err(StoreError::Deposed)) {}
    })
    .await;
    assert_eq!(entry(&*cut_off, "work").await.unwrap().value, "second");
}
