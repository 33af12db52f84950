use std::path::Path;

use ambo_model::ProcessType;

use crate::fixture::{Built, Fixture, get};

async fn built(fixture: &Fixture, example: &str) -> Built {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    fixture.build(fixture.request_of_directory(&path)).await
}

#[tokio::test]
async fn hello_python_builds_and_answers_as_nobody_special() {
    let fixture = Fixture::new("hello-python").await;
    let built = built(&fixture, "hello-python").await;
    let artifact = built.artifact();
    assert!(
        built.output.starts_with("-----> Python detected\n-----> Building from a generated Dockerfile\n"),
        "{}",
        built.output
    );
    let processes: Vec<&str> = artifact.processes.iter().map(|(process, _)| process.as_str()).collect();
    assert_eq!(processes, ["release", "web", "worker"]);
    let image = format!("{}@{}", fixture.repository, artifact.image);
    assert_eq!(
        fixture.run(&image, &["sh", "-c", "id -un; pwd; touch x && ls -l x | cut -d' ' -f3"]).await,
        "app\n/app\napp\n"
    );
    assert!(fixture.run(&image, &["python", "release.py"]).await.starts_with("preparing"));
    let (id, port) = fixture.serve(artifact, "web").await;
    assert!(get(port, "/").await.unwrap().ends_with("Hello from Ambo! web.1 of v1\n"));
    assert!(get(port, "/env?name=PORT").await.unwrap().ends_with("8123"));
    fixture.stop(&id).await;
    fixture.end().await;
}

#[tokio::test]
async fn hello_docker_builds_and_answers() {
    let fixture = Fixture::new("hello-docker").await;
    let built = built(&fixture, "hello-docker").await;
    let (id, port) = fixture.serve(built.artifact(), "web").await;
    assert!(get(port, "/").await.unwrap().ends_with("Hello from a Dockerfile (unknown)\n"));
    fixture.stop(&id).await;
    fixture.end().await;
}

#[tokio::test]
async fn hello_node_builds_and_answers() {
    let fixture = Fixture::new("hello-node").await;
    let built = built(&fixture, "hello-node").await;
    assert_eq!(built.artifact().kind, "Node.js");
    let (id, port) = fixture.serve(built.artifact(), "web").await;
    assert!(get(port, "/").await.unwrap().contains("Hello from Node.js v18"));
    fixture.stop(&id).await;
    fixture.end().await;
}

#[tokio::test]
async fn a_static_site_is_served_without_what_is_hidden() {
    let fixture = Fixture::new("static-site").await;
    let built = built(&fixture, "static-site").await;
    let artifact = built.artifact();
    assert_eq!((artifact.kind.as_str(), artifact.exposed_port), ("Static site", None));
    assert_eq!(artifact.processes.iter().map(|(process, _)| process.clone()).collect::<Vec<_>>(), [ProcessType::web()]);
    let (id, port) = fixture.serve(artifact, "web").await;
    assert!(get(port, "/").await.unwrap().contains("A static site on Ambo"));
    assert!(get(port, "/about").await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(get(port, "/style.css").await.unwrap().contains("text/css"));
    let missing = get(port, "/nosuch").await.unwrap();
    assert!(missing.starts_with("HTTP/1.1 404") && missing.contains("There is no such page"), "{missing}");
    assert!(get(port, "/.ambo.Dockerfile").await.unwrap().starts_with("HTTP/1.1 404"));
    fixture.stop(&id).await;
    fixture.end().await;
}

#[tokio::test]
async fn websocket_chat_builds_and_speaks_all_its_protocols() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let fixture = Fixture::new("websocket-chat").await;
    let built = built(&fixture, "websocket-chat").await;
    let (id, port) = fixture.serve(built.artifact(), "web").await;
    let events = get(port, "/events?count=3&interval=10").await.unwrap();
    assert!(events.contains("text/event-stream") && events.contains("id: 3\ndata: 3\n"), "{events}");

    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let upgrade = "GET /ws HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // A text frame "hi" in two pieces, masked with zeros.
    socket.write_all(upgrade.as_bytes()).await.unwrap();
    socket.write_all(&[0x01, 0x81, 0, 0, 0, 0, b'h']).await.unwrap();
    socket.write_all(&[0x80, 0x81, 0, 0, 0, 0, b'i', 0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let head = String::from_utf8_lossy(&answer);
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    assert!(answer.ends_with(&[0x81, 2, b'h', b'i', 0x88, 0]), "{answer:?}");
    fixture.stop(&id).await;
    fixture.end().await;
}
