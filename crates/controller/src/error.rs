//! What goes wrong in an operation, and whose fault it is.

use ambo_builder::BuildError;
use ambo_scheduler::SchedulerError;
use ambo_store::StoreError;

use crate::accounts::AccountError;
use crate::records::{MaybeConflict, RecordError};
use crate::vault::VaultError;

/// Why an operation was not done. The first four variants are the caller's to mend; their texts say how.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// There is no such thing, or the caller may not know of it.
    #[error("{0}")]
    NotFound(String),
    /// The caller may see it, but not do this to it.
    #[error("{0}")]
    Forbidden(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Something else stands in the way right now.
    #[error("{0}")]
    Conflict(String),
    /// Accounts, tokens, keys.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The state store.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A sealed config.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The engine.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// A build.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl From<StoreError> for ControllerError {
    fn from(error: StoreError) -> Self {
        Self::Record(error.into())
    }
}

impl MaybeConflict for ControllerError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Record(error) if error.is_conflict())
    }
}

/// An error with its causes on one line, for people.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
