//! The platform on several machines: real engines in network namespaces, one swarm, installed as a user would.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backup;
mod builders;
mod cluster;
mod dns;
mod faults;
mod logs;
mod membership;
mod metrics;
mod operations;
mod pushes;
