//! Bodies of every shape at every route: none makes the platform fail, and what is wrong with one is said.

use std::collections::BTreeMap;

use ambo_api::{ROUTES, Route, openapi};
use axum::body::Body;
use http::{Method, Request};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use crate::world::{Answer, World, filled};

/// Bodies per route and seed.
const BODIES: usize = 24;
const SEEDS: std::ops::Range<u64> = 0..4;
/// Nesting of a made-up value.
const DEPTH_MAX: usize = 4;

fn resolved(schema: &'static Value) -> &'static Value {
    let target = schema["$ref"].as_str().and_then(|reference| openapi().pointer(reference.strip_prefix('#')?));
    target.map_or(schema, resolved)
}

/// The schema of a route's JSON body.
fn body_schema(route: &Route) -> Option<&'static Value> {
    let operation = &openapi()["paths"][route.path][route.method.as_str().to_lowercase()];
    operation.pointer("/requestBody/content/application~1json/schema").map(resolved)
}

/// Routes whose request changes who may do what in this test.
fn is_harmless(route: &Route) -> bool {
    !(route.path.contains("transfer") || route.method == Method::DELETE && route.path == "/apps/{app}")
}

async fn send(world: &World, token: &str, route: &Route, body: Vec<u8>) -> Answer {
    let id = "0199aaaa-0000-7000-8000-000000000000".to_owned();
    let mut values: BTreeMap<&str, String> = BTreeMap::from([("app", "photos".to_owned())]);
    for segment in route.path.split('/') {
        if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            values.entry(name).or_insert_with(|| id.clone());
        }
    }
    let request = Request::builder().method(&route.method).uri(filled(route.path, &values));
    let request = request.header("authorization", format!("Bearer {token}"));
    world.send(request.header("content-type", "application/json").body(Body::from(body)).unwrap()).await
}

/// Anything at all.
fn anything(random: &mut StdRng, depth: usize) -> Value {
    let texts = ["", "web", "v1", "../../etc", "\u{0}", "𝄞\u{202e}", "+99999999999", "true", "https://[::1", "%00"];
    match random.random_range(0..if depth == 0 { 7 } else { 10 }) {
        0 => Value::Null,
        1 => json!(random.random::<bool>()),
        2 => json!(random.random::<i64>()),
        3 => json!(random.random::<f64>() * 1e300),
        4 => json!(random.random_range(-2..3)),
        5 => json!(texts[random.random_range(0..texts.len())]),
        6 => json!("x".repeat(random.random_range(0..5000))),
        7 => Value::Array((0..random.random_range(0..4)).map(|_| anything(random, depth - 1)).collect()),
        _ => {
            let key = |random: &mut StdRng| texts[random.random_range(0..texts.len())].to_owned();
            let count = random.random_range(0..4);
            Value::Object((0..count).map(|_| (key(random), anything(random, depth - 1))).collect::<Map<_, _>>())
        }
    }
}

/// Something of the schema's shape, though not always.
fn shaped(random: &mut StdRng, schema: &'static Value, depth: usize) -> Value {
    let schema = resolved(schema);
    if depth == 0 || random.random_ratio(1, 8) {
        return anything(random, depth);
    }
    if let Some(properties) = schema["properties"].as_object() {
        let mut object = Map::new();
        for (name, property) in properties {
            if random.random_ratio(3, 4) {
                object.insert(name.clone(), shaped(random, property, depth - 1));
            }
        }
        return Value::Object(object);
    }
    let choices = ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema[name].as_array());
    if let Some(choices) = choices {
        let choice = random.random_range(0..choices.len());
        return shaped(random, &choices[choice], depth - 1);
    }
    if let Some(values) = schema["enum"].as_array() {
        return values[random.random_range(0..values.len())].clone();
    }
    match kinds(schema).first().copied() {
        Some("string") => json!(["web", "a@b.c", "512M", "http://x/", "0.5", "v1"][random.random_range(0..6)]),
        Some("integer" | "number") => json!(random.random_range(-1..100)),
        Some("boolean") => json!(random.random::<bool>()),
        Some("array") => {
            let items = &schema["items"];
            Value::Array((0..random.random_range(0..3)).map(|_| shaped(random, items, depth - 1)).collect())
        }
        _ => anything(random, depth),
    }
}

fn kinds(schema: &'static Value) -> Vec<&'static str> {
    match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The body's text, sometimes cut, doubled or with a byte that does not belong there.
fn broken(random: &mut StdRng, body: &Value) -> Vec<u8> {
    let mut bytes = body.to_string().into_bytes();
    let at = random.random_range(0..=bytes.len());
    match random.random_range(0..6) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.random()),
        2 => bytes = bytes.repeat(2),
        3 => bytes = "[".repeat(10_000).into_bytes(),
        _ => {}
    }
    bytes
}

#[tokio::test]
async fn no_body_makes_the_platform_fail() {
    for seed in SEEDS {
        let mut random = StdRng::seed_from_u64(seed);
        let world = World::new();
        let ann = world.administrator().await;
        world.app(&ann, "photos").await;
        for route in ROUTES.iter().filter(|route| is_harmless(route)) {
            let Some(schema) = body_schema(route) else { continue };
            for _ in 0..BODIES {
                let body = shaped(&mut random, schema, DEPTH_MAX);
                let bytes = broken(&mut random, &body);
                let answer = send(&world, &ann.token, route, bytes.clone()).await;
                let status = answer.status.as_u16();
                let sent = String::from_utf8_lossy(&bytes);
                let (method, path, text) = (&route.method, route.path, &answer.text);
                assert!(status < 500, "seed {seed}: {method} {path} {sent}: {status} {text}");
                if status >= 400 {
                    let error: Value = serde_json::from_str(text).unwrap();
                    assert!(error["id"].is_string() && error["message"].is_string(), "{method} {path} {sent}: {text}");
                }
            }
        }
    }
}

/// Something that the schema does not take, if there is anything.
fn mistaken(schema: &'static Value) -> Option<Value> {
    let schema = resolved(schema);
    let branches = ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema[name].as_array());
    let kinds: Vec<&str> = match branches {
        Some(branches) => branches.iter().flat_map(|branch| kinds(resolved(branch))).collect(),
        None => kinds(schema),
    };
    let kinds = if schema["properties"].is_object() { vec!["object"] } else { kinds };
    match () {
        () if kinds.is_empty() => None,
        () if !kinds.contains(&"array") => Some(json!([[]])),
        () => Some(json!(true)),
    }
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    let mut fields = 0;
    for route in ROUTES {
        let Some(properties) = body_schema(route).and_then(|schema| schema["properties"].as_object()) else { continue };
        for (name, property) in properties {
            let Some(wrong) = mistaken(property) else { continue };
            let body = json!({ name: wrong }).to_string().into_bytes();
            let answer = send(&world, &ann.token, route, body).await;
            assert_eq!(answer.status, 422, "{} {} {name}: {}", route.method, route.path, answer.text);
            let error = answer.json();
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(&format!("`{name}")), "{} {} {name}: {message}", route.method, route.path);
            fields += 1;
        }
    }
    assert!(fields > 30, "only {fields} fields were tried");
}
