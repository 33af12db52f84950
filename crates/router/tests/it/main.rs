//! The router with real sockets on both sides.

#![allow(clippy::unwrap_used, reason = "what a test's stage cannot set up, fails the test")]

mod access_log;
mod faults;
mod forwarding;
mod limits;
mod listeners;
mod rollout;
mod stage;
mod streaming;
mod tls;
