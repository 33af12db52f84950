//! Builds: source in, image out.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, AppId, BuildId};
use crate::image::{ImageDigest, ImageReference};
use crate::name::ProcessType;
use crate::process::ProcessTable;

/// A git commit's object name, 40 (SHA-1) or 64 (SHA-256) hex digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

impl CommitId {
    /// Parses an object name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let ok =
            matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        ok.then(|| Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CommitId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is no commit"))
    }
}

impl From<CommitId> for String {
    fn from(commit: CommitId) -> String {
        commit.0
    }
}

/// Where a build's source came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum BuildSource {
    /// A git push.
    Push {
        /// What was pushed.
        commit: CommitId,
    },
    /// An uploaded archive.
    Archive {
        /// What the uploader says it is, such as a commit.
        version: Option<String>,
    },
    /// An archive that the platform fetched.
    Url {
        /// From where; as the user gave it.
        url: String,
        /// What the user says it is, such as a commit.
        version: Option<String>,
        /// What it was to hash to.
        checksum: Option<String>,
    },
    /// An image that exists already.
    Image {
        /// As the user named it.
        reference: ImageReference,
    },
}

impl BuildSource {
    /// `SOURCE_VERSION`: the commit, or what the uploader said.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        match self {
            BuildSource::Push { commit } => Some(commit.as_str()),
            BuildSource::Archive { version } | BuildSource::Url { version, .. } => version.as_deref(),
            BuildSource::Image { reference } => Some(reference.as_str()),
        }
    }
}

/// What a build gives: an image in the registry and how to run it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The image's manifest in the app's repository.
    pub image: ImageDigest,
    /// What can be run.
    pub processes: ProcessTable,
    /// The only TCP port that the image exposes, if there is just one: `$PORT` unless config sets it.
    pub exposed_port: Option<u16>,
    /// How the image came to be, for people: `Dockerfile`, `Node.js`, `image`.
    pub kind: String,
}

impl Artifact {
    /// The image that a process runs.
    #[must_use]
    pub fn image_of(&self, process: &ProcessType) -> &ImageDigest {
        self.processes.get(process).and_then(|process| process.image.as_ref()).unwrap_or(&self.image)
    }

    /// Every image that it needs.
    pub fn images(&self) -> impl Iterator<Item = &ImageDigest> {
        let own = self.processes.iter().filter_map(|(_, process)| process.image.as_ref());
        std::iter::once(&self.image).chain(own)
    }
}

/// How far a build is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum BuildStatus {
    /// Waiting or running.
    Pending,
    /// Done.
    Succeeded {
        /// The result.
        artifact: Artifact,
    },
    /// Not done.
    Failed {
        /// What the user reads.
        reason: String,
    },
}

/// A build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Its id.
    pub id: BuildId,
    /// Whose.
    pub app: AppId,
    /// Who asked for it.
    pub by: AccountId,
    /// From what.
    pub source: BuildSource,
    /// How far.
    pub status: BuildStatus,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}
