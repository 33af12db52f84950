//! Real routers that die.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ambo_dns::{ADDRESS_TTL, HttpProbe, Probe};
use ambo_router::{LogLines, Router, RouterSettings};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, public, router, within};

/// A router without any route, as every node's begins.
struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(http: SocketAddr) -> Self {
        let settings = RouterSettings { http: vec![http], worker_count: 1, ..RouterSettings::default() };
        let router = Router::bind(settings, Arc::new(LogLines(Arc::new(drop))), None).unwrap();
        let (address, stop) = (router.listeners().http_addresses()[0], CancellationToken::new());
        let stopped = stop.clone();
        let ended = tokio::spawn(async move {
            router.run(stopped.cancelled_owned()).await.unwrap();
        });
        Self { address, stop, ended }
    }

    async fn end(self) -> SocketAddr {
        self.stop.cancel();
        within(self.ended).await.unwrap();
        self.address
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_router_leaves_the_answers_within_seconds_and_all_are_told_when_all_are_dead() {
    let (one, two) = (Running::start(any_port()), Running::start(any_port()));
    let stage = Stage::with(vec![router(1, one.address), router(2, two.address)], HttpProbe).await;
    stage.until(|addresses| addresses == [public(1), public(2)]).await;
    let address = two.end().await;
    let took = stage.until(|addresses| addresses == [public(1)]).await;
    assert!(
        took + ADDRESS_TTL < Duration::from_secs(15),
        "{took:?} until it is out, and resolvers keep it for a while"
    );
    let two = Running::start(address);
    stage.until(|addresses| addresses == [public(1), public(2)]).await;
    // The one that is left alone dies too: rather all than none.
    two.end().await;
    stage.until(|addresses| addresses == [public(1)]).await;
    one.end().await;
    stage.until(|addresses| addresses == [public(1), public(2)]).await;
}

#[tokio::test]
async fn a_router_answers_the_question_and_whoever_else_listens_does_not() {
    let running = Running::start(any_port());
    assert!(within(HttpProbe.is_well(running.address)).await);
    let dead = running.end().await;
    assert!(!within(HttpProbe.is_well(dead)).await);
    let other = TcpListener::bind(any_port()).await.unwrap();
    let address = other.local_addr().unwrap();
    let hangs_up = tokio::spawn(async move {
        let (mut stream, _) = other.accept().await.unwrap();
        let _ = stream.read(&mut [0; 64]).await;
    });
    assert!(!within(HttpProbe.is_well(address)).await);
    hangs_up.await.unwrap();
}
