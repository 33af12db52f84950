//! How many instances of each process are wanted.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{Formation, FormationBatchUpdate};

impl Client {
    /// The wanted counts.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn formation_list(&self, app: &str) -> Result<Vec<Formation>, ClientError> {
        self.list(&path(app)).await
    }

    /// Changes wanted counts, all or none; gives the changed ones.
    ///
    /// # Errors
    /// When a process is unknown or a count is out of bounds.
    pub async fn formation_update(
        &self,
        app: &str,
        update: &FormationBatchUpdate,
    ) -> Result<Vec<Formation>, ClientError> {
        self.patch(&path(app), update).await
    }
}

fn path(app: &str) -> String {
    format!("/apps/{}/formation", segment(app))
}
