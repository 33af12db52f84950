//! Drives real `ambod`, `ambo`, `git` and curl against a real Docker Engine, as users do.
//!
//! A test makes a [`Platform`], a [`User`] on it and a [`Source`], and states a claim. Waits are for a state with a deadline.
//! Nothing is skipped: what a machine lacks fails with the command that installs it.

mod disk;
mod engine;
mod heroku;
mod heroku_install;
mod http;
mod load;
mod odd_app;
mod platform;
mod program;
mod relay;
mod source;
mod terminal;
mod user;
mod wait;
mod websocket;
mod wire;

pub use disk::SmallDisk;
pub use engine::OwnEngine;
pub use heroku::{Heroku, HerokuCase, HerokuState, cannot, limited, works};
pub use http::{Answer, get, get_with};
pub use load::{Load, LoadReport};
pub use odd_app::{odd_app, odd_app_seen};
pub use platform::Platform;
pub use program::{Ran, program, run, run_with_input};
pub use relay::Relay;
pub use source::Source;
pub use terminal::Terminal;
pub use user::User;
pub use wait::{DEADLINE, wait_until};
pub use websocket::{Said, WebSocket};
pub use wire::Wire;
