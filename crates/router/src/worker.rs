//! One worker: a thread with a runtime of its own that accepts and serves.

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::AccessRing;
use crate::client::Scheme;
use crate::connection::{Entrance, connection_serve};
use crate::publish::Shared;
use crate::request::id::RequestIds;

/// How often idle connections to instances are looked over.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How long a worker waits after a failed accept, which mostly means that the process has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Most connections that a stopping worker still takes out of the kernel's queue.
const LAST_ACCEPTS_MAX: usize = 1024;

/// What the connections of one worker share.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) ring: Arc<AccessRing>,
    pub(crate) request_ids: RequestIds,
    /// Connections, HTTP/2 streams and tunnels.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when connections should end.
    pub(crate) closing: CancellationToken,
    is_closing: AtomicBool,
    is_aborting: AtomicBool,
}

impl Worker {
    pub(crate) fn new(index: usize, shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            index,
            shared: Arc::clone(shared),
            ring: shared.rings.get(index).cloned().unwrap_or_default(),
            request_ids: RequestIds::new(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            is_closing: AtomicBool::new(false),
            is_aborting: AtomicBool::new(false),
        })
    }

    /// Whether responses must say that no further request is taken.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Relaxed)
    }

    /// Whether what is under way is being cut off.
    pub(crate) fn is_aborting(&self) -> bool {
        self.is_aborting.load(Ordering::Relaxed)
    }
}

/// A listener of one worker.
#[derive(Debug)]
pub(crate) struct WorkerListener {
    pub(crate) socket: StdListener,
    pub(crate) scheme: Scheme,
}

/// Accepts and serves until `stop`, then until what is under way has ended or the deadline has passed. Gives the number of
/// connections and tunnels that were cut off.
pub(crate) async fn worker_run(
    worker: Arc<Worker>,
    listeners: Vec<WorkerListener>,
    tls: Option<Arc<ServerConfig>>,
    stop: CancellationToken,
) -> io::Result<usize> {
    let settings = &worker.shared.settings;
    let connections_max = settings.connections_max.div_ceil(settings.worker_count).clamp(1, Semaphore::MAX_PERMITS);
    let room = Arc::new(Semaphore::new(connections_max));
    let mut acceptors = JoinSet::new();
    for WorkerListener { socket, scheme } in listeners {
        let tls = if scheme == Scheme::Https { tls.clone() } else { None };
        let entrance = Entrance { local: socket.local_addr()?, tls };
        let acceptor = Acceptor { worker: Arc::clone(&worker), entrance, room: Arc::clone(&room) };
        acceptors.spawn(acceptor.run(TcpListener::from_std(socket)?, stop.clone()));
    }
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    while stop.run_until_cancelled(sweep.tick()).await.is_some() {
        let now = Instant::now();
        worker.shared.targets_each(|target| target.idle.sweep(worker.index, now));
    }
    while acceptors.join_next().await.is_some() {}
    worker.is_closing.store(true, Ordering::Relaxed);
    worker.closing.cancel();
    worker.tasks.close();
    if tokio::time::timeout(settings.drain_deadline, worker.tasks.wait()).await.is_ok() {
        return Ok(0);
    }
    worker.is_aborting.store(true, Ordering::Relaxed);
    Ok(worker.tasks.len())
}

/// Accepts from one listener.
struct Acceptor {
    worker: Arc<Worker>,
    entrance: Entrance,
    room: Arc<Semaphore>,
}

impl Acceptor {
    async fn run(self, listener: TcpListener, stop: CancellationToken) {
        if stop.run_until_cancelled(self.accept(&listener)).await.is_none() {
            self.accept_last(listener);
        }
    }

    async fn accept(&self, listener: &TcpListener) {
        // The semaphore is never closed.
        while let Ok(place) = Arc::clone(&self.room).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let serve = connection_serve(Arc::clone(&self.worker), stream, peer, self.entrance.clone());
                    self.worker.tasks.spawn(async move {
                        serve.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(address = %self.entrance.local, %error, "cannot accept connections; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Takes what the kernel has accepted already: closing the socket would reset those connections. A successor that holds
    /// the socket too gets whatever comes afterwards.
    fn accept_last(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        for _ in 0..LAST_ACCEPTS_MAX {
            let Ok((stream, peer)) = listener.accept() else { return };
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
                self.worker.tasks.spawn(connection_serve(
                    Arc::clone(&self.worker),
                    stream,
                    peer,
                    self.entrance.clone(),
                ));
            }
        }
    }
}
