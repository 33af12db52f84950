//! `/ambo/images`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /ambo/images/collect`: what a collection of images did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImagesCollected {
    /// What the registry holds now.
    pub kept: ImagesTotal,
    /// What went.
    pub freed: ImagesTotal,
}

/// A number of images and their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImagesTotal {
    /// Manifests: one for each image of each repository.
    pub images: u64,
    /// Bytes on the disk, what images share counted once.
    pub bytes: u64,
}
