//! Garbage collection, alone and beside pushes.

use std::sync::Arc;
use std::time::Duration;

use ambo_model::{ImageDigest, Timestamp};
use ambo_registry::{Collected, Digest, Keep, KeepTags};
use axum::body::Body;
use http::{Method, StatusCode};
use serde_json::json;

use crate::platform::{IMAGE, INDEX, TestRegistry, descriptor, sha256};

fn image_digest(digest: &Digest) -> ImageDigest {
    ImageDigest::parse(&digest.to_string()).unwrap()
}

/// Keeps these images of `myapp`, and no tags but those named.
pub(crate) fn keep(test: &TestRegistry, digests: &[&Digest], tags: &[&str]) {
    let digests = digests.iter().map(|digest| image_digest(digest)).collect();
    let tags = KeepTags::Only(tags.iter().map(|tag| (*tag).to_owned()).collect());
    test.platform.keep.lock().insert(test.platform.app("myapp"), Keep { digests, tags });
}

async fn collect(test: &TestRegistry) -> Collected {
    test.registry.collect(&*test.platform, test.later()).await.unwrap()
}

#[tokio::test]
async fn kept_images_stay_whole_and_the_rest_is_freed() {
    let test = TestRegistry::new();
    let (old_layer, kept_layer) = (vec![1; 100_000], vec![2; 50_000]);
    let old = test.push_image("myapp", "v1", &old_layer).await;
    let kept = test.push_image("myapp", "v2", &kept_layer).await;
    let tagged = test.push_image("myapp", "stable", b"tagged").await;
    keep(&test, &[&kept], &["stable"]);
    let before = test.registry.usage(test.platform.app("myapp")).await.unwrap();
    assert_eq!((before.manifests, before.blobs), (3, 4));

    let plan = test.registry.collection_plan(&*test.platform, test.later()).await.unwrap();
    assert!(plan.to_string().contains(&format!("remove manifest {old} of app")), "{plan}");
    let collected = collect(&test).await;
    assert_eq!((collected.tags, collected.manifests, collected.blobs, collected.contents), (2, 1, 1, 2));
    assert!(collected.freed > 100_000 && collected.freed < 101_000, "{collected}");
    for digest in [&kept, &tagged] {
        assert!(test.registry.manifest_exists(test.platform.app("myapp"), &image_digest(digest)).await.unwrap());
    }
    let layer = test.get(&format!("/v2/myapp/blobs/{}", sha256(&kept_layer))).await;
    assert_eq!(layer.expect(StatusCode::OK).body, kept_layer);
    test.get(&format!("/v2/myapp/manifests/{old}")).await.expect(StatusCode::NOT_FOUND);
    assert!(!test.registry.manifest_exists(test.platform.app("myapp"), &image_digest(&old)).await.unwrap());
    assert!(test.files(sha256(&old_layer).hex()).await.is_empty(), "{:?}", test.files("").await);
    let again = collect(&test).await;
    assert_eq!(again, Collected { manifests_kept: 2, bytes_kept: collected.bytes_kept, ..Collected::default() });
    assert!(collected.bytes_kept > 50_000 && collected.bytes_kept < 60_000, "{collected:?}");
    let after = test.registry.usage(test.platform.app("myapp")).await.unwrap();
    assert_eq!((after.manifests, after.blobs), (2, 3));
}

#[tokio::test]
async fn nothing_within_the_grace_period_is_swept() {
    let test = TestRegistry::new();
    test.push_image("myapp", "v1", b"layer").await;
    test.push_blob("myapp", b"part of a push under way").await;
    test.platform.keep.lock().clear();
    let collected = test.registry.collect(&*test.platform, Timestamp::now()).await.unwrap();
    let (manifests_kept, bytes_kept) = (collected.manifests_kept, collected.bytes_kept);
    assert_eq!(collected, Collected { manifests_kept, bytes_kept, ..Collected::default() });
    assert_eq!(manifests_kept, 1);
    test.get("/v2/myapp/manifests/v1").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn signatures_of_kept_images_stay_and_those_of_others_go() {
    let test = TestRegistry::new();
    let kept = test.push_image("myapp", "kept", b"kept").await;
    let old = test.push_image("myapp", "old", b"old").await;
    let mut signatures = Vec::new();
    for subject in [&kept, &old] {
        let mut manifest = test.image("myapp", subject.hex().as_bytes()).await;
        manifest["subject"] = json!({"mediaType": IMAGE, "digest": subject, "size": 1});
        let digest = sha256(manifest.to_string().as_bytes());
        test.put_manifest("myapp", &digest.to_string(), &manifest).await.expect(StatusCode::CREATED);
        signatures.push(digest);
    }
    keep(&test, &[&kept], &[]);
    collect(&test).await;
    test.get(&format!("/v2/myapp/manifests/{}", signatures[0])).await.expect(StatusCode::OK);
    test.get(&format!("/v2/myapp/manifests/{}", signatures[1])).await.expect(StatusCode::NOT_FOUND);
    let referrers = test.get(&format!("/v2/myapp/referrers/{old}")).await;
    assert_eq!(referrers.json()["manifests"], json!([]));
}

#[tokio::test]
async fn an_index_keeps_the_images_below_it() {
    let test = TestRegistry::new();
    let manifest = test.image("myapp", b"layer").await.to_string();
    let digest = sha256(manifest.as_bytes());
    let path = format!("/v2/myapp/manifests/{digest}");
    test.ask(Method::PUT, &path, &[("content-type", IMAGE)], manifest.clone()).await.expect(StatusCode::CREATED);
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(IMAGE, manifest.as_bytes())]});
    test.put_manifest("myapp", "all", &index).await.expect(StatusCode::CREATED);
    keep(&test, &[&sha256(index.to_string().as_bytes())], &[]);
    assert_eq!(collect(&test).await.manifests, 0);
    test.get(&format!("/v2/myapp/blobs/{}", sha256(b"layer"))).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn removing_an_app_removes_its_repositories_and_uploads_but_nothing_of_others() {
    let test = TestRegistry::new();
    for name in ["myapp", "myapp/cache", "other"] {
        test.push_image(name, "v1", b"shared layer").await;
    }
    test.push_image("myapp", "v2", b"own layer").await;
    test.start_upload("myapp").await;
    let upload = test.start_upload("other").await;
    let app = test.platform.apps.lock().remove("myapp").unwrap();
    test.platform.keep.lock().remove(&app);
    test.registry.repository_remove(app).await.unwrap();
    test.registry.repository_remove(app).await.unwrap();
    assert_eq!(test.registry.usage(app).await.unwrap().manifests, 0);
    assert!(test.files(&app.to_string()).await.is_empty());
    let collected = collect(&test).await;
    assert_eq!(collected.contents, 2, "{collected}");
    test.get(&format!("/v2/other/blobs/{}", sha256(b"shared layer"))).await.expect(StatusCode::OK);
    test.get(&upload).await.expect(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn an_app_that_the_platform_no_longer_names_is_swept_too() {
    let test = TestRegistry::new();
    test.push_image("myapp", "v1", b"layer").await;
    let app = test.platform.app("myapp");
    test.platform.keep.lock().remove(&app);
    collect(&test).await;
    assert!(test.files(&app.to_string()).await.is_empty() && test.files("store/blobs").await.is_empty());
}

#[tokio::test]
async fn stale_uploads_expire_and_others_do_not() {
    let test = TestRegistry::with(|settings| settings.upload_lifetime = Duration::from_secs(60));
    let upload = test.start_upload("myapp").await;
    test.ask(Method::PATCH, &upload, &[], "hello").await.expect(StatusCode::ACCEPTED);
    assert_eq!(test.registry.uploads_expire(Timestamp::now()).await.unwrap(), 0);
    test.get(&upload).await.expect(StatusCode::NO_CONTENT);
    let later = Timestamp::now().checked_add(Duration::from_secs(61)).unwrap();
    assert_eq!(test.registry.uploads_expire(later).await.unwrap(), 1);
    test.get(&upload).await.expect_error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN");
    assert!(test.files("uploads/").await.is_empty());
}

#[tokio::test]
async fn what_a_push_relies_on_between_plan_and_sweep_is_spared() {
    let test = TestRegistry::new();
    let manifest = test.image("myapp", b"layer").await;
    test.put_manifest("myapp", "v1", &manifest).await.expect(StatusCode::CREATED);
    keep(&test, &[], &[]);
    test.backing.age().await;
    let plan = test.registry.collection_plan(&*test.platform, Timestamp::now()).await.unwrap();
    assert_eq!(plan.removals.len(), 7, "{plan}");
    // The client finds the blobs there, so it puts the manifest alone.
    test.put_manifest("myapp", "v2", &manifest).await.expect(StatusCode::CREATED);
    let collected = test.registry.collection_apply(&plan).await.unwrap();
    assert_eq!((collected.tags, collected.spared), (1, 6), "{plan}");
    test.get("/v2/myapp/manifests/v2").await.expect(StatusCode::OK);
    test.get(&format!("/v2/myapp/blobs/{}", sha256(b"layer"))).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn an_index_put_between_plan_and_sweep_spares_all_below_it() {
    let test = TestRegistry::new();
    let manifest = test.image("myapp", b"layer").await.to_string();
    test.put_manifest("myapp", "v1", &serde_json::from_str(&manifest).unwrap()).await.expect(StatusCode::CREATED);
    keep(&test, &[], &[]);
    test.backing.age().await;
    let plan = test.registry.collection_plan(&*test.platform, Timestamp::now()).await.unwrap();
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(IMAGE, manifest.as_bytes())]});
    test.put_manifest("myapp", "all", &index).await.expect(StatusCode::CREATED);
    test.registry.collection_apply(&plan).await.unwrap();
    test.get(&format!("/v2/myapp/blobs/{}", sha256(b"layer"))).await.expect(StatusCode::OK);
    test.get(&format!("/v2/myapp/manifests/{}", sha256(manifest.as_bytes()))).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn looking_an_image_up_or_mounting_a_blob_spares_it() {
    let test = TestRegistry::new();
    let digest = test.push_image("myapp", "v1", b"layer").await;
    let mounted = test.push_blob("other", b"to be mounted").await;
    keep(&test, &[], &[]);
    test.backing.age().await;
    let plan = test.registry.collection_plan(&*test.platform, Timestamp::now()).await.unwrap();
    assert!(test.registry.manifest_exists(test.platform.app("myapp"), &image_digest(&digest)).await.unwrap());
    let mount = format!("/v2/myapp/blobs/uploads/?mount={mounted}&from=other");
    test.ask(Method::POST, &mount, &[], Body::empty()).await.expect(StatusCode::CREATED);
    let collected = test.registry.collection_apply(&plan).await.unwrap();
    assert_eq!((collected.manifests, collected.contents), (0, 0));
    test.get(&format!("/v2/myapp/blobs/{mounted}")).await.expect(StatusCode::OK);
    test.get(&format!("/v2/myapp/blobs/{}", sha256(b"layer"))).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_collection_cut_short_at_any_step_leaves_nothing_broken_and_the_next_one_finishes() {
    let steps = {
        let test = TestRegistry::new();
        prepare(&test).await;
        test.registry.collection_plan(&*test.platform, test.later()).await.unwrap().removals.len()
    };
    assert!(steps > 8, "{steps}");
    for step in 0..steps {
        let test = TestRegistry::new();
        let kept = prepare(&test).await;
        let mut plan = test.registry.collection_plan(&*test.platform, test.later()).await.unwrap();
        plan.removals.truncate(step);
        test.registry.collection_apply(&plan).await.unwrap();
        intact(&test, &kept).await;
        collect(&test).await;
        intact(&test, &kept).await;
        assert_eq!(test.files("_manifests").await.len(), 1, "step {step}: {:?}", test.files("").await);
        assert_eq!(test.files("store/blobs").await.len(), 3, "step {step}");
    }
}

/// One image to keep, and one with a signature to sweep.
async fn prepare(test: &TestRegistry) -> Digest {
    let kept = test.push_image("myapp", "kept", b"kept").await;
    let old = test.push_image("myapp", "old", b"old").await;
    let mut signature = test.image("myapp", b"signature").await;
    signature["subject"] = json!({"mediaType": IMAGE, "digest": old, "size": 1});
    test.put_manifest("myapp", "signature", &signature).await.expect(StatusCode::CREATED);
    keep(test, &[&kept], &["kept"]);
    kept
}

/// Every tag leads to a manifest, every manifest's blobs are there.
async fn intact(test: &TestRegistry, kept: &Digest) {
    test.get(&format!("/v2/myapp/manifests/{kept}")).await.expect(StatusCode::OK);
    let tags = test.get("/v2/myapp/tags/list").await.json();
    for tag in tags["tags"].as_array().unwrap() {
        let manifest = test.get(&format!("/v2/myapp/manifests/{}", tag.as_str().unwrap())).await;
        for layer in manifest.expect(StatusCode::OK).json()["layers"].as_array().unwrap() {
            let blob = format!("/v2/myapp/blobs/{}", layer["digest"].as_str().unwrap());
            test.get(&blob).await.expect(StatusCode::OK);
        }
    }
}

/// Pushes of images that share layers with swept ones, beside collections that sweep whatever they may. Time passes
/// between pushes, never within one, so nothing depends on how fast this machine is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_beside_collections_never_lose_a_layer() {
    let test = Arc::new(TestRegistry::new());
    keep(&test, &[], &[]);
    let time = Arc::new(tokio::sync::RwLock::new(()));
    let mut pushers = tokio::task::JoinSet::new();
    for pusher in 0..3 {
        let (test, time) = (Arc::clone(&test), Arc::clone(&time));
        pushers.spawn(async move {
            for round in 0..40 {
                let _stands_still = time.read().await;
                let layer = format!("layer {}", (round + pusher) % 5);
                let digest = test.push_image("myapp", &format!("t{pusher}"), layer.as_bytes()).await;
                test.get(&format!("/v2/myapp/manifests/{digest}")).await.expect(StatusCode::OK);
                test.get(&format!("/v2/myapp/blobs/{}", sha256(layer.as_bytes()))).await.expect(StatusCode::OK);
            }
        });
    }
    let (mut swept, mut spared) = (0, 0);
    while !pushers.is_empty() {
        {
            let _passes = time.write().await;
            test.backing.age().await;
        }
        for _ in 0..3 {
            let collected = test.registry.collect(&*test.platform, Timestamp::now()).await.unwrap();
            swept += collected.manifests + collected.blobs + collected.contents;
            spared += collected.spared;
        }
        while let Some(pushed) = pushers.try_join_next() {
            pushed.unwrap();
        }
    }
    println!("swept {swept}, spared {spared}");
    assert!(swept > 0, "the collections swept nothing, so this proves nothing");
}
