//! The git server: what all sessions share, its start and its end.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::git::Git;
use crate::hook_socket::{HookCalls, HookSocket, SOCKET_PATH_BYTES_MAX};
use crate::open::{self, OpenError};
use crate::port::{Gate, PushReceiver};
use crate::repositories::Repositories;
use crate::settings::GitSettings;

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
    pub(crate) repositories: Repositories,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) receiver: Arc<dyn PushReceiver>,
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
    /// Git, as we run it.
    pub(crate) fn git(&self) -> &Git {
        &self.repositories.kept.git
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
        let settings = open::prepare(settings).await?;
        let repositories = Repositories::prepared(&settings).await?;
        open::hook_ensure(&settings)?;
        let path = socket_path(&settings);
        if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            return Err(OpenError::SocketPathTooLong { path, max: SOCKET_PATH_BYTES_MAX });
        }
        let socket = HookSocket::bind(&path).map_err(|source| OpenError::Prepare { path, source })?;
        let shared = Shared {
            repositories,
            gate,
            receiver,
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

    /// The repositories that are served.
    #[must_use]
    pub fn repositories(&self) -> &Repositories {
        &self.shared.repositories
    }
}
