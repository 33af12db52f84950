//! What goes over HTTP, byte for byte.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Client, ClientBuilder, StatusCode};

use crate::platform::{Platform, Transport};

fn client() -> Client {
    builder().build().unwrap()
}

fn builder() -> ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_asked_for_a_password_first() {
    let platform = Platform::start().await;
    for app in ["shop", "none"] {
        let url = format!("http://{}/{app}.git/info/refs?service=git-receive-pack", platform.http);
        let response = client().get(&url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic realm=\"Ambo\""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_never_kept_and_name_their_type() {
    let platform = Platform::start().await;
    let url = format!("http://{}/shop.git/info/refs?service=git-receive-pack", platform.http);
    let h2 = builder().http2_prior_knowledge().build().unwrap();
    for client in [client(), h2] {
        let response = client.get(&url).basic_auth("x", Some("token-of-ann@example.com")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/x-git-receive-pack-advertisement");
        assert!(response.headers()["cache-control"].to_str().unwrap().contains("no-cache"));
        assert!(response.text().await.unwrap().starts_with("001f# service=git-receive-pack\n0000"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_smart_are_refused_clearly() {
    let platform = Platform::start().await;
    let get = async |path: &str| {
        let url = format!("http://{}{path}", platform.http);
        let response = client().get(url).bearer_auth("token-of-ann@example.com").send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    };
    let (status, text) = get("/shop.git/info/refs").await;
    assert!(status == StatusCode::FORBIDDEN && text.contains("smart protocol only"), "{text}");
    assert_eq!(get("/shop.git/info/refs?service=git-upload-archive").await.0, StatusCode::FORBIDDEN);
    assert_eq!(get("/shop/info/refs?service=git-upload-pack").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get("/shop.git/HEAD").await.0, StatusCode::NOT_FOUND);

    let url = format!("http://{}/shop.git/git-upload-pack", platform.http);
    let post = client().post(&url).bearer_auth("token-of-ann@example.com").body("0000").send().await.unwrap();
    assert_eq!(post.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test(flavor = "multi_thread")]
async fn gzipped_requests_are_read_and_broken_ones_end() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    let pushed = platform.git("ann", &source, &["push", &platform.url(Transport::Http, "ann", "shop"), "main"]).await;
    assert!(pushed.ok);
    let post = async |encoding: &str, body: Vec<u8>| {
        let url = format!("http://{}/shop.git/git-upload-pack", platform.http);
        let request = client().post(url).bearer_auth("token-of-ann@example.com").body(body);
        let request = request.header("content-type", "application/x-git-upload-pack-request");
        request.header("content-encoding", encoding).header("git-protocol", "version=2").send().await.unwrap()
    };
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(b"0014command=ls-refs\n0000").unwrap();
    let packed = packed.finish().unwrap();
    let response = post("gzip", packed.clone()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.text().await.unwrap().contains("refs/heads/main"));
    assert_eq!(post("br", packed.clone()).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(post("gzip", b"noise".to_vec()).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_post_buffer_makes_git_send_in_chunks() {
    let platform = Platform::start().await;
    let source = platform.source("work").await;
    let mut noise = vec![0_u8; 1 << 20];
    rand::Rng::fill(&mut rand::rng(), &mut noise[..]);
    platform.commit(&source, "noise.bin", &noise).await;
    let url = platform.url(Transport::Http, "ann", "shop");
    let options = ["-c", "http.postBuffer=65536", "-c", "http.extraHeader=Expect: 100-continue"];
    let answer = platform.git("ann", &source, &[&options[..], &["push", &url, "main"]].concat()).await;
    assert!(answer.ok, "{}", answer.text);
}
