//! What Heroku's clients rely on beside the shapes: headers, pages, and requests that are sent twice.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// A request with these headers and, unless it is null, a JSON body.
async fn send(world: &World, token: &str, line: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    world.send(request.body(body).unwrap()).await
}

#[tokio::test]
async fn a_create_with_the_same_request_id_is_done_once() {
    let world = World::new();
    let ann = world.administrator().await.token;
    let create = |id: &'static str, name: &'static str| {
        let (world, ann) = (&world, &ann);
        async move { send(world, ann, "POST /apps", &[("request-id", id)], &json!({ "name": name })).await }
    };
    let first = create("one,zero", "photos").await.expect(201);
    // Heroku's client puts the newest id first; those behind it are of earlier requests.
    assert_eq!(create("one,zero", "photos").await.expect(201), first);
    assert_eq!(create("one", "photos").await.expect(201)["id"], first["id"]);
    create("two", "photos").await.expect(422);
    // What failed is tried again.
    world.delete(&ann, "/apps/photos").await.expect(200);
    create("two", "photos").await.expect(201);
    create("one", "videos").await.expect(201);
    // Somebody else with the same id is somebody else.
    let bob = world.person("bob@example.com").await.token;
    send(&world, &bob, "POST /apps", &[("request-id", "one")], &json!({ "name": "videos" })).await.expect(422);
    // Without an id nothing is taken for the same.
    let unnamed = |_| async { send(&world, &ann, "POST /apps", &[], &json!({})).await.expect(201)["id"].clone() };
    assert_ne!(unnamed(1).await, unnamed(2).await);
}

#[tokio::test]
async fn creates_that_are_sent_at_the_same_time_are_one() {
    let world = World::new();
    let ann = world.administrator().await.token;
    let headers = [("request-id", "same")];
    let body = json!({ "name": "photos" });
    let create = || send(&world, &ann, "POST /apps", &headers, &body);
    let (one, two, three) = tokio::join!(create(), create(), create());
    let one = one.expect(201);
    assert_eq!((two.expect(201), three.expect(201)), (one.clone(), one));
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let world = World::new();
    let ann = world.administrator().await.token;
    world.post(&ann, "/apps", json!({ "name": "photos" })).await.expect(201);
    let first = world.get(&ann, "/apps/photos").await;
    let tag = first.header("etag").unwrap().to_owned();
    for had in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let again = send(&world, &ann, "GET /apps/photos", &[("if-none-match", &had)], &Value::Null).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{had}");
        assert_eq!(again.header("etag"), Some(tag.as_str()));
    }
    world.patch(&ann, "/apps/photos", json!({ "maintenance": true })).await.expect(200);
    let changed = send(&world, &ann, "GET /apps/photos", &[("if-none-match", &tag)], &Value::Null).await;
    assert_eq!(changed.expect(200)["maintenance"], true);
}

#[tokio::test]
async fn pages_that_a_list_does_not_have_are_refused() {
    let world = World::new();
    let ann = world.administrator().await.token;
    world.post(&ann, "/apps", json!({ "name": "photos" })).await.expect(201);
    let ranged = |path: &'static str, range: &'static str| {
        let (world, ann) = (&world, &ann);
        async move { send(world, ann, &format!("GET {path}"), &[("range", range)], &Value::Null).await.status.as_u16() }
    };
    assert_eq!(ranged("/apps", "colour red..; max=2").await, 416);
    assert_eq!(ranged("/apps/photos/releases", "version ]many..").await, 416);
    // What every client of Heroku's sends with everything asks for nothing special.
    for range in ["id ..; max=1000", "id ..; ; ", "", "colour ..; max=5"] {
        assert_eq!(ranged("/apps", range).await, 200, "{range}");
        assert_eq!(ranged("/apps/photos/releases", range).await, 200, "{range}");
        assert_eq!(ranged("/apps/photos/domains", range).await, 200, "{range}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_account_and_the_rest_is_announced() {
    let world = World::with_requests(3);
    let ann = world.administrator().await.token;
    let bob = world.person("bob@example.com").await.token;
    assert_eq!(world.get(&ann, "/account/rate-limits").await.expect(200)["remaining"], 3);
    for left in ["2", "1", "0"] {
        assert_eq!(world.get(&ann, "/account").await.header("ratelimit-remaining"), Some(left));
    }
    let refused = world.get(&ann, "/account").await;
    assert_eq!(refused.header("ratelimit-remaining"), Some("0"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.expect(429)["id"], "rate_limit");
    world.get(&ann, "/account/rate-limits").await.expect(200);
    world.get(&bob, "/account").await.expect(200);
}

#[tokio::test]
async fn every_version_of_three_is_taken_and_every_answer_has_an_id() {
    let world = World::new();
    let ann = world.administrator().await.token;
    for variant in ["3", "3.sdk", "3.docker-releases", "3.cedar-acm", "3.account-quotas", "3.fir"] {
        let accept = format!("application/vnd.heroku+json; version={variant}");
        let answer = send(&world, &ann, "GET /account", &[("accept", &accept)], &Value::Null).await;
        assert!(answer.header("content-type").unwrap().starts_with("application/json"));
        assert_eq!(answer.header("request-id").map(str::len), Some(36));
        answer.expect(200);
    }
    let long = format!("{}x", "01234567-89ab-cdef-0123-456789abcdef,".repeat(190));
    send(&world, &ann, "GET /account", &[("request-id", &long)], &Value::Null).await.expect(200);
}

#[tokio::test]
async fn wishes_that_are_not_heard_are_warned_of_in_both_headers() {
    let world = World::new();
    let ann = world.administrator().await.token;
    let made = world.post(&ann, "/apps", json!({ "name": "photos", "region": "eu", "stack": "heroku-24" })).await;
    let warning = made.header("x-heroku-warning").unwrap().to_owned();
    assert!(warning.contains("region and stack"), "{warning}");
    assert_eq!(made.header("x-ambo-warning"), Some(warning.as_str()));
    let plain = world.post(&ann, "/apps", json!({ "name": "videos", "region": "us" })).await;
    assert_eq!(plain.header("x-heroku-warning"), None);
    world.post(&ann, "/apps", json!({ "team": "acme" })).await.expect(422);
    let path = "/apps/photos/buildpack-installations";
    let wanted =
        json!({ "updates": [{ "buildpack": "urn:buildpack:heroku/ruby" }, { "buildpack": "https://x.org/b" }] });
    let set = world.call(&ann, http::Method::PUT, path, &wanted).await;
    assert!(set.header("x-heroku-warning").is_some());
    assert_eq!(set.expect(200)[0]["buildpack"]["name"], "heroku/ruby");
    assert_eq!(world.get(&ann, path).await.expect(200)[1]["ordinal"], 1);
    let cleared = world.call(&ann, http::Method::PUT, path, &json!({ "updates": [] })).await;
    assert_eq!((cleared.header("x-heroku-warning"), cleared.text.as_str()), (None, "[]"));
}

#[tokio::test]
async fn sizes_are_limits_with_herokus_names() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    world.deploy(&ann.token, "photos").await;
    let sized = |size: &'static str| {
        let (world, token) = (&world, &ann.token);
        async move { world.patch(token, "/apps/photos/formation/worker", json!({ "size": size })).await }
    };
    assert_eq!(sized("standard-2x").await.expect(200)["size"], "Standard-2X");
    let limits = world.get(&ann.token, "/ambo/apps/photos/limits").await.expect(200);
    assert_eq!(limits["worker"]["memory"], "1G");
    assert_eq!(
        world.get(&ann.token, "/apps/photos/formation").await.expect(200)[0]["dyno_size"]["name"],
        "Standard-2X"
    );
    assert_eq!(sized("300M").await.expect(200)["size"], "300M");
    let refused = sized("huge").await.expect(422);
    assert!(refused["message"].as_str().unwrap().contains("Standard-1X"), "{refused}");
    assert_eq!(sized("unlimited").await.expect(200)["size"], "unlimited");
}

#[tokio::test]
async fn a_token_is_rotated_and_described_anew() {
    let world = World::new();
    let ann = world.administrator().await.token;
    let made = world.post(&ann, "/oauth/authorizations", json!({ "description": "ci" })).await.expect(201);
    let path = format!("/oauth/authorizations/{}", made["id"].as_str().unwrap());
    let old = made["access_token"]["token"].as_str().unwrap();
    let rotated = world.post(&ann, &format!("{path}/actions/regenerate-tokens"), Value::Null).await.expect(201);
    let new = rotated["access_token"]["token"].as_str().unwrap();
    assert_eq!(rotated["id"], made["id"]);
    world.get(old, "/account").await.expect(401);
    world.get(new, "/account").await.expect(200);
    assert_eq!(world.patch(&ann, &path, json!({ "description": "cd" })).await.expect(200)["description"], "cd");
    world.delete(&ann, &path).await.expect(200);
    world.get(new, "/account").await.expect(401);
}
