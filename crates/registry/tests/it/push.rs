//! Push (end-4a, end-4b, end-5, end-6, end-7, end-11, end-13).

use std::time::Duration;

use ambo_model::ByteSize;
use ambo_registry::{Algorithm, Digest};
use axum::body::Body;
use http::{Method, StatusCode};
use proptest::prelude::*;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::platform::{IMAGE, INDEX, OWNER, PASSWORD, READER, TestRegistry, basic, descriptor, image, request, sha256};

async fn finish(test: &TestRegistry, upload: &str, digest: &Digest, body: impl Into<Body>) -> StatusCode {
    test.ask(Method::PUT, &format!("{upload}?digest={digest}"), &[], body).await.status
}

#[tokio::test]
async fn end_4a_and_end_6_take_a_blob_in_two_requests() {
    let test = TestRegistry::new();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let upload = test.start_upload("myapp/cache").await;
        let content = format!("content for {}", algorithm.as_str());
        let digest = Digest::of(algorithm, content.as_bytes());
        let reply = test.ask(Method::PUT, &format!("{upload}?digest={digest}"), &[], content.clone()).await;
        reply.expect(StatusCode::CREATED);
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
        assert_eq!(test.get(reply.header("location")).await.expect(StatusCode::OK).body, content);
        test.get(&upload).await.expect_error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN");
    }
    assert!(test.files("uploads/").await.is_empty(), "{:?}", test.files("").await);
}

#[tokio::test]
async fn end_4b_takes_a_blob_in_one_request() {
    let test = TestRegistry::new();
    for content in [&b""[..], b"one", &vec![7; 3_000_000]] {
        let digest = test.push_blob("myapp", content).await;
        assert_eq!(test.get(&format!("/v2/myapp/blobs/{digest}")).await.expect(StatusCode::OK).body, content);
    }
    let wrong = sha256(b"something else");
    let reply = test.ask(Method::POST, &format!("/v2/myapp/blobs/uploads/?digest={wrong}"), &[], "this").await;
    reply.expect_error(StatusCode::BAD_REQUEST, "DIGEST_INVALID");
    assert!(test.files("uploads/").await.is_empty());
}

#[tokio::test]
async fn end_5_takes_chunks_in_order_and_only_in_order() {
    let test = TestRegistry::new();
    let upload = test.start_upload("myapp").await;
    let chunk = async |range: &str, body: &'static str| {
        test.ask(Method::PATCH, &upload, &[("content-range", range), ("content-length", &body.len().to_string())], body)
            .await
    };
    let reply = chunk("0-4", "hello").await;
    assert_eq!(reply.expect(StatusCode::ACCEPTED).header("range"), "0-4");
    for (range, body) in [("6-9", "worl"), ("0-4", "hello"), ("4-8", "again"), ("x-y", "worl"), ("9-5", "worl")] {
        let reply = chunk(range, body).await;
        reply.expect_error(StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID");
        assert_eq!((reply.header("range"), reply.header("location")), ("0-4", upload.as_str()), "{range}");
    }
    chunk("5-20", " world").await.expect_error(StatusCode::BAD_REQUEST, "SIZE_INVALID");
    let reply = chunk("5-10", " world").await;
    assert_eq!(reply.expect(StatusCode::ACCEPTED).header("range"), "0-10");
    let last = [("content-range", "11-11"), ("content-length", "1")];
    let path = format!("{upload}?digest={}", sha256(b"hello world!"));
    test.ask(Method::PUT, &path, &last, "!").await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn end_5_drops_a_chunk_whose_length_is_not_as_announced() {
    let test = TestRegistry::new();
    let upload = test.start_upload("myapp").await;
    test.ask(Method::PATCH, &upload, &[], "hello").await.expect(StatusCode::ACCEPTED);
    // Without `Content-Length`, as in chunked transfer, only the end tells.
    let reply = test.ask(Method::PATCH, &upload, &[("content-range", "5-20")], " world").await;
    reply.expect_error(StatusCode::BAD_REQUEST, "SIZE_INVALID");
    assert_eq!(test.get(&upload).await.expect(StatusCode::NO_CONTENT).header("range"), "0-4");
    assert_eq!(finish(&test, &upload, &sha256(b"hello you"), " you").await, StatusCode::CREATED);
}

#[tokio::test]
async fn end_5_takes_a_stream_without_a_range() {
    let test = TestRegistry::new();
    let upload = test.start_upload("myapp").await;
    let pieces = ["a", "bc", "", "def"].map(Ok::<_, std::io::Error>);
    let body = Body::from_stream(futures::stream::iter(pieces));
    let reply = test.ask(Method::PATCH, &upload, &[], body).await;
    assert_eq!(reply.expect(StatusCode::ACCEPTED).header("range"), "0-5");
    assert_eq!(finish(&test, &upload, &sha256(b"abcdef"), Body::empty()).await, StatusCode::CREATED);
}

#[tokio::test]
async fn end_5_keeps_what_came_before_the_client_left() {
    let test = TestRegistry::new();
    let upload = test.start_upload("myapp").await;
    let pieces = [Ok("hello"), Err(std::io::Error::other("gone"))];
    let reply = test.ask(Method::PATCH, &upload, &[], Body::from_stream(futures::stream::iter(pieces))).await;
    reply.expect_error(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID");
    assert_eq!(test.get(&upload).await.header("range"), "0-4");
    assert_eq!(finish(&test, &upload, &sha256(b"hello you"), " you").await, StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn end_5_does_not_wait_for_ever_for_a_client_that_sends_nothing() {
    let test = TestRegistry::new();
    let upload = test.start_upload("myapp").await;
    let body = Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>());
    let reply = test.ask(Method::PATCH, &upload, &[], body).await;
    reply.expect_error(StatusCode::REQUEST_TIMEOUT, "BLOB_UPLOAD_INVALID");
}

#[tokio::test(start_paused = true)]
async fn end_5_lets_one_request_at_a_time_write() {
    let test = TestRegistry::new();
    let upload = test.start_upload("myapp").await;
    let body = Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>());
    let writing = test.ask(Method::PATCH, &upload, &[], body);
    let (written, (asked, again)) = tokio::join!(writing, async {
        let asked = test.ask(Method::PATCH, &upload, &[], "hello").await;
        tokio::time::sleep(test.settings.body_idle_max).await;
        (asked, test.ask(Method::PATCH, &upload, &[], "hello").await)
    });
    asked.expect_error(StatusCode::CONFLICT, "BLOB_UPLOAD_INVALID");
    written.expect(StatusCode::REQUEST_TIMEOUT);
    again.expect(StatusCode::ACCEPTED);
}

#[tokio::test]
async fn end_5_goes_on_over_a_new_connection_where_a_broken_one_stopped() {
    let test = TestRegistry::new();
    let server = test.serve().await;
    let upload = test.start_upload("myapp").await;
    let content: Vec<u8> = (0..3_000_000u32).map(|number| (number % 253) as u8).collect();
    let mut connection = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-length: {}\r\n\r\n",
        basic(OWNER, PASSWORD),
        content.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection.write_all(&content[..2_000_000]).await.unwrap();
    drop(connection);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let offset = loop {
        let reply = test.get(&upload).await;
        let range = reply.expect(StatusCode::NO_CONTENT).header("range").to_owned();
        let offset = range.strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1;
        if offset >= 1024 * 1024 {
            break offset;
        }
        assert!(tokio::time::Instant::now() < deadline, "nothing of the broken chunk was kept: {range}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let rest = content[offset..].to_vec();
    let (range, length) = (format!("{offset}-{}", content.len() - 1), rest.len().to_string());
    let headers = [("content-range", range.as_str()), ("content-length", length.as_str())];
    test.ask(Method::PATCH, &upload, &headers, rest).await.expect(StatusCode::ACCEPTED);
    assert_eq!(finish(&test, &upload, &sha256(&content), Body::empty()).await, StatusCode::CREATED);
}

#[tokio::test]
async fn end_6_publishes_nothing_whose_digest_is_wrong_or_missing() {
    let test = TestRegistry::new();
    let upload = test.start_upload("myapp").await;
    let reply = test.ask(Method::PUT, &upload, &[], "x").await;
    reply.expect_error(StatusCode::BAD_REQUEST, "DIGEST_INVALID");
    let expected = sha256(b"expected");
    let reply = test.ask(Method::PUT, &format!("{upload}?digest={expected}"), &[], "actual").await;
    reply.expect_error(StatusCode::BAD_REQUEST, "DIGEST_INVALID");
    for digest in [&expected, &sha256(b"actual")] {
        test.head(&format!("/v2/myapp/blobs/{digest}")).await.expect(StatusCode::NOT_FOUND);
    }
    assert!(
        test.files("blobs").await.is_empty() && test.files("uploads/").await.is_empty(),
        "{:?}",
        test.files("").await
    );
}

#[tokio::test]
async fn end_6_hashes_again_when_the_algorithm_comes_late() {
    let test = TestRegistry::new();
    let upload = test.start_upload("myapp").await;
    test.ask(Method::PATCH, &upload, &[], "hello").await.expect(StatusCode::ACCEPTED);
    let digest = Digest::of(Algorithm::Sha512, b"hello you");
    assert_eq!(finish(&test, &upload, &digest, " you").await, StatusCode::CREATED);
    let announced = test.ask(Method::POST, "/v2/myapp/blobs/uploads/?digest-algorithm=sha512", &[], "").await;
    let upload = announced.expect(StatusCode::ACCEPTED).header("location").to_owned();
    assert_eq!(finish(&test, &upload, &digest, "hello you").await, StatusCode::CREATED);
    let reply = test.ask(Method::POST, "/v2/myapp/blobs/uploads/?digest-algorithm=md5", &[], "").await;
    reply.expect_error(StatusCode::BAD_REQUEST, "UNSUPPORTED");
}

#[tokio::test]
async fn end_7_wants_everything_that_a_manifest_names() {
    let test = TestRegistry::new();
    let manifest = image(b"layer");
    let reply = test.put_manifest("myapp", "v1", &manifest).await;
    reply.expect_error(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN");
    let named: Vec<_> =
        reply.json()["errors"].as_array().unwrap().iter().map(|e| e["detail"]["digest"].clone()).collect();
    assert_eq!(named, [json!(sha256(b"{}")), json!(sha256(b"layer"))]);
    // Having it elsewhere does not help.
    test.image("other", b"layer").await;
    test.put_manifest("myapp", "v1", &manifest).await.expect_error(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN");
    test.image("myapp", b"layer").await;
    let reply = test.put_manifest("myapp", "v1", &manifest).await;
    let digest = sha256(manifest.to_string().as_bytes());
    assert_eq!(reply.expect(StatusCode::CREATED).header("docker-content-digest"), digest.to_string());
    assert_eq!(reply.header("location"), format!("/v2/myapp/manifests/{digest}"));

    let index =
        |content: &[u8]| json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(IMAGE, content)]});
    let sparse = test.put_manifest("myapp", "all", &index(b"absent")).await;
    sparse.expect_error(StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN");
    let whole = index(manifest.to_string().as_bytes());
    test.put_manifest("myapp", "all", &whole).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn end_7_takes_a_manifest_by_the_digest_of_either_algorithm() {
    let test = TestRegistry::new();
    let manifest = test.image("myapp", b"layer").await;
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let digest = Digest::of(algorithm, manifest.to_string().as_bytes());
        test.put_manifest("myapp", &digest.to_string(), &manifest).await.expect(StatusCode::CREATED);
        test.get(&format!("/v2/myapp/manifests/{digest}")).await.expect(StatusCode::OK);
        let wrong = Digest::of(algorithm, b"wrong").to_string();
        test.put_manifest("myapp", &wrong, &manifest).await.expect_error(StatusCode::BAD_REQUEST, "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn end_7_refuses_what_is_no_manifest() {
    let test = TestRegistry::new();
    let manifest = test.image("myapp", b"layer").await;
    let put = async |media_type: &str, body: String| {
        test.ask(Method::PUT, "/v2/myapp/manifests/v1", &[("content-type", media_type)], body).await
    };
    for (media_type, body) in [
        (IMAGE, "not JSON".to_owned()),
        (IMAGE, "{}".to_owned()),
        (IMAGE, json!({"schemaVersion": 1}).to_string()),
        (INDEX, manifest.to_string()),
        ("application/json", manifest.to_string()),
        (IMAGE, "[".repeat(100_000)),
        (IMAGE, manifest.to_string().replace("sha256:", "sha256:../")),
    ] {
        put(media_type, body).await.expect_error(StatusCode::BAD_REQUEST, "MANIFEST_INVALID");
    }
    let mut wrong_size = manifest.clone();
    wrong_size["layers"][0]["size"] = json!(4);
    put(IMAGE, wrong_size.to_string()).await.expect_error(StatusCode::BAD_REQUEST, "SIZE_INVALID");
    let large = format!("{manifest}{}", " ".repeat(4 * 1024 * 1024));
    put(IMAGE, large).await.expect_error(StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID");
    assert!(test.files("_manifests").await.is_empty());
}

#[tokio::test]
async fn end_11_mounts_only_what_the_asker_may_read() {
    let test = TestRegistry::new();
    let digest = test.push_blob("other", b"content").await;
    let mount = |name: &str, from: &str| format!("/v2/{name}/blobs/uploads/?mount={digest}&from={from}");
    let reply = test.ask(Method::POST, &mount("myapp", "other"), &[], "").await;
    assert_eq!(reply.expect(StatusCode::CREATED).header("location"), format!("/v2/myapp/blobs/{digest}"));
    assert_eq!(test.get(reply.header("location")).await.expect(StatusCode::OK).body, "content");
    // What cannot be mounted is uploaded instead.
    for from in ["other/none", "nobody", "%2e%2e"] {
        let reply = test.ask(Method::POST, &mount("myapp/cache", from), &[], "").await;
        reply.expect(StatusCode::ACCEPTED);
    }
    // The reader may push nowhere; nor may a push to one app read another.
    let reply = test.send(request(READER, Method::POST, &mount("myapp", "other"), &[], "")).await;
    reply.expect_error(StatusCode::FORBIDDEN, "DENIED");
}

#[tokio::test]
async fn end_13_says_how_far_an_upload_got_and_an_upload_can_be_cancelled() {
    let test = TestRegistry::new();
    let upload = test.start_upload("myapp").await;
    assert_eq!(test.get(&upload).await.expect(StatusCode::NO_CONTENT).header("range"), "0-0");
    test.ask(Method::PATCH, &upload, &[], "hello").await.expect(StatusCode::ACCEPTED);
    assert_eq!(test.get(&upload).await.expect(StatusCode::NO_CONTENT).header("range"), "0-4");
    // An upload belongs to its repository.
    test.get(&upload.replace("myapp", "other")).await.expect_error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN");
    test.delete(&upload).await.expect(StatusCode::NO_CONTENT);
    test.get(&upload).await.expect_error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN");
    test.get("/v2/myapp/blobs/uploads/x").await.expect_error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN");
    assert!(test.files("uploads/").await.is_empty());
}

#[tokio::test]
async fn too_large_blobs_and_too_many_uploads_are_refused() {
    let test = TestRegistry::with(|settings| {
        settings.blob_size_max = ByteSize::kib(1);
        settings.uploads_max = 2;
    });
    let upload = test.start_upload("myapp").await;
    let reply = test.ask(Method::PATCH, &upload, &[], vec![0; 1025]).await;
    reply.expect_error(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID");
    test.start_upload("myapp").await;
    test.start_upload("myapp").await;
    let reply = test.ask(Method::POST, "/v2/myapp/blobs/uploads/", &[], "").await;
    reply.expect_error(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS");
}

#[tokio::test]
async fn equal_blobs_pushed_at_once_are_stored_once() {
    let test = TestRegistry::new();
    let content = vec![42; 2_000_000];
    let pushes = (0..8).map(|number| {
        let name = if number % 2 == 0 { "myapp" } else { "other" };
        test.push_blob(name, &content)
    });
    futures::future::join_all(pushes).await;
    assert_eq!(test.files("store/blobs").await.len(), 1);
    assert_eq!(test.files("_blobs").await.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::BACKEND.cases()))]
    #[test]
    fn however_a_blob_is_cut_and_the_server_restarted_it_arrives_whole(
        content in proptest::collection::vec(any::<u8>(), 0..200_000),
        cuts in proptest::collection::vec((0usize..80_000, any::<bool>(), any::<bool>()), 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut test = TestRegistry::new();
            let upload = test.start_upload("myapp").await;
            let mut offset = 0;
            for (length, with_range, restart) in cuts {
                let chunk = content[offset..(offset + length).min(content.len())].to_vec();
                if chunk.is_empty() { continue }
                let end = offset + chunk.len();
                let range = format!("{offset}-{}", end - 1);
                let headers: &[(&str, &str)] = if with_range { &[("content-range", &range)] } else { &[] };
                let reply = test.ask(Method::PATCH, &upload, headers, chunk).await;
                assert_eq!(reply.expect(StatusCode::ACCEPTED).header("range"), format!("0-{}", end - 1));
                offset = end;
                if restart { test.restart(); }
            }
            let digest = sha256(&content);
            assert_eq!(finish(&test, &upload, &digest, content[offset..].to_vec()).await, StatusCode::CREATED);
            assert_eq!(test.get(&format!("/v2/myapp/blobs/{digest}")).await.body, content);
        });
    }
}
