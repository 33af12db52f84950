//! Access tokens, which Heroku calls authorizations.

use uuid::Uuid;

use crate::error::ClientError;
use crate::transport::Client;
use crate::types::{Authorization, AuthorizationCreate};

impl Client {
    /// Makes a token. With a password as credentials, this is a login.
    ///
    /// # Errors
    /// When the credentials are wrong.
    pub async fn token_create(&self, create: &AuthorizationCreate) -> Result<Authorization, ClientError> {
        self.post("/oauth/authorizations", create).await
    }

    /// The account's tokens.
    ///
    /// # Errors
    /// When the credentials are not valid.
    pub async fn token_list(&self) -> Result<Vec<Authorization>, ClientError> {
        self.list("/oauth/authorizations").await
    }

    /// Revokes a token.
    ///
    /// # Errors
    /// When there is no such token.
    pub async fn token_revoke(&self, id: Uuid) -> Result<(), ClientError> {
        self.delete(&format!("/oauth/authorizations/{id}")).await
    }

    /// Revokes the token in use: a logout.
    ///
    /// # Errors
    /// When the credentials are not valid.
    pub async fn session_end(&self) -> Result<(), ClientError> {
        self.delete("/oauth/sessions/~").await
    }
}
