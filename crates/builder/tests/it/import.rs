use ambo_builder::BuildError;
use ambo_model::ProcessTable;

use crate::fixture::Fixture;

#[tokio::test]
async fn an_image_is_pulled_into_the_repository_and_leaves_no_other_name_behind() {
    let fixture = Fixture::new("import").await;
    let dockerfile =
        format!("FROM debian:bookworm-slim\nRUN echo {}\nEXPOSE 8123\nCMD true\n", ambo_model::BuildId::new());
    let mut request = fixture.request(&[("Dockerfile", &dockerfile)]);
    let elsewhere = request.repository.replace("/import", "/elsewhere");
    request.repository.clone_from(&elsewhere);
    let built = fixture.build(request).await.artifact().clone();
    fixture.local_remove(&format!("{elsewhere}:b1")).await;
    // The same registry by another name: somebody else's, which is open.
    fixture.registry.state.is_open.store(true, std::sync::atomic::Ordering::Relaxed);
    let elsewhere = elsewhere.replace("127.0.0.1", "localhost");

    for reference in [format!("{elsewhere}:b1"), format!("{elsewhere}@{}", built.image)] {
        let imported = fixture.import(&reference, "b2").await;
        let artifact = imported.artifact();
        assert_eq!(artifact.image, built.image, "the very same manifest");
        assert_eq!((artifact.exposed_port, artifact.kind.as_str()), (Some(8123), "image"));
        assert_eq!(artifact.processes, ProcessTable::image_as_web());
        assert!(imported.output.contains("Digest: sha256:"), "{}", imported.output);
        let gone = fixture.engine.client().await.unwrap().inspect_image(&reference).await;
        assert!(gone.is_err(), "the name that it was pulled by is gone");
        assert_eq!(fixture.local_tags().await, [format!("{}:b2", fixture.repository)]);
        fixture.local_remove(&format!("{}:b2", fixture.repository)).await;
    }
    fixture.end().await;
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_taken_from_the_engine_and_keeps_its_name() {
    let fixture = Fixture::new("local").await;
    let imported = fixture.import("nginx:stable", "b1").await;
    assert_eq!(imported.artifact().exposed_port, Some(80));
    if imported.output.contains("cannot be pulled") {
        assert!(imported.output.contains("using the engine's own copy"), "{}", imported.output);
    }
    assert!(fixture.engine.client().await.unwrap().inspect_image("nginx:stable").await.is_ok());
    fixture.end().await;
}

#[tokio::test]
async fn an_image_that_is_nowhere_is_named_with_the_reason() {
    let fixture = Fixture::new("nowhere").await;
    let imported = fixture.import("127.0.0.1:1/nosuch:1", "b1").await;
    assert!(matches!(imported.result, Err(BuildError::ImageNotFound { .. })));
    let fault = imported.fault();
    assert!(fault.contains("`127.0.0.1:1/nosuch:1`") && fault.contains("refused"), "{fault}");
    fixture.end().await;
}

#[tokio::test]
async fn other_peoples_images_on_the_engine_are_not_to_be_had() {
    let fixture = Fixture::new("thief").await;
    let mut request = fixture.request(&[("Dockerfile", "FROM nginx:stable\nRUN echo secret > /secret\n")]);
    let victim = request.repository.replace("/thief", "/victim");
    request.repository.clone_from(&victim);
    fixture.build(request).await.artifact();
    let name = format!("{victim}:b1");
    let id = fixture.engine.client().await.unwrap().inspect_image(&name).await.unwrap().id.unwrap();

    let by_name = fixture.import(&name, "b1").await;
    assert!(by_name.fault().contains("it belongs to another app"), "{}", by_name.fault());
    for by_id in [&id["sha256:".len()..], &id["sha256:".len()..][..12]] {
        let imported = fixture.import(by_id, "b1").await;
        assert!(matches!(imported.result, Err(BuildError::ImageNotFound { .. })), "{:?}", imported.result);
    }
    let stolen = [
        format!("FROM {name}\nRUN cat /secret; sleep 60\n"),
        format!("ARG FROM={victim}\nFROM $FROM:b1\nRUN cat /secret; sleep 60\n"),
        format!("FROM debian:bookworm-slim\nCOPY --from={name} /secret /\nRUN cat /secret; sleep 60\n"),
        format!("FROM debian:bookworm-slim\nRUN --mount=from={name},target=/x cat /x/secret; sleep 60\n"),
    ];
    for dockerfile in stolen {
        let built = fixture.build(fixture.request(&[("Dockerfile", &dockerfile)])).await;
        assert!(built.fault().contains("belongs to another app"), "{dockerfile}{}", built.fault());
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_wrong_password_is_the_platforms_fault_and_gives_no_artifact() {
    let fixture = Fixture::new("login").await;
    let mut request = fixture.request(&[("Dockerfile", "FROM debian:bookworm-slim\nCMD true\n")]);
    request.login.password = ambo_model::Secret::new("wrong");
    let built = fixture.build(request).await;
    assert!(matches!(built.result, Err(BuildError::Platform { .. })), "{:?}", built.result);
    fixture.end().await;
}
