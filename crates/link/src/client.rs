//! Opens streams.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::LinkStream;
use crate::identity::{Identity, Role};
use crate::opening::{self, Answer, Opening, Refusal};
use crate::socket;

/// Longest wait for a connection, and then again for the answer to what was asked on it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens streams as one component.
#[derive(Debug, Clone)]
pub struct LinkClient {
    identity: Identity,
}

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Nobody answers there, or somebody whom we do not believe.
    #[error("open a link to {address}")]
    Away {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No controller is known whom one could ask.
    #[error("open a link: no controllers are known")]
    Nobody,
    /// It was refused.
    #[error("{address} refuses the link: {refusal:?}")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// Why.
        refusal: Refusal,
    },
}

impl LinkClient {
    /// A client that shows this identity.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self { identity }
    }

    /// Opens a stream to the component of that role at that address.
    ///
    /// # Errors
    /// When nobody answers within seconds, or the stream is refused.
    pub async fn open(&self, address: SocketAddr, role: Role, opening: &Opening) -> Result<LinkStream, LinkError> {
        let away = |source| LinkError::Away { address, source };
        let mut stream = within(self.connect(address, role)).await.map_err(away)?;
        let asked = async {
            opening::write(&mut stream, opening).await?;
            opening::read::<Answer>(&mut stream).await
        };
        match within(asked).await.map_err(away)? {
            Answer::Taken => Ok(stream),
            Answer::Refused(refusal) => Err(LinkError::Refused { address, refusal }),
        }
    }

    async fn connect(&self, address: SocketAddr, role: Role) -> io::Result<LinkStream> {
        let stream = TcpStream::connect(address).await?;
        socket::watch_over(&stream)?;
        let connector = TlsConnector::from(self.identity.client.clone());
        Ok(connector.connect(role.server_name(), stream).await?.into())
    }
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
