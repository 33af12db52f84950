//! SSH keys.

use crate::error::ClientError;
use crate::transport::{Client, segment};
use crate::types::{Key, KeyCreate};

impl Client {
    /// The account's keys.
    ///
    /// # Errors
    /// When the credentials are not valid.
    pub async fn key_list(&self) -> Result<Vec<Key>, ClientError> {
        self.list("/account/keys").await
    }

    /// Adds a key.
    ///
    /// # Errors
    /// When it is no key, or another account's.
    pub async fn key_create(&self, create: &KeyCreate) -> Result<Key, ClientError> {
        self.post("/account/keys", create).await
    }

    /// Removes a key, named by id or fingerprint.
    ///
    /// # Errors
    /// When there is no such key.
    pub async fn key_remove(&self, id_or_fingerprint: &str) -> Result<(), ClientError> {
        self.delete(&format!("/account/keys/{}", segment(id_or_fingerprint))).await
    }
}
