//! Content management (end-9, end-10).

use http::{Method, StatusCode};

use crate::platform::{READER, TestRegistry, request};

#[tokio::test]
async fn end_9_deletes_a_tag_and_leaves_the_manifest() {
    let test = TestRegistry::new();
    let digest = test.push_image("myapp", "v1", b"layer").await;
    test.delete("/v2/myapp/manifests/v1").await.expect(StatusCode::ACCEPTED);
    test.get("/v2/myapp/manifests/v1").await.expect(StatusCode::NOT_FOUND);
    test.get(&format!("/v2/myapp/manifests/{digest}")).await.expect(StatusCode::OK);
    test.delete("/v2/myapp/manifests/v1").await.expect_error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn end_9_deletes_a_manifest_with_its_tags() {
    let test = TestRegistry::new();
    let digest = test.push_image("myapp", "v1", b"layer").await;
    test.push_image("myapp", "latest", b"layer").await;
    test.push_image("myapp", "other", b"other layer").await;
    test.delete(&format!("/v2/myapp/manifests/{digest}")).await.expect(StatusCode::ACCEPTED);
    test.get(&format!("/v2/myapp/manifests/{digest}")).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(test.get("/v2/myapp/tags/list").await.json()["tags"], serde_json::json!(["other"]));
    let again = test.delete(&format!("/v2/myapp/manifests/{digest}")).await;
    again.expect_error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn end_10_deletes_a_blob_of_this_repository_alone() {
    let test = TestRegistry::new();
    let digest = test.push_blob("myapp", b"shared").await;
    test.push_blob("other", b"shared").await;
    test.delete(&format!("/v2/myapp/blobs/{digest}")).await.expect(StatusCode::ACCEPTED);
    test.get(&format!("/v2/myapp/blobs/{digest}")).await.expect(StatusCode::NOT_FOUND);
    test.get(&format!("/v2/other/blobs/{digest}")).await.expect(StatusCode::OK);
    let again = test.delete(&format!("/v2/myapp/blobs/{digest}")).await;
    again.expect_error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn deleting_needs_its_own_right() {
    let test = TestRegistry::new();
    let digest = test.push_image("myapp", "v1", b"layer").await;
    for path in [format!("/v2/myapp/manifests/{digest}"), "/v2/myapp/manifests/v1".to_owned()] {
        let reply = test.send(request(READER, Method::DELETE, &path, &[], "")).await;
        reply.expect_error(StatusCode::FORBIDDEN, "DENIED");
    }
}

#[tokio::test]
async fn a_renamed_app_keeps_its_images_and_its_old_name_leads_nowhere() {
    let test = TestRegistry::new();
    let digest = test.push_image("myapp", "v1", b"layer").await;
    let app = test.platform.apps.lock().remove("myapp").unwrap();
    test.platform.apps.lock().insert("renamed".to_owned(), app);
    test.get("/v2/renamed/manifests/v1").await.expect(StatusCode::OK);
    test.get("/v2/myapp/manifests/v1").await.expect_error(StatusCode::NOT_FOUND, "NAME_UNKNOWN");
    let image = ambo_model::ImageDigest::parse(&digest.to_string()).unwrap();
    assert!(test.registry.manifest_exists(app, &image).await.unwrap());
}

#[tokio::test]
async fn an_image_is_given_to_another_app_and_outlives_the_first() {
    let test = TestRegistry::new();
    let digest = test.push_image("myapp", "v1", b"layer").await;
    let image = ambo_model::ImageDigest::parse(&digest.to_string()).unwrap();
    let (from, to) = {
        let apps = test.platform.apps.lock();
        (apps["myapp"], apps["other"])
    };
    test.get(&format!("/v2/other/manifests/{digest}")).await.expect(StatusCode::NOT_FOUND);
    for _ in 0..2 {
        assert!(test.registry.manifest_mount(from, to, &image).await.unwrap());
    }
    test.registry.repository_remove(from).await.unwrap();
    test.get(&format!("/v2/other/manifests/{digest}")).await.expect(StatusCode::OK);
    assert!(test.registry.manifest_exists(to, &image).await.unwrap());
    assert!(!test.registry.manifest_mount(from, to, &image).await.unwrap(), "the first app has it no longer");
}
