//! The same tests as in `it`, with repositories that are kept in a bucket.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../it/cancelled.rs"]
mod cancelled;
#[path = "../it/fetched.rs"]
mod fetched;
#[path = "../it/platform.rs"]
mod platform;
#[path = "../it/pushed.rs"]
mod pushed;
#[path = "../it/refused.rs"]
mod refused;
#[path = "../it/together.rs"]
mod together;

/// One for each platform.
fn bucket() -> Option<ambo_blobs::Bucket> {
    Some(ambo_blobs::Bucket::in_memory())
}
