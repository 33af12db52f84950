//! HTTP to the engine, one connection per request.
//!
//! A fresh connection costs microseconds on a Unix socket and means that nothing is left over from before an engine's
//! restart: a request works as soon as the engine answers again.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
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

/// A connection to an engine.
pub trait EngineStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> EngineStream for T {}

/// The way to an engine that is not reached by an address alone: on another machine, through the platform's own streams.
#[async_trait]
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// A connection of its own for one request.
    async fn connect(&self) -> io::Result<Box<dyn EngineStream>>;
}

/// Sends requests to one engine.
#[derive(Debug, Clone)]
pub(crate) struct Transport(Arc<dyn Connector>);

impl Transport {
    pub(crate) fn new(connector: Arc<dyn Connector>) -> Self {
        Self(connector)
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
        let transport = self.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let transport = transport.clone();
            Box::pin(async move { transport.connect().await.map(TokioIo::new) })
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
        self.connect().await.map(drop).map_err(EngineError::down)
    }

    async fn connect(&self) -> io::Result<Socket> {
        let connected = tokio::time::timeout(CONNECT_DURATION_MAX, self.0.connect()).await;
        connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(Socket)
    }
}

#[async_trait]
impl Connector for EngineAddress {
    async fn connect(&self) -> io::Result<Box<dyn EngineStream>> {
        let connected: io::Result<Box<dyn EngineStream>> = match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(|stream| Box::new(stream) as _),
            Self::Tcp(authority) => TcpStream::connect(authority).await.and_then(|stream| {
                stream.set_nodelay(true)?;
                Ok(Box::new(stream) as _)
            }),
        };
        connected.map_err(|source| io::Error::new(source.kind(), format!("connect to {self}: {source}")))
    }
}

/// A connection as the HTTP client wants it.
struct Socket(Box<dyn EngineStream>);

impl Connection for Socket {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
