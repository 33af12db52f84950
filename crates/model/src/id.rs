//! Ids: one type per noun, so that an app's id is never taken for a build's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id. Ids grow with time (UUID version 7), so a listing by id is a listing by age.
            #[must_use]
            #[allow(clippy::new_without_default, reason = "an id is made, it has no default")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id as a UUID.
            #[must_use]
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

id! {
    /// Identifies an account.
    AccountId,
    /// Identifies an app for its whole life, renames included.
    AppId,
    /// Identifies a build.
    BuildId,
    /// Identifies a certificate of an app.
    CertificateId,
    /// Identifies an app's place in a pipeline.
    CouplingId,
    /// Identifies a log drain.
    DrainId,
    /// Identifies a job.
    JobId,
    /// Identifies an SSH key.
    KeyId,
    /// Identifies a pipeline for its whole life, renames included.
    PipelineId,
    /// Identifies a promotion.
    PromotionId,
    /// Identifies one target of a promotion.
    PromotionTargetId,
    /// Identifies a release; its number in the app is a [`ReleaseVersion`](crate::ReleaseVersion).
    ReleaseId,
    /// Identifies a one-off run.
    RunId,
    /// Identifies an API token.
    TokenId,
}

/// Identifies one running copy. Chosen by the engine's driver; opaque to everybody else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(String);

impl InstanceId {
    /// Wraps the driver's own name for the instance.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The driver's name for the instance.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceId({})", self.0)
    }
}
