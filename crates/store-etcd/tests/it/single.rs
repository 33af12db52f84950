//! One member: the contract of the port, and what is etcd's own.

use ambo_store::port::PAGE_ENTRIES_MAX;
use ambo_store::{Page, Revision, StoreError, Transaction};

use crate::contract::{all, contract, entry, model, next, within_deadline};
use crate::etcd::Etcd;

fn fresh() -> Etcd {
    Etcd::of(1)
}

contract!(super::fresh:
    keys::{
        a_put_key_is_read_back_with_its_revisions,
        a_key_made_again_is_a_new_key,
        values_are_bytes,
        a_commit_without_a_change_keeps_the_revision,
        pages_in_both_directions_cover_a_prefix_once,
        a_page_of_large_values_ends_early_and_says_that_more_follow,
        a_listing_tells_the_revision_it_was_read_at,
        a_conflict_leaves_nothing_changed_and_names_the_key,
        unmodified_fails_for_a_key_that_was_made_again,
        of_many_who_claim_a_name_at_once_one_gets_it,
        concurrent_increments_lose_none,
        beyond_a_limit_nothing_is_done,
        at_the_limits_all_works,
    },
    watches::{
        a_watch_tells_puts_and_deletes_under_its_prefix_in_order,
        a_watch_replays_from_a_revision_then_goes_on_live,
        a_watch_from_a_future_revision_waits_for_it,
        watches_have_no_gap_under_concurrent_commits,
        a_long_history_is_replayed_whole,
    },
    leases::{
        the_keys_of_an_ended_lease_go_together_and_watches_are_told,
        a_renewed_lease_lives_on,
        a_revoked_lease_takes_its_keys_at_once,
        a_key_put_without_the_lease_outlives_it,
        a_lease_of_no_or_endless_time_is_refused,
    },
    elections::{
        one_candidate_leads_until_it_resigns,
        a_leader_that_falls_silent_is_replaced_and_can_write_no_more,
        a_leader_that_holds_stays_leader,
        of_many_candidates_each_leads_alone_in_turn,
    },
);

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 6, ..Default::default() })]
    #[test]
    fn the_store_agrees_with_a_map(steps in model::steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(within_deadline(model::the_store_agrees_with_a_map(fresh().shared(), steps)));
    }
}

#[tokio::test]
async fn platforms_with_different_prefixes_share_an_etcd_and_see_nothing_of_each_other() {
    let etcd = Etcd::of(1);
    let one = etcd.shared();
    let mut settings = etcd.settings(0);
    settings.prefix = "ambo-two".to_owned();
    let other = ambo_store_etcd::EtcdStore::new(settings);
    one.commit(Transaction::new().put("a", "1")).await.unwrap();
    let mut watch = one.watch("", Revision(0)).await.unwrap();
    ambo_store::Store::commit(&other, Transaction::new().absent("a").put("a", "2")).await.unwrap();
    one.commit(Transaction::new().put("b", "1")).await.unwrap();
    assert_eq!(all(&*one, "", PAGE_ENTRIES_MAX, false).await.len(), 2);
    for key in ["a", "b"] {
        assert!(matches!(next(&mut watch).await, ambo_store::Event::Put(entry) if entry.key == key));
    }
}

#[tokio::test]
async fn a_history_that_was_compacted_is_gone_and_says_so() {
    let etcd = Etcd::of(1);
    let store = etcd.shared();
    for number in 0..5 {
        store.commit(Transaction::new().put("a", number.to_string())).await.unwrap();
    }
    // etcd's own number of the last commit.
    assert!(etcd.etcdctl(&["compaction", "6"], 0).1);
    let refused = store.watch("a", Revision(2)).await.err();
    assert!(matches!(refused, Some(StoreError::Compacted(Revision(2)))), "{refused:?}");
    let listing = store.list("a", Page::default()).await.unwrap();
    let mut watch = store.watch("a", listing.revision.next()).await.unwrap();
    store.commit(Transaction::new().put("a", "last")).await.unwrap();
    assert!(matches!(next(&mut watch).await, ambo_store::Event::Put(entry) if entry.value == "last"));
}

#[tokio::test]
async fn a_full_etcd_says_so_and_reads_on() {
    let etcd = Etcd::with(1, "http", &["--quota-backend-bytes".to_owned(), "400000".to_owned()]);
    let store = etcd.shared();
    store.commit(Transaction::new().put("kept", "1")).await.unwrap();
    let full = loop {
        match store.commit(Transaction::new().put("a", vec![0; 100_000])).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::DiskFull), "{full}");
    assert_eq!(entry(&*store, "kept").await.unwrap().value, "1");
}
