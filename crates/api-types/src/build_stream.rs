//! The answer of `POST /ambo/apps/{app}/builds`: output lines as they come, then one trailer line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The byte before the trailer. Output never holds it.
pub const BUILD_TRAILER_MARK: u8 = 0;

/// How a build and its release ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildOutcome {
    /// It serves.
    Succeeded,
    /// It does not; what served before still does.
    Failed,
}

/// The last line of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuildTrailer {
    /// How it ended.
    pub status: BuildOutcome,
    /// Which build; `None` when it never became one.
    pub build: Option<Uuid>,
    /// The number of the release.
    pub release: Option<u64>,
    /// Where the app is served.
    pub url: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl BuildTrailer {
    /// The trailer as the stream ends with it: the mark, the JSON text, a line end.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![BUILD_TRAILER_MARK];
        // A trailer has only text, numbers and ids: it always has a JSON form.
        bytes.extend(serde_json::to_vec(self).unwrap_or_default());
        bytes.push(b'\n');
        bytes
    }

    /// Reads the bytes from the mark to the end of the stream; a mark in front may be left out.
    ///
    /// # Errors
    /// When the bytes are no trailer: the stream was cut.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes.strip_prefix(&[BUILD_TRAILER_MARK]).unwrap_or(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_is_read_as_it_was_written() {
        let trailer = BuildTrailer {
            status: BuildOutcome::Failed,
            build: None,
            release: Some(3),
            url: None,
            message: Some("no \"Dockerfile\"".into()),
        };
        let bytes = trailer.encode();
        assert_eq!((bytes[0], bytes.last()), (0, Some(&b'\n')));
        assert_eq!(BuildTrailer::decode(&bytes).unwrap(), trailer);
        assert!(BuildTrailer::decode(b"\0{\"status\":").is_err());
    }
}
