//! Tables that change while requests are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::stage::{Client, Instance, Stage, ok, route, settings, table, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_waits_for_the_requests_in_flight_and_no_others_go_there() {
    let (arrived, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (here, go) = (Arc::clone(&arrived), Arc::clone(&release));
    let old = Instance::start(move |mut client: Client| {
        let (here, go) = (Arc::clone(&here), Arc::clone(&go));
        async move {
            client.message().await;
            here.notify_one();
            go.notified().await;
            client.send(&ok("old")).await;
            client.ends().await;
        }
    })
    .await;
    let new = Instance::named("new").await;
    let stage = Stage::with_app(settings(), vec![old.target("old")]);
    let mut client = stage.client().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    arrived.notified().await;
    stage.handle.publish(table(vec![route("app", vec![new.target("new")])]));
    let id = [old.target("old").instance];
    let handle = stage.handle.clone();
    let drain_id = id.clone();
    let drain = tokio::spawn(async move { handle.drained(&drain_id, crate::stage::PATIENCE).await });
    for _ in 0..20 {
        assert_eq!(stage.get("app.localhost", "/").await.body, "new");
    }
    assert_eq!(stage.handle.in_flight(&id), 1);
    assert!(!drain.is_finished());
    release.notify_one();
    assert_eq!(client.reply().await.body, "old");
    assert!(drain.await.unwrap().is_complete());
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_reports_what_is_left_at_its_deadline() {
    let old = Instance::start(|mut client: Client| async move { while client.more().await {} }).await;
    let stage = Stage::with_app(settings(), vec![old.target("old")]);
    let mut client = stage.client().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    let id = old.target("old").instance;
    wait_for(|| (stage.handle.in_flight(std::slice::from_ref(&id)) == 1).then_some(())).await;
    stage.handle.publish(table(vec![route("app", Vec::new())]));
    let drained = stage.handle.drained(std::slice::from_ref(&id), Duration::from_millis(50)).await;
    assert_eq!(drained.in_flight, [(id, 1)]);
    drop(client);
    stage.stopped().await;
}

/// An instance that counts a failure whenever it is asked after it was told that it is drained.
async fn watched(name: &'static str, gone: Arc<AtomicBool>, late: Arc<AtomicUsize>) -> Instance {
    Instance::answering(move |_| {
        if gone.load(Ordering::SeqCst) {
            late.fetch_add(1, Ordering::SeqCst);
        }
        ok(name)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn rollouts_under_load_lose_no_request_and_send_none_to_a_drained_instance() {
    const CLIENTS: usize = 16;
    const ROLLOUTS: usize = 40;
    let late = Arc::new(AtomicUsize::new(0));
    let mut gone = Arc::new(AtomicBool::new(false));
    let mut serving = watched("v0", Arc::clone(&gone), Arc::clone(&late)).await;
    let stage = Stage::with_app(settings(), vec![serving.target("v0")]);
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let (address, stop, answered) = (stage.http, Arc::clone(&stop), Arc::clone(&answered));
        clients.spawn(async move {
            let mut client = Client::connect(address).await;
            while !stop.load(Ordering::SeqCst) {
                let request =
                    if n % 2 == 0 { "GET / HTTP/1.1\r\n" } else { "POST / HTTP/1.1\r\nContent-Length: 0\r\n" };
                client.send(&format!("{request}Host: app.localhost\r\n\r\n")).await;
                let reply = client.reply().await;
                assert_eq!(reply.status(), 200, "{reply:?}");
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for n in 1..=ROLLOUTS {
        let enough = answered.load(Ordering::SeqCst) + 100;
        wait_for(|| {
            (answered.load(Ordering::SeqCst) >= enough || !clients.is_empty() && clients.try_join_next().is_some())
                .then_some(())
        })
        .await;
        let next_gone = Arc::new(AtomicBool::new(false));
        let next = watched("next", Arc::clone(&next_gone), Arc::clone(&late)).await;
        stage.handle.publish(table(vec![route("app", vec![next.target(&format!("v{n}"))])]));
        let old = serving.target(&format!("v{}", n - 1)).instance;
        assert!(stage.handle.drained(&[old], crate::stage::PATIENCE).await.is_complete());
        gone.store(true, Ordering::SeqCst);
        // The old instance goes, connections and all.
        (serving, gone) = (next, next_gone);
    }
    stop.store(true, Ordering::SeqCst);
    assert_eq!(clients.len(), CLIENTS, "a client gave up");
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    assert_eq!(late.load(Ordering::SeqCst), 0, "requests reached a drained instance");
    assert!(answered.load(Ordering::SeqCst) >= 100 * ROLLOUTS);
    stage.stopped().await;
}
