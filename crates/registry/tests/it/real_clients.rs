//! `skopeo` and the Docker Engine against this registry over TCP.

use std::path::Path;

use http::StatusCode;
use serde_json::json;

use crate::clients::{Target, docker_round_trip, skopeo_round_trip};
use crate::platform::{IMAGE, OWNER, PASSWORD, TestRegistry, sha256};

/// The engine's image that is pushed.
const BASE_IMAGE: &str = "debian:bookworm-slim";

/// Writes an image in `dir:` form.
fn write_image(directory: &Path) {
    std::fs::create_dir(directory).unwrap();
    let config =
        json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).to_string();
    let layers: Vec<Vec<u8>> = (1..=3u8).map(|number| vec![number; 700_000 * usize::from(number)]).collect();
    let mut described = Vec::new();
    for layer in &layers {
        std::fs::write(directory.join(sha256(layer).hex()), layer).unwrap();
        described.push(json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": sha256(layer), "size": layer.len(),
        }));
    }
    std::fs::write(directory.join(sha256(config.as_bytes()).hex()), &config).unwrap();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": sha256(config.as_bytes()),
            "size": config.len(),
        },
        "layers": described,
    });
    std::fs::write(directory.join("manifest.json"), manifest.to_string()).unwrap();
    std::fs::write(directory.join("version"), "Directory Transport Version: 1.1\n").unwrap();
}

#[tokio::test]
async fn skopeo_copies_an_image_there_and_back() {
    let test = TestRegistry::new();
    let server = test.serve().await;
    let scratch = tempfile::tempdir().unwrap();
    let image = scratch.path().join("image");
    write_image(&image);
    let target = Target {
        registry: &server.address.to_string(),
        repository: "myapp/cache",
        username: OWNER,
        password: PASSWORD,
    };
    skopeo_round_trip(&target, &image, scratch.path()).await;
    test.get("/v2/myapp/cache/manifests/skopeo").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_docker_engine_pushes_pulls_and_runs_an_image() {
    let test = TestRegistry::new();
    let server = test.serve().await;
    let scratch = tempfile::tempdir().unwrap();
    let target =
        Target { registry: &server.address.to_string(), repository: "myapp", username: OWNER, password: PASSWORD };
    docker_round_trip(&target, BASE_IMAGE, scratch.path()).await;
    let usage = test.registry.usage(test.platform.app("myapp")).await.unwrap();
    assert_eq!(usage.manifests, 1);
}
