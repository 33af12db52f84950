//! Who is busy with an app's repository: counted, queued, never written to a file.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ambo_model::{AppId, CommitId};
use parking_lot::Mutex;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Most sessions of one app at a time; far above what the server's limit allows.
const SESSIONS_MAX: u32 = 1 << 16;

/// Who pushes.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    /// For people.
    pub(crate) name: String,
    /// What is pushed.
    pub(crate) commit: CommitId,
    /// Since when.
    pub(crate) since: Instant,
}

/// The app is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// One app's counts and queue.
#[derive(Debug)]
pub(crate) struct AppGate {
    app: AppId,
    /// One permit per session of any kind.
    sessions: Arc<Semaphore>,
    /// One permit per `git receive-pack`, from the first byte to the last.
    pushes: Arc<Semaphore>,
    /// The one permit to build and move the refs. Fair: the first to ask is the first to get it.
    turn: Arc<Semaphore>,
    holder: Arc<Mutex<Option<Holder>>>,
    /// Whether a push ended so that git may have left something.
    dirty: AtomicBool,
    /// Held while the repository is made, brought up to date or swept, and while git moves its refs to what a bucket has.
    preparing: Arc<tokio::sync::Mutex<()>>,
    /// Ends every session of the app.
    removed: CancellationToken,
}

/// A session's place. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Entry {
    _session: OwnedSemaphorePermit,
    _push: Option<OwnedSemaphorePermit>,
}

/// The right to build and move refs. Dropping it lets the next one go on.
#[derive(Debug)]
pub(crate) struct Turn {
    holder: Arc<Mutex<Option<Holder>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.holder.lock() = None;
    }
}

impl AppGate {
    fn new(app: AppId) -> Self {
        Self {
            app,
            sessions: Arc::new(Semaphore::new(SESSIONS_MAX as usize)),
            pushes: Arc::new(Semaphore::new(SESSIONS_MAX as usize)),
            turn: Arc::new(Semaphore::new(1)),
            holder: Arc::default(),
            dirty: AtomicBool::new(false),
            preparing: Arc::default(),
            removed: CancellationToken::new(),
        }
    }

    /// The app.
    pub(crate) fn app(&self) -> AppId {
        self.app
    }

    /// Is cancelled when the app is removed.
    pub(crate) fn removed(&self) -> &CancellationToken {
        &self.removed
    }

    /// Enters to read. `ensure` makes the repository what it should be, if it is not; no two run at a time. `sweep` runs before
    /// it, and only while nobody pushes.
    pub(crate) async fn enter_to_read<E: From<Closed>>(
        &self,
        prepare: Option<(impl Future<Output = Result<(), E>>, impl Future<Output = ()>)>,
    ) -> Result<Entry, E> {
        let session = Arc::clone(&self.sessions).acquire_owned().await.map_err(|_| Closed)?;
        if let Some((ensure, sweep)) = prepare {
            self.prepare(ensure, sweep).await?;
        }
        Ok(Entry { _session: session, _push: None })
    }

    /// Enters to push. `sweep` runs only while nobody else pushes, and nobody starts to before it and `ensure` have ended.
    pub(crate) async fn enter_to_push<E: From<Closed>>(
        &self,
        ensure: impl Future<Output = Result<(), E>>,
        sweep: impl Future<Output = ()>,
    ) -> Result<Entry, E> {
        let session = Arc::clone(&self.sessions).acquire_owned().await.map_err(|_| Closed)?;
        let _preparing = self.prepare(ensure, sweep).await?;
        let push = Arc::clone(&self.pushes).acquire_owned().await.map_err(|_| Closed)?;
        Ok(Entry { _session: session, _push: Some(push) })
    }

    async fn prepare<E>(
        &self,
        ensure: impl Future<Output = Result<(), E>>,
        sweep: impl Future<Output = ()>,
    ) -> Result<OwnedMutexGuard<()>, E> {
        let preparing = self.alone().await;
        if let Ok(_all) = self.pushes.try_acquire_many(SESSIONS_MAX) {
            sweep.await;
        }
        ensure.await?;
        Ok(preparing)
    }

    /// Waits until nobody else changes what is on the disk beside the objects of pushes, and keeps it so.
    pub(crate) async fn alone(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.preparing).lock_owned().await
    }

    /// Remembers that git may have left something in the repository.
    pub(crate) fn soil(&self) {
        self.dirty.store(true, Ordering::Release);
    }

    /// Runs `sweep` if the repository may be dirty and nobody pushes or prepares it; the last one to leave cleans.
    pub(crate) async fn sweep_if_dirty(&self, sweep: impl Future<Output = ()>) {
        if !self.dirty.load(Ordering::Acquire) {
            return;
        }
        let Ok(_preparing) = self.preparing.try_lock() else { return };
        if let Ok(_all) = self.pushes.try_acquire_many(SESSIONS_MAX) {
            self.dirty.store(false, Ordering::Release);
            sweep.await;
        }
    }

    /// Runs `work` if nobody pushes, and lets nobody start to meanwhile.
    pub(crate) async fn while_nobody_pushes<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let _preparing = self.alone().await;
        let _all = self.pushes.try_acquire_many(SESSIONS_MAX).ok()?;
        Some(work.await)
    }

    /// Who pushes now.
    pub(crate) fn holder(&self) -> Option<Holder> {
        self.holder.lock().clone()
    }

    /// Waits for the turn to build.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue.
    pub(crate) async fn turn(&self, holder: impl FnOnce() -> Holder, wait_max: Duration) -> Option<Turn> {
        let permit = tokio::time::timeout(wait_max, Arc::clone(&self.turn).acquire_owned()).await.ok()?.ok()?;
        *self.holder.lock() = Some(holder());
        Some(Turn { holder: Arc::clone(&self.holder), _permit: permit })
    }

    /// Ends every session and waits until the last has gone.
    async fn close(&self, wait_max: Duration) {
        self.removed.cancel();
        let all = tokio::time::timeout(wait_max, self.sessions.acquire_many(SESSIONS_MAX)).await;
        if all.is_err() {
            tracing::warn!(app = %self.app, "sessions of a removed app have not ended in time");
        }
        self.sessions.close();
    }
}

/// The gates of all apps that anybody was busy with since the start.
#[derive(Debug, Default)]
pub(crate) struct AppGates {
    gates: Mutex<HashMap<AppId, Arc<AppGate>>>,
}

impl AppGates {
    /// The gate of an app.
    pub(crate) fn gate(&self, app: AppId) -> Arc<AppGate> {
        Arc::clone(self.gates.lock().entry(app).or_insert_with(|| Arc::new(AppGate::new(app))))
    }

    /// Ends every session of the app, runs `work`, forgets the app.
    pub(crate) async fn close<T>(&self, app: AppId, wait_max: Duration, work: impl Future<Output = T>) -> T {
        let gate = self.gate(app);
        gate.close(wait_max).await;
        let done = work.await;
        self.gates.lock().remove(&app);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder() -> Holder {
        let commit = CommitId::parse(&"a".repeat(40)).unwrap();
        Holder { name: "ann".into(), commit, since: Instant::now() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_turn_passes_on_when_its_holder_goes() {
        let gate = AppGate::new(AppId::new());
        let first = gate.turn(holder, Duration::ZERO).await.unwrap();
        assert_eq!(gate.holder().unwrap().name, "ann");
        assert!(gate.turn(holder, Duration::from_secs(5)).await.is_none());
        drop(first);
        assert!(gate.holder().is_none());
        assert!(gate.turn(holder, Duration::from_secs(5)).await.is_some());
    }

    #[tokio::test]
    async fn nobody_sweeps_under_a_push() {
        let gate = AppGate::new(AppId::new());
        let ensure = async || Ok::<(), Closed>(());
        let mut sweeps = 0;
        let first = gate.enter_to_push(ensure(), async { sweeps += 1 }).await.unwrap();
        let second = gate.enter_to_push(ensure(), async { sweeps += 1 }).await.unwrap();
        assert!(gate.while_nobody_pushes(async {}).await.is_none());
        drop((first, second));
        let _third = gate.enter_to_push(ensure(), async { sweeps += 1 }).await.unwrap();
        assert_eq!(sweeps, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_removed_app_lets_nobody_in() {
        let gates = AppGates::default();
        let app = AppId::new();
        let gate = gates.gate(app);
        gates.close(app, Duration::from_secs(1), async {}).await;
        assert!(gate.removed().is_cancelled());
        assert_eq!(gate.enter_to_read(Some((async { Ok::<(), Closed>(()) }, async {}))).await.unwrap_err(), Closed);
    }
}
