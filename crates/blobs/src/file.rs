//! Files of any size: small ones in one piece, others in parts, with no more than a few parts in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use ambo_model::Timestamp;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::multipart::{MultipartStore, PartId};
use object_store::{GetOptions, MultipartId, ObjectStoreExt, WriteMultipart};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::bucket::Bucket;
use crate::error::BlobsError;

/// Size of a part, in bytes, unless a file would have more than [`PARTS_MAX`] of them. At least 5 MiB are asked for by S3.
pub const PART_BYTES: u64 = 8 * 1024 * 1024;
/// Parts that are in memory at a time, of all files together.
pub const PARTS_AT_A_TIME: usize = 8;

/// Parts of one file that are on their way at a time.
pub(crate) const PARTS_OF_A_FILE_AT_A_TIME: usize = 2;
/// Most parts of a file (S3: 10,000).
pub(crate) const PARTS_MAX: u64 = 10_000;
/// Where it is written down which files are under way, so that those of a dead writer can be given up.
const UNFINISHED: &str = "unfinished";

/// A file in parts that was begun.
#[derive(Debug)]
pub(crate) struct Begun {
    path: object_store::path::Path,
    pub(crate) upload: MultipartId,
    noted: String,
}

/// A file under way.
#[derive(Debug, Serialize, Deserialize)]
struct Unfinished {
    /// What it will be.
    key: String,
    /// The store's name for it.
    upload: MultipartId,
}

impl Bucket {
    /// Writes a local file as an object, over what was there. Gives its size.
    ///
    /// # Errors
    /// When the file cannot be read or the store fails. The object is what it was before.
    ///
    /// # Cancel safety
    /// Dropping the future leaves parts behind, which [`Self::tidy`] removes.
    pub async fn put_file(&self, key: &str, file: &Path) -> Result<u64, BlobsError> {
        let unreadable = |error: io::Error| self.failed("read the file for", key, error);
        let path = file.to_owned();
        let opened = blocking(move || {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            Ok((Arc::new(file), size))
        });
        let (file, size) = opened.await.map_err(unreadable)?;
        match &self.parts {
            _ if size <= PART_BYTES => {
                let _permit = self.parts_permits.acquire().await;
                let content = read_part(file, 0, size).await.map_err(unreadable)?;
                self.put(key, content).await?;
            }
            Some(parts) => self.put_in_parts(&**parts, key, file, size).await?,
            None => self.put_in_pieces(key, file, size).await?,
        }
        Ok(size)
    }

    async fn put_in_parts(
        &self,
        parts: &dyn MultipartStore,
        key: &str,
        file: Arc<File>,
        size: u64,
    ) -> Result<(), BlobsError> {
        let begun = self.parts_begin(parts, key).await?;
        let sent = self.parts_send(parts, key, &begun.upload, file, size).await;
        self.parts_end(parts, key, begun, sent).await
    }

    /// Begins a file in parts, and writes down that it is under way.
    pub(crate) async fn parts_begin(&self, parts: &dyn MultipartStore, key: &str) -> Result<Begun, BlobsError> {
        let path = self.path(key)?;
        let created = parts.create_multipart(&path).await;
        let upload = created.map_err(|error| self.failed("write", key, error))?;
        let begun = Begun { path, upload, noted: format!("{UNFINISHED}/{}", Uuid::new_v4().simple()) };
        match self.note(&begun.noted, key, &begun.upload).await {
            Ok(()) => Ok(begun),
            Err(error) => {
                // The note's own failure is what matters; the bucket's own rules see to what is left.
                let _ = parts.abort_multipart(&begun.path, &begun.upload).await;
                Err(error)
            }
        }
    }

    /// Makes a file of its parts when all were sent, and gives it up otherwise.
    pub(crate) async fn parts_end(
        &self,
        parts: &dyn MultipartStore,
        key: &str,
        begun: Begun,
        sent: Result<Vec<PartId>, BlobsError>,
    ) -> Result<(), BlobsError> {
        let Begun { path, upload, noted } = begun;
        let written = match sent {
            Ok(sent) => {
                let completed = parts.complete_multipart(&path, &upload, sent).await;
                completed.map(drop).map_err(|error| self.failed("write", key, error))
            }
            Err(error) => Err(error),
        };
        let settled = written.is_ok() || parts.abort_multipart(&path, &upload).await.is_ok();
        if settled {
            // A note that stays is of an upload that is no more, which `tidy` finds out.
            let _ = self.delete(&noted).await;
        }
        written
    }

    async fn note(&self, noted: &str, key: &str, upload: &MultipartId) -> Result<(), BlobsError> {
        let note = Unfinished { key: key.to_owned(), upload: upload.clone() };
        let note = serde_json::to_vec(&note).map_err(|error| self.failed("note", key, error))?;
        self.put(noted, Bytes::from(note)).await
    }

    async fn parts_send(
        &self,
        parts: &dyn MultipartStore,
        key: &str,
        upload: &MultipartId,
        file: Arc<File>,
        size: u64,
    ) -> Result<Vec<PartId>, BlobsError> {
        let path = &self.path(key)?;
        let part_bytes = PART_BYTES.max(size.div_ceil(PARTS_MAX));
        let send = |number: u64| {
            let file = file.clone();
            async move {
                let _permit = self.parts_permits.acquire().await;
                let start = number * part_bytes;
                let content = read_part(file, start, part_bytes.min(size - start)).await;
                let content = content.map_err(|error| self.failed("read the file for", key, error))?;
                let index = usize::try_from(number).unwrap_or(usize::MAX);
                let sent = parts.put_part(path, upload, index, content.into()).await;
                sent.map_err(|error| self.failed("write", key, error))
            }
        };
        let sent = futures::stream::iter((0..size.div_ceil(part_bytes)).map(send));
        sent.buffered(PARTS_OF_A_FILE_AT_A_TIME).try_collect().await
    }

    async fn put_in_pieces(&self, key: &str, file: Arc<File>, size: u64) -> Result<(), BlobsError> {
        let failed = |error| self.failed("write", key, error);
        let mut upload = WriteMultipart::new(self.store.put_multipart(&self.path(key)?).await.map_err(failed)?);
        let mut start = 0;
        while start < size {
            let count = PART_BYTES.min(size - start);
            let sent = match read_part(file.clone(), start, count).await {
                Ok(content) => {
                    upload.put(content);
                    upload.wait_for_capacity(1).await.map_err(failed)
                }
                Err(error) => Err(self.failed("read the file for", key, error)),
            };
            if let Err(error) = sent {
                // The write's own failure is what matters; what is left has no name that a listing shows.
                let _ = upload.abort().await;
                return Err(error);
            }
            start += count;
        }
        upload.finish().await.map(drop).map_err(failed)
    }

    /// Writes an object into a local file, which is made or emptied before. Gives its size; `None` when there is no such
    /// object. The file is not synced.
    ///
    /// # Errors
    /// When the file cannot be written or the store fails. The file is of no use then.
    pub async fn get_file(&self, key: &str, file: &Path) -> Result<Option<u64>, BlobsError> {
        let Some(mut pieces) = self.stream(key, GetOptions::default()).await? else { return Ok(None) };
        let failed = |error: io::Error| self.failed("write the file of", key, error);
        let mut file = tokio::fs::File::create(file).await.map_err(failed)?;
        let mut size = 0;
        while let Some(piece) = pieces.try_next().await? {
            file.write_all(&piece).await.map_err(failed)?;
            size += piece.len() as u64;
        }
        file.flush().await.map_err(failed)?;
        Ok(Some(size))
    }

    /// Gives up the files of dead writers that were begun before `cutoff`. Gives their number.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tidy(&self, cutoff: Timestamp) -> Result<u64, BlobsError> {
        let Some(parts) = &self.parts else { return Ok(0) };
        let mut given_up = 0;
        let mut notes = self.list(UNFINISHED);
        while let Some(note) = notes.try_next().await? {
            if note.modified >= cutoff {
                continue;
            }
            let content = self.get(&note.key).await?;
            if let Some(unfinished) = content.and_then(|note| serde_json::from_slice::<Unfinished>(&note).ok()) {
                let path = self.path(&unfinished.key)?;
                if let Err(error) = parts.abort_multipart(&path, &unfinished.upload).await {
                    // It was finished or given up, and only its note was left; the bucket's own rules see to anything else.
                    tracing::debug!(key = unfinished.key, %error, "an unfinished file could not be given up");
                }
                given_up += 1;
            }
            self.delete(&note.key).await?;
        }
        Ok(given_up)
    }
}

async fn read_part(file: Arc<File>, start: u64, count: u64) -> io::Result<Bytes> {
    blocking(move || {
        let mut content = vec![0; usize::try_from(count).map_err(io::Error::other)?];
        file.read_exact_at(&mut content, start)?;
        Ok(Bytes::from(content))
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}
