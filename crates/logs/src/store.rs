//! The logs of all apps.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ambo_model::log::LOG_LINE_BYTES_MAX;
use ambo_model::{AppId, LogLine, Timestamp};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::app_log::AppLog;
use crate::follow::Follow;
use crate::record::{LogFilter, LogRecord, line_safe};
use crate::ring::RingLimits;
use crate::safe_text::pieces;
use crate::segments::{SegmentLimits, newest_cursor};

/// Most lines that a tail gives.
pub const TAIL_LINES_MAX: usize = 10_000;
/// Most reads of segment files at a time, each of which holds a file in memory.
const READS_MAX: usize = 4;
/// How long lines gather before they are written.
const GATHER_DURATION: Duration = Duration::from_millis(50);
/// How soon a write that failed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Longest wait of a line for room.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often to look for apps that have become idle, while there are any that are not.
const REST_INTERVAL: Duration = Duration::from_secs(5);
/// Cursors leap so far with every start, so that lines that were seen but not stored never share one with later lines.
const CURSOR_LEAP: u64 = 1 << 24;
/// Removed apps whose late lines are still refused.
const REMOVED_MAX: usize = 1024;
const DIRECTORY_MODE: u32 = 0o700;

/// How much is kept.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// Most files of an app.
    pub segments_max: usize,
    /// Most bytes of a file.
    pub segment_bytes_max: u64,
    /// Most bytes of an app's lines in memory: what waits for the disk.
    pub memory_bytes_max: usize,
    /// Most lines of an app in memory.
    pub memory_lines_max: usize,
    /// Bytes of an app's lines that stay in memory once they are written, for tails.
    pub memory_bytes_kept: usize,
    /// Most bytes of all lines in memory.
    pub memory_bytes_total_max: usize,
    /// After how long without a line an app gives up its memory and its open file.
    pub idle: Duration,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            segments_max: 4,
            segment_bytes_max: 1024 * 1024,
            memory_bytes_max: 4 * 1024 * 1024,
            memory_lines_max: 16_384,
            memory_bytes_kept: 128 * 1024,
            memory_bytes_total_max: 32 * 1024 * 1024,
            idle: Duration::from_secs(30),
        }
    }
}

impl LogSettings {
    pub(crate) fn ring_limits(&self) -> RingLimits {
        RingLimits {
            bytes_max: self.memory_bytes_max,
            lines_max: self.memory_lines_max,
            total_bytes_max: self.memory_bytes_total_max,
        }
    }

    fn segment_limits(&self) -> SegmentLimits {
        SegmentLimits { segments_max: self.segments_max, segment_bytes_max: self.segment_bytes_max }
    }
}

/// The logs cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("open the logs in `{}`", .directory.display())]
pub struct OpenError {
    directory: PathBuf,
    source: io::Error,
}

/// The logs of all apps. [`LogStore::run`] must run for lines to be stored.
#[derive(Debug)]
pub struct LogStore {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    directory: PathBuf,
    pub(crate) settings: LogSettings,
    pub(crate) apps: RwLock<Apps>,
    total_bytes: Arc<AtomicUsize>,
    /// Apps with something to write.
    queued: Mutex<Vec<Arc<AppLog>>>,
    queued_notify: Notify,
    /// Whether something could not be written the last time.
    failing: AtomicBool,
    /// Apps that are not idle.
    awake: Mutex<HashMap<AppId, Arc<AppLog>>>,
    /// One write at a time.
    writes: Arc<tokio::sync::Mutex<()>>,
    reads: Arc<Semaphore>,
    /// Counts what was added and removed.
    pub(crate) growth: watch::Sender<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Apps {
    pub(crate) logs: HashMap<AppId, Arc<AppLog>>,
    /// The apps that were removed last. An app's id is never used again.
    removed: VecDeque<AppId>,
}

impl LogStore {
    /// Opens the logs in `directory`, or makes it. Blocks for as long as a look at each app's newest file takes.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub fn open(directory: &Path, settings: LogSettings) -> Result<Self, OpenError> {
        let logs = Self::open_copy(directory, settings)?;
        logs.lead();
        Ok(logs)
    }

    /// Opens logs that are a copy of those of another machine, for [`LogStore::copy`] until [`LogStore::lead`].
    ///
    /// # Errors
    /// As with [`LogStore::open`].
    pub fn open_copy(directory: &Path, settings: LogSettings) -> Result<Self, OpenError> {
        let total_bytes = Arc::new(AtomicUsize::new(0));
        let logs = logs_find(directory, &total_bytes)
            .map_err(|source| OpenError { directory: directory.to_owned(), source })?;
        let shared = Shared {
            directory: directory.to_owned(),
            settings,
            apps: RwLock::new(Apps { logs, removed: VecDeque::new() }),
            total_bytes,
            queued: Mutex::default(),
            queued_notify: Notify::new(),
            failing: AtomicBool::new(false),
            awake: Mutex::default(),
            writes: Arc::default(),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            growth: watch::Sender::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Begins to say what is new here: what others have seen and this copy has not never shares a cursor with it.
    pub fn lead(&self) {
        self.shared.apps.read().logs.values().for_each(|log| log.leap(CURSOR_LEAP));
    }

    /// Adds a line. Cheap, and never waits for the disk; a line that finds no room is dropped, and the log will say
    /// how many were. Text that is too long becomes several lines. Lines of an app that was removed are ignored.
    pub fn append(&self, line: LogLine) {
        let Some(log) = self.shared.log_ensure(line.app) else { return };
        let line = line_safe(line);
        let limits = self.shared.settings.ring_limits();
        let queue = || self.shared.queue(&log);
        if line.text.len() <= LOG_LINE_BYTES_MAX {
            log.append(std::iter::once(line), &limits, queue);
        } else {
            let lines = pieces(&line.text).map(|text| LogLine { text: text.to_owned(), ..line.clone() });
            log.append(lines, &limits, queue);
        }
        self.shared.grow();
    }

    /// Like [`LogStore::append`], but waits a while for room first: for a source that can be read more slowly, such as
    /// what an engine has kept of an instance's output.
    ///
    /// # Cancel safety
    /// Cancel safe: a dropped call has not added the line.
    pub async fn append_when_room(&self, line: LogLine) {
        let Some(log) = self.shared.log_ensure(line.app) else { return };
        self.room_wait(&log).await;
        self.append(line);
    }

    /// The newest `count` wanted lines of an app, oldest first; no more than [`TAIL_LINES_MAX`].
    pub async fn tail(&self, app: AppId, count: usize, filter: LogFilter) -> Vec<LogRecord> {
        let Some(log) = self.shared.log(app) else { return Vec::new() };
        self.read(move || log.tail(count.min(TAIL_LINES_MAX), &filter).0).await.unwrap_or_default()
    }

    /// The newest `count` wanted lines of an app, then every new one.
    pub async fn follow(&self, app: AppId, count: usize, filter: LogFilter) -> Follow {
        let Some(log) = self.shared.log_ensure(app) else { return Follow::none() };
        let (tailed, tail_filter) = (Arc::clone(&log), filter.clone());
        let tail = self.read(move || tailed.tail(count.min(TAIL_LINES_MAX), &tail_filter)).await;
        let (recent, cursor) = tail.unwrap_or_else(|| (Vec::new(), log.newest()));
        Follow::new(log, Arc::clone(&self.shared.reads), recent, cursor, filter)
    }

    /// Every wanted line after the one with this cursor; zero stands before the first.
    #[must_use]
    pub fn follow_from(&self, app: AppId, cursor: u64, filter: LogFilter) -> Follow {
        let Some(log) = self.shared.log_ensure(app) else { return Follow::none() };
        let cursor = cursor.min(log.newest()); // A cursor from nowhere would wait for ever.
        Follow::new(log, Arc::clone(&self.shared.reads), Vec::new(), cursor, filter)
    }

    /// The cursor of an app's newest line; zero when it has none.
    #[must_use]
    pub fn newest(&self, app: AppId) -> u64 {
        self.shared.log(app).map_or(0, |log| log.newest())
    }

    /// The time of the newest line that an instance itself has said (`app[name]`).
    pub async fn last_at(&self, app: AppId, name: &str) -> Option<Timestamp> {
        let (log, name) = (self.shared.log(app)?, name.to_owned());
        self.read(move || log.last_at(&name)).await?
    }

    /// Removes an app's log for good; its followers end. Removing twice is no error.
    pub async fn remove(&self, app: AppId) {
        let log = self.shared.log_forget(app);
        self.shared.grow();
        self.log_remove(log).await;
    }

    /// Waits until every line that was appended before has been written, or could not be.
    pub async fn flush(&self) {
        self.shared.write().await;
    }

    /// Stores lines until `shutdown`, then what is left.
    ///
    /// # Cancel safety
    /// Cancel safe: what is not yet stored is stored by the next run or flush.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut rest = tokio::time::interval(REST_INTERVAL);
        rest.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !shutdown.is_cancelled() {
            let awake = !self.shared.awake.lock().is_empty();
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.shared.queued_notify.notified() => {}
                _ = rest.tick(), if awake => {
                    self.shared.rest().await;
                    continue;
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(self.shared.write_delay()) => {}
            }
            self.shared.write().await;
        }
        self.shared.write().await;
    }

    /// Waits a while until a log has room. A disk that takes longer is as good as full: then new lines count for more than
    /// old ones.
    pub(crate) async fn room_wait(&self, log: &AppLog) {
        let _ = tokio::time::timeout(ROOM_WAIT_MAX, log.room(&self.shared.settings.ring_limits())).await;
    }

    /// Removes what there is of a log.
    pub(crate) async fn log_remove(&self, log: Arc<AppLog>) {
        let app = log.app();
        let removed = tokio::task::spawn_blocking(move || log.remove()).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(%app, %error, "an app's log could not be removed");
        }
    }

    /// Reads from the disk, a few at a time; `None` when the reader failed.
    pub(crate) async fn read<T: Send + 'static>(&self, read: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let place = Arc::clone(&self.shared.reads).acquire_owned().await.ok()?;
        let task = tokio::task::spawn_blocking(move || {
            let value = read();
            drop(place);
            value
        });
        task.await.ok()
    }
}

impl Shared {
    pub(crate) fn log(&self, app: AppId) -> Option<Arc<AppLog>> {
        self.apps.read().logs.get(&app).cloned()
    }

    /// The app's log, made when it is new; `None` when it was removed.
    pub(crate) fn log_ensure(&self, app: AppId) -> Option<Arc<AppLog>> {
        if let Some(log) = self.log(app) {
            return Some(log);
        }
        let mut apps = self.apps.write();
        if apps.removed.contains(&app) {
            return None;
        }
        let log = apps.logs.entry(app).or_insert_with(|| Arc::new(self.log_new(app)));
        Some(Arc::clone(log))
    }

    /// Takes a log out; the app gets none again.
    fn log_forget(&self, app: AppId) -> Arc<AppLog> {
        let mut apps = self.apps.write();
        if !apps.removed.contains(&app) {
            if apps.removed.len() == REMOVED_MAX {
                apps.removed.pop_front();
            }
            apps.removed.push_back(app);
        }
        apps.logs.remove(&app).unwrap_or_else(|| Arc::new(self.log_new(app)))
    }

    fn log_new(&self, app: AppId) -> AppLog {
        AppLog::new(app, self.directory.join(app.to_string()), 0, Arc::clone(&self.total_bytes))
    }

    /// Tells the writer of an app with something to write.
    pub(crate) fn queue(&self, log: &Arc<AppLog>) {
        self.queued.lock().push(Arc::clone(log));
        self.queued_notify.notify_one();
    }

    pub(crate) fn grow(&self) {
        self.growth.send_modify(|growth| *growth += 1);
    }

    /// How long to wait before the next write.
    fn write_delay(&self) -> Duration {
        if self.failing.load(Ordering::Relaxed) { RETRY_INTERVAL } else { GATHER_DURATION }
    }

    /// Writes what is queued.
    async fn write(self: &Arc<Self>) {
        let turn = Arc::clone(&self.writes).lock_owned().await;
        let shared = Arc::clone(self);
        let write = tokio::task::spawn_blocking(move || {
            shared.write_queued();
            drop(turn);
        });
        if write.await.is_err() {
            tracing::error!("storing log lines has panicked");
        }
    }

    fn write_queued(&self) {
        let queued = std::mem::take(&mut *self.queued.lock());
        let (ring_limits, segment_limits) = (self.settings.ring_limits(), self.settings.segment_limits());
        let mut failed = false;
        for log in queued {
            let written = log.write(&segment_limits, &ring_limits, self.settings.memory_bytes_kept);
            self.awake.lock().insert(log.app(), Arc::clone(&log));
            failed |= written.failed;
            if written.queue {
                self.queued.lock().push(log);
            }
        }
        self.failing.store(failed, Ordering::Relaxed);
        if !self.queued.lock().is_empty() {
            self.queued_notify.notify_one();
        }
        if self.total_bytes.load(Ordering::Relaxed) > self.settings.memory_bytes_total_max / 2 {
            self.awake.lock().values().for_each(|log| log.trim(&ring_limits));
        }
    }

    /// Lets idle apps rest.
    async fn rest(self: &Arc<Self>) {
        let shared = Arc::clone(self);
        let rest = tokio::task::spawn_blocking(move || {
            let awake: Vec<_> = shared.awake.lock().values().cloned().collect();
            for log in awake {
                if log.rest(shared.settings.idle, &shared.settings.ring_limits()) {
                    shared.awake.lock().remove(&log.app());
                }
            }
            shared.awake.lock().shrink_to_fit();
        });
        if rest.await.is_err() {
            tracing::error!("letting idle logs rest has panicked");
        }
    }
}

/// The logs that earlier starts have left.
fn logs_find(directory: &Path, total_bytes: &Arc<AtomicUsize>) -> io::Result<HashMap<AppId, Arc<AppLog>>> {
    std::fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    let mut logs = HashMap::new();
    for found in std::fs::read_dir(directory)? {
        let found = found?;
        let Some(app) = found.file_name().to_str().and_then(|name| name.parse::<AppId>().ok()) else { continue };
        let newest = newest_cursor(&found.path())?;
        logs.insert(app, Arc::new(AppLog::new(app, found.path(), newest, Arc::clone(total_bytes))));
    }
    Ok(logs)
}
