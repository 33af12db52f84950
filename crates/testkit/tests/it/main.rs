//! The control plane in a world that fails.

mod scenarios;
mod seeds;
mod store;
