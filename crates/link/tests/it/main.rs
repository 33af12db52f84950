//! Links over real sockets: who gets a stream, and how routers follow the leader.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be made is a failed test")]

mod leaders;
mod nodes;
mod routing;
mod streams;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ambo_link::identity::names;
use ambo_link::{Authority, Identity, LinkServer, Peer, Role, Services};
use ambo_model::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

const LIFE: Duration = Duration::from_secs(600);

fn identity(authority: &Authority, role: Role, node: &str) -> Identity {
    let peer = Peer { role, node: node.to_owned() };
    let issued = authority.issue(&names(&peer), true, Timestamp::now(), LIFE).unwrap();
    Identity::from_pem(&issued.chain, &issued.key, authority.root()).unwrap()
}

/// A server that runs until the guard is dropped.
async fn serve(identity: Identity, services: impl Services) -> (SocketAddr, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    tokio::task::spawn(LinkServer::new(listener, identity).run(Arc::new(services), stop.clone()));
    (address, stop.drop_guard())
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), work).await.expect("the test's deadline has passed")
}
