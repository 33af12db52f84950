//! Pipelines: apps in stages, and the promotions from one to the next.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, AppId, CouplingId, PipelineId, PromotionId, PromotionTargetId, ReleaseId};
use crate::release::ReleaseVersion;

/// Shortest name of a pipeline, in characters.
pub const PIPELINE_NAME_CHARS_MIN: usize = 3;
/// Longest name of a pipeline, in characters.
pub const PIPELINE_NAME_CHARS_MAX: usize = 30;
/// Most apps that one promotion goes to.
pub const PROMOTION_TARGETS_MAX: usize = 30;

/// The name of a pipeline.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PipelineName(String);

/// Why a word of a pipeline was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PipelineError {
    /// The name breaks Heroku's rule for names.
    #[error(
        "`{0}` is no pipeline name: use 3 to 30 lowercase letters, digits and dashes, starting with a letter, as in `shop`"
    )]
    Name(String),
    /// There is no such stage.
    #[error("`{0}` is no stage: use development, staging or production; or review, or test")]
    Stage(String),
}

impl PipelineName {
    /// Parses a name.
    ///
    /// # Errors
    /// When it breaks Heroku's rule for names.
    pub fn parse(text: &str) -> Result<Self, PipelineError> {
        let ok = (PIPELINE_NAME_CHARS_MIN..=PIPELINE_NAME_CHARS_MAX).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if ok { Ok(Self(text.to_owned())) } else { Err(PipelineError::Name(shown(text))) }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PipelineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PipelineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PipelineName({})", self.0)
    }
}

impl TryFrom<String> for PipelineName {
    type Error = PipelineError;
    fn try_from(text: String) -> Result<Self, PipelineError> {
        Self::parse(&text)
    }
}

impl From<PipelineName> for String {
    fn from(name: PipelineName) -> String {
        name.0
    }
}

/// Where an app stands in its pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Runs of tests.
    Test,
    /// One app for each change under review.
    Review,
    /// Where promotions begin.
    Development,
    /// The last look.
    Staging,
    /// What users use.
    Production,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Stage; 5] = [Stage::Test, Stage::Review, Stage::Development, Stage::Staging, Stage::Production];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Test => "test",
            Stage::Review => "review",
            Stage::Development => "development",
            Stage::Staging => "staging",
            Stage::Production => "production",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = PipelineError;
    fn from_str(text: &str) -> Result<Self, PipelineError> {
        let found = Self::ALL.into_iter().find(|stage| stage.as_str() == text);
        found.ok_or_else(|| PipelineError::Stage(shown(text)))
    }
}

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Stays the same through renames.
    pub id: PipelineId,
    /// Unique on the platform.
    pub name: PipelineName,
    /// Whose it is.
    pub owner: AccountId,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An app's place in a pipeline. An app has at most one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupling {
    /// Its id.
    pub id: CouplingId,
    /// The app.
    pub app: AppId,
    /// The pipeline.
    pub pipeline: PipelineId,
    /// Where in it.
    pub stage: Stage,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The image of one app's release on its way to other apps. How far it is, its targets say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// Its id.
    pub id: PromotionId,
    /// In which pipeline.
    pub pipeline: PipelineId,
    /// From which app.
    pub source: AppId,
    /// Which release.
    pub release: ReleaseId,
    /// Its number.
    pub version: ReleaseVersion,
    /// Who asked for it.
    pub by: AccountId,
    /// When.
    pub created_at: Timestamp,
}

/// An app that something is promoted to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromotionTarget {
    /// Its id.
    pub id: PromotionTargetId,
    /// Of which promotion.
    pub promotion: PromotionId,
    /// The app.
    pub app: AppId,
    /// The release that was made there, once it is.
    pub release: Option<(ReleaseId, ReleaseVersion)>,
    /// How far.
    pub status: PromotionStatus,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How far a target is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PromotionStatus {
    /// Waiting, or being rolled out.
    Pending,
    /// It serves.
    Succeeded,
    /// What served before serves on.
    Failed {
        /// What the user reads.
        reason: String,
    },
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipeline_names_follow_herokus_rule() {
        for good in ["abc", "my-shop", "a12", "shop-", &"a".repeat(30)] {
            assert!(PipelineName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "1ab", "-ab", "My-shop", "a_b", "a b", "a/b", &"a".repeat(31)] {
            assert!(PipelineName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn stages_are_read_as_they_print() {
        for stage in Stage::ALL {
            assert_eq!(stage.to_string().parse(), Ok(stage));
        }
        assert!("prod".parse::<Stage>().is_err());
        assert!(Stage::Development < Stage::Staging && Stage::Staging < Stage::Production);
    }
}
