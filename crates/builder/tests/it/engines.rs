//! Engines on other machines, which come and go.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ambo_builder::{BuildEngines, BuildError, BuilderSettings, DockerBuilder, EngineLease, ImageBuilder, ImagesKept};
use ambo_engine_docker::{DockerSettings, Engine, EngineAddress, EngineError, EngineStream};
use ambo_model::ByteSize;
use async_trait::async_trait;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::cancel::runs;
use crate::fixture::{DEADLINE, Fixture, wait_until};

/// Builds run on the first, and images are on all.
#[derive(Debug)]
struct Nodes(Vec<Engine>);

#[async_trait]
impl BuildEngines for Nodes {
    async fn lease(&self, _: &str) -> Result<EngineLease, EngineError> {
        Ok(EngineLease { engine: self.0[0].clone(), node: Some("n2".to_owned()), held: None })
    }

    async fn all(&self) -> Result<Vec<Engine>, EngineError> {
        Ok(self.0.clone())
    }
}

fn builder(fixture: &Fixture, engines: Vec<Engine>) -> DockerBuilder {
    let settings =
        BuilderSettings { work_directory: fixture.directory.path().join("work"), cache_size: ByteSize::gib(100) };
    DockerBuilder::open(Arc::new(Nodes(engines)), settings).unwrap()
}

fn engine_at(socket: PathBuf) -> Engine {
    Engine::connect(DockerSettings { socket: EngineAddress::Unix(socket) }).unwrap()
}

/// Another way to the tests' engine, which is cut when it is dropped, with all that goes over it.
struct Way {
    _connections: JoinSet<()>,
    hangs: watch::Sender<bool>,
}

impl Way {
    fn open(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let (hangs, told) = watch::channel(false);
        let mut way = JoinSet::new();
        way.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(carry(near, told.clone()));
            }
        });
        Self { _connections: way, hangs }
    }

    /// From now on the engine at its end hangs: connections stay open and new ones are taken, and nothing comes back.
    fn hang(&self) {
        self.hangs.send_replace(true);
    }
}

/// Until either end closes, or the engine hangs.
async fn carry(mut near: UnixStream, mut hangs: watch::Receiver<bool>) {
    let mut far = far().await;
    let hung = async { drop(hangs.wait_for(|hangs| *hangs).await) };
    tokio::select! {
        biased;
        () = hung => std::future::pending().await,
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
    }
}

async fn far() -> Box<dyn EngineStream> {
    match DockerSettings::from_environment().unwrap().socket {
        EngineAddress::Unix(path) => Box::new(UnixStream::connect(path).await.unwrap()),
        EngineAddress::Tcp(authority) => Box::new(TcpStream::connect(authority).await.unwrap()),
    }
}

#[tokio::test]
async fn a_node_that_dies_while_it_builds_ends_the_build_with_what_to_do() {
    let fixture = Fixture::new("dies").await;
    let socket = fixture.directory.path().join("n2.sock");
    let way = Way::open(&socket);
    let builder = builder(&fixture, vec![engine_at(socket)]);
    let word = format!("601.{}", std::process::id());
    let dockerfile = format!("FROM debian:bookworm-slim\nRUN sleep {word}; echo {}\n", ambo_model::BuildId::new());
    let (to, mut from) = mpsc::channel(100);
    let mut build = builder.build(fixture.request(&[("Dockerfile", &dockerfile)]), to);
    tokio::select! {
        ended = &mut build => panic!("{ended:?}"),
        () = wait_until("the step runs", async || runs(&word)) => {}
    }
    drop(way);
    let ended = tokio::time::timeout(DEADLINE, build).await.expect("a build whose node is gone ends").unwrap_err();
    assert!(matches!(&ended, BuildError::BrokeOff { node, .. } if node == "n2"), "{ended:?}");
    let mut lines = Vec::new();
    while let Some(line) = from.recv().await {
        lines.push(line);
    }
    assert!(lines.iter().any(|line| line == "-----> Building on n2"), "{lines:?}");
    wait_until("the step is killed", async || !runs(&word)).await;
    fixture.end().await;
}

#[tokio::test]
async fn an_engine_that_hangs_while_it_builds_ends_the_build_with_what_to_do() {
    let fixture = Fixture::new("hangs").await;
    let socket = fixture.directory.path().join("n2.sock");
    let way = Way::open(&socket);
    let builder = builder(&fixture, vec![engine_at(socket)]);
    let word = format!("602.{}", std::process::id());
    let dockerfile = format!("FROM debian:bookworm-slim\nRUN sleep {word}; echo {}\n", ambo_model::BuildId::new());
    let (to, _from) = mpsc::channel(100);
    let mut build = builder.build(fixture.request(&[("Dockerfile", &dockerfile)]), to);
    tokio::select! {
        ended = &mut build => panic!("{ended:?}"),
        () = wait_until("the step runs", async || runs(&word)) => {}
    }
    way.hang();
    tokio::time::pause();
    let (ended, waited) = seconds_pass(build).await;
    tokio::time::resume();
    let ended = ended.unwrap_err();
    assert!(matches!(&ended, BuildError::BrokeOff { node, .. } if node == "n2"), "{ended:?}");
    assert!((25..=36).contains(&waited), "{waited} s");
    assert!(runs(&word), "the engine does not hear that nobody waits any more");
    drop(way);
    wait_until("the step is killed", async || !runs(&word)).await;
    fixture.end().await;
}

/// Lets time pass, second by second, until the work ends; gives how many.
async fn seconds_pass<T>(mut work: impl Future<Output = T> + Unpin) -> (T, u32) {
    let mut waited = 0;
    loop {
        tokio::select! {
            biased;
            ended = &mut work => return (ended, waited),
            () = tokio::time::advance(Duration::from_secs(1)) => waited += 1,
        }
        assert!(waited < 60, "waited in vain");
    }
}

#[tokio::test]
async fn old_images_leave_every_engine_that_answers_and_one_that_does_not_is_told() {
    let fixture = Fixture::new("everywhere").await;
    let dockerfile = format!("FROM debian:bookworm-slim\nRUN echo {}\nCMD true\n", ambo_model::BuildId::new());
    fixture.build(fixture.request(&[("Dockerfile", &dockerfile)])).await.artifact();
    assert_eq!(fixture.local_tags().await.len(), 1);

    let nowhere = engine_at(fixture.directory.path().join("none.sock"));
    let builder = builder(&fixture, vec![nowhere, fixture.engine.clone()]);
    let pruned = builder.images_prune(&[ImagesKept { repository: &fixture.repository, digests: &[] }]).await;
    assert!(matches!(pruned, Err(BuildError::Platform { .. })), "{pruned:?}");
    assert!(fixture.local_tags().await.is_empty());
    fixture.end().await;
}
