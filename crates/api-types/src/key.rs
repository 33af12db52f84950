//! `/account/keys`: SSH keys.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An SSH key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Key {
    /// Its id.
    pub id: Uuid,
    /// What its owner calls it.
    pub comment: String,
    /// Whose it is.
    pub email: String,
    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// `ssh-ed25519 AAAA… comment`.
    pub public_key: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was added.
    pub updated_at: Timestamp,
}

/// `POST /account/keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyCreate {
    /// A line of a `.pub` file.
    pub public_key: String,
}
