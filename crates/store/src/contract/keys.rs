//! Getting, listing and committing.

use std::sync::Arc;

use crate::port::{
    KEY_BYTES_MAX, PAGE_BYTES_MAX, PAGE_ENTRIES_MAX, TRANSACTION_BYTES_MAX, TRANSACTION_OPERATIONS_MAX, VALUE_BYTES_MAX,
};
use crate::{Event, Operation, Page, Precondition, Revision, Store, StoreError, Transaction};

use super::{all, entry, is_limit, next};

pub async fn a_put_key_is_read_back_with_its_revisions(store: Arc<dyn Store>) {
    assert_eq!(entry(&*store, "a").await, None);
    let first = store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    let second = store.commit(Transaction::new().put("a", "2")).await.expect("commits");
    assert!(second.revision > first.revision);
    let found = entry(&*store, "a").await.expect("the key is there");
    assert_eq!((&found.value[..], found.created, found.modified), (&b"2"[..], first.revision, second.revision));
}

pub async fn a_key_made_again_is_a_new_key(store: Arc<dyn Store>) {
    store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    store.commit(Transaction::new().delete("a")).await.expect("commits");
    assert_eq!(entry(&*store, "a").await, None);
    let again = store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    assert_eq!(entry(&*store, "a").await.expect("the key is there").created, again.revision);
}

pub async fn values_are_bytes(store: Arc<dyn Store>) {
    let value: Vec<u8> = (0..=255).collect();
    store.commit(Transaction::new().put("a", value.clone()).put("empty", "")).await.expect("commits");
    assert_eq!(entry(&*store, "a").await.expect("the key is there").value, value);
    assert_eq!(entry(&*store, "empty").await.expect("the key is there").value.len(), 0);
}

pub async fn a_commit_without_a_change_changes_nothing(store: Arc<dyn Store>) {
    let put = store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    let mut watch = store.watch("", put.revision.next()).await.expect("watches");
    for nothing in [Transaction::new(), Transaction::new().present("a"), Transaction::new().delete("absent")] {
        assert!(store.commit(nothing).await.expect("commits").revision >= put.revision);
    }
    assert_eq!(entry(&*store, "a").await.expect("the key is there").modified, put.revision);
    let last = store.commit(Transaction::new().put("b", "1").delete("absent")).await.expect("commits");
    assert!(matches!(next(&mut watch).await, Event::Put(entry) if entry.key == "b" && entry.modified == last.revision));
}

pub async fn pages_in_both_directions_cover_a_prefix_once(store: Arc<dyn Store>) {
    let mut names: Vec<String> = (0..25).map(|number| format!("apps/{number:02}")).collect();
    names.extend(["apps/é".to_owned(), "apps/\u{10FFFF}".to_owned(), "apps/".to_owned()]);
    names.sort_unstable();
    for name in names.iter().map(String::as_str).chain(["app", "apps", "apps0", "b"]) {
        store.commit(Transaction::new().put(name, "")).await.expect("commits");
    }
    for limit in [1, 7, 28, PAGE_ENTRIES_MAX] {
        let up: Vec<String> = all(&*store, "apps/", limit, false).await.into_iter().map(|entry| entry.key).collect();
        let down: Vec<String> = all(&*store, "apps/", limit, true).await.into_iter().map(|entry| entry.key).collect();
        assert_eq!(up, names);
        assert_eq!(down.into_iter().rev().collect::<Vec<_>>(), names);
    }
    assert_eq!(all(&*store, "", 10, false).await.len(), names.len() + 4);
    let beyond = Page { after: Some("z".to_owned()), ..Page::default() };
    let listing = store.list("apps/", beyond).await.expect("lists");
    assert!(listing.entries.is_empty() && !listing.more);
    let before = Page { after: Some("a".to_owned()), ..Page::default() };
    assert_eq!(store.list("apps/", before).await.expect("lists").entries.len(), names.len());
}

pub async fn a_page_of_large_values_ends_early_and_says_that_more_follow(store: Arc<dyn Store>) {
    let count = PAGE_BYTES_MAX / VALUE_BYTES_MAX + 2;
    for number in 0..count {
        store
            .commit(Transaction::new().put(format!("a/{number:02}"), vec![0; VALUE_BYTES_MAX]))
            .await
            .expect("commits");
    }
    let listing = store.list("a/", Page::default()).await.expect("lists");
    assert!(listing.more && listing.entries.len() < count);
    assert_eq!(all(&*store, "a/", PAGE_ENTRIES_MAX, false).await.len(), count);
}

pub async fn a_listing_tells_the_revision_it_was_read_at(store: Arc<dyn Store>) {
    let before = store.list("", Page::default()).await.expect("lists").revision;
    let put = store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    assert!(before < put.revision);
    let listing = store.list("other", Page::default()).await.expect("lists");
    assert!(listing.entries.is_empty() && listing.revision >= put.revision);
}

pub async fn a_conflict_leaves_nothing_changed_and_names_the_key(store: Arc<dyn Store>) {
    let put = store.commit(Transaction::new().put("a", "1").put("b", "1")).await.expect("commits");
    let stale = entry(&*store, "a").await.expect("the key is there");
    let newer = store.commit(Transaction::new().unmodified(&stale).put("a", "2")).await.expect("commits");
    assert!(newer.revision > put.revision);
    let change = |transaction: Transaction| transaction.put("a", "9").put("c", "9").delete("b");
    let cases = [
        (Transaction::new().present("b").unmodified(&stale), "a"),
        (Transaction::new().absent("b"), "b"),
        (Transaction::new().present("absent"), "absent"),
        (Transaction::new().absent("absent").absent("a").absent("b"), "a"),
    ];
    for (conditions, expected) in cases {
        match store.commit(change(conditions)).await {
            Err(StoreError::Conflict { key }) => assert_eq!(key, expected),
            other => panic!("expected a conflict, got {other:?}"),
        }
    }
    let listing = store.list("", Page::default()).await.expect("lists");
    assert!(listing.entries.iter().all(|entry| entry.modified <= newer.revision));
    let values: Vec<_> = listing.entries.iter().map(|entry| (entry.key.as_str(), &entry.value[..])).collect();
    assert_eq!(values, [("a", &b"2"[..]), ("b", &b"1"[..])]);
}

pub async fn unmodified_fails_for_a_key_that_was_made_again(store: Arc<dyn Store>) {
    store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    let stale = entry(&*store, "a").await.expect("the key is there");
    store.commit(Transaction::new().delete("a")).await.expect("commits");
    let gone = store.commit(Transaction::new().unmodified(&stale).put("b", "")).await;
    assert!(matches!(gone, Err(StoreError::Conflict { .. })));
    store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    let again = store.commit(Transaction::new().unmodified(&stale).put("b", "")).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })));
}

pub async fn unmodified_since_the_beginning_holds_for_no_key(store: Arc<dyn Store>) {
    store.commit(Transaction::new().put("there", "1")).await.expect("commits");
    for key in ["there", "absent"] {
        let preconditions = vec![Precondition::Unmodified { key: key.to_owned(), since: Revision(0) }];
        let change = Transaction { preconditions, ..Transaction::new().put("b", "") };
        assert!(matches!(store.commit(change).await, Err(StoreError::Conflict { key: named }) if named == key));
    }
}

pub async fn of_many_who_claim_a_name_at_once_one_gets_it(store: Arc<dyn Store>) {
    let claims = (0..32).map(|number| {
        let store = Arc::clone(&store);
        async move { store.commit(Transaction::new().absent("name").put("name", format!("{number}"))).await }
    });
    let outcomes = futures::future::join_all(claims).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(StoreError::Conflict { .. }))));
}

pub async fn concurrent_increments_lose_none(store: Arc<dyn Store>) {
    store.commit(Transaction::new().put("n", "0")).await.expect("commits");
    let increments = (0..8).map(|_| {
        let store = Arc::clone(&store);
        async move {
            for _ in 0..10 {
                loop {
                    let found = store.get("n").await.expect("reads").expect("the key is there");
                    let number: u32 = std::str::from_utf8(&found.value).expect("text").parse().expect("a number");
                    let raised = Transaction::new().unmodified(&found).put("n", (number + 1).to_string());
                    match store.commit(raised).await {
                        Ok(_) => break,
                        Err(StoreError::Conflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    });
    futures::future::join_all(increments).await;
    assert_eq!(entry(&*store, "n").await.expect("the key is there").value, "80");
}

pub async fn beyond_a_limit_nothing_is_done(store: Arc<dyn Store>) {
    let put = |key: &str, bytes: usize| Transaction::new().put("also", "").put(key, vec![0; bytes]);
    let many = (0..=TRANSACTION_OPERATIONS_MAX).fold(Transaction::new(), |all, number| all.delete(format!("{number}")));
    let large =
        (0..2).fold(Transaction::new(), |all, number| all.put(format!("{number}"), vec![0; TRANSACTION_BYTES_MAX / 2]));
    let refused = [
        put("", 1),
        put("a\0b", 1),
        put(&"k".repeat(KEY_BYTES_MAX + 1), 1),
        put("a", VALUE_BYTES_MAX + 1),
        Transaction::new().put("also", "").put("a", "").delete("a"),
        Transaction::new().put("also", "").present(""),
        many,
        large,
    ];
    for transaction in refused {
        assert!(is_limit(&store.commit(transaction).await));
    }
    assert!(is_limit(&store.get("").await));
    assert!(is_limit(&store.list(&"k".repeat(KEY_BYTES_MAX + 1), Page::default()).await));
    for limit in [0, PAGE_ENTRIES_MAX + 1] {
        assert!(is_limit(&store.list("", Page { limit: Some(limit), ..Page::default() }).await));
    }
    assert!(store.list("", Page::default()).await.expect("lists").entries.is_empty());
}

pub async fn at_the_limits_all_works(store: Arc<dyn Store>) {
    let key = "k".repeat(KEY_BYTES_MAX);
    store.commit(Transaction::new().put(&key, vec![7; VALUE_BYTES_MAX])).await.expect("commits");
    assert_eq!(entry(&*store, &key).await.expect("the key is there").value.len(), VALUE_BYTES_MAX);
    let mut many = Transaction::new();
    for number in 0..TRANSACTION_OPERATIONS_MAX {
        many.operations.push(Operation::Put { key: format!("many/{number:03}"), value: "x".into(), lease: None });
    }
    store.commit(many).await.expect("commits");
    assert_eq!(all(&*store, "many/", PAGE_ENTRIES_MAX, false).await.len(), TRANSACTION_OPERATIONS_MAX);
    store.commit(largest()).await.expect("commits");
    let bytes: usize = all(&*store, "l", PAGE_ENTRIES_MAX, false).await.iter().map(|entry| entry.value.len()).sum();
    assert_eq!(bytes, TRANSACTION_BYTES_MAX - TRANSACTION_OPERATIONS_MAX * KEY_BYTES_MAX);
}

/// As many preconditions and operations, and as many bytes in keys and values, as a transaction may have.
fn largest() -> Transaction {
    let half = TRANSACTION_OPERATIONS_MAX / 2;
    let key = |kind: &str, number: usize| format!("{kind}{number:0>width$}", width = KEY_BYTES_MAX - kind.len());
    let conditions = (0..half).fold(Transaction::new(), |all, number| all.absent(key("c", number)));
    let second = TRANSACTION_BYTES_MAX - VALUE_BYTES_MAX - TRANSACTION_OPERATIONS_MAX * KEY_BYTES_MAX;
    (0..half).fold(conditions, |all, number| {
        let bytes = [VALUE_BYTES_MAX, second].get(number).copied().unwrap_or(0);
        all.put(key("l", number), vec![1; bytes])
    })
}
