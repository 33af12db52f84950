//! The leader's side: what every router shall go by, and how far each has come.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{InstanceId, LogLine, RouteTable};
use futures::{Stream, StreamExt};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::message::{FromRouter, RoutedCertificate, ToRouter, UNKEPT_BATCHES_MAX};
use super::tables::{Routes, Tables};
use crate::frames::{Frame, reader};
use crate::steady::BEAT_INTERVAL;

/// How long a router may take to say that it goes by a table. One that is silent for longer is cut off: it may go on by an old
/// table, whose instances it finds gone, and learns the new one when it is back.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same for one that has just come: it is sent everything, as all the others are that come to a new leader at the same
/// time. Cut off earlier, a thousand of them would begin again and again, and none would ever get to the end.
const FIRST_PATIENCE: Duration = Duration::from_secs(120);
/// What a drain may take beyond its grace: once more the grace for tunnels is the router's own affair.
const DRAIN_MARGIN: Duration = Duration::from_secs(2);

/// Steers all routers that are linked.
#[derive(Debug)]
pub struct Hub {
    state: Mutex<State>,
    /// Changes with every number that is handed out.
    latest: watch::Sender<u64>,
    /// Changes when a router has come along, or has gone.
    progress: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// Of the last publication.
    number: u64,
    tables: Tables,
    certificates: Arc<Vec<RoutedCertificate>>,
    /// As they go to routers, once they have gone to any.
    certificates_frame: Option<Frame>,
    /// When they were last replaced.
    certificates_number: u64,
    drains: BTreeMap<u64, Drain>,
    links: HashMap<u64, LinkState>,
    links_made: u64,
}

#[derive(Debug, Clone)]
struct Drain {
    instances: Vec<InstanceId>,
    grace: Duration,
}

#[derive(Debug)]
struct LinkState {
    node: String,
    since: Instant,
    /// The number that it goes by; zero until it has taken everything.
    applied: u64,
    draining: Vec<u64>,
    cut: tokio_util::sync::CancellationToken,
}

/// What one router was sent last.
#[derive(Default)]
struct Sent {
    number: u64,
    routes: Option<Arc<Routes>>,
    drain: u64,
}

impl Default for Hub {
    fn default() -> Self {
        Self { state: Mutex::default(), latest: watch::Sender::new(0), progress: watch::Sender::new(0) }
    }
}

impl Hub {
    /// Replaces the whole table. When this returns, every linked router goes by it, was cut off, or has only just come and is
    /// still taking its first: that one goes on as if it were not linked yet.
    pub async fn routes_publish(&self, table: RouteTable) {
        let number = {
            let mut state = self.state.lock();
            if !state.tables.set(table) {
                return;
            }
            state.number += 1;
            state.number
        };
        self.everywhere(number).await;
    }

    /// Replaces all certificates. When this returns, every linked router shows them, or as in [`Hub::routes_publish`].
    pub async fn certificates_publish(&self, certificates: Vec<RoutedCertificate>) {
        let number = {
            let mut state = self.state.lock();
            if state.certificates_number > 0 && *state.certificates == certificates {
                return;
            }
            state.number += 1;
            state.certificates_number = state.number;
            state.certificates = Arc::new(certificates);
            state.certificates_frame = None;
            state.number
        };
        self.everywhere(number).await;
    }

    /// Waits until no router has a request in flight to these, or the grace has passed.
    pub async fn instances_drained(&self, instances: &[InstanceId], grace: Duration) {
        let number = {
            let mut state = self.state.lock();
            state.number += 1;
            let number = state.number;
            state.drains.insert(number, Drain { instances: instances.to_vec(), grace });
            for link in state.links.values_mut() {
                link.draining.push(number);
            }
            number
        };
        self.latest.send_replace(number);
        let over = self.wait_for(|state| state.links.values().all(|link| !link.draining.contains(&number)));
        if tokio::time::timeout(grace + DRAIN_MARGIN, over).await.is_err() {
            tracing::warn!(?instances, "a router did not say in time that it has drained them");
        }
        self.state.lock().drains.remove(&number);
    }

    /// The nodes whose routers are linked, each with whether it goes by the newest table.
    #[must_use]
    pub fn routers(&self) -> Vec<(String, bool)> {
        let state = self.state.lock();
        let mut routers: Vec<_> =
            state.links.values().map(|link| (link.node.clone(), link.applied >= state.number)).collect();
        routers.sort();
        routers
    }

    /// Carries one router's stream to its end. `lines` takes what it has to log, and returns when that is kept.
    ///
    /// # Errors
    /// When the stream breaks, or the router does not come along.
    pub async fn serve<S>(&self, node: &str, stream: S, lines: &dyn LinesSink) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let (from, to) = tokio::io::split(stream);
        let (link, cut) = self.link_add(node);
        let _gone_at_the_end = Gone { hub: self, link };
        let (batches, batches_waiting) = mpsc::channel(UNKEPT_BATCHES_MAX);
        let (kept, lines_kept) = watch::channel(0);
        tokio::select! {
            ended = self.listen(link, reader(from), batches) => ended,
            ended = self.tell(to, lines_kept) => ended,
            () = keep(batches_waiting, lines, kept) => Ok(()),
            () = cut.cancelled() => Err(io::Error::new(io::ErrorKind::TimedOut, "the router does not come along")),
        }
    }

    fn link_add(&self, node: &str) -> (u64, tokio_util::sync::CancellationToken) {
        let mut state = self.state.lock();
        state.links_made += 1;
        let (link, cut) = (state.links_made, tokio_util::sync::CancellationToken::new());
        let draining = state.drains.keys().copied().collect();
        let known = LinkState { node: node.to_owned(), since: Instant::now(), applied: 0, draining, cut: cut.clone() };
        state.links.insert(link, known);
        (link, cut)
    }

    async fn listen(
        &self,
        link: u64,
        mut from: impl Stream<Item = io::Result<FromRouter>> + Unpin,
        batches: mpsc::Sender<Batch>,
    ) -> io::Result<()> {
        while let Some(message) = from.next().await {
            match message? {
                FromRouter::Applied { number } => self.come_along(link, |state| state.applied = number),
                FromRouter::Drained { number } => {
                    self.come_along(link, |state| state.draining.retain(|drain| *drain != number));
                }
                FromRouter::Lines { through, lines } => {
                    // A router that sends no more than it may never waits here.
                    batches.send(Batch { through, lines }).await.map_err(io::Error::other)?;
                }
            }
        }
        Ok(())
    }

    fn come_along(&self, link: u64, change: impl FnOnce(&mut LinkState)) {
        if let Some(state) = self.state.lock().links.get_mut(&link) {
            change(state);
        }
        self.progress.send_modify(|count| *count += 1);
    }

    async fn tell(&self, mut to: impl AsyncWrite + Unpin, mut kept: watch::Receiver<u64>) -> io::Result<()> {
        let (mut latest, mut sent) = (self.latest.subscribe(), Sent::default());
        loop {
            latest.borrow_and_update();
            let frames = self.state.lock().since(&mut sent)?;
            for frame in frames {
                frame.write(&mut to).await?;
            }
            tokio::select! {
                () = tokio::time::sleep(BEAT_INTERVAL) => Frame::of(&ToRouter::Beat)?.write(&mut to).await?,
                changed = latest.changed() => changed.map_err(io::Error::other)?,
                changed = kept.changed() => {
                    changed.map_err(io::Error::other)?;
                    let through = *kept.borrow_and_update();
                    Frame::of(&ToRouter::LinesKept { through })?.write(&mut to).await?;
                }
            }
        }
    }

    /// Waits until every linked router goes by this number; who does not is cut off.
    async fn everywhere(&self, number: u64) {
        self.latest.send_replace(number);
        let over = self.wait_for(|state| state.links.values().all(|link| link.applied >= number));
        if tokio::time::timeout(PATIENCE, over).await.is_ok() {
            return;
        }
        for link in self.state.lock().links.values().filter(|link| link.is_late(number)) {
            tracing::warn!(node = link.node, "its router does not come along, and is cut off");
            link.cut.cancel();
        }
    }

    async fn wait_for(&self, is_so: impl Fn(&State) -> bool) {
        let mut progress = self.progress.subscribe();
        loop {
            progress.borrow_and_update();
            if is_so(&self.state.lock()) {
                return;
            }
            // The sender is ours.
            let _ = progress.changed().await;
        }
    }
}

/// Keeps the lines of routers.
#[async_trait::async_trait]
pub trait LinesSink: Send + Sync {
    /// Keeps them; they are not sent again afterwards.
    async fn keep(&self, lines: Vec<LogLine>);
}

/// Lines that one message brought.
struct Batch {
    through: u64,
    lines: Vec<LogLine>,
}

/// Keeps batch after batch. Beside the reading, so that what a router says of its table is heard while its lines are kept: that
/// may take long, where other machines keep them too.
async fn keep(mut batches: mpsc::Receiver<Batch>, lines: &dyn LinesSink, kept: watch::Sender<u64>) {
    while let Some(Batch { through, lines: new }) = batches.recv().await {
        lines.keep(new).await;
        kept.send_replace(through);
    }
}

/// Forgets a link when its stream has ended, however it did.
struct Gone<'a> {
    hub: &'a Hub,
    link: u64,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.hub.state.lock().links.remove(&self.link);
        self.hub.progress.send_modify(|count| *count += 1);
    }
}

impl LinkState {
    /// Whether it could have come along, and has not.
    fn is_late(&self, number: u64) -> bool {
        self.applied < number && (self.applied > 0 || self.since.elapsed() >= FIRST_PATIENCE)
    }
}

impl State {
    /// What a router that was sent `sent` has not heard yet; notes it as sent.
    fn since(&mut self, sent: &mut Sent) -> io::Result<Vec<Frame>> {
        let mut frames = Vec::new();
        if self.number > sent.number {
            if self.certificates_number > sent.number {
                frames.push(self.certificates_frame()?);
            }
            frames.extend(self.tables.news(&mut sent.routes)?);
            frames.push(Frame::of(&ToRouter::Confirm { number: self.number })?);
            sent.number = self.number;
        }
        for (number, drain) in self.drains.range(sent.drain + 1..) {
            sent.drain = *number;
            let grace_ms = u64::try_from(drain.grace.as_millis()).unwrap_or(u64::MAX);
            let drain = ToRouter::Drain { number: *number, instances: drain.instances.clone(), grace_ms };
            frames.push(Frame::of(&drain)?);
        }
        Ok(frames)
    }

    fn certificates_frame(&mut self) -> io::Result<Frame> {
        if let Some(frame) = &self.certificates_frame {
            return Ok(frame.clone());
        }
        let message = ToRouter::Certificates { certificates: self.certificates.as_ref().clone() };
        Ok(self.certificates_frame.insert(Frame::of(&message)?).clone())
    }
}
