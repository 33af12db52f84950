//! Takes a formation and the observed instances, gives a plan; and the port through which a plan reaches an engine.
//!
//! The engine's words (container, service, task) stay inside its driver. What is absent here: no engine, no store, no clock
//! but the caller's.
//!
//! For tests: feature `fake` is an engine in memory that breaks on request; feature `contract` is the suite that every
//! driver and the fake pass.

pub mod attached;
#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "fake")]
pub mod fake;
pub mod nodes;
pub mod plan;
pub mod port;
#[cfg(test)]
mod sample;
pub mod shrink;
pub mod workload;

pub use attached::{Attached, AttachedControl, AttachedInput, AttachedOutput, TerminalSize};
pub use nodes::Nodes;
pub use plan::{Removal, WorkloadPlan, plan};
pub use port::{EngineStatus, ExecSpec, InstanceLog, RunSpec, Scheduler, SchedulerError, SchedulerEvent};
pub use shrink::retire;
pub use workload::WorkloadSpec;
