//! Real `git` and OpenSSH clients against the git server, over both transports, with a platform that the tests play.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cancelled;
mod fetched;
mod http_wire;
mod platform;
mod pushed;
mod refused;
mod ssh_wire;
mod together;
