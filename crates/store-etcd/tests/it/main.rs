//! The contract of the store over a real etcd, and what only etcd must do: members that die, hang and come back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod doubt;
mod etcd;
mod faults;
mod leaders;
mod membership;
mod migrate;
mod single;
mod trust;
