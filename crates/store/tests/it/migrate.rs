//! Moving state from one store to another, as far as one backend shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ambo_store::contract::{all, entry};
use ambo_store::migrate::{MigrateError, Migrated, contents, is_unfinished, migrate};
use ambo_store::port::{PAGE_ENTRIES_MAX, VALUE_BYTES_MAX};
use ambo_store::{
    Committed, Entry, LeaseId, Listing, Page, Revision, SqliteStore, Store, StoreError, Transaction, Watch,
};
use async_trait::async_trait;
use tempfile::TempDir;

struct Fresh {
    store: SqliteStore,
    _directory: TempDir,
}

fn fresh() -> Fresh {
    let directory = tempfile::tempdir().expect("a directory");
    Fresh { store: SqliteStore::open(&directory.path().join("state.db")).expect("opens"), _directory: directory }
}

/// A store with keys of all kinds: many, large, empty, odd, changed, removed.
async fn filled() -> Fresh {
    let from = fresh();
    for hundred in 0..25 {
        let many =
            (0..100).fold(Transaction::new(), |all, at| all.put(format!("many/{hundred:02}/{at:02}"), vec![at; 50]));
        from.store.commit(many).await.expect("commits");
    }
    for number in 0..12 {
        let large = Transaction::new().put(format!("large/{number}"), vec![number; VALUE_BYTES_MAX]);
        from.store.commit(large).await.expect("commits");
    }
    let odd = Transaction::new().put("é\u{10FFFF}", "").put("k".repeat(512), "long").put("!", vec![0, 255]);
    from.store.commit(odd).await.expect("commits");
    from.store.commit(Transaction::new().delete("many/00/00").put("many/00/01", "changed")).await.expect("commits");
    from
}

async fn entries(store: &dyn Store) -> Vec<(String, Vec<u8>)> {
    all(store, "", PAGE_ENTRIES_MAX, false).await.into_iter().map(|entry| (entry.key, entry.value.to_vec())).collect()
}

/// A store to which only so many commits get through.
struct Breaking {
    inner: Arc<dyn Store>,
    commits_left: AtomicUsize,
}

impl Breaking {
    fn after(commits: usize, inner: &Fresh) -> Self {
        Self { inner: Arc::new(inner.store.clone()), commits_left: AtomicUsize::new(commits) }
    }
}

#[async_trait]
impl Store for Breaking {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.inner.get(key).await
    }

    async fn list(&self, prefix: &str, page: Page) -> Result<Listing, StoreError> {
        self.inner.list(prefix, page).await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        let left = self.commits_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        match left {
            Ok(_) => self.inner.commit(transaction).await,
            Err(_) => Err(StoreError::DiskFull),
        }
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        self.inner.watch(prefix, from).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.inner.lease_grant(ttl).await
    }

    async fn lease_renew(&self, lease: &LeaseId) -> Result<(), StoreError> {
        self.inner.lease_renew(lease).await
    }

    async fn lease_revoke(&self, lease: &LeaseId) -> Result<(), StoreError> {
        self.inner.lease_revoke(lease).await
    }
}

#[tokio::test]
async fn all_is_moved_and_both_checksums_agree() {
    let (from, to) = (filled().await, fresh());
    let moved = migrate(&from.store, &to.store).await.expect("moves");
    assert_eq!((moved.contents.key_count, &moved.left_out[..]), (2499 + 12 + 3, &[][..]));
    assert_eq!(entries(&from.store).await, entries(&to.store).await);
    assert_eq!(contents(&to.store).await.expect("reads"), contents(&from.store).await.expect("reads"));
    assert!(!is_unfinished(&to.store).await.expect("reads"));
}

#[tokio::test]
async fn an_empty_store_is_moved_as_well() {
    let (from, to) = (fresh(), fresh());
    assert_eq!(migrate(&from.store, &to.store).await.expect("moves").contents.key_count, 0);
    assert!(entries(&to.store).await.is_empty());
}

#[tokio::test]
async fn what_goes_with_a_lease_stays_behind_and_is_named() {
    let (from, to) = (fresh(), fresh());
    let lease = from.store.lease_grant(Duration::from_secs(60)).await.expect("grants");
    let put = Transaction::new().put("app", "1").put_leased("leader", "me", lease);
    from.store.commit(put).await.expect("commits");
    let moved = migrate(&from.store, &to.store).await.expect("moves");
    assert_eq!(moved.left_out, ["leader"]);
    assert_eq!(entries(&to.store).await, [("app".to_owned(), b"1".to_vec())]);
}

#[tokio::test]
async fn a_target_that_holds_something_is_refused_untouched() {
    let (from, to) = (filled().await, fresh());
    to.store.commit(Transaction::new().put("theirs", "1")).await.expect("commits");
    let refused = migrate(&from.store, &to.store).await;
    assert!(matches!(refused, Err(MigrateError::TargetTaken { key }) if key == "theirs"));
    assert_eq!(entries(&to.store).await, [("theirs".to_owned(), b"1".to_vec())]);
}

#[tokio::test]
async fn a_move_that_is_interrupted_anywhere_is_known_as_such_and_can_be_begun_again() {
    let from = filled().await;
    let expected = entries(&from.store).await;
    let mut commits = 0;
    loop {
        let to = fresh();
        if migrate(&from.store, &Breaking::after(commits, &to)).await.is_ok() {
            assert_eq!(entries(&to.store).await, expected);
            break;
        }
        assert_eq!(is_unfinished(&to.store).await.expect("reads"), commits > 0);
        if commits > 0 {
            let onward = migrate(&to.store, &fresh().store).await;
            assert!(matches!(onward, Err(MigrateError::SourceUnfinished)));
        }
        // Meanwhile something has gone at the source.
        to.store.commit(Transaction::new().put("removed from the source", "")).await.expect("commits");
        if commits > 0 {
            migrate(&from.store, &to.store).await.expect("moves");
            assert_eq!(entries(&to.store).await, expected);
        }
        commits += 7;
    }
    assert!(commits > 30, "it takes many commits: {commits}");
}

/// A source that somebody writes to while it is read.
struct InUse(Breaking);

#[async_trait]
impl Store for InUse {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.0.get(key).await
    }

    async fn list(&self, prefix: &str, page: Page) -> Result<Listing, StoreError> {
        let listing = self.0.list(prefix, page).await?;
        self.0.inner.commit(Transaction::new().put("many/00/02", listing.revision.0.to_string())).await?;
        Ok(listing)
    }

    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        self.0.commit(transaction).await
    }

    async fn watch(&self, prefix: &str, from: Revision) -> Result<Watch, StoreError> {
        self.0.watch(prefix, from).await
    }

    async fn lease_grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.0.lease_grant(ttl).await
    }

    async fn lease_renew(&self, lease: &LeaseId) -> Result<(), StoreError> {
        self.0.lease_renew(lease).await
    }

    async fn lease_revoke(&self, lease: &LeaseId) -> Result<(), StoreError> {
        self.0.lease_revoke(lease).await
    }
}

#[tokio::test]
async fn a_source_that_is_in_use_is_found_out_and_the_target_stays_unfinished() {
    let (from, to) = (filled().await, fresh());
    let refused = migrate(&InUse(Breaking::after(usize::MAX, &from)), &to.store).await;
    assert!(matches!(refused, Err(MigrateError::SourceChanged)), "{refused:?}");
    assert!(is_unfinished(&to.store).await.expect("reads"));
}

#[tokio::test]
async fn of_two_moves_to_one_target_one_ends_and_is_whole() {
    let (from, to) = (filled().await, fresh());
    let (first, second) = tokio::join!(migrate(&from.store, &to.store), migrate(&from.store, &to.store));
    let refused = |result: &Result<Migrated, MigrateError>| {
        matches!(result, Err(MigrateError::Overtaken | MigrateError::TargetTaken { .. }))
    };
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    assert!(refused(&first) || refused(&second), "{first:?} {second:?}");
    assert_eq!(entries(&from.store).await, entries(&to.store).await);
    assert!(entry(&to.store, "many/00/01").await.is_some());
}
