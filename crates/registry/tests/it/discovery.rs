//! Content discovery (end-8a, end-8b, end-12a, end-12b).

use ambo_registry::Digest;
use http::StatusCode;
use serde_json::{Value, json};

use crate::platform::{TestRegistry, sha256};

async fn tags(test: &TestRegistry, path: &str) -> (Vec<String>, Option<String>) {
    let reply = test.get(path).await;
    let tags = serde_json::from_value(reply.expect(StatusCode::OK).json()["tags"].clone()).unwrap();
    (tags, reply.headers.get("link").map(|link| link.to_str().unwrap().to_owned()))
}

#[tokio::test]
async fn end_8a_lists_tags_in_order() {
    let test = TestRegistry::new();
    assert_eq!(tags(&test, "/v2/myapp/tags/list").await, (vec![], None));
    for tag in ["v2", "latest", "V1", "v10"] {
        test.push_image("myapp", tag, b"layer").await;
    }
    let reply = test.get("/v2/myapp/tags/list").await;
    assert_eq!(reply.json(), json!({"name": "myapp", "tags": ["V1", "latest", "v10", "v2"]}));
    test.get("/v2/myapp/none/tags/list").await.expect_error(StatusCode::NOT_FOUND, "NAME_UNKNOWN");
    test.get("/v2/nobody/tags/list").await.expect_error(StatusCode::NOT_FOUND, "NAME_UNKNOWN");
}

#[tokio::test]
async fn end_8b_lists_tags_in_pages() {
    let test = TestRegistry::new();
    for number in 1..=5 {
        test.push_image("myapp", &format!("v{number}"), b"layer").await;
    }
    let mut path = "/v2/myapp/tags/list?n=2".to_owned();
    let mut pages = Vec::new();
    loop {
        let (page, link) = tags(&test, &path).await;
        pages.push(page);
        let Some(link) = link else { break };
        path = link.strip_prefix('<').unwrap().split_once(">; rel=\"next\"").unwrap().0.to_owned();
    }
    assert_eq!(pages, [vec!["v1", "v2"], vec!["v3", "v4"], vec!["v5"]]);
    assert_eq!(tags(&test, "/v2/myapp/tags/list?n=0").await, (vec![], None));
    assert_eq!(tags(&test, "/v2/myapp/tags/list?last=v4").await.0, ["v5"]);
    assert_eq!(tags(&test, "/v2/myapp/tags/list?n=1&last=v31").await.0, ["v4"]);
    test.get("/v2/myapp/tags/list?n=x").await.expect_error(StatusCode::BAD_REQUEST, "UNSUPPORTED");
}

/// Pushes a manifest about `subject`. Gives its digest.
async fn refer(test: &TestRegistry, subject: &Digest, artifact_type: Option<&str>, content: &[u8]) -> Digest {
    let mut manifest = test.image("myapp", content).await;
    manifest["subject"] = json!({"mediaType": crate::platform::IMAGE, "digest": subject, "size": 10});
    manifest["annotations"] = json!({"made": "today"});
    if let Some(artifact_type) = artifact_type {
        manifest["artifactType"] = json!(artifact_type);
    }
    let digest = sha256(manifest.to_string().as_bytes());
    let reply = test.put_manifest("myapp", &digest.to_string(), &manifest).await;
    assert_eq!(reply.expect(StatusCode::CREATED).header("oci-subject"), subject.to_string());
    digest
}

fn digests(index: &Value) -> Vec<String> {
    index["manifests"].as_array().unwrap().iter().map(|m| m["digest"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn end_12a_lists_who_refers_to_a_manifest() {
    let test = TestRegistry::new();
    let subject = test.push_image("myapp", "v1", b"layer").await;
    let path = format!("/v2/myapp/referrers/{subject}");
    assert_eq!(test.get(&path).await.expect(StatusCode::OK).json()["manifests"], json!([]));
    let sbom = refer(&test, &subject, Some("application/vnd.example.sbom"), b"sbom").await;
    let plain = refer(&test, &subject, None, b"plain").await;
    let reply = test.get(&path).await;
    assert_eq!(reply.header("content-type"), "application/vnd.oci.image.index.v1+json");
    let index = reply.json();
    assert_eq!((index["schemaVersion"].as_u64(), index["mediaType"].as_str()), (Some(2), Some(crate::platform::INDEX)));
    let mut expected = vec![sbom.to_string(), plain.to_string()];
    expected.sort();
    assert_eq!(digests(&index), expected);
    let of =
        |digest: &Digest| index["manifests"].as_array().unwrap().iter().find(|m| m["digest"] == json!(digest)).unwrap();
    assert_eq!(of(&sbom)["artifactType"], "application/vnd.example.sbom");
    assert_eq!(of(&sbom)["annotations"]["made"], "today");
    assert_eq!(of(&plain)["artifactType"], "application/vnd.oci.image.config.v1+json");
    test.get("/v2/myapp/referrers/v1").await.expect_error(StatusCode::BAD_REQUEST, "DIGEST_INVALID");
}

#[tokio::test]
async fn end_12a_takes_referrers_before_their_subject_and_forgets_deleted_ones() {
    let test = TestRegistry::new();
    let absent = sha256(b"not pushed yet");
    let digest = refer(&test, &absent, None, b"early").await;
    let path = format!("/v2/myapp/referrers/{absent}");
    assert_eq!(digests(&test.get(&path).await.json()), [digest.to_string()]);
    test.delete(&format!("/v2/myapp/manifests/{digest}")).await.expect(StatusCode::ACCEPTED);
    assert_eq!(test.get(&path).await.json()["manifests"], json!([]));
}

#[tokio::test]
async fn end_12b_filters_by_artifact_type_and_pages() {
    let test = TestRegistry::new();
    let subject = test.push_image("myapp", "v1", b"layer").await;
    let mut wanted = Vec::new();
    for number in 0..3 {
        let content = format!("sbom {number}");
        wanted.push(refer(&test, &subject, Some("application/vnd.a+json"), content.as_bytes()).await.to_string());
    }
    wanted.sort();
    refer(&test, &subject, Some("application/vnd.b"), b"other").await;
    let filter = "artifactType=application%2Fvnd.a%2Bjson";
    let reply = test.get(&format!("/v2/myapp/referrers/{subject}?{filter}")).await;
    assert_eq!(reply.header("oci-filters-applied"), "artifactType");
    assert_eq!(digests(&reply.json()), wanted);
    let first = test.get(&format!("/v2/myapp/referrers/{subject}?{filter}&n=2")).await;
    assert_eq!(digests(&first.json()), wanted[..2]);
    let next = first.header("link").strip_prefix('<').unwrap().split_once('>').unwrap().0.to_owned();
    let second = test.get(&next).await;
    assert_eq!(digests(&second.json()), wanted[2..]);
    assert!(!second.headers.contains_key("link"));
}
