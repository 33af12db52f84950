//! Pipelines: who sees and changes them, and promotions.

use http::Method;
use serde_json::{Value, json};

use crate::world::{Person, World};

async fn pipeline(world: &World, owner: &Person, name: &str) -> String {
    let made = world.post(&owner.token, "/pipelines", json!({ "name": name })).await.expect(201);
    assert_eq!(made["generation"]["name"], "cedar");
    made["id"].as_str().unwrap().to_owned()
}

async fn couple(world: &World, owner: &Person, app: &str, pipeline: &str, stage: &str) -> Value {
    let body = json!({ "app": app, "pipeline": pipeline, "stage": stage });
    world.post(&owner.token, "/pipeline-couplings", body).await.expect(201)
}

fn promotion(pipeline: &str, source: &str, targets: &[&str]) -> Value {
    let targets: Vec<Value> = targets.iter().map(|app| json!({ "app": { "id": app } })).collect();
    json!({ "pipeline": { "id": pipeline }, "source": { "app": { "id": source } }, "targets": targets })
}

/// An app that runs something.
async fn running(world: &World, owner: &Person, name: &str) -> String {
    let app = world.app(owner, name).await;
    world.deploy(&owner.token, name).await;
    app.id.to_string()
}

#[tokio::test]
async fn a_pipeline_is_seen_by_its_owner_and_by_whoever_sees_one_of_its_apps() {
    let world = World::new();
    let administrator = world.administrator().await;
    let (olga, carl) = (world.person("olga@example.com").await, world.person("carl@example.com").await);
    let id = pipeline(&world, &olga, "shop").await;
    let path = format!("/pipelines/{id}");
    world.get(&carl.token, &path).await.expect(404);
    world.get(&administrator.token, &path).await.expect(200);
    let app = world.app(&olga, "shop-staging").await;
    let coupling = couple(&world, &olga, "shop-staging", &id, "staging").await;
    let now = world.controller.now();
    world.controller.collaborator_add(&olga.caller, "shop-staging", &carl.caller.email, now).await.unwrap();
    assert_eq!(world.get(&carl.token, &path).await.expect(200)["name"], "shop");
    assert_eq!(world.get(&carl.token, "/pipelines?eq[name]=shop").await.expect(200)[0]["id"], id);
    assert_eq!(world.get(&carl.token, "/pipelines?eq[name]=other").await.expect(200), json!([]));
    let of_app = world.get(&carl.token, "/apps/shop-staging/pipeline-couplings").await.expect(200);
    assert_eq!((&of_app["id"], &of_app["pipeline"]["name"]), (&coupling["id"], &json!("shop")));
    let filtered = world.post(&carl.token, "/filters/apps", json!({ "in": { "id": [app.id.to_string()] } })).await;
    assert_eq!(filtered.expect(200)[0]["name"], "shop-staging");
    world.patch(&carl.token, &path, json!({ "name": "mine" })).await.expect(403);
    world.delete(&carl.token, &path).await.expect(403);
    let one = format!("/pipeline-couplings/{}", coupling["id"].as_str().unwrap());
    let moved = world.patch(&carl.token, &one, json!({ "stage": "production" })).await.expect(200);
    assert_eq!(moved["stage"], "production");
    assert_eq!(world.patch(&carl.token, &one, json!({ "stage": "prod" })).await.expect(422)["id"], "invalid_params");
}

#[tokio::test]
async fn names_are_unique_and_an_app_is_in_one_pipeline_at_most() {
    let world = World::new();
    let olga = world.administrator().await;
    let (shop, blog) = (pipeline(&world, &olga, "shop").await, pipeline(&world, &olga, "blog").await);
    world.post(&olga.token, "/pipelines", json!({ "name": "shop" })).await.expect(422);
    world.post(&olga.token, "/pipelines", json!({ "name": "No" })).await.expect(422);
    world.patch(&olga.token, &format!("/pipelines/{blog}"), json!({ "name": "shop" })).await.expect(422);
    let renamed = world.patch(&olga.token, &format!("/pipelines/{blog}"), json!({ "name": "journal" })).await;
    assert_eq!(renamed.expect(200)["name"], "journal");
    world.get(&olga.token, "/pipelines/blog").await.expect(404);
    world.app(&olga, "app").await;
    couple(&world, &olga, "app", &shop, "staging").await;
    let again = json!({ "app": "app", "pipeline": blog, "stage": "staging" });
    assert!(
        world.post(&olga.token, "/pipeline-couplings", again.clone()).await.expect(422)["message"]
            .as_str()
            .unwrap()
            .contains("in the pipeline shop already")
    );
    world
        .call(&olga.token, Method::DELETE, &format!("/pipelines/{shop}"), &json!({ "name": "shop" }))
        .await
        .expect(200);
    world.get(&olga.token, "/apps/app/pipeline-couplings").await.expect(404);
    world.post(&olga.token, "/pipeline-couplings", again).await.expect(201);
    world.delete(&olga.token, "/apps/app").await.expect(200);
    world.until(&olga.token, &format!("/pipelines/{blog}/pipeline-couplings"), |list| *list == json!([])).await;
}

#[tokio::test]
async fn a_promotion_releases_the_sources_build_with_the_targets_config() {
    let world = World::new();
    let olga = world.administrator().await;
    let id = pipeline(&world, &olga, "shop").await;
    let staging = running(&world, &olga, "shop-staging").await;
    let production = world.app(&olga, "shop").await.id.to_string();
    world.patch(&olga.token, "/apps/shop/config-vars", json!({ "STAGE": "production" })).await.expect(200);
    couple(&world, &olga, "shop-staging", &id, "staging").await;
    couple(&world, &olga, "shop", &id, "production").await;
    let made = world.post(&olga.token, "/pipeline-promotions", promotion(&id, &staging, &[&production])).await;
    let made = made.expect(201);
    let path = format!("/pipeline-promotions/{}", made["id"].as_str().unwrap());
    let targets = world
        .until(&olga.token, &format!("{path}/promotion-targets"), |targets| targets[0]["status"] != "pending")
        .await;
    assert_eq!((&targets[0]["status"], &targets[0]["error_message"]), (&json!("succeeded"), &Value::Null));
    assert_eq!(world.get(&olga.token, &path).await.expect(200)["status"], "completed");
    let release = targets[0]["release"]["id"].as_str().unwrap();
    let release = world.get(&olga.token, &format!("/apps/shop/releases/{release}")).await.expect(200);
    assert_eq!(release["current"], true);
    assert!(release["description"].as_str().unwrap().starts_with("Promote shop-staging v2"), "{release}");
    let source = world.get(&olga.token, "/apps/shop-staging/releases/2").await.expect(200);
    assert_eq!(source["slug"]["id"], release["slug"]["id"], "one build, one id");
    world.get(&olga.token, &format!("/apps/shop/slugs/{}", release["slug"]["id"].as_str().unwrap())).await.expect(200);
    let config = world.get(&olga.token, "/apps/shop/config-vars").await.expect(200);
    assert_eq!(config["STAGE"], "production");
}

#[tokio::test]
async fn a_promotion_needs_the_right_to_deploy_everywhere_and_apps_of_the_pipeline() {
    let world = World::new();
    let olga = world.administrator().await;
    let carl = world.person("carl@example.com").await;
    let id = pipeline(&world, &olga, "shop").await;
    let staging = running(&world, &olga, "shop-staging").await;
    let (shop, empty) = (world.app(&olga, "shop").await.id.to_string(), world.app(&olga, "empty").await.id.to_string());
    let outside = world.app(&olga, "outside").await.id.to_string();
    for (app, stage) in [("shop-staging", "staging"), ("shop", "production"), ("empty", "development")] {
        couple(&world, &olga, app, &id, stage).await;
    }
    let now = world.controller.now();
    world.controller.collaborator_add(&olga.caller, "shop-staging", &carl.caller.email, now).await.unwrap();
    let promote = async |who: &Person, source: &str, targets: &[&str], status: u16| {
        let answer = world.post(&who.token, "/pipeline-promotions", promotion(&id, source, targets)).await;
        answer.expect(status)["message"].as_str().unwrap_or_default().to_owned()
    };
    promote(&carl, &staging, &[&shop], 404).await;
    assert!(promote(&olga, &staging, &[&outside], 422).await.contains("not in the pipeline"));
    assert!(promote(&olga, &staging, &[&staging], 422).await.contains("itself"));
    assert!(promote(&olga, &staging, &[], 422).await.contains("`targets`"));
    assert!(promote(&olga, &empty, &[&shop], 422).await.contains("deploy it"));
    promote(&olga, &staging, &[&shop, &empty, &shop], 201).await;
}

#[tokio::test]
async fn a_transfer_takes_the_apps_along() {
    let world = World::new();
    let olga = world.administrator().await;
    let carl = world.person("carl@example.com").await;
    let id = pipeline(&world, &olga, "shop").await;
    world.app(&olga, "app").await;
    couple(&world, &olga, "app", &id, "staging").await;
    let found = world.get(&olga.token, "/users/carl@example.com").await.expect(200);
    assert_eq!(found["id"], carl.caller.account.to_string());
    world.get(&olga.token, "/users/nobody@example.com").await.expect(404);
    let to = |owner: Value| json!({ "pipeline": { "id": id }, "new_owner": owner });
    world.post(&olga.token, "/pipeline-transfers", to(json!({ "id": found["id"], "type": "team" }))).await.expect(422);
    let done = world.post(&olga.token, "/pipeline-transfers", to(json!({ "id": found["id"], "type": "user" }))).await;
    assert_eq!(done.expect(201)["previous_owner"]["id"], olga.caller.account.to_string());
    assert_eq!(world.get(&carl.token, "/apps/app").await.expect(200)["owner"]["email"], "carl@example.com");
}
