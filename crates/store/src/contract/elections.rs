//! Leaders.

use std::sync::Arc;
use std::time::Duration;

use crate::{Election, Store, StoreError, Transaction};

use super::{entry, within_deadline};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(3);

pub async fn one_candidate_leads_until_it_resigns(store: Arc<dyn Store>) {
    let election = Election::new(Arc::clone(&store), "leader", LONG);
    let first = election.campaign("first").await.expect("leads");
    assert_eq!(election.leader().await.expect("reads").as_deref(), Some(&b"first"[..]));
    let second = election.campaign("second");
    tokio::pin!(second);
    tokio::select! {
        _ = &mut second => panic!("two lead"),
        done = store.commit(Transaction::new().put("other", "")) => drop(done.expect("commits")),
    }
    first.resign().await.expect("resigns");
    let second = within_deadline(second).await.expect("leads");
    assert_eq!(election.leader().await.expect("reads").as_deref(), Some(&b"second"[..]));
    second.resign().await.expect("resigns");
    assert_eq!(election.leader().await.expect("reads"), None);
}

pub async fn a_leader_that_falls_silent_is_replaced_and_can_write_no_more(store: Arc<dyn Store>) {
    let election = Election::new(Arc::clone(&store), "leader", SHORT);
    let mut silent = election.campaign("silent").await.expect("leads");
    store.commit(silent.guard(Transaction::new().put("work", "silent"))).await.expect("a leader writes");
    let next = within_deadline(election.campaign("next")).await.expect("leads");
    let late = store.commit(silent.guard(Transaction::new().put("work", "late"))).await;
    assert!(matches!(late, Err(StoreError::Conflict { key }) if key == "leader"));
    within_deadline(silent.hold()).await;
    store.commit(next.guard(Transaction::new().put("work", "next"))).await.expect("a leader writes");
    assert_eq!(entry(&*store, "work").await.expect("the key is there").value, "next");
}

pub async fn a_leader_that_holds_stays_leader(store: Arc<dyn Store>) {
    let election = Election::new(Arc::clone(&store), "leader", SHORT);
    let mut leader = election.campaign("leader").await.expect("leads");
    let held = tokio::time::timeout(SHORT * 2, leader.hold()).await;
    assert!(held.is_err(), "the leadership was lost");
    assert_eq!(election.leader().await.expect("reads").as_deref(), Some(&b"leader"[..]));
}

pub async fn of_many_candidates_each_leads_alone_in_turn(store: Arc<dyn Store>) {
    let election = Election::new(Arc::clone(&store), "leader", LONG);
    let turns = (0..8).map(|number| {
        let (store, election) = (Arc::clone(&store), election.clone());
        async move {
            let leader = election.campaign(format!("{number}")).await.expect("leads");
            let inside = leader.guard(Transaction::new().absent("inside").put("inside", ""));
            store.commit(inside).await.expect("nobody else is inside");
            store.commit(leader.guard(Transaction::new().delete("inside"))).await.expect("commits");
            leader.resign().await.expect("resigns");
        }
    });
    within_deadline(futures::future::join_all(turns)).await;
}

pub async fn a_successor_of_the_same_name_need_not_wait_for_the_lease(store: Arc<dyn Store>) {
    let election = Election::new(Arc::clone(&store), "leader", LONG);
    let dead = election.campaign("name").await.expect("leads");
    election.succeed(b"name").await.expect("succeeds");
    assert_eq!(election.leader().await.expect("reads"), None);
    // Nobody renews the dead one's lease, which has most of a minute to go.
    let next = within_deadline(election.campaign("name")).await.expect("leads");
    let late = store.commit(dead.guard(Transaction::new().put("work", "late"))).await;
    assert!(
        matches!(late, Err(StoreError::Conflict { key }) if key == "leader"),
        "the same name is not the same leader"
    );
    // What is left of it ends without its successor's leadership.
    dead.resign().await.expect("resigns");
    store.commit(next.guard(Transaction::new().put("work", "next"))).await.expect("a leader writes");
}

pub async fn whoever_waits_leads_when_a_leader_is_succeeded(store: Arc<dyn Store>) {
    let election = Election::new(Arc::clone(&store), "leader", LONG);
    let _dead = election.campaign("dead").await.expect("leads");
    let waiting = election.campaign("waiting");
    tokio::pin!(waiting);
    tokio::select! {
        _ = &mut waiting => panic!("two lead"),
        done = store.commit(Transaction::new().put("other", "")) => drop(done.expect("commits")),
    }
    election.succeed(b"dead").await.expect("succeeds");
    within_deadline(waiting).await.expect("leads");
    assert_eq!(election.leader().await.expect("reads").as_deref(), Some(&b"waiting"[..]));
}

pub async fn nobody_succeeds_a_leader_of_another_name(store: Arc<dyn Store>) {
    let election = Election::new(Arc::clone(&store), "leader", LONG);
    election.succeed(b"other").await.expect("there is nothing to end");
    let leader = election.campaign("leader").await.expect("leads");
    for other in ["other", "lead", "leader2", ""] {
        election.succeed(other.as_bytes()).await.expect("there is nothing to end");
    }
    assert_eq!(election.leader().await.expect("reads").as_deref(), Some(&b"leader"[..]));
    store.commit(leader.guard(Transaction::new().put("work", ""))).await.expect("a leader writes");
}
