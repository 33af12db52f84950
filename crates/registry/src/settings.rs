//! The registry's settings.

use std::path::PathBuf;
use std::time::Duration;

use ambo_model::{ByteSize, Secret};
use http::Uri;

use crate::token::TokenKey;

/// Shortest grace period. Good for tests alone: a push that takes longer may find its first layers swept, and fails.
pub const GRACE_MIN: Duration = Duration::from_secs(1);

/// How the registry works. [`Settings::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where uploads are staged: `<data>/registry/uploads`. Belongs to the registry alone, and must be on the file
    /// system of the blobs when those are on the local disk.
    pub uploads_directory: PathBuf,
    /// Where clients reach the registry from outside, such as `https://registry.example.com`. Clients that come by
    /// another name are answered with that name, over plain HTTP.
    pub external_url: Option<Uri>,
    /// Signs the registry's tokens.
    pub token_key: TokenKey,
    /// How long such a token is good. Long enough for the slowest push of one layer; what it allows is checked again on
    /// every request anyway.
    pub token_lifetime: Duration,
    /// The password of user [`PLATFORM_USERNAME`](crate::PLATFORM_USERNAME), for the platform's own builders and
    /// engines; nobody has it when `None`. At least 128 random bits.
    pub platform_password: Option<Secret>,
    /// What was uploaded, linked or looked up within this time is never collected. Must exceed the longest push of one
    /// image; at least [`GRACE_MIN`].
    pub grace: Duration,
    /// An upload that nobody writes to for this long expires.
    pub upload_lifetime: Duration,
    /// Most uploads at a time, those that nobody writes to included.
    pub uploads_max: usize,
    /// Largest blob.
    pub blob_size_max: ByteSize,
    /// Longest wait for the next bytes of a request's body.
    pub body_idle_max: Duration,
}

impl Settings {
    /// The defaults, with a token key of this process alone.
    #[must_use]
    pub fn new(uploads_directory: impl Into<PathBuf>) -> Self {
        Self {
            uploads_directory: uploads_directory.into(),
            external_url: None,
            token_key: TokenKey::random(),
            token_lifetime: Duration::from_secs(15 * 60),
            platform_password: None,
            grace: Duration::from_secs(2 * 60 * 60),
            upload_lifetime: Duration::from_secs(24 * 60 * 60),
            uploads_max: 1000,
            blob_size_max: ByteSize::gib(32),
            body_idle_max: Duration::from_secs(60),
        }
    }
}
