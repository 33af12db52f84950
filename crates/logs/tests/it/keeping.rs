//! Keeping and tailing.

use std::os::unix::fs::PermissionsExt;

use ambo_logs::LogFilter;
use ambo_model::{AppId, LogLine, LogSource, Timestamp};

use crate::{Fixture, line, numbers, texts};

#[tokio::test]
async fn a_line_is_tailed_at_once_and_unchanged() {
    let (logs, app) = (Fixture::new(), AppId::new());
    let said = line(app, "web.1", "hello\t\u{1b}[1mworld\u{1b}[0m ✓");
    logs.logs.append(said.clone());
    let tail = logs.logs.tail(app, 10, LogFilter::default()).await;
    assert_eq!(tail.into_iter().map(|record| record.line).collect::<Vec<_>>(), [said]);
}

#[tokio::test]
async fn a_tail_gives_the_newest_oldest_first_from_memory_and_disk() {
    let (logs, app) = (Fixture::new(), AppId::new());
    logs.count(app, 0..3000);
    logs.logs.flush().await;
    logs.count(app, 3000..3010);
    for count in [0, 1, 5, 10, 11, 2000, 3010] {
        assert_eq!(logs.texts(app, count).await, numbers(3010 - count..3010), "of {count}");
    }
    assert_eq!(logs.texts(app, 9999).await, numbers(0..3010));
}

#[tokio::test]
async fn stored_lines_survive_a_restart_with_their_cursors() {
    let (logs, app) = (Fixture::new(), AppId::new());
    logs.count(app, 0..100);
    let before = logs.logs.tail(app, 1000, LogFilter::default()).await;
    let logs = logs.restart().await;
    assert_eq!(logs.logs.tail(app, 1000, LogFilter::default()).await, before);
    logs.count(app, 100..110);
    let after = logs.logs.tail(app, 1000, LogFilter::default()).await;
    assert_eq!(after[..100], before);
    assert!(after.windows(2).all(|pair| pair[0].cursor < pair[1].cursor));
    let logs = logs.restart().await.restart().await;
    assert_eq!(logs.logs.tail(app, 1000, LogFilter::default()).await, after);
}

#[tokio::test]
async fn cursors_of_lost_lines_are_not_used_again() {
    let (logs, app) = (Fixture::new(), AppId::new());
    logs.count(app, 0..10);
    logs.logs.flush().await;
    logs.count(app, 10..20);
    let seen = logs.logs.tail(app, 1, LogFilter::default()).await;
    let logs = logs.kill();
    assert_eq!(logs.texts(app, 100).await, numbers(0..10));
    logs.count(app, 20..21);
    let next = logs.logs.tail(app, 1, LogFilter::default()).await;
    assert!(next[0].cursor > seen[0].cursor);
}

#[tokio::test]
async fn filters_choose_by_source_process_type_and_instance() {
    let (logs, app) = (Fixture::new(), AppId::new());
    for (source, name, text) in [
        (LogSource::App, "web.1", "a"),
        (LogSource::App, "web.2", "b"),
        (LogSource::App, "webhook.1", "c"),
        (LogSource::Ambo, "router", "d"),
        (LogSource::Ambo, "web.1", "e"),
    ] {
        logs.logs.append(LogLine { source, ..line(app, name, text) });
    }
    let cases = [
        (None, None, "abcde"),
        (Some(LogSource::App), None, "abc"),
        (Some(LogSource::Ambo), None, "de"),
        (None, Some("web"), "abe"),
        (None, Some("web.1"), "ae"),
        (Some(LogSource::App), Some("web.1"), "a"),
        (None, Some("router"), "d"),
        (None, Some("worker"), ""),
    ];
    let logs = {
        for (source, name, expected) in &cases {
            let filter = LogFilter { source: *source, name: name.map(str::to_owned) };
            assert_eq!(texts(logs.logs.tail(app, 10, filter).await).concat(), *expected, "in memory");
        }
        logs.restart().await
    };
    for (source, name, expected) in cases {
        let filter = LogFilter { source, name: name.map(str::to_owned) };
        assert_eq!(texts(logs.logs.tail(app, 10, filter).await).concat(), expected, "on the disk");
    }
}

#[tokio::test]
async fn apps_are_kept_apart() {
    let (logs, one, other) = (Fixture::new(), AppId::new(), AppId::new());
    logs.say(one, "web.1", "one");
    logs.say(other, "web.1", "other");
    assert_eq!(logs.texts(one, 10).await, ["one"]);
    assert_eq!(logs.texts(AppId::new(), 10).await, [""; 0]);
    let logs = logs.restart().await;
    assert_eq!(logs.texts(other, 10).await, ["other"]);
}

#[tokio::test]
async fn the_last_time_of_an_instance_is_that_of_its_own_newest_line() {
    let (logs, app) = (Fixture::new(), AppId::new());
    let at = |seconds: i64| Timestamp::new(seconds, 123_456_789).expect("a timestamp");
    for (seconds, source, name) in [
        (1, LogSource::App, "web.1"),
        (2, LogSource::App, "web.1"),
        (3, LogSource::App, "web.11"),
        (4, LogSource::Ambo, "web.1"),
        (5, LogSource::App, "web.2"),
    ] {
        logs.logs.append(LogLine { at: at(seconds), source, ..line(app, name, "x") });
    }
    assert_eq!(logs.logs.last_at(app, "web.1").await, Some(at(2)));
    let logs = logs.restart().await;
    assert_eq!(logs.logs.last_at(app, "web.1").await, Some(at(2)));
    assert_eq!(logs.logs.last_at(app, "web.2").await, Some(at(5)));
    assert_eq!(logs.logs.last_at(app, "web.3").await, None);
    assert_eq!(logs.logs.last_at(AppId::new(), "web.1").await, None);
}

#[tokio::test]
async fn a_removed_log_is_gone_and_late_lines_do_not_bring_it_back() {
    let (logs, app, other) = (Fixture::new(), AppId::new(), AppId::new());
    logs.say(app, "web.1", "secret");
    logs.say(other, "web.1", "kept");
    logs.logs.flush().await;
    let directory = logs.directory.path().join(app.to_string());
    assert!(directory.exists());
    logs.say(app, "web.1", "still to be written");
    logs.logs.remove(app).await;
    logs.say(app, "web.1", "late");
    logs.logs.flush().await;
    assert!(!directory.exists());
    assert_eq!(logs.texts(app, 10).await, [""; 0]);
    logs.logs.remove(app).await;
    let logs = logs.restart().await;
    assert_eq!(logs.texts(app, 10).await, [""; 0]);
    assert_eq!(logs.texts(other, 10).await, ["kept"]);
}

#[tokio::test]
async fn harmful_text_is_made_safe_and_long_text_is_cut() {
    let (logs, app) = (Fixture::new(), AppId::new());
    logs.say(app, "we b\n1", "a\nb\0c");
    logs.say(app, "", &"x".repeat(40_000));
    let logs = logs.restart().await;
    let tail = logs.logs.tail(app, 10, LogFilter::default()).await;
    assert_eq!((tail[0].line.name.as_str(), tail[0].line.text.as_str()), ("we_b_1", "a b\u{FFFD}c"));
    assert_eq!(tail[1..].iter().map(|record| record.line.text.len()).collect::<Vec<_>>(), [16_384, 16_384, 7_232]);
}

#[tokio::test]
async fn only_the_owner_reads_the_files() {
    let (logs, app) = (Fixture::new(), AppId::new());
    logs.say(app, "web.1", "x");
    logs.logs.flush().await;
    let directory = logs.directory.path().join(app.to_string());
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in std::fs::read_dir(&directory).expect("lists") {
        assert_eq!(mode(&file.expect("a file").path()), 0o600);
    }
}

#[tokio::test]
async fn what_is_no_log_is_left_alone() {
    let logs = Fixture::new();
    std::fs::write(logs.directory.path().join("README"), "x").expect("writes");
    std::fs::create_dir(logs.directory.path().join("other")).expect("makes");
    std::fs::create_dir(logs.directory.path().join(AppId::new().to_string())).expect("makes");
    logs.restart().await;
}
