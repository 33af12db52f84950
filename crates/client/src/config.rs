//! An app's config.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{ConfigVars, ConfigVarsUpdate};

impl Client {
    /// The present config.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn config_info(&self, app: &str) -> Result<ConfigVars, ClientError> {
        self.get(&path(app)).await
    }

    /// Sets and unsets variables, as one release; gives the whole config.
    ///
    /// # Errors
    /// When a name is invalid, or the release fails.
    pub async fn config_update(&self, app: &str, update: &ConfigVarsUpdate) -> Result<ConfigVars, ClientError> {
        self.patch(&path(app), update).await
    }

    /// The config of a release.
    ///
    /// # Errors
    /// When there is no such release.
    pub async fn config_of_release(&self, app: &str, version: u64) -> Result<ConfigVars, ClientError> {
        self.get(&format!("/apps/{}/releases/{version}/config-vars", segment(app))).await
    }
}

fn path(app: &str) -> String {
    format!("/apps/{}/config-vars", segment(app))
}
