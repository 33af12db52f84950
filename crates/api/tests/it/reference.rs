//! The API's description, and the page that is made of it.

use std::path::Path;

use ambo_api::{ROUTES, openapi};
use http::Method;
use serde_json::Value;

use crate::world::World;

/// Set to write the description instead of comparing it.
const UPDATE: &str = "AMBO_UPDATE_OPENAPI";

fn operation(path: &str, method: &Method) -> &'static Value {
    &openapi()["paths"][path][method.as_str().to_lowercase()]
}

#[test]
fn the_description_that_is_checked_in_is_the_newest() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let newest = format!("{:#}\n", openapi());
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, &newest).unwrap();
    }
    let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(checked_in == newest, "docs/openapi.json is old: run `{UPDATE}=1 cargo test -p ambo-api reference`");
}

#[test]
fn every_route_is_described() {
    for route in ROUTES {
        let operation = operation(route.path, &route.method);
        assert!(
            operation["summary"].as_str().is_some_and(|text| text.ends_with('.')),
            "{} {}",
            route.method,
            route.path
        );
        assert!(operation["responses"].is_object(), "{} {}: {operation}", route.method, route.path);
    }
    assert_eq!(openapi()["openapi"], "3.1.0");
    let app = &openapi()["components"]["schemas"]["App"]["properties"];
    assert_eq!(app["maintenance"]["description"], "Whether visitors see the maintenance page.");
}

#[test]
fn whoever_must_log_in_is_told_so() {
    assert!(operation("/ambo/info", &Method::GET)["security"].is_null());
    assert_eq!(operation("/apps", &Method::GET)["security"][0]["bearer"], serde_json::json!([]));
}

/// Every reference of a document.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let mut found = Vec::new();
    references(openapi(), &mut found);
    assert!(found.len() > 50, "{}", found.len());
    for reference in found {
        let target = reference.strip_prefix('#').and_then(|pointer| openapi().pointer(pointer));
        assert!(target.is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn everybody_can_read_the_reference() {
    let world = World::new();
    let description = world.get("", "/openapi.json").await.expect(200);
    assert_eq!(&description, openapi());
    let page = world.get("", "/docs").await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("/apps/{app}/config-vars") && page.text.contains("Sets config variables"),
        "{}",
        page.text
    );
}
