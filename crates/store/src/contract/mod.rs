//! What every backend does: claims over `&dyn Store`. A backend lists them all through `contract!`.

pub(crate) mod elections;
pub(crate) mod keys;
pub(crate) mod leases;
pub(crate) mod model;
pub(crate) mod watches;

use std::future::Future;
use std::time::Duration;

use ambo_store::{Entry, Event, Page, Store, StoreError, Watch};
use futures::StreamExt;

/// How long a test waits for something that must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Declares one test per claim; `$with` gives a fresh store to a closure.
macro_rules! contract {
    ($with:path: $($module:ident::{$($claim:ident),+ $(,)?}),+ $(,)?) => {$(
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $claim() {
                    let store = $with();
                    crate::contract::within_deadline(crate::contract::$module::$claim(store.shared())).await;
                }
            )+
        }
    )+};
}
pub(crate) use contract;

pub(crate) async fn within_deadline<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.expect("the test's deadline has passed")
}

/// The next event of a watch.
pub(crate) async fn next(watch: &mut Watch) -> Event {
    within_deadline(watch.next()).await.expect("the watch goes on").expect("the watch is in order")
}

pub(crate) async fn entry(store: &dyn Store, key: &str) -> Option<Entry> {
    store.get(key).await.expect("the store answers")
}

/// All entries under a prefix, gathered in pages.
pub(crate) async fn all(store: &dyn Store, prefix: &str, limit: usize, descending: bool) -> Vec<Entry> {
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
