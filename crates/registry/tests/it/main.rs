//! The registry as its clients see it. `pull`, `push`, `discovery` and `management` are the specification's four
//! workflow categories; their tests are named after its end-ids.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and reports its figures")]

mod access;
mod clients;
mod collection;
mod crash;
mod discovery;
mod full_disk;
mod management;
mod memory;
mod paused_store;
mod platform;
mod pull;
mod push;
mod real_clients;
mod store;
