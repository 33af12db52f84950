//! `/apps/{app}/log-drains`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reference::{AppReference, NamedReference};

/// Where an app's log goes beside its own store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogDrain {
    /// Its id.
    pub id: Uuid,
    /// None: add-ons make no drains here.
    pub addon: Option<NamedReference>,
    /// Whose log.
    pub app: Option<AppReference>,
    /// What its receiver knows it by.
    pub token: String,
    /// Where to. Those who may not manage the app see no more of it than scheme, host and port.
    pub url: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// `POST /apps/{app}/log-drains`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogDrainCreate {
    /// Where to: `syslog://`, `syslog+tls://`, `http://` or `https://`.
    pub url: String,
}
