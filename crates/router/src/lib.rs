//! Takes a route table and a request, gives the instance's answer.
//!
//! The tree follows the request: `listen`, `connection` (with `client_io`, `tls`, `proxy_protocol`), `request` (head, forwarded
//! headers, body), `table`, `balance`, `forward` (with `upstream`, `pool`), `response` or `tunnel` or `pages`, `access`. The
//! paragraph that ties them together is `answer`. [`RouterHandle`] is how the control plane steers it from outside.
//!
//! Each worker is a thread with a runtime of its own and its own listening sockets. A request stays on the thread that
//! accepted it, and in one task: the connection to the instance is driven by whoever waits for it.
//!
//! What is absent here: no store, no engine, no decision about which instances are healthy; no lock and no wait for the
//! control plane, the log or the disk on the path of a request; no body is ever held in memory.
//!
//! When the control plane is gone, the router serves its last table, for ever; after a restart too, from disk. When an
//! instance stops accepting connections, it is left alone for a while and requests go to the others. When the log's reader
//! is too slow, lines are dropped and counted.

mod access;
mod answer;
mod balance;
mod client;
mod client_io;
mod connection;
mod exchange;
mod fault;
mod forward;
mod host;
mod last_good;
mod listen;
mod network;
mod pages;
mod pool;
mod proxy_protocol;
mod publish;
mod request;
mod response;
mod router;
mod settings;
mod small_write;
mod table;
mod target;
mod tls;
mod tunnel;
mod upstream;
mod worker;

pub use access::{AccessRecord, AccessSink, LogLines};
pub use balance::CONNECT_ATTEMPTS_MAX;
pub use client::Scheme;
pub use fault::{Fault, RequestFault};
pub use listen::{BACKLOG, BindError, Listeners};
pub use network::{Network, NetworkError};
pub use pool::{IDLE_AGE_MAX, IDLE_AGE_UNREPEATABLE_MAX, IDLE_CONNECTIONS_MAX};
pub use publish::{Drained, RouterEvent, RouterHandle};
pub use router::{Router, RouterError, Stopped};
pub use settings::{
    CONNECT_TIMEOUT, CONNECTIONS_MAX, DRAIN_DEADLINE, FIRST_BYTE_TIMEOUT, HEAD_READ_TIMEOUT, KEEP_ALIVE_IDLE,
    PlatformHost, REQUEST_HEAD_BYTES_MAX, REQUEST_HEADERS_MAX, RouterSettings, STREAM_IDLE_TIMEOUT,
};
pub use target::{EJECTION_FIRST, EJECTION_MAX};
pub use tls::{Certificate, CertificateError};
pub use upstream::RESPONSE_HEAD_BYTES_MAX;
