//! One client connection, from its acceptance to its end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tokio_util::task::TaskTracker;

use crate::answer::answer;
use crate::client::{Client, Phase, Protocol, Scheme};
use crate::client_io::ClientIo;
use crate::proxy_protocol;
use crate::settings::RouterSettings;
use crate::small_write::SmallWrite;
use crate::worker::Worker;

/// How long a shutdown waits for the next request of an idle connection before it closes it: a request may be on its way, and
/// is then answered with `Connection: close` rather than cut off.
const LINGER: Duration = Duration::from_secs(1);
/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How soon a connection is looked at again at the earliest.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(10);
/// Most requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// Least room that hyper needs for a head.
const HEAD_BYTES_MIN: usize = 8 * 1024;

/// Where a connection came in.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    pub(crate) local: SocketAddr,
    /// Set where TLS is spoken.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

/// Serves a connection until it ends.
pub(crate) async fn connection_serve(worker: Arc<Worker>, mut stream: TcpStream, peer: SocketAddr, entrance: Entrance) {
    let settings = &worker.shared.settings;
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut peer = peer.ip();
    if settings.proxy_protocol {
        match tokio::time::timeout(settings.head_read_timeout, proxy_protocol::header_read(&mut stream)).await {
            Ok(Ok(spoken_for)) => peer = spoken_for.unwrap_or(peer),
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "no PROXY header"),
            Err(_) => return,
        }
    }
    let trusted = settings.trusted_proxies.iter().any(|network| network.contains(peer));
    let client = |scheme, protocol| Arc::new(Client::new(peer, entrance.local, scheme, trusted, protocol));
    let Some(tls) = &entrance.tls else {
        return http1_serve(worker.clone(), client(Scheme::Http, Protocol::Http1), SmallWrite(stream)).await;
    };
    let handshake = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
    match tokio::time::timeout(settings.head_read_timeout, handshake).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            http2_serve(worker.clone(), client(Scheme::Https, Protocol::Http2), stream).await;
        }
        Ok(Ok(stream)) => http1_serve(worker.clone(), client(Scheme::Https, Protocol::Http1), stream).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
    }
}

async fn http1_serve<S>(worker: Arc<Worker>, client: Arc<Client>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let settings = &worker.shared.settings;
    let mut builder = http1::Builder::new();
    let head_bytes_max = settings.request_head_bytes_max.max(HEAD_BYTES_MIN);
    builder.max_header_size(head_bytes_max).max_buf_size(head_bytes_max).half_close(false);
    if settings.request_headers_max != crate::settings::REQUEST_HEADERS_MAX {
        builder.max_headers(settings.request_headers_max);
    }
    let service = {
        let (worker, client) = (Arc::clone(&worker), Arc::clone(&client));
        service_fn(move |request| {
            let (worker, client) = (Arc::clone(&worker), Arc::clone(&client));
            async move { Ok::<_, Infallible>(answer(&worker, &client, request).await) }
        })
    };
    let io = TokioIo::new(ClientIo::new(stream, Arc::clone(&client)));
    let mut connection = pin!(builder.serve_connection(io, service).with_upgrades());
    let mut watch = Watch::new(&worker, client);
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                connection_ended(result);
                return Poll::Ready(());
            }
            match watch.poll(cx) {
                Verdict::GoOn => return Poll::Pending,
                Verdict::Close => connection.as_mut().graceful_shutdown(),
                Verdict::Abort => return Poll::Ready(()),
            }
        }
    })
    .await;
}

async fn http2_serve<S>(worker: Arc<Worker>, client: Arc<Client>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(Streams(worker.tasks.clone()));
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(worker.shared.settings.request_head_bytes_max).unwrap_or(u32::MAX));
    let service = {
        let (worker, client) = (Arc::clone(&worker), Arc::clone(&client));
        service_fn(move |request| {
            let (worker, client) = (Arc::clone(&worker), Arc::clone(&client));
            async move { Ok::<_, Infallible>(answer(&worker, &client, request).await) }
        })
    };
    let io = TokioIo::new(ClientIo::new(stream, Arc::clone(&client)));
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut watch = Watch::new(&worker, client);
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                connection_ended(result);
                return Poll::Ready(());
            }
            match watch.poll(cx) {
                Verdict::GoOn => return Poll::Pending,
                Verdict::Close => connection.as_mut().graceful_shutdown(),
                Verdict::Abort => return Poll::Ready(()),
            }
        }
    })
    .await;
}

fn connection_ended(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(%error, "client connection ended");
    }
}

/// Where the streams of HTTP/2 connections run: in the worker's own set, which its shutdown waits for.
#[derive(Debug, Clone)]
struct Streams(TaskTracker);

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.spawn(stream);
    }
}

/// What is to become of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    GoOn,
    /// After the request under way, if any.
    Close,
    /// At once.
    Abort,
}

/// Ends connections that idle, dawdle or outlive the router.
///
/// It has one timer for all its limits, which is not touched while requests come and go: when it fires, the phase of the
/// moment decides. Timer and shutdown are polled once, which leaves the task's waker with them; afterwards a look at a flag
/// tells whether they have fired.
struct Watch {
    worker: Arc<Worker>,
    client: Arc<Client>,
    timer: Pin<Box<Sleep>>,
    timer_armed: bool,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    closing_armed: bool,
    linger_until: Option<Instant>,
    /// The head that was seen last, by the count of requests before it, and when it was first seen.
    head_seen: Option<(u32, Instant)>,
    closed: bool,
}

impl Watch {
    fn new(worker: &Arc<Worker>, client: Arc<Client>) -> Self {
        let timer = Box::pin(tokio::time::sleep(shortest_limit(&worker.shared.settings)));
        let closing = Box::pin(worker.closing.clone().cancelled_owned());
        Self {
            worker: Arc::clone(worker),
            client,
            timer,
            timer_armed: false,
            closing,
            closing_armed: false,
            linger_until: None,
            head_seen: None,
            closed: false,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Verdict {
        if self.linger_until.is_none() && self.worker.is_closing() {
            self.linger_until = Some(Instant::now() + LINGER);
            self.timer_rearm(LINGER);
            if self.client.is_http2() {
                return self.close();
            }
        }
        if !self.closing_armed && self.linger_until.is_none() {
            self.closing_armed = true;
            if self.closing.as_mut().poll(cx).is_ready() {
                return self.poll(cx);
            }
        }
        if self.timer_armed && !self.timer.is_elapsed() {
            return Verdict::GoOn;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            match self.verdict(Instant::now()) {
                Verdict::GoOn => {}
                verdict => return verdict,
            }
        }
        self.timer_armed = true;
        Verdict::GoOn
    }

    /// What the phase of the moment calls for; otherwise sets the timer for the next look.
    fn verdict(&mut self, now: Instant) -> Verdict {
        let worker = Arc::clone(&self.worker);
        let settings = &worker.shared.settings;
        let (since, limit, verdict) = match self.client.phase(now) {
            Phase::Busy => (Duration::ZERO, Duration::MAX, Verdict::GoOn),
            Phase::Blocked(since) => (since, settings.stream_idle_timeout, Verdict::Abort),
            Phase::Head => (self.head_age(now), settings.head_read_timeout, Verdict::Abort),
            Phase::Idle(since) if self.client.has_served() => (since, settings.keep_alive_idle, Verdict::Close),
            Phase::Idle(since) => (since, settings.head_read_timeout, Verdict::Abort),
        };
        if since >= limit && verdict == Verdict::Abort {
            self.client.give_up();
            return Verdict::Abort;
        }
        let lingered = self.linger_until.is_some_and(|until| until <= now);
        if (since >= limit || lingered) && !self.closed {
            return self.close();
        }
        let left = limit.saturating_sub(since).max(LOOK_AGAIN_MIN);
        let next = left.min(shortest_limit(settings));
        let next = self.linger_until.filter(|until| *until > now).map_or(next, |until| next.min(until - now));
        self.timer_rearm(next);
        Verdict::GoOn
    }

    /// For how long the head under way has been seen. Heads are so quick that their beginning is not worth a look at the clock.
    fn head_age(&mut self, now: Instant) -> Duration {
        let count = self.client.served();
        match self.head_seen {
            Some((seen, since)) if seen == count => now.saturating_duration_since(since),
            _ => {
                self.head_seen = Some((count, now));
                Duration::ZERO
            }
        }
    }

    fn close(&mut self) -> Verdict {
        if std::mem::replace(&mut self.closed, true) {
            return Verdict::GoOn;
        }
        self.timer_rearm(shortest_limit(&self.worker.shared.settings));
        Verdict::Close
    }

    fn timer_rearm(&mut self, after: Duration) {
        self.timer.as_mut().reset(tokio::time::Instant::now() + after);
        self.timer_armed = false;
    }
}

/// How long the timer may sleep without missing a phase's limit by more than that limit.
fn shortest_limit(settings: &RouterSettings) -> Duration {
    settings.head_read_timeout.min(settings.keep_alive_idle).min(settings.stream_idle_timeout)
}
