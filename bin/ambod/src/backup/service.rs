//! Backups of the running platform: those that an administrator asks for, and those that the settings do. One at a time.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ambo_api::backups::{ArchiveBytes, Backups, BackupsError};
use ambo_api_types::{self as wire, BackupCreate, BackupStatus};
use ambo_backup::{ArchiveListed, Archives, Backup, Findings, Lock, Sources};
use ambo_controller::Controller;
use ambo_model::{Secret, Timestamp};
use ambo_registry::BlobStore;
use ambo_store::Store;
use anyhow::{Context, bail};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hold::PlatformHold;
use super::keys::PlatformKeys;
use super::removals::Removals;
use super::repositories::PlatformRepositories;
use super::timetable::Timetable;
use super::{place, report};
use crate::settings::Settings;

/// Backups that are remembered.
const KNOWN_MAX: usize = 20;
/// How much of a download waits for its client, in bytes.
const WAITING_BYTES: usize = 1 << 20;
/// How much of it is sent at a time, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// What a backup is made of, and for.
#[derive(Debug)]
pub(crate) struct PlatformBackups {
    data: PathBuf,
    sources: Sources,
    lock: Option<Lock>,
    timetable: Option<Timetable>,
    busy: Arc<Semaphore>,
    asked: mpsc::Sender<Asked>,
    known: Mutex<VecDeque<wire::Backup>>,
}

/// Makes the backups that go on without whoever asked.
#[derive(Debug)]
pub(crate) struct BackupWorker {
    backups: Arc<PlatformBackups>,
    asked: mpsc::Receiver<Asked>,
}

/// A backup to be made.
#[derive(Debug)]
struct Asked {
    id: Uuid,
    backup: Backup,
    archives: Archives,
    _busy: OwnedSemaphorePermit,
}

impl PlatformBackups {
    /// Of a platform whose parts these are.
    pub(crate) fn new(
        settings: &Settings,
        data: PathBuf,
        (store, blobs, repositories): (Arc<dyn Store>, Arc<dyn BlobStore>, PlatformRepositories),
        controller: Arc<Controller>,
        removals: Removals,
    ) -> anyhow::Result<(Arc<Self>, BackupWorker)> {
        let (lock, timetable) = (place::lock(&settings.backup_recipients)?, Timetable::of(settings)?);
        if timetable.is_some() && lock.is_none() {
            bail!(
                "the setting `backup-to` is given, but nobody could open the archives: set backup-recipients, or a \
                 passphrase in AMBO_BACKUP_PASSPHRASE"
            );
        }
        let sources = Sources {
            store,
            blobs,
            repositories: Arc::new(repositories),
            keys: Arc::new(PlatformKeys::of(&data)),
            hold: Arc::new(PlatformHold { controller, removals }),
        };
        let (asked, receiver) = mpsc::channel(1);
        let (busy, known) = (Arc::new(Semaphore::new(1)), Mutex::default());
        let backups = Arc::new(Self { data, sources, lock, timetable, busy, asked, known });
        Ok((backups.clone(), BackupWorker { backups, asked: receiver }))
    }

    /// A backup as it was asked for.
    fn backup(&self, create: &BackupCreate) -> Result<Backup, BackupsError> {
        let invalid = |error: &dyn std::fmt::Display| BackupsError::Invalid(error.to_string());
        let lock = match (&create.passphrase, create.recipients.as_slice()) {
            (Some(_), [_, ..]) => return Err(invalid(&"give recipients or a passphrase, not both")),
            (Some(passphrase), []) => Lock::Passphrase(Secret::new(passphrase.reveal())),
            (None, given @ [_, ..]) => {
                let parsed = given.iter().map(|text| text.parse()).collect::<Result<_, _>>();
                Lock::Recipients(parsed.map_err(|error: ambo_backup::LockError| invalid(&error))?)
            }
            (None, []) => self.lock.clone().ok_or_else(|| {
                invalid(&"who can open the archive? give a passphrase or recipients, or set them on the server")
            })?,
        };
        lock.check().map_err(|error| invalid(&error))?;
        let header = super::header(&self.data).map_err(|error| BackupsError::Unavailable(crate::message(&error)))?;
        Ok(Backup { sources: self.sources.clone(), lock, header })
    }

    fn begin_at(&self, backup: Backup, place: &str, archives: Archives) -> Result<wire::Backup, BackupsError> {
        let busy = self.busy.clone().try_acquire_owned().map_err(|_| BackupsError::Busy)?;
        let begun = pending(&backup, place);
        // Unless the platform stops, whoever makes backups has room for one.
        let stopping = |_| BackupsError::Unavailable("the platform is stopping".to_owned());
        let room = self.asked.try_reserve().map_err(stopping)?;
        self.remember(begun.clone());
        room.send(Asked { id: begun.id, backup, archives, _busy: busy });
        Ok(begun)
    }

    fn remember(&self, begun: wire::Backup) {
        let mut known = self.known.lock();
        known.truncate(KNOWN_MAX - 1);
        known.push_front(begun);
    }

    /// Makes a backup, and keeps in mind how that went.
    async fn make(&self, asked: Asked) -> anyhow::Result<()> {
        let begun = Instant::now();
        let made = asked.archives.write(asked.backup).await;
        let took = begun.elapsed();
        if let Ok((archive, findings)) = &made {
            log(archive, findings, took);
        }
        if let Some(known) = self.known.lock().iter_mut().find(|known| known.id == asked.id) {
            known.duration_ms = u64::try_from(took.as_millis()).ok();
            match &made {
                Ok((archive, findings)) => {
                    known.status = BackupStatus::Succeeded;
                    known.archive = Some(wire_archive(archive));
                    known.contents = Some(report::contents(findings));
                    known.missing = report::faults(findings);
                }
                Err(error) => {
                    known.status = BackupStatus::Failed;
                    known.failure = Some(ambo_controller::chain(error));
                }
            }
        }
        made.map(drop).context("make a backup")
    }

    /// Makes the backup that is due, if one is, and says how long until the next look.
    async fn look(&self, timetable: &Timetable) -> anyhow::Result<Duration> {
        let last = timetable.last(&super::header(&self.data)?.platform, Timestamp::now()).await?;
        let wait = timetable.wait(last, Timestamp::now());
        if !wait.is_zero() {
            return Ok(wait);
        }
        let Ok(busy) = self.busy.clone().try_acquire_owned() else { return Ok(timetable.retry()) };
        let backup = self.backup(&BackupCreate::default())?;
        let begun = pending(&backup, &timetable.place);
        let id = begun.id;
        self.remember(begun);
        let made_at = backup.header.made_at;
        self.make(Asked { id, backup, archives: timetable.archives.clone(), _busy: busy }).await?;
        for expired in timetable.expire(Timestamp::now()).await.context("remove backups that are kept no longer")? {
            tracing::info!(archive = %expired, "a backup is kept no longer");
        }
        Ok(timetable.wait(Some(made_at), Timestamp::now()))
    }
}

impl BackupWorker {
    /// Makes what is asked for and what is due, until `stop`; what is being made then is given up.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let backups = self.backups.clone();
        let mut next = backups.timetable.as_ref().map(|_| tokio::time::Instant::now());
        loop {
            let due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                Some(asked) = self.asked.recv() => {
                    if let Some(Err(error)) = stop.run_until_cancelled(backups.make(asked)).await {
                        tracing::error!(error = crate::message(&error), "a backup failed");
                    }
                }
                () = due => {
                    let Some(timetable) = &backups.timetable else { return };
                    let wait = match stop.run_until_cancelled(backups.look(timetable)).await {
                        Some(Ok(wait)) => wait,
                        Some(Err(error)) => {
                            tracing::error!(error = crate::message(&error), "the backup that is due is not made");
                            timetable.retry()
                        }
                        None => return,
                    };
                    next = Some(tokio::time::Instant::now() + wait);
                }
            }
        }
    }
}

#[async_trait]
impl Backups for PlatformBackups {
    async fn list(&self) -> Result<Vec<wire::BackupArchive>, BackupsError> {
        let Some(timetable) = &self.timetable else {
            return Err(BackupsError::Invalid("the platform keeps no backups: set backup-to".to_owned()));
        };
        let listed = timetable.archives.list().await;
        let listed = listed.map_err(|error| BackupsError::Unavailable(ambo_controller::chain(&error)))?;
        Ok(listed.iter().map(wire_archive).collect())
    }

    async fn begin(&self, create: BackupCreate) -> Result<wire::Backup, BackupsError> {
        let backup = self.backup(&create)?;
        match (&create.to, &self.timetable) {
            // A directory of the server's machine is for its operator to name.
            (Some(place), _) if !place.contains("://") => {
                Err(BackupsError::Invalid("`to`: name a bucket, as in s3://bucket/prefix".to_owned()))
            }
            (Some(place), _) => {
                let archives = place::archives(place).map_err(|error| BackupsError::Invalid(crate::message(&error)))?;
                self.begin_at(backup, place, archives)
            }
            (None, Some(kept)) => self.begin_at(backup, &kept.place, kept.archives.clone()),
            (None, None) => Err(BackupsError::Invalid(
                "where to? name a bucket or a file with --to, or set backup-to on the server".to_owned(),
            )),
        }
    }

    async fn find(&self, id: Uuid) -> Option<wire::Backup> {
        self.known.lock().iter().find(|known| known.id == id).cloned()
    }

    async fn download(&self, create: BackupCreate) -> Result<ArchiveBytes, BackupsError> {
        let backup = self.backup(&create)?;
        let busy = self.busy.clone().try_acquire_owned().map_err(|_| BackupsError::Busy)?;
        let (mut out, archive) = tokio::io::duplex(WAITING_BYTES);
        let made = async move {
            let made = backup.write_to(&mut out).await;
            drop((out, busy));
            match made {
                Ok(findings) => {
                    tracing::info!(contents = report::contents(&findings), "a backup was downloaded");
                    None
                }
                Err(error) => {
                    tracing::error!(error = ambo_controller::chain(&error), "a backup failed");
                    Some(Err(std::io::Error::other("the backup failed")))
                }
            }
        };
        // The archive ends properly only if the backup did.
        let ended = stream::once(made).filter_map(std::future::ready);
        Ok(stream::select(ReaderStream::with_capacity(archive, PIECE_BYTES), ended).boxed())
    }
}

fn pending(backup: &Backup, place: &str) -> wire::Backup {
    wire::Backup {
        id: Uuid::new_v4(),
        status: BackupStatus::Pending,
        created_at: backup.header.made_at,
        to: place.to_owned(),
        archive: None,
        duration_ms: None,
        contents: None,
        missing: Vec::new(),
        failure: None,
    }
}

fn wire_archive(listed: &ArchiveListed) -> wire::BackupArchive {
    let ArchiveListed { name, size } = listed;
    wire::BackupArchive { name: name.to_string(), size: size.as_u64(), created_at: name.made_at() }
}

fn log(archive: &ArchiveListed, findings: &Findings, took: Duration) {
    tracing::info!(
        archive = %archive.name,
        bytes = archive.size.as_u64(),
        seconds = took.as_secs_f32(),
        contents = report::contents(findings),
        "a backup was made"
    );
    for fault in report::faults(findings) {
        tracing::warn!(fault, "the platform is not whole, and so its backup is not");
    }
}
