//! Digests: the names of content. Both algorithms that the image specification registers.

use std::fmt;
use std::str::FromStr;

use ambo_model::ImageDigest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

/// A registered digest algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// SHA-256, which every client speaks.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Its registered name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn hex_chars(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    /// The algorithm of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// The digest of some content: `sha256:<64 hex digits>` or `sha512:<128 hex digits>`, lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: String,
}

/// Not a digest that this registry takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no digest: expected `sha256:` and 64, or `sha512:` and 128, lower-case hex digits")]
pub struct DigestError(String);

impl Digest {
    /// Parses a digest.
    ///
    /// # Errors
    /// When the algorithm is not registered or the rest is not its number of lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let refused = || DigestError(text.chars().filter(|c| !c.is_control()).take(140).collect());
        let (algorithm, hex) = text.split_once(':').ok_or_else(refused)?;
        let algorithm = Algorithm::parse(algorithm).ok_or_else(refused)?;
        let ok =
            hex.len() == algorithm.hex_chars() && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if ok { Ok(Self { algorithm, hex: hex.to_owned() }) } else { Err(refused()) }
    }

    /// The digest of `content`.
    #[must_use]
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.finish()
    }

    /// Which algorithm made it.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash itself, in hex.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.as_str(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;
    fn try_from(text: String) -> Result<Self, DigestError> {
        Self::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl From<&ImageDigest> for Digest {
    fn from(digest: &ImageDigest) -> Self {
        let hex = digest.as_str().trim_start_matches("sha256:").to_owned();
        Self { algorithm: Algorithm::Sha256, hex }
    }
}

/// Hashes content as it streams by.
#[derive(Clone)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        let algorithm = self.algorithm();
        let hex = match self {
            Self::Sha256(hasher) => hex::encode(hasher.finalize()),
            Self::Sha512(hasher) => hex::encode(hasher.finalize()),
        };
        Digest { algorithm, hex }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hasher({})", self.algorithm().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_both_algorithms_parse_and_print() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::of(algorithm, b"hello");
            assert_eq!(Digest::parse(&digest.to_string()), Ok(digest));
        }
        assert_eq!(
            Digest::of(Algorithm::Sha256, b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn what_could_be_a_path_or_another_spelling_is_no_digest() {
        let upper = Digest::of(Algorithm::Sha256, b"x").to_string().to_uppercase();
        for bad in ["", "sha256:", "sha256:../../etc/passwd", "md5:abc", &upper, "sha512:00", "sha256"] {
            assert!(Digest::parse(bad).is_err(), "{bad}");
        }
    }
}
