//! The HTTP API: takes requests, gives answers in the shapes of `ambo-api-types`; all decisions are the controller's.
//!
//! [`routes`] lists every route with who may use it; the files of `handlers` mirror the paths, one per noun. Outside
//! `/ambo/` the API is the Heroku Platform API v3, but for `/metrics`, where Prometheus looks.
//!
//! What is absent here: no state but the key of log sessions, no store, no engine; no secret in a log line (routes are
//! logged, paths are not).

mod answer;
mod auth;
pub mod backups;
mod body;
mod build_outputs;
mod conditional;
mod directory;
mod error;
mod handlers;
mod log_token;
pub mod metrics;
mod middleware;
mod path;
mod proxied;
mod range;
mod rate;
mod reference;
mod resent;
pub mod routes;
pub mod server;
mod sizes;
mod source_fetch;
mod sources;
mod state;
mod uploads;
mod wire;

pub use proxied::proxy_line;
pub use reference::openapi;
pub use routes::{Access, ROUTES, Route, router};
pub use server::{Clients, serve};
pub use state::{Api, ApiSettings, RendezvousAddress, SshAddress};
pub use uploads::uploads_expire;
