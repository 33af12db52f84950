//! A connection to an instance.
//!
//! It is driven by the task of the request that uses it, not by a task of its own: one wake-up per event instead of two.
//! While idle nobody polls it; whether the instance has closed it is looked up when it is taken out again.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::request::body::RequestBody;
use crate::small_write::SmallWrite;

/// Longest response head of an instance, in bytes; a longer one is H17.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 128 * 1024;

type Driver = http1::Connection<TokioIo<SmallWrite<TcpStream>>, RequestBody>;

/// How long the machine of an instance may be silent, to what is sent and to probes, before it counts as dead. A network that
/// pauses for three seconds breaks nothing.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Silence after which it is probed, and pause between two probes.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// A connection to an instance over which one request at a time goes. Large, hence kept in a box.
pub(crate) struct InstanceConnection {
    sender: http1::SendRequest<RequestBody>,
    driver: Driver,
    end: End,
    idle_since: Instant,
}

/// How far the driver has come. Ended, it must not be polled again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Closed,
    /// Nothing was heard of the machine for [`SILENCE_MAX`].
    Silent,
}

/// Why a connect failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("the instance did not accept a connection in time")]
    TimedOut,
    #[error("the instance refused the connection")]
    Refused(#[source] io::Error),
}

/// Why a request got no response.
#[derive(Debug)]
pub(crate) enum SendError {
    /// Nothing of it was sent.
    Unsent(Box<Request<RequestBody>>),
    /// The connection ended before a response.
    Closed,
    /// The machine is dead, and whatever it had begun of it.
    Silent,
    /// What came is no HTTP response.
    Malformed,
    /// The request's own body failed: the client's doing.
    Body,
}

impl InstanceConnection {
    pub(crate) async fn connect(endpoint: SocketAddr, timeout: Duration) -> Result<Box<Self>, ConnectError> {
        let stream = match tokio::time::timeout(timeout, TcpStream::connect(endpoint)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => return Err(ConnectError::TimedOut),
            Ok(Err(error)) => return Err(ConnectError::Refused(error)),
            Err(_) => return Err(ConnectError::TimedOut),
        };
        stream.set_nodelay(true).and_then(|()| watch_over(&stream)).map_err(ConnectError::Refused)?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(RESPONSE_HEAD_BYTES_MAX);
        let handshake = builder.handshake(TokioIo::new(SmallWrite(stream))).await;
        let (sender, driver) = handshake.map_err(|error| ConnectError::Refused(io::Error::other(error)))?;
        Ok(Box::new(Self { sender, driver, end: End::Open, idle_since: Instant::now() }))
    }

    pub(crate) fn idle_age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.idle_since)
    }

    pub(crate) fn idle_begin(&mut self, now: Instant) {
        self.idle_since = now;
    }

    /// Whether it can take a request now. Looks at the socket; leaves nobody's waker behind.
    pub(crate) fn is_ready(&mut self) -> bool {
        let mut nobody = Context::from_waker(Waker::noop());
        self.poll_drive(&mut nobody).is_pending() && self.sender.is_ready()
    }

    /// Moves bytes. Ready when the connection has ended or has become a tunnel.
    pub(crate) fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.end.advance(&mut self.driver, cx);
        if self.end == End::Open { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Sends a request and waits for the head of its response. Not cancel safe: dropped half-way, the connection must be
    /// dropped too.
    pub(crate) async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, SendError> {
        let Self { sender, driver, end, .. } = self;
        let mut response = pin!(sender.try_send_request(request));
        let answer = poll_fn(|cx| {
            end.advance(driver, cx);
            match response.as_mut().poll(cx) {
                Poll::Pending if *end != End::Open => Poll::Ready(None),
                answer => answer.map(Some),
            }
        });
        match answer.await {
            Some(Ok(response)) => Ok(response),
            Some(Err(mut refused)) => Err(match refused.take_message() {
                Some(request) => SendError::Unsent(Box::new(request)),
                None if *end == End::Silent => SendError::Silent,
                None => send_error(refused.error()),
            }),
            None if *end == End::Silent => Err(SendError::Silent),
            None => Err(SendError::Closed),
        }
    }

    /// The socket and what was read from it beyond the head, once the instance has switched protocols.
    pub(crate) async fn into_tunnel(mut self: Box<Self>) -> (TcpStream, Bytes) {
        poll_fn(|cx| self.poll_drive(cx)).await;
        let parts = self.driver.into_parts();
        (parts.io.into_inner().0, parts.read_buf)
    }
}

impl End {
    /// Moves bytes. Whoever waits for the response or its body hears of an error, but not that the machine is silent.
    fn advance(&mut self, driver: &mut Driver, cx: &mut Context<'_>) {
        if *self == Self::Open
            && let Poll::Ready(ended) = Pin::new(driver).poll(cx)
        {
            *self = if ended.is_err_and(|error| is_silence(&error)) { Self::Silent } else { Self::Closed };
        }
    }
}

fn is_silence(error: &hyper::Error) -> bool {
    let mut causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut))
}

/// Lets the kernel notice that a machine is gone: it says no goodbye.
fn watch_over(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_INTERVAL).with_interval(PROBE_INTERVAL))?;
    socket.set_tcp_user_timeout(Some(SILENCE_MAX))
}

fn send_error(error: &hyper::Error) -> SendError {
    if error.is_user() || error.is_body_write_aborted() {
        SendError::Body
    } else if error.is_parse() {
        SendError::Malformed
    } else {
        SendError::Closed
    }
}

impl fmt::Debug for InstanceConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstanceConnection").field("end", &self.end).finish_non_exhaustive()
    }
}
