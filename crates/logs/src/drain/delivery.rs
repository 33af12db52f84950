//! One drain's delivery: follow, buffer, send, try again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ambo_model::{AppId, DrainToken, Timestamp};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use rand::Rng;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::buffer::{Buffer, DrainTotal, Dropped};
use super::frame::{Dialect, dropped_frame, frame};
use super::http::{Posted, Poster};
use super::syslog::Connection;
use super::target::{AddressGuard, DrainKind, DrainUrl};
use crate::app_log::{is_about_logs, platform_line};
use crate::record::{LogFilter, LogRecord};
use crate::store::LogStore;

/// Most lines of a batch.
const BATCH_LINES_MAX: usize = 100;
/// Most bytes of a batch's texts, give or take a line.
const BATCH_BYTES_MAX: usize = 128 * 1024;
/// Wait after the first failure; it doubles with each further one.
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// Longest wait between two attempts.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(30);
/// How often the app's log tells of dropped lines, and of failures.
const TELL_INTERVAL: Duration = Duration::from_secs(10);
/// How long a delivery that is stopped may go on sending.
const FLUSH_DURATION_MAX: Duration = Duration::from_secs(2);

/// How far a drain has come, for whoever keeps it over restarts.
#[derive(Debug, Clone, Default)]
pub struct DrainProgress(Arc<AtomicU64>);

impl DrainProgress {
    /// A drain that has come as far as the line with this cursor; zero stands before the first.
    #[must_use]
    pub fn at(cursor: u64) -> Self {
        Self(Arc::new(AtomicU64::new(cursor)))
    }

    /// The cursor of the last line that was sent, or given up.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, cursor: u64) {
        self.0.store(cursor, Ordering::Relaxed);
    }
}

/// Sends one app's log to one receiver.
#[derive(Debug)]
pub struct DrainDelivery {
    /// Whose log.
    pub app: AppId,
    /// What the receiver knows the drain by.
    pub token: DrainToken,
    /// Where to.
    pub url: DrainUrl,
    /// Says which addresses are not connected to.
    pub guard: AddressGuard,
    /// What all drains hold together.
    pub total: DrainTotal,
    /// How far it has come: it goes on from there.
    pub progress: DrainProgress,
}

/// Lines that are sent together, and again together.
struct Batch {
    id: Uuid,
    /// The cursor of the last line.
    last: u64,
    /// How many frames there are.
    frame_count: usize,
    frames: Bytes,
    /// How many lines are lost if the receiver will not have it.
    line_count: u64,
}

/// How an attempt ended.
enum Attempt {
    Sent,
    /// The receiver will never take it.
    Refused(String),
    Failed(String),
}

type Sending = BoxFuture<'static, (Sender, Batch, Attempt)>;

impl DrainDelivery {
    /// Delivers until `stop`, or until the app's log is removed. Then sends what is at hand, for a moment.
    ///
    /// # Cancel safety
    /// Cancel safe: what was not sent is sent again by the next run with the same cursor.
    pub async fn run(self, logs: Arc<LogStore>, stop: CancellationToken) {
        let mut follow = logs.follow_from(self.app, self.progress.cursor(), LogFilter::default());
        let mut delivering = Delivering::new(&self, &logs);
        loop {
            delivering.begin();
            let tell_at = delivering.tell_at();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                (sender, batch, attempt) = ready(&mut delivering.sending) => delivering.ended(sender, batch, attempt),
                () = sleep_until(tell_at) => delivering.tell_dropped(),
                line = follow.next() => match line {
                    Some(line) => delivering.push(line),
                    None => return,
                },
            }
        }
        let _ = tokio::time::timeout(FLUSH_DURATION_MAX, delivering.flush()).await;
    }

    fn dialect(&self) -> Dialect {
        match self.url.kind() {
            DrainKind::Http => Dialect::Logplex,
            DrainKind::Syslog | DrainKind::SyslogTls => Dialect::Syslog,
        }
    }
}

/// A delivery that runs.
struct Delivering<'a> {
    drain: &'a DrainDelivery,
    logs: &'a LogStore,
    buffer: Buffer,
    /// The sender, while nothing is being sent.
    idle: Option<Sender>,
    sending: Option<Sending>,
    delay: Duration,
    /// Dropped lines that the app's log has not been told of.
    untold: Option<Dropped>,
    dropped_told: Option<Instant>,
    failure_told: Option<Instant>,
    /// Whether the app's log was told of a failure, and not of its end.
    failing: bool,
}

impl<'a> Delivering<'a> {
    fn new(drain: &'a DrainDelivery, logs: &'a LogStore) -> Self {
        Self {
            drain,
            logs,
            buffer: Buffer::new(drain.total.clone()),
            idle: Some(Sender::new(&drain.url, &drain.token, drain.guard)),
            sending: None,
            delay: RETRY_DELAY,
            untold: None,
            dropped_told: None,
            failure_told: None,
            failing: false,
        }
    }

    fn push(&mut self, record: LogRecord) {
        // What the log says of its drains would feed itself.
        if is_about_logs(&record.line) {
            return;
        }
        let now = Timestamp::now();
        let dropped = self.buffer.push(record, now);
        if dropped > 0 {
            self.untold.get_or_insert(Dropped { count: 0, since: now }).count += dropped;
        }
    }

    /// Starts sending what waits, unless something is being sent.
    fn begin(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let Some(sender) = self.idle.take() else { return };
        let batch = self.batch();
        self.sending = Some(Box::pin(sender.send(batch, Duration::ZERO)));
    }

    fn batch(&mut self) -> Batch {
        let (token, dialect) = (&self.drain.token, self.drain.dialect());
        let mut frames = Vec::new();
        let dropped = self.buffer.dropped_take();
        if let Some(dropped) = &dropped {
            dropped_frame(dropped, Timestamp::now(), token, dialect, &mut frames);
        }
        let records = self.buffer.take(BATCH_LINES_MAX, BATCH_BYTES_MAX);
        for record in &records {
            frame(&record.line, token, dialect, &mut frames);
        }
        Batch {
            id: Uuid::new_v4(),
            last: records.last().map_or(0, |record| record.cursor),
            frame_count: records.len() + usize::from(dropped.is_some()),
            frames: frames.into(),
            line_count: records.len() as u64 + dropped.map_or(0, |dropped| dropped.count),
        }
    }

    fn ended(&mut self, sender: Sender, batch: Batch, attempt: Attempt) {
        self.sending = None;
        match attempt {
            Attempt::Sent => {
                self.drain.progress.set(batch.last);
                self.delay = RETRY_DELAY;
                self.idle = Some(sender);
                if std::mem::take(&mut self.failing) {
                    self.tell(format!("Drain '{}' takes lines again", self.drain.token));
                }
            }
            Attempt::Refused(why) => {
                self.drain.progress.set(batch.last);
                self.buffer.drop_note(batch.line_count, Timestamp::now());
                self.tell_failure(&why);
                self.idle = Some(sender);
            }
            Attempt::Failed(why) => {
                self.tell_failure(&why);
                let delay = self.delay.mul_f64(rand::rng().random_range(0.5..1.0));
                self.delay = (self.delay * 2).min(RETRY_DELAY_MAX);
                self.sending = Some(Box::pin(sender.send(batch, delay)));
            }
        }
    }

    /// Sends what is at hand, for as long as the receiver takes it.
    async fn flush(&mut self) {
        let healthy = |delivering: &Self| delivering.delay == RETRY_DELAY;
        while healthy(self) && (self.sending.is_some() || !self.buffer.is_empty()) {
            self.begin();
            let (sender, batch, attempt) = ready(&mut self.sending).await;
            self.ended(sender, batch, attempt);
        }
    }

    /// Tells the app's log that the drain has begun to fail; not each time.
    fn tell_failure(&mut self, why: &str) {
        let now = Instant::now();
        let lately = self.failure_told.is_some_and(|told| now.duration_since(told) < TELL_INTERVAL);
        if self.failing || lately {
            return;
        }
        self.failing = true;
        self.failure_told = Some(now);
        self.tell(format!("Drain '{}' to {} takes no lines: {why}", self.drain.token, self.drain.url));
    }

    /// When the app's log is to be told of dropped lines next.
    fn tell_at(&self) -> Option<Instant> {
        self.untold?;
        Some(self.dropped_told.map_or_else(Instant::now, |told| told + TELL_INTERVAL))
    }

    fn tell_dropped(&mut self) {
        let Some(dropped) = self.untold.take() else { return };
        self.dropped_told = Some(Instant::now());
        self.tell(format!(
            "Error L10 (output buffer overflow): drain '{}' dropped {} messages since {}.",
            self.drain.token,
            dropped.count,
            dropped.since.strftime("%Y-%m-%dT%H:%M:%S+00:00")
        ));
    }

    fn tell(&self, text: String) {
        self.logs.append(platform_line(self.drain.app, text));
    }
}

/// What is being sent, once it is; never when nothing is.
async fn ready(sending: &mut Option<Sending>) -> (Sender, Batch, Attempt) {
    match sending {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What sends.
enum Sender {
    Syslog {
        url: DrainUrl,
        guard: AddressGuard,
        connection: Option<Connection>,
    },
    Http(Poster),
    /// It could not be made.
    Broken(String),
}

impl Sender {
    fn new(url: &DrainUrl, token: &DrainToken, guard: AddressGuard) -> Self {
        match url.kind() {
            DrainKind::Syslog | DrainKind::SyslogTls => Self::Syslog { url: url.clone(), guard, connection: None },
            DrainKind::Http => Poster::new(url, token, guard).map_or_else(Self::Broken, Self::Http),
        }
    }

    async fn send(mut self, batch: Batch, delay: Duration) -> (Self, Batch, Attempt) {
        tokio::time::sleep(delay).await;
        let attempt = match &mut self {
            Self::Syslog { url, guard, connection } => match send_syslog(url, *guard, connection, &batch).await {
                Ok(()) => Attempt::Sent,
                Err(error) => Attempt::Failed(error.to_string()),
            },
            Self::Http(poster) => match poster.post(batch.id, batch.frame_count, batch.frames.clone()).await {
                Ok(Posted::Taken) => Attempt::Sent,
                Ok(Posted::Refused(status)) => Attempt::Refused(format!("it answers {status}")),
                Err(error) => Attempt::Failed(error),
            },
            Self::Broken(error) => Attempt::Failed(error.clone()),
        };
        (self, batch, attempt)
    }
}

/// Sends over the connection that there is, or a new one. It is kept when it took the batch.
async fn send_syslog(
    url: &DrainUrl,
    guard: AddressGuard,
    kept: &mut Option<Connection>,
    batch: &Batch,
) -> io::Result<()> {
    if let Some(connection) = kept
        && connection.has_hung_up().await
    {
        *kept = None;
    }
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(url, guard).await?,
    };
    connection.send(&batch.frames).await?;
    *kept = Some(connection);
    Ok(())
}
