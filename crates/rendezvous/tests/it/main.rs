//! The rendezvous over real TLS on the loopback.

mod protocol;
mod stage;
