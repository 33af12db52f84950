//! The registry as its clients see it, over the local disk. `pull`, `push`, `discovery` and `management` are the
//! specification's four workflow categories; their tests are named after its end-ids.
//!
//! The programs beside this one run the same tests over other stores.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and reports its figures")]

mod access;
mod backing;
mod clients;
mod collection;
mod crash;
mod discovery;
mod disk_store;
mod full_disk;
mod management;
mod memory;
mod paused_store;
mod platform;
mod pull;
mod push;
mod real_clients;
#[path = "../../../blobs/tests/it/servers.rs"]
mod servers;
mod store;

const BACKEND: backing::Backend = backing::Backend::Disk;
