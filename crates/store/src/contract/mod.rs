//! What every backend does, as tests: run over SQLite, over etcd and over the store in memory of the simulation.
//!
//! A bug that is found in one backend becomes a function here. Each function is one claim about a store that nobody else
//! writes to; [`store_contract!`](crate::store_contract) makes a test of each. Revisions are compared, never counted: etcd's
//! begin where it is, and move with others' writes.

mod elections;
mod fences;
mod keys;
mod leases;
pub mod model;
mod watches;

pub use elections::*;
pub use fences::*;
pub use keys::*;
pub use leases::*;
pub use watches::*;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use crate::{Entry, Event, Page, Store, StoreError, Watch};

/// How long a test waits for something that must happen.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A store under test, kept as long as this lives.
pub trait ContractFixture {
    /// The store. Nobody has written to it yet.
    fn shared(&self) -> Arc<dyn Store>;
}

/// A test per claim, of all groups or of those that are named: `store_contract!(Fixture::new(); keys watches);`.
#[macro_export]
macro_rules! store_contract {
    ($fixture:expr) => {
        $crate::store_contract! { $fixture; keys watches leases fences elections }
    };
    ($fixture:expr; $($group:ident)+) => {
        $($crate::store_contract! { @$group $fixture })+
    };
    (@keys $fixture:expr) => {
        $crate::store_contract! { @all $fixture;
            a_put_key_is_read_back_with_its_revisions
            a_key_made_again_is_a_new_key
            values_are_bytes
            a_commit_without_a_change_changes_nothing
            pages_in_both_directions_cover_a_prefix_once
            a_page_of_large_values_ends_early_and_says_that_more_follow
            a_listing_tells_the_revision_it_was_read_at
            a_conflict_leaves_nothing_changed_and_names_the_key
            unmodified_fails_for_a_key_that_was_made_again
            unmodified_since_the_beginning_holds_for_no_key
            of_many_who_claim_a_name_at_once_one_gets_it
            concurrent_increments_lose_none
            beyond_a_limit_nothing_is_done
            at_the_limits_all_works
        }
    };
    (@watches $fixture:expr) => {
        $crate::store_contract! { @all $fixture;
            a_watch_tells_puts_and_deletes_under_its_prefix_in_order
            a_watch_replays_from_a_revision_then_goes_on_live
            a_watch_from_a_future_revision_waits_for_it
            watches_have_no_gap_under_concurrent_commits
            a_long_history_is_replayed_whole
            a_history_of_large_values_is_replayed_whole
        }
    };
    (@leases $fixture:expr) => {
        $crate::store_contract! { @all $fixture;
            the_keys_of_an_ended_lease_go_together_and_watches_are_told
            a_renewed_lease_lives_on
            a_revoked_lease_takes_its_keys_at_once
            a_key_put_without_the_lease_outlives_it
            reads_and_watches_tell_which_keys_go_with_a_lease
            a_lease_of_no_or_endless_time_is_refused
        }
    };
    (@fences $fixture:expr) => {
        $crate::store_contract! { @all $fixture;
            what_a_past_leader_writes_is_refused_however_late
            a_full_transaction_fits_behind_a_fence
        }
    };
    (@elections $fixture:expr) => {
        $crate::store_contract! { @all $fixture;
            one_candidate_leads_until_it_resigns
            a_leader_that_falls_silent_is_replaced_and_can_write_no_more
            a_leader_that_holds_stays_leader
            of_many_candidates_each_leads_alone_in_turn
            a_successor_of_the_same_name_need_not_wait_for_the_lease
            whoever_waits_leads_when_a_leader_is_succeeded
            nobody_succeeds_a_leader_of_another_name
        }
    };
    (@all $fixture:expr; $($claim:ident)+) => {
        $($crate::store_contract! { @one $fixture; $claim })+
    };
    (@one $fixture:expr; $claim:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $claim() {
            let fixture = $fixture;
            let store = $crate::contract::ContractFixture::shared(&fixture);
            $crate::contract::within_deadline($crate::contract::$claim(store)).await;
        }
    };
}

/// Fails when the work takes longer than the deadline.
pub async fn within_deadline<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.expect("the test's deadline has passed")
}

/// The next event of a watch.
pub async fn next(watch: &mut Watch) -> Event {
    within_deadline(watch.next()).await.expect("the watch goes on").expect("the watch is in order")
}

/// The entry of a key.
pub async fn entry(store: &dyn Store, key: &str) -> Option<Entry> {
    store.get(key).await.expect("the store answers")
}

/// All entries under a prefix, gathered in pages.
pub async fn all(store: &dyn Store, prefix: &str, limit: usize, descending: bool) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map(|entry| entry.key.clone());
        let page = Page { after, limit: Some(limit), descending };
        let listing = store.list(prefix, page).await.expect("the store lists");
        assert!(listing.entries.len() <= limit);
        entries.extend(listing.entries);
        if !listing.more {
            return entries;
        }
    }
}

pub(crate) fn is_limit<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Limit(_)))
}
