use std::sync::Arc;
use std::time::Duration;

use ambo_builder::{BuildError, BuilderSettings, DockerBuilder, ImageBuilder};
use ambo_engine_docker::{DockerSettings, Engine, EngineAddress};
use ambo_model::{ByteSize, Command, ProcessType, Secret};

use crate::fixture::Fixture;

#[tokio::test]
async fn a_dockerfile_builds_with_the_config_that_it_declares_and_shows_none_of_it() {
    let fixture = Fixture::new("dockerfile").await;
    let unique = ambo_model::BuildId::new().to_string();
    let files = [
        (
            "Dockerfile",
            "FROM debian:bookworm-slim\nARG TOKEN\nARG SOURCE_VERSION\nRUN echo start; printf '10%%\\r20%%\\rdone\\n'; echo \"token $TOKEN other $OTHER version $SOURCE_VERSION\" > /facts; cat /facts\nCOPY . /src\nEXPOSE 8123\nCMD [\"cat\", \"/facts\"]\n",
        ),
        (".dockerignore", "secret*\n!secret-not\n"),
        ("secret.txt", "x"),
        ("secret-not", "x"),
        ("Procfile", "worker: sleep 9\n"),
    ];
    let request = || {
        let mut request = fixture.request(&files);
        request.build_args.insert("TOKEN".into(), Secret::new(format!("s3cret-{unique}")));
        request.build_args.insert("OTHER".into(), Secret::new("not declared"));
        request.build_args.insert("SOURCE_VERSION".into(), Secret::new("c0ffee"));
        request
    };
    let built = fixture.build(request()).await;
    let artifact = built.artifact().clone();
    assert_eq!((artifact.kind.as_str(), artifact.exposed_port), ("Dockerfile", Some(8123)));
    assert_eq!(artifact.processes.get(&ProcessType::web()).unwrap().command, Command::Image);
    assert_eq!(artifact.processes.iter().count(), 2);
    assert!(!built.output.contains(&unique), "{}", built.output);
    for line in [
        "-----> Building from Dockerfile\n",
        "       [2/3] RUN ",
        "       start\n       done\n",
        "[TOKEN]",
        "-----> Storing the image\n",
        "layers sent",
    ] {
        assert!(built.output.contains(line), "no `{line}` in\n{}", built.output);
    }
    assert!(!built.output.contains("   20%") && !built.output.contains("[internal]"), "{}", built.output);

    let image = format!("{}@{}", fixture.repository, artifact.image);
    assert_eq!(fixture.run(&image, &["cat", "/facts"]).await, format!("token s3cret-{unique} other  version c0ffee\n"));
    let listed = fixture.run(&image, &["ls", "-A", "/src"]).await;
    assert!(listed.contains("secret-not") && !listed.contains("secret.txt"), "{listed}");

    let again = fixture.build(request()).await;
    assert_eq!(again.artifact().image, artifact.image, "equal sources give equal images");
    assert!(again.output.contains("(cached)") && again.output.contains("(0 layers sent, "), "{}", again.output);
    fixture.end().await;
}

#[tokio::test]
async fn faults_of_the_source_are_told_so_that_a_person_can_act() {
    let fixture = Fixture::new("faults").await;
    let fault = async |dockerfile: &str| fixture.build(fixture.request(&[("Dockerfile", dockerfile)])).await;

    let failed =
        fault("FROM debian:bookworm-slim\nRUN for i in 1 2 3; do echo line $i >&2; done; echo boo >&2; exit 7\n").await;
    assert!(matches!(failed.result, Err(BuildError::Step(_))));
    let text = failed.fault();
    assert!(
        text.starts_with("`RUN for i in 1 2 3;")
            && text.contains("failed with exit code 7")
            && text.ends_with("\n  line 3\n  boo"),
        "{text}"
    );
    assert!(failed.output.contains("       line 1\n"), "{}", failed.output);

    let syntax = fault("FROM debian:bookworm-slim\nRUNX y\n").await.fault();
    assert!(syntax.contains("the Dockerfile cannot be read: line 2: unknown instruction: RUNX"), "{syntax}");
    let base = fault("FROM 127.0.0.1:1/nosuch:1\nRUN y\n").await.fault();
    assert!(
        base.contains("the base image `127.0.0.1:1/nosuch:1` can neither be pulled nor found on the engine"),
        "{base}"
    );
    let copy = fault("FROM debian:bookworm-slim\nCOPY nosuch /\n").await.fault();
    assert!(copy.contains("`COPY nosuch /` failed: `/nosuch` is not in the source"), "{copy}");
    let empty = fault("# nothing\n").await.fault();
    assert!(empty.contains("the Dockerfile is empty"), "{empty}");
    let stage = fault("FROM debian:bookworm-slim\nCOPY --from=127.0.0.1:1/nosuch:2 /a /b\n").await.fault();
    assert!(stage.contains("127.0.0.1:1/nosuch:2"), "{stage}");
    let silent = fault("FROM scratch\nCOPY Dockerfile /\n").await.fault();
    assert!(silent.contains("says nothing to run"), "{silent}");
    let unknown = fixture.build(fixture.request(&[("README.md", "x")])).await;
    assert!(matches!(unknown.result, Err(BuildError::Undetected { .. })));
    fixture.end().await;
}

#[tokio::test]
async fn a_flood_of_output_is_cut_and_the_build_goes_on() {
    let fixture = Fixture::new("flood").await;
    let id = ambo_model::BuildId::new();
    let dockerfile = format!(
        "FROM debian:bookworm-slim\nRUN echo {id}; head -c 100000 /dev/zero | tr '\\0' x; echo; seq 1 20000; echo end\nCMD true\n"
    );
    let mut request = fixture.request(&[("Dockerfile", &dockerfile)]);
    request.limits.output_bytes = 20_000;
    let built = fixture.build(request).await;
    built.artifact();
    assert!(built.output.len() < 30_000, "{}", built.output.len());
    assert!(built.output.lines().all(|line| line.len() < 1200));
    assert!(built.output.contains("xxx… ("), "{}", built.output);
    assert!(built.output.contains(" !     the output is longer than"), "{}", built.output);
    assert!(built.output.contains("-----> Storing the image"));
    fixture.end().await;
}

#[tokio::test]
async fn a_build_that_takes_too_long_ends_at_its_limit() {
    let fixture = Fixture::new("timeout").await;
    let dockerfile = format!("FROM debian:bookworm-slim\nRUN echo {}; sleep 600\n", ambo_model::BuildId::new());
    let mut request = fixture.request(&[("Dockerfile", &dockerfile)]);
    request.limits.duration = Duration::from_secs(3);
    let built = fixture.build(request).await;
    assert!(matches!(built.result, Err(BuildError::Timeout(_))), "{:?}", built.result);
    fixture.end().await;
}

#[tokio::test]
async fn a_source_that_is_too_large_never_reaches_the_engine() {
    let fixture = Fixture::new("large").await;
    let mut request = fixture.request(&[("Dockerfile", &"#".repeat(200_000))]);
    request.limits.source = ByteSize::kib(100);
    assert!(matches!(fixture.build(request).await.result, Err(BuildError::SourceTooLarge(_))));
    fixture.end().await;
}

#[tokio::test]
async fn a_registry_or_an_engine_that_is_down_is_the_platforms_fault() {
    let fixture = Fixture::new("down").await;
    let mut request = fixture.request(&[("Dockerfile", "FROM debian:bookworm-slim\nCMD true\n")]);
    request.repository = "127.0.0.1:1/down".to_owned();
    let built = fixture.build(request).await;
    assert_eq!(built.fault(), "push the image to `127.0.0.1:1/down`");
    fixture.local_remove("127.0.0.1:1/down:b1").await;

    let nowhere = DockerSettings { socket: EngineAddress::Unix(fixture.directory.path().join("none.sock")) };
    let settings =
        BuilderSettings { work_directory: fixture.directory.path().join("work"), cache_size: ByteSize::gib(1) };
    let builder = DockerBuilder::open(Arc::new(Engine::connect(nowhere).unwrap()), settings).unwrap();
    let request = fixture.request(&[("Dockerfile", "FROM debian:bookworm-slim\n")]);
    let (to, _from) = tokio::sync::mpsc::channel(100);
    let failed = builder.build(request, to).await;
    assert!(matches!(failed, Err(BuildError::Platform { .. })), "{failed:?}");
    fixture.end().await;
}

#[tokio::test]
async fn what_an_earlier_process_left_is_removed_at_the_start() {
    let fixture = Fixture::new("leftover").await;
    let left = fixture.directory.path().join("work/build-abc");
    std::fs::create_dir_all(left.join("x")).unwrap();
    let settings =
        BuilderSettings { work_directory: fixture.directory.path().join("work"), cache_size: ByteSize::gib(1) };
    DockerBuilder::open(Arc::new(fixture.engine.clone()), settings).unwrap();
    assert!(!left.exists());
    fixture.end().await;
}
