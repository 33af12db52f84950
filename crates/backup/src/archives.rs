//! Where archives are kept: a bucket, which may be a directory.

use std::time::Duration;

use ambo_blobs::{BlobsError, Bucket};
use ambo_model::{ByteSize, Timestamp};
use futures::TryStreamExt;
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use crate::archive::Header;
use crate::backup::{Backup, BackupError};
use crate::findings::Findings;
use crate::name::ArchiveName;
use crate::retention::Retention;

/// Archives in a bucket. What else is in it is none of ours, and stays.
#[derive(Debug, Clone)]
pub struct Archives {
    bucket: Bucket,
}

/// An archive without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveListed {
    /// Its name.
    pub name: ArchiveName,
    /// Its size.
    pub size: ByteSize,
}

/// Why archives could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ArchivesError {
    /// There is none of that name.
    #[error("there is no `{0}`")]
    NotFound(ArchiveName),
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BlobsError),
}

impl Archives {
    /// Archives in `bucket`, each under its name.
    #[must_use]
    pub fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// Makes an archive and keeps it. It is there when it is whole, and not at all before.
    ///
    /// # Errors
    /// As of [`Backup::write_to`].
    ///
    /// # Cancel safety
    /// Dropped, it leaves nothing but what [`Self::tidy`] removes.
    pub async fn write(&self, backup: Backup) -> Result<(ArchiveListed, Findings), BackupError> {
        let name = self.free_name(&backup.header).await.map_err(|error| BackupError::Write(error.into()))?;
        let key = name.to_string();
        let put = |archive| async move { self.bucket.put_stream(&key, archive).await };
        let (findings, size) = backup.stream_to(put).await?;
        Ok((ArchiveListed { name, size: ByteSize::bytes(size) }, findings))
    }

    /// A name that no archive has. Two of one second are told apart: the later one is named after the next.
    async fn free_name(&self, header: &Header) -> Result<ArchiveName, BlobsError> {
        let mut made_at = header.made_at;
        loop {
            let name = ArchiveName::new(&header.platform, made_at);
            if self.bucket.stat(&name.to_string()).await?.is_none() {
                return Ok(name);
            }
            made_at += Duration::from_secs(1);
        }
    }

    /// All archives, oldest first.
    ///
    /// # Errors
    /// When the bucket fails.
    pub async fn list(&self) -> Result<Vec<ArchiveListed>, ArchivesError> {
        let archive = |listed: ambo_blobs::Listed| {
            let name = listed.key.parse().ok();
            std::future::ready(Ok(name.map(|name| ArchiveListed { name, size: ByteSize::bytes(listed.size) })))
        };
        let mut archives: Vec<_> = self.bucket.list("").try_filter_map(archive).try_collect().await?;
        archives.sort_by(|a: &ArchiveListed, b| (a.name.made_at(), &a.name).cmp(&(b.name.made_at(), &b.name)));
        Ok(archives)
    }

    /// Reads an archive, for [`verify`](crate::verify()) and [`restore`](crate::restore()).
    ///
    /// # Errors
    /// When there is none, or the bucket fails.
    pub async fn read(&self, name: &ArchiveName) -> Result<impl AsyncRead + Send + Unpin + use<>, ArchivesError> {
        let key = name.to_string();
        let missing = || ArchivesError::NotFound(name.clone());
        let listed = self.bucket.stat(&key).await?.ok_or_else(missing)?;
        let pieces = self.bucket.read(&key, 0..listed.size).await?.ok_or_else(missing)?;
        Ok(StreamReader::new(pieces.map_err(std::io::Error::other)))
    }

    /// Deletes an archive. Done when it is gone.
    ///
    /// # Errors
    /// When the bucket fails.
    pub async fn delete(&self, name: &ArchiveName) -> Result<(), ArchivesError> {
        Ok(self.bucket.delete(&name.to_string()).await?)
    }

    /// Deletes what need not be kept, and says what that was.
    ///
    /// # Errors
    /// When the bucket fails; what was deleted by then is gone.
    pub async fn expire(&self, retention: Retention) -> Result<Vec<ArchiveName>, ArchivesError> {
        let names: Vec<_> = self.list().await?.into_iter().map(|listed| listed.name).collect();
        let expired = retention.expired(&names);
        for name in &expired {
            self.delete(name).await?;
        }
        Ok(expired)
    }

    /// Removes what backups have left that were cut off before `cutoff`. Gives their number.
    ///
    /// # Errors
    /// When the bucket fails.
    pub async fn tidy(&self, cutoff: Timestamp) -> Result<u64, ArchivesError> {
        Ok(self.bucket.tidy(cutoff).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::{Targets, restore};
    use crate::{Unlock, verify};

    fn may_move<T: Send>(_: T) {}

    /// Compiled, never called.
    #[allow(dead_code, reason = "states that everything here can run as a task")]
    fn everything_may_move_to_another_thread(archives: &Archives, backup: &Backup, unlock: &Unlock, targets: &Targets) {
        may_move(archives.write(backup.clone()));
        may_move(archives.expire(Retention::default()));
        may_move(async { backup.clone().write_to(&mut tokio::io::sink()).await });
        may_move(verify(tokio::io::empty(), unlock.clone()));
        may_move(restore(tokio::io::empty(), unlock.clone(), targets));
    }
}
