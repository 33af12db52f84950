//! Takes a formation and the observed instances, gives a plan; and the port through which a plan reaches an engine.
//!
//! The engine's words (container, service, task) stay inside its driver. What is absent here: no engine, no store, no clock
//! but the caller's.

pub mod attached;
pub mod port;
pub mod workload;

pub use attached::{Attached, AttachedInput, AttachedOutput, TerminalSize};
pub use port::{EngineStatus, ExecSpec, InstanceLog, RunSpec, Scheduler, SchedulerError, SchedulerEvent};
pub use workload::WorkloadSpec;
