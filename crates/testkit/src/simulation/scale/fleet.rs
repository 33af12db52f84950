//! The fake engine on many nodes, with its traffic counted. Its instances write nothing, so that following their output is
//! waiting for their end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ambo_controller::ports::{Connection, DialError, Dialer};
use ambo_model::{ImageReference, Instance, InstanceId, Timestamp, WorkloadId};
use ambo_scheduler::fake::FakeEngine;
use ambo_scheduler::{
    Attached, EngineStatus, ExecSpec, InstanceLog, RunSpec, Scheduler, SchedulerError, SchedulerEvent, WorkloadSpec,
};
use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::meter::Meter;

/// The engine, counted. Clones are the same engine.
#[derive(Debug, Clone)]
pub(super) struct Fleet {
    engine: FakeEngine,
    meter: Meter,
    /// Who follows whose output.
    readers: Arc<Mutex<HashMap<InstanceId, Vec<oneshot::Sender<()>>>>>,
}

impl Fleet {
    pub(super) fn new(nodes: usize, meter: Meter) -> Self {
        let engine = FakeEngine::new();
        engine.nodes_set(nodes);
        Self { engine, meter, readers: Arc::default() }
    }

    /// From now on starts take this long.
    pub(super) fn starts_take(&self, duration: Duration) {
        self.engine.starts_take(duration);
    }

    pub(super) fn node_lose(&self, name: &str) -> usize {
        let lost = self.meter.stand_in(|| self.engine.node_lose(name));
        self.over(&lost);
        lost.len()
    }

    /// How many instances run.
    pub(super) fn running(&self) -> usize {
        self.meter.stand_in(|| self.engine.instances().iter().filter(|instance| instance.is_running()).count())
    }

    fn over(&self, gone: &[InstanceId]) {
        let mut readers = self.readers.lock();
        gone.iter().for_each(|id| drop(readers.remove(id)));
    }
}

#[async_trait]
impl Scheduler for Fleet {
    async fn instances_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        let seen = self.meter.stand_in(|| self.engine.instances_observe().now_or_never());
        let seen = seen.unwrap_or(Ok(Vec::new()))?;
        self.meter.count(|traffic| {
            traffic.observations += 1;
            traffic.instances_observed += seen.len() as u64;
        });
        Ok(seen)
    }

    async fn workload_ensure(&self, spec: &WorkloadSpec) -> Result<(), SchedulerError> {
        self.meter.count(|traffic| traffic.ensures += 1);
        self.meter.stand_in(|| self.engine.workload_ensure(spec).now_or_never()).unwrap_or(Ok(()))
    }

    async fn workload_shrink(
        &self,
        workload: &WorkloadId,
        keep: u32,
        retire: &[InstanceId],
        grace: Duration,
    ) -> Result<(), SchedulerError> {
        self.engine.workload_shrink(workload, keep, retire, grace).await?;
        self.over(retire);
        Ok(())
    }

    async fn workload_remove(&self, workload: &WorkloadId, grace: Duration) -> Result<(), SchedulerError> {
        self.engine.workload_remove(workload, grace).await
    }

    async fn instance_stop(&self, instance: &InstanceId, grace: Duration) -> Result<(), SchedulerError> {
        self.engine.instance_stop(instance, grace).await?;
        self.over(std::slice::from_ref(instance));
        Ok(())
    }

    async fn instance_logs(
        &self,
        instance: &InstanceId,
        _since: Option<Timestamp>,
    ) -> Result<BoxStream<'static, Result<InstanceLog, SchedulerError>>, SchedulerError> {
        let (reader, over) = oneshot::channel();
        self.readers.lock().entry(instance.clone()).or_default().push(reader);
        Ok(stream::once(over).filter_map(|_| std::future::ready(None)).boxed())
    }

    async fn instance_last_lines(&self, instance: &InstanceId, count: usize) -> Result<Vec<String>, SchedulerError> {
        self.engine.instance_last_lines(instance, count).await
    }

    async fn instance_exec(&self, instance: &InstanceId, exec: ExecSpec) -> Result<Attached, SchedulerError> {
        self.engine.instance_exec(instance, exec).await
    }

    async fn run(&self, run: RunSpec) -> Result<Attached, SchedulerError> {
        self.engine.run(run).await
    }

    async fn runs_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        self.meter.stand_in(|| self.engine.runs_observe().now_or_never()).unwrap_or(Ok(Vec::new()))
    }

    async fn image_ensure(&self, image: &ImageReference) -> Result<(), SchedulerError> {
        self.engine.image_ensure(image).await
    }

    async fn events(&self) -> Result<BoxStream<'static, SchedulerEvent>, SchedulerError> {
        self.engine.events().await
    }

    async fn status(&self) -> Result<EngineStatus, SchedulerError> {
        self.engine.status().await
    }
}

#[async_trait]
impl Dialer for Fleet {
    /// Whoever runs answers.
    async fn dial(&self, _endpoint: SocketAddr) -> Result<Box<dyn Connection>, DialError> {
        self.meter.count(|traffic| traffic.dials += 1);
        Ok(Box::new(tokio::io::empty()))
    }
}
