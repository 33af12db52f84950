//! `/sources`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place to put a source, for a build to take it from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Where.
    pub source_blob: SourceUrls,
}

/// The URLs of a source. Each holds a secret and needs no other credentials; both are good for an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceUrls {
    /// Gives it; may be used as a build's `source_blob.url`.
    pub get_url: String,
    /// Takes it by `PUT`: a tar archive, gzip-compressed or not.
    pub put_url: String,
}
