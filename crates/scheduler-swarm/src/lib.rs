//! Takes workloads, gives services of a Docker Swarm: the driver for a cluster.
//!
//! Swarm places instances, spreads them, restarts what crashes and moves what a dead node had; none of this waits for us. What
//! is done to one instance (stop, exec, logs) is done on the engine of its node, as the driver for one machine does it.
//! Everything is found again by labels, whichever control plane leads.
//!
//! One service is one workload, one slot of it one instance. An instance keeps its id while its slot crashes and restarts, and
//! loses it when it is moved to another node or stopped by us. Swarm chooses by itself which slots go when a service
//! shrinks; how exactly those go that were asked for, `retire.rs` tells.
//!
//! What is absent here: health checks, routes, releases; no published ports; no choice of a node for an instance. Nothing is
//! changed once a later control plane has been seen (`fence.rs`).

mod batches;
mod chains;
mod changes;
mod driver;
mod ensure;
mod events;
mod failure;
mod fence;
mod logs;
mod machines;
mod managers;
mod network;
mod observe;
pub mod ports;
mod retire;
mod runs;
mod service;
pub mod settings;
mod slots;
mod task;
mod usage;

pub use driver::SwarmScheduler;
pub use ports::{NetworkJoiners, NodeEngines};
pub use settings::SwarmSchedulerSettings;
pub use usage::instances_usage;
