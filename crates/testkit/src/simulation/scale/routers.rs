//! A router on every node, as far as the control plane notices: the real hub, with its real messages on a stream to each.
//! What comes is counted, confirmed and thrown away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ambo_controller::ports::{Routes, ServedCertificate};
use ambo_link::routing::{Hub, LinesSink};
use ambo_model::{InstanceId, LogLine, RouteTable};
use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinSet;

use super::meter::Meter;

/// What is on its way to a router at most, in bytes.
const WIRE_BYTES: usize = 64 * 1024;
/// Bytes of the length before each message.
const LENGTH_BYTES: usize = 4;
/// How a message begins that is to be confirmed.
const CONFIRM: &[u8] = b"{\"do\":\"confirm\",\"number\":";

/// The routers.
#[derive(Debug)]
pub(super) struct Routers {
    hub: Arc<Hub>,
    bytes: Arc<AtomicU64>,
    table: Mutex<Arc<RouteTable>>,
    meter: Meter,
    links: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct NoLines;

#[async_trait]
impl LinesSink for NoLines {
    async fn keep(&self, _lines: Vec<LogLine>) {}
}

impl Routers {
    pub(super) fn new(meter: Meter) -> Self {
        let (hub, bytes, table, links) = Default::default();
        Self { hub, bytes, table, meter, links }
    }

    /// Links so many.
    pub(super) async fn link(&self, count: usize) {
        self.links_begin(count);
        while self.in_step().0 < count {
            tokio::task::yield_now().await;
        }
    }

    fn links_begin(&self, count: usize) {
        let mut links = self.links.lock();
        for number in 0..count {
            let (ours, theirs) = tokio::io::duplex(WIRE_BYTES);
            let (hub, bytes) = (Arc::clone(&self.hub), Arc::clone(&self.bytes));
            links.spawn(async move {
                let node = format!("node-{}", number + 1);
                tokio::select! {
                    _ = hub.serve(&node, ours, &NoLines) => {}
                    _ = confirm(theirs, &bytes) => {}
                }
            });
        }
    }

    /// How many are linked, and how many of them go by the newest table.
    pub(super) fn in_step(&self) -> (usize, usize) {
        let routers = self.hub.routers();
        (routers.len(), routers.iter().filter(|(_, in_step)| *in_step).count())
    }

    /// Bytes that were sent to all of them.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn table(&self) -> Arc<RouteTable> {
        self.table.lock().clone()
    }
}

/// Reads what comes, and says that it is in force.
async fn confirm(mut stream: DuplexStream, bytes: &AtomicU64) -> std::io::Result<()> {
    let mut message = Vec::new();
    loop {
        let length = stream.read_u32().await? as usize;
        bytes.fetch_add((length + LENGTH_BYTES) as u64, Ordering::Relaxed);
        message.clear();
        let begin = u64::try_from(length.min(CONFIRM.len() * 2)).unwrap_or_default();
        (&mut stream).take(begin).read_to_end(&mut message).await?;
        let rest = (length - message.len()) as u64;
        tokio::io::copy(&mut (&mut stream).take(rest), &mut tokio::io::sink()).await?;
        if let Some(number) = message.strip_prefix(CONFIRM) {
            let mut answer = b"{\"say\":\"applied\",\"number\":".to_vec();
            answer.extend_from_slice(number);
            stream.write_u32(u32::try_from(answer.len()).unwrap_or_default()).await?;
            stream.write_all(&answer).await?;
        }
    }
}

#[async_trait]
impl Routes for Routers {
    async fn routes_publish(&self, table: RouteTable) {
        self.meter.count(|traffic| traffic.tables += 1);
        self.meter.stand_in(|| *self.table.lock() = Arc::new(table.clone()));
        self.hub.routes_publish(table).await;
    }

    async fn certificates_publish(&self, _: Vec<ServedCertificate>) {}

    async fn instances_drained(&self, instances: &[InstanceId], deadline: Duration) {
        self.hub.instances_drained(instances, deadline).await;
    }
}
