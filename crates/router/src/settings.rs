//! What an operator can set, with the defaults' reasons.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ambo_model::Hostname;

use crate::network::Network;

/// Longest request head, in bytes, request line included; longer ones get 431.
pub const REQUEST_HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most header lines of a request; more get 431.
pub const REQUEST_HEADERS_MAX: usize = 100;
/// How long an instance may take to accept a connection before H19 (Heroku's value).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an instance may take until the first byte of its response before H12 (Heroku's value).
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a started response, an upload or a tunnel may be silent before H15 or H28 (Heroku's value).
pub const STREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(55);
/// How long a client may take over its request head, its TLS handshake and its PROXY header.
pub const HEAD_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client's connection may be idle between requests.
pub const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(60);
/// How long shutdown waits for requests in flight.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(30);
/// Most connections of clients, over all workers; further ones wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 10_000;

/// The router's settings.
#[derive(Debug, Clone)]
pub struct RouterSettings {
    /// Where plain HTTP is served.
    pub http: Vec<SocketAddr>,
    /// Where HTTPS is served.
    pub https: Vec<SocketAddr>,
    /// Worker threads, each with a listener of its own per address. At least one.
    pub worker_count: usize,
    /// See [`REQUEST_HEAD_BYTES_MAX`]. At least 8 KiB.
    pub request_head_bytes_max: usize,
    /// See [`REQUEST_HEADERS_MAX`].
    pub request_headers_max: usize,
    /// Largest request body, in bytes; `None` sets no limit, bodies are streamed and never held.
    pub request_body_bytes_max: Option<u64>,
    /// See [`CONNECT_TIMEOUT`].
    pub connect_timeout: Duration,
    /// See [`FIRST_BYTE_TIMEOUT`].
    pub first_byte_timeout: Duration,
    /// See [`STREAM_IDLE_TIMEOUT`].
    pub stream_idle_timeout: Duration,
    /// See [`HEAD_READ_TIMEOUT`].
    pub head_read_timeout: Duration,
    /// See [`KEEP_ALIVE_IDLE`].
    pub keep_alive_idle: Duration,
    /// See [`DRAIN_DEADLINE`].
    pub drain_deadline: Duration,
    /// See [`CONNECTIONS_MAX`].
    pub connections_max: usize,
    /// Peers whose `X-Forwarded-*` headers are believed: load balancers in front of the router.
    pub trusted_proxies: Vec<Network>,
    /// Whether every connection opens with a PROXY protocol header (version 1 or 2); one without it is closed.
    pub proxy_protocol: bool,
    /// Hosts of the platform itself, such as its API's; they come before any app's.
    pub platform_hosts: Vec<PlatformHost>,
    /// Where the last good table is kept; `None` keeps it in memory only.
    pub table_path: Option<PathBuf>,
}

/// A host that leads to a server of the platform rather than to an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformHost {
    /// The host.
    pub host: Hostname,
    /// Where its server listens.
    pub endpoint: SocketAddr,
}

impl Default for RouterSettings {
    fn default() -> Self {
        Self {
            http: Vec::new(),
            https: Vec::new(),
            worker_count: std::thread::available_parallelism().map_or(1, usize::from),
            request_head_bytes_max: REQUEST_HEAD_BYTES_MAX,
            request_headers_max: REQUEST_HEADERS_MAX,
            request_body_bytes_max: None,
            connect_timeout: CONNECT_TIMEOUT,
            first_byte_timeout: FIRST_BYTE_TIMEOUT,
            stream_idle_timeout: STREAM_IDLE_TIMEOUT,
            head_read_timeout: HEAD_READ_TIMEOUT,
            keep_alive_idle: KEEP_ALIVE_IDLE,
            drain_deadline: DRAIN_DEADLINE,
            connections_max: CONNECTIONS_MAX,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            platform_hosts: Vec::new(),
            table_path: None,
        }
    }
}
