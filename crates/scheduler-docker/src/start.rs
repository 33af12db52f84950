//! Starting: the plan is the scheduler's, the containers are ours.

use std::sync::atomic::{AtomicBool, Ordering};

use ambo_engine_docker::EngineError;
use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::query_parameters::{
    CreateContainerOptions, RemoveContainerOptions, StartContainerOptions,
};
use ambo_model::{Instance, InstanceId, InstanceState};
use ambo_scheduler::{SchedulerError, WorkloadSpec, plan};
use futures::StreamExt;

use crate::container::{NewContainer, Streams, body};
use crate::driver::{DockerScheduler, Driver};
use crate::failure::{failed, not_pulled, not_started};
use crate::image::{image_config, image_ensure, program_missing};
use crate::labels::{Identity, Kind};
use crate::network::network_ensure;
use crate::observe::Phase;

/// Starts side by side: more than this and the engine only queues them.
const STARTS_MAX: usize = 8;
/// Docker's name for being on no network.
const NO_NETWORK: &str = "none";
/// Programs that are remembered to be in their images.
const PROGRAMS_MAX: usize = 1_024;

impl DockerScheduler {
    /// Makes a workload's image be on the engine, and looks whether its program is in it. Starts nothing.
    ///
    /// # Errors
    /// [`SchedulerError::ImagePull`] and [`SchedulerError::Start`], as when instances are started.
    pub async fn workload_check(&self, spec: &WorkloadSpec) -> Result<(), SchedulerError> {
        let driver = &self.driver;
        let docker = driver.docker().await?;
        image_ensure(&docker, &spec.image, &driver.settings).await?;
        if driver.program_is_known(spec) {
            return Ok(());
        }
        let identity = Identity::of(spec, Kind::Run, 1);
        let new = NewContainer {
            identity: &identity,
            image: &spec.image,
            command: &spec.command,
            env: &spec.env,
            limits: spec.limits,
            streams: Streams::Logged,
        };
        let id = driver.container_create(&docker, &new, NO_NETWORK).await?;
        driver.container_remove(&docker, &id).await
    }
}

impl Driver {
    pub(crate) async fn workload_ensure(&self, spec: &WorkloadSpec) -> Result<(), SchedulerError> {
        let docker = self.docker().await?;
        image_ensure(&docker, &spec.image, &self.settings).await?;
        // Two callers at once would both see the same instances missing.
        let _alone = self.workloads.lock(&spec.id).await;
        let observed = self.workload_observe(spec).await?;
        let plan = plan(spec, &observed);
        if plan.is_empty() {
            return Ok(());
        }
        tracing::debug!(workload = %spec.id, %plan, "bringing a workload to its count");
        for removal in &plan.remove {
            self.container_remove(&docker, removal.instance.as_str()).await?;
        }
        let Some((first, rest)) = plan.start.split_first() else { return Ok(()) };
        let network = network_ensure(&docker, &self.settings.network).await?;
        // The first shows whether the program is there at all; the rest follow side by side.
        let rest = if self.program_is_known(spec) {
            plan.start.as_slice()
        } else {
            self.instance_start(&docker, spec, *first, &network).await?;
            rest
        };
        let has_failed = AtomicBool::new(false);
        let (docker, network, has_failed) = (&docker, &network, &has_failed);
        let starts = rest.iter().copied().map(|index| async move {
            if has_failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let started = self.instance_start(docker, spec, index, network).await;
            has_failed.fetch_or(started.is_err(), Ordering::Relaxed);
            started
        });
        // All that has begun is finished: a start that is dropped midway leaves a container that never ran.
        let results: Vec<_> = futures::stream::iter(starts).buffer_unordered(STARTS_MAX).collect().await;
        results.into_iter().collect()
    }

    /// The workload's instances. Those that were made and never started are taken as ended: whoever made them is gone.
    async fn workload_observe(&self, spec: &WorkloadSpec) -> Result<Vec<Instance>, SchedulerError> {
        let observed = self.observe(Kind::Instance, Some(&spec.id)).await?;
        let instances = observed.into_iter().map(|observed| {
            let mut instance = observed.instance;
            if observed.phase == Phase::Created && instance.state != InstanceState::Stopping {
                instance.state = InstanceState::Exited { exit_code: None };
            }
            instance
        });
        Ok(instances.collect())
    }

    async fn instance_start(
        &self,
        docker: &Docker,
        spec: &WorkloadSpec,
        index: u32,
        network: &str,
    ) -> Result<(), SchedulerError> {
        let identity = Identity::of(spec, Kind::Instance, index);
        let new = NewContainer {
            identity: &identity,
            image: &spec.image,
            command: &spec.command,
            env: &spec.env,
            limits: spec.limits,
            streams: Streams::Logged,
        };
        let id = self.container_create(docker, &new, network).await?;
        self.container_start(docker, &id, &identity.name()).await
    }

    /// Makes a container whose program is known to be in the image.
    pub(crate) async fn container_create(
        &self,
        docker: &Docker,
        new: &NewContainer<'_>,
        network: &str,
    ) -> Result<String, SchedulerError> {
        let what = new.identity.name();
        if matches!(new.command, ambo_model::Command::Argv(words) if words.is_empty()) {
            return Err(SchedulerError::Start { what, reason: "the command is empty".to_owned() });
        }
        let body = body(new, network, self.info().await?, &self.settings);
        let options = CreateContainerOptions { name: Some(new.identity.container_name()), ..Default::default() };
        let created = docker.create_container(Some(options), body).await.map_err(EngineError::from);
        let id = match created {
            Ok(created) => created.id,
            Err(error) if error.is_not_found() => return Err(not_pulled(new.image)(error)),
            Err(error) => return Err(not_started(&what)(error)),
        };
        match self.program_check(docker, &id, new).await {
            Ok(None) => Ok(id),
            Ok(Some(reason)) => {
                self.container_remove(docker, &id).await?;
                Err(SchedulerError::Start { what, reason })
            }
            Err(error) => {
                self.container_remove(docker, &id).await?;
                Err(error)
            }
        }
    }

    /// Starts a container; removes it when that fails.
    pub(crate) async fn container_start(&self, docker: &Docker, id: &str, what: &str) -> Result<(), SchedulerError> {
        let started = docker.start_container(id, None::<StartContainerOptions>).await.map_err(EngineError::from);
        if let Err(error) = started {
            self.container_remove(docker, id).await?;
            return Err(not_started(what)(error));
        }
        Ok(())
    }

    /// Removes a container, running or not. One that is gone, or going, is no error.
    pub(crate) async fn container_remove(&self, docker: &Docker, id: &str) -> Result<(), SchedulerError> {
        let options = RemoveContainerOptions { v: true, force: true, link: false };
        match docker.remove_container(id, Some(options)).await.map_err(EngineError::from) {
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            result => result.map_err(failed(format!("remove instance {}", InstanceId::new(id)))),
        }
    }

    fn program_is_known(&self, spec: &WorkloadSpec) -> bool {
        self.programs.lock().contains(&(spec.image.clone(), spec.command.to_string()))
    }

    /// Looks once per image and command whether the program is there.
    async fn program_check(
        &self,
        docker: &Docker,
        id: &str,
        new: &NewContainer<'_>,
    ) -> Result<Option<String>, SchedulerError> {
        let key = (new.image.clone(), new.command.to_string());
        if self.programs.lock().contains(&key) {
            return Ok(None);
        }
        let config = image_config(docker, new.image).await?;
        let missing = program_missing(docker, id, new, &config).await;
        if missing.is_none() {
            let mut programs = self.programs.lock();
            if programs.len() >= PROGRAMS_MAX {
                programs.clear();
            }
            programs.insert(key);
        }
        Ok(missing)
    }
}
