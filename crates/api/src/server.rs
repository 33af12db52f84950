//! The server: connections, plain or over TLS, their limits and their end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::HeaderValue;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::proxied;

/// Longest time for the headers of a request to arrive.
const HEADERS_DURATION_MAX: Duration = Duration::from_secs(30);
/// Most bytes of a request's headers, and of what is buffered of a connection. Heroku's client alone sends 7 kB of ids.
const HEADERS_BYTES_MAX: usize = 64 * 1024;
/// Most header lines of a request.
const HEADERS_MAX: usize = 100;
/// Most connections at once; further ones wait in the socket's queue.
const CONNECTIONS_MAX: usize = 4096;
/// Longest time for the first byte of a connection to arrive, and for a TLS handshake.
const BEGIN_DURATION_MAX: Duration = Duration::from_secs(30);
/// What a TLS connection begins with: a record of the handshake (RFC 8446, section 5.1). No HTTP request does.
const TLS_FIRST_BYTE: u8 = 0x16;
/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Whose connections a server accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// They come themselves.
    Direct,
    /// A component of the platform passes them on, and says first whose they are: [`proxy_line`](crate::proxy_line).
    Proxied,
}

/// Serves until `shutdown` is cancelled; then takes no more connections and ends the open ones after the requests in
/// flight, at the latest after `drain`. With `tls`, connections that begin with a handshake are served over TLS, on the
/// same port.
pub async fn serve(
    listener: TcpListener,
    clients: Clients,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    shutdown: CancellationToken,
    drain: Duration,
) {
    let tls = tls.map(TlsAcceptor::from);
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = connections.join_next(), if connections.len() >= CONNECTIONS_MAX => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, peer)) => {
                    let begun = begin(stream, peer, clients, tls.clone());
                    connections.spawn(connection(begun, router.clone(), shutdown.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let drained = tokio::time::timeout(drain, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = connections.len(), "requests were cut off at the end of the drain");
    }
}

async fn connection(begun: impl Future<Output = std::io::Result<Begun>>, router: Router, shutdown: CancellationToken) {
    let begun = tokio::time::timeout(BEGIN_DURATION_MAX, begun);
    let begun = match shutdown.run_until_cancelled(begun).await {
        None | Some(Err(_)) => return,
        Some(Ok(begun)) => begun,
    };
    match begun {
        Ok(Begun::Plain(stream, peer)) => http(stream, peer, false, router, shutdown).await,
        Ok(Begun::Tls(stream, peer)) => http(stream, peer, true, router, shutdown).await,
        Err(error) => tracing::debug!(%error, "a connection broke before its first request"),
    }
}

/// A connection that is ready for requests, and its client.
enum Begun {
    Plain(TcpStream, SocketAddr),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>, SocketAddr),
}

async fn begin(
    mut stream: TcpStream,
    peer: SocketAddr,
    clients: Clients,
    tls: Option<TlsAcceptor>,
) -> std::io::Result<Begun> {
    stream.set_nodelay(true)?;
    let client = match clients {
        Clients::Direct => peer,
        Clients::Proxied => proxied::client(&mut stream).await?,
    };
    let Some(tls) = tls else { return Ok(Begun::Plain(stream, client)) };
    let mut first = [0];
    stream.peek(&mut first).await?;
    Ok(match first {
        [TLS_FIRST_BYTE] => Begun::Tls(Box::new(tls.accept(stream).await?), client),
        _ => Begun::Plain(stream, client),
    })
}

async fn http<S>(stream: S, peer: SocketAddr, is_secure: bool, router: Router, shutdown: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = router.map_request(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        if is_secure {
            // As a proxy in front would: the URLs that handlers give out depend on it.
            request.headers_mut().insert("x-forwarded-proto", HeaderValue::from_static("https"));
        }
        request.map(axum::body::Body::new)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_DURATION_MAX)
        .max_buf_size(HEADERS_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let header_list_max = u32::try_from(HEADERS_BYTES_MAX).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(header_list_max)
        .keep_alive_interval(Duration::from_secs(30))
        .max_concurrent_streams(100);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
