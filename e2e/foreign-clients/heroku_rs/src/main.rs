//! Walks through the API with `heroku_rs`, whose types hold every field to the published schema.
//! Usage: `ambo-e2e-heroku-rs begin|end URL TOKEN APP`

use std::collections::HashMap;
use std::time::Duration;

use heroku_rs::endpoints::{account, apps, config_vars, domains, dynos, formations, releases};
use heroku_rs::framework::apiclient::HerokuApiClient;
use heroku_rs::framework::auth::Credentials;
use heroku_rs::framework::response::HerokuApiFailure;
use heroku_rs::framework::{ApiEnvironment, HttpApiClient, HttpApiClientConfig};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [phase, url, token, app] = arguments.as_slice() else { panic!("usage: begin|end URL TOKEN APP") };
    let client = HttpApiClient::new(
        Credentials::UserAuthToken { token: token.clone() },
        HttpApiClientConfig { http_timeout: Duration::from_secs(120), default_headers: http::HeaderMap::default() },
        ApiEnvironment::Custom(url::Url::parse(url).expect("a URL")),
    )
    .expect("a client");
    match phase.as_str() {
        "begin" => begin(&client, app),
        "end" => end(&client, app),
        other => panic!("no such phase: {other}"),
    }
    println!("walked");
}

fn begin(client: &HttpApiClient, app: &str) {
    assert!(client.request(&account::AccountDetails::new()).expect("the account").email.contains('@'));
    let before = client.request(&apps::AppList::new()).expect("apps");
    assert!(before.iter().all(|one| one.name != app));
    let made = client.request(&apps::AppCreate::new().name(app).build()).expect("an app");
    assert_eq!(made.name, app);
    assert_eq!(client.request(&apps::AppDetails::new(&made.id)).expect("the app").name, app);
    let config = HashMap::from([("GREETING".to_owned(), "hello".to_owned())]);
    let config = client.request(&config_vars::AppConfigVarUpdate::new(app, config)).expect("config");
    assert_eq!(config.get("GREETING").map(String::as_str), Some("hello"));
    let hostname = format!("www.{app}.example");
    assert_eq!(client.request(&domains::DomainCreate::new(app, &hostname)).expect("a domain").kind, "custom");
    let refused = client.request(&apps::AppDetails::new("no-such-app")).expect_err("no app");
    let HerokuApiFailure::Error(status, error) = refused else { panic!("not an error of the API: {refused}") };
    assert_eq!((status.as_u16(), error.id.as_str()), (404, "not_found"));
}

fn end(client: &HttpApiClient, app: &str) {
    // Its builder puts the app's name where the process belongs, so the request is written out.
    let params = formations::FormationUpdateParams { quantity: Some(2), size: None };
    let scaled = formations::FormationUpdate { app_id: app, formation_id: "web", params };
    assert_eq!(client.request(&scaled).expect("a formation").quantity, 2);
    let formation = client.request(&formations::FormationList::new(app)).expect("formations");
    assert!(formation.iter().any(|one| one.r#type == "web" && one.quantity == 2));
    let all = client.request(&releases::ReleaseList::new(app)).expect("releases");
    assert!(all.len() >= 3 && all.iter().filter(|release| release.current).count() == 1);
    let hostname = format!("www.{app}.example");
    let known = client.request(&domains::DomainList::new(app)).expect("domains");
    assert!(known.iter().any(|domain| domain.hostname == hostname));
    let running = client.request(&dynos::DynoList::new(app)).expect("dynos");
    assert!(running.iter().any(|dyno| dyno.name == "web.1"));
    client.request(&domains::DomainDelete::new(app, &hostname)).expect("the domain goes");
    client.request(&apps::AppDelete::new(app)).expect("the app goes");
    assert!(client.request(&apps::AppDetails::new(app)).is_err());
}
