//! Log drains.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{LogDrain, LogDrainCreate};

impl Client {
    /// Where an app's log goes.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn drain_list(&self, app: &str) -> Result<Vec<LogDrain>, ClientError> {
        self.list(&path(app)).await
    }

    /// Sends an app's log to one more place.
    ///
    /// # Errors
    /// When the URL is refused.
    pub async fn drain_create(&self, app: &str, url: &str) -> Result<LogDrain, ClientError> {
        self.post(&path(app), &LogDrainCreate { url: url.to_owned() }).await
    }

    /// Sends an app's log there no longer.
    ///
    /// # Errors
    /// When the app has no such drain.
    pub async fn drain_remove(&self, app: &str, url_token_or_id: &str) -> Result<(), ClientError> {
        self.delete(&format!("{}/{}", path(app), segment(url_token_or_id))).await
    }
}

fn path(app: &str) -> String {
    format!("/apps/{}/log-drains", segment(app))
}
