//! The repositories of all apps: where they are, and how the ones on this disk come to be what they should.
//!
//! Without a bucket a repository is its directory. With one it is what the bucket says, and the directory is a cache that is
//! brought up to date before anybody reads or pushes. A directory of the time before there was a bucket is stored in it when
//! it is first used, or tidied.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::AppId;
use tokio::fs;

use crate::app_gate::{AppGate, AppGates, Closed, Entry};
use crate::cache::Cache;
use crate::git::Git;
use crate::open::{self, OpenError};
use crate::origin::Origin;
use crate::repository::{RepositoryFault, leftovers_remove, repository_path, repository_remove};
use crate::settings::GitSettings;

/// How often a repository is looked at again that others change while it is fetched or stored.
pub(crate) const LOOKS_MAX: usize = 4;
/// How long a removed app's sessions may take to end, beyond git's own grace.
const REMOVE_MARGIN: Duration = Duration::from_secs(5);

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What could not be done with a repository.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// They could not be listed.
    #[error("list the repositories")]
    List {
        /// Why.
        source: Source,
    },
    /// It could not be read.
    #[error("read the repository of app {app}: try again")]
    Fetch {
        /// Whose.
        app: AppId,
        /// Why.
        source: Source,
    },
    /// It could not be stored.
    #[error("store the repository of app {app}: try again")]
    Adopt {
        /// Whose.
        app: AppId,
        /// Why.
        source: Source,
    },
    /// It could not be removed.
    #[error("remove the repository of app {app}: try again")]
    Remove {
        /// Whose.
        app: AppId,
        /// Why.
        source: Source,
    },
    /// It could not be packed.
    #[error("pack the repository of app {app}: it stays usable, try again later")]
    Maintain {
        /// Whose.
        app: AppId,
        /// Why.
        source: Source,
    },
}

/// The app is gone, or git or the bucket fail.
#[derive(Debug, thiserror::Error)]
enum FetchFault {
    #[error("the app has been removed")]
    Removed,
    #[error(transparent)]
    Repository(#[from] RepositoryFault),
}

impl From<Closed> for FetchFault {
    fn from(_: Closed) -> Self {
        FetchFault::Removed
    }
}

/// A repository on this disk, as it was when it was fetched, or younger. As long as this value is there, it is neither packed
/// nor removed; an app that is removed does not wait for long.
#[derive(Debug)]
pub struct FetchedRepository {
    path: PathBuf,
    _entry: Entry,
}

impl FetchedRepository {
    /// The bare repository. To be read only.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The repositories of all apps. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Repositories {
    pub(crate) kept: Arc<Kept>,
}

/// What clones share.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) git: Git,
    pub(crate) directory: PathBuf,
    pub(crate) origin: Option<Origin>,
    pub(crate) gates: AppGates,
    /// How many packs are too many in the bucket.
    pub(crate) packs_max: usize,
    /// How long packs stay there that are not needed.
    pub(crate) packs_grace: Duration,
    stop_grace: Duration,
}

impl Repositories {
    /// Those that the settings name, where no [`GitServer`](crate::GitServer) runs. One that does has its own:
    /// [`GitServer::repositories`](crate::GitServer::repositories).
    ///
    /// # Errors
    /// When git is missing, or a directory cannot be written.
    pub async fn open(settings: GitSettings) -> Result<Self, OpenError> {
        Self::prepared(&open::prepare(settings).await?).await
    }

    /// Those of settings whose directories are there.
    pub(crate) async fn prepared(settings: &GitSettings) -> Result<Self, OpenError> {
        let git = open::git(settings).await?;
        let kept = Kept {
            git,
            directory: settings.repositories.clone(),
            origin: settings.bucket.clone().map(Origin::new),
            gates: AppGates::default(),
            packs_max: settings.packs_max,
            packs_grace: settings.packs_grace,
            stop_grace: settings.stop_grace,
        };
        Ok(Self { kept: Arc::new(kept) })
    }

    /// The apps that have a repository.
    ///
    /// # Errors
    /// When the directory or the bucket cannot be read.
    pub async fn list(&self) -> Result<Vec<AppId>, RepositoryError> {
        let listed = async {
            let mut apps = match &self.kept.origin {
                Some(origin) => origin.apps().await?,
                None => Vec::new(),
            };
            for app in self.directories().await? {
                if self.kept.origin.is_none() || self.cache_at(&self.path(app)).held().await?.is_none() {
                    apps.push(app);
                }
            }
            apps.sort();
            apps.dedup();
            Ok::<_, Source>(apps)
        };
        listed.await.map_err(|source| RepositoryError::List { source })
    }

    /// Brings the repository on this disk up to date, for somebody who reads it there. `None` when there is none.
    ///
    /// # Errors
    /// When the bucket or git fails; the app may have been removed.
    pub async fn fetch(&self, app: AppId) -> Result<Option<FetchedRepository>, RepositoryError> {
        let path = self.path(app);
        let fetched = async {
            let is_somewhere = match &self.kept.origin {
                Some(origin) => origin.look(app).await.map_err(RepositoryFault::from)?.is_some(),
                None => false,
            };
            if !is_somewhere && !fs::try_exists(path.join("HEAD")).await.unwrap_or(false) {
                return Ok(None);
            }
            let ensure = async { self.bring(app).await.map_err(FetchFault::from) };
            // Like somebody who pushes: nothing is pruned meanwhile.
            let entry = self.gate(app).enter_to_push(ensure, leftovers_remove(&path)).await?;
            Ok::<_, FetchFault>(Some(FetchedRepository { path: path.clone(), _entry: entry }))
        };
        fetched.await.map_err(|fault| RepositoryError::Fetch { app, source: Box::new(fault) })
    }

    /// Makes what lies in the app's directory, `<app-id>.git`, the repository, whatever it was. For who has just put it there;
    /// without a bucket there is nothing to do.
    ///
    /// # Errors
    /// When the bucket or git fails. The repository is what it was before, or is this one.
    pub async fn adopt(&self, app: AppId) -> Result<(), RepositoryError> {
        let Some(origin) = &self.kept.origin else { return Ok(()) };
        let adopted = async {
            let gate = self.gate(app);
            let _alone = gate.alone().await;
            for _ in 0..LOOKS_MAX {
                let seen = origin.look(app).await.map_err(RepositoryFault::from)?;
                if self.store(origin, app, seen.as_ref()).await? {
                    return Ok(());
                }
            }
            Err::<(), Source>("others change it all the time".into())
        };
        adopted.await.map_err(|source| RepositoryError::Adopt { app, source })
    }

    /// Removes an app's repository; who uses it is ended first. Done when it is gone.
    ///
    /// # Errors
    /// When files or objects cannot be removed; call again.
    pub async fn remove(&self, app: AppId) -> Result<(), RepositoryError> {
        let removed = async {
            if let Some(origin) = &self.kept.origin {
                origin.remove(app).await?;
            }
            repository_remove(&self.kept.directory, app).await
        };
        let removed = self.kept.gates.close(app, self.kept.stop_grace + REMOVE_MARGIN, removed).await;
        removed.map_err(|fault| RepositoryError::Remove { app, source: Box::new(fault) })
    }

    /// Where an app's repository is on this disk.
    pub(crate) fn path(&self, app: AppId) -> PathBuf {
        repository_path(&self.kept.directory, app)
    }

    pub(crate) fn gate(&self, app: AppId) -> Arc<AppGate> {
        self.kept.gates.gate(app)
    }

    pub(crate) fn cache_at<'a>(&'a self, path: &'a Path) -> Cache<'a> {
        Cache { git: &self.kept.git, path }
    }

    /// The apps that have a directory.
    pub(crate) async fn directories(&self) -> io::Result<Vec<AppId>> {
        let mut apps = Vec::new();
        let mut entries = fs::read_dir(&self.kept.directory).await?;
        while let Some(entry) = entries.next_entry().await? {
            let path = PathBuf::from(entry.file_name());
            if path.extension() == Some(OsStr::new("git")) {
                apps.extend(path.file_stem().and_then(OsStr::to_str).and_then(|name| name.parse::<AppId>().ok()));
            }
        }
        Ok(apps)
    }
}
