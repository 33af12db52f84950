//! Joins the store and the stations: a push becomes a build, a release, running instances, routes.

pub mod keys;
pub mod records;
pub mod vault;
