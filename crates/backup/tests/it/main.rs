//! Backup and restore of platforms, on every kind of backend.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod at_work;
mod damage;
#[path = "../../../store-etcd/tests/it/etcd.rs"]
#[allow(dead_code, reason = "written for tests that need more of it")]
mod etcd;
mod moments;
mod platform;
mod repositories;
mod round_trip;
