//! HTTP to the engine over a Unix or TCP socket, one connection per request.
//!
//! A fresh connection costs microseconds on a Unix socket and means that nothing is left over from before an engine's
//! restart: a request works as soon as the engine answers again.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::BollardRequest;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::error::EngineError;
use crate::settings::EngineAddress;

/// Longest wait for a connection.
const CONNECT_DURATION_MAX: Duration = Duration::from_secs(5);
/// The header in which Docker takes a registry login.
const REGISTRY_AUTH: &str = "x-registry-auth";

/// Sends requests to one engine.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    address: EngineAddress,
}

impl Transport {
    pub(crate) fn new(address: EngineAddress) -> Self {
        Self { address }
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn send<B>(
        &self,
        request: Request<B>,
    ) -> Result<Response<Incoming>, hyper_util::client::legacy::Error>
    where
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let address = self.address.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let address = address.clone();
            Box::pin(async move { connect(&address).await.map(TokioIo::new) })
        });
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        client.request(request).await
    }

    /// Sends a request of bollard's, with its registry login in the alphabet that Docker reads: URL-safe base64.
    pub(crate) async fn send_for_bollard(
        self,
        mut request: BollardRequest,
    ) -> Result<Response<Incoming>, bollard::errors::Error> {
        if let Some(login) = request.headers().get(REGISTRY_AUTH).and_then(|value| value.to_str().ok())
            && let Ok(mut safe) = HeaderValue::from_str(&login.replace('+', "-").replace('/', "_"))
        {
            safe.set_sensitive(true);
            request.headers_mut().insert(REGISTRY_AUTH, safe);
        }
        Ok(self.send(request).await?)
    }

    /// Whether the engine takes connections.
    pub(crate) async fn probe(&self) -> Result<(), EngineError> {
        connect(&self.address).await.map(drop).map_err(EngineError::down)
    }
}

async fn connect(address: &EngineAddress) -> io::Result<Socket> {
    let connecting = async {
        match address {
            EngineAddress::Unix(path) => UnixStream::connect(path).await.map(Socket::Unix),
            EngineAddress::Tcp(authority) => {
                let stream = TcpStream::connect(authority).await?;
                stream.set_nodelay(true)?;
                Ok(Socket::Tcp(stream))
            }
        }
    };
    let connected = tokio::time::timeout(CONNECT_DURATION_MAX, connecting).await;
    connected
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(|source| io::Error::new(source.kind(), format!("connect to {address}: {source}")))
}

/// A connection to the engine.
#[derive(Debug)]
enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

macro_rules! either {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket.get_mut() {
            Socket::Unix(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Socket::Tcp(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }
}
