use std::time::Duration;

use ambo_builder::ImageBuilder;
use tokio::sync::mpsc;

use crate::fixture::{Fixture, wait_until};

/// Whether a process with this word in its command line runs on this machine.
pub(crate) fn runs(word: &str) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    processes.flatten().any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        line.starts_with(b"sleep\0") && String::from_utf8_lossy(&line).contains(word)
    })
}

/// Connections of this process.
fn sockets() -> usize {
    let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    files
        .filter(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:")))
        .count()
}

#[tokio::test]
async fn dropping_the_future_stops_the_build_on_the_engine() {
    let fixture = Fixture::new("cancel").await;
    let word = format!("600.{}", std::process::id());
    let dockerfile = format!("FROM debian:bookworm-slim\nRUN sleep {word}; echo {}\n", ambo_model::BuildId::new());
    let before = sockets();
    let (to, mut from) = mpsc::channel(100);
    let mut build = fixture.builder.build(fixture.request(&[("Dockerfile", &dockerfile)]), to);
    tokio::select! {
        ended = &mut build => panic!("{ended:?}"),
        () = wait_until("the step runs", async || runs(&word)) => {}
    }
    drop(build);
    wait_until("the step is killed", async || !runs(&word)).await;
    wait_until("all connections are closed", async || sockets() <= before).await;
    wait_until("the output has ended", async || from.recv().await.is_none()).await;
    fixture.end().await;
}

#[tokio::test]
async fn builds_leave_no_connection_behind() {
    let fixture = Fixture::new("connections").await;
    let before = sockets();
    for at in 0..4 {
        let last = if at % 2 == 0 { "CMD true" } else { "RUN exit 1" };
        let dockerfile = format!("FROM debian:bookworm-slim\nENV AT={at}\n{last}\n");
        let built = fixture.build(fixture.request(&[("Dockerfile", &dockerfile)])).await;
        assert_eq!(built.result.is_ok(), at % 2 == 0, "{}", built.output);
    }
    let closed = async { wait_until("all connections are closed", async || sockets() <= before).await };
    let closed = tokio::time::timeout(Duration::from_secs(20), closed).await;
    assert!(closed.is_ok(), "{} connections, {before} before", sockets());
    fixture.end().await;
}

#[tokio::test]
async fn a_listener_that_left_does_not_end_the_build() {
    let fixture = Fixture::new("listener").await;
    let (to, from) = mpsc::channel(1);
    drop(from);
    let request = fixture.request(&[("Dockerfile", "FROM debian:bookworm-slim\nRUN seq 1 50\nCMD true\n")]);
    fixture.builder.build(request, to).await.unwrap();
    fixture.end().await;
}
