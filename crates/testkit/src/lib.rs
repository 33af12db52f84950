//! The control plane without the world: a store, an engine, a builder and a router in memory, which fail on request.
//!
//! Development only. [`simulation`] joins them; the claims stand in `tests/`.

pub mod fake_builder;
pub mod lifeline;
pub mod memory_store;
pub mod recording_router;
pub mod simulation;

pub use fake_builder::{FakeBuilder, NEVER_READY, Outcome};
pub use lifeline::{Fault, Lifeline, Moment};
pub use memory_store::MemoryStore;
pub use recording_router::RecordingRouter;
pub use simulation::Simulation;
