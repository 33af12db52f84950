//! Git over SSH: a listener of our own, for git and nothing else.

mod command;
mod connection;

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::server::Config;
use russh::{Disconnect, MethodKind, MethodSet, Preferred, SshId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dead_peer::socket_watch;
use crate::host_key::{HostKeyError, host_keys_ensure};
use crate::server::GitServer;
use crate::settings::SshSettings;
use crate::ssh::connection::Connection;

/// How many keys a client may offer.
const LOGIN_ATTEMPTS_MAX: usize = 16;
/// How many keepalive questions may stay unanswered.
const KEEP_ALIVES_MAX: usize = 3;
/// How long a connection may do nothing at all.
const INACTIVITY_MAX: Duration = Duration::from_secs(600);
/// How long a connection may take to say good-bye.
const GOODBYE_MAX: Duration = Duration::from_secs(2);
/// How long to wait after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why SSH is not served.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// The address is taken or not ours.
    #[error("SSH cannot listen on {address}: stop what listens there, or set another address")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No host keys.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
}

/// Serves a [`GitServer`] over SSH.
pub struct SshServer {
    git: GitServer,
    settings: SshSettings,
    listener: TcpListener,
    config: Arc<Config>,
}

impl std::fmt::Debug for SshServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SshServer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl SshServer {
    /// Listens, and makes host keys at the first start. Nobody is served before [`SshServer::run`].
    ///
    /// # Errors
    /// When the address is taken or the host keys cannot be read or made.
    pub async fn bind(git: GitServer, settings: SshSettings) -> Result<Self, SshError> {
        let bind = |source| SshError::Bind { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(bind)?;
        Self::with_listener(git, settings, listener)
    }

    /// Takes a socket that listens already, from a predecessor or from systemd; [`SshSettings::listen`] is not used.
    ///
    /// # Errors
    /// When the host keys cannot be read or made.
    pub fn with_listener(git: GitServer, settings: SshSettings, listener: TcpListener) -> Result<Self, SshError> {
        let config = Config {
            server_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-Ambo_", env!("CARGO_PKG_VERSION")))),
            methods: MethodSet::from(&[MethodKind::PublicKey][..]),
            auth_rejection_time: Duration::from_millis(50),
            // Every client asks for the methods with an attempt that must fail: that costs nobody a second.
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: host_keys_ensure(&settings.host_keys)?,
            preferred: Preferred { key: Cow::Borrowed(KEY_ALGORITHMS), ..Preferred::DEFAULT },
            max_auth_attempts: LOGIN_ATTEMPTS_MAX,
            inactivity_timeout: Some(INACTIVITY_MAX),
            keepalive_interval: Some(settings.keep_alive),
            keepalive_max: KEEP_ALIVES_MAX,
            nodelay: true,
            ..Config::default()
        };
        Ok(Self { git, settings, listener, config: Arc::new(config) })
    }

    /// The address listened on.
    ///
    /// # Errors
    /// When the socket has none.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`; then accepts nobody, and returns when the git sessions have ended, for which
    /// [`GitServer::run`] with the same `shutdown` sets the deadline. Dropping the future ends all connections.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut connections = JoinSet::new();
        let places = Arc::new(Semaphore::new(self.settings.connections_max));
        let end = CancellationToken::new();
        let _end_all = end.clone().drop_guard();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, peer)) => {
                        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                            tracing::warn!(%peer, "too many SSH connections: one was refused");
                            continue;
                        };
                        let served = connection_serve(
                            self.git.clone(), Arc::clone(&self.config), self.settings.login_max, socket, peer, end.clone(),
                        );
                        connections.spawn(async move {
                            served.await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::error!(%error, "SSH does not accept");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        drop(self.listener);
        let sessions = &self.git.shared.sessions;
        sessions.close();
        sessions.wait().await;
        // The last words are on their way: clients that have heard them go by themselves.
        let all_gone = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(GOODBYE_MAX, all_gone).await.is_err() {
            end.cancel();
            while connections.join_next().await.is_some() {}
        }
    }
}

/// The key algorithms of hosts and clients: RSA only with SHA-2.
const KEY_ALGORITHMS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

async fn connection_serve(
    git: GitServer,
    config: Arc<Config>,
    login_max: Duration,
    socket: TcpStream,
    peer: SocketAddr,
    end: CancellationToken,
) {
    if let Err(error) = socket_watch(&socket).and_then(|()| socket.set_nodelay(true)) {
        tracing::warn!(%peer, %error, "a connection's options could not be set");
    }
    let logged_in = CancellationToken::new();
    let gone = CancellationToken::new();
    // Whatever ends this connection ends its sessions.
    let _gone = gone.clone().drop_guard();
    let handler = Connection::new(git, peer, logged_in.clone(), gone);
    let opened = tokio::time::timeout(login_max, russh::server::run_stream(config, socket, handler)).await;
    let mut session = match opened {
        Ok(Ok(session)) => session,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "no SSH connection came about"),
        Err(_) => return tracing::debug!(%peer, "a client connected and said nothing"),
    };
    let handle = session.handle();
    let login = async {
        if tokio::time::timeout(login_max, logged_in.cancelled()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    };
    let reason = tokio::select! {
        ended = &mut session => {
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "an SSH connection broke");
            }
            return;
        }
        () = login => "login took too long",
        () = end.cancelled() => "the platform is shutting down",
    };
    let goodbye = async {
        // A client that is gone hears no reason.
        let _ = handle.disconnect(Disconnect::ByApplication, reason.to_owned(), String::new()).await;
        let _ = session.await;
    };
    let _ = tokio::time::timeout(GOODBYE_MAX, goodbye).await;
}
