//! Members that come and go.

use std::time::{Duration, Instant};

use ambo_store::Transaction;
use ambo_store_etcd::EtcdMembership;

use crate::etcd::Etcd;

const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_is_lost_is_replaced_and_another_may_be_lost() {
    let mut etcd = Etcd::of(3);
    etcd.store(0).commit(Transaction::new().put("kept", "yes")).await.unwrap();
    let membership = EtcdMembership::new(etcd.settings(0));
    let lost_url = etcd.peer_url(2);
    etcd.kill(2);
    etcd.forget(2);

    let lost = membership.list().await.unwrap().into_iter().find(|peer| peer.url == lost_url).unwrap();
    membership.remove(lost.id).await.unwrap();
    membership.remove(lost.id).await.expect("one that is out already is no error");
    let come = etcd
        .join(async |url| {
            // etcd wants the members that are left to have known each other for a while.
            let deadline = Instant::now() + DEADLINE;
            while let Err(error) = membership.add(&url).await {
                assert!(Instant::now() < deadline, "{error:?}");
            }
            membership.add(&url).await.expect("one that was let in already is no error");
            let listed = membership.list().await.unwrap();
            let peer = listed.iter().find(|peer| peer.url == url).unwrap();
            assert_eq!((peer.name.as_deref(), peer.is_learner), (None, true), "it was never started");
        })
        .await;
    let url = etcd.peer_url(come);
    let id = membership.list().await.unwrap().into_iter().find(|peer| peer.url == url).unwrap().id;
    let deadline = Instant::now() + DEADLINE;
    while !membership.promote(id).await.unwrap() {
        assert!(Instant::now() < deadline, "the new member does not catch up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(membership.promote(id).await.unwrap(), "one that votes already is no error");
    let peers = membership.list().await.unwrap();
    assert!(peers.iter().all(|peer| peer.name.is_some() && !peer.is_learner), "{peers:?}");

    etcd.kill(0);
    let store = etcd.store(1);
    assert_eq!(store.get("kept").await.unwrap().unwrap().value, "yes", "with the new member's vote");
}
