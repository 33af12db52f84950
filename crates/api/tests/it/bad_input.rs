//! Requests that make no sense are answered with what is wrong and what to do.

use axum::body::Body;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// The message of a refusal.
fn refusal(answer: Answer, status: u16, id: &str) -> String {
    let body = answer.expect(status);
    assert_eq!(body["id"], id, "{body}");
    body["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn names_are_refused_with_their_rule() {
    let world = World::new();
    let ann = world.administrator().await.token;
    for bad in ["X", "a", "1a", "a_b", "a.b", "git", "../x", "ä", &"a".repeat(41)] {
        let text = refusal(world.post(&ann, "/apps", json!({ "name": bad })).await, 422, "invalid_params");
        assert!(text.contains("`name`"), "{bad}: {text}");
    }
    world.post(&ann, "/apps", json!({ "name": "photos" })).await.expect(201);
    let text = refusal(world.post(&ann, "/apps", json!({ "name": "photos" })).await, 422, "invalid_params");
    assert!(text.contains("already taken"), "{text}");
    for bad in ["FOO-BAR", "1A", "", "DYNO", "A B", "Ä"] {
        let answer = world.patch(&ann, "/apps/photos/config-vars", json!({ bad: "x" })).await;
        refusal(answer, 422, "invalid_params");
    }
    let nul = world.patch(&ann, "/apps/photos/config-vars", json!({ "A": "x\u{0}y" })).await;
    assert!(refusal(nul, 422, "invalid_params").contains("NUL"));
    let large = world.patch(&ann, "/apps/photos/config-vars", json!({ "A": "x".repeat(70_000) })).await;
    assert!(refusal(large, 422, "invalid_params").contains("at most 65536"));
}

#[tokio::test]
async fn domains_of_the_platform_and_of_other_apps_are_refused() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    world.app(&ann, "videos").await;
    let add = |app: &'static str, hostname: &'static str| {
        let (world, token) = (&world, &ann.token);
        async move { world.post(token, &format!("/apps/{app}/domains"), json!({ "hostname": hostname })).await }
    };
    for bad in
        ["", "a b", "a_b.com", "10.0.0.1", "x..y", "localhost", "videos.localhost", "*.localhost", "api.example.org"]
    {
        refusal(add("photos", bad).await, 422, "invalid_params");
    }
    add("photos", "www.example.com").await.expect(201);
    let taken = refusal(add("videos", "WWW.example.com.").await, 422, "invalid_params");
    assert!(taken.contains("in use"), "{taken}");
    let own = world.delete(&ann.token, "/apps/photos/domains/photos.localhost").await;
    refusal(own, 422, "invalid_params");
}

#[tokio::test]
async fn absurd_scales_are_refused() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    let scale = |updates: Value| {
        let (world, token) = (&world, &ann.token);
        async move { world.patch(token, "/apps/photos/formation", json!({ "updates": updates })).await }
    };
    let early = refusal(scale(json!([{ "type": "web", "quantity": 1 }])).await, 422, "invalid_params");
    assert!(early.contains("deploy it first"), "{early}");
    world.deploy(&ann.token, "photos").await;
    for bad in [json!(-1), json!("-1"), json!(101), json!("+101"), json!(1.5), json!("many"), json!([1]), json!(1e30)] {
        let answer = scale(json!([{ "type": "worker", "quantity": bad }])).await;
        refusal(answer, 422, "invalid_params");
    }
    let unknown = refusal(scale(json!([{ "type": "nope", "quantity": 1 }])).await, 422, "invalid_params");
    assert!(unknown.contains("declares worker"), "{unknown}");
    refusal(scale(json!([{ "quantity": 1 }])).await, 422, "invalid_params");
    refusal(
        scale(json!([{ "type": "worker", "quantity": 1 }, { "type": "worker", "quantity": 2 }])).await,
        422,
        "invalid_params",
    );
    refusal(scale(json!("web=1")).await, 422, "invalid_params");
}

#[tokio::test]
async fn tags_are_refused_when_they_are_none_or_no_node_carries_them() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    world.deploy(&ann.token, "photos").await;
    for (tags, named) in [
        (json!({ "worker": { "Region": "eu" } }), "Region"),
        (json!({ "worker": { "region": "" } }), "value of a tag"),
        (json!({ "nobody": { "region": "eu" } }), "nobody"),
        (json!({ "worker": { "region": "mars" } }), "The nodes carry region=eu, region=us"),
        (json!({ "worker": { "region": "eu", "disk": "ssd" } }), "no node carries disk=ssd, region=eu"),
    ] {
        let answer = world.patch(&ann.token, "/ambo/apps/photos/tags", tags).await;
        let message = refusal(answer, 422, "invalid_params");
        assert!(message.contains(named), "{message}");
    }
    let tags = world.get(&ann.token, "/ambo/apps/photos/tags").await.expect(200);
    assert_eq!(tags, json!({ "worker": {} }), "nothing was changed");
}

#[tokio::test]
async fn limits_and_health_checks_are_refused_with_the_field() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    world.deploy(&ann.token, "photos").await;
    for (field, bad) in [("memory", "1M"), ("memory", "much"), ("cpu", "0"), ("cpu", "-1")] {
        let answer = world.patch(&ann.token, "/ambo/apps/photos/limits", json!({ "worker": { field: bad } })).await;
        assert!(refusal(answer, 422, "invalid_params").contains(field));
    }
    for bad in [
        json!({ "type": "udp" }),
        json!({}),
        json!({ "type": "http", "path": "healthz" }),
        json!({ "type": "http", "path": "/a b" }),
        json!({ "type": "http", "path": "/x\r\nHost: y" }),
        json!({ "type": "tcp", "interval": 0 }),
        json!({ "type": "tcp", "timeout": 4_000_000_000_u32 }),
        json!({ "type": "tcp", "start": 0 }),
    ] {
        let answer = world.patch(&ann.token, "/ambo/apps/photos/healthchecks", json!({ "worker": bad })).await;
        refusal(answer, 422, "invalid_params");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_told_apart() {
    let world = World::new();
    let ann = world.administrator().await.token;
    let send = |body: Body| {
        let (world, value) = (&world, format!("Bearer {ann}"));
        async move {
            let request = Request::builder().method(Method::POST).uri("/apps").header("authorization", value);
            world.send(request.body(body).unwrap()).await
        }
    };
    for broken in ["{", "{\"name\"", "nonsense", "{} x", "\u{0}"] {
        refusal(send(Body::from(broken)).await, 400, "bad_request");
    }
    assert!(refusal(send(Body::from(vec![0xff, 0xfe])).await, 400, "bad_request").contains("no JSON"));
    for wrong in ["{\"name\":7}", "{\"name\":[\"x\"]}", "7", "\"x\"", "[[[[]]]]"] {
        refusal(send(Body::from(wrong)).await, 422, "invalid_params");
    }
    assert!(refusal(send(Body::from("{\"name\":7}")).await, 422, "invalid_params").contains("`name`"));
    refusal(send(Body::from("[".repeat(500_000))).await, 400, "bad_request");
    refusal(send(Body::from(" ".repeat(2 << 20))).await, 413, "request_too_large");
    send(Body::empty()).await.expect(201);
}

#[tokio::test]
async fn nothing_is_found_where_nothing_is_and_the_answer_is_json() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    let token = &ann.token;
    for path in
        ["/", "/nope", "/apps/photos/nope", "/apps/%FF/dynos", "/apps/photos/builds/x", "/apps/photos/releases/99"]
    {
        refusal(world.get(token, path).await, 404, "not_found");
    }
    for path in ["/apps/photos/releases/nope", "/apps/photos/domains/x.example.com", "/apps/photos/dynos/web.1"] {
        refusal(world.get(token, path).await, 404, "not_found");
    }
    refusal(world.delete(token, "/account/keys/nope").await, 404, "not_found");
    let token_missing = world.get(token, "/oauth/authorizations/~").await.expect(404);
    assert_eq!(token_missing["resource"], "authorization");
    let answer = world.call(token, Method::PUT, "/apps", &Value::Null).await;
    refusal(answer, 405, "method_not_allowed");
}

#[tokio::test]
async fn every_answer_has_an_id_of_our_own() {
    let world = World::new();
    let request = Request::builder().uri("/nope").header("request-id", "x,".repeat(5000));
    let answer = world.send(request.body(Body::empty()).unwrap()).await;
    let id = answer.header("request-id").unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn registrations_are_refused_with_the_reason() {
    let world = World::new();
    let register = |body: Value| {
        let world = &world;
        async move { world.post("", "/ambo/accounts", body).await }
    };
    let bad = register(json!({ "email": "nobody", "password": "correct horse" })).await;
    assert!(refusal(bad, 422, "invalid_params").contains("`email`"));
    let short = register(json!({ "email": "a@example.com", "password": "short" })).await;
    assert!(refusal(short, 422, "invalid_params").contains("8 to 256"));
    refusal(register(json!({ "email": "a@example.com" })).await, 422, "invalid_params");
    let first = register(json!({ "email": "a@example.com", "password": "correct horse" })).await.expect(201);
    assert_eq!(first["account"]["role"], "administrator");
    let closed = register(json!({ "email": "b@example.com", "password": "correct horse" })).await;
    assert!(refusal(closed, 403, "forbidden").contains("closed"));
}

#[tokio::test]
async fn a_downed_engine_is_said_and_comes_back_by_itself() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    world.deploy(&ann.token, "photos").await;
    world.engine.down();
    let text = refusal(world.get(&ann.token, "/apps/photos/dynos").await, 503, "engine_unavailable");
    assert!(text.contains("does not answer"), "{text}");
    assert_eq!(world.get(&ann.token, "/ambo/info").await.expect(200)["engine"]["status"], "down");
    world.engine.up();
    world.get(&ann.token, "/apps/photos/dynos").await.expect(200);
    assert_eq!(world.get(&ann.token, "/ambo/info").await.expect(200)["engine"]["status"], "up");
}
