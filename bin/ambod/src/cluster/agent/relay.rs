//! Connections that are passed on to the controller that leads.

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
                    let opening = Opening { service, client: Some(client) };
                    self.streams.spawn(pass(self.leader.clone(), stream, opening));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Passes a component's conversation with the leader on, for as long as it is polled.
    pub(super) async fn component(self, listener: UnixListener, service: Service) {
        loop {
            let stream = meeting::accept(&listener).await;
            let passed = pass(self.leader.clone(), stream, Opening { service, client: None });
            // Not waited for at the end: the component takes up the conversation with the next agent.
            tokio::spawn(passed);
        }
    }

    /// Waits for the streams that are open, not beyond the deadline.
    pub(super) async fn end(self, deadline: Duration) {
        self.streams.close();
        if tokio::time::timeout(deadline, self.streams.wait()).await.is_err() {
            tracing::warn!(streams = self.streams.len(), "the deadline has passed: what is left is cut");
        }
    }
}

async fn pass(leader: Arc<Leader>, mut near: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, opening: Opening) {
    match leader.open(&opening).await {
        Ok(mut far) => {
            // Either end may break it at any time.
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        }
        Err(error) => {
            let Opening { service, client } = opening;
            tracing::warn!(?service, ?client, error = &error as &dyn std::error::Error, "nobody leads");
        }
    }
}
