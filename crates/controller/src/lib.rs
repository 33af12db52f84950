//! Joins the store and the stations: a push becomes a build, a release, running instances, routes.
//!
//! Start reading at [`push`]. One file per noun; `jobs` and `reconcilers` are the only background work.
//!
//! What is absent here: no HTTP (that is `ambo-api`), no engine (a driver is handed in), no wire format.

pub mod accounts;
mod app_manifest;
mod app_names;
pub mod app_setups;
pub mod apps;
pub mod attach;
mod board;
pub mod builds;
pub mod certificates;
pub mod collaborators;
pub mod controller;
pub mod domains;
pub mod drains;
pub mod error;
pub mod formations;
pub mod git;
mod health;
mod images;
pub mod instances;
mod jobs;
pub mod keys;
mod nudge;
mod patience;
pub mod pipelines;
pub mod placement;
pub mod ports;
pub mod progress;
pub mod push;
pub mod reconcilers;
pub mod records;
pub mod releases;
pub mod rollout;
mod rounds;
mod run;
pub mod settings;
mod tally;
mod turns;
pub mod vault;

pub use ambo_builder::BuildError;
pub use ambo_store::StoreError;
pub use controller::{Controller, Stations};
pub use error::{ControllerError, chain};
pub use settings::ControllerSettings;
