//! Images: always named by digest once a build has produced them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A manifest's digest, `sha256:<64 hex digits>` (OCI image specification, "Digests").
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageDigest(String);

/// Why a digest or reference was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No sha256 digest.
    #[error("`{0}` is no image digest: expected `sha256:` and 64 hex digits")]
    Digest(String),
    /// No image reference.
    #[error(
        "`{0}` is no image: write it as for `docker pull`, such as `nginx:1.27` or `registry.example.com/team/app@sha256:…`"
    )]
    Reference(String),
}

impl ImageDigest {
    /// Parses a digest.
    ///
    /// # Errors
    /// When the text is not a sha256 digest.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let ok = text.strip_prefix("sha256:").is_some_and(|hex| {
            hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        });
        if ok { Ok(Self(text.to_owned())) } else { Err(ImageError::Digest(text.chars().take(100).collect())) }
    }

    /// The digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hex digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[7..19]
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageDigest({})", self.0)
    }
}

impl TryFrom<String> for ImageDigest {
    type Error = ImageError;
    fn try_from(text: String) -> Result<Self, ImageError> {
        Self::parse(&text)
    }
}

impl From<ImageDigest> for String {
    fn from(digest: ImageDigest) -> String {
        digest.0
    }
}

/// An image as users name it: `[registry/]repository[:tag][@digest]`. Kept as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageReference(String);

impl ImageReference {
    /// Parses a reference.
    ///
    /// # Errors
    /// When the text holds anything that the distribution specification's reference grammar does not.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        let ok = (1..=512).contains(&text.len())
            && text.chars().all(allowed)
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && !text.contains("//")
            && !text.contains("..");
        if ok { Ok(Self(text.to_owned())) } else { Err(ImageError::Reference(text.chars().take(100).collect())) }
    }

    /// `repository` pinned to `digest`.
    #[must_use]
    pub fn pinned(repository: &str, digest: &ImageDigest) -> Self {
        Self(format!("{repository}@{digest}"))
    }

    /// The reference as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ImageReference {
    type Err = ImageError;
    fn from_str(text: &str) -> Result<Self, ImageError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ImageReference {
    type Error = ImageError;
    fn try_from(text: String) -> Result<Self, ImageError> {
        Self::parse(&text)
    }
}

impl From<ImageReference> for String {
    fn from(reference: ImageReference) -> String {
        reference.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sha256_digests_are_digests() {
        let good = format!("sha256:{}", "a1".repeat(32));
        assert_eq!(ImageDigest::parse(&good).unwrap().short(), "a1a1a1a1a1a1");
        for bad in ["", "latest", "sha256:xyz", &good.to_uppercase(), &format!("sha512:{}", "a".repeat(64))] {
            assert!(ImageDigest::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn references_hold_no_shell_or_path_tricks() {
        for good in ["nginx", "nginx:1.27", "127.0.0.1:7050/app@sha256:abc", "ghcr.io/a/b_c:v1"] {
            assert!(ImageReference::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-x", "a b", "a;b", "../a", "a//b", "$(x)"] {
            assert!(ImageReference::parse(bad).is_err(), "{bad}");
        }
    }
}
