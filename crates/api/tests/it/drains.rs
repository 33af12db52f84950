//! Drains: who may add one, who sees its credentials, and where logs are not sent.

use http::Method;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn credentials_are_shown_to_those_who_manage_the_app_alone() {
    let world = World::new();
    let olga = world.administrator().await;
    let carl = world.person("carl@example.com").await;
    world.app(&olga, "shop").await;
    let now = world.controller.now();
    world.controller.collaborator_add(&olga.caller, "shop", &carl.caller.email, now).await.unwrap();
    let url = "https://user:s3cret@logs.example.com/in?key=s3cret";
    let made = world.post(&carl.token, "/apps/shop/log-drains", json!({ "url": url })).await.expect(201);
    assert_eq!(made["url"], url);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("d."), "{token}");
    assert_eq!(world.get(&olga.token, "/apps/shop/log-drains").await.expect(200)[0]["url"], url);
    let seen = world.get(&carl.token, &format!("/apps/shop/log-drains/{token}")).await.expect(200);
    assert_eq!(seen["url"], "https://logs.example.com");
    let lines = world.controller.logs.tail(ambo_app(&world, &olga).await, 100, Default::default()).await;
    assert!(lines.iter().any(|record| record.line.text.contains("Add drain 'd.")));
    assert!(!lines.iter().any(|record| record.line.text.contains("s3cret")));
    world.post(&olga.token, "/apps/shop/log-drains", json!({ "url": url })).await.expect(422);
    let encoded = "https%3A%2F%2Fuser%3As3cret%40logs.example.com%2Fin%3Fkey%3Ds3cret";
    world.delete(&olga.token, &format!("/apps/shop/log-drains/{encoded}")).await.expect(200);
    assert_eq!(world.get(&olga.token, "/apps/shop/log-drains").await.expect(200), json!([]));
    world.call(&olga.token, Method::DELETE, &format!("/apps/shop/log-drains/{token}"), &Value::Null).await.expect(404);
}

async fn ambo_app(world: &World, owner: &crate::world::Person) -> ambo_model::AppId {
    let found = world.controller.app_find(&owner.caller, "shop", ambo_controller::accounts::Permission::Read).await;
    found.unwrap().id
}

#[tokio::test]
async fn logs_are_not_sent_to_the_platform_itself_nor_to_a_clouds_metadata() {
    let world = World::new();
    let olga = world.administrator().await;
    world.app(&olga, "shop").await;
    for url in [
        "http://127.0.0.1:7080/",
        "syslog://[::1]:514",
        "http://169.254.169.254/latest/meta-data",
        "syslog+tls://169.254.0.1",
        "http://100.100.100.200/",
        "file:///etc/passwd",
        "ftp://logs.example.com",
        "nonsense",
    ] {
        let refused = world.post(&olga.token, "/apps/shop/log-drains", json!({ "url": url })).await.expect(422);
        assert!(refused["message"].as_str().unwrap().contains("`url`"), "{url}: {refused}");
    }
    for number in 0..10 {
        let url = format!("syslog://10.255.255.{number}");
        world.post(&olga.token, "/apps/shop/log-drains", json!({ "url": url })).await.expect(201);
    }
    let refused = world.post(&olga.token, "/apps/shop/log-drains", json!({ "url": "syslog://10.0.0.1" })).await;
    assert!(refused.expect(422)["message"].as_str().unwrap().contains("at most 10"));
}
