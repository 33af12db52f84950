//! What the client is told, and what the log says, when there is no answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ambo_router::{Fault, RouterEvent, RouterSettings};

use crate::stage::{Client, Instance, Stage, nobody, ok, route, settings, table, target, wait_for};

const BRIEF: Duration = Duration::from_millis(300);

fn brief() -> RouterSettings {
    RouterSettings { first_byte_timeout: BRIEF, stream_idle_timeout: BRIEF, connect_timeout: BRIEF, ..settings() }
}

/// Asks once and checks status and code of page and log.
async fn told(stage: &Stage, status: u16, code: &str) -> crate::stage::Reply {
    let reply = stage.get("app.localhost", "/").await;
    assert_eq!(reply.status(), status, "{reply:?}");
    assert!(reply.body.contains(code), "{reply:?}");
    let record = stage.record(|record| record.fault.and_then(Fault::code) == Some(code)).await;
    assert_eq!(record.status, status);
    assert!(record.text().starts_with(&format!("at=error code={code} desc=\"")) || code == "H80", "{}", record.text());
    reply
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_host_is_404() {
    let stage = Stage::start();
    let reply = stage.get("nobody.localhost", "/").await;
    assert_eq!(reply.status(), 404);
    assert!(reply.body.contains("No app here") && reply.header("content-type").unwrap().starts_with("text/html"));
    let mut client = stage.client().await;
    client.send("GET / HTTP/1.1\r\nHost: nobody.localhost\r\nAccept: application/json\r\n\r\n").await;
    let reply = client.reply().await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert!(reply.body.contains("\"id\":\"no_such_app\""), "{}", reply.body);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_without_instances_is_h14_or_h10_when_it_crashed_or_h80_in_maintenance() {
    let stage = Stage::with_app(settings(), Vec::new());
    assert_eq!(told(&stage, 503, "H14").await.header("retry-after"), Some("10"));
    let mut crashed = route("app", Vec::new());
    crashed.crashed = true;
    stage.handle.publish(table(vec![crashed]));
    told(&stage, 503, "H10").await;
    let instance = Instance::named("never asked").await;
    let mut maintenance = route("app", vec![instance.target("1")]);
    maintenance.maintenance = true;
    stage.handle.publish(table(vec![maintenance]));
    assert_eq!(told(&stage, 503, "H80").await.header("retry-after"), Some("60"));
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_h21_and_names_the_instance() {
    let stage = Stage::with_app(settings(), vec![target("1", nobody().await)]);
    told(&stage, 503, "H21").await;
    let record = stage.record(|record| record.fault == Some(Fault::ConnectRefused)).await;
    assert!(record.text().contains(" dyno=web.1 connect= "), "{}", record.text());
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connect_that_takes_too_long_is_h19() {
    // A listener whose queue is full and who never accepts: further connects get no answer.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&crate::stage::LOCAL.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(BRIEF, tokio::net::TcpStream::connect(address)).await {
        queued.push(stream);
    }
    let stage = Stage::with_app(brief(), vec![target("1", address)]);
    told(&stage, 503, "H19").await;
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_hangs_up_without_a_word_is_h13() {
    let instance = Instance::start(|mut client: Client| async move {
        client.message().await;
    })
    .await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    told(&stage, 503, "H13").await;
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_http_is_h17() {
    let instance = Instance::answering(|_| "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned()).await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    told(&stage, 503, "H17").await;
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_in_time_is_h12() {
    let instance = Instance::start(|mut client: Client| async move { while client.more().await {} }).await;
    let stage = Stage::with_app(brief(), vec![instance.target("1")]);
    told(&stage, 503, "H12").await;
    wait_for(|| (stage.handle.in_flight(&[instance.target("1").instance]) == 0).then_some(())).await;
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_breaks_off_is_h18_and_one_that_stalls_h15_and_neither_looks_complete() {
    for (stalls, code) in [(false, "H18"), (true, "H15")] {
        let instance = Instance::start(move |mut client: Client| async move {
            client.message().await;
            client.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npartial").await;
            while stalls && client.more().await {}
        })
        .await;
        let stage = Stage::with_app(brief(), vec![instance.target("1")]);
        let mut client = stage.client().await;
        client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
        client.until("partial").await.expect("what came before the break arrives");
        assert!(client.ends().await, "the connection is cut within the body");
        let record = stage.record(|record| record.fault.and_then(Fault::code) == Some(code)).await;
        assert_eq!((record.status, record.bytes), (200, 7));
        stage.stopped().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_gets_all_that_came_before_a_break() {
    const BYTES: usize = 400 * 1024;
    let instance = Instance::start(|mut client: Client| async move {
        client.message().await;
        client.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 2 * BYTES)).await;
        client.send(&format!("{}end", "x".repeat(BYTES))).await;
    })
    .await;
    let stage = Stage::with_app(brief(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    client.until("\r\n\r\n").await.expect("a head");
    assert_eq!(client.until("end").await.map(|body| body.len()), Some(BYTES + 3));
    assert!(client.ends().await);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_is_h27_499_and_its_instance_is_let_go() {
    let instance = Instance::start(|mut client: Client| async move { while client.more().await {} }).await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let id = instance.target("1").instance;
    let mut client = stage.client().await;
    client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
    wait_for(|| (stage.handle.in_flight(std::slice::from_ref(&id)) == 1).then_some(())).await;
    drop(client);
    let record = stage.record(|record| record.fault == Some(Fault::ClientInterrupted)).await;
    assert_eq!(record.status, 499);
    assert!(record.text().starts_with("at=warning code=H27 desc=\"Client Request Interrupted\""), "{}", record.text());
    assert_eq!(stage.handle.in_flight(&[id]), 0);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_stalls_is_h28() {
    let instance = Instance::start(|mut client: Client| async move { while client.more().await {} }).await;
    let stage = Stage::with_app(brief(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    client.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 100\r\n\r\nonly this").await;
    assert_eq!(client.reply().await.status(), 408);
    let record = stage.record(|record| record.fault == Some(Fault::ClientIdle)).await;
    assert_eq!(record.status, 499);
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_tried_elsewhere_whatever_the_request() {
    let good = Instance::answering(|request| ok(&request.body)).await;
    let stage = Stage::with_app(settings(), vec![target("dead", nobody().await), good.target("good")]);
    for _ in 0..4 {
        let mut client = stage.client().await;
        client.send("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 4\r\n\r\nbody").await;
        let reply = client.reply().await;
        assert_eq!((reply.status(), reply.body.as_str()), (200, "body"));
    }
    stage.stopped().await;
}

/// An instance that answers the first request of each connection and hangs up in the middle of the second.
async fn hangs_up_on_the_second() -> (Instance, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let instance = Instance::start(move |mut client: Client| {
        let seen = Arc::clone(&seen);
        async move {
            for n in 0..2 {
                if client.message().await.is_none() {
                    return;
                }
                seen.fetch_add(1, Ordering::SeqCst);
                if n == 0 {
                    client.send(&ok("first")).await;
                }
            }
        }
    });
    (instance.await, requests)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotent_request_is_sent_again_when_a_kept_connection_fails_it() {
    let (instance, requests) = hangs_up_on_the_second().await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    for n in 1..=3 {
        client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
        assert_eq!(client.reply().await.status(), 200, "request {n}");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 5, "the second and the third were sent twice");
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_may_have_had_effect_is_never_sent_again() {
    let bodies = ["Content-Length: 4\r\n\r\nbody", "Content-Length: 0\r\n\r\n"];
    for (method, rest) in [("POST", bodies[0]), ("POST", bodies[1]), ("PUT", bodies[0])] {
        let (instance, requests) = hangs_up_on_the_second().await;
        let stage = Stage::with_app(settings(), vec![instance.target("1")]);
        let mut client = stage.client().await;
        client.send("GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n").await;
        assert_eq!(client.reply().await.status(), 200);
        client.send(&format!("{method} / HTTP/1.1\r\nHost: app.localhost\r\n{rest}")).await;
        let reply = client.reply().await;
        assert!(reply.status() == 503 && reply.body.contains("H13"), "{method} {reply:?}");
        assert_eq!(requests.load(Ordering::SeqCst), 2, "{method}");
        stage.stopped().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_the_instance_closed_while_idle_is_replaced_for_any_request() {
    let instance = Instance::start(|mut client: Client| async move {
        let request = client.message().await;
        client.send(&ok(&request.unwrap().body)).await;
    })
    .await;
    let stage = Stage::with_app(settings(), vec![instance.target("1")]);
    let mut client = stage.client().await;
    for body in ["one", "two", "six"] {
        client.send(&format!("POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 3\r\n\r\n{body}")).await;
        assert_eq!(client.reply().await.body, body);
        // Long enough for the instance's goodbye to arrive.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_refuses_is_ejected_and_comes_back_by_a_probe() {
    let good = Instance::named("good").await;
    let address = nobody().await;
    let stage = Stage::with_app(settings(), vec![target("flaky", address), good.target("good")]);
    let flaky = target("flaky", address).instance;
    let mut events = stage.handle.events();
    while stage.handle.ejected().is_empty() {
        assert_eq!(stage.get("app.localhost", "/").await.body, "good");
    }
    assert_eq!(stage.handle.ejected(), std::slice::from_ref(&flaky));
    assert_eq!(events.recv().await.unwrap(), RouterEvent::Ejected { instance: flaky.clone() });
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let back = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut client = Client { stream, buffer: Vec::new() };
            client.message().await;
            client.send(&ok("back")).await;
        }
    });
    wait_for_restoration(&stage).await;
    assert_eq!(events.recv().await.unwrap(), RouterEvent::Restored { instance: flaky });
    let mut bodies = Vec::new();
    for _ in 0..4 {
        bodies.push(stage.get("app.localhost", "/").await.body);
    }
    assert!(bodies.contains(&"back".to_owned()) && bodies.contains(&"good".to_owned()), "{bodies:?}");
    back.abort();
    stage.stopped().await;
}

async fn wait_for_restoration(stage: &Stage) {
    let deadline = std::time::Instant::now() + crate::stage::PATIENCE;
    while !stage.handle.ejected().is_empty() {
        assert!(std::time::Instant::now() < deadline, "never restored");
        assert_eq!(stage.get("app.localhost", "/").await.status(), 200, "no request is lost meanwhile");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_instance_is_tried_even_when_ejected() {
    let address = nobody().await;
    let stage = Stage::with_app(settings(), vec![target("1", address)]);
    assert_eq!(stage.get("app.localhost", "/").await.status(), 503);
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let serve = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut client = Client { stream, buffer: Vec::new() };
        client.message().await;
        client.send(&ok("up")).await;
        client
    });
    assert_eq!(stage.get("app.localhost", "/").await.body, "up");
    serve.await.unwrap();
    stage.stopped().await;
}
