//! SQLite: the contract, and what is its own.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ambo_store::contract::{ContractFixture, entry, model, next, within_deadline};
use ambo_store::port::VALUE_BYTES_MAX;
use ambo_store::{Event, Page, Revision, SqliteSettings, SqliteStore, Store, StoreError, Transaction};
use futures::StreamExt;
use tempfile::TempDir;

/// A store in a directory that goes with it.
struct Fresh {
    store: SqliteStore,
    directory: TempDir,
}

impl Fresh {
    fn path(&self) -> PathBuf {
        self.directory.path().join("state.db")
    }

    /// Closes the store and opens it again.
    fn reopen(self) -> Self {
        let path = self.path();
        drop(self.store);
        Self { store: SqliteStore::open(&path).expect("opens again"), directory: self.directory }
    }
}

fn fresh() -> Fresh {
    fresh_with(SqliteSettings::default())
}

fn fresh_with(settings: SqliteSettings) -> Fresh {
    let directory = tempfile::tempdir().expect("a directory");
    let store = SqliteStore::open_with(&directory.path().join("state.db"), settings).expect("opens");
    Fresh { store, directory }
}

impl ContractFixture for Fresh {
    fn shared(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }
}

mod contract {
    ambo_store::store_contract!(super::fresh());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 24, ..Default::default() })]
    #[test]
    fn the_store_agrees_with_a_map(steps in model::steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(within_deadline(model::the_store_agrees_with_a_map(fresh().shared(), steps)));
    }
}

#[tokio::test]
async fn revisions_are_counted_from_one_by_one() {
    let Fresh { store, directory: _directory } = fresh();
    for number in 1..4 {
        let put = store.commit(Transaction::new().put("a", number.to_string())).await.expect("commits");
        assert_eq!(put.revision, Revision(number));
        assert_eq!(store.commit(Transaction::new().delete("absent")).await.expect("commits").revision, put.revision);
        assert_eq!(store.list("", Page::default()).await.expect("lists").revision, put.revision);
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_a_reopen() {
    let store = fresh();
    let put = store.store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    let store = store.reopen();
    assert_eq!(entry(&store.store, "a").await.expect("the key is there").modified, put.revision);
    let mut watch = store.store.watch("a", Revision(0)).await.expect("watches");
    let after = store.store.commit(Transaction::new().delete("a")).await.expect("commits");
    assert_eq!(after.revision, put.revision.next());
    assert!(matches!(next(&mut watch).await, Event::Put(_)));
    assert_eq!(next(&mut watch).await, Event::Delete { key: "a".to_owned(), revision: after.revision });
}

#[tokio::test]
async fn a_lease_starts_anew_at_a_reopen_and_then_ends() {
    let store = fresh();
    let lease = store.store.lease_grant(Duration::from_secs(2)).await.expect("grants");
    let put = store.store.commit(Transaction::new().put_leased("a", "", lease.clone())).await.expect("commits");
    let store = store.reopen();
    store.store.lease_renew(&lease).await.expect("it lives");
    let mut watch = store.store.watch("a", put.revision.next()).await.expect("watches");
    assert!(matches!(next(&mut watch).await, Event::Delete { .. }));
}

/// The environment variable that makes the test below the writer that gets killed.
const WRITER_FILE: &str = "AMBO_STORE_TEST_WRITER_FILE";

#[tokio::test]
async fn acknowledged_commits_survive_kill_9() {
    if let Some(path) = std::env::var_os(WRITER_FILE) {
        return write_until_killed(Path::new(&path)).await;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    for round in 0..3 {
        let mut writer = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "sqlite::acknowledged_commits_survive_kill_9", "--nocapture"])
            .env(WRITER_FILE, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the writer starts");
        let mut lines = BufReader::new(writer.stderr.take().expect("its output")).lines();
        let mut acknowledged: Vec<String> = Vec::new();
        while acknowledged.len() < 50 {
            let line = lines.next().expect("the writer writes").expect("text");
            acknowledged.extend(line.strip_prefix("acknowledged ").map(str::to_owned));
        }
        writer.kill().expect("SIGKILL");
        acknowledged.extend(
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned)),
        );
        writer.wait().expect("it ends");
        let store = SqliteStore::open(&path).expect("opens after the kill");
        for key in &acknowledged {
            assert!(entry(&store, key).await.is_some(), "`{key}` of round {round} was acknowledged and is lost");
            let twin = key.replace("a/", "b/");
            assert!(entry(&store, &twin).await.is_some(), "`{twin}` was in the same transaction");
        }
    }
}

async fn write_until_killed(path: &Path) {
    let store = SqliteStore::open(path).expect("opens");
    let id = std::process::id();
    for number in 0..1_000_000 {
        let (a, b) = (format!("a/{id}/{number}"), format!("b/{id}/{number}"));
        store.commit(Transaction::new().put(&a, "x".repeat(100)).put(b, "")).await.expect("commits");
        // Straight to the file: a test's own output goes through a lock that may outlive the kill.
        std::io::Write::write_all(&mut std::io::stderr(), format!("acknowledged {a}\n").as_bytes()).expect("writes");
    }
}

#[tokio::test]
async fn history_beyond_its_limit_is_gone_and_a_slow_watcher_is_told_to_list_again() {
    let settings = SqliteSettings { history_revisions_max: 10, ..SqliteSettings::default() };
    let store = fresh_with(settings);
    store.store.commit(Transaction::new().put("a", "0")).await.expect("commits");
    let mut slow = store.store.watch("a", Revision(0)).await.expect("watches");
    for number in 1..100 {
        store.store.commit(Transaction::new().put("a", number.to_string())).await.expect("commits");
    }
    assert!(matches!(store.store.watch("a", Revision(1)).await, Err(StoreError::Compacted(Revision(1)))));
    assert!(matches!(next(&mut slow).await, Event::Put(entry) if entry.value == "0"));
    assert!(matches!(within_deadline(slow.next()).await, Some(Err(StoreError::WatchLagged))));
    assert!(within_deadline(slow.next()).await.is_none(), "a watch ends when it has lagged");
    let listing = store.store.list("a", Page::default()).await.expect("lists");
    let mut watch = store.store.watch("a", Revision(listing.revision.0 - 9)).await.expect("ten revisions are kept");
    for number in 90..100 {
        assert!(matches!(next(&mut watch).await, Event::Put(entry) if entry.value == number.to_string()));
    }
}

#[tokio::test]
async fn the_history_is_bounded_in_bytes() {
    let settings = SqliteSettings { history_bytes_max: 4 * VALUE_BYTES_MAX as u64, ..SqliteSettings::default() };
    let store = fresh_with(settings);
    for number in 0..40_u8 {
        store.store.commit(Transaction::new().put("a", vec![number; VALUE_BYTES_MAX])).await.expect("commits");
    }
    assert!(matches!(store.store.watch("a", Revision(30)).await, Err(StoreError::Compacted(_))));
    let mut watch = store.store.watch("a", Revision(39)).await.expect("the newest are kept");
    assert!(matches!(next(&mut watch).await, Event::Put(entry) if entry.modified == Revision(39)));
    let bytes = std::fs::metadata(store.path()).expect("the file").len();
    assert!(bytes < 12 * VALUE_BYTES_MAX as u64, "the data file has {bytes} bytes");
}

#[tokio::test]
async fn a_full_disk_refuses_a_commit_whole_and_reads_and_leases_go_on() {
    let settings = SqliteSettings { file_bytes_max: Some(4 * VALUE_BYTES_MAX as u64), ..SqliteSettings::default() };
    let store = fresh_with(settings);
    let lease = store.store.lease_grant(Duration::from_secs(60)).await.expect("grants");
    let mut stored = 0;
    let refused = loop {
        let put = Transaction::new()
            .put(format!("small/{stored}"), "")
            .put(format!("large/{stored}"), vec![1; VALUE_BYTES_MAX]);
        match store.store.commit(put).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::DiskFull), "{refused:?}");
    assert!(stored > 0);
    assert_eq!(entry(&store.store, &format!("small/{stored}")).await, None, "nothing of the refused commit is there");
    assert!(entry(&store.store, "large/0").await.is_some());
    store.store.lease_renew(&lease).await.expect("a renewal needs no disk");
    // In one batch with a commit that does not fit, those that fit are done.
    let large = store.store.commit(Transaction::new().put("large/more", vec![1; VALUE_BYTES_MAX]));
    let small = store.store.commit(Transaction::new().put("tiny", "1"));
    let (large, small) = tokio::join!(large, small);
    assert!(matches!(large, Err(StoreError::DiskFull)));
    small.expect("a small commit fits");
    assert!(entry(&store.store.clone(), "tiny").await.is_some());
}

#[tokio::test]
async fn only_the_owner_reads_the_files() {
    let store = fresh();
    store.store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    for file in std::fs::read_dir(store.directory.path()).expect("lists") {
        let file = file.expect("an entry");
        let mode = file.metadata().expect("its metadata").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[tokio::test]
async fn a_file_of_an_earlier_version_is_brought_up_to_date_with_its_history() {
    let fresh = fresh();
    let first = fresh.store.commit(Transaction::new().put("a", "1")).await.expect("commits");
    let path = fresh.path();
    drop(fresh.store);
    let connection = rusqlite::Connection::open(&path).expect("opens");
    connection.execute_batch("ALTER TABLE history DROP COLUMN is_leased; PRAGMA user_version = 1").expect("goes back");
    drop(connection);
    let store = SqliteStore::open(&path).expect("opens again");
    let mut watch = store.watch("", first.revision).await.expect("watches");
    store.commit(Transaction::new().put("b", "2")).await.expect("commits");
    for expected in ["a", "b"] {
        assert!(matches!(next(&mut watch).await, Event::Put(entry) if entry.key == expected && !entry.is_leased));
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_untouched() {
    let store = fresh();
    let path = store.path();
    drop(store.store);
    let connection = rusqlite::Connection::open(&path).expect("opens");
    connection.pragma_update(None, "user_version", 99).expect("sets");
    drop(connection);
    let refused = SqliteStore::open(&path).expect_err("refused");
    let StoreError::Backend { doing, source } = refused else { panic!("{refused:?}") };
    assert!(doing.contains("state.db"), "{doing}");
    assert!(source.to_string().contains("schema 99"), "{source}");
}

#[tokio::test]
async fn a_file_that_is_no_store_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("state.db");
    std::fs::write(&path, "not a database at all, but long enough to look like a header").expect("writes");
    let refused = SqliteStore::open(&path).expect_err("refused");
    let StoreError::Backend { source, .. } = refused else { panic!("{refused:?}") };
    assert!(source.to_string().contains("restore a backup"), "{source}");
    assert!(matches!(SqliteStore::open(&directory.path().join("absent/state.db")), Err(StoreError::Backend { .. })));
}

#[tokio::test]
async fn a_watch_ends_when_the_store_is_closed() {
    let store = fresh();
    let mut watch = store.store.watch("", Revision(0)).await.expect("watches");
    drop(store.store);
    assert!(within_deadline(watch.next()).await.is_none());
}

#[tokio::test]
async fn a_commit_whose_caller_left_is_still_whole() {
    let store = fresh();
    let commit = store.store.commit(Transaction::new().put("a", "").put("b", ""));
    assert!(futures::FutureExt::now_or_never(commit).is_none());
    let store = store.reopen();
    assert_eq!(entry(&store.store, "a").await.is_some(), entry(&store.store, "b").await.is_some());
}
