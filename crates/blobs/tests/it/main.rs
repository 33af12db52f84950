//! Buckets, on every kind of store that can be had on one machine.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod refused;
mod servers;
