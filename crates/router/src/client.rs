//! A client's connection as its requests see it, and its idle times as its own task sees them.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::HeaderValue;

/// How a client came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// What is spoken on a client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// One client connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) scheme: Scheme,
    pub(crate) protocol: Protocol,
    /// Whether the peer's word about whom it speaks for is taken.
    pub(crate) trusted: bool,
    /// The client's address as the instance is told it.
    pub(crate) address: HeaderValue,
    /// The port that the client connected to.
    pub(crate) port: HeaderValue,
    born: Instant,
    /// Milliseconds after `born` of the last change of what follows.
    changed_ms: AtomicU64,
    active: AtomicU32,
    /// Requests so far; wraps.
    served: AtomicU32,
    head_begun: AtomicBool,
    head_ambiguous: AtomicBool,
    write_blocked: AtomicBool,
    given_up: AtomicBool,
}

/// What a connection is doing, with the time since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing; it may never have carried a request.
    Idle(Duration),
    /// A request head has begun, at a time that nobody noted.
    Head,
    /// A request is being answered.
    Busy,
    /// The client does not read what it was sent.
    Blocked(Duration),
}

impl Client {
    pub(crate) fn new(peer: IpAddr, local: SocketAddr, scheme: Scheme, trusted: bool, protocol: Protocol) -> Self {
        let text = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        Self {
            scheme,
            protocol,
            trusted,
            address: text(peer.to_canonical().to_string()),
            port: text(local.port().to_string()),
            born: Instant::now(),
            changed_ms: AtomicU64::new(0),
            active: AtomicU32::new(0),
            served: AtomicU32::new(0),
            head_begun: AtomicBool::new(false),
            head_ambiguous: AtomicBool::new(false),
            write_blocked: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.protocol == Protocol::Http2
    }

    pub(crate) fn phase(&self, now: Instant) -> Phase {
        let since = Duration::from_millis(self.ms(now).saturating_sub(self.changed_ms.load(Ordering::Relaxed)));
        if self.write_blocked.load(Ordering::Relaxed) {
            Phase::Blocked(since)
        } else if self.active.load(Ordering::Relaxed) > 0 {
            Phase::Busy
        } else if self.head_begun.load(Ordering::Relaxed) {
            Phase::Head
        } else {
            Phase::Idle(since)
        }
    }

    /// Notes that the router ends the connection because the client does not move.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Whether it has carried a request already.
    pub(crate) fn has_served(&self) -> bool {
        self.served() > 0
    }

    /// Requests so far, to tell one head from the next.
    pub(crate) fn served(&self) -> u32 {
        self.served.load(Ordering::Relaxed)
    }

    /// Whether bytes that arrive now belong to a request head.
    pub(crate) fn awaits_head(&self) -> bool {
        self.active.load(Ordering::Relaxed) == 0
    }

    /// Notes bytes of a request head; `begun` when they are its first.
    pub(crate) fn head_bytes(&self, begun: bool, ambiguous: bool) {
        if begun {
            self.head_begun.store(true, Ordering::Relaxed);
        }
        self.head_ambiguous.store(ambiguous, Ordering::Relaxed);
    }

    pub(crate) fn head_is_ambiguous(&self) -> bool {
        self.head_ambiguous.load(Ordering::Relaxed)
    }

    /// Whether the bytes of a head have been seen since the last request.
    pub(crate) fn head_has_begun(&self) -> bool {
        self.head_begun.load(Ordering::Relaxed)
    }

    pub(crate) fn request_begins(&self) {
        self.active.fetch_add(1, Ordering::Relaxed);
        self.served.fetch_add(1, Ordering::Relaxed);
        self.head_begun.store(false, Ordering::Relaxed);
    }

    pub(crate) fn request_ends(&self, now: Instant) {
        self.active.fetch_sub(1, Ordering::Relaxed);
        self.changed(now);
    }

    /// Notes whether the last write went through.
    pub(crate) fn write_blocks(&self, blocked: Blocked) {
        let blocked = blocked == Blocked::Yes;
        let was = self.write_blocked.load(Ordering::Relaxed);
        if was || blocked {
            if !(was && blocked) {
                self.changed(Instant::now());
            }
            self.write_blocked.store(blocked, Ordering::Relaxed);
        }
    }

    /// Whether the client has yet to take what it was sent.
    pub(crate) fn is_write_blocked(&self) -> bool {
        self.write_blocked.load(Ordering::Relaxed)
    }

    fn changed(&self, now: Instant) {
        self.changed_ms.store(self.ms(now), Ordering::Relaxed);
    }

    fn ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX / 2)
    }
}

/// Whether a write had to wait for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocked {
    Yes,
    No,
}
