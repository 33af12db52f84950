//! The git server: what all sessions share, its start and its end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::AppId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app_gate::AppGates;
use crate::git::{Git, GitError};
use crate::hook::HOOK_NAME;
use crate::hook_socket::{HookCalls, HookSocket, SOCKET_PATH_BYTES_MAX};
use crate::port::{Gate, PushReceiver};
use crate::repository::{self, RepositoryFault, repository_path};
use crate::settings::GitSettings;

/// How long a removed app's sessions may take to end, beyond git's own grace.
const REMOVE_MARGIN: Duration = Duration::from_secs(5);

/// Why the git server did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No git.
    #[error("`{}` does not run: install git 2.31 or newer, or set its path", program.display())]
    GitMissing {
        /// What was tried.
        program: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A directory or file could not be made.
    #[error("`{}` could not be prepared: check that the directory belongs to the user that runs the server", path.display())]
    Prepare {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The data directory's path is too long for a Unix socket.
    #[error("`{}` is too long for a Unix socket ({max} bytes): choose a data directory with a shorter path", path.display())]
    SocketPathTooLong {
        /// The socket's path.
        path: PathBuf,
        /// The limit.
        max: usize,
    },
}

/// Why a repository could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// It could not be removed.
    #[error("remove the repository of app {app}: try again")]
    Remove {
        /// Whose.
        app: AppId,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It could not be packed.
    #[error("pack the repository of app {app}: it stays usable, try again later")]
    Maintain {
        /// Whose.
        app: AppId,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Receives pushes and serves clones. Cheap to clone; all clones are one server.
#[derive(Clone)]
pub struct GitServer {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for GitServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitServer").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

/// What sessions share.
pub(crate) struct Shared {
    pub(crate) settings: GitSettings,
    pub(crate) git: Git,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) receiver: Arc<dyn PushReceiver>,
    pub(crate) gates: AppGates,
    pub(crate) calls: HookCalls,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) sessions: TaskTracker,
    /// No new sessions.
    pub(crate) draining: CancellationToken,
    /// No sessions at all.
    pub(crate) stopped: CancellationToken,
    socket: HookSocket,
}

impl Shared {
    /// Where an app's repository is.
    pub(crate) fn repository_path(&self, app: AppId) -> PathBuf {
        repository_path(&self.settings.repositories, app)
    }

    /// Where hooks call.
    pub(crate) fn socket_path(&self) -> PathBuf {
        socket_path(&self.settings)
    }

    /// Where archives are written.
    pub(crate) fn archives_path(&self) -> PathBuf {
        self.settings.run.join("archives")
    }
}

fn socket_path(settings: &GitSettings) -> PathBuf {
    settings.run.join("hook.sock")
}

impl GitServer {
    /// Prepares the directories, the hook and its socket. Needs a tokio runtime. Nothing is served before [`GitServer::run`].
    ///
    /// # Errors
    /// When git is missing, or a directory cannot be written, or its path is too long.
    pub async fn open(
        settings: GitSettings,
        gate: Arc<dyn Gate>,
        receiver: Arc<dyn PushReceiver>,
    ) -> Result<Self, OpenError> {
        let settings = directories_ensure(settings)?;
        let hooks = settings.run.join("hooks");
        let git = Git::new(&settings, &hooks);
        let version = git.command().arg("--version").output().await;
        version.map_err(|source| OpenError::GitMissing { program: settings.git.clone(), source })?;
        hook_ensure(&hooks.join(HOOK_NAME), &settings.hook_program)?;
        let prepare = |path: &Path, source| OpenError::Prepare { path: path.to_owned(), source };
        let archives = settings.run.join("archives");
        repository::stale_remove(&archives, &["tar"]).await.map_err(|source| prepare(&archives, source))?;
        repository::stale_remove(&settings.repositories, &["new", "old"])
            .await
            .map_err(|source| prepare(&settings.repositories, source))?;
        let path = socket_path(&settings);
        if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            return Err(OpenError::SocketPathTooLong { path, max: SOCKET_PATH_BYTES_MAX });
        }
        let socket = HookSocket::bind(&path).map_err(|source| prepare(&path, source))?;
        let shared = Shared {
            git,
            gate,
            receiver,
            gates: AppGates::default(),
            calls: HookCalls::default(),
            places: Arc::new(Semaphore::new(settings.sessions_max)),
            sessions: TaskTracker::new(),
            draining: CancellationToken::new(),
            stopped: CancellationToken::new(),
            socket,
            settings,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Takes hooks' calls until `shutdown`, then lets sessions go on for the grace set, then ends them. Returns when the
    /// last has ended. Dropping the future ends all sessions at once.
    pub async fn run(&self, shutdown: CancellationToken) {
        let shared = &self.shared;
        let _stop = shared.stopped.clone().drop_guard();
        let end = async {
            shutdown.cancelled().await;
            shared.draining.cancel();
            shared.sessions.close();
            if tokio::time::timeout(shared.settings.shutdown_grace, shared.sessions.wait()).await.is_err() {
                tracing::warn!(sessions = shared.sessions.len(), "git sessions outlived the grace and are ended");
                shared.stopped.cancel();
                shared.sessions.wait().await;
            }
        };
        tokio::select! {
            () = shared.socket.run(&shared.calls) => {}
            () = end => {}
        }
    }

    /// Removes an app's repository; pushes and clones under way are ended first. Done when it is gone.
    ///
    /// # Errors
    /// When files cannot be removed; call again.
    pub async fn repository_remove(&self, app: AppId) -> Result<(), RepositoryError> {
        let shared = &self.shared;
        let removed = repository::repository_remove(&shared.settings.repositories, app);
        let wait_max = shared.settings.stop_grace + REMOVE_MARGIN;
        let removed = shared.gates.close(app, wait_max, removed).await;
        removed.map_err(|fault| RepositoryError::Remove { app, source: Box::new(fault) })
    }

    /// Packs an app's repository, unless somebody pushes right now. To be called once in a while; pushes wait for it.
    ///
    /// # Errors
    /// When git cannot pack; the repository stays usable.
    pub async fn repository_maintain(&self, app: AppId) -> Result<(), RepositoryError> {
        let path = self.shared.repository_path(app);
        if !tokio::fs::try_exists(&path).await.unwrap_or(false) {
            return Ok(());
        }
        let work = async {
            repository::leftovers_remove(&path).await;
            repository::repository_pack(&self.shared.git, &path).await
        };
        let packed: Option<Result<(), GitError>> = self.shared.gates.gate(app).while_nobody_pushes(work).await;
        packed.unwrap_or(Ok(())).map_err(|fault| RepositoryError::Maintain { app, source: Box::new(fault) })
    }
}

impl From<RepositoryFault> for io::Error {
    fn from(fault: RepositoryFault) -> Self {
        io::Error::other(fault)
    }
}

/// Makes the directories, entered by nobody else, and gives the settings with absolute paths: git runs elsewhere.
fn directories_ensure(mut settings: GitSettings) -> Result<GitSettings, OpenError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    for directory in [&mut settings.repositories, &mut settings.run] {
        let prepared = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .and_then(|()| std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700)))
            .and_then(|()| std::fs::canonicalize(&directory));
        *directory = prepared.map_err(|source| OpenError::Prepare { path: directory.clone(), source })?;
    }
    for name in ["hooks", "archives"] {
        let path = settings.run.join(name);
        std::fs::create_dir_all(&path).map_err(|source| OpenError::Prepare { path, source })?;
    }
    Ok(settings)
}

/// Points the hook at the server's program. A link that names an older program is replaced in one step.
fn hook_ensure(hook: &Path, program: &Path) -> Result<(), OpenError> {
    let prepared = std::fs::canonicalize(program).and_then(|program| {
        let fresh = hook.with_extension("new");
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::os::unix::fs::symlink(program, &fresh)?;
        std::fs::rename(&fresh, hook)
    });
    prepared.map_err(|source| OpenError::Prepare { path: program.to_owned(), source })
}
