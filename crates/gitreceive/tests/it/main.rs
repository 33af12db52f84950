//! Real `git` and OpenSSH clients against the git server, over both transports, with a platform that the tests play.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bucket;
mod cancelled;
mod fetched;
mod http_wire;
mod platform;
mod pushed;
mod refused;
mod relay;
#[path = "../../../blobs/tests/it/servers.rs"]
mod servers;
mod ssh_wire;
mod together;

/// Repositories are kept in a directory here, unless a test says otherwise.
fn bucket() -> Option<ambo_blobs::Bucket> {
    None
}
