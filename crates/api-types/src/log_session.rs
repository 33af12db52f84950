//! `/apps/{app}/log-sessions`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// `POST /apps/{app}/log-sessions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogSessionCreate {
    /// How many lines of the past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u32>,
    /// Whether to go on with new lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<bool>,
    /// Only of this process or instance: `web`, `web.1`.
    #[serde(default, alias = "dyno_name", skip_serializing_if = "Option::is_none")]
    pub dyno: Option<String>,
    /// Only of this source: `app`, `ambo` (or `heroku`, which means the same).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A log session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogSession {
    /// Its id.
    pub id: Uuid,
    /// Where to read the lines. Whoever has the URL may read; it ends by itself.
    pub logplex_url: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was made.
    pub updated_at: Timestamp,
}
