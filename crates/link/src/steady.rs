//! Whoever leads says something every second, if only that it is there: a controller that stands still answers for its machine,
//! but not for itself.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Longest pause of one that leads between two messages.
pub const BEAT_INTERVAL: Duration = Duration::from_secs(1);
/// How long one that leads may be silent before it is taken for gone.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// What is read from one that leads. Its silence is an error of the kind [`io::ErrorKind::TimedOut`]; a large message that takes
/// its time is none.
#[derive(Debug)]
pub struct Steady<S> {
    stream: S,
    silence: Pin<Box<Sleep>>,
}

impl<S> Steady<S> {
    /// Listens to a stream from now on.
    #[must_use]
    pub fn new(stream: S) -> Self {
        Self { stream, silence: Box::pin(sleep(SILENCE_MAX)) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Steady<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            self.silence.as_mut().reset(Instant::now() + SILENCE_MAX);
            return Poll::Ready(read);
        }
        ready!(self.silence.as_mut().poll(context));
        let silent = format!("nothing was heard for {} s", SILENCE_MAX.as_secs());
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, silent)))
    }
}
