//! The typed client of Ambo's HTTP API. Takes a host and credentials, gives the API's nouns.
//!
//! One file per noun; functions are named noun first (`app_create`, `config_update`). Every failure is a [`ClientError`],
//! which carries what the server said and the `Request-Id` under which its operator finds the request.
//!
//! Absences: the client keeps no state between calls, writes no file, prints nothing, and sends its credentials to no
//! host but its own. Calls that may be repeated without harm are repeated when the connection breaks; others never are.

mod access;
mod account;
mod app;
pub mod attach;
mod authority;
mod backup;
mod build;
mod certificate;
mod config;
mod credentials;
mod domain;
mod drain;
mod error;
mod formation;
mod forward;
mod health;
mod host;
mod instance;
mod key;
mod limits;
mod log;
mod metrics;
mod moving;
mod page;
mod pipeline;
mod platform;
mod release;
mod tags;
mod token;
mod transport;

pub use ambo_api_types as types;

pub use crate::backup::ArchiveStream;
pub use crate::build::{BUILD_TRAILER_BYTES_MAX, BuildEvent, BuildStream};
pub use crate::credentials::Credentials;
pub use crate::error::{ClientError, Fault};
pub use crate::forward::{ForwardedBody, Forwarder};
pub use crate::host::{Host, HostError};
pub use crate::instance::InstanceTarget;
pub use crate::log::{LOG_LINE_BYTES_MAX, LogStream};
pub use crate::moving::{
    Addressed, MovingAddon, MovingApp, MovingCollaborator, MovingCoupling, MovingDomain, MovingDrain, MovingFormation,
    MovingPipeline, Named,
};
pub use crate::transport::Client;
