//! Releases.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{Release, ReleaseRollback};

impl Client {
    /// The newest releases, newest first.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn release_list(&self, app: &str, count_max: u32) -> Result<Vec<Release>, ClientError> {
        self.list_range(&path(app), &format!("version ..; order=desc, max={count_max}")).await
    }

    /// One release.
    ///
    /// # Errors
    /// When there is none of that number.
    pub async fn release_info(&self, app: &str, version: u64) -> Result<Release, ClientError> {
        self.get(&format!("{}/{version}", path(app))).await
    }

    /// Makes a release with the build and the config of an earlier one.
    ///
    /// # Errors
    /// When there is no such release, its image is gone, or it does not become healthy.
    pub async fn release_rollback(&self, app: &str, version: u64) -> Result<Release, ClientError> {
        self.post(&path(app), &ReleaseRollback { release: version.to_string() }).await
    }
}

fn path(app: &str) -> String {
    format!("/apps/{}/releases", segment(app))
}
