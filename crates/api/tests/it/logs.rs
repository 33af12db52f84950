//! Log sessions.

use ambo_model::{LogLine, LogSource, Timestamp};
use axum::body::{Body, BodyDataStream};
use futures::StreamExt;
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{DEADLINE, Person, World};

fn say(world: &World, app: &ambo_model::App, name: &str, text: &str) {
    let line = LogLine {
        app: app.id,
        at: Timestamp::from_second(1_800_000_000).unwrap(),
        source: LogSource::App,
        name: name.to_owned(),
        text: text.to_owned(),
    };
    world.controller.logs.append(line);
}

async fn open(world: &World, ann: &Person, wanted: Value) -> String {
    let session = world.post(&ann.token, "/apps/photos/log-sessions", wanted).await.expect(201);
    let url = session["logplex_url"].as_str().unwrap();
    url.strip_prefix("http://localhost").expect("a URL of ours").to_owned()
}

fn request(path: &str, events: bool, seen: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().uri(path);
    if events {
        request = request.header("accept", "text/event-stream");
    }
    if let Some(seen) = seen {
        request = request.header("last-event-id", seen);
    }
    request.body(Body::empty()).unwrap()
}

/// Reads a stream until it has said something.
async fn until(body: &mut BodyDataStream, text: &str) -> String {
    let mut said = String::new();
    let read = async {
        while !said.contains(text) {
            let chunk = body.next().await.expect("the stream goes on").unwrap();
            said.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    };
    tokio::time::timeout(DEADLINE, read).await.expect("the line comes in time");
    said
}

#[tokio::test]
async fn a_session_gives_the_newest_lines_and_ends() {
    let world = World::new();
    let ann = world.administrator().await;
    let app = world.app(&ann, "photos").await;
    for n in 1..=5 {
        say(&world, &app, "web.1", &format!("line {n}"));
    }
    let path = open(&world, &ann, json!({ "lines": 2, "source": "app" })).await;
    let plain = world.send(request(&path, false, None)).await;
    assert_eq!(plain.header("content-type"), Some("text/plain; charset=utf-8"));
    let at = "2027-01-15T08:00:00.000000+00:00";
    assert_eq!(plain.text, format!("{at} app[web.1]: line 4\n{at} app[web.1]: line 5\n"));
    let events = world.send(request(&path, true, None)).await;
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert!(events.text.contains(&format!("\ndata: {at} app[web.1]: line 5\n\n")), "{}", events.text);
}

#[tokio::test]
async fn lines_are_chosen_by_dyno_and_source() {
    let world = World::new();
    let ann = world.administrator().await;
    let app = world.app(&ann, "photos").await;
    say(&world, &app, "web.1", "from web");
    say(&world, &app, "worker.1", "from worker");
    let read = |wanted: Value| {
        let (world, ann) = (&world, &ann);
        async move { world.send(request(&open(world, ann, wanted).await, false, None)).await.text }
    };
    let worker = read(json!({ "dyno": "worker" })).await;
    assert!(worker.contains("from worker") && !worker.contains("from web"), "{worker}");
    let platform = read(json!({ "source": "heroku" })).await;
    assert!(platform.contains("ambo[api]: ") && !platform.contains("from "), "{platform}");
    world.post(&ann.token, "/apps/photos/log-sessions", json!({ "source": "x" })).await.expect(422);
}

#[tokio::test]
async fn a_tail_goes_on_resumes_and_ends_with_the_platform() {
    let world = World::new();
    let ann = world.administrator().await;
    let app = world.app(&ann, "photos").await;
    let path = open(&world, &ann, json!({ "lines": 10, "tail": true, "source": "app" })).await;
    let response = world.router.clone().oneshot(request(&path, true, None)).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    say(&world, &app, "web.1", "first");
    let said = until(&mut body, "first").await;
    let id = said.split("id: ").last().unwrap().lines().next().unwrap().to_owned();
    drop(body);
    say(&world, &app, "web.1", "second");
    let response = world.router.clone().oneshot(request(&path, true, Some(&id))).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let said = until(&mut body, "second").await;
    assert!(!said.contains("first"), "{said}");
    world.shutdown.cancel();
    let ended = tokio::time::timeout(DEADLINE, async { while body.next().await.is_some() {} });
    ended.await.expect("the tail ends");
}

#[tokio::test]
async fn a_session_ends_with_the_token_that_opened_it() {
    let world = World::new();
    let ann = world.administrator().await;
    let app = world.app(&ann, "photos").await;
    let scope = ambo_controller::accounts::TokenScope::Deploy(app.id);
    let lent = crate::world::Person { caller: ann.caller.clone(), token: world.token(&ann, scope).await };
    let path = open(&world, &lent, json!({})).await;
    assert_eq!(world.send(request(&path, false, None)).await.status, 200);
    world.delete(&lent.token, "/oauth/sessions/~").await.expect(200);
    assert_eq!(world.send(request(&path, false, None)).await.status, 404);
}

#[tokio::test]
async fn a_session_ends_for_those_who_lost_the_app() {
    let world = World::new();
    let ann = world.administrator().await;
    let bob = world.person("bob@example.com").await;
    world.app(&ann, "photos").await;
    world.post(&ann.token, "/apps/photos/collaborators", json!({ "user": "bob@example.com" })).await.expect(201);
    let path = open(&world, &bob, json!({})).await;
    assert_eq!(world.send(request(&path, false, None)).await.status, 200);
    world.delete(&ann.token, "/apps/photos/collaborators/bob@example.com").await.expect(200);
    assert_eq!(world.send(request(&path, false, None)).await.status, 404);
}
