//! A copy of the logs on another machine.

use std::collections::HashMap;

use ambo_logs::{LogFilter, LogRecord, LogSettings, LogStore, Reach};
use ambo_model::{AppId, Timestamp};

use crate::{Fixture, numbers, texts};

/// A machine that keeps a copy.
struct Standby {
    logs: LogStore,
    _directory: tempfile::TempDir,
}

impl Standby {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let logs = LogStore::open_copy(directory.path(), LogSettings::default()).expect("opens");
        Self { logs, _directory: directory }
    }

    /// Takes what it has not from a leader, as the link between the two does.
    async fn come_along(&self, leader: &LogStore) {
        let mut cursors: HashMap<AppId, u64> = HashMap::new();
        for reach in self.logs.reaches().await {
            if leader.holds(reach).await {
                cursors.insert(reach.app, reach.cursor);
            } else {
                self.logs.copy_discard(reach.app).await;
            }
        }
        for (app, _) in leader.newest_all() {
            let mut cursor = cursors.get(&app).copied().unwrap_or(0);
            loop {
                let records = leader.after(app, cursor).await;
                let Some(last) = records.last() else { break };
                cursor = last.cursor;
                self.logs.copy(app, records).await;
            }
        }
        self.logs.flush().await;
    }

    async fn all(&self, app: AppId) -> Vec<LogRecord> {
        self.logs.tail(app, 100_000, LogFilter::default()).await
    }
}

#[tokio::test]
async fn a_copy_has_what_the_log_has_with_its_cursors() {
    let (leader, standby, app) = (Fixture::new(), Standby::new(), AppId::new());
    leader.count(app, 0..3000);
    leader.logs.flush().await;
    leader.count(app, 3000..3010);
    standby.come_along(&leader.logs).await;
    leader.count(app, 3010..3020);
    standby.come_along(&leader.logs).await;
    assert_eq!(standby.all(app).await, leader.logs.tail(app, 100_000, LogFilter::default()).await);
    assert_eq!(texts(standby.all(app).await), numbers(0..3020));
}

#[tokio::test]
async fn a_copy_that_leads_says_nothing_under_a_cursor_that_may_have_been_seen() {
    let (leader, standby, app) = (Fixture::new(), Standby::new(), AppId::new());
    leader.count(app, 0..10);
    standby.come_along(&leader.logs).await;
    leader.count(app, 10..20);
    let seen = leader.logs.newest(app);
    standby.logs.lead();
    standby.logs.append(crate::line(app, "web.1", "after"));
    assert!(standby.logs.newest(app) > seen);
    standby.logs.flush().await;
    assert_eq!(
        texts(standby.all(app).await),
        numbers(0..10).into_iter().chain(["after".to_owned()]).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn lines_of_a_past_leader_that_nobody_copied_give_way_to_what_is_true_now() {
    let (first, second, app) = (Fixture::new(), Standby::new(), AppId::new());
    first.count(app, 0..10);
    second.come_along(&first.logs).await;
    first.count(app, 10..20);
    second.logs.lead();
    // The second reads them again where they came from.
    for number in 10..21 {
        second.logs.append(crate::line(app, "web.1", &number.to_string()));
    }
    first.logs.flush().await;
    let back = Standby {
        logs: LogStore::open_copy(first.directory.path(), LogSettings::default()).expect("opens"),
        _directory: first.directory,
    };
    back.come_along(&second.logs).await;
    assert_eq!(texts(back.all(app).await), numbers(0..21));
}

#[tokio::test]
async fn a_line_is_known_by_its_cursor_and_its_time() {
    let (leader, app) = (Fixture::new(), AppId::new());
    leader.count(app, 0..10);
    let reach = leader.logs.reaches().await[0];
    assert_eq!(reach.app, app);
    for stored in [false, true] {
        if stored {
            leader.logs.flush().await;
        }
        assert!(leader.logs.holds(reach).await);
        assert!(!leader.logs.holds(Reach { at: Timestamp::UNIX_EPOCH, ..reach }).await);
        assert!(!leader.logs.holds(Reach { cursor: reach.cursor + 1, ..reach }).await);
        assert!(!leader.logs.holds(Reach { app: AppId::new(), ..reach }).await);
    }
}

#[tokio::test]
async fn whoever_copies_hears_of_what_is_added_and_removed() {
    let (leader, app) = (Fixture::new(), AppId::new());
    let mut growth = leader.logs.growth();
    leader.count(app, 0..1);
    assert!(growth.has_changed().expect("it is there"));
    growth.mark_unchanged();
    leader.logs.remove(app).await;
    assert!(growth.has_changed().expect("it is there"));
    assert_eq!(leader.logs.newest_all(), []);
}
