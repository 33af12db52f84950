//! Following.

use std::sync::Arc;

use ambo_logs::{Follow, LogFilter, LogRecord, LogSettings};
use ambo_model::AppId;
use futures::{FutureExt, StreamExt};

use crate::{Fixture, line, numbers, within_deadline};

async fn next(follow: &mut Follow) -> LogRecord {
    within_deadline(follow.next()).await.expect("the log goes on")
}

async fn take(follow: &mut Follow, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        texts.push(next(follow).await.line.text);
    }
    texts
}

#[tokio::test]
async fn recent_lines_come_first_then_live_ones() {
    let (logs, app) = (Fixture::new(), AppId::new());
    logs.count(app, 0..10);
    let mut follow = logs.logs.follow(app, 3, LogFilter::default()).await;
    logs.count(app, 10..12);
    assert_eq!(take(&mut follow, 5).await, numbers(7..12));
    assert!(follow.next().now_or_never().is_none());
    logs.count(app, 12..13);
    assert_eq!(take(&mut follow, 1).await, ["12"]);
}

#[tokio::test]
async fn an_app_without_lines_can_be_followed() {
    let (logs, app) = (Fixture::new(), AppId::new());
    let mut follow = logs.logs.follow(app, 100, LogFilter::default()).await;
    assert!(follow.next().now_or_never().is_none());
    logs.say(app, "web.1", "first");
    assert_eq!(next(&mut follow).await.line.text, "first");
}

#[tokio::test]
async fn a_filtered_follower_sees_only_its_lines() {
    let (logs, app) = (Fixture::new(), AppId::new());
    let filter = LogFilter { name: Some("worker".to_owned()), ..LogFilter::default() };
    let mut follow = logs.logs.follow(app, 100, filter).await;
    logs.say(app, "web.1", "no");
    logs.say(app, "worker.1", "yes");
    assert_eq!(next(&mut follow).await.line.text, "yes");
    assert!(follow.next().now_or_never().is_none());
}

#[tokio::test]
async fn a_reader_resumes_after_its_cursor_through_restarts() {
    let (logs, app) = (Fixture::new(), AppId::new());
    logs.count(app, 0..500);
    let all = logs.logs.tail(app, 500, LogFilter::default()).await;
    let logs = logs.restart().await;
    logs.count(app, 500..510);
    for seen in [0, 250, 498, 499] {
        let mut follow = logs.logs.follow_from(app, all[seen].cursor, LogFilter::default());
        assert_eq!(take(&mut follow, 509 - seen).await, numbers(seen + 1..510));
        assert!(follow.next().now_or_never().is_none());
    }
    let mut from_start = logs.logs.follow_from(app, 0, LogFilter::default());
    assert_eq!(take(&mut from_start, 510).await, numbers(0..510));
    let mut from_nowhere = logs.logs.follow_from(app, u64::MAX, LogFilter::default());
    logs.count(app, 510..511);
    assert_eq!(take(&mut from_nowhere, 1).await, ["510"]);
}

/// Followers start at arbitrary moments of a stream that is written, rotated and trimmed meanwhile; some are slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_have_no_gap_and_no_line_twice_while_lines_pour_in() {
    const LINES: usize = 20_000;
    let settings = LogSettings { memory_bytes_kept: 4096, ..LogSettings::default() };
    let (logs, app) = (Fixture::with(settings), AppId::new());
    let running = logs.run();
    let writer = {
        let logs = Arc::clone(&logs.logs);
        tokio::spawn(async move {
            for number in 0..LINES {
                logs.append(line(app, "web.1", &number.to_string()));
                if number.is_multiple_of(200) {
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
            }
        })
    };
    let followers = (0..8).map(|index| {
        let logs = Arc::clone(&logs.logs);
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(index * 20)).await;
            let mut follow = if index.is_multiple_of(2) {
                logs.follow(app, 50, LogFilter::default()).await
            } else {
                logs.follow_from(app, 0, LogFilter::default())
            };
            let mut expected: Option<usize> = None;
            while expected != Some(LINES) {
                let record = within_deadline(follow.next()).await.expect("the log goes on");
                let number: usize = record.line.text.parse().expect("a number");
                assert_eq!(number, expected.unwrap_or(number), "of follower {index}");
                expected = Some(number + 1);
                if index == 7 && number.is_multiple_of(1000) {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            }
        }
    });
    futures::future::join_all(followers).await;
    writer.await.expect("it ends");
    running.stop().await;
}

#[tokio::test]
async fn a_follower_that_is_too_slow_is_told_that_it_missed_lines() {
    let settings =
        LogSettings { segments_max: 2, segment_bytes_max: 4096, memory_bytes_kept: 0, ..LogSettings::default() };
    let (logs, app) = (Fixture::with(settings), AppId::new());
    logs.say(app, "web.1", "seen");
    let mut follow = logs.logs.follow(app, 1, LogFilter::default()).await;
    assert_eq!(take(&mut follow, 1).await, ["seen"]);
    for number in 0..500 {
        logs.say(app, "web.1", &format!("line {number}"));
        logs.logs.flush().await;
    }
    let told = next(&mut follow).await.line;
    assert_eq!(
        told.to_string().split_once(' ').expect("a time").1,
        "ambo[logs]: L11 (tail buffer overflow): this session was too slow and missed lines"
    );
    let mut last = next(&mut follow).await;
    while last.line.text != "line 499" {
        let following = next(&mut follow).await;
        assert_eq!(following.cursor, last.cursor + 1);
        last = following;
    }
}

#[tokio::test]
async fn followers_end_when_the_log_is_removed() {
    let (logs, app) = (Fixture::new(), AppId::new());
    let mut follow = logs.logs.follow(app, 10, LogFilter::default()).await;
    logs.logs.remove(app).await;
    assert!(within_deadline(follow.next()).await.is_none());
    let mut late = logs.logs.follow(app, 10, LogFilter::default()).await;
    assert!(within_deadline(late.next()).await.is_none());
}
