//! Uploads under way. Each is a directory with the content so far and a note of whose it is; what is hashed and how far
//! it got is kept in memory, and found again from the file after a restart.

mod receive;
mod staging;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ambo_model::{AppId, ByteSize, Timestamp};
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

use crate::digest::{Algorithm, Digest};
use crate::error::Error;
use crate::layout::Repository;

pub(crate) use receive::BodyLimits;
use staging::{Note, Staging};

/// How long a request waits for another one that writes to the same upload, such as one whose client has just gone.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(10);

/// Where uploads are staged, and how many.
#[derive(Debug)]
pub(crate) struct Uploads {
    directory: PathBuf,
    uploads_max: usize,
    sessions: Mutex<HashMap<Uuid, Session>>,
}

type Session = Arc<tokio::sync::Mutex<Option<Staging>>>;

/// An upload that this request alone may write to. `None` in the guard: finished, or not yet read from the disk.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) id: Uuid,
    directory: PathBuf,
    repository: Repository,
    guard: Option<OwnedMutexGuard<Option<Staging>>>,
}

impl Uploads {
    /// Finds the uploads that an earlier process left.
    pub(crate) fn open(directory: PathBuf, uploads_max: usize) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let mut sessions = HashMap::new();
        for entry in fs::read_dir(&directory)? {
            let name = entry?.file_name();
            if let Some(id) = name.to_str().and_then(|name| Uuid::parse_str(name).ok()) {
                sessions.insert(id, Session::default());
            }
        }
        Ok(Self { directory, uploads_max, sessions: Mutex::new(sessions) })
    }

    /// Begins an upload.
    pub(crate) async fn start(&self, repository: &Repository, algorithm: Algorithm) -> Result<Upload, Error> {
        let id = Uuid::new_v4();
        let session = Session::default();
        let guard = Arc::clone(&session).lock_owned().await;
        {
            let mut sessions = self.sessions.lock();
            if sessions.len() >= self.uploads_max {
                return Err(Error::UploadsTooMany { uploads_max: self.uploads_max });
            }
            sessions.insert(id, session);
        }
        let directory = self.directory.join(id.to_string());
        let note = Note { repository: repository.clone(), algorithm };
        let made = blocking({
            let directory = directory.clone();
            move || Staging::create(&directory, &note)
        });
        match made.await {
            Ok(staging) => {
                let mut guard = guard;
                *guard = Some(staging);
                Ok(Upload { id, directory, repository: repository.clone(), guard: Some(guard) })
            }
            Err(error) => {
                self.sessions.lock().remove(&id);
                // Whatever was made of it is of no use; expiry tries again if this fails.
                let _ = tokio::fs::remove_dir_all(&directory).await;
                Err(error.into())
            }
        }
    }

    /// Opens an upload of the repository, for this request alone. Reads it from the disk after a restart.
    pub(crate) async fn resume(&self, repository: &Repository, id: Uuid) -> Result<Upload, Error> {
        let session = self.sessions.lock().get(&id).cloned().ok_or(Error::UploadUnknown)?;
        let locked = tokio::time::timeout(BUSY_WAIT_MAX, session.lock_owned()).await;
        let mut guard = locked.map_err(|_| Error::UploadBusy)?;
        let directory = self.directory.join(id.to_string());
        if guard.is_none() {
            let restored = blocking({
                let directory = directory.clone();
                move || Staging::restore(&directory)
            });
            match restored.await {
                Ok(staging) => *guard = Some(staging),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                    self.sessions.lock().remove(&id);
                    return Err(Error::UploadUnknown);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if guard.as_ref().is_none_or(|staging| staging.note.repository != *repository) {
            return Err(Error::UploadUnknown);
        }
        Ok(Upload { id, directory, repository: repository.clone(), guard: Some(guard) })
    }

    /// Forgets an upload and removes its files.
    pub(crate) async fn remove(&self, mut upload: Upload) -> Result<(), Error> {
        if let Some(guard) = &mut upload.guard {
            **guard = None;
        }
        self.sessions.lock().remove(&upload.id);
        match tokio::fs::remove_dir_all(&upload.directory).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Removes the uploads that nobody wrote to since `cutoff`. Gives their number.
    pub(crate) async fn expire(&self, cutoff: Timestamp) -> Result<u64, Error> {
        let cutoff = SystemTime::from(cutoff);
        self.remove_where(move |directory| Ok(staging::modified(directory)? < cutoff)).await
    }

    /// Removes the uploads of an app. Gives their number.
    pub(crate) async fn remove_of(&self, app: AppId) -> Result<u64, Error> {
        self.remove_where(move |directory| Ok(staging::read_note(directory)?.repository.app == app)).await
    }

    /// Uploads that a request is writing to right now stay.
    async fn remove_where(
        &self,
        chosen: impl Fn(&std::path::Path) -> io::Result<bool> + Send + Clone + 'static,
    ) -> Result<u64, Error> {
        let sessions: Vec<(Uuid, Session)> =
            self.sessions.lock().iter().map(|(id, session)| (*id, Arc::clone(session))).collect();
        let mut removed = 0;
        for (id, session) in sessions {
            let Ok(guard) = session.try_lock_owned() else { continue };
            let directory = self.directory.join(id.to_string());
            let gone = blocking({
                let (directory, chosen) = (directory.clone(), chosen.clone());
                // One that cannot be read is of no use to anybody.
                move || Ok(chosen(&directory).unwrap_or(true))
            });
            if gone.await? {
                let repository = Repository { app: AppId::new(), path: String::new() };
                self.remove(Upload { id, directory, repository, guard: Some(guard) }).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

impl Upload {
    /// Whose it is.
    pub(crate) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// How many bytes are there.
    pub(crate) fn offset(&self) -> u64 {
        self.guard.as_ref().and_then(|guard| guard.as_ref()).map_or(0, |staging| staging.offset)
    }

    /// Makes it an upload that is hashed with `algorithm`, which costs nothing before the first byte.
    pub(crate) fn expect(&mut self, algorithm: Algorithm) {
        if let Some(Some(staging)) = self.guard.as_deref_mut() {
            staging.expect(algorithm);
        }
    }

    /// Does blocking work on the staged content. The upload stays locked until the work is done, even when the request
    /// that asked for it is gone by then.
    async fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Staging) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let mut guard = self.guard.take().ok_or(Error::UploadUnknown)?;
        let (guard, result) = tokio::task::spawn_blocking(move || {
            let result = match guard.as_mut() {
                Some(staging) => work(staging).map_err(Error::from),
                None => Err(Error::UploadUnknown),
            };
            (guard, result)
        })
        .await
        .map_err(|panic| Error::Staging(io::Error::other(panic)))?;
        self.guard = Some(guard);
        result
    }

    /// Drops everything after the first `offset` bytes.
    pub(crate) async fn truncate(&mut self, offset: u64) -> Result<(), Error> {
        self.work(move |staging| staging.truncate(offset)).await
    }

    /// Verifies the content and gives the staged file with its size.
    pub(crate) async fn verify(&mut self, expected: &Digest) -> Result<(PathBuf, u64), Error> {
        let algorithm = expected.algorithm();
        let (actual, path, size) =
            self.work(move |staging| Ok((staging.digest(algorithm)?, staging.path.clone(), staging.offset))).await?;
        if actual != *expected {
            return Err(Error::DigestMismatch { expected: expected.clone(), actual });
        }
        Ok((path, size))
    }
}

/// Checks a blob's size while it grows.
fn check_size(size: u64, size_max: ByteSize) -> Result<(), Error> {
    if size > size_max.as_u64() { Err(Error::BlobTooLarge(size_max)) } else { Ok(()) }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}
