//! Pull (end-1, end-2, end-3).

use axum::body::Body;
use http::{Method, StatusCode};

use crate::platform::{IMAGE, TestRegistry, sha256};

#[tokio::test]
async fn end_1_says_that_this_is_a_registry() {
    let test = TestRegistry::new();
    test.get("/v2/").await.expect(StatusCode::OK);
    test.get("/v2").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn end_2_gives_a_blob_with_its_size_and_digest() {
    let test = TestRegistry::new();
    let digest = test.push_blob("myapp", b"hello world").await;
    let path = format!("/v2/myapp/blobs/{digest}");
    let reply = test.get(&path).await;
    reply.expect(StatusCode::OK);
    assert_eq!(reply.body, "hello world");
    let head = test.head(&path).await;
    for reply in [&reply, head.expect(StatusCode::OK)] {
        assert_eq!(reply.header("content-length"), "11");
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
        assert_eq!(reply.header("accept-ranges"), "bytes");
    }
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn end_2_gives_part_of_a_blob() {
    let test = TestRegistry::new();
    let digest = test.push_blob("myapp", b"hello world").await;
    let path = format!("/v2/myapp/blobs/{digest}");
    for (asked, content, place) in [
        ("bytes=0-4", "hello", "bytes 0-4/11"),
        ("bytes=6-", "world", "bytes 6-10/11"),
        ("bytes=-3", "rld", "bytes 8-10/11"),
    ] {
        let reply = test.ask(Method::GET, &path, &[("range", asked)], Body::empty()).await;
        reply.expect(StatusCode::PARTIAL_CONTENT);
        assert_eq!((reply.body.as_ref(), reply.header("content-range")), (content.as_bytes(), place));
    }
    let beyond = test.ask(Method::GET, &path, &[("range", "bytes=11-")], Body::empty()).await;
    beyond.expect_error(StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID");
    assert_eq!(beyond.header("content-range"), "bytes */11");
}

#[tokio::test]
async fn end_2_knows_no_blob_that_the_repository_does_not_have() {
    let test = TestRegistry::new();
    let digest = test.push_blob("other", b"secret of another app").await;
    for name in ["myapp", "other/below"] {
        let path = format!("/v2/{name}/blobs/{digest}");
        test.get(&path).await.expect_error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN");
        test.head(&path).await.expect(StatusCode::NOT_FOUND);
    }
    test.get("/v2/myapp/blobs/sha256:abc").await.expect_error(StatusCode::BAD_REQUEST, "DIGEST_INVALID");
    test.get("/v2/My_App/blobs/x").await.expect_error(StatusCode::BAD_REQUEST, "NAME_INVALID");
}

#[tokio::test]
async fn end_3_gives_a_manifest_byte_for_byte_by_tag_and_by_digest() {
    let test = TestRegistry::new();
    let manifest = test.image("myapp", b"layer").await;
    // Odd white space must survive.
    let text = format!("  {}\n\n", serde_json::to_string_pretty(&manifest).unwrap());
    let digest = sha256(text.as_bytes());
    let reply = test.ask(Method::PUT, "/v2/myapp/manifests/v1", &[("content-type", IMAGE)], text.clone()).await;
    reply.expect(StatusCode::CREATED);
    for reference in ["v1", &digest.to_string()] {
        let path = format!("/v2/myapp/manifests/{reference}");
        let reply = test.get(&path).await;
        assert_eq!(reply.expect(StatusCode::OK).body, text.as_bytes());
        let head = test.head(&path).await;
        for reply in [&reply, head.expect(StatusCode::OK)] {
            assert_eq!(reply.header("content-type"), IMAGE);
            assert_eq!(reply.header("docker-content-digest"), digest.to_string());
            assert_eq!(reply.header("content-length"), text.len().to_string());
        }
    }
}

#[tokio::test]
async fn end_3_knows_no_other_manifests() {
    let test = TestRegistry::new();
    let digest = test.push_image("other", "v1", b"layer").await;
    for reference in ["v1", &digest.to_string()] {
        let path = format!("/v2/myapp/manifests/{reference}");
        test.get(&path).await.expect_error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN");
        test.head(&path).await.expect(StatusCode::NOT_FOUND);
    }
    test.get("/v2/myapp/manifests/.x").await.expect_error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID");
}

#[tokio::test]
async fn paths_and_methods_that_are_none_of_the_specifications_are_refused() {
    let test = TestRegistry::new();
    test.get("/v2/myapp").await.expect_error(StatusCode::NOT_FOUND, "UNSUPPORTED");
    test.get("/v2/_catalog").await.expect_error(StatusCode::NOT_FOUND, "UNSUPPORTED");
    let reply = test.ask(Method::PATCH, "/v2/myapp/tags/list", &[], Body::empty()).await;
    reply.expect_error(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED");
    let long = format!("/v2/myapp/tags/list?last={}", "a".repeat(10_000));
    test.get(&long).await.expect_error(StatusCode::BAD_REQUEST, "UNSUPPORTED");
}
