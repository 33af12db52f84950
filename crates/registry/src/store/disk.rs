//! A directory of this machine.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ambo_blobs::{BlobSettings, Bucket, Variables};
use ambo_model::Timestamp;
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

use super::{BlobStore, ByteStream, Seen, Stat, StoreError, objects};

/// How often a write is tried whose directory a concurrent delete takes away as empty.
const WRITE_TRIES_MAX: u32 = 32;

/// Keeps objects as files. Every write is synced and renamed into place.
#[derive(Debug, Clone)]
pub struct DiskBlobStore {
    root: PathBuf,
    bucket: Bucket,
}

impl DiskBlobStore {
    /// Keeps objects under `root`, which is made when missing. Uploads must be staged on the same file system.
    ///
    /// # Errors
    /// When the directory can be neither made nor opened.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        let failed = |error: io::Error| StoreError::new("open the store at", root.display().to_string(), error);
        fs::create_dir_all(&root).map_err(failed)?;
        let root = fs::canonicalize(&root).map_err(failed)?;
        let bucket = Bucket::open(&BlobSettings::Disk(root.clone()), &Variables::default())
            .map_err(|error| StoreError::new("open the store at", root.display().to_string(), error))?;
        Ok(Self { root, bucket })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        key: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let path = self.root.join(key);
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        done.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|error| StoreError::new(doing, key, error))
    }
}

fn now() -> SystemTime {
    SystemTime::from(Timestamp::now())
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory) {
        Ok(directory) => directory.sync_all(),
        // Deleted as empty: its parent was synced by whoever deleted it, or nothing in it matters any more.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the missing directories above `path` and syncs those that got a new entry.
fn create_parents(root: &Path, path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let missing: Vec<&Path> = parent.ancestors().take_while(|directory| !directory.exists()).collect();
    fs::create_dir_all(parent)?;
    for directory in missing {
        if directory != root
            && let Some(above) = directory.parent()
        {
            sync_directory(above)?;
        }
    }
    Ok(())
}

/// Whether a directory was removed before its entry was made, or while it was looked at.
fn is_directory_race(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists)
}

fn move_into_place(root: &Path, staged: &Path, target: &Path) -> io::Result<()> {
    let file = File::options().write(true).open(staged)?;
    file.set_modified(now())?;
    file.sync_all()?;
    let mut tries = 1;
    loop {
        match create_parents(root, target).and_then(|()| fs::rename(staged, target)) {
            Ok(()) => break,
            Err(error) if is_directory_race(&error) && tries < WRITE_TRIES_MAX => tries += 1,
            Err(error) => return Err(error),
        }
    }
    target.parent().map_or(Ok(()), sync_directory)
}

/// Unfinished writes are named `<object>#<number>`.
fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.rsplit_once('#').is_some_and(|(_, number)| number.bytes().all(|b| b.is_ascii_digit()))
}

fn tidy(directory: &Path, cutoff: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            // An entry that is gone by now was finished or removed by its writer.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                directories.push(entry.path());
            } else if is_unfinished(&entry.path()) && metadata.modified()? < cutoff {
                fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

#[async_trait]
impl BlobStore for DiskBlobStore {
    async fn put(&self, key: &str, content: Bytes) -> Result<(), StoreError> {
        let mut tries = 1;
        loop {
            match self.bucket.put(key, content.clone()).await {
                Err(error) if error.is_directory_race() && tries < WRITE_TRIES_MAX => tries += 1,
                written => return Ok(written?),
            }
        }
    }

    async fn look(&self, key: &str) -> Result<(Option<Bytes>, Seen), StoreError> {
        Ok((self.get(key).await?, Seen(None)))
    }

    async fn replace(&self, key: &str, _seen: &Seen, content: Bytes) -> Result<bool, StoreError> {
        // No other process writes: the data directory is locked.
        self.put(key, content).await.map(|()| true)
    }

    async fn publish(&self, key: &str, staged: &Path) -> Result<(), StoreError> {
        let (root, staged) = (self.root.clone(), staged.to_owned());
        self.blocking("publish", key, move |target| move_into_place(&root, &staged, target)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.bucket.get(key).await?)
    }

    async fn read(&self, key: &str, range: Range<u64>) -> Result<Option<ByteStream>, StoreError> {
        Ok(self.bucket.read(key, range).await?.map(objects::bytes))
    }

    async fn stat(&self, key: &str) -> Result<Option<Stat>, StoreError> {
        Ok(self.bucket.stat(key).await?.map(Stat::from))
    }

    async fn touch(&self, key: &str) -> Result<bool, StoreError> {
        self.blocking("touch", key, |path| match File::options().write(true).open(path) {
            Ok(file) => file.set_modified(now()).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        if self.bucket.stat(key).await?.is_none() {
            return Ok(false);
        }
        self.bucket.delete(key).await?;
        self.blocking("delete", key, |path| path.parent().map_or(Ok(()), sync_directory)).await?;
        Ok(true)
    }

    fn list(&self, prefix: &str) -> BoxStream<'static, Result<Stat, StoreError>> {
        self.bucket.list(prefix).map_ok(Stat::from).map_err(StoreError::from).boxed()
    }

    async fn tidy(&self, cutoff: Timestamp) -> Result<u64, StoreError> {
        let cutoff = SystemTime::from(cutoff);
        self.blocking("tidy", "", move |root| tidy(root, cutoff)).await
    }
}
