//! Requests that are too large, too slow or too clever.

use std::time::Duration;

use ambo_router::{AccessRecord, Fault, RouterSettings};

use crate::stage::{Client, Instance, Stage, ok, settings};

const BRIEF: Duration = Duration::from_millis(300);

async fn staged(settings: RouterSettings) -> (Stage, Instance) {
    let instance = Instance::answering(|request| ok(&format!("{}{}", request.head, request.body))).await;
    (Stage::with_app(settings, vec![instance.target("1")]), instance)
}

/// Sends raw bytes, gives the status of the response.
async fn status(stage: &Stage, raw: &str) -> u16 {
    let mut client = stage.client().await;
    client.send(raw).await;
    let head = client.until("\r\n\r\n").await.unwrap_or_else(|| panic!("no answer to {raw:?}"));
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_could_smuggle_another_are_refused() {
    let (stage, _instance) = staged(settings()).await;
    let refused = [
        "POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3, 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: +3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.localhost\r\nX-Folded: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.localhost\r\nSpaced : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.localhost\r\nNul: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.localhost\r\nHost: other.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: app.localhost/../x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@app.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET http://other.localhost/ HTTP/1.1\r\nHost: app.localhost\r\n\r\n",
        "nonsense\r\n\r\n",
    ];
    for raw in refused {
        assert_eq!(status(&stage, raw).await, 400, "{raw:?}");
    }
    let refused =
        |record: &AccessRecord| matches!(record.fault, Some(Fault::RequestError(_))) && record.method == "POST";
    let record = stage.record(refused).await;
    assert!(record.text().starts_with("at=error code=H26 desc=\"Request Error\" method=POST"), "{}", record.text());
    assert!(record.app.is_some(), "it goes to the log of the app that it was for");
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_ends_its_connection() {
    let (stage, _instance) = staged(settings()).await;
    let mut client = stage.client().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: app.localhost\r\n\r\n";
    let body = format!("0\r\n\r\n{smuggled}");
    client
        .send(&format!(
            "POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n{body}",
            body.len()
        ))
        .await;
    assert_eq!(client.reply().await.status(), 400);
    assert!(client.ends().await);
    assert!(!stage.records.0.lock().iter().any(|record| record.uri.path() == "/smuggled"));
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_the_request_line_must_agree_with_the_host() {
    let (stage, _instance) = staged(settings()).await;
    let mut client = stage.client().await;
    client.send("GET http://APP.localhost:80/path?q HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert!(client.reply().await.body.starts_with("GET /path?q HTTP/1.1\r\n"));
    assert_eq!(status(&stage, "CONNECT app.localhost:80 HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await, 405);
    assert_eq!(status(&stage, "GET / HTTP/1.1\r\nHost: app.localhost\r\nExpect: miracles\r\n\r\n").await, 417);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_431() {
    let (stage, _instance) = staged(RouterSettings { request_head_bytes_max: 16 * 1024, ..settings() }).await;
    let long = "x".repeat(20 * 1024);
    assert_eq!(status(&stage, &format!("GET / HTTP/1.1\r\nHost: app.localhost\r\nX-Long: {long}\r\n\r\n")).await, 431);
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    assert_eq!(status(&stage, &format!("GET / HTTP/1.1\r\nHost: app.localhost\r\n{many}\r\n")).await, 431);
    let fits = "x".repeat(8 * 1024);
    assert_eq!(status(&stage, &format!("GET / HTTP/1.1\r\nHost: app.localhost\r\nX-Long: {fits}\r\n\r\n")).await, 200);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_413_whether_or_not_it_says_its_length() {
    let (stage, _instance) = staged(RouterSettings { request_body_bytes_max: Some(1000), ..settings() }).await;
    let head = "POST / HTTP/1.1\r\nHost: app.localhost\r\n";
    assert_eq!(status(&stage, &format!("{head}Content-Length: 1001\r\n\r\n")).await, 413);
    let chunk = format!("400\r\n{}\r\n0\r\n\r\n", "x".repeat(0x400));
    assert_eq!(status(&stage, &format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}")).await, 413);
    assert_eq!(status(&stage, &format!("{head}Content-Length: 1000\r\n\r\n{}", "x".repeat(1000))).await, 200);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_dawdles_over_its_head_is_disconnected() {
    let (stage, _instance) = staged(RouterSettings { head_read_timeout: BRIEF, ..settings() }).await;
    let mut silent = stage.client().await;
    let mut slow = stage.client().await;
    slow.send("GET / HTTP/1.1\r\nHost: app.lo").await;
    assert!(silent.ends().await && slow.ends().await);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_after_its_time_and_a_busy_one_is_not() {
    let instance = Instance::start(|mut client: Client| async move {
        while client.message().await.is_some() {
            tokio::time::sleep(3 * BRIEF).await;
            client.send(&ok("late")).await;
        }
    })
    .await;
    let settings = RouterSettings { head_read_timeout: BRIEF, keep_alive_idle: BRIEF, ..settings() };
    let stage = Stage::with_app(settings, vec![instance.target("1")]);
    let mut client = stage.client().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert_eq!(client.reply().await.body, "late");
    assert!(client.ends().await);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_given_up() {
    let instance = Instance::start(|mut client: Client| async move {
        client.message().await;
        client.send("HTTP/1.1 200 OK\r\n\r\n").await;
        let block = "x".repeat(1024 * 1024);
        for _ in 0..200 {
            client.send(&block).await;
        }
    })
    .await;
    let stage =
        Stage::with_app(RouterSettings { stream_idle_timeout: BRIEF, ..settings() }, vec![instance.target("1")]);
    let mut client = stage.client().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    let record = stage.record(|record| record.fault.is_some()).await;
    assert_eq!((record.fault, record.status), (Some(Fault::ClientIdle), 499));
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_limit_wait_until_one_ends() {
    let (stage, _instance) = staged(RouterSettings { worker_count: 1, connections_max: 2, ..settings() }).await;
    let request = "GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n";
    let (mut first, mut second, mut third) = (stage.client().await, stage.client().await, stage.client().await);
    for client in [&mut first, &mut second] {
        client.send(request).await;
        assert_eq!(client.reply().await.status(), 200);
    }
    third.send(request).await;
    assert!(tokio::time::timeout(BRIEF, third.more()).await.is_err(), "it waits in the kernel's queue");
    drop(first);
    assert_eq!(third.reply().await.status(), 200);
    stage.stopped().await;
}
