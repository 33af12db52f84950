//! What is bounded, and what happens at the bounds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ambo_logs::{LogFilter, LogSettings};
use ambo_model::AppId;
use futures::StreamExt;

use crate::{DEADLINE, Fixture, line, within_deadline};

fn directory_bytes(directory: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(directory).expect("lists");
    files.map(|file| file.expect("a file").metadata().expect("metadata").len()).sum()
}

async fn wait_until(mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < DEADLINE, "the test's deadline has passed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_app_takes_no_more_of_the_disk_than_its_segments() {
    let (logs, app) = (Fixture::new(), AppId::new());
    for number in 0..100 {
        for _ in 0..10 {
            logs.say(app, "web.1", &format!("{number} {}", "x".repeat(10_000)));
        }
        logs.logs.flush().await;
    }
    let bytes = directory_bytes(&logs.directory.path().join(app.to_string()));
    assert!((3 << 20..=4 << 20).contains(&bytes), "{bytes} bytes");
    let texts = logs.texts(app, 10_000).await;
    assert!(texts.len() > 300 && texts.last().is_some_and(|text| text.starts_with("99 ")));
}

#[tokio::test]
async fn lines_that_find_no_room_are_counted_and_the_log_says_so() {
    let settings = LogSettings { memory_lines_max: 100, ..LogSettings::default() };
    let (logs, app) = (Fixture::with(settings), AppId::new());
    logs.count(app, 0..1000);
    logs.logs.flush().await;
    let tail = logs.logs.tail(app, 1000, LogFilter::default()).await;
    assert_eq!(tail.len(), 101);
    assert_eq!(tail[99].line.text, "999");
    let told = tail[100].line.to_string();
    assert_eq!(
        told.split_once(' ').expect("a time").1,
        "ambo[logs]: L10 (output buffer overflow): 900 messages dropped"
    );
    let logs = logs.restart().await;
    assert_eq!(logs.logs.tail(app, 1000, LogFilter::default()).await, tail, "the line is stored too");
}

#[tokio::test]
async fn one_app_that_overflows_costs_another_nothing() {
    let settings = LogSettings { memory_lines_max: 100, ..LogSettings::default() };
    let (logs, loud, quiet) = (Fixture::with(settings), AppId::new(), AppId::new());
    logs.say(quiet, "web.1", "heard");
    logs.count(loud, 0..1000);
    let logs = logs.restart().await;
    assert_eq!(logs.texts(quiet, 10).await, ["heard"]);
}

#[tokio::test]
async fn all_apps_together_stay_within_the_total() {
    let settings = LogSettings { memory_bytes_total_max: 1 << 20, ..LogSettings::default() };
    let logs = Fixture::with(settings);
    let apps: Vec<AppId> = (0..100).map(|_| AppId::new()).collect();
    for _ in 0..20 {
        for app in &apps {
            logs.say(*app, "web.1", &"x".repeat(10_000));
        }
    }
    let mut bytes = 0;
    for app in &apps {
        bytes += logs.texts(*app, 1000).await.iter().map(String::len).sum::<usize>();
    }
    assert!(bytes <= 2 << 20, "{bytes} bytes in memory");
    assert!(logs.texts(apps[99], 1).await.len() == 1, "the newest line is there");
}

/// Gives an app a segment file on a disk that is always full, and how to make room.
fn full_disk(logs: &Fixture, app: AppId) -> PathBuf {
    let directory = logs.directory.path().join(app.to_string());
    std::fs::create_dir_all(&directory).expect("makes");
    let segment = directory.join(format!("{:020}.log", 1));
    std::os::unix::fs::symlink("/dev/full", &segment).expect("links");
    segment
}

#[tokio::test]
async fn on_a_full_disk_the_newest_lines_stay_in_memory_and_storing_resumes_by_itself() {
    let settings = LogSettings { memory_lines_max: 50, ..LogSettings::default() };
    let (logs, app) = (Fixture::with(settings), AppId::new());
    let segment = full_disk(&logs, app);
    let running = logs.run();
    let mut follow = logs.logs.follow(app, 0, LogFilter::default()).await;
    for number in 0..200 {
        logs.say(app, "web.1", &number.to_string());
        let record = within_deadline(follow.next()).await.expect("the log goes on");
        assert_eq!(record.line.text, number.to_string(), "followers go on while the disk is full");
    }
    logs.logs.flush().await;
    assert_eq!(logs.texts(app, 1000).await, crate::numbers(150..200));
    std::fs::remove_file(&segment).expect("makes room");
    wait_until(async || logs.texts(app, 1).await[0].starts_with("L10")).await;
    running.stop().await;
    let logs = logs.kill();
    let stored = logs.texts(app, 1000).await;
    assert_eq!(stored[..50], crate::numbers(150..200));
    assert_eq!(stored[50..], ["L10 (output buffer overflow): 150 messages dropped"]);
}

#[tokio::test]
async fn a_full_disk_for_one_app_does_not_stop_another() {
    let (logs, app, other) = (Fixture::new(), AppId::new(), AppId::new());
    full_disk(&logs, app);
    logs.say(app, "web.1", "not stored");
    logs.say(other, "web.1", "stored");
    logs.logs.flush().await;
    std::fs::remove_dir_all(logs.directory.path().join(app.to_string())).expect("removes");
    let logs = logs.kill();
    assert_eq!(logs.texts(other, 10).await, ["stored"]);
    assert_eq!(logs.texts(app, 10).await, [""; 0]);
}

#[tokio::test]
async fn a_running_store_stores_without_being_asked_and_at_its_end() {
    let (logs, app) = (Fixture::new(), AppId::new());
    let running = logs.run();
    logs.say(app, "web.1", "first");
    let directory = logs.directory.path().join(app.to_string());
    wait_until(async || directory.exists() && directory_bytes(&directory) > 0).await;
    logs.say(app, "web.1", "second");
    running.stop().await;
    let logs = logs.kill();
    assert_eq!(logs.texts(app, 10).await, ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_app_gives_up_its_file_and_is_still_tailed() {
    let settings = LogSettings { idle: Duration::ZERO, ..LogSettings::default() };
    let (logs, app) = (Fixture::with(settings), AppId::new());
    let running = logs.run();
    logs.say(app, "web.1", "before");
    let directory = logs.directory.path().join(app.to_string());
    let is_open = || {
        let files = std::fs::read_dir("/proc/self/fd").expect("lists");
        files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok()).any(|path| path.starts_with(&directory))
    };
    logs.logs.flush().await;
    wait_until(async || !is_open()).await;
    assert_eq!(logs.texts(app, 10).await, ["before"]);
    logs.say(app, "web.1", "after");
    assert_eq!(logs.texts(app, 10).await, ["before", "after"]);
    running.stop().await;
    let logs = logs.kill();
    assert_eq!(logs.texts(app, 10).await, ["before", "after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_threads_append_at_once_and_each_keeps_its_order() {
    let (logs, app) = (Fixture::new(), AppId::new());
    let running = logs.run();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let logs = Arc::clone(&logs.logs);
            std::thread::spawn(move || {
                for number in 0..1000 {
                    logs.append(line(app, &format!("web.{thread}"), &number.to_string()));
                }
            })
        })
        .collect();
    tokio::task::spawn_blocking(|| threads.into_iter().for_each(|thread| thread.join().expect("it ends")))
        .await
        .expect("it ends");
    running.stop().await;
    let logs = logs.kill();
    for thread in 0..4 {
        let filter = LogFilter { name: Some(format!("web.{thread}")), ..LogFilter::default() };
        let tail = logs.logs.tail(app, 10_000, filter).await;
        assert_eq!(crate::texts(tail), crate::numbers(0..1000));
    }
}

#[tokio::test]
async fn a_source_that_waits_for_room_loses_nothing() {
    let settings = LogSettings { memory_lines_max: 100, ..LogSettings::default() };
    let (logs, app) = (Fixture::with(settings), AppId::new());
    let running = logs.run();
    for number in 0..1000 {
        within_deadline(logs.logs.append_when_room(line(app, "web.1", &number.to_string()))).await;
    }
    running.stop().await;
    assert_eq!(logs.texts(app, 10_000).await, crate::numbers(0..1000));
}

#[tokio::test]
async fn on_a_full_disk_a_source_does_not_wait_for_room() {
    let settings = LogSettings { memory_lines_max: 100, ..LogSettings::default() };
    let (logs, app) = (Fixture::with(settings), AppId::new());
    full_disk(&logs, app);
    logs.say(app, "web.1", "not stored");
    logs.logs.flush().await;
    for number in 0..1000 {
        within_deadline(logs.logs.append_when_room(line(app, "web.1", &number.to_string()))).await;
    }
    assert_eq!(logs.texts(app, 100).await, crate::numbers(900..1000));
}
