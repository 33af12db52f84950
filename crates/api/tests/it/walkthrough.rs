//! An app's life, as a client lives it.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::world::{Answer, DEADLINE, World};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ann@laptop";

async fn ranged(world: &World, token: &str, path: &str, range: &str) -> Answer {
    let request = Request::builder().uri(path).header("authorization", format!("Bearer {token}"));
    world.send(request.header("range", range).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn an_app_is_made_configured_renamed_given_away_and_destroyed() {
    let world = World::new();
    let ann = world.administrator().await.token;
    world.person("bob@example.com").await;
    let app = world.post(&ann, "/apps", json!({ "name": "photos", "region": "eu" })).await.expect(201);
    assert_eq!(app["web_url"], "http://photos.localhost:7000/");
    assert_eq!(app["git_url"], "http://localhost/photos.git");
    assert_eq!(app["owner"]["email"], "ann@example.com");
    assert_eq!(app["generation"]["name"], "cedar");
    let config = world.patch(&ann, "/apps/photos/config-vars", json!({ "A": "1\n2", "B": "ü" })).await.expect(200);
    assert_eq!(config, json!({ "A": "1\n2", "B": "ü" }));
    let config = world.patch(&ann, "/apps/photos/config-vars", json!({ "A": null })).await.expect(200);
    assert_eq!(config, json!({ "B": "ü" }));
    let earlier = world.get(&ann, "/apps/photos/releases/v2/config-vars").await.expect(200);
    assert_eq!(earlier["A"], "1\n2");
    let renamed =
        world.patch(&ann, "/apps/photos", json!({ "name": "pictures", "maintenance": true })).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["maintenance"]), (&json!("pictures"), &json!(true)));
    assert_eq!(renamed["id"], app["id"]);
    let by_id = world.get(&ann, &format!("/apps/{}", app["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(by_id["name"], "pictures");
    let wanted = json!({ "app": "pictures", "recipient": "bob@example.com" });
    let transfer = world.post(&ann, "/account/app-transfers", wanted).await.expect(201);
    assert_eq!(transfer["state"], "accepted");
    assert_eq!(transfer["recipient"]["email"], "bob@example.com");
    let access = world.get(&ann, "/apps/pictures/collaborators").await.expect(200);
    let roles: Vec<(&Value, &Value)> =
        access.as_array().unwrap().iter().map(|who| (&who["user"]["email"], &who["role"])).collect();
    let expected = [(&json!("ann@example.com"), &json!("collaborator")), (&json!("bob@example.com"), &json!("owner"))];
    assert_eq!(roles, expected);
    world.delete(&ann, "/apps/pictures").await.expect(200);
    world.get(&ann, "/apps/pictures").await.expect(404);
}

#[tokio::test]
async fn releases_come_in_pages_and_are_rolled_back() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    world.deploy(&ann.token, "photos").await;
    world.patch(&ann.token, "/apps/photos/config-vars", json!({ "A": "1" })).await.expect(200);
    let settled =
        |releases: &Value| releases.as_array().unwrap().iter().all(|release| release["status"] == "succeeded");
    world.until(&ann.token, "/apps/photos/releases", settled).await;
    let newest = ranged(&world, &ann.token, "/apps/photos/releases", "version ..; order=desc,max=1").await;
    assert_eq!(newest.status, 206);
    assert_eq!(newest.header("next-range"), Some("version ]3..; max=1, order=desc"));
    assert_eq!(newest.json()[0]["version"], 3);
    assert_eq!(newest.json()[0]["current"], true);
    let next = newest.header("next-range").unwrap().to_owned();
    let second = ranged(&world, &ann.token, "/apps/photos/releases", &next).await;
    assert_eq!(second.json()[0]["version"], 2);
    let all = world.get(&ann.token, "/apps/photos/releases").await;
    assert_eq!(all.status, 200);
    assert_eq!(all.header("content-range"), Some("version 1..3"));
    let target = second.json()[0]["id"].clone();
    assert_eq!(second.json()[0]["eligible_for_rollback"], true);
    let back = world.post(&ann.token, "/apps/photos/releases", json!({ "release": target })).await.expect(201);
    assert_eq!(back["version"], 4);
    assert_eq!(world.get(&ann.token, "/apps/photos/config-vars").await.expect(200), json!({}));
    let refused = world.post(&ann.token, "/apps/photos/releases", json!({ "release": 1 })).await.expect(422);
    assert!(refused["message"].as_str().unwrap().contains("no build"), "{refused}");
    world.post(&ann.token, "/apps/photos/releases", json!({})).await.expect(422);
}

#[tokio::test]
async fn processes_are_scaled_limited_checked_restarted_and_stopped() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    world.deploy(&ann.token, "photos").await;
    let scale = |quantity: Value| {
        let (world, token) = (&world, &ann.token);
        let updates = json!({ "updates": [{ "type": "worker", "quantity": quantity, "size": "Standard-1X" }] });
        async move { world.patch(token, "/apps/photos/formation", updates).await.expect(200)[0]["quantity"].clone() }
    };
    assert_eq!(scale(json!("2")).await, 2);
    assert_eq!(scale(json!("+1")).await, 3);
    assert_eq!(scale(json!("-2")).await, 1);
    let one = world.patch(&ann.token, "/apps/photos/formation/worker", json!({ "quantity": 2 })).await.expect(200);
    assert_eq!(one["quantity"], 2);
    let limits = json!({ "worker": { "memory": "64M", "cpu": "0.5" } });
    let limits = world.patch(&ann.token, "/ambo/apps/photos/limits", limits).await.expect(200);
    assert_eq!(limits, json!({ "worker": { "memory": "64M", "cpu": "500m" } }));
    let limits =
        world.patch(&ann.token, "/ambo/apps/photos/limits", json!({ "worker": { "cpu": null } })).await.expect(200);
    assert_eq!(limits, json!({ "worker": { "memory": "64M", "cpu": null } }));
    let tags = world.patch(&ann.token, "/ambo/apps/photos/tags", json!({ "worker": { "region": "eu" } })).await;
    assert_eq!(tags.expect(200), json!({ "worker": { "region": "eu" } }));
    let tags = world.patch(&ann.token, "/ambo/apps/photos/tags", json!({ "worker": { "region": null } })).await;
    assert_eq!(tags.expect(200), json!({ "worker": {} }));
    let check = json!({ "worker": { "type": "uptime", "seconds": 1 } });
    let checks = world.patch(&ann.token, "/ambo/apps/photos/healthchecks", check).await.expect(200);
    assert_eq!((&checks["worker"]["seconds"], &checks["worker"]["failures"]), (&json!(1), &json!(3)));
    let two_up = |dynos: &Value| {
        let dynos = dynos.as_array().unwrap();
        dynos.len() == 2 && dynos.iter().all(|dyno| dyno["state"] == "up" && dyno["size"] == "64M")
    };
    // Each change above is a rollout: who is listed may have been replaced by the time that they are asked for.
    let stays = async {
        loop {
            let dynos = world.until(&ann.token, "/apps/photos/dynos", two_up).await;
            let by_id =
                world.get(&ann.token, &format!("/apps/photos/dynos/{}", dynos[1]["id"].as_str().unwrap())).await;
            if by_id.status != 404 {
                return (dynos, by_id.expect(200));
            }
        }
    };
    let (dynos, second) = tokio::time::timeout(DEADLINE, stays).await.expect("the last rollout ends");
    assert_eq!(dynos[0]["name"], "worker.1");
    assert_eq!(dynos[0]["release"]["version"], 2);
    assert_eq!(second["name"], "worker.2");
    world.delete(&ann.token, "/apps/photos/dynos").await.expect(202);
    world.delete(&ann.token, "/apps/photos/formations/worker").await.expect(202);
    world.delete(&ann.token, "/apps/photos/formations/nope").await.expect(422);
}

#[tokio::test]
async fn an_account_has_keys_and_tokens_and_a_password() {
    let world = World::new();
    let ann = world.administrator().await.token;
    let key = world.post(&ann, "/account/keys", json!({ "public_key": format!("{KEY}\n") })).await.expect(201);
    assert_eq!((&key["comment"], &key["email"]), (&json!("ann@laptop"), &json!("ann@example.com")));
    assert_eq!(key["public_key"], KEY);
    let fingerprint = key["fingerprint"].as_str().unwrap().replace('/', "%2F").replace('+', "%2B");
    world.post(&ann, "/account/keys", json!({ "public_key": KEY })).await.expect(422);
    world.delete(&ann, &format!("/account/keys/{fingerprint}")).await.expect(200);
    assert_eq!(world.get(&ann, "/account/keys").await.expect(200), json!([]));
    let wanted = json!({ "description": "ci", "expires_in": 60, "scope": ["global"] });
    let made = world.post(&ann, "/oauth/authorizations", wanted).await.expect(201);
    let token = made["access_token"]["token"].as_str().unwrap().to_owned();
    let listed = world.get(&token, "/oauth/authorizations").await.expect(200);
    let shown = listed.as_array().unwrap().iter().find(|found| found["id"] == made["id"]).unwrap();
    let hint = shown["access_token"]["token"].as_str().unwrap();
    let (head, tail) = hint.split_once("**********").unwrap();
    assert!(token.starts_with(head) && token.ends_with(tail) && hint != token);
    world.delete(&token, "/oauth/sessions/~").await.expect(200);
    world.get(&token, "/account").await.expect(401);
    world.post(&ann, "/oauth/authorizations", json!({ "scope": ["everything"] })).await.expect(422);
    world.post(&ann, "/oauth/authorizations", json!({ "expires_in": 0 })).await.expect(422);
    world
        .patch(&ann, "/account", json!({ "password": "wrong horse", "new_password": "battery staple" }))
        .await
        .expect(422);
    world
        .patch(&ann, "/account", json!({ "password": "correct horse", "new_password": "battery staple" }))
        .await
        .expect(200);
    assert_eq!(world.get(&ann, "/account").await.expect(200)["role"], "administrator");
}

#[tokio::test]
async fn the_platform_says_less_to_strangers_and_is_set_by_administrators() {
    let world = World::new();
    let info = world.get("", "/ambo/info").await.expect(200);
    assert_eq!(info["registration"], "open");
    let ann = world.administrator().await.token;
    let info = world.get("", "/ambo/info").await.expect(200);
    assert_eq!((&info["registration"], &info["domain"]), (&json!("closed"), &json!("localhost")));
    assert!(info.get("engine").is_none() && info.get("registry").is_none());
    let known = world.get(&ann, "/ambo/info").await.expect(200);
    assert_eq!(known["registry"], "127.0.0.1:7050");
    world.get("nonsense", "/ambo/info").await.expect(401);
    let settings = world.patch(&ann, "/ambo/settings", json!({ "registration": "invitation" })).await.expect(200);
    assert_eq!(settings, json!({ "registration": "invitation", "releases_kept": 10 }));
    world.patch(&ann, "/ambo/settings", json!({ "registration": "never" })).await.expect(422);
    world.patch(&ann, "/ambo/settings", json!({ "releases_kept": 0 })).await.expect(422);
    let invitation = world.post(&ann, "/ambo/invitations", json!({ "email": "bob@example.com" })).await.expect(201);
    let body = json!({ "email": "bob@example.com", "password": "correct horse", "invitation": invitation["code"] });
    let bob = world.post("", "/ambo/accounts", body).await.expect(201);
    assert_eq!(bob["account"]["role"], "member");
    let accounts = world.get(&ann, "/ambo/accounts").await.expect(200);
    assert_eq!(accounts.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn domains_are_listed_with_the_platforms_own_name_for_the_app() {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    let added =
        world.post(&ann.token, "/apps/photos/domains", json!({ "hostname": "WWW.Example.com" })).await.expect(201);
    assert_eq!((&added["hostname"], &added["cname"]), (&json!("www.example.com"), &json!("photos.localhost")));
    let listed = world.get(&ann.token, "/apps/photos/domains").await.expect(200);
    let kinds: Vec<&str> = listed.as_array().unwrap().iter().map(|domain| domain["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["heroku", "custom"]);
    world.get(&ann.token, "/apps/photos/domains/photos.localhost").await.expect(200);
    world.delete(&ann.token, &format!("/apps/photos/domains/{}", added["id"].as_str().unwrap())).await.expect(200);
    world.get(&ann.token, "/apps/photos/domains/www.example.com").await.expect(404);
}
