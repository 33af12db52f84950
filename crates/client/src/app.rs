//! Apps.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{App, AppCreate, AppTransfer, AppTransferCreate, AppUpdate};

impl Client {
    /// The apps that the account may see.
    ///
    /// # Errors
    /// When the credentials are not valid.
    pub async fn app_list(&self) -> Result<Vec<App>, ClientError> {
        self.list("/apps").await
    }

    /// Creates an app.
    ///
    /// # Errors
    /// When the name is invalid or taken.
    pub async fn app_create(&self, create: &AppCreate) -> Result<App, ClientError> {
        self.post("/apps", create).await
    }

    /// One app.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn app_info(&self, app: &str) -> Result<App, ClientError> {
        self.get(&format!("/apps/{}", segment(app))).await
    }

    /// Renames an app, or changes its maintenance mode.
    ///
    /// # Errors
    /// When the new name is invalid or taken.
    pub async fn app_update(&self, app: &str, update: &AppUpdate) -> Result<App, ClientError> {
        self.patch(&format!("/apps/{}", segment(app)), update).await
    }

    /// Destroys an app with all that belongs to it.
    ///
    /// # Errors
    /// When the account is not the owner.
    pub async fn app_destroy(&self, app: &str) -> Result<(), ClientError> {
        self.delete(&format!("/apps/{}", segment(app))).await
    }

    /// Gives an app to another account.
    ///
    /// # Errors
    /// When the account is not the owner, or the recipient is unknown.
    pub async fn app_transfer(&self, app: &str, recipient: &str) -> Result<AppTransfer, ClientError> {
        let create = AppTransferCreate { app: app.to_owned(), recipient: recipient.to_owned() };
        self.post("/account/app-transfers", &create).await
    }
}
