//! The port: who makes backups of the platform that the API is of.

use std::io;

use ambo_api_types::{Backup, BackupArchive, BackupCreate};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use uuid::Uuid;

/// An archive as it is made. One that ends with an error is none.
pub type ArchiveBytes = BoxStream<'static, io::Result<Bytes>>;

/// Why there is no backup, in words for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupsError {
    /// What was asked makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Another one is being made.
    #[error("another backup is being made: wait for its end")]
    Busy,
    /// Where archives are kept does not answer.
    #[error("{0}")]
    Unavailable(String),
}

/// Makes backups, one at a time.
#[async_trait]
pub trait Backups: std::fmt::Debug + Send + Sync + 'static {
    /// The archives where the platform keeps them, oldest first.
    async fn list(&self) -> Result<Vec<BackupArchive>, BackupsError>;

    /// Begins one, which goes on without whoever asked.
    async fn begin(&self, create: BackupCreate) -> Result<Backup, BackupsError>;

    /// How far it is. `None`: it is not known (any more).
    async fn find(&self, id: Uuid) -> Option<Backup>;

    /// Makes one for whoever asked. Dropped, it is given up.
    async fn download(&self, create: BackupCreate) -> Result<ArchiveBytes, BackupsError>;
}
