//! The router as a whole: bind, run, stop.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread;

use ambo_model::RouteTable;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::access::{AccessSink, AccessThread};
use crate::client::Scheme;
use crate::last_good;
use crate::listen::{BindError, Listeners};
use crate::publish::{RouterHandle, Shared};
use crate::settings::RouterSettings;
use crate::tls::{self, Certificate, Certificates};
use crate::worker::{Worker, WorkerListener, worker_run};

/// A router that listens; it answers once it runs.
pub struct Router {
    shared: Arc<Shared>,
    listeners: Listeners,
    access: Arc<dyn AccessSink>,
    /// What was published since the start, whether or not the router runs already.
    published: watch::Receiver<Arc<RouteTable>>,
}

/// Why the router ended.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    /// TLS cannot be set up.
    #[error("set up TLS for the router")]
    Tls(#[source] tls::CertificateError),
    /// The machine gives no thread or descriptor.
    #[error("start the router's workers: raise the limits of threads and open files")]
    Start(#[source] io::Error),
    /// A worker came to an end by itself.
    #[error("router worker {index} failed")]
    Worker {
        /// Which.
        index: usize,
        /// Why; `None` after a panic.
        source: Option<io::Error>,
    },
}

/// How a shutdown went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Connections and tunnels that were still busy at the deadline and were cut off.
    pub cut_off: usize,
}

impl Router {
    /// Binds to the addresses of the settings. Loads the last good table, if there is one.
    ///
    /// `certificate` is shown to clients that name no host, or one without a certificate of its own.
    ///
    /// # Errors
    /// When an address cannot be had.
    pub fn bind(
        settings: RouterSettings,
        access: Arc<dyn AccessSink>,
        certificate: Option<Certificate>,
    ) -> Result<Self, BindError> {
        let listeners = Listeners::bind(&settings.http, &settings.https, settings.worker_count)?;
        Ok(Self::with_listeners(settings, listeners, access, certificate))
    }

    /// Takes sockets that listen already, from a predecessor or from systemd. The settings' addresses are not used.
    #[must_use]
    pub fn with_listeners(
        mut settings: RouterSettings,
        listeners: Listeners,
        access: Arc<dyn AccessSink>,
        certificate: Option<Certificate>,
    ) -> Self {
        settings.worker_count = settings.worker_count.max(1);
        let table = settings.table_path.as_deref().and_then(last_good::table_load);
        let shared = Arc::new(Shared::new(settings, Arc::new(Certificates::new(certificate))));
        let handle = RouterHandle { shared: Arc::clone(&shared) };
        // Also without a saved table: the platform's own hosts are known from the start.
        shared.table_swap(&table.clone().unwrap_or_default());
        if let Some(table) = table {
            tracing::info!(apps = table.routes.len(), "serving the last good route table");
            handle.publish(table);
        }
        let published = shared.latest();
        Self { shared, listeners, access, published }
    }

    /// Steers the router, now and while it runs.
    #[must_use]
    pub fn handle(&self) -> RouterHandle {
        RouterHandle { shared: Arc::clone(&self.shared) }
    }

    /// The sockets, to ask their addresses or to hand clones of them over.
    #[must_use]
    pub fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// Serves until `shutdown` resolves: then accepts nothing more, finishes what is under way, and ends at the drain deadline
    /// at the latest. The router's own descriptors of its sockets are closed when it stops accepting; clones stay open.
    ///
    /// Not cancel safe: dropped, it stops its workers but does not wait for them.
    ///
    /// # Errors
    /// When the workers cannot be started, or one ends by itself; then all are stopped.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<Stopped, RouterError> {
        let Self { shared, listeners, access, published } = self;
        let tls = if listeners.https.is_empty() {
            None
        } else {
            Some(tls::server_config(Arc::clone(&shared.certificates)).map_err(RouterError::Tls)?)
        };
        let stop = CancellationToken::new();
        let _stop_workers_at_the_end = stop.clone().drop_guard();
        let access = AccessThread::start(shared.rings.clone(), access).map_err(RouterError::Start)?;
        let mut workers = Vec::new();
        for (index, listeners) in listeners_spread(listeners, shared.settings.worker_count)?.into_iter().enumerate() {
            let worker = Worker::new(index, &shared);
            workers.push(thread_start(worker, listeners, tls.clone(), stop.clone()).map_err(RouterError::Start)?);
        }
        let saving = CancellationToken::new();
        let save = async {
            if let Some(path) = shared.settings.table_path.clone() {
                last_good::tables_save(path, published, saving.clone()).await;
            }
        };
        let serve = async {
            let result = workers_wait(workers, shutdown, &stop).await;
            saving.cancel();
            result
        };
        let (result, ()) = tokio::join!(serve, save);
        // The last records are on their way to the sink; waiting for it must not block the runtime.
        let _ = tokio::task::spawn_blocking(move || drop(access)).await;
        result
    }
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Router").field("listeners", &self.listeners).finish_non_exhaustive()
    }
}

/// Gives every listener to a worker and every worker at least one listener per scheme.
fn listeners_spread(listeners: Listeners, worker_count: usize) -> Result<Vec<Vec<WorkerListener>>, RouterError> {
    let mut spread: Vec<Vec<WorkerListener>> = (0..worker_count).map(|_| Vec::new()).collect();
    for (scheme, sockets) in [(Scheme::Http, listeners.http), (Scheme::Https, listeners.https)] {
        for index in sockets.len()..if sockets.is_empty() { 0 } else { worker_count } {
            let socket = sockets[index % sockets.len()].try_clone().map_err(RouterError::Start)?;
            spread[index].push(WorkerListener { socket, scheme });
        }
        for (index, socket) in sockets.into_iter().enumerate() {
            socket.set_nonblocking(true).map_err(RouterError::Start)?;
            spread[index % worker_count].push(WorkerListener { socket, scheme });
        }
    }
    Ok(spread)
}

type WorkerEnd = oneshot::Receiver<io::Result<usize>>;

fn thread_start(
    worker: Arc<Worker>,
    listeners: Vec<WorkerListener>,
    tls: Option<Arc<rustls::ServerConfig>>,
    stop: CancellationToken,
) -> io::Result<WorkerEnd> {
    let (ended, end) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let name = format!("router-{}", worker.index);
    thread::Builder::new().name(name).spawn(move || {
        let result = runtime.block_on(worker_run(worker, listeners, tls, stop));
        // What is left is cut off here, and logged, before anybody is told that the worker has ended.
        drop(runtime);
        // Nobody waits when `run` was dropped.
        let _ = ended.send(result);
    })?;
    Ok(end)
}

/// Waits for the shutdown, then for the workers; or for the first worker that ends without having been asked.
async fn workers_wait(
    workers: Vec<WorkerEnd>,
    shutdown: impl Future<Output = ()>,
    stop: &CancellationToken,
) -> Result<Stopped, RouterError> {
    let failed = |index, end: Result<io::Result<usize>, oneshot::error::RecvError>| match end {
        Ok(Ok(_)) => RouterError::Worker { index, source: None },
        Ok(Err(source)) => RouterError::Worker { index, source: Some(source) },
        Err(_) => RouterError::Worker { index, source: None },
    };
    let mut ends = FuturesUnordered::new();
    for (index, end) in workers.into_iter().enumerate() {
        ends.push(async move { (index, end.await) });
    }
    tokio::select! {
        () = shutdown => stop.cancel(),
        Some((index, end)) = ends.next() => return Err(failed(index, end)),
    }
    let mut stopped = Stopped::default();
    while let Some((index, end)) = ends.next().await {
        match end {
            Ok(Ok(cut_off)) => stopped.cut_off += cut_off,
            end => return Err(failed(index, end)),
        }
    }
    Ok(stopped)
}
