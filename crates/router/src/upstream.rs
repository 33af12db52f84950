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
use tokio::net::TcpStream;

use crate::request::body::RequestBody;
use crate::small_write::SmallWrite;

/// Longest response head of an instance, in bytes; a longer one is H17.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 128 * 1024;

type Driver = http1::Connection<TokioIo<SmallWrite<TcpStream>>, RequestBody>;

/// A connection to an instance over which one request at a time goes. Large, hence kept in a box.
pub(crate) struct InstanceConnection {
    sender: http1::SendRequest<RequestBody>,
    driver: Driver,
    /// Set when the driver has come to its end; it must not be polled again.
    ended: bool,
    idle_since: Instant,
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
        stream.set_nodelay(true).map_err(ConnectError::Refused)?;
        let mut builder = http1::Builder::new();
        builder.max_buf_size(RESPONSE_HEAD_BYTES_MAX);
        let handshake = builder.handshake(TokioIo::new(SmallWrite(stream))).await;
        let (sender, driver) = handshake.map_err(|error| ConnectError::Refused(io::Error::other(error)))?;
        Ok(Box::new(Self { sender, driver, ended: false, idle_since: Instant::now() }))
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
        if !self.ended {
            // The error, if any, reaches whoever waits for the response or its body.
            self.ended = Pin::new(&mut self.driver).poll(cx).is_ready();
        }
        if self.ended { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Sends a request and waits for the head of its response. Not cancel safe: dropped half-way, the connection must be
    /// dropped too.
    pub(crate) async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, SendError> {
        let Self { sender, driver, ended, .. } = self;
        let mut response = pin!(sender.try_send_request(request));
        let answer = poll_fn(|cx| {
            if !*ended {
                *ended = Pin::new(&mut *driver).poll(cx).is_ready();
            }
            match response.as_mut().poll(cx) {
                Poll::Pending if *ended => Poll::Ready(None),
                answer => answer.map(Some),
            }
        });
        match answer.await {
            Some(Ok(response)) => Ok(response),
            Some(Err(mut refused)) => Err(match refused.take_message() {
                Some(request) => SendError::Unsent(Box::new(request)),
                None => send_error(refused.error()),
            }),
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
        f.debug_struct("InstanceConnection").field("ended", &self.ended).finish_non_exhaustive()
    }
}
