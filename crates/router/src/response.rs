//! An instance's response on its way to the client.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::forward::Answer;
use crate::request::forwarded;
use crate::upstream::InstanceConnection;

/// What the client gets after the head.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    Page(Option<Bytes>),
    Instance(Box<InstanceBody>),
}

/// A body that comes from an instance bit by bit. Dropped before its end, it closes the instance's connection.
#[derive(Debug)]
pub(crate) struct InstanceBody {
    incoming: Incoming,
    link: Link,
    exchange: Box<Exchange>,
    silence: Option<Pin<Box<Sleep>>>,
    moved_at: Instant,
    /// Set when the instance broke off; the client is told when it has what came before.
    broken: Option<Fault>,
}

/// How often a client is looked at that has not yet taken what came before a break.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Who moves the bytes of the instance's connection.
#[derive(Debug)]
enum Link {
    /// Whoever polls the body.
    Own(Box<InstanceConnection>),
    /// A task, because the request's own body is still on its way and must not depend on whether the client reads.
    Task { _driver: AbortOnDropHandle<()> },
    /// Nobody: it was given back.
    Done,
}

/// The response broke off; the client's connection must not look as if it had not.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the instance's response broke off: {}", .0.description())]
pub(crate) struct BrokenOff(Fault);

/// Makes the instance's response the client's.
pub(crate) fn instance_response(answer: Answer, mut exchange: Box<Exchange>) -> Response<ResponseBody> {
    let Answer { response, connection, upload } = answer;
    let (mut parts, incoming) = response.into_parts();
    forwarded::hop_headers_remove(&mut parts.headers);
    parts.version = http::Version::default();
    parts.extensions.clear();
    exchange.status = parts.status.as_u16();
    let link = match upload {
        Some(upload) if !upload.is_complete() => Link::driven_by_task(connection, &exchange),
        _ => Link::Own(connection),
    };
    let moved_at = exchange.started;
    let mut body = InstanceBody { incoming, link, exchange, silence: None, moved_at, broken: None };
    if body.incoming.is_end_stream() {
        body.finish();
    }
    Response::from_parts(parts, ResponseBody::Instance(Box::new(body)))
}

impl Link {
    fn driven_by_task(mut connection: Box<InstanceConnection>, exchange: &Exchange) -> Self {
        let task = exchange.worker.tasks.spawn(async move { poll_fn(|cx| connection.poll_drive(cx)).await });
        Self::Task { _driver: AbortOnDropHandle::new(task) }
    }

    fn poll_drive(&mut self, cx: &mut Context<'_>) {
        if let Self::Own(connection) = self {
            // Its end shows in the body.
            let _ = connection.poll_drive(cx);
        }
    }
}

impl ResponseBody {
    pub(crate) fn page(bytes: Bytes) -> Self {
        Self::Page(Some(bytes))
    }

    pub(crate) fn empty() -> Self {
        Self::Page(None)
    }
}

impl InstanceBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(fault) = self.broken {
            return self.poll_broken(cx, fault);
        }
        let mut polled = Pin::new(&mut self.incoming).poll_frame(cx);
        if polled.is_pending() {
            self.link.poll_drive(cx);
            polled = Pin::new(&mut self.incoming).poll_frame(cx);
        }
        match polled {
            Poll::Pending => self.poll_silence(cx),
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "response broke off");
                self.broken = Some(self.break_off(Fault::ServerInterrupted).0);
                // hyper sends what it holds when a body has nothing for the moment, and throws it away when a body fails.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.exchange.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if self.silence.is_some() {
                    self.moved_at = Instant::now();
                }
                if self.incoming.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    /// Pending until the client has taken what came before the break.
    fn poll_broken(&mut self, cx: &mut Context<'_>, fault: Fault) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        while self.exchange.client.is_write_blocked() {
            let mut look = Box::pin(tokio::time::sleep(LOOK_AGAIN));
            if look.as_mut().poll(cx).is_pending() {
                self.silence = Some(look);
                return Poll::Pending;
            }
        }
        Poll::Ready(Some(Err(BrokenOff(fault))))
    }

    /// Pending, unless the instance has been silent for too long. The timer is set once and looked at when it fires: what
    /// arrives meanwhile costs a look at the clock.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let limit = self.exchange.worker.shared.settings.stream_idle_timeout;
        let moved_at = &mut self.moved_at;
        let silence = self.silence.get_or_insert_with(|| {
            *moved_at = Instant::now();
            Box::pin(tokio::time::sleep(limit))
        });
        while silence.as_mut().poll(cx).is_ready() {
            let deadline = *moved_at + limit;
            if deadline <= Instant::now() {
                return Poll::Ready(Some(Err(self.break_off(Fault::IdleConnection))));
            }
            silence.as_mut().reset(deadline.into());
        }
        Poll::Pending
    }

    fn break_off(&mut self, fault: Fault) -> BrokenOff {
        self.exchange.fail(fault);
        self.link = Link::Done;
        BrokenOff(fault)
    }

    /// The response is complete: the connection may serve the next request.
    fn finish(&mut self) {
        let now = Instant::now();
        self.exchange.complete(now);
        let Link::Own(mut connection) = std::mem::replace(&mut self.link, Link::Done) else { return };
        let Some(target) = self.exchange.target() else { return };
        if connection.is_ready() && !target.is_retired() {
            connection.idle_begin(now);
            target.idle.put(self.exchange.worker.index, connection);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Page(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Instance(body) => body.poll_next(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Page(bytes) => bytes.is_none(),
            Self::Instance(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Page(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Instance(body) => body.incoming.size_hint(),
        }
    }
}
