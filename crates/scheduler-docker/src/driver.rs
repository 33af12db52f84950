//! The driver as a whole.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::models::ContainerInspectResponse;
use ambo_engine_docker::bollard::query_parameters::{EventsOptions, InspectContainerOptions};
use ambo_engine_docker::{Engine, EngineError, EngineInfo};
use ambo_model::{ImageReference, Instance, InstanceId, Timestamp, WorkloadId};
use ambo_scheduler::{
    Attached, EngineStatus, ExecSpec, InstanceLog, RunSpec, Scheduler, SchedulerError, SchedulerEvent, WorkloadSpec,
};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::failure::{failed, failed_with};
use crate::locks::KeyedLocks;
use crate::logs::Until;
use crate::observe::Sightings;
use crate::settings::DockerSchedulerSettings;
use crate::{attach, image, labels, logs};

/// What happens to a container that somebody may want to know; exec and attach are not among them.
const EVENTS: [&str; 9] = ["create", "start", "die", "kill", "oom", "pause", "unpause", "stop", "destroy"];

/// Runs instances in a Docker Engine.
#[derive(Debug)]
pub struct DockerScheduler {
    pub(crate) driver: Arc<Driver>,
    /// Tasks that wait for one-off instances to end; they end with the scheduler.
    pub(crate) run_tasks: Mutex<JoinSet<()>>,
}

/// What the tasks share.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) engine: Engine,
    pub(crate) settings: DockerSchedulerSettings,
    info: OnceCell<EngineInfo>,
    pub(crate) sightings: Sightings,
    /// Containers that are being stopped, with the number of callers that do so.
    pub(crate) stopping: Mutex<HashMap<String, usize>>,
    /// One-off instances that a task of ours waits for.
    pub(crate) runs: Mutex<HashSet<String>>,
    pub(crate) workloads: KeyedLocks<WorkloadId>,
    /// Programs that were found in their images.
    pub(crate) programs: Mutex<HashSet<(ImageReference, String)>>,
}

impl DockerScheduler {
    /// A driver on an engine. Nothing is sent yet.
    #[must_use]
    pub fn new(engine: Engine, settings: DockerSchedulerSettings) -> Self {
        let driver = Driver {
            engine,
            settings,
            info: OnceCell::new(),
            sightings: Sightings::default(),
            stopping: Mutex::default(),
            runs: Mutex::default(),
            workloads: KeyedLocks::default(),
            programs: Mutex::default(),
        };
        Self { driver: Arc::new(driver), run_tasks: Mutex::default() }
    }

    /// The output of a container that is never restarted, after `since` and until it has ended; of one that is,
    /// [`Scheduler::instance_logs`] tells.
    ///
    /// # Errors
    /// As there.
    pub async fn logs_until_ended(
        &self,
        container: &InstanceId,
        since: Option<Timestamp>,
    ) -> Result<BoxStream<'static, Result<InstanceLog, SchedulerError>>, SchedulerError> {
        logs::follow(&self.driver, container, since, Until::Ended).await
    }
}

impl Driver {
    pub(crate) async fn docker(&self) -> Result<Docker, SchedulerError> {
        self.engine.client().await.map_err(failed("reach the engine"))
    }

    /// What the engine is; asked once.
    pub(crate) async fn info(&self) -> Result<&EngineInfo, SchedulerError> {
        self.info.get_or_try_init(|| self.engine.info()).await.map_err(failed("ask what the engine is"))
    }

    /// The container of an instance; gone when it is not there, or another platform's.
    pub(crate) async fn container(&self, instance: &InstanceId) -> Result<ContainerInspectResponse, SchedulerError> {
        let gone = || SchedulerError::InstanceGone(instance.clone());
        // Ids go into the paths of requests.
        if instance.as_str().is_empty() || !instance.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(gone());
        }
        let docker = self.docker().await?;
        let container = docker.inspect_container(instance.as_str(), None::<InspectContainerOptions>).await;
        let container = container.map_err(failed_with("look at instance", instance))?;
        let labels = container.config.as_ref().and_then(|config| config.labels.as_ref());
        if labels::is_ours(labels, &self.settings.platform) { Ok(container) } else { Err(gone()) }
    }
}

#[async_trait]
impl Scheduler for DockerScheduler {
    async fn instances_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        self.driver.instances_observe().await
    }

    async fn workload_ensure(&self, spec: &WorkloadSpec) -> Result<(), SchedulerError> {
        self.driver.workload_ensure(spec).await
    }

    async fn workload_shrink(
        &self,
        _workload: &WorkloadId,
        _keep: u32,
        retire: &[InstanceId],
        grace: Duration,
    ) -> Result<(), SchedulerError> {
        self.driver.instances_stop(retire, grace).await
    }

    async fn workload_remove(&self, workload: &WorkloadId, grace: Duration) -> Result<(), SchedulerError> {
        self.driver.workload_remove(workload, grace).await
    }

    async fn instance_stop(&self, instance: &InstanceId, grace: Duration) -> Result<(), SchedulerError> {
        self.driver.instances_stop(std::slice::from_ref(instance), grace).await
    }

    async fn instance_logs(
        &self,
        instance: &InstanceId,
        since: Option<Timestamp>,
    ) -> Result<BoxStream<'static, Result<InstanceLog, SchedulerError>>, SchedulerError> {
        logs::follow(&self.driver, instance, since, Until::Gone).await
    }

    async fn instance_last_lines(
        &self,
        instance: &InstanceId,
        line_count: usize,
    ) -> Result<Vec<String>, SchedulerError> {
        logs::last_lines(&self.driver, instance, line_count).await
    }

    async fn instance_exec(&self, instance: &InstanceId, exec: ExecSpec) -> Result<Attached, SchedulerError> {
        attach::exec(&self.driver, instance, exec).await
    }

    async fn run(&self, run: RunSpec) -> Result<Attached, SchedulerError> {
        self.run_start(run).await
    }

    async fn runs_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        self.driver.runs_observe().await
    }

    async fn image_ensure(&self, image: &ImageReference) -> Result<(), SchedulerError> {
        image::image_ensure(&self.driver.docker().await?, image, &self.driver.settings).await
    }

    async fn events(&self) -> Result<BoxStream<'static, SchedulerEvent>, SchedulerError> {
        let docker = self.driver.docker().await?;
        docker.ping().await.map_err(failed("listen to the engine"))?;
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("label".to_owned(), vec![labels::platform_filter(&self.driver.settings.platform)]),
            ("event".to_owned(), EVENTS.iter().map(ToString::to_string).collect()),
        ]);
        // The engine is asked when the stream is first read: what happens until then is told in arrears.
        let since = Some(Timestamp::now().as_second().to_string());
        let events = docker.events(Some(EventsOptions { since, until: None, filters: Some(filters) }));
        let events = events.take_while(|event| std::future::ready(event.is_ok()));
        let nudges = events.filter_map(|event| async {
            let attributes = event.ok()?.actor?.attributes?;
            Some(SchedulerEvent { app: labels::app_id(&attributes) })
        });
        Ok(nudges.boxed())
    }

    async fn status(&self) -> Result<EngineStatus, SchedulerError> {
        let info =
            self.driver.engine.info().await.map_err(|error: EngineError| failed("ask what the engine is")(error))?;
        Ok(EngineStatus {
            engine: "docker".to_owned(),
            version: info.version,
            memory_bytes: info.memory_bytes,
            cpu_count: info.cpu_count,
        })
    }
}
