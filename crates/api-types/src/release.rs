//! `/apps/{app}/releases`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::reference::{AppReference, IdReference, UserReference};

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// Its id.
    pub id: Uuid,
    /// Its number.
    pub version: u64,
    /// What it changed, for people.
    pub description: String,
    /// `pending`, `succeeded` or `failed`.
    pub status: String,
    /// Why it failed. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether it is the one that serves.
    pub current: bool,
    /// Who made it.
    pub user: UserReference,
    /// Of which app.
    pub app: AppReference,
    /// Its build; `None` before the first one.
    pub slug: Option<IdReference>,
    /// What it is made of: its build, once it has one.
    #[serde(default)]
    pub artifacts: Vec<ReleaseArtifact>,
    /// Always empty.
    #[serde(default)]
    pub addon_plan_names: Vec<String>,
    /// Whether it can be gone back to.
    pub eligible_for_rollback: bool,
    /// Where the output of its release phase can be read.
    pub output_stream_url: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
}

/// A part of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseArtifact {
    /// The build's id.
    pub id: Uuid,
    /// Always `slug`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// `POST /apps/{app}/releases`: go back to an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseRollback {
    /// Its id or number: `v3`, `3`.
    #[serde(deserialize_with = "text_or_number")]
    pub release: String,
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a release's id or number")]
    enum Value {
        Text(String),
        Number(u64),
    }
    Ok(match Value::deserialize(deserializer)? {
        Value::Text(text) => text,
        Value::Number(number) => number.to_string(),
    })
}
