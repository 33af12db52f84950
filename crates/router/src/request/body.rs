//! A request's body on its way to the instance. Streamed, never held.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// What the instance is sent after the head.
#[derive(Debug)]
pub(crate) enum RequestBody {
    Empty,
    Streaming(Box<StreamingBody>),
}

/// A body that comes from the client bit by bit.
#[derive(Debug)]
pub(crate) struct StreamingBody {
    incoming: Incoming,
    remaining: u64,
    upload: Arc<Upload>,
}

/// How far an upload has come; seen from outside the body.
#[derive(Debug)]
pub(crate) struct Upload {
    born: Instant,
    /// Milliseconds after `born` at which bytes came last.
    moved_ms: AtomicU64,
    complete: AtomicBool,
    /// Whether the client is waited for, rather than the instance.
    waiting: AtomicBool,
    failure: AtomicU8,
}

/// Why an upload failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UploadFailure {
    #[error("the request's body is larger than the platform takes")]
    TooLarge,
    #[error("the client broke its request off")]
    Interrupted,
}

impl Upload {
    fn new() -> Self {
        Self {
            born: Instant::now(),
            moved_ms: AtomicU64::new(0),
            complete: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            failure: AtomicU8::new(0),
        }
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// Whether more of it is expected from the client.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn failure(&self) -> Option<UploadFailure> {
        match self.failure.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(UploadFailure::TooLarge),
            _ => Some(UploadFailure::Interrupted),
        }
    }

    /// When bytes came last.
    pub(crate) fn moved_at(&self) -> Instant {
        self.born + Duration::from_millis(self.moved_ms.load(Ordering::Relaxed))
    }

    fn moved(&self) {
        let age_ms = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX / 2);
        self.moved_ms.store(age_ms, Ordering::Relaxed);
    }

    fn fail(&self, failure: UploadFailure) -> UploadFailure {
        self.failure.store(if failure == UploadFailure::TooLarge { 1 } else { 2 }, Ordering::Relaxed);
        failure
    }
}

impl RequestBody {
    /// Wraps what comes from the client; an upload is watched through the second value.
    pub(crate) fn new(incoming: Incoming, bytes_max: Option<u64>) -> (Self, Option<Arc<Upload>>) {
        if incoming.is_end_stream() {
            return (Self::Empty, None);
        }
        let upload = Arc::new(Upload::new());
        let remaining = bytes_max.unwrap_or(u64::MAX);
        let body = StreamingBody { incoming, remaining, upload: Arc::clone(&upload) };
        (Self::Streaming(Box::new(body)), Some(upload))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = UploadFailure;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadFailure>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Streaming(body) => body.poll_next(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streaming(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streaming(body) => body.incoming.size_hint(),
        }
    }
}

impl StreamingBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadFailure>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(cx);
        self.upload.waiting.store(polled.is_pending(), Ordering::Relaxed);
        let Poll::Ready(next) = polled else { return Poll::Pending };
        let result = match next {
            None => {
                self.upload.complete.store(true, Ordering::Relaxed);
                return Poll::Ready(None);
            }
            Some(Err(_)) => Err(self.upload.fail(UploadFailure::Interrupted)),
            Some(Ok(frame)) => {
                let len = frame.data_ref().map_or(0, |data| data.len() as u64);
                if len > self.remaining {
                    Err(self.upload.fail(UploadFailure::TooLarge))
                } else {
                    self.remaining -= len;
                    self.upload.moved();
                    Ok(frame)
                }
            }
        };
        if self.incoming.is_end_stream() {
            self.upload.complete.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Some(result))
    }
}
