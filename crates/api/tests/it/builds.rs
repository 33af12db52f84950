//! The build stream.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;
use http::{Method, Request};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tower::ServiceExt;

use crate::world::{Answer, Building, DEADLINE, World};

async fn upload(world: &World, token: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let request = Request::builder()
        .method(Method::POST)
        .uri("/ambo/apps/photos/builds?version=abc123")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", content_type);
    world.send(request.body(body.into()).unwrap()).await
}

fn trailer(answer: &Answer) -> Value {
    serde_json::from_str(answer.text.split_once('\0').expect("a trailer").1).unwrap()
}

#[tokio::test]
async fn a_build_tells_its_lines_and_then_how_it_ended() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    let answer = upload(&world, &ann.token, "application/x-tar", "the source").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    let (lines, _) = answer.text.split_once('\0').unwrap();
    assert!(lines.contains("-----> Building with a\u{fffd} test\n"), "{lines}");
    let trailer = trailer(&answer);
    assert_eq!(trailer["status"], "succeeded");
    assert_eq!(trailer["release"], 2);
    assert_eq!(trailer["url"], "http://photos.localhost:7000/");
    assert_eq!(*world.builder.received.lock(), b"the source");
    let build = world.get(&ann.token, &format!("/apps/photos/builds/{}", trailer["build"].as_str().unwrap())).await;
    let build = build.expect(200);
    assert_eq!(build["status"], "succeeded");
    assert_eq!(build["source_blob"]["version"], "abc123");
    let release = world.get(&ann.token, "/apps/photos/releases/2").await.expect(200);
    assert_eq!(build["release"]["id"], release["id"]);
    assert_eq!(release["current"], true);
}

#[tokio::test]
async fn a_failed_build_says_why_and_makes_no_release() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    *world.builder.building.lock() = Building::Fails;
    let answer = upload(&world, &ann.token, "application/gzip", "the source").await;
    let trailer = trailer(&answer);
    assert_eq!(trailer["status"], "failed");
    assert!(trailer["message"].as_str().unwrap().contains("exit code 2"), "{trailer}");
    assert!(answer.text.contains(" !     "), "{}", answer.text);
    let releases = world.get(&ann.token, "/apps/photos/releases").await.expect(200);
    assert_eq!(releases.as_array().unwrap().len(), 1);
    let builds = world.get(&ann.token, "/apps/photos/builds").await.expect(200);
    assert_eq!(builds[0]["status"], "failed");
}

#[tokio::test]
async fn leaving_cancels_the_build() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    *world.builder.building.lock() = Building::Hangs;
    let mut running = world.builder.running.subscribe();
    let request = Request::builder()
        .method(Method::POST)
        .uri("/ambo/apps/photos/builds")
        .header("authorization", format!("Bearer {}", ann.token))
        .header("content-type", "application/x-tar");
    let response = world.router.clone().oneshot(request.body(Body::from("the source")).unwrap()).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let first = tokio::time::timeout(DEADLINE, body.next()).await.unwrap().unwrap().unwrap();
    assert!(first.starts_with(b"----->"));
    assert_eq!(*running.borrow_and_update(), 1);
    drop(body);
    let ended = tokio::time::timeout(DEADLINE, running.wait_for(|count| *count == 0));
    ended.await.expect("the build ends").unwrap();
    world.until(&ann.token, "/apps/photos/builds", |builds| builds[0]["status"] == "failed").await;
    // Nothing is held: the next one is built at once.
    *world.builder.building.lock() = Building::Succeeds;
    world.deploy(&ann.token, "photos").await;
}

#[tokio::test]
async fn a_broken_connection_cancels_the_build() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    *world.builder.building.lock() = Building::Hangs;
    let mut running = world.builder.running.subscribe();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(ambo_api::serve(
        listener,
        ambo_api::Clients::Direct,
        world.router.clone(),
        None,
        world.shutdown.clone(),
        DEADLINE,
    ));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let body = r#"{"image":"nginx"}"#;
    let request = format!(
        "POST /ambo/apps/photos/builds HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        ann.token,
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::time::timeout(DEADLINE, running.wait_for(|count| *count == 1)).await.expect("the build begins").unwrap();
    drop(stream);
    let ended = tokio::time::timeout(DEADLINE, running.wait_for(|count| *count == 0));
    ended.await.expect("the build ends").unwrap();
}

#[tokio::test]
async fn uploads_that_cannot_be_built_are_refused_before_they_are() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    let large =
        Body::from_stream(futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 65_536])).take(20));
    assert_eq!(upload(&world, &ann.token, "application/x-tar", large).await.expect(413)["id"], "request_too_large");
    upload(&world, &ann.token, "application/x-tar", "").await.expect(422);
    upload(&world, &ann.token, "text/html", "x").await.expect(422);
    upload(&world, &ann.token, "application/json", "{").await.expect(400);
    for bad in [json!({}), json!({ "image": "a b" }), json!({ "image": "nginx", "procfile": "nonsense" })] {
        upload(&world, &ann.token, "application/json", bad.to_string()).await.expect(422);
    }
    let broken = futures::stream::iter([Ok("part"), Err(std::io::Error::other("gone"))]);
    upload(&world, &ann.token, "application/x-tar", Body::from_stream(broken)).await.expect(400);
    assert!(world.builder.received.lock().is_empty());
}

#[tokio::test]
async fn the_second_build_of_an_app_is_told_who_holds_it() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    *world.builder.building.lock() = Building::Hangs;
    let mut running = world.builder.running.subscribe();
    let hanging = upload(&world, &ann.token, "application/x-tar", "first");
    let second = async {
        running.wait_for(|count| *count == 1).await.unwrap();
        upload(&world, &ann.token, "application/x-tar", "second").await
    };
    tokio::select! {
        _ = hanging => panic!("the first goes on for ever"),
        answer = tokio::time::timeout(DEADLINE, second) => {
            let answer = answer.unwrap();
            assert!(answer.text.contains("ann@example.com"), "{}", answer.text);
            assert_eq!(trailer(&answer)["status"], "failed");
        }
    }
}

#[tokio::test]
async fn the_stream_ends_with_the_truth_when_the_platform_stops() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    *world.builder.building.lock() = Building::Hangs;
    let mut running = world.builder.running.subscribe();
    let building = upload(&world, &ann.token, "application/x-tar", "source");
    let stopping = async {
        running.wait_for(|count| *count == 1).await.unwrap();
        world.controller.stop();
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! { answer = building => answer, () = stopping => unreachable!() };
    assert!(trailer(&answer)["message"].as_str().unwrap().contains("restarting"), "{}", answer.text);
    tokio::time::timeout(Duration::from_secs(5), world.controller.stopped()).await.expect("it stops");
}
