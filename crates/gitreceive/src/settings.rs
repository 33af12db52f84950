//! What an operator may set.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ambo_blobs::Bucket;
use ambo_model::ByteSize;

/// How repositories are kept and pushes are taken.
#[derive(Debug, Clone)]
pub struct GitSettings {
    /// Holds one bare repository per app, `<app-id>.git`.
    pub repositories: PathBuf,
    /// Where repositories are kept: in this bucket, in which nothing else is, and `repositories` is a cache of it. `None`: in
    /// `repositories` alone.
    pub bucket: Option<Bucket>,
    /// With how many packs in the bucket a repository is made one pack again. Each push adds one.
    pub packs_max: usize,
    /// How long a pack stays in the bucket that is not needed any more, for those who are reading it.
    pub packs_grace: Duration,
    /// Holds the hook, its socket and archives under way. Its path must be short: a Unix socket's is limited to 107 bytes.
    pub run: PathBuf,
    /// The git program.
    pub git: PathBuf,
    /// The program that answers as `pre-receive` hook (see [`run_hook`](crate::run_hook)): `ambod` itself.
    pub hook_program: PathBuf,
    /// Largest pack that a push may send.
    pub push_size_max: ByteSize,
    /// Largest tree that a push may unpack to.
    pub archive_size_max: ByteSize,
    /// How long a push waits for another one of the same app.
    pub push_wait_max: Duration,
    /// After how much silence git sends an empty packet, in whole seconds. A client that left is noticed at the latest then.
    pub keep_alive: Duration,
    /// How long a session may move no byte in either direction.
    pub idle_max: Duration,
    /// How long git may take to end after SIGTERM, before SIGKILL.
    pub stop_grace: Duration,
    /// How long sessions may go on after a shutdown began.
    pub shutdown_grace: Duration,
    /// Most sessions (pushes, clones, fetches) at a time.
    pub sessions_max: usize,
}

impl GitSettings {
    /// The defaults, with everything below `data`.
    #[must_use]
    pub fn new(data: &Path, hook_program: PathBuf) -> Self {
        Self {
            repositories: data.join("repos"),
            bucket: None,
            packs_max: 32,
            packs_grace: Duration::from_secs(24 * 3600),
            run: data.join("git"),
            git: PathBuf::from("git"),
            hook_program,
            push_size_max: ByteSize::gib(2),
            archive_size_max: ByteSize::gib(8),
            push_wait_max: Duration::from_secs(60),
            keep_alive: Duration::from_secs(5),
            idle_max: Duration::from_secs(120),
            stop_grace: Duration::from_secs(3),
            shutdown_grace: Duration::from_secs(20),
            sessions_max: 128,
        }
    }
}

/// How SSH is served.
#[derive(Debug, Clone)]
pub struct SshSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Holds the host keys, made at the first start.
    pub host_keys: PathBuf,
    /// Most connections at a time, those that have not logged in yet included.
    pub connections_max: usize,
    /// How long a client may take to log in.
    pub login_max: Duration,
    /// After how much silence a client is asked whether it is still there; three unanswered questions end the connection.
    pub keep_alive: Duration,
}

impl SshSettings {
    /// The defaults: port 7022 of the loopback address, host keys below `data`.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7022)),
            host_keys: data.join("ssh"),
            connections_max: 256,
            login_max: Duration::from_secs(30),
            keep_alive: Duration::from_secs(10),
        }
    }
}
