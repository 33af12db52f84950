//! Limits of processes.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{Limits, LimitsUpdate};

impl Client {
    /// Every process' limits.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn limits_info(&self, app: &str) -> Result<Limits, ClientError> {
        self.get(&path(app)).await
    }

    /// Changes limits; gives all of them.
    ///
    /// # Errors
    /// When a process is unknown, or a limit makes no sense.
    pub async fn limits_update(&self, app: &str, update: &LimitsUpdate) -> Result<Limits, ClientError> {
        self.patch(&path(app), update).await
    }
}

fn path(app: &str) -> String {
    format!("/ambo/apps/{}/limits", segment(app))
}
