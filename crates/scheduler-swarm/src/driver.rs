//! The driver as a whole.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ambo_engine_docker::{Engine, EngineInfo};
use ambo_model::{AppId, ImageReference, Instance, InstanceId, NodeId, NodeState, Timestamp, WorkloadId};
use ambo_scheduler::{
    Attached, EngineStatus, ExecSpec, InstanceLog, RunSpec, Scheduler, SchedulerError, SchedulerEvent, WorkloadSpec,
};
use ambo_scheduler_docker::DockerScheduler;
use ambo_scheduler_docker::locks::KeyedLocks;
use async_trait::async_trait;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::batches::Batches;
use crate::chains::Chains;
use crate::failure::failed;
use crate::managers::Managers;
use crate::ports::{NetworkJoiners, NodeEngines};
use crate::retire::RetiringServices;
use crate::runs::Named;
use crate::settings::SwarmSchedulerSettings;
use crate::{events, logs, machines};

/// Runs instances in a Docker Swarm.
#[derive(Debug)]
pub struct SwarmScheduler {
    pub(crate) cluster: Arc<Cluster>,
}

/// What streams share with it.
pub(crate) struct Cluster {
    pub(crate) managers: Managers,
    engines: Arc<dyn NodeEngines>,
    pub(crate) joiners: Arc<dyn NetworkJoiners>,
    pub(crate) settings: SwarmSchedulerSettings,
    pub(crate) info: OnceCell<EngineInfo>,
    /// What does things to single instances, by node.
    dockers: Mutex<HashMap<NodeId, Arc<DockerScheduler>>>,
    pub(crate) chains: Chains,
    pub(crate) finds: Batches<InstanceId, Result<Named, SchedulerError>>,
    pub(crate) retiring: Mutex<RetiringServices>,
    pub(crate) workloads: KeyedLocks<WorkloadId>,
    /// Held while something comes to an app's network, or the network goes.
    pub(crate) apps: KeyedLocks<AppId>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("managers", &self.managers)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl SwarmScheduler {
    /// A driver on a swarm with these managers, the nearest first. Nothing is sent yet.
    #[must_use]
    pub fn new(
        managers: Vec<Engine>,
        engines: Arc<dyn NodeEngines>,
        joiners: Arc<dyn NetworkJoiners>,
        settings: SwarmSchedulerSettings,
    ) -> Self {
        let cluster = Cluster {
            managers: Managers::new(managers),
            engines,
            joiners,
            settings,
            info: OnceCell::new(),
            dockers: Mutex::default(),
            chains: Chains::default(),
            finds: Batches::default(),
            retiring: Mutex::default(),
            workloads: KeyedLocks::default(),
            apps: KeyedLocks::default(),
        };
        Self { cluster: Arc::new(cluster) }
    }
}

impl Cluster {
    /// What does things to single instances on a node.
    pub(crate) async fn docker_on(&self, node: &NodeId) -> Result<Arc<DockerScheduler>, SchedulerError> {
        if let Some(docker) = self.dockers.lock().get(node) {
            return Ok(Arc::clone(docker));
        }
        let engine = self.engines.engine_of(node).await.map_err(failed(format!("reach the engine of node {node}")))?;
        let docker = Arc::new(DockerScheduler::new(engine, self.settings.docker.clone()));
        // Whoever was faster has it already: what it runs belongs to it.
        Ok(Arc::clone(self.dockers.lock().entry(node.clone()).or_insert(docker)))
    }
}

#[async_trait]
impl Scheduler for SwarmScheduler {
    async fn instances_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        self.cluster.instances_observe().await
    }

    async fn workload_ensure(&self, spec: &WorkloadSpec) -> Result<(), SchedulerError> {
        self.cluster.workload_ensure(spec).await
    }

    async fn workload_shrink(
        &self,
        workload: &WorkloadId,
        _keep: u32,
        retire: &[InstanceId],
        grace: Duration,
    ) -> Result<(), SchedulerError> {
        self.cluster.workload_shrink(workload, retire, grace).await
    }

    async fn workload_remove(&self, workload: &WorkloadId, grace: Duration) -> Result<(), SchedulerError> {
        self.cluster.workload_remove(workload, grace).await
    }

    async fn instance_stop(&self, instance: &InstanceId, grace: Duration) -> Result<(), SchedulerError> {
        self.cluster.instance_stop(instance, grace).await
    }

    async fn instance_logs(
        &self,
        instance: &InstanceId,
        since: Option<Timestamp>,
    ) -> Result<BoxStream<'static, Result<InstanceLog, SchedulerError>>, SchedulerError> {
        logs::follow(&self.cluster, instance, since).await
    }

    async fn instance_last_lines(
        &self,
        instance: &InstanceId,
        line_count: usize,
    ) -> Result<Vec<String>, SchedulerError> {
        logs::last_lines(&self.cluster, instance, line_count).await
    }

    async fn instance_exec(&self, instance: &InstanceId, exec: ExecSpec) -> Result<Attached, SchedulerError> {
        self.cluster.exec(instance, exec).await
    }

    async fn run(&self, run: RunSpec) -> Result<Attached, SchedulerError> {
        self.cluster.run_start(run).await
    }

    async fn runs_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        self.cluster.runs_observe().await
    }

    /// Nodes fetch an image when they need it; this makes sure that one can.
    async fn image_ensure(&self, image: &ImageReference) -> Result<(), SchedulerError> {
        self.cluster.image_ensure(image).await
    }

    async fn events(&self) -> Result<BoxStream<'static, SchedulerEvent>, SchedulerError> {
        events::watch(&self.cluster).await
    }

    /// What the nodes that are ready have together.
    async fn status(&self) -> Result<EngineStatus, SchedulerError> {
        let doing = || failed("ask what the swarm is");
        let info = self.cluster.managers.ask(|engine| async move { engine.info().await }).await.map_err(doing())?;
        let nodes = machines::nodes(&self.cluster.managers).await.map_err(doing())?;
        let ready = || nodes.iter().filter(|node| node.state == NodeState::Ready);
        Ok(EngineStatus {
            engine: "swarm".to_owned(),
            version: info.version,
            memory_bytes: ready().map(|node| node.resources.memory.as_u64()).sum(),
            cpu_count: ready().map(|node| node.resources.cpu.as_millis() / 1000).sum(),
        })
    }
}
