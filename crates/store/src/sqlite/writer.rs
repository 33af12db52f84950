//! The thread that writes.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use uuid::Uuid;

use super::SqliteSettings;
use super::apply::{self, Progress, column};
use super::error::{backend, closed};
use super::file::writer_open;
use super::history::{self, Extent};
use super::leases::Leases;
use super::readers::revision;
use crate::port::{Committed, LeaseId, Operation, Revision, StoreError, Transaction};

/// Most bytes of requests that wait for the writer. Callers wait while the queue is full.
pub(super) const QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What any request counts for in the queue at least, in bytes; so no more than a thousand wait.
const REQUEST_BYTES_MIN: usize = 16 * 1024;
/// Most requests that wait.
const QUEUE_REQUESTS_MAX: usize = QUEUE_BYTES_MAX / REQUEST_BYTES_MIN;
/// Most requests that share a commit.
const BATCH_REQUESTS_MAX: usize = 256;
/// How long the end of a lease waits after it could not be written.
const LEASE_END_RETRY: Duration = Duration::from_secs(1);

/// Where an answer goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Request {
    Commit { transaction: Transaction, answer: Answer<Committed> },
    LeaseGrant { ttl: Duration, answer: Answer<LeaseId> },
    LeaseRenew { lease: LeaseId, answer: Answer<()> },
    LeaseRevoke { lease: LeaseId, answer: Answer<()> },
}

#[derive(Debug)]
struct Queued {
    request: Request,
    at: Instant,
    /// The request's place in the queue.
    _place: OwnedSemaphorePermit,
}

/// The handle on the writing thread. Dropped, it waits until what is queued is done and the file is closed.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<SyncSender<Queued>>,
    places: Arc<Semaphore>,
    revisions: watch::Receiver<Revision>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(path: &Path, settings: SqliteSettings) -> Result<Self, StoreError> {
        let connection = writer_open(path, settings.file_bytes_max)?;
        let state = State::load(&connection, Instant::now()).map_err(|error| backend("read the state", error))?;
        let (revision_sender, revisions) = watch::channel(state.revision);
        let (queue, requests) = sync_channel(QUEUE_REQUESTS_MAX);
        let thread = WriterThread { connection, state, settings, requests, revisions: revision_sender };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || thread.run())
            .map_err(|source| StoreError::Backend { doing: "start the writer".to_owned(), source: Box::new(source) })?;
        let places = Arc::new(Semaphore::new(QUEUE_BYTES_MAX));
        Ok(Self { queue: Some(queue), places, revisions, thread: Some(thread) })
    }

    /// Queues a request of so many bytes and waits for its answer.
    pub(super) async fn ask<T>(
        &self,
        bytes: usize,
        request: impl FnOnce(Answer<T>) -> Request,
    ) -> Result<T, StoreError> {
        let bytes = u32::try_from(bytes.max(REQUEST_BYTES_MIN)).unwrap_or(u32::MAX);
        let place = Arc::clone(&self.places).acquire_many_owned(bytes).await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let queued = Queued { request: request(answer), at: Instant::now(), _place: place };
        // There is room for as many requests as there are places, so this fails only when the thread is gone.
        self.queue.as_ref().ok_or_else(closed)?.try_send(queued).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Follows the revision of the last commit.
    pub(super) fn revisions(&self) -> watch::Receiver<Revision> {
        self.revisions.clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer had panicked");
        }
    }
}

/// What the writer keeps in memory. A batch works on a copy that replaces it with the commit.
#[derive(Debug, Clone)]
struct State {
    revision: Revision,
    extent: Extent,
    leases: Leases,
}

impl State {
    fn load(connection: &Connection, now: Instant) -> rusqlite::Result<Self> {
        Ok(Self {
            revision: revision(connection)?,
            extent: history::extent(connection)?,
            leases: Leases::load(connection, now)?,
        })
    }

    /// Does something that writes, and takes over how far it came.
    fn write(&mut self, write: impl FnOnce(&mut Progress) -> rusqlite::Result<()>) -> rusqlite::Result<()> {
        let mut progress = Progress { revision: self.revision, history_bytes: self.extent.bytes };
        write(&mut progress)?;
        self.revision = progress.revision;
        self.extent.bytes = progress.history_bytes;
        Ok(())
    }
}

struct WriterThread {
    connection: Connection,
    state: State,
    settings: SqliteSettings,
    requests: Receiver<Queued>,
    revisions: watch::Sender<Revision>,
}

impl WriterThread {
    fn run(mut self) {
        let mut retry_after = None;
        loop {
            let deadline =
                self.state.leases.next_deadline().map(|deadline| retry_after.map_or(deadline, |at| deadline.max(at)));
            let received = match deadline {
                None => self.requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => self.requests.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            };
            match received {
                Ok(first) => {
                    let mut batch = vec![first];
                    batch.extend(self.requests.try_iter().take(BATCH_REQUESTS_MAX - 1));
                    self.batch_do(batch);
                }
                Err(RecvTimeoutError::Timeout) => retry_after = self.leases_end(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Does a batch in one commit; when that fails, each request in a commit of its own, so that one which fits is done.
    fn batch_do(&mut self, batch: Vec<Queued>) {
        match self.commit(&batch) {
            Ok(outcomes) => {
                batch.into_iter().zip(outcomes).for_each(|(queued, outcome)| outcome.answer(queued.request))
            }
            Err(_) if batch.len() > 1 => batch.into_iter().for_each(|queued| self.batch_do(vec![queued])),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a commit failed");
                if let Some(queued) = batch.into_iter().next() {
                    Outcome::Failed(backend("commit", error)).answer(queued.request);
                }
            }
        }
    }

    /// Ends the leases whose time has come. Gives when to try again if that failed.
    fn leases_end(&mut self) -> Option<Instant> {
        let error = self.commit(&[]).err()?;
        tracing::warn!(error = &error as &dyn std::error::Error, "the end of a lease could not be written");
        Some(Instant::now() + LEASE_END_RETRY)
    }

    fn commit(&mut self, batch: &[Queued]) -> rusqlite::Result<Vec<Outcome>> {
        let mut state = self.state.clone();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut outcomes = Vec::with_capacity(batch.len());
        for queued in batch {
            outcomes.push(request_do(&transaction, &mut state, queued)?);
        }
        if batch.is_empty() {
            ended_leases_remove(&transaction, &mut state, Instant::now())?;
        }
        if state.revision != self.state.revision {
            transaction.prepare_cached("UPDATE state SET revision = ?1")?.execute([column(state.revision)])?;
            let SqliteSettings { history_revisions_max, history_bytes_max, .. } = self.settings;
            history::compact(
                &transaction,
                &mut state.extent,
                state.revision,
                history_revisions_max,
                history_bytes_max,
            )?;
        }
        transaction.commit()?;
        self.state = state;
        self.revisions.send_if_modified(|revision| {
            let moved = *revision != self.state.revision;
            *revision = self.state.revision;
            moved
        });
        Ok(outcomes)
    }
}

/// What came of a request.
enum Outcome {
    Committed(Committed),
    Granted(LeaseId),
    Done,
    Failed(StoreError),
}

impl Outcome {
    /// Answers the request. One whose caller has gone is not told.
    fn answer(self, request: Request) {
        match (self, request) {
            (Outcome::Committed(committed), Request::Commit { answer, .. }) => drop(answer.send(Ok(committed))),
            (Outcome::Granted(lease), Request::LeaseGrant { answer, .. }) => drop(answer.send(Ok(lease))),
            (Outcome::Done, Request::LeaseRenew { answer, .. } | Request::LeaseRevoke { answer, .. }) => {
                drop(answer.send(Ok(())));
            }
            (Outcome::Failed(error), Request::Commit { answer, .. }) => drop(answer.send(Err(error))),
            (Outcome::Failed(error), Request::LeaseGrant { answer, .. }) => drop(answer.send(Err(error))),
            (Outcome::Failed(error), Request::LeaseRenew { answer, .. } | Request::LeaseRevoke { answer, .. }) => {
                drop(answer.send(Err(error)));
            }
            // `request_do` gives each request its own kind of outcome.
            (Outcome::Committed(_) | Outcome::Granted(_) | Outcome::Done, _) => {}
        }
    }
}

fn request_do(connection: &Connection, state: &mut State, queued: &Queued) -> rusqlite::Result<Outcome> {
    // A renewal touches no disk, so that leases live on while the disk is full.
    if let Request::LeaseRenew { lease, .. } = &queued.request {
        let renewed = state.leases.renew(lease, queued.at);
        return Ok(if renewed { Outcome::Done } else { Outcome::Failed(StoreError::LeaseGone) });
    }
    ended_leases_remove(connection, state, queued.at)?;
    match &queued.request {
        Request::Commit { transaction, .. } => transaction_do(connection, state, transaction),
        Request::LeaseGrant { ttl, .. } => {
            let lease = LeaseId(Uuid::new_v4().to_string());
            let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
            apply::lease_insert(connection, &lease, ttl_ms)?;
            state.leases.insert(lease.clone(), *ttl, queued.at);
            Ok(Outcome::Granted(lease))
        }
        Request::LeaseRevoke { lease, .. } => {
            if state.leases.remove(lease) {
                state.write(|progress| apply::lease_remove(connection, lease, progress))?;
            }
            Ok(Outcome::Done)
        }
        Request::LeaseRenew { .. } => Ok(Outcome::Done),
    }
}

fn transaction_do(connection: &Connection, state: &mut State, transaction: &Transaction) -> rusqlite::Result<Outcome> {
    if let Some(key) = apply::conflict(connection, transaction)? {
        return Ok(Outcome::Failed(StoreError::Conflict { key }));
    }
    let lease_gone = transaction.operations.iter().any(|operation| match operation {
        Operation::Put { lease: Some(lease), .. } => !state.leases.contains(lease),
        Operation::Put { lease: None, .. } | Operation::Delete { .. } => false,
    });
    if lease_gone {
        return Ok(Outcome::Failed(StoreError::LeaseGone));
    }
    state.write(|progress| apply::operations(connection, transaction, progress))?;
    Ok(Outcome::Committed(Committed { revision: state.revision }))
}

fn ended_leases_remove(connection: &Connection, state: &mut State, now: Instant) -> rusqlite::Result<()> {
    while let Some(lease) = state.leases.ended(now) {
        state.leases.remove(&lease);
        state.write(|progress| apply::lease_remove(connection, &lease, progress))?;
    }
    Ok(())
}
