//! The state of an archive is that of one moment, however many change it meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ambo_store::{SqliteStore, Store, Transaction};
use tokio::task::JoinSet;

use crate::etcd::Etcd;
use crate::platform::{TestPlatform, state};

/// Writers at a time; each has keys at the beginning, in the middle and at the end of all.
const WRITERS: usize = 3;
/// Keys in between, so that the state takes many pages.
const BETWEEN: usize = 3000;

/// Writes one number to several keys at once, again and again; some keys come and go with it.
async fn write(store: Arc<dyn Store>, writer: usize, stop: Arc<AtomicBool>) -> u64 {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let text = number.to_string();
        let mut all =
            ["a", "m", "z"].iter().fold(Transaction::new(), |all, part| all.put(key(part, writer), text.clone()));
        let visitor = format!("n/{writer}/{}", number % 40);
        all = if number % 3 == 0 { all.delete(visitor) } else { all.put(visitor, text.clone()) };
        store.commit(all.put(format!("last/{writer}"), text)).await.unwrap();
    }
    number
}

fn key(part: &str, writer: usize) -> String {
    format!("{part}/{writer}")
}

/// What the visitors of a writer are after so many writes.
fn visitors(writer: usize, number: u64) -> BTreeMap<String, String> {
    let mut visitors = BTreeMap::new();
    for number in 1..=number {
        let visitor = format!("n/{writer}/{}", number % 40);
        if number % 3 == 0 {
            visitors.remove(&visitor)
        } else {
            visitors.insert(visitor, number.to_string())
        };
    }
    visitors
}

async fn check(store: Arc<dyn Store>) {
    let from = TestPlatform::with_store(store.clone());
    for some in (0..BETWEEN).collect::<Vec<_>>().chunks(90) {
        let filled = some.iter().fold(Transaction::new(), |all, at| all.put(format!("f/{at:06}"), "x".repeat(900)));
        store.commit(filled).await.unwrap();
    }
    let (stop, mut writers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for writer in 0..WRITERS {
        writers.spawn(write(store.clone(), writer, stop.clone()));
    }
    for _ in 0..4 {
        while store.get("z/0").await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        let (archive, made, unlock) = from.backup().await;
        let to = TestPlatform::of_one_machine();
        let restored = to.restore(&archive, &unlock).await.unwrap();
        assert_eq!(restored.findings, made);
        let restored = state(&*to.store).await;
        assert_eq!(restored.len() as u64, made.contents.state_count);
        for writer in 0..WRITERS {
            let numbers: Vec<_> = ["a", "m", "z", "last"].iter().map(|part| restored.get(&key(part, writer))).collect();
            assert!(numbers.windows(2).all(|pair| pair[0] == pair[1]), "a transaction is there in part: {numbers:?}");
            let number = numbers[0].map_or(0, |text| text.parse().unwrap());
            let prefix = format!("n/{writer}/");
            let there = restored.iter().filter(|(key, _)| key.starts_with(&prefix));
            let there: BTreeMap<_, _> = there.map(|(key, value)| (key.clone(), value.clone())).collect();
            assert_eq!(there, visitors(writer, number), "after {number} writes");
        }
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(written) = writers.join_next().await {
        assert!(written.unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    check(Arc::new(SqliteStore::open(&directory.path().join("state.db")).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_etcd() {
    let etcd = Etcd::of(1);
    check(etcd.store(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_with_a_lease_stays_behind() {
    let directory = tempfile::tempdir().unwrap();
    let open = |name| Arc::new(SqliteStore::open(&directory.path().join(name)).unwrap());
    let store = open("from.db");
    let from = TestPlatform::with_store(store.clone());
    let lease = store.lease_grant(std::time::Duration::from_secs(600)).await.unwrap();
    store.commit(Transaction::new().put("apps/1", "{}").put_leased("cluster/leader", "n1", lease)).await.unwrap();
    let (archive, made, unlock) = from.backup().await;
    assert_eq!(made.contents.state_count, 1);
    // Nor is it in the way of a restore: whoever leads restores.
    let led = open("led.db");
    let lease = led.lease_grant(std::time::Duration::from_secs(600)).await.unwrap();
    led.commit(Transaction::new().put_leased("cluster/leader", "n2", lease)).await.unwrap();
    let to = TestPlatform::with_store(led.clone());
    to.restore(&archive, &unlock).await.unwrap();
    assert_eq!(led.get("cluster/leader").await.unwrap().unwrap().value, "n2");
    assert_eq!(state(&*led).await.len(), 2);
}
