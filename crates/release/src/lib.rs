//! Takes a build and config, gives a release; takes a release and what serves, gives the plan of a rollout.
//!
//! Everything here is pure: values in, values out. What is absent: no IO, no clock, no store, no engine.

pub mod cut;
pub mod environment;
pub mod rollout;

pub use cut::{Change, cut};
pub use environment::{PORT_DEFAULT, environment, port};
pub use rollout::{Restart, RolloutPlan, Wanted, plan, steady};
