//! Releases: build + config, numbered, immutable but for their status.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::build::Artifact;
use crate::config::Config;
use crate::id::{AccountId, AppId, BuildId, ReleaseId};

/// A release's number in its app; prints as `v7`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseVersion(pub u64);

impl ReleaseVersion {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for ReleaseVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl FromStr for ReleaseVersion {
    type Err = std::num::ParseIntError;

    /// Reads `v7` and `7`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix('v').unwrap_or(text).parse().map(Self)
    }
}

/// Why a release was made; decides what an interruption means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ReleaseCause {
    /// The app was created.
    Created,
    /// A build that somebody waits for: it fails when they leave.
    Build,
    /// A build that exists already was asked for.
    Chosen,
    /// The config changed.
    Config,
    /// An earlier release was asked for again.
    Rollback {
        /// Which.
        to: ReleaseVersion,
    },
    /// What another app of the pipeline ran. How far it is, the promotion's target says too.
    Promotion {
        /// Which app.
        from: AppId,
        /// Which release of it.
        version: ReleaseVersion,
    },
}

/// How far a release is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ReleaseStatus {
    /// Being rolled out.
    Pending,
    /// Served, or would have if there were a build.
    Succeeded,
    /// Never served.
    Failed {
        /// What the user reads.
        reason: String,
    },
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// Whose.
    pub app: AppId,
    /// Its number.
    pub version: ReleaseVersion,
    /// The build that it runs; `None` before the first one.
    pub build: Option<BuildId>,
    /// What that build gave.
    pub artifact: Option<Artifact>,
    /// `SOURCE_VERSION`.
    pub source_version: Option<String>,
    /// The whole config.
    pub config: Config,
    /// Why it was made.
    pub cause: ReleaseCause,
    /// Who made it.
    pub author: AccountId,
    /// One line for people: `Deploy 1a2b3c4d`, `Set FOO config vars`, `Rollback to v3`.
    pub summary: String,
    /// How far.
    pub status: ReleaseStatus,
    /// When it was made.
    pub created_at: Timestamp,
}
