//! Where the components of a node meet: Unix sockets in a directory that their containers share.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tokio::net::{UnixListener, UnixStream};

/// Pause after the machine had no descriptor for one more connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The sockets of a node.
#[derive(Debug, Clone)]
pub(crate) struct Meeting(PathBuf);

impl Meeting {
    /// Below this directory.
    pub(crate) fn at(directory: &str) -> Self {
        Self(PathBuf::from(directory))
    }

    /// The agent's: it gives the router its listening sockets, or takes them back.
    pub(crate) fn sockets(&self) -> PathBuf {
        self.0.join("sockets.sock")
    }

    /// The agent's: a stream to the leader, for the router.
    pub(crate) fn leader(&self) -> PathBuf {
        self.0.join("leader.sock")
    }

    /// The agent's: a stream to the leader, for whoever answers DNS.
    pub(crate) fn nodes(&self) -> PathBuf {
        self.0.join("nodes.sock")
    }

    /// The router's: what it has counted, for the agent.
    pub(crate) fn counts(&self) -> PathBuf {
        self.0.join("counts.sock")
    }

    /// The router's: connections to instances, for the controller on the same node.
    pub(crate) fn dial(&self) -> PathBuf {
        self.0.join("dial.sock")
    }
}

/// Listens there, in place of whoever did before. Those of our user alone may connect.
pub(crate) fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    let failed = || format!("listen at {}", path.display());
    if let Some(directory) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).with_context(failed)?;
    }
    // Bound under a name of its own and moved: a successor takes the place at once, and its predecessor's end leaves it alone.
    let own = path.with_extension(std::process::id().to_string());
    match std::fs::remove_file(&own) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).with_context(failed),
        _ => {}
    }
    let listener = UnixListener::bind(&own).with_context(failed)?;
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o600)).with_context(failed)?;
    std::fs::rename(&own, path).with_context(failed)?;
    Ok(listener)
}

/// The next connection.
pub(crate) async fn accept(listener: &UnixListener) -> UnixStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection of this node's");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
