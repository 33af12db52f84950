//! `/ambo/invitations`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// `POST /ambo/invitations`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InvitationCreate {
    /// The only address that may use it; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// An invitation. Good for one registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Invitation {
    /// What the invited hands in. Told once.
    pub code: Secret,
    /// The only address that may use it.
    #[serde(default)]
    pub email: Option<String>,
    /// Until when it is good.
    pub expires_at: Timestamp,
}
