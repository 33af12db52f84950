//! Drains: where an app's log goes beside its own store.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AppId, DrainId};

/// What a receiver knows a drain by: `d.` and a UUID. It opens nothing, so that it is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DrainToken(String);

impl DrainToken {
    /// A new token.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a token is made, it has no default")]
    pub fn new() -> Self {
        Self(format!("d.{}", uuid::Uuid::new_v4()))
    }

    /// The token as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DrainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A drain, but for its URL, which may hold credentials and is kept apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Its id.
    pub id: DrainId,
    /// Whose log.
    pub app: AppId,
    /// What its receiver knows it by.
    pub token: DrainToken,
    /// When it was added.
    pub created_at: Timestamp,
}
