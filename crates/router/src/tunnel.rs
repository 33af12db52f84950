//! WebSockets and whatever else a connection is upgraded to: bytes both ways until one side ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::forward::Answer;
use crate::request::forwarded;
use crate::response::ResponseBody;
use crate::upstream::InstanceConnection;

/// Bytes that a tunnel holds in each direction at most.
const TUNNEL_BUFFER_BYTES: usize = 16 * 1024;
/// How many looks at a tunnel's traffic make its idle time.
const LOOKS_PER_IDLE: u32 = 5;

/// The client's 101; the tunnel begins when it has been sent.
pub(crate) fn tunnel_response(
    answer: Answer,
    upgrade: OnUpgrade,
    mut exchange: Box<Exchange>,
) -> Response<ResponseBody> {
    let Answer { response, connection, .. } = answer;
    let (mut parts, _) = response.into_parts();
    let protocol = parts.headers.get(UPGRADE).cloned();
    forwarded::hop_headers_remove(&mut parts.headers);
    parts.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Some(protocol) = protocol {
        parts.headers.insert(UPGRADE, protocol);
    }
    parts.extensions.clear();
    exchange.status = parts.status.as_u16();
    let worker = Arc::clone(&exchange.worker);
    worker.tasks.spawn(tunnel(connection, upgrade, exchange));
    Response::from_parts(parts, ResponseBody::empty())
}

/// Carries bytes until one side ends, both are silent for too long, or the instance is going.
async fn tunnel(connection: Box<InstanceConnection>, upgrade: OnUpgrade, mut exchange: Box<Exchange>) {
    let Some(target) = exchange.target().cloned() else { return };
    let closing = target.closing();
    let (instance, early) = connection.into_tunnel().await;
    let Ok(client) = upgrade.await else { return };
    let (down, up) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let idle_max = exchange.worker.shared.settings.stream_idle_timeout;
    let fault = tokio::select! {
        result = carry(client, instance, early, &down, &up) => result.err().map(|error| {
            tracing::debug!(%error, "tunnel broke off");
            Fault::ClientInterrupted
        }),
        () = silence(&down, &up, idle_max) => Some(Fault::IdleConnection),
        () = closing.over() => Some(Fault::ForcedClose),
    };
    exchange.bytes = down.load(Ordering::Relaxed);
    match fault {
        None | Some(Fault::ClientInterrupted) => exchange.complete(Instant::now()),
        Some(fault) => exchange.fail(fault),
    }
}

async fn carry(
    client: Upgraded,
    mut instance: TcpStream,
    early: Bytes,
    down: &Arc<AtomicU64>,
    up: &Arc<AtomicU64>,
) -> io::Result<()> {
    let mut client = Counted { inner: TokioIo::new(client), written: Arc::clone(down), read: Arc::clone(up) };
    client.write_all(&early).await?;
    client.flush().await?;
    tokio::io::copy_bidirectional_with_sizes(&mut client, &mut instance, TUNNEL_BUFFER_BYTES, TUNNEL_BUFFER_BYTES)
        .await?;
    Ok(())
}

/// Returns when nothing has moved for that long.
async fn silence(down: &AtomicU64, up: &AtomicU64, idle_max: Duration) {
    let moved = || down.load(Ordering::Relaxed).wrapping_add(up.load(Ordering::Relaxed));
    let (mut last, mut since) = (moved(), Instant::now());
    while since.elapsed() < idle_max {
        tokio::time::sleep(idle_max / LOOKS_PER_IDLE).await;
        if moved() != last {
            (last, since) = (moved(), Instant::now());
        }
    }
}

/// Counts what goes through a stream.
#[derive(Debug)]
struct Counted<S> {
    inner: S,
    read: Arc<AtomicU64>,
    written: Arc<AtomicU64>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.read.fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let len = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.written.fetch_add(len as u64, Ordering::Relaxed);
        Poll::Ready(Ok(len))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
