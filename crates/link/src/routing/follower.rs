//! A router's side.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{AppId, InstanceId, LogLine, Route, RouteTable};
use async_trait::async_trait;
use futures::stream::FuturesUnordered;
use futures::{SinkExt, StreamExt};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use super::message::{FromRouter, RoutedCertificate, ToRouter, UNKEPT_BATCHES_MAX};
use crate::frames::{reader, writer};
use crate::steady::Steady;

/// Lines of one message.
const BATCH_LINES: usize = 500;
/// Lines that wait for a leader; then the oldest go.
const BACKLOG_LINES_MAX: usize = 100_000;

/// What a router does.
#[async_trait]
pub trait Routed: Send + Sync + 'static {
    /// Goes by this table from now on.
    fn table_set(&self, table: RouteTable);
    /// Shows these certificates from now on.
    fn certificates_set(&self, certificates: Vec<RoutedCertificate>);
    /// Waits until no request is in flight to these, or the grace has passed.
    async fn drained(&self, instances: &[InstanceId], grace: Duration);
}

/// Lines that no leader has kept yet. They outlive a stream.
#[derive(Debug, Default)]
pub struct Backlog {
    state: Mutex<Waiting>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<LogLine>,
    /// How many were ever added and are gone from the front: kept, or dropped.
    gone: u64,
    /// Up to which number they were sent on this stream.
    sent: u64,
    /// The last number of each message that was sent on this stream and is not kept.
    unkept: VecDeque<u64>,
    dropped: u64,
}

impl Backlog {
    /// Adds a line; when too many wait, the oldest goes.
    pub fn add(&self, line: LogLine) {
        let mut state = self.state.lock();
        state.lines.push_back(line);
        if state.lines.len() > BACKLOG_LINES_MAX {
            state.lines.pop_front();
            state.gone += 1;
            state.dropped += 1;
            state.sent = state.sent.max(state.gone);
        }
        drop(state);
        self.more.notify_one();
    }

    /// Lines that went before any leader had kept them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }

    /// On a new stream everything that is not kept is sent again.
    fn begin(&self) {
        let mut state = self.state.lock();
        state.sent = state.gone;
        state.unkept.clear();
    }

    /// The next lines that were not sent on this stream, with the number of the last, once the leader has room for them.
    /// Cancel safe.
    async fn next(&self) -> (u64, Vec<LogLine>) {
        loop {
            let more = self.more.notified();
            if let Some(batch) = self.batch() {
                return batch;
            }
            more.await;
        }
    }

    fn batch(&self) -> Option<(u64, Vec<LogLine>)> {
        let mut state = self.state.lock();
        if state.unkept.len() >= UNKEPT_BATCHES_MAX {
            return None;
        }
        let skipped = usize::try_from(state.sent - state.gone).unwrap_or(usize::MAX);
        let lines: Vec<LogLine> = state.lines.iter().skip(skipped).take(BATCH_LINES).cloned().collect();
        if lines.is_empty() {
            return None;
        }
        let through = state.sent + lines.len() as u64;
        state.sent = through;
        state.unkept.push_back(through);
        Some((through, lines))
    }

    fn kept(&self, through: u64) {
        let mut state = self.state.lock();
        while state.gone < through && state.lines.pop_front().is_some() {
            state.gone += 1;
        }
        state.unkept.retain(|sent| *sent > through);
        drop(state);
        self.more.notify_one();
    }
}

/// Does what the leader says, as long as the stream lasts.
///
/// # Errors
/// When the stream breaks, or the leader is silent. What was set stays in force.
pub async fn follow<S>(stream: S, routed: Arc<dyn Routed>, backlog: &Backlog) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let (from, to) = tokio::io::split(stream);
    let (mut from, mut to) = (reader::<ToRouter>(Steady::new(from)), writer::<FromRouter>(to));
    let mut routes: BTreeMap<AppId, Route> = BTreeMap::new();
    let mut drains = FuturesUnordered::new();
    backlog.begin();
    loop {
        tokio::select! {
            message = from.next() => match message {
                None => return Ok(()),
                Some(Err(error)) => return Err(error),
                Some(Ok(ToRouter::Table { whole, routes: new, gone })) => {
                    if whole {
                        routes.clear();
                    }
                    gone.iter().for_each(|app| drop(routes.remove(app)));
                    routes.extend(new.into_iter().map(|route| (route.app, route)));
                    routed.table_set(RouteTable { routes: routes.values().cloned().collect() });
                }
                Some(Ok(ToRouter::Certificates { certificates })) => routed.certificates_set(certificates),
                Some(Ok(ToRouter::Confirm { number })) => to.send(FromRouter::Applied { number }).await?,
                Some(Ok(ToRouter::Drain { number, instances, grace_ms })) => {
                    let routed = routed.clone();
                    drains.push(async move {
                        routed.drained(&instances, Duration::from_millis(grace_ms)).await;
                        number
                    });
                }
                Some(Ok(ToRouter::Beat)) => {}
                Some(Ok(ToRouter::LinesKept { through })) => backlog.kept(through),
            },
            Some(number) = drains.next() => to.send(FromRouter::Drained { number }).await?,
            (through, lines) = backlog.next() => to.send(FromRouter::Lines { through, lines }).await?,
        }
    }
}
