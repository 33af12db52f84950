//! The way to a manager's engine.

mod ssh;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambo_engine_docker::{AddressError, DockerSettings, Engine, EngineAddress, EngineError};

use self::ssh::Ssh;
use self::tls::Tls;

/// Why there is no way.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The client.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No host to reach by SSH.
    #[error("`{0}` names no machine: write ssh://USER@HOST")]
    Ssh(String),
    /// A file that TLS needs.
    #[error("cannot use {} for TLS to the engine: {reason}", .path.display())]
    Certificates {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// No name to be found in the engine's certificate.
    #[error("`{0}` is no name or address that a certificate could have")]
    ServerName(String),
}

/// The engine at an address: a socket's path, `unix://…`, `tcp://…`, or `ssh://USER@HOST[:PORT]`, which takes `ssh` here and
/// `docker` there. `None` is the engine of this machine. Nothing is sent yet.
///
/// With `certificates`, `tcp://` takes TLS: the directory has `ca.pem`, by which the engine's certificate must be signed, and
/// `cert.pem` and `key.pem`, which are shown to it (Docker, "Protect the Docker daemon socket"). Without, `tcp://` is plain.
///
/// # Errors
/// When the address is none, or the certificates are not what they should be.
pub fn connect(address: Option<&str>, certificates: Option<&Path>) -> Result<Engine, ConnectError> {
    if let Some(host) = address.and_then(|address| address.strip_prefix("ssh://")) {
        return Ok(Engine::through(Arc::new(Ssh::to(host)?))?);
    }
    let settings = DockerSettings::parse(address)?;
    match (&settings.socket, certificates) {
        (EngineAddress::Tcp(authority), Some(directory)) => {
            Ok(Engine::through(Arc::new(Tls::to(authority, directory)?))?)
        }
        _ => Ok(Engine::connect(settings)?),
    }
}
