//! `kill -9` at any point: a new process goes on from what is on the disk.

use std::time::Duration;

use http::{Method, StatusCode};

use crate::platform::{TestRegistry, sha256};

#[tokio::test]
async fn an_upload_goes_on_after_a_restart_where_it_stopped() {
    let mut test = TestRegistry::new();
    let upload = test.start_upload("myapp").await;
    test.ask(Method::PATCH, &upload, &[], "hello").await.expect(StatusCode::ACCEPTED);
    test.restart();
    assert_eq!(test.get(&upload).await.expect(StatusCode::NO_CONTENT).header("range"), "0-4");
    let headers = [("content-range", "5-10"), ("content-length", "6")];
    test.ask(Method::PATCH, &upload, &headers, " world").await.expect(StatusCode::ACCEPTED);
    test.restart();
    let path = format!("{upload}?digest={}", sha256(b"hello world"));
    test.ask(Method::PUT, &path, &[], "").await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn all_that_was_acknowledged_is_there_after_a_restart() {
    let mut test = TestRegistry::new();
    let digest = test.push_image("myapp", "v1", b"layer").await;
    test.restart();
    let manifest = test.get("/v2/myapp/manifests/v1").await;
    assert_eq!(manifest.expect(StatusCode::OK).header("docker-content-digest"), digest.to_string());
    test.get(&format!("/v2/myapp/blobs/{}", sha256(b"layer"))).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_crash_between_content_and_link_leaves_only_what_the_collection_sweeps() {
    let mut test = TestRegistry::new();
    let digest = test.push_blob("myapp", b"content").await;
    // As if the process had died before it linked the blob, and with the staged file already moved.
    let link = test.files("_blobs").await.pop_first().unwrap();
    assert!(test.backing.store().delete(link.strip_prefix("store/").unwrap()).await.unwrap());
    let upload = test.start_upload("myapp").await;
    let staged = test.files("uploads/").await.into_iter().find(|path| path.ends_with("content")).unwrap();
    std::fs::remove_file(test.directory.path().join(staged)).unwrap();
    test.restart();
    test.head(&format!("/v2/myapp/blobs/{digest}")).await.expect(StatusCode::NOT_FOUND);
    test.get(&upload).await.expect_error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN");
    test.push_blob("myapp", b"content").await;
    test.get(&format!("/v2/myapp/blobs/{digest}")).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn what_is_left_of_an_upload_that_was_never_whole_expires() {
    let mut test = TestRegistry::with(|settings| settings.upload_lifetime = Duration::from_secs(60));
    let half = test.settings.uploads_directory.join(uuid::Uuid::new_v4().to_string());
    std::fs::create_dir(&half).unwrap();
    test.restart();
    test.registry.uploads_expire(ambo_model::Timestamp::now()).await.unwrap();
    assert!(!half.exists());
}

#[tokio::test]
async fn damaged_content_is_replaced_by_the_next_push() {
    let test = TestRegistry::new();
    let digest = test.push_blob("myapp", b"content").await;
    let stored = test.files("store/blobs").await.pop_first().unwrap();
    test.backing.store().put(stored.strip_prefix("store/").unwrap(), "cont".into()).await.unwrap();
    test.push_blob("other", b"content").await;
    assert_eq!(test.get(&format!("/v2/myapp/blobs/{digest}")).await.body, "content");
}
