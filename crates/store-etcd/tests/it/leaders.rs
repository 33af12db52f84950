//! Two that take themselves for the leader.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ambo_store::contract::{next, within_deadline};
use ambo_store::{Election, Event, FencedStore, Revision, Store, StoreError, Transaction};
use ambo_store_etcd::EtcdStore;

use crate::etcd::Etcd;

/// The environment variable that makes the test below the leader that is stopped.
const LEADER_OF: &str = "AMBO_STORE_ETCD_TEST_LEADER_OF";
const TTL: Duration = Duration::from_secs(2);

/// Ends with the test, however it ends.
struct Leader(Child);

impl Leader {
    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args(["-s", signal, &self.0.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_stopped_for_a_while_writes_nothing_after_its_successor_has_begun() {
    if let Ok(url) = std::env::var(LEADER_OF) {
        return write_until_deposed(&url).await;
    }
    let etcd = Etcd::of(3);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("leaders::a_leader_that_was_stopped_for_a_while_writes_nothing_after_its_successor_has_begun")
        .env(LEADER_OF, etcd.settings(0).to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let first = Leader(child);
    assert!((0..20).all(|_| lines.by_ref().any(|line| line == "written")), "the first one leads and writes");
    first.signal("STOP");

    let store = etcd.store(1);
    let election = Election::new(store.clone(), "leader", TTL);
    let second = within_deadline(election.campaign("second")).await.unwrap();
    let leading = FencedStore::new(store.clone(), second.fence());
    let begun = leading.commit(Transaction::new().put("work", "second")).await.unwrap().revision;

    first.signal("CONT");
    assert!(lines.any(|line| line == "deposed"), "the first one learns of it from the store");
    leading.commit(Transaction::new().put("end", "")).await.unwrap();
    let mut watch = store.watch("", Revision(0)).await.unwrap();
    loop {
        match next(&mut watch).await {
            Event::Put(entry) if entry.key == "end" => break,
            Event::Put(entry) if entry.modified >= begun => assert_ne!(entry.value, "first", "{entry:?}"),
            Event::Put(_) | Event::Delete { .. } => {}
        }
    }
}

/// It does not look at the clock, and does not hold its lease: only the store can stop it.
async fn write_until_deposed(url: &str) {
    let store: Arc<dyn Store> = Arc::new(EtcdStore::new(url.parse().unwrap()));
    let leader = Election::new(store.clone(), "leader", Duration::from_secs(5)).campaign("first").await.unwrap();
    let leading = FencedStore::new(store, leader.fence());
    // Several at once, so that some are under way whenever it is stopped.
    let writes = (0..4).map(|number| {
        let leading = &leading;
        async move {
            loop {
                match leading.commit(Transaction::new().put(format!("work/{number}"), "first")).await {
                    Ok(_) => say("written"),
                    Err(StoreError::Deposed) => return,
                    Err(_) => {}
                }
            }
        }
    });
    futures::future::join_all(writes).await;
    say("deposed");
}

/// Straight to the file: a test's own output goes through a lock.
fn say(word: &str) {
    let _ = std::io::stderr().write_all(format!("{word}\n").as_bytes());
}
