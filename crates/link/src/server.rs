//! Accepts streams.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::LinkStream;
use crate::identity::{Identity, IdentityError, Peer};
use crate::opening::{self, Answer, Opening, Refusal};
use crate::socket;

/// Longest wait for a peer to say who it is and what it wants.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause after the machine had no descriptor for one more connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a component offers to the others.
#[async_trait]
pub trait Services: Send + Sync + 'static {
    /// Takes or refuses a stream, and carries it to its end.
    async fn serve(&self, accepted: Accepted);
}

/// A stream whose peer waits for an answer.
#[derive(Debug)]
pub struct Accepted {
    /// Who asks.
    pub peer: Peer,
    /// For what.
    pub opening: Opening,
    stream: LinkStream,
}

impl Accepted {
    /// Takes it.
    ///
    /// # Errors
    /// When the peer has gone.
    pub async fn take(mut self) -> io::Result<LinkStream> {
        opening::write(&mut self.stream, &Answer::Taken).await?;
        Ok(self.stream)
    }

    /// Refuses it. Whether the peer hears it is the peer's affair.
    pub async fn refuse(mut self, refusal: Refusal) {
        let _ = opening::write(&mut self.stream, &Answer::Refused(refusal)).await;
    }
}

/// Listens for streams.
#[derive(Debug)]
pub struct LinkServer {
    listener: TcpListener,
    identity: Identity,
}

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("it did not say in time what it wants")]
    Silent,
}

impl LinkServer {
    /// A server on a socket that listens already.
    #[must_use]
    pub fn new(listener: TcpListener, identity: Identity) -> Self {
        Self { listener, identity }
    }

    /// Serves until `stop`; streams end with it.
    pub async fn run(self, services: Arc<dyn Services>, stop: CancellationToken) {
        let (streams, acceptor) = (TaskTracker::new(), TlsAcceptor::from(self.identity.server.clone()));
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            let Ok((connection, from)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (acceptor, services, stop) = (acceptor.clone(), services.clone(), stop.clone());
            streams.spawn(stop.run_until_cancelled_owned(async move {
                match accept(connection, &acceptor).await {
                    Ok(accepted) => services.serve(accepted).await,
                    Err(error) => tracing::debug!(%from, %error, "a link came to nothing"),
                }
            }));
        }
        streams.close();
        streams.wait().await;
    }
}

async fn accept(connection: TcpStream, acceptor: &TlsAcceptor) -> Result<Accepted, Failed> {
    socket::watch_over(&connection)?;
    let greeting = async {
        let stream = acceptor.accept(connection).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).ok_or(IdentityError::Names)?;
        let peer = Peer::from_certificate(certificate)?;
        let mut stream = LinkStream::from(stream);
        let opening = opening::read(&mut stream).await?;
        Ok(Accepted { peer, opening, stream })
    };
    tokio::time::timeout(PATIENCE, greeting).await.unwrap_or(Err(Failed::Silent))
}
