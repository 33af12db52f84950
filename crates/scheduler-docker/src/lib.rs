//! Takes workloads, gives containers in a Docker Engine: the driver for one machine.
//!
//! Docker restarts what crashes and brings everything back after a reboot; what was killed or removed is replaced by the
//! next `workload_ensure`. Instances are on a bridge of ours that keeps them apart; the router on the same machine reaches
//! their addresses directly. Everything is found again by its labels: the driver keeps nothing that a restart would lose.
//!
//! What is absent here: health checks, routes, releases; no published ports; nothing of other platforms on the same engine
//! is ever touched.

mod attach;
mod container;
mod driver;
mod failure;
mod image;
pub mod labels;
pub mod locks;
mod logs;
mod network;
mod observe;
mod run;
pub mod settings;
pub mod shape;
mod shell;
mod start;
mod status;
mod stop;
pub mod usage;

pub use driver::DockerScheduler;
pub use settings::{DockerSchedulerSettings, RegistryLogin, RegistryLogins};
pub use usage::instances_usage;
