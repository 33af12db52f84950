//! The rendezvous over real TLS on the loopback.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod protocol;
mod stage;
