//! The control plane in a world that fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod scale;
mod scenarios;
mod seeds;
mod store;
