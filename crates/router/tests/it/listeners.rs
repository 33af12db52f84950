//! Starting, stopping, handing over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ambo_router::{BindError, Router, RouterSettings};
use tokio::task::JoinSet;

use crate::stage::{Client, Instance, Records, Stage, route, settings, table, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_another_program_has_is_an_error_that_names_it() {
    let taken = tokio::net::TcpListener::bind(crate::stage::LOCAL).await.unwrap();
    let address = taken.local_addr().unwrap();
    let bind = |address| {
        let settings = RouterSettings { http: vec![address], ..settings() };
        Router::bind(settings, Arc::<Records>::default(), None)
    };
    let error = bind(address).unwrap_err();
    assert!(matches!(error, BindError::Taken { address: named } if named == address));
    assert!(error.to_string().contains(&address.to_string()) && error.to_string().contains("another"), "{error}");
    // A second router of the same user could share the port silently; it must not.
    let stage = Stage::start();
    assert!(matches!(bind(stage.http), Err(BindError::Taken { .. })));
    assert!(matches!(bind("203.0.113.1:1".parse().unwrap()), Err(BindError::NoSuchAddress { .. })));
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_table_is_served_after_a_restart_without_a_control_plane() {
    let folder = tempfile::tempdir().unwrap();
    let settings = || RouterSettings { table_path: Some(folder.path().join("routes.json")), ..settings() };
    let instance = Instance::named("still here").await;
    let stage = Stage::with(settings(), None);
    for _ in 0..50 {
        stage.handle.publish(table(Vec::new()));
    }
    stage.handle.publish(table(vec![route("app", vec![instance.target("1")])]));
    stage.stopped().await;
    let stage = Stage::with(settings(), None);
    assert_eq!(stage.get("app.localhost", "/").await.body, "still here");
    assert_eq!(stage.handle.table().routes.len(), 1);
    // Written while it runs, too, not only when it stops.
    stage.handle.publish(table(Vec::new()));
    let path = folder.path().join("routes.json");
    wait_for(|| (!std::fs::read_to_string(&path).unwrap().contains("app.localhost")).then_some(())).await;
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_finishes_what_is_under_way_and_says_close() {
    let instance = Instance::start(|mut client: Client| async move {
        client.message().await;
        client.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        client.send("later").await;
    })
    .await;
    let mut stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut busy = stage.client().await;
    busy.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    busy.until("first").await.unwrap();
    let mut idle = stage.client().await;
    idle.send("GET / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n").await;
    assert_eq!(idle.reply().await.header("connection"), None);
    stage.shutdown_begin();
    tokio::time::sleep(Duration::from_millis(100)).await;
    idle.send("GET / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n").await;
    assert_eq!(
        idle.reply().await.header("connection"),
        Some("close"),
        "a request on its way is answered, the last one"
    );
    assert_eq!(busy.until("later").await.unwrap(), "later");
    assert!(busy.ends().await && idle.ends().await);
    assert_eq!(stage.stopped().await.cut_off, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_at_its_deadline_and_reports_what_was_cut_off() {
    let instance = Instance::start(|mut client: Client| async move { while client.more().await {} }).await;
    let settings = RouterSettings { drain_deadline: Duration::from_millis(300), ..settings() };
    let stage = Stage::with_app(settings, vec![instance.target("1")]);
    let mut client = stage.client().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    let id = [instance.target("1").instance];
    wait_for(|| (stage.handle.in_flight(&id) == 1).then_some(())).await;
    let records = Arc::clone(&stage.records);
    assert_eq!(stage.stopped().await.cut_off, 1);
    assert!(client.ends().await);
    assert_eq!(records.0.lock()[0].fault, Some(ambo_router::Fault::ForcedClose), "it is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_takes_the_sockets_over_without_a_failed_request() {
    const CLIENTS: usize = 8;
    let instance = Instance::named("hello").await;
    let routes = || table(vec![route("app", vec![instance.target("1")])]);
    let mut serving = Stage::start();
    serving.handle.publish(routes());
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for n in 0..CLIENTS {
        let (address, stop, answered) = (serving.http, Arc::clone(&stop), Arc::clone(&answered));
        clients.spawn(async move {
            let mut client = Client::connect(address).await;
            while !stop.load(Ordering::SeqCst) {
                client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
                let reply = client.reply().await;
                assert_eq!(reply.status(), 200, "{reply:?}");
                answered.fetch_add(1, Ordering::SeqCst);
                // Half of the clients come anew each time, the others when they are asked to.
                if n % 2 == 0 || reply.header("connection") == Some("close") {
                    client = Client::connect(address).await;
                }
            }
        });
    }
    // Fewer, as many and more workers than sockets.
    for worker_count in [1, 2, 3, 2] {
        let enough = answered.load(Ordering::SeqCst) + 200;
        wait_for(|| (answered.load(Ordering::SeqCst) >= enough).then_some(())).await;
        let records = Arc::<Records>::default();
        let settings = RouterSettings { worker_count, ..settings() };
        let listeners = serving.listeners.try_clone().unwrap();
        let router = Router::with_listeners(settings, listeners, Arc::clone(&records) as _, None);
        router.handle().publish(routes());
        let successor = Stage::running(router, records);
        assert_eq!(successor.http, serving.http);
        assert_eq!(serving.stopped().await.cut_off, 0);
        serving = successor;
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    serving.stopped().await;
}
