//! Tags of processes.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{Tags, TagsUpdate};

impl Client {
    /// Every process' tags.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn tags_info(&self, app: &str) -> Result<Tags, ClientError> {
        self.get(&path(app)).await
    }

    /// Changes tags; gives all of them.
    ///
    /// # Errors
    /// When a process is unknown, or no node carries what it would need.
    pub async fn tags_update(&self, app: &str, update: &TagsUpdate) -> Result<Tags, ClientError> {
        self.patch(&path(app), update).await
    }
}

fn path(app: &str) -> String {
    format!("/ambo/apps/{}/tags", segment(app))
}
