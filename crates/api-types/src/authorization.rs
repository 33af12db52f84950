//! `/oauth/authorizations`: API tokens.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reference::IdReference;
use crate::secret::Secret;

/// The token itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessToken {
    /// Its id.
    pub id: Uuid,
    /// Seconds until it ends; `None` when it does not.
    pub expires_in: Option<u64>,
    /// The token, in the answer that makes it; later only its head and tail, with asterisks between.
    pub token: Secret,
}

/// An API token with its description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Authorization {
    /// Its id.
    pub id: Uuid,
    /// The token.
    pub access_token: Option<AccessToken>,
    /// None: we know no other applications.
    pub client: Option<IdReference>,
    /// What it is for, for people.
    pub description: String,
    /// None.
    pub grant: Option<IdReference>,
    /// None.
    pub refresh_token: Option<AccessToken>,
    /// None.
    pub session: Option<IdReference>,
    /// What it may do: `global`, `read`, …
    pub scope: Vec<String>,
    /// Whose it is.
    pub user: AuthorizationUser,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// About when it was last used. Ours.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
}

/// Names the account of an API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizationUser {
    /// Its id.
    pub id: Uuid,
    /// Its address.
    pub email: String,
    /// The person's name, if known.
    #[serde(default)]
    pub full_name: Option<String>,
}

/// `PATCH /oauth/authorizations/{id}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizationUpdate {
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// `POST /oauth/authorizations`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizationCreate {
    /// What it is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Seconds until it ends; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// What it may do: `global`, `deploy:<app>`, `read` or `identity`, one of them; `global` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Vec<String>>,
}
