//! Backup and restore of platforms, on every kind of backend.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod platform;
mod round_trip;
