//! Every route times everybody.

use std::collections::BTreeMap;

use ambo_api::{Access, ROUTES, Route};
use ambo_controller::accounts::{Permission, TokenScope};
use ambo_model::{App, AppId};
use http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Person, World, filled};

/// An id that nothing has.
const NOBODY: &str = "0199aaaa-0000-7000-8000-000000000000";

/// A body that is read, for routes that take one. A new route with a body needs a line here.
fn body(route: &Route, app: &str) -> Value {
    match (route.method.as_str(), route.path) {
        ("GET" | "DELETE", _) | (_, "/apps/{app}/dynos/{dyno}/actions/stop") => Value::Null,
        (_, "/apps/{app}/formations/{process}/actions/stop") => Value::Null,
        (_, "/oauth/authorizations/{token}/actions/regenerate-tokens") => Value::Null,
        (_, "/oauth/authorizations/{token}") => json!({ "description": "another" }),
        (_, "/account/features/{feature}" | "/apps/{app}/features/{feature}") => json!({ "enabled": true }),
        (_, "/apps/{app}/addons") => json!({ "plan": "redis:small" }),
        (_, "/actions/addons/resolve" | "/actions/addon-attachments/resolve") => json!({ "addon": "redis" }),
        (_, "/apps/{app}/buildpack-installations") => json!({ "updates": [{ "buildpack": "heroku/ruby" }] }),
        (_, "/ambo/images/collect" | "/sources" | "/apps/{app}/sources" | "/ambo/sources/{secret}") => Value::Null,
        (_, "/apps/{app}/slugs" | "/ambo/backups" | "/ambo/backups/download") => Value::Null,
        (_, "/app-setups") => json!({ "source_blob": { "url": "http://127.0.0.1/" } }),
        (_, "/ambo/accounts") => json!({ "email": format!("{app}@example.com"), "password": "correct horse" }),
        (_, "/ambo/invitations" | "/oauth/authorizations" | "/apps" | "/ambo/settings") => json!({}),
        (_, "/account") => json!({ "password": "wrong", "new_password": "battery staple" }),
        (_, "/account/keys") => json!({ "public_key": "nonsense" }),
        (_, "/account/app-transfers") => json!({ "app": app, "recipient": "carl@example.com" }),
        (_, "/apps/{app}") => json!({ "maintenance": true }),
        (_, "/ambo/apps/{app}/transfer") => json!({ "owner": "carl@example.com" }),
        (_, "/apps/{app}/collaborators") => json!({ "user": "dora@example.com" }),
        (_, "/apps/{app}/config-vars") => json!({ "A": "1" }),
        (_, "/apps/{app}/releases") => json!({ "release": "v1" }),
        (_, "/apps/{app}/builds") => json!({ "source_blob": { "url": "https://example.com/x.tar" } }),
        (_, "/ambo/apps/{app}/builds") => json!({ "image": "nginx" }),
        (_, "/apps/{app}/formation") => json!({ "updates": [{ "type": "worker", "quantity": 0 }] }),
        (_, "/apps/{app}/formation/{process}") => json!({ "quantity": 0 }),
        (_, "/ambo/apps/{app}/limits") => json!({ "worker": { "memory": "64M" } }),
        (_, "/ambo/apps/{app}/tags") => json!({ "worker": { "region": "eu" } }),
        (_, "/ambo/apps/{app}/healthchecks") => json!({ "worker": { "type": "uptime" } }),
        (_, "/apps/{app}/dynos" | "/apps/{app}/dynos/{dyno}") => json!({ "command": "true" }),
        (_, "/apps/{app}/domains/{domain}") => json!({ "sni_endpoint": null }),
        (_, "/apps/{app}/sni-endpoints" | "/apps/{app}/sni-endpoints/{certificate}") => {
            json!({ "certificate_chain": "none", "private_key": "none" })
        }
        (_, "/apps/{app}/acm") => json!({}),
        (_, "/apps/{app}/domains") => json!({ "hostname": format!("{app}.example.com") }),
        (_, "/pipelines") => json!({ "name": app }),
        (_, "/pipelines/{pipeline}") => json!({ "name": "other" }),
        (_, "/pipeline-transfers") => {
            json!({ "pipeline": { "id": NOBODY }, "new_owner": { "id": NOBODY, "type": "user" } })
        }
        (_, "/pipeline-couplings") => json!({ "app": app, "pipeline": NOBODY, "stage": "staging" }),
        (_, "/pipeline-couplings/{coupling}") => json!({ "stage": "staging" }),
        (_, "/filters/apps") => json!({ "in": { "id": [NOBODY] } }),
        (_, "/pipeline-promotions") => {
            json!({ "pipeline": { "id": NOBODY }, "source": { "app": { "id": app } }, "targets": [] })
        }
        (_, "/apps/{app}/log-drains") => json!({ "url": "syslog://logs.example.com:514" }),
        (_, "/apps/{app}/log-sessions") => json!({ "lines": 1 }),
        (method, path) => panic!("{method} {path} has no case: add a body for it"),
    }
}

async fn call(world: &World, route: &Route, token: &str, app: &str) -> Answer {
    let values = BTreeMap::from([
        ("app", app.to_owned()),
        ("email", "nobody@example.com".to_owned()),
        ("release", "1".to_owned()),
        ("backup", NOBODY.to_owned()),
        ("build", "0199aaaa-0000-7000-8000-000000000000".to_owned()),
        ("process", "worker".to_owned()),
        ("dyno", "worker.1".to_owned()),
        ("certificate", "birch-12345".to_owned()),
        ("user", "nobody@example.com".to_owned()),
        ("pipeline", NOBODY.to_owned()),
        ("coupling", NOBODY.to_owned()),
        ("promotion", NOBODY.to_owned()),
        ("drain", NOBODY.to_owned()),
        ("domain", "www.example.com".to_owned()),
        ("token", "0199aaaa-0000-7000-8000-000000000000".to_owned()),
        ("key", "SHA256:none".to_owned()),
        ("setup", "0199aaaa-0000-7000-8000-000000000000".to_owned()),
        ("slug", "0199aaaa-0000-7000-8000-000000000000".to_owned()),
        ("secret", "guessed".to_owned()),
        ("session", "guessed".to_owned()),
        ("feature", "turbo".to_owned()),
        ("addon", "redis".to_owned()),
        ("name", "heroku%2Fruby".to_owned()),
    ]);
    world.call(token, route.method.clone(), &filled(route.path, &values), &body(route, app)).await
}

/// Whether an answer keeps somebody out, as opposed to one about the request itself.
fn kept_out(answer: &Answer) -> Option<u16> {
    let status = answer.status.as_u16();
    match status {
        401 | 403 => Some(status),
        404 if answer.text.contains("Couldn't find that app:") => Some(status),
        500.. => panic!("{status}: {}", answer.text),
        _ => None,
    }
}

/// Who asks, and with which token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    Stranger,
    Collaborator,
    Owner,
    Administrator,
    /// The administrator's token, which only reads.
    AdministratorsReadToken,
    /// The owner's token, which only reads.
    ReadToken,
    /// The owner's token for this app.
    DeployToken,
    /// The owner's token for another app of theirs.
    AnotherAppsDeployToken,
    /// The owner's token, an hour after its end.
    ExpiredToken,
}

const WHO: [Who; 10] = [
    Who::Nobody,
    Who::Stranger,
    Who::Collaborator,
    Who::Owner,
    Who::Administrator,
    Who::AdministratorsReadToken,
    Who::ReadToken,
    Who::DeployToken,
    Who::AnotherAppsDeployToken,
    Who::ExpiredToken,
];

struct Cast {
    administrator: Person,
    owner: Person,
    collaborator: Person,
    stranger: Person,
}

impl Cast {
    async fn new(world: &World) -> Self {
        let administrator = world.administrator().await;
        let cast = Self {
            administrator,
            owner: world.person("olga@example.com").await,
            collaborator: world.person("carl@example.com").await,
            stranger: world.person("stan@example.com").await,
        };
        world.person("dora@example.com").await;
        cast
    }

    async fn app(&self, world: &World, name: &str) -> App {
        let app = world.app(&self.owner, name).await;
        let (controller, now) = (&world.controller, world.controller.now());
        let added = controller.collaborator_add(&self.owner.caller, name, &self.collaborator.caller.email, now).await;
        added.unwrap();
        app
    }

    async fn token(&self, world: &World, who: Who, app: &App, other: AppId) -> String {
        let (person, scope) = match who {
            Who::Nobody => return String::new(),
            Who::ExpiredToken => return world.expired_token(&self.owner).await,
            Who::Stranger => (&self.stranger, TokenScope::Global),
            Who::Collaborator => (&self.collaborator, TokenScope::Global),
            Who::Owner => (&self.owner, TokenScope::Global),
            Who::Administrator => (&self.administrator, TokenScope::Global),
            Who::AdministratorsReadToken => (&self.administrator, TokenScope::Read),
            Who::ReadToken => (&self.owner, TokenScope::Read),
            Who::DeployToken => (&self.owner, TokenScope::Deploy(app.id)),
            Who::AnotherAppsDeployToken => (&self.owner, TokenScope::Deploy(other)),
        };
        world.token(person, scope).await
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let world = World::new();
    let cast = Cast::new(&world).await;
    world.patch(&cast.administrator.token, "/ambo/settings", json!({ "registration": "open" })).await.expect(200);
    let (unchanged, other) = (cast.app(&world, "unchanged").await, cast.app(&world, "another").await);
    for (number, route) in ROUTES.iter().enumerate() {
        for (at, who) in WHO.into_iter().enumerate() {
            let app = match route.method {
                Method::GET => unchanged.clone(),
                _ => cast.app(&world, &format!("app-{number}-{at}")).await,
            };
            let token = cast.token(&world, who, &app, other.id).await;
            let answer = call(&world, route, &token, app.name.as_str()).await;
            let outcome = kept_out(&answer);
            let expected = expected(route, who);
            assert_eq!(outcome, expected, "{} {} as {who:?}: {}", route.method, route.path, answer.text);
        }
    }
}

fn expected(route: &Route, who: Who) -> Option<u16> {
    let status = match (route.access, who) {
        // Open to everybody, but what it shows depends on who asks: a token that is no good is said to be.
        (Access::Public, Who::ExpiredToken) if route.path == "/ambo/info" => 401,
        (Access::Secret | Access::Public, _) => 0,
        (_, Who::Nobody | Who::ExpiredToken) => 401,
        (Access::Token, _) => 0,
        (
            Access::Password | Access::Account | Access::Administrator,
            Who::AdministratorsReadToken | Who::ReadToken | Who::DeployToken | Who::AnotherAppsDeployToken,
        ) => 403,
        (Access::AdministratorToRead, Who::Administrator | Who::AdministratorsReadToken) => 0,
        (Access::AdministratorToRead, _) => 403,
        (Access::Administrator, Who::Stranger | Who::Collaborator | Who::Owner) => 403,
        (Access::App(_), Who::Stranger | Who::AnotherAppsDeployToken) => 404,
        (Access::App(Permission::Deploy | Permission::Manage), Who::AdministratorsReadToken | Who::ReadToken) => 403,
        (Access::App(Permission::Manage), Who::Collaborator | Who::DeployToken) => 403,
        _ => 0,
    };
    Some(status).filter(|status| *status != 0)
}

#[tokio::test]
async fn the_unfilled_public_routes_are_these() {
    let public: Vec<&str> =
        ROUTES.iter().filter(|route| route.access == Access::Public).map(|route| route.path).collect();
    assert_eq!(
        public,
        ["/ambo/info", "/ambo/ca.pem", "/ambo/accounts", "/buildpacks/{name}", "/api/v4/current-status"]
    );
}

#[tokio::test]
async fn a_strangers_answer_is_the_same_whether_the_app_exists_or_not() {
    let world = World::new();
    let cast = Cast::new(&world).await;
    let app = world.app(&cast.owner, "photos").await;
    let ask = |app: String| {
        let (world, token) = (&world, &cast.stranger.token);
        async move { world.get(token, &format!("/apps/{app}")).await.expect(404)["message"].to_string() }
    };
    let (known, unknown) = (ask("photos".to_owned()).await, ask("videos".to_owned()).await);
    assert_eq!(known.replace("photos", "videos"), unknown);
    let by_id = ask(app.id.to_string()).await;
    assert!(!by_id.contains("photos"), "{by_id}");
}

#[tokio::test]
async fn a_token_is_taken_as_bearer_and_as_either_part_of_basic() {
    use base64::Engine as _;
    let world = World::new();
    let ann = world.administrator().await;
    let basic = |text: String| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
    let send = |value: String| {
        let world = &world;
        async move {
            let request = http::Request::builder().uri("/account").header("authorization", value);
            world.send(request.body(axum::body::Body::empty()).unwrap()).await.status.as_u16()
        }
    };
    let token = ann.token.clone();
    assert_eq!(send(format!("Bearer {token}")).await, 200);
    assert_eq!(send(format!("bearer  {token}")).await, 200);
    assert_eq!(send(basic(format!(":{token}"))).await, 200);
    assert_eq!(send(basic(format!("whoever:{token}"))).await, 200);
    assert_eq!(send(basic(format!("{token}:"))).await, 200);
    for bad in [
        "Bearer nonsense".to_owned(),
        "Bearer".to_owned(),
        "Digest x".to_owned(),
        "Basic !!!".to_owned(),
        basic("no colon".to_owned()),
        basic("ann@example.com:correct horse".to_owned()),
    ] {
        assert_eq!(send(bad.clone()).await, 401, "{bad}");
    }
}

#[tokio::test]
async fn guessing_a_password_is_slowed_down_with_a_time_to_wait() {
    use base64::Engine as _;
    let world = World::new();
    world.administrator().await;
    let login = |password: &'static str| {
        let world = &world;
        let value = base64::engine::general_purpose::STANDARD.encode(format!("ann@example.com:{password}"));
        async move {
            let request = http::Request::builder().method(Method::POST).uri("/oauth/authorizations");
            let request = request.header("authorization", format!("Basic {value}"));
            world.send(request.body(axum::body::Body::empty()).unwrap()).await
        }
    };
    let made = login("correct horse").await.expect(201);
    assert!(made["access_token"]["token"].as_str().unwrap().starts_with("ambo_"));
    assert_eq!(made["user"]["email"], "ann@example.com");
    for _ in 0..5 {
        assert_eq!(login("wrong").await.expect(401)["id"], "unauthorized");
    }
    let slowed = login("correct horse").await;
    assert_eq!(slowed.header("retry-after"), Some("1"));
    assert_eq!(slowed.expect(429)["id"], "rate_limit");
}
