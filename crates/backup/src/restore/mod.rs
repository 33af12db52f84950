//! A restore: an archive becomes a platform, where there was none.

mod objects;
mod repository;
mod state;
mod target;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::AppId;
use ambo_registry::BlobStore;
use ambo_store::migrate::{MigrateError, contents};
use ambo_store::{Store, StoreError};
use tokio::io::AsyncRead;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::archive::{ArchiveReader, Event, Header, Kind, PIECE_BYTES_MAX, ReadError};
use crate::findings::Findings;
use crate::keys::{Keys, KeysError};
use crate::lock::{LockError, Unlock};
use crate::repositories::{Repositories, RepositoryError};
use objects::Objects;
use state::StateWriter;
use target::Begun;

/// Where a platform shall be. Nothing else may use it meanwhile.
#[derive(Clone)]
pub struct Targets {
    /// Its state.
    pub store: Arc<dyn Store>,
    /// Its registry's objects.
    pub blobs: Arc<dyn BlobStore>,
    /// Where large objects wait until they are whole, one at a time. On the file system of the registry's objects, where those
    /// are files.
    pub staging: PathBuf,
    /// Its repositories.
    pub repositories: Arc<dyn Repositories>,
    /// Its keys.
    pub keys: Arc<dyn Keys>,
}

impl std::fmt::Debug for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Targets").field("blobs", &self.blobs).finish_non_exhaustive()
    }
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the archive says of itself.
    pub header: Header,
    /// What it held.
    pub findings: Findings,
    /// Names of keys that a platform of this kind has no use for.
    pub keys_left_out: Vec<String>,
    /// How long it took.
    pub duration: Duration,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The key to the archive is none.
    #[error("open the archive")]
    Unlock(#[from] LockError),
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ReadError),
    /// There is a platform already, or part of one. Nothing was changed.
    #[error("there is something already: {0}; restore to where nothing is")]
    Taken(String),
    /// The state cannot be written. The same restore can be begun again.
    #[error("write the state")]
    State(#[source] MigrateError),
    /// Somebody else has written to the state meanwhile.
    #[error("the state holds {found} keys instead of {expected}: somebody else writes to it")]
    Differs {
        /// How many there are.
        found: u64,
        /// How many were written.
        expected: u64,
    },
    /// The registry's store failed. The same restore can be begun again.
    #[error("write the registry")]
    Registry(#[from] ambo_registry::StoreError),
    /// Large objects cannot wait where they should.
    #[error("use `{directory}` to write files that are not whole yet")]
    Staging {
        /// Where that is.
        directory: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A repository cannot be written. The same restore can be begun again.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// A key cannot be written.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// An entry that no restore may write.
    #[error("the archive holds something that belongs nowhere: `{0}`")]
    Stray(String),
}

impl From<MigrateError> for RestoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::TargetTaken { key } => Self::Taken(format!("the state has `{key}`")),
            error => Self::State(error),
        }
    }
}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::State(MigrateError::Target(error))
    }
}

/// Makes a platform of an archive, where there is none, or what an interrupted restore has left.
///
/// The state's store is marked from the first write to the last, and no platform starts on a marked one. Everything is as in
/// the archive then but the revisions of the state's keys, which no record knows.
///
/// # Errors
/// As [`RestoreError`] says.
///
/// # Cancel safety
/// A dropped restore is an interrupted one.
pub async fn restore(
    archive: impl AsyncRead + Send + Unpin + 'static,
    unlock: Unlock,
    targets: &Targets,
) -> Result<Restored, RestoreError> {
    unlock.check()?;
    let begun_at = Instant::now();
    let mut reader = ArchiveReader::open(archive, unlock);
    let Event::Header(header) = reader.next().await? else { return Err(RestoreError::Stray("no header".to_owned())) };
    let begun = Begun::at(targets).await?;
    let (findings, keys_left_out) = match write(&begun, targets, &mut reader).await {
        Ok(written) => written,
        // Nothing but the mark was written before it.
        Err(RestoreError::Keys(KeysError::Taken(name))) => {
            begun.give_up().await?;
            return Err(RestoreError::Taken(format!("another `{name}`")));
        }
        Err(error) => return Err(error),
    };
    let found = contents(&*targets.store).await?.key_count;
    if found != findings.contents.state_count {
        return Err(RestoreError::Differs { found, expected: findings.contents.state_count });
    }
    begun.finish().await?;
    Ok(Restored { header, findings, keys_left_out, duration: begun_at.elapsed() })
}

/// Writes everything; says what, and which keys were left out.
async fn write(
    begun: &Begun<'_>,
    targets: &Targets,
    reader: &mut ArchiveReader,
) -> Result<(Findings, Vec<String>), RestoreError> {
    let mut writing = Writing {
        targets,
        state: StateWriter::new(begun),
        objects: Objects::new(&*targets.blobs, &targets.staging),
        keys: Vec::new(),
        keys_left_out: Vec::new(),
        repositories: BTreeSet::new(),
    };
    let findings = writing.all(reader).await?;
    Ok((findings, writing.keys_left_out))
}

/// A restore under way.
struct Writing<'a> {
    targets: &'a Targets,
    state: StateWriter<'a>,
    objects: Objects<'a>,
    /// Read, but not yet written.
    keys: Vec<(String, Zeroizing<Vec<u8>>)>,
    keys_left_out: Vec<String>,
    repositories: BTreeSet<AppId>,
}

impl Writing<'_> {
    /// Writes each entry as it comes. All are durable when this returns.
    async fn all(&mut self, reader: &mut ArchiveReader) -> Result<Findings, RestoreError> {
        loop {
            match reader.next().await? {
                Event::Begin(Kind::Key, name) => {
                    let key = Zeroizing::new(whole(reader, &name).await?);
                    self.keys.push((name, key));
                }
                Event::Begin(kind, name) => {
                    self.keys_write().await?;
                    self.entry_write(kind, name, reader).await?;
                }
                Event::Finished(findings) => {
                    self.keys_write().await?;
                    self.state.flush().await?;
                    self.objects.flush().await?;
                    return Ok(findings);
                }
                Event::Header(_) | Event::Data(_) | Event::End { .. } => {
                    return Err(RestoreError::Stray("content of no entry".to_owned()));
                }
            }
        }
    }

    async fn entry_write(&mut self, kind: Kind, name: String, reader: &mut ArchiveReader) -> Result<(), RestoreError> {
        match kind {
            Kind::State | Kind::StateChanged => self.state.put(&name, whole(reader, &name).await?).await,
            Kind::StateRemoved => {
                whole(reader, &name).await?;
                self.state.delete(&name).await
            }
            Kind::Object => self.objects.write(&name, reader).await,
            Kind::Repository => {
                let app = name.parse().ok().filter(|app| self.repositories.insert(*app));
                let app = app.ok_or(RestoreError::Stray(name))?;
                repository::write(&*self.targets.repositories, app, reader).await
            }
            // Keys were taken before; the images are for whoever counts.
            Kind::Key | Kind::Images => drained(reader).await,
        }
    }

    /// Writes the keys when all are known: none, if another is there.
    async fn keys_write(&mut self) -> Result<(), RestoreError> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let there = self.targets.keys.read().await?;
        let is_other = |name: &String, key: &[u8]| there.get(name).is_some_and(|there| there.as_slice() != key);
        if let Some((name, _)) = self.keys.iter().find(|(name, key)| is_other(name, key)) {
            return Err(KeysError::Taken(name.clone()).into());
        }
        for (name, key) in self.keys.drain(..) {
            if !self.targets.keys.write(&name, &key).await? {
                self.keys_left_out.push(name);
            }
        }
        Ok(())
    }
}

/// The content of an entry that is not large.
async fn whole(reader: &mut ArchiveReader, name: &str) -> Result<Vec<u8>, RestoreError> {
    let mut content = Vec::new();
    loop {
        match reader.next().await? {
            Event::Data(piece) if content.len() + piece.len() <= PIECE_BYTES_MAX => content.extend_from_slice(&piece),
            Event::End { .. } => return Ok(content),
            _ => return Err(RestoreError::Stray(name.to_owned())),
        }
    }
}

/// Goes past an entry.
async fn drained(reader: &mut ArchiveReader) -> Result<(), RestoreError> {
    while !matches!(reader.next().await?, Event::End { .. }) {}
    Ok(())
}
