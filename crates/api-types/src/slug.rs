//! `/apps/{app}/slugs`: what a build gave, as Heroku's clients know it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::reference::NamedReference;

/// The image of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Slug {
    /// The build's id.
    pub id: Uuid,
    /// Where the image is.
    pub blob: SlugBlob,
    /// How the image came to be, for people.
    pub buildpack_provided_description: Option<String>,
    /// The digest of the image's manifest: `SHA256:…`.
    pub checksum: Option<String>,
    /// What was built: a commit, usually.
    pub commit: Option<String>,
    /// More about it; nothing is known.
    pub commit_description: Option<String>,
    /// What each process runs.
    pub process_types: BTreeMap<String, String>,
    /// In bytes; not told.
    pub size: Option<u64>,
    /// Always `container`.
    pub stack: NamedReference,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was done.
    pub updated_at: Timestamp,
}

/// How an image is had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlugBlob {
    /// Always `GET`.
    pub method: String,
    /// The manifest in the platform's registry.
    pub url: String,
}

/// `POST /apps/{app}/releases`: of an earlier release, or of a build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct ReleaseCreate {
    /// Go back to this release: its id or number.
    #[serde(default)]
    pub release: Option<TextOrNumber>,
    /// Release the image of this build.
    #[serde(default)]
    pub slug: Option<String>,
}

/// An id, or a number, which clients send as text or as such.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a release's id or number")]
pub enum TextOrNumber {
    /// `v3`, `3`, an id.
    Text(String),
    /// `3`.
    Number(u64),
}

impl std::fmt::Display for TextOrNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}
