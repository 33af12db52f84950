//! Connections that are passed on to the controller that leads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ambo_link::{Leader, Opening, Service};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::task::TaskTracker;

use crate::cluster::meeting;

/// Pause after the machine had no descriptor for one more connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Passes connections on. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Relay {
    leader: Arc<Leader>,
    streams: TaskTracker,
}

impl Relay {
    pub(super) fn new(leader: Leader) -> Self {
        Self { leader: Arc::new(leader), streams: TaskTracker::new() }
    }

    /// Passes clients' connections on, for as long as it is polled.
    pub(super) async fn clients(self, listener: TcpListener, service: Service) {
        loop {
            match listener.accept().await {
                Ok((stream, client)) => {
                    let _ = stream.set_nodelay(true);
                    self.stream(stream, Opening { service, client: Some(client) });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Passes the router's conversation with the leader on, for as long as it is polled.
    pub(super) async fn router(self, listener: UnixListener) {
        loop {
            let stream = meeting::accept(&listener).await;
            self.stream(stream, Opening { service: Service::Routes, client: None });
        }
    }

    /// Waits for the streams that are open, not beyond the deadline.
    pub(super) async fn end(self, deadline: Duration) {
        self.streams.close();
        if tokio::time::timeout(deadline, self.streams.wait()).await.is_err() {
            tracing::warn!(streams = self.streams.len(), "the deadline has passed: what is left is cut");
        }
    }

    fn stream(&self, mut near: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, opening: Opening) {
        let leader = self.leader.clone();
        self.streams.spawn(async move {
            match leader.open(&opening).await {
                Ok(mut far) => {
                    // Either end may break it at any time.
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
                Err(error) => {
                    let client: Option<SocketAddr> = opening.client;
                    tracing::warn!(service = ?opening.service, ?client, error = &error as &dyn std::error::Error, "nobody leads");
                }
            }
        });
    }
}
