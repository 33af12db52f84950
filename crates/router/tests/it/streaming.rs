//! Bodies and tunnels that flow.

use std::time::Duration;

use ambo_router::{Fault, RouterSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{Client, Instance, Stage, ok, route, settings, table, wait_for};

const BIG: usize = 200 * 1024 * 1024;
/// What may be added to the process's memory while 200 MB go through it, the test's own buffers included.
const MEMORY_GROWTH_MAX: usize = 64 * 1024 * 1024;

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() * 1024
}

/// Sends that many bytes.
async fn pour(writer: &mut (impl AsyncWriteExt + Unpin), mut left: usize) {
    let block = vec![b'x'; 64 * 1024];
    while left > 0 {
        let len = left.min(block.len());
        writer.write_all(&block[..len]).await.unwrap();
        left -= len;
    }
}

/// Reads that many bytes.
async fn swallow(reader: &mut (impl AsyncReadExt + Unpin), mut left: usize) {
    let mut block = vec![0; 64 * 1024];
    while left > 0 {
        let most = left.min(block.len());
        let len = reader.read(&mut block[..most]).await.unwrap();
        assert!(len > 0, "{left} bytes are missing");
        assert!(block[..len].iter().all(|b| *b == b'x'));
        left -= len;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_megabytes_go_through_in_flat_memory_both_ways() {
    let instance = Instance::start(|mut client: Client| async move {
        let head = client.until("\r\n\r\n").await.unwrap();
        if head.starts_with("POST") {
            swallow(&mut client.stream, BIG - client.buffer.len()).await;
            client.send(&ok("got it")).await;
        } else {
            client.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {BIG}\r\n\r\n")).await;
            pour(&mut client.stream, BIG).await;
        }
        client.ends().await;
    })
    .await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let before = resident_bytes();
    let mut client = stage.client().await;
    client.send(&format!("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: {BIG}\r\n\r\n")).await;
    pour(&mut client.stream, BIG).await;
    assert_eq!(client.reply().await.body, "got it");
    // The instance serves one request per connection.
    let mut client = stage.client().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    client.until("\r\n\r\n").await.unwrap();
    swallow(&mut client.stream, BIG - client.buffer.len()).await;
    let grown = resident_bytes() - before;
    assert!(grown < MEMORY_GROWTH_MAX, "memory grew by {grown} bytes");
    let record = stage.record(|record| record.bytes == BIG as u64).await;
    assert_eq!((record.status, record.fault), (200, None));
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_flows_while_the_upload_is_still_going() {
    let instance = Instance::start(|mut client: Client| async move {
        client.until("\r\n\r\n").await.unwrap();
        client.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while let Some(size) = client.until("\r\n").await {
            let chunk = client.until("\r\n").await.unwrap();
            client.send(&format!("{size}{chunk}")).await;
        }
    })
    .await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    client.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.until("\r\n\r\n").await.unwrap();
    for n in 0..20 {
        let chunk = format!("4\r\n{n:04}\r\n");
        client.send(&chunk).await;
        assert_eq!(client.until(&chunk).await.unwrap(), chunk);
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(client.until("0\r\n\r\n").await.unwrap(), "0\r\n\r\n");
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert!(client.until("\r\n\r\n").await.unwrap().starts_with("HTTP/1.1 200"));
    drop(client);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_while_the_client_does_not_read_an_early_response() {
    let instance = Instance::start(|mut client: Client| async move {
        client.until("\r\n\r\n").await.unwrap();
        let body = "y".repeat(32 * 1024 * 1024);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let (mut reader, mut writer) = client.stream.into_split();
        let early = client.buffer.len();
        let write = async {
            writer.write_all(head.as_bytes()).await.unwrap();
            writer.write_all(body.as_bytes()).await.unwrap();
        };
        tokio::join!(write, swallow(&mut reader, 32 * 1024 * 1024 - early));
    })
    .await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    let len = 32 * 1024 * 1024;
    client.send(&format!("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: {len}\r\n\r\n")).await;
    let poured = tokio::time::timeout(crate::stage::PATIENCE, pour(&mut client.stream, len)).await;
    poured.expect("the upload is stuck behind the response");
    assert_eq!(client.reply().await.body.len(), len);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_sent_events_arrive_at_once() {
    let instance = Instance::start(|mut client: Client| async move {
        client.message().await;
        client.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").await;
        // Each further event waits for the test to have seen the one before.
        for n in 0..5 {
            client.send(&format!("data: {n}\n\n")).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    })
    .await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    let mut began = None;
    for n in 0..5 {
        client.until(&format!("data: {n}\n\n")).await.unwrap();
        let began = began.get_or_insert_with(std::time::Instant::now);
        // Had they been held back, they would have come together with the last.
        assert!(n == 4 || began.elapsed() < Duration::from_secs(25));
        if n < 4 {
            assert!(!String::from_utf8_lossy(&client.buffer).contains("data: 4"), "event {n} came with the last");
        }
    }
    stage.stopped().await;
}

/// An instance that upgrades to a protocol in which it echoes.
async fn echo() -> Instance {
    Instance::start(|mut client: Client| async move {
        let Some(request) = client.message().await else { return };
        assert_eq!(request.header("connection"), Some("Upgrade"), "{request:?}");
        assert_eq!(request.header("upgrade"), Some("websocket"));
        assert_eq!(request.header("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
        // The first bytes of the tunnel come along with the head.
        client.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello").await;
        while client.more().await {
            let bytes = std::mem::take(&mut client.buffer);
            client.stream.write_all(&bytes).await.unwrap();
        }
    })
    .await
}

async fn upgraded(stage: &Stage) -> Client {
    let mut client = stage.client().await;
    client
        .send("GET /socket HTTP/1.1\r\nHost: app.localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        .await;
    let head = client.until("\r\n\r\n").await.unwrap().to_lowercase();
    assert!(
        head.starts_with("http/1.1 101")
            && head.contains("upgrade: websocket\r\n")
            && head.contains("connection: upgrade\r\n"),
        "{head}"
    );
    assert_eq!(client.until("hello").await.unwrap(), "hello");
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_carry_bytes_both_ways_and_are_in_flight_until_they_end() {
    let instance = echo().await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let id = [instance.target("1").instance];
    let mut client = upgraded(&stage).await;
    for n in 0..20 {
        client.send(&format!("message {n};")).await;
        assert_eq!(client.until(";").await.unwrap(), format!("message {n};"));
    }
    assert_eq!(stage.handle.in_flight(&id), 1);
    drop(client);
    wait_for(|| (stage.handle.in_flight(&id) == 0).then_some(())).await;
    let record = stage.record(|record| record.status == 101).await;
    assert_eq!((record.fault, record.uri.path()), (None, "/socket"));
    assert!(record.bytes > 200);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tunnels_have_the_grace_once_more_to_end_themselves_and_are_then_closed() {
    let (old, new) = (echo().await, Instance::named("new").await);
    let stage = Stage::with_app(settings(), vec![old.target("old")]);
    let mut client = upgraded(&stage).await;
    stage.handle.publish(table(vec![route("app", vec![new.target("new")])]));
    client.send("still here;").await;
    assert_eq!(client.until(";").await.unwrap(), "still here;");
    let id = old.target("old").instance;
    let drained = stage.handle.drained(std::slice::from_ref(&id), Duration::from_secs(1)).await;
    assert_eq!(drained.in_flight, [(id.clone(), 1)]);
    assert_eq!(stage.handle.in_flight(std::slice::from_ref(&id)), 1, "its instance may say goodbye");
    client.send("bye;").await;
    assert_eq!(client.until(";").await.unwrap(), "bye;");
    assert!(client.ends().await);
    wait_for(|| (stage.handle.in_flight(std::slice::from_ref(&id)) == 0).then_some(())).await;
    assert!(stage.handle.drained(&[id], Duration::ZERO).await.is_complete());
    assert_eq!(stage.record(|record| record.status == 101).await.fault, Some(Fault::ForcedClose));
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_tunnel_is_closed_after_its_time() {
    let instance = echo().await;
    let settings = RouterSettings { stream_idle_timeout: Duration::from_millis(300), ..settings() };
    let stage = Stage::with_app(settings, vec![instance.target("1")]);
    let mut client = upgraded(&stage).await;
    assert!(client.ends().await);
    assert_eq!(stage.record(|record| record.status == 101).await.fault, Some(Fault::IdleConnection));
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_declines_an_upgrade_answers_normally() {
    let instance = Instance::named("no sockets here").await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert_eq!(client.reply().await.body, "no sockets here");
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert_eq!(client.reply().await.body, "no sockets here");
    stage.stopped().await;
}
