//! One file per noun; the names follow the paths.

pub(crate) mod account;
pub(crate) mod accounts;
pub(crate) mod app_transfers;
pub(crate) mod apps;
pub(crate) mod attach;
pub(crate) mod authorizations;
pub(crate) mod authority;
pub(crate) mod build_stream;
pub(crate) mod builds;
pub(crate) mod collaborators;
pub(crate) mod config_vars;
pub(crate) mod domains;
pub(crate) mod dynos;
pub(crate) mod formation;
pub(crate) mod healthchecks;
pub(crate) mod images;
pub(crate) mod info;
pub(crate) mod invitations;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod log_sessions;
pub(crate) mod log_stream;
pub(crate) mod platform_settings;
pub(crate) mod releases;
pub(crate) mod unoffered;
pub(crate) mod upload;
