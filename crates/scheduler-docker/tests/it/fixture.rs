//! A platform of its own per test, on the machine's engine.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::models::ContainerInspectResponse;
use ambo_engine_docker::bollard::query_parameters::{
    InspectContainerOptions, KillContainerOptions, ListContainersOptions, RemoveContainerOptions,
};
use ambo_engine_docker::{DockerSettings, Engine};
use ambo_model::{
    AppId, AppName, Command, ImageReference, Instance, InstanceId, Limits, ProcessType, ReleaseVersion, Tags,
    WorkloadId,
};
use ambo_scheduler::contract::ContractFixture;
use ambo_scheduler::{Scheduler, WorkloadSpec};
use ambo_scheduler_docker::{DockerScheduler, DockerSchedulerSettings};

const IMAGE: &str = "python:3.11-slim-bookworm";
/// The network of all tests: Docker has addresses for few.
const NETWORK: &str = "ambo-test";

pub(crate) struct DockerFixture {
    pub(crate) scheduler: DockerScheduler,
    pub(crate) docker: Docker,
    platform: String,
}

impl DockerFixture {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut DockerSchedulerSettings)) -> Self {
        let engine = Engine::connect(DockerSettings::from_environment().unwrap()).unwrap();
        let docker = engine.client().await.expect("no Docker Engine answers: start one with `dockerd`");
        docker.inspect_image(IMAGE).await.expect("no base image: make one with `dev/bases.sh`");
        let platform = format!("test-{}", AppId::new());
        let mut settings = DockerSchedulerSettings::new(platform.clone());
        settings.network = NETWORK.to_owned();
        settings.run_grace = Duration::from_secs(2);
        change(&mut settings);
        Self { scheduler: DockerScheduler::new(engine, settings), docker, platform }
    }

    pub(crate) fn platform(&self) -> &str {
        &self.platform
    }

    pub(crate) fn spec(&self, command: Command, count: u32) -> WorkloadSpec {
        let process = ProcessType::web();
        WorkloadSpec {
            id: WorkloadId { app: AppId::new(), release: ReleaseVersion(7), process, generation: 0 },
            app_name: AppName::parse("myapp").unwrap(),
            image: self.image(),
            command,
            env: BTreeMap::new(),
            limits: Limits::default(),
            tags: Tags::default(),
            port: 8080,
            count,
        }
    }

    pub(crate) async fn started(&self, spec: &WorkloadSpec) -> Vec<Instance> {
        self.scheduler.workload_ensure(spec).await.unwrap();
        self.wait_until("all instances to run", async || {
            let instances = self.scheduler.instances_observe().await.unwrap();
            let running: Vec<Instance> = instances
                .into_iter()
                .filter(|instance| instance.workload == spec.id && instance.is_running())
                .collect();
            (running.len() == spec.count as usize).then_some(running)
        })
        .await
    }

    pub(crate) async fn inspect(&self, instance: &InstanceId) -> ContainerInspectResponse {
        self.docker.inspect_container(instance.as_str(), None::<InspectContainerOptions>).await.unwrap()
    }

    /// Waits for a state, within the fixture's deadline.
    pub(crate) async fn wait_until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(self.deadline(), looking).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
    }
}

#[async_trait::async_trait]
impl ContractFixture for DockerFixture {
    fn scheduler(&self) -> &dyn Scheduler {
        &self.scheduler
    }
    fn image(&self) -> ImageReference {
        ImageReference::parse(IMAGE).unwrap()
    }
    fn image_missing(&self) -> ImageReference {
        // Nobody listens on this port.
        ImageReference::parse("127.0.0.1:1/ambo/missing:v1").unwrap()
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn instance_kill(&self, instance: &InstanceId) {
        self.docker.kill_container(instance.as_str(), None::<KillContainerOptions>).await.unwrap();
    }
    async fn instance_vanish(&self, instance: &InstanceId) {
        let options = RemoveContainerOptions { force: true, ..Default::default() };
        self.docker.remove_container(instance.as_str(), Some(options)).await.unwrap();
    }
}

impl Drop for DockerFixture {
    /// Leaves nothing behind, after a failed test neither.
    fn drop(&mut self) {
        let platform = self.platform.clone();
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(clean(&platform));
        });
        cleaning.join().unwrap();
    }
}

async fn clean(platform: &str) {
    let engine = Engine::connect(DockerSettings::from_environment().unwrap()).unwrap();
    let docker = engine.client().await.unwrap();
    let filters = HashMap::from([("label".to_owned(), vec![format!("ambo.platform={platform}")])]);
    let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
    let removals = docker.list_containers(Some(options)).await.unwrap().into_iter().map(|container| {
        let docker = docker.clone();
        async move {
            let options = RemoveContainerOptions { force: true, v: true, link: false };
            // It may be going already.
            let _ = docker.remove_container(&container.id.unwrap(), Some(options)).await;
        }
    });
    futures::future::join_all(removals).await;
}
