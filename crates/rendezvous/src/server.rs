//! The door of Heroku's client: TLS on a port of its own.
//!
//! The client connects without naming a host (no SNI), sends the secret and CRLF, and throws away whatever comes first: that
//! is [`BANNER`], alone in its record. Then bytes go both ways. There are no messages: no resizing, no exit code.

use std::sync::Arc;
use std::time::Duration;

use ambo_scheduler::Attached;
use async_trait::async_trait;
use rustls::ServerConfig;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::carry::{ToUser, carry};
use crate::sentinel::Sentinel;
use crate::user::{Activity, Input, Output};

/// What is said first, and thrown away by the client.
const BANNER: &[u8] = b"rendezvous\r\n";
/// Longest secret, its line's end included, in bytes.
const SECRET_BYTES_MAX: usize = 512;
/// Most connections at once; further ones wait in the socket's queue.
const CONNECTIONS_MAX: usize = 1024;
/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What secrets lead to.
#[async_trait]
pub trait Programs: Send + Sync + 'static {
    /// Starts the program that the secret stands for. `None` when it stands for none, or no longer.
    ///
    /// # Errors
    /// What the user is told when it cannot be started.
    async fn program_start(&self, secret: &str) -> Option<Result<StartedProgram, String>>;
}

/// A program that runs for one user.
#[derive(Debug)]
pub struct StartedProgram {
    /// Its streams.
    pub attached: Attached,
    /// Whether it was given a terminal.
    pub has_terminal: bool,
}

/// What can be set.
#[derive(Debug, Clone)]
pub struct RendezvousSettings {
    /// Longest time for the handshake and the secret.
    pub secret_duration_max: Duration,
    /// How long nothing may go either way before the user is sent away (Heroku's value).
    pub idle_max: Duration,
}

impl Default for RendezvousSettings {
    fn default() -> Self {
        Self { secret_duration_max: Duration::from_secs(30), idle_max: Duration::from_secs(60 * 60) }
    }
}

/// Serves programs to Heroku's client.
pub struct RendezvousServer {
    listener: TcpListener,
    shared: Arc<Shared>,
}

struct Shared {
    tls: TlsAcceptor,
    programs: Arc<dyn Programs>,
    settings: RendezvousSettings,
    stop: CancellationToken,
}

impl std::fmt::Debug for RendezvousServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RendezvousServer").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl RendezvousServer {
    /// A server on a listener. The certificate of `tls` must not depend on the client's naming a host.
    #[must_use]
    pub fn new(
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        programs: Arc<dyn Programs>,
        settings: RendezvousSettings,
    ) -> Self {
        let shared = Shared { tls: TlsAcceptor::from(tls), programs, settings, stop: CancellationToken::new() };
        Self { listener, shared: Arc::new(shared) }
    }

    /// Serves until `shutdown` is cancelled; then takes no more connections, sends the users away, ends their programs, and
    /// returns when that is done.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = connections.join_next(), if connections.len() >= CONNECTIONS_MAX => {}
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(Arc::clone(&self.shared).connection(stream));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a rendezvous connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.listener);
        self.shared.stop.cancel();
        while connections.join_next().await.is_some() {}
    }
}

impl Shared {
    async fn connection(self: Arc<Self>, stream: TcpStream) {
        let met = async {
            let begun = tokio::time::timeout(self.settings.secret_duration_max, self.secret(stream)).await;
            let (secret, stream) = begun.ok()??;
            // Whoever knows no secret is told nothing.
            Some((self.programs.program_start(&secret).await?, stream))
        };
        let Some(Some((started, stream))) = self.stop.run_until_cancelled(met).await else { return };
        self.meet(started, stream).await;
    }

    /// The handshake and the first line.
    async fn secret(&self, stream: TcpStream) -> Option<(String, TlsStream<TcpStream>)> {
        stream.set_nodelay(true).ok()?;
        let mut stream = self.tls.accept(stream).await.ok()?;
        let mut line = Vec::with_capacity(SECRET_BYTES_MAX);
        // Byte by byte: what follows the line is the program's. TLS has it in memory already.
        while line.last() != Some(&b'\n') {
            if line.len() == SECRET_BYTES_MAX {
                return None;
            }
            line.push(stream.read_u8().await.ok()?);
        }
        let secret = String::from_utf8(line).ok()?;
        Some((secret.trim_end_matches(['\r', '\n']).to_owned(), stream))
    }

    async fn meet(&self, started: Result<StartedProgram, String>, stream: TlsStream<TcpStream>) {
        let (reader, writer) = tokio::io::split(stream);
        let activity = Activity::new();
        let mut to = Output { writer, activity: activity.clone(), sentinel: Sentinel::default() };
        let has_terminal = started.as_ref().is_ok_and(|program| program.has_terminal);
        let idle_max = self.settings.idle_max;
        let mut from = Input::new(reader, activity, idle_max, has_terminal);
        // Dropped, the program would end as well; this way it ends by the book.
        let greeted = to.write(BANNER).await;
        let greeted_at = Instant::now();
        match started {
            Ok(program) => {
                let stop = if greeted.is_ok() { self.stop.clone() } else { cancelled() };
                carry(program.attached, &mut to, &mut from, &stop).await;
            }
            Err(text) => {
                let _ = to.failure(&text).await;
            }
        }
        let _ = self.stop.run_until_cancelled(from.settle(greeted_at)).await;
        to.close().await;
        from.drain().await;
    }
}

fn cancelled() -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel();
    token
}
