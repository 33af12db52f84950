//! Runs and execs over a WebSocket.

use ambo_api_types::{AttachInput, AttachOutput};
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::world::{DEADLINE, Person, World};

struct Session(WebSocketStream<TcpStream>);

/// What a program said, and its exit code.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

impl Session {
    async fn send(&mut self, input: AttachInput<'_>) {
        self.0.send(Message::Binary(input.encode().into())).await.unwrap();
    }

    async fn rest(&mut self) -> Said {
        let mut said = Said::default();
        let read = async {
            while let Some(Ok(message)) = self.0.next().await {
                let Message::Binary(frame) = message else { continue };
                match AttachOutput::decode(&frame).unwrap() {
                    AttachOutput::Stdout(data) => said.stdout.push_str(std::str::from_utf8(data).unwrap()),
                    AttachOutput::Stderr(data) => said.stderr.push_str(std::str::from_utf8(data).unwrap()),
                    AttachOutput::Exit(code) => said.code = Some(code),
                }
            }
        };
        tokio::time::timeout(DEADLINE, read).await.expect("the session ends");
        said
    }
}

/// A world that listens, with an app that is deployed.
async fn served() -> (World, Person, std::net::SocketAddr) {
    let world = World::new();
    let ann = world.administrator().await;
    world.app(&ann, "photos").await;
    world.deploy(&ann.token, "photos").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(ambo_api::serve(
        listener,
        ambo_api::Clients::Direct,
        world.router.clone(),
        None,
        world.shutdown.clone(),
        DEADLINE,
    ));
    (world, ann, address)
}

async fn attach(address: std::net::SocketAddr, attach_url: &str) -> Result<Session, u16> {
    let path = attach_url.strip_prefix("ws://localhost").expect("a URL of ours");
    let stream = TcpStream::connect(address).await.unwrap();
    match tokio_tungstenite::client_async(format!("ws://{address}{path}"), stream).await {
        Ok((socket, _)) => Ok(Session(socket)),
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

async fn run(world: &World, ann: &Person, wanted: serde_json::Value) -> String {
    let dyno = world.post(&ann.token, "/apps/photos/dynos", wanted).await.expect(201);
    assert!(dyno["name"].as_str().unwrap().starts_with("run."), "{dyno}");
    dyno["ambo"]["attach_url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_run_gives_its_output_and_exit_code() {
    let (world, ann, address) = served().await;
    let wanted = json!({ "command": "echo out; echo err >&2; exit 3", "attach": true, "force_no_tty": true });
    let url = run(&world, &ann, wanted).await;
    let said = attach(address, &url).await.unwrap().rest().await;
    assert_eq!(said, Said { stdout: "out\n".into(), stderr: "err\n".into(), code: Some(3) });
}

#[tokio::test]
async fn input_reaches_the_program_and_its_end_ends_it() {
    let (world, ann, address) = served().await;
    let url = run(&world, &ann, json!({ "command": "cat", "attach": true, "force_no_tty": true })).await;
    let mut session = attach(address, &url).await.unwrap();
    session.send(AttachInput::Data(b"hello ")).await;
    session.send(AttachInput::Data(b"world")).await;
    session.send(AttachInput::End).await;
    let said = session.rest().await;
    assert_eq!((said.stdout.as_str(), said.code), ("hello world", Some(0)));
}

#[tokio::test]
async fn a_session_is_attached_to_once() {
    let (world, ann, address) = served().await;
    let url = run(&world, &ann, json!({ "command": "true", "attach": true })).await;
    let plain = world.get("", url.strip_prefix("ws://localhost").unwrap()).await;
    assert_eq!(plain.status, 400, "a request that is no WebSocket uses nothing up: {}", plain.text);
    attach(address, &url).await.unwrap().rest().await;
    assert_eq!(attach(address, &url).await.err(), Some(404));
}

#[tokio::test]
async fn a_program_ends_when_its_user_leaves() {
    let (world, ann, address) = served().await;
    let url = run(&world, &ann, json!({ "command": "echo on; sleep infinity", "attach": true })).await;
    let mut session = attach(address, &url).await.unwrap();
    let is_run = |dynos: &serde_json::Value| dynos.as_array().unwrap().iter().any(|dyno| dyno["type"] == "run");
    world.until(&ann.token, "/apps/photos/dynos", is_run).await;
    session.0.close(None).await.unwrap();
    drop(session);
    world.until(&ann.token, "/apps/photos/dynos", |dynos| !is_run(dynos)).await;
}

#[tokio::test]
async fn a_program_runs_inside_a_live_instance() {
    let (world, ann, address) = served().await;
    world
        .patch(&ann.token, "/apps/photos/formation", json!({ "updates": [{ "type": "worker", "quantity": 1 }] }))
        .await
        .expect(200);
    world.until(&ann.token, "/apps/photos/dynos", |dynos| dynos[0]["name"] == "worker.1").await;
    let wanted = json!({ "command": "echo inside", "force_no_tty": true });
    let dyno = world.post(&ann.token, "/apps/photos/dynos/worker.1", wanted).await.expect(201);
    assert_eq!(dyno["name"], "worker.1");
    let said = attach(address, dyno["ambo"]["attach_url"].as_str().unwrap()).await.unwrap().rest().await;
    assert_eq!(said, Said { stdout: "inside\n".into(), stderr: String::new(), code: Some(0) });
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let (world, ann, address) = served().await;
    let url = run(&world, &ann, json!({ "command": "true", "attach": true, "force_no_tty": true })).await;
    world.engine.down();
    let said = attach(address, &url).await.unwrap().rest().await;
    assert_eq!(said.code, Some(126));
    assert!(said.stderr.contains("does not answer"), "{}", said.stderr);
    world.engine.up();
    let empty = world.post(&ann.token, "/apps/photos/dynos", json!({ "command": " " })).await.expect(422);
    assert!(empty["message"].as_str().unwrap().contains("`command`"));
}

#[tokio::test]
async fn a_detached_run_needs_nobody() {
    let (world, ann, _) = served().await;
    let wanted = json!({ "command": "echo alone; sleep infinity", "attach": false });
    let dyno = world.post(&ann.token, "/apps/photos/dynos", wanted).await.expect(201);
    assert!(dyno["ambo"]["attach_url"].is_null());
    let name = dyno["name"].as_str().unwrap();
    let listed = world.get(&ann.token, "/apps/photos/dynos").await.expect(200);
    assert!(listed.as_array().unwrap().iter().any(|dyno| dyno["name"] == name), "{listed}");
    world.post(&ann.token, &format!("/apps/photos/dynos/{name}/actions/stop"), json!(null)).await.expect(202);
}
