//! Accounts.

use crate::error::ClientError;
use crate::transport::Client;
use crate::types::{Account, AccountUpdate, Registered, Registration};

impl Client {
    /// Registers an account, which needs no credentials.
    ///
    /// # Errors
    /// When registration is closed, the address taken, or the password too weak.
    pub async fn account_register(&self, registration: &Registration) -> Result<Registered, ClientError> {
        self.post("/ambo/accounts", registration).await
    }

    /// The account itself.
    ///
    /// # Errors
    /// When the credentials are not valid.
    pub async fn account_info(&self) -> Result<Account, ClientError> {
        self.get("/account").await
    }

    /// Changes the password.
    ///
    /// # Errors
    /// When the present password is wrong or the new one too weak.
    pub async fn account_update(&self, update: &AccountUpdate) -> Result<Account, ClientError> {
        self.patch("/account", update).await
    }

    /// All accounts of the platform.
    ///
    /// # Errors
    /// When the account is no administrator.
    pub async fn account_list(&self) -> Result<Vec<Account>, ClientError> {
        self.list("/ambo/accounts").await
    }
}
