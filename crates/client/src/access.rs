//! Who may work on an app.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{Collaborator, CollaboratorCreate};

impl Client {
    /// The owner and the collaborators.
    ///
    /// # Errors
    /// When there is no such app.
    pub async fn access_list(&self, app: &str) -> Result<Vec<Collaborator>, ClientError> {
        self.list(&path(app)).await
    }

    /// Lets an account work on an app.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn access_create(&self, app: &str, email: &str) -> Result<Collaborator, ClientError> {
        self.post(&path(app), &CollaboratorCreate { user: email.to_owned() }).await
    }

    /// Lets an account no longer work on an app.
    ///
    /// # Errors
    /// When it is no collaborator.
    pub async fn access_remove(&self, app: &str, email: &str) -> Result<(), ClientError> {
        self.delete(&format!("{}/{}", path(app), segment(email))).await
    }
}

fn path(app: &str) -> String {
    format!("/apps/{}/collaborators", segment(app))
}
