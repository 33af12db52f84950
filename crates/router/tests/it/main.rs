//! The router with real sockets on both sides.

mod access_log;
mod faults;
mod forwarding;
mod limits;
mod listeners;
mod rollout;
mod stage;
mod streaming;
mod tls;
