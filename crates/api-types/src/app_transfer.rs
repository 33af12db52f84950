//! `/account/app-transfers`, `/ambo/apps/{app}/transfer`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reference::{AppReference, UserReference};

/// The handing over of an app. Here it takes effect at once, so `state` is always `accepted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppTransfer {
    /// Its id.
    pub id: Uuid,
    /// What was handed over.
    pub app: AppReference,
    /// Whose it was.
    pub owner: UserReference,
    /// Whose it is.
    pub recipient: UserReference,
    /// `accepted`.
    pub state: String,
    /// When.
    pub created_at: Timestamp,
    /// When.
    pub updated_at: Timestamp,
}

/// `POST /account/app-transfers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppTransferCreate {
    /// Name or id of the app.
    pub app: String,
    /// Address of the account that gets it.
    pub recipient: String,
}

/// `PATCH /ambo/apps/{app}/transfer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppOwnerUpdate {
    /// Address of the account that gets it.
    pub owner: String,
}
