//! Who may do what, by Basic authentication and by token.

use std::time::Duration;

use ambo_registry::PLATFORM_USERNAME;
use axum::body::Body;
use http::{Method, Request, StatusCode};

use crate::platform::{OWNER, PASSWORD, PLATFORM_PASSWORD, READER, Reply, STRANGER, TestRegistry, basic, request};

async fn ask_as(test: &TestRegistry, authorization: Option<&str>, method: Method, path: &str) -> Reply {
    let mut request = Request::builder().method(method).uri(path).header("host", "registry.local:7050");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    test.send(request.body(Body::empty()).unwrap()).await
}

async fn token(test: &TestRegistry, username: &str, scopes: &str) -> String {
    let login = basic(username, if username == PLATFORM_USERNAME { PLATFORM_PASSWORD } else { PASSWORD });
    let path = format!("/v2/token?service=ambo&{scopes}");
    let reply = ask_as(test, Some(&login), Method::GET, &path).await;
    let answer = reply.expect(StatusCode::OK).json();
    assert_eq!(answer["token"], answer["access_token"]);
    assert_eq!(answer["expires_in"], 900);
    format!("Bearer {}", answer["token"].as_str().unwrap())
}

#[tokio::test]
async fn who_shows_nothing_is_told_where_to_get_a_token() {
    let test = TestRegistry::new();
    let reply = ask_as(&test, None, Method::GET, "/v2/").await;
    reply.expect_error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
    assert_eq!(
        reply.header("www-authenticate"),
        "Bearer realm=\"http://registry.local:7050/v2/token\",service=\"ambo\""
    );
    let reply = ask_as(&test, None, Method::POST, "/v2/myapp/cache/blobs/uploads/").await;
    assert_eq!(
        reply.header("www-authenticate"),
        "Bearer realm=\"http://registry.local:7050/v2/token\",service=\"ambo\",scope=\"repository:myapp/cache:pull,push\""
    );
}

#[tokio::test]
async fn the_realm_is_the_external_url_for_those_who_come_by_it() {
    let test =
        TestRegistry::with(|settings| settings.external_url = Some("https://registry.local:7050".parse().unwrap()));
    let reply = ask_as(&test, None, Method::GET, "/v2/").await;
    assert!(reply.header("www-authenticate").contains("\"https://registry.local:7050/v2/token\""));
    let inside = Request::get("/v2/").header("host", "127.0.0.1:7050").body(Body::empty()).unwrap();
    let reply = test.send(inside).await;
    assert!(reply.header("www-authenticate").contains("\"http://127.0.0.1:7050/v2/token\""));
    for host in ["a\"b", "evil@host", "a b"] {
        let odd = Request::get("/v2/").header("host", host).body(Body::empty()).unwrap();
        let reply = test.send(odd).await;
        assert!(reply.header("www-authenticate").contains("\"https://registry.local:7050/v2/token\""), "{host}");
    }
}

#[tokio::test]
async fn a_token_does_what_its_scope_and_its_account_allow() {
    let test = TestRegistry::new();
    test.push_image("myapp", "v1", b"layer").await;
    let pull = token(&test, READER, "scope=repository:myapp:pull,push").await;
    ask_as(&test, Some(&pull), Method::GET, "/v2/").await.expect(StatusCode::OK);
    ask_as(&test, Some(&pull), Method::GET, "/v2/myapp/manifests/v1").await.expect(StatusCode::OK);
    let push = ask_as(&test, Some(&pull), Method::POST, "/v2/myapp/blobs/uploads/").await;
    push.expect_error(StatusCode::FORBIDDEN, "DENIED");
    // The owner may, but this token may not: the client is told to get another.
    let narrow = token(&test, OWNER, "scope=repository:myapp:pull").await;
    let push = ask_as(&test, Some(&narrow), Method::POST, "/v2/myapp/blobs/uploads/").await;
    push.expect_error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
    assert!(
        push.header("www-authenticate").ends_with("scope=\"repository:myapp:pull,push\",error=\"insufficient_scope\"")
    );
    let wide = token(&test, OWNER, "scope=repository:myapp:pull,push&scope=repository:other:pull").await;
    ask_as(&test, Some(&wide), Method::POST, "/v2/myapp/blobs/uploads/").await.expect(StatusCode::ACCEPTED);
    ask_as(&test, Some(&wide), Method::GET, "/v2/other/tags/list").await.expect(StatusCode::OK);
    ask_as(&test, Some(&wide), Method::POST, "/v2/other/blobs/uploads/").await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn strangers_learn_nothing_about_apps() {
    let test = TestRegistry::new();
    test.push_image("myapp", "v1", b"layer").await;
    for path in ["/v2/myapp/manifests/v1", "/v2/nobody/manifests/v1", "/v2/0/manifests/v1"] {
        let reply = test.send(request(STRANGER, Method::GET, path, &[], "")).await;
        reply.expect_error(StatusCode::NOT_FOUND, "NAME_UNKNOWN");
        let token = token(&test, STRANGER, "scope=repository:myapp:pull").await;
        ask_as(&test, Some(&token), Method::GET, path).await.expect_error(StatusCode::NOT_FOUND, "NAME_UNKNOWN");
    }
}

#[tokio::test]
async fn wrong_credentials_open_nothing() {
    let test = TestRegistry::new();
    for authorization in [
        basic(OWNER, "wrong"),
        basic("nobody@example.com", PASSWORD),
        basic(PLATFORM_USERNAME, PASSWORD),
        "Bearer x.y".to_owned(),
        "Bearer".to_owned(),
        "Basic ???".to_owned(),
    ] {
        for path in ["/v2/", "/v2/token", "/v2/myapp/tags/list"] {
            let reply = ask_as(&test, Some(&authorization), Method::GET, path).await;
            reply.expect_error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
        }
    }
}

#[tokio::test]
async fn throttled_and_unavailable_say_so() {
    let test = TestRegistry::new();
    let reply = test.send(request("throttled@example.com", Method::GET, "/v2/token", &[], "")).await;
    reply.expect_error(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS");
    assert_eq!(reply.header("retry-after"), "7");
    let reply = test.send(request("broken@example.com", Method::GET, "/v2/", &[], "")).await;
    reply.expect_error(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE");
}

#[tokio::test]
async fn the_platform_may_push_and_pull_everything_that_exists() {
    let test = TestRegistry::new();
    let login = basic(PLATFORM_USERNAME, PLATFORM_PASSWORD);
    ask_as(&test, Some(&login), Method::POST, "/v2/myapp/blobs/uploads/").await.expect(StatusCode::ACCEPTED);
    let bearer = token(&test, PLATFORM_USERNAME, "scope=repository:other:pull,push").await;
    ask_as(&test, Some(&bearer), Method::POST, "/v2/other/blobs/uploads/").await.expect(StatusCode::ACCEPTED);
    ask_as(&test, Some(&login), Method::GET, "/v2/nobody/tags/list").await.expect(StatusCode::NOT_FOUND);
    let without = TestRegistry::with(|settings| settings.platform_password = None);
    ask_as(&without, Some(&login), Method::GET, "/v2/").await.expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn api_tokens_work_as_bearer_and_registry_tokens_give_no_others() {
    let test = TestRegistry::new();
    let api = format!("Bearer api:{PASSWORD}");
    ask_as(&test, Some(&api), Method::GET, "/v2/myapp/tags/list").await.expect(StatusCode::OK);
    ask_as(&test, Some(&api), Method::GET, "/v2/token").await.expect(StatusCode::OK);
    let ours = token(&test, OWNER, "scope=repository:myapp:pull").await;
    let reply = ask_as(&test, Some(&ours), Method::GET, "/v2/token?scope=repository:myapp:push").await;
    reply.expect_error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
}

#[tokio::test]
async fn the_token_endpoint_takes_a_form_too() {
    let test = TestRegistry::new();
    let form = "grant_type=password&service=ambo&client_id=c&username=owner%40example.com&password=correct+horse&scope=repository%3Amyapp%3Apull";
    let request =
        Request::post("/v2/token").header("content-type", "application/x-www-form-urlencoded").body(form.into());
    let answer = test.send(request.unwrap()).await.expect(StatusCode::OK).json();
    let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    ask_as(&test, Some(&bearer), Method::GET, "/v2/myapp/tags/list").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn expired_tokens_and_too_many_scopes_are_refused() {
    let test = TestRegistry::with(|settings| settings.token_lifetime = Duration::ZERO);
    let login = basic(OWNER, PASSWORD);
    let answer = ask_as(&test, Some(&login), Method::GET, "/v2/token").await.json();
    let bearer = format!("Bearer {}", answer["token"].as_str().unwrap());
    let reply = ask_as(&test, Some(&bearer), Method::GET, "/v2/").await;
    assert!(reply.expect(StatusCode::UNAUTHORIZED).header("www-authenticate").contains("invalid_token"));
    let many = vec!["scope=repository:myapp:pull"; 17].join("&");
    let reply = ask_as(&test, Some(&login), Method::GET, &format!("/v2/token?{many}")).await;
    reply.expect_error(StatusCode::BAD_REQUEST, "UNSUPPORTED");
}

#[tokio::test]
async fn access_that_is_withdrawn_is_withdrawn_from_tokens_too() {
    let test = TestRegistry::new();
    let bearer = token(&test, OWNER, "scope=repository:myapp:pull").await;
    ask_as(&test, Some(&bearer), Method::GET, "/v2/myapp/tags/list").await.expect(StatusCode::OK);
    test.platform.apps.lock().remove("myapp");
    ask_as(&test, Some(&bearer), Method::GET, "/v2/myapp/tags/list").await.expect(StatusCode::NOT_FOUND);
}
