//! The Docker Engine's API, wrapped once for the drivers that use it.
//!
//! Takes a socket's address, gives bollard's client, raw connections where bollard has none, and errors sorted by what a
//! caller does about them. What is absent here: apps, releases, instances; no background task, no state but the API
//! version that was agreed on.
//!
//! An engine that is down is an error now and works again later, with no restart of ours: every request opens a
//! connection of its own.

pub mod engine;
pub mod error;
pub mod settings;
mod transport;

pub use bollard;
pub use engine::{Engine, EngineInfo, RawStream};
pub use error::EngineError;
pub use http;
pub use settings::{AddressError, DockerSettings, EngineAddress};
pub use transport::{Connector, EngineStream};
