//! `/apps/{app}/collaborators`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reference::AppReference;

/// Somebody who may work on an app: its owner, or an account that it is shared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    pub user: CollaboratorUser,
    /// Since when.
    pub created_at: Timestamp,
    /// Since when.
    pub updated_at: Timestamp,
}

/// Names the account of a collaborator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CollaboratorUser {
    /// Its id.
    pub id: Uuid,
    /// Its address.
    pub email: String,
    /// Whether it logs in through somebody else.
    #[serde(default)]
    pub federated: bool,
}

/// `POST /apps/{app}/collaborators`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CollaboratorCreate {
    /// Address of the account.
    pub user: String,
}
