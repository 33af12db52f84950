//! How one object names another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names an object without a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IdReference {
    /// Its id.
    pub id: Uuid,
}

/// Names an object by id and name: a region, a stack, a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedReference {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// Names an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppReference {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// Names an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserReference {
    /// Its id.
    pub id: Uuid,
    /// Its address.
    pub email: String,
}

/// Names a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseReference {
    /// Its id.
    pub id: Uuid,
    /// Its number.
    pub version: u64,
}
