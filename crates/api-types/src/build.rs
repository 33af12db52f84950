//! `/apps/{app}/builds`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reference::{IdReference, UserReference};

/// A build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub app: IdReference,
    /// None: Dockerfiles and detected languages are used.
    pub buildpacks: Option<Vec<String>>,
    /// Where its output can be read; empty when nowhere.
    #[serde(default)]
    pub output_stream_url: String,
    /// From what it was built.
    pub source_blob: SourceBlob,
    /// The release that it became.
    pub release: Option<IdReference>,
    /// The image that it gave.
    pub slug: Option<IdReference>,
    /// Always `container`.
    pub stack: String,
    /// `pending`, `succeeded` or `failed`.
    pub status: String,
    /// Why it failed, for people. Ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who asked for it.
    pub user: UserReference,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A source archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceBlob {
    /// What it hashes to, if somebody said so.
    #[serde(default)]
    pub checksum: Option<String>,
    /// Where it is. Empty for a push or an upload.
    #[serde(default)]
    pub url: String,
    /// What it is: a commit, usually.
    #[serde(default)]
    pub version: Option<String>,
    /// More about it.
    #[serde(default)]
    pub version_description: Option<String>,
}

/// `POST /apps/{app}/builds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuildCreate {
    /// What to build.
    pub source_blob: SourceBlob,
    /// Heroku's way to build; ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buildpacks: Option<Vec<serde_json::Value>>,
}

/// `POST /ambo/apps/{app}/builds` with `application/json`: release an image that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuildImage {
    /// Such as `nginx:1.27`.
    pub image: String,
    /// A Procfile's text, for an image with several processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procfile: Option<String>,
}
