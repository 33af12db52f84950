//! The API over a real control plane: a store on disk, real logs, an engine in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attach;
mod authorization;
mod bad_input;
mod builds;
mod contract;
mod drains;
mod hostile;
mod logs;
mod pipelines;
mod reference;
mod server;
mod walkthrough;
mod world;
