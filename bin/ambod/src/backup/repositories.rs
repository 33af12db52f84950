//! The apps' repositories, wherever the git server keeps them: on this disk, or in a bucket that the disk is a cache of.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use ambo_backup::{GitDirectory, RepositoryError, RepositoryStream};
use ambo_gitreceive::{FetchedRepository, GitSettings, Repositories};
use ambo_model::AppId;
use async_trait::async_trait;
use tokio::io::{AsyncRead, ReadBuf};

/// What keeps them, and what reads and writes them once they are on this disk.
pub(crate) struct PlatformRepositories {
    kept: Repositories,
    here: GitDirectory,
}

impl PlatformRepositories {
    /// Those that are kept as the settings say.
    pub(crate) fn new(kept: Repositories, settings: &GitSettings) -> Self {
        Self { kept, here: GitDirectory::new(&settings.repositories, &settings.git) }
    }
}

/// A repository on its way, which is not removed meanwhile.
struct Fetched {
    content: RepositoryStream,
    _fetched: FetchedRepository,
}

impl AsyncRead for Fetched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.content).poll_read(cx, out)
    }
}

#[async_trait]
impl ambo_backup::Repositories for PlatformRepositories {
    async fn list(&self) -> Result<Vec<AppId>, RepositoryError> {
        let listed = self.kept.list().await;
        listed.map_err(|error| RepositoryError::new("look for repositories", error))
    }

    async fn export(&self, app: AppId) -> Result<Option<RepositoryStream>, RepositoryError> {
        let failed = |error| RepositoryError::new(format!("export the repository of app {app}"), error);
        let Some(fetched) = self.kept.fetch(app).await.map_err(failed)? else { return Ok(None) };
        let content = self.here.export(app).await?;
        Ok(content.map(|content| Box::new(Fetched { content, _fetched: fetched }) as RepositoryStream))
    }

    async fn import(&self, app: AppId, content: RepositoryStream) -> Result<(), RepositoryError> {
        self.here.import(app, content).await?;
        let adopted = self.kept.adopt(app).await;
        adopted.map_err(|error| RepositoryError::new(format!("import the repository of app {app}"), error))
    }

    async fn remove(&self, app: AppId) -> Result<(), RepositoryError> {
        let removed = self.kept.remove(app).await;
        removed.map_err(|error| RepositoryError::new(format!("give up the repository of app {app}"), error))
    }
}
