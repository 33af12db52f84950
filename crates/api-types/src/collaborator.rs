//! `/apps/{app}/collaborators`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reference::{AppReference, UserReference};

/// Somebody who may work on an app: its owner, or an account that it is shared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collaborator {
    /// Its id: the account's.
    pub id: Uuid,
    /// On what.
    pub app: AppReference,
    /// What it may do, by name. Empty: the role says it.
    #[serde(default)]
    pub permissions: Vec<serde_json::Value>,
    /// `owner` or `collaborator`.
    pub role: Option<String>,
    /// Who.
    pub user: UserReference,
    /// Since when.
    pub created_at: Timestamp,
    /// Since when.
    pub updated_at: Timestamp,
}

/// `POST /apps/{app}/collaborators`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollaboratorCreate {
    /// Address of the account.
    pub user: String,
}
