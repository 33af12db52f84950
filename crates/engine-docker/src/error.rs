//! What goes wrong between us and the engine, sorted by what a caller does about it.

use bollard::errors::Error as BollardError;

/// Why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It does not answer, or stopped answering midway. A retry may help; what was asked may have happened.
    #[error("the Docker Engine does not answer: check that it runs")]
    Down {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was named is not there.
    #[error("{message}")]
    NotFound {
        /// In the engine's words.
        message: String,
    },
    /// The state of what was named forbids it, or somebody else is doing it already.
    #[error("{message}")]
    Conflict {
        /// In the engine's words.
        message: String,
    },
    /// The engine says no.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// In the engine's words.
        message: String,
    },
    /// The engine began and failed: a pull, a push, a build.
    #[error("{message}")]
    Failed {
        /// In the engine's words.
        message: String,
    },
    /// An answer that is not understood, or a request that could not be written.
    #[error("the Docker Engine gave an unexpected answer")]
    Unexpected {
        /// What was wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl EngineError {
    /// Sorts the HTTP status of a refusal.
    #[must_use]
    pub fn from_status(status: u16, message: String) -> Self {
        match status {
            404 => Self::NotFound { message },
            409 => Self::Conflict { message },
            _ => Self::Refused { status, message },
        }
    }

    /// An engine that does not answer.
    pub fn down(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Down { source: source.into() }
    }

    /// Whether the engine does not answer.
    #[must_use]
    pub fn is_down(&self) -> bool {
        matches!(self, Self::Down { .. })
    }

    /// Whether what was named is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether the state of what was named forbids it.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

impl From<BollardError> for EngineError {
    fn from(error: BollardError) -> Self {
        match error {
            BollardError::DockerResponseServerError { status_code, message } => Self::from_status(status_code, message),
            BollardError::DockerStreamError { error } => Self::Failed { message: error },
            BollardError::DockerContainerWaitError { error, code } => {
                Self::Failed { message: if error.is_empty() { format!("exit code {code}") } else { error } }
            }
            BollardError::RequestTimeoutError
            | BollardError::IOError { .. }
            | BollardError::HyperResponseError { .. }
            | BollardError::HyperLegacyError { .. }
            | BollardError::SocketNotFoundError(_) => Self::down(error),
            other => Self::Unexpected { source: Box::new(other) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_sorted_by_what_a_caller_does_about_them() {
        let refusal = |status_code| {
            EngineError::from(BollardError::DockerResponseServerError { status_code, message: "m".to_owned() })
        };
        assert!(refusal(404).is_not_found());
        assert!(refusal(409).is_conflict());
        assert!(matches!(refusal(400), EngineError::Refused { status: 400, .. }));
        assert!(EngineError::from(BollardError::RequestTimeoutError).is_down());
        assert!(EngineError::from(BollardError::from(std::io::Error::other("gone"))).is_down());
    }
}
