//! The port: where git repositories of apps are.

use ambo_model::AppId;
use async_trait::async_trait;
use tokio::io::AsyncRead;

/// A repository as one stream. It ends with an error unless it is whole.
pub type RepositoryStream = Box<dyn AsyncRead + Send + Unpin>;

/// What could not be done with a repository.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct RepositoryError {
    doing: String,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl RepositoryError {
    /// `doing` says what was tried, and of which app.
    pub fn new(doing: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { doing: doing.into(), source: source.into() }
    }
}

/// Repositories, one an app. A stream is what `git bundle` makes of all refs and `HEAD`, whatever keeps the repository, so
/// that what one has exported any other imports.
#[async_trait]
pub trait Repositories: Send + Sync {
    /// The apps that have one.
    async fn list(&self) -> Result<Vec<AppId>, RepositoryError>;

    /// A repository with all its refs as they are at one moment; `None` when there is none, or nothing was ever pushed to it.
    async fn export(&self, app: AppId) -> Result<Option<RepositoryStream>, RepositoryError>;

    /// Makes a repository of what was exported, over what is there: whole, durable and at once, or not at all.
    async fn import(&self, app: AppId, content: RepositoryStream) -> Result<(), RepositoryError>;

    /// Removes a repository. One that is not there is no error.
    async fn remove(&self, app: AppId) -> Result<(), RepositoryError>;
}
