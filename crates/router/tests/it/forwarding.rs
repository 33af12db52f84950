//! Ordinary requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ambo_model::Hostname;
use ambo_router::{PlatformHost, RouterSettings};
use tokio::io::AsyncWriteExt;

use crate::stage::{Client, Instance, Stage, ok, route, settings, table, wait_for};

/// An instance that counts its connections and answers with the request's head.
async fn mirror() -> (Instance, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let instance = Instance::start(move |mut client: Client| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            while let Some(request) = client.message().await {
                client.send(&ok(&format!("{}{}", request.head, request.body))).await;
            }
        }
    });
    (instance.await, connections)
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_on_both_sides() {
    let (instance, connections) = mirror().await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    for n in 0..50 {
        client.send(&format!("GET /{n} HTTP/1.1\r\nHost: app.localhost\r\n\r\n")).await;
        let reply = client.reply().await;
        assert_eq!(reply.status(), 200);
        assert!(reply.body.starts_with(&format!("GET /{n} HTTP/1.1\r\n")), "{}", reply.body);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_instance_is_told_about_the_client() {
    let (instance, _) = mirror().await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    client
        .send(
            "GET / HTTP/1.1\r\nHost: App.Localhost.:7000\r\nX-Forwarded-For: 1.2.3.4\r\nX-Request-Id: 0123456789-0123456789\r\n\
             Connection: X-Hop\r\nX-Hop: 1\r\nProxy-Authorization: x\r\n\r\n",
        )
        .await;
    let head = client.reply().await;
    let seen = crate::stage::Reply { head: head.body, body: String::new() };
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-port"), Some(stage.http.port().to_string().as_str()));
    assert_eq!(seen.header("x-request-id"), Some("0123456789-0123456789"));
    assert_eq!(seen.header("host"), Some("App.Localhost.:7000"));
    assert!(seen.header("x-request-start").unwrap().parse::<u64>().unwrap() > 1_600_000_000_000);
    assert!(
        seen.header("x-hop").is_none()
            && seen.header("proxy-authorization").is_none()
            && seen.header("connection").is_none()
    );
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_load_balancer_is_believed_over_the_proxy_protocol_too() {
    let (instance, _) = mirror().await;
    let settings =
        RouterSettings { proxy_protocol: true, trusted_proxies: vec!["192.0.2.0/24".parse().unwrap()], ..settings() };
    let stage = Stage::with_app(settings, vec![instance.target("1")]);
    let mut client = stage.client().await;
    client.send("PROXY TCP4 192.0.2.9 127.0.0.1 5000 80\r\n").await;
    client
        .send(
            "GET / HTTP/1.1\r\nHost: app.localhost\r\nX-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https\r\n\r\n",
        )
        .await;
    let body = client.reply().await.body;
    assert!(body.contains("x-forwarded-for: 203.0.113.5, 192.0.2.9\r\n"), "{body}");
    assert!(body.contains("x-forwarded-proto: https\r\n"), "{body}");
    let mut bare = stage.client().await;
    bare.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    assert!(bare.message().await.is_none(), "a connection without the header is closed");
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_either_framing_arrive_whole() {
    let (instance, _) = mirror().await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    client.send("POST /a HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 5\r\n\r\nhello").await;
    assert!(client.reply().await.body.ends_with("\r\n\r\nhello"));
    client.send("POST /b HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").await;
    assert!(client.reply().await.body.ends_with("\r\n\r\nabcde"));
    client
        .send("GET /c HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
        .await;
    assert!(client.reply().await.body.ends_with("\r\n\r\nx"), "a GET may have a body");
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_expects_100_continue_gets_it_before_its_body() {
    let (instance, _) = mirror().await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    client.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n").await;
    assert!(client.until("\r\n\r\n").await.unwrap().starts_with("HTTP/1.1 100 Continue"));
    client.send("body").await;
    let reply = client.reply().await;
    assert!(reply.body.ends_with("\r\n\r\nbody") && !reply.body.contains("expect"), "{}", reply.body);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_keeps_the_length_and_has_no_body() {
    let instance = Instance::answering(|request| {
        assert!(request.head.starts_with("HEAD "));
        "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n".to_owned()
    });
    let instance = instance.await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
        let head = client.until("\r\n\r\n").await.unwrap();
        assert!(head.to_lowercase().contains("content-length: 1234\r\n"), "{head}");
    }
    client.send("HEAD / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n").await;
    let head = client.until("\r\n\r\n").await.unwrap();
    assert!(head.starts_with("HTTP/1.1 404"));
    client.send("HEAD / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n").await;
    assert!(client.until("\r\n\r\n").await.unwrap().starts_with("HTTP/1.1 200"), "no stray body of the page before it");
    assert!(client.ends().await);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chunked_responses_keep_their_trailers() {
    let instance = Instance::answering(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n"
            .to_owned()
    });
    let instance = instance.await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\nTE: trailers\r\nConnection: TE\r\n\r\n").await;
        let reply = client.reply().await;
        assert_eq!(reply.body, "hellox-sum: 42\r\n", "{reply:?}");
    }
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_without_length_ends_with_its_connection() {
    let instance = Instance::start(|mut client: Client| async move {
        client.message().await;
        client.send("HTTP/1.0 200 OK\r\n\r\nuntil the end").await;
    })
    .await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
        assert_eq!(client.reply().await.body, "until the end");
    }
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_the_platform_come_before_those_of_apps() {
    let (api, app) = (Instance::named("api").await, Instance::named("app").await);
    let host = Hostname::parse("app.localhost").unwrap();
    let platform_hosts = vec![PlatformHost { host, endpoint: api.address }];
    let stage = Stage::with(RouterSettings { platform_hosts, ..settings() }, None);
    assert_eq!(stage.get("app.localhost", "/").await.body, "api", "before any table was published");
    stage.handle.publish(table(vec![route("app", vec![app.target("1")])]));
    assert_eq!(stage.get("app.localhost", "/").await.body, "api");
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_instance_gets_fewer_requests_than_an_idle_one() {
    let slow = Instance::start(|mut client: Client| async move {
        client.message().await;
        client.ends().await;
    })
    .await;
    let quick = Instance::named("quick").await;
    let stage = Stage::with_app(settings(), vec![slow.target("slow"), quick.target("quick")]);
    // One request is stuck at the slow instance; from then on it is the more loaded one.
    let mut stuck = stage.client().await;
    loop {
        stuck.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
        let answered = tokio::time::timeout(std::time::Duration::from_millis(200), stuck.more()).await;
        if answered.is_err() {
            break;
        }
        stuck.buffer.clear();
    }
    wait_for(|| (stage.handle.in_flight(&[slow.target("slow").instance]) == 1).then_some(())).await;
    for _ in 0..20 {
        assert_eq!(stage.get("app.localhost", "/").await.body, "quick");
    }
    stuck.stream.shutdown().await.unwrap();
    drop(stuck);
    wait_for(|| (stage.handle.in_flight(&[slow.target("slow").instance]) == 0).then_some(())).await;
    stage.stopped().await;
}
