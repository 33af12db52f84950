//! Health checks of processes.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{HealthChecks, HealthChecksUpdate};

impl Client {
    /// Every process' health check.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn health_checks_info(&self, app: &str) -> Result<HealthChecks, ClientError> {
        self.get(&path(app)).await
    }

    /// Changes health checks; gives all of them.
    ///
    /// # Errors
    /// When a process is unknown, or a check makes no sense.
    pub async fn health_checks_update(
        &self,
        app: &str,
        update: &HealthChecksUpdate,
    ) -> Result<HealthChecks, ClientError> {
        self.patch(&path(app), update).await
    }
}

fn path(app: &str) -> String {
    format!("/ambo/apps/{}/healthchecks", segment(app))
}
