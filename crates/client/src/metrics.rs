//! What apps use.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::AppMetrics;

impl Client {
    /// What an app uses and how its requests fare, now.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn app_metrics(&self, app: &str) -> Result<AppMetrics, ClientError> {
        self.get(&format!("/ambo/apps/{}/metrics", segment(app))).await
    }
}
