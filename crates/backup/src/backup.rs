//! A backup from its beginning to its end.

use std::sync::Arc;

use ambo_registry::BlobStore;
use ambo_store::{Revision, Store, StoreError};
use bytes::Bytes;
use futures::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_util::io::ReaderStream;

use crate::archive::{ArchiveClosed, ArchiveStream, ArchiveWriter, Header, Kind};
use crate::findings::Findings;
use crate::hold::{Failure, Hold};
use crate::keys::{Keys, KeysError};
use crate::lock::{Lock, LockError};
use crate::objects::objects_write;
use crate::repositories::{Repositories, RepositoryError};
use crate::snapshot::state_write;

/// Under what name the list of needed images is in the archive.
const IMAGES_NEEDED: &str = "needed";
/// How much of a repository is read at a time, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// Where a platform's things are.
#[derive(Clone)]
pub struct Sources {
    /// Its state.
    pub store: Arc<dyn Store>,
    /// Its registry's objects.
    pub blobs: Arc<dyn BlobStore>,
    /// Its repositories.
    pub repositories: Arc<dyn Repositories>,
    /// Its keys.
    pub keys: Arc<dyn Keys>,
    /// What keeps all of it in its place meanwhile.
    pub hold: Arc<dyn Hold>,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("blobs", &self.blobs).finish_non_exhaustive()
    }
}

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The lock is none.
    #[error("close the archive")]
    Lock(#[from] LockError),
    /// The platform cannot hold still, or cannot say what it needs.
    #[error("ask the platform: {doing}")]
    Platform {
        /// For what.
        doing: &'static str,
        /// Why not.
        source: Failure,
    },
    /// The state cannot be read.
    #[error("read the state")]
    State(#[from] StoreError),
    /// The registry's store failed.
    #[error("read the registry")]
    Registry(#[from] ambo_registry::StoreError),
    /// A repository cannot be read.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The archive cannot be written.
    #[error("write the archive")]
    Write(#[source] Failure),
}

impl From<ArchiveClosed> for BackupError {
    fn from(error: ArchiveClosed) -> Self {
        Self::Write(error.into())
    }
}

/// A backup that is about to be made.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Of what.
    pub sources: Sources,
    /// For whom.
    pub lock: Lock,
    /// What it says about itself.
    pub header: Header,
}

impl Backup {
    /// Makes an archive and writes it to `out`, which is of use only when this succeeds.
    ///
    /// # Errors
    /// When something cannot be read, or `out` fails.
    ///
    /// # Cancel safety
    /// Dropped, it lets the platform go on, and `out` is of no use.
    pub async fn write_to(self, out: &mut (impl AsyncWrite + Unpin + ?Sized)) -> Result<Findings, BackupError> {
        let wrote = |mut archive: ArchiveStream| async move {
            while let Some(piece) = archive.next().await {
                out.write_all(&piece?).await?;
            }
            out.flush().await
        };
        self.stream_to(wrote).await.map(|(findings, ())| findings)
    }

    /// Makes an archive while `sink` takes it. The sink's own failure is told where it is why.
    pub(crate) async fn stream_to<T, E, S, F>(self, sink: S) -> Result<(Findings, T), BackupError>
    where
        S: FnOnce(ArchiveStream) -> F,
        F: Future<Output = Result<T, E>>,
        E: Into<Failure>,
    {
        self.lock.check()?;
        let (writer, archive) = ArchiveWriter::begin(self.lock, self.header);
        match tokio::join!(self.sources.write(writer), sink(archive)) {
            (Ok(findings), Ok(taken)) => Ok((findings, taken)),
            (Err(BackupError::Write(_)) | Ok(_), Err(error)) => Err(BackupError::Write(error.into())),
            (Err(error), _) => Err(error),
        }
    }
}

impl Sources {
    /// Keys, state, images, repositories, in this order: see the crate's page.
    async fn write(&self, mut writer: ArchiveWriter) -> Result<Findings, BackupError> {
        let asked = |doing| move |source| BackupError::Platform { doing, source };
        let held = self.hold.hold().await.map_err(asked("keep images and repositories"))?;
        for (name, key) in self.keys.read().await? {
            writer.whole(Kind::Key, &name, Bytes::copy_from_slice(&key)).await?;
        }
        let Revision(revision) = state_write(&*self.store, &mut writer).await?;
        tracing::debug!(revision, "the state is in the archive");
        let needed = self.hold.images_needed().await.map_err(asked("which images are needed"))?;
        let needed = serde_json::to_vec(&needed).map_err(|error| BackupError::Write(error.into()))?;
        writer.whole(Kind::Images, IMAGES_NEEDED, needed.into()).await?;
        objects_write(&*self.blobs, &mut writer).await?;
        self.hold.deploys_settle().await.map_err(asked("wait for deploys"))?;
        self.repositories_write(&mut writer).await?;
        held.release();
        Ok(writer.finish().await?)
    }

    async fn repositories_write(&self, writer: &mut ArchiveWriter) -> Result<(), BackupError> {
        for app in self.repositories.list().await? {
            let Some(content) = self.repositories.export(app).await? else { continue };
            writer.entry(Kind::Repository, &app.to_string()).await?;
            let mut pieces = ReaderStream::with_capacity(content, READ_BYTES);
            while let Some(piece) = pieces.next().await {
                let read = |error| RepositoryError::new(format!("read the repository of app {app}"), error);
                writer.data(piece.map_err(read)?).await?;
            }
            writer.end().await?;
        }
        Ok(())
    }
}
