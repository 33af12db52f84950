//! The program as its users meet it: the real binary against a server in this process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accounts;
mod apps;
mod basics;
mod config;
mod deploys;
mod fake;
mod git;
mod logs;
mod platform;
mod processes;
mod runs;
mod world;
