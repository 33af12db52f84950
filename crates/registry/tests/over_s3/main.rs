//! The registry over an S3 server: the tests of `it`, and those of a store that outlives its controller.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and reports its figures")]

#[path = "../it/access.rs"]
mod access;
#[path = "../it/backing.rs"]
mod backing;
#[path = "../it/clients.rs"]
mod clients;
#[path = "../it/collection.rs"]
mod collection;
#[path = "../it/crash.rs"]
mod crash;
#[path = "../it/discovery.rs"]
mod discovery;
#[path = "../it/failover.rs"]
mod failover;
#[path = "../it/management.rs"]
mod management;
#[path = "../it/memory.rs"]
mod memory;
#[path = "../it/paused_store.rs"]
mod paused_store;
#[path = "../it/platform.rs"]
mod platform;
#[path = "../it/pull.rs"]
mod pull;
#[path = "../it/push.rs"]
mod push;
#[path = "../it/real_clients.rs"]
mod real_clients;
mod real_failover;
#[path = "../../../blobs/tests/it/servers.rs"]
mod servers;
#[path = "../it/store.rs"]
mod store;

const BACKEND: backing::Backend = backing::Backend::S3;
