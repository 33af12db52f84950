//! One-off instances. A task of ours waits for the end of each and removes it; what an earlier process of ours left behind
//! goes when runs are next observed.

use std::sync::Arc;
use std::time::Duration;

use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::errors::Error as BollardError;
use ambo_engine_docker::bollard::query_parameters::{ResizeContainerTTYOptions, WaitContainerOptions};
use ambo_engine_docker::{EngineError, RawStream};
use ambo_model::{Instance, InstanceId, ProcessType, Timestamp, WorkloadId};
use ambo_scheduler::{Attached, AttachedControl, RunSpec, SchedulerError, TerminalSize};
use futures::StreamExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::attach::{exit_code, resized, streams};
use crate::container::{NewContainer, Streams};
use crate::driver::{DockerScheduler, Driver};
use crate::failure::failed;
use crate::image::image_ensure;
use crate::labels::{Identity, Kind};
use crate::network::network_ensure;
use crate::observe::{Observed, Phase};
use crate::status;

/// One-off instances at once.
const RUNS_MAX: usize = 200;
/// How long the output of a detached one-off instance stays readable after its end.
const LINGER: Duration = Duration::from_secs(5);
/// How long a one-off instance may be made and not started before it counts as left behind, in seconds.
const CREATED_SECONDS_MAX: i64 = 300;
/// How soon an engine is asked again that did not answer.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// What a program that is killed exits with.
const KILLED: i32 = 128 + 9;

impl DockerScheduler {
    pub(crate) async fn run_start(&self, run: RunSpec) -> Result<Attached, SchedulerError> {
        let network = network_ensure(&self.driver.docker().await?, &self.driver.settings.network).await?;
        self.run_on(&network, run).await
    }

    /// Starts a one-off instance on a network that is there; see [`Scheduler::run`](ambo_scheduler::Scheduler::run).
    ///
    /// # Errors
    /// As there.
    pub async fn run_on(&self, network: &str, run: RunSpec) -> Result<Attached, SchedulerError> {
        self.run_room()?;
        let driver = &self.driver;
        let docker = driver.docker().await?;
        image_ensure(&docker, &run.image, &driver.settings).await?;
        let identity = identity(&run);
        let terminal = run.terminal.filter(|_| !run.detach);
        let new = NewContainer {
            identity: &identity,
            image: &run.image,
            command: &run.command,
            env: &run.env,
            limits: run.limits,
            streams: if run.detach { Streams::Logged } else { Streams::Attached { terminal } },
        };
        let id = driver.container_create(&docker, &new, network).await?;
        let unfinished = Unfinished::new(self, &docker, &id);
        let attached = if run.detach { None } else { Some(attach(driver, &id).await?) };
        driver.container_start(&docker, &id, &run.name).await?;
        let control = self.supervise(&docker, &id, run.detach, terminal.is_some());
        unfinished.finished();
        if let Some(size) = terminal {
            control.resize(size).await?;
        }
        let control = Box::new(control);
        Ok(match attached {
            Some(stream) => {
                let (input, output) = streams(stream, terminal.is_some());
                Attached { input, output, control }
            }
            None => Attached { input: Box::pin(tokio::io::sink()), output: futures::stream::empty().boxed(), control },
        })
    }

    /// Whether one more one-off instance may be started.
    fn run_room(&self) -> Result<(), SchedulerError> {
        let mut tasks = self.run_tasks.lock();
        while tasks.try_join_next().is_some() {}
        if tasks.len() < RUNS_MAX {
            return Ok(());
        }
        Err(SchedulerError::Engine {
            doing: "start one more one-off instance".to_owned(),
            source: format!("{RUNS_MAX} are running already: wait for some to end").into(),
        })
    }

    /// Starts the task that sees a one-off instance to its end.
    fn supervise(&self, docker: &Docker, id: &str, detach: bool, terminal: bool) -> RunControl {
        let (ended, exit) = watch::channel(None);
        let unheld = CancellationToken::new();
        let supervisor = Supervisor {
            driver: Arc::clone(&self.driver),
            docker: docker.clone(),
            id: id.to_owned(),
            linger: if detach { LINGER } else { Duration::ZERO },
            unheld: unheld.clone(),
            ended,
        };
        self.driver.runs.lock().insert(id.to_owned());
        self.run_tasks.lock().spawn(supervisor.run());
        RunControl {
            driver: Arc::clone(&self.driver),
            docker: docker.clone(),
            id: id.to_owned(),
            terminal,
            exit,
            _held: (!detach).then(|| unheld.drop_guard()),
        }
    }
}

/// Removes a container that was made for a run when the run does not come about, its caller's leaving included.
struct Unfinished<'a> {
    scheduler: &'a DockerScheduler,
    docker: &'a Docker,
    id: Option<String>,
}

impl<'a> Unfinished<'a> {
    fn new(scheduler: &'a DockerScheduler, docker: &'a Docker, id: &str) -> Self {
        Self { scheduler, docker, id: Some(id.to_owned()) }
    }

    fn finished(mut self) {
        self.id = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let (driver, docker) = (Arc::clone(&self.scheduler.driver), self.docker.clone());
        self.scheduler.run_tasks.lock().spawn(async move {
            if let Err(error) = driver.container_remove(&docker, &id).await {
                tracing::warn!(instance = %id, %error, "could not remove a one-off instance that did not come about");
            }
        });
    }
}

/// Attaches before the start, so that no output is missed.
async fn attach(driver: &Driver, id: &str) -> Result<RawStream, SchedulerError> {
    let path = format!("/containers/{id}/attach?stream=1&stdin=1&stdout=1&stderr=1");
    driver.engine.hijack(&path, None::<&()>).await.map_err(failed("attach to a one-off instance"))
}

fn identity(run: &RunSpec) -> Identity {
    let (process, index) = run.name.split_once('.').unwrap_or((&run.name, "1"));
    let process = ProcessType::parse(process).unwrap_or_else(|_| ProcessType::run());
    Identity {
        kind: Kind::Run,
        workload: WorkloadId { app: run.app, release: run.release, process, generation: 0 },
        app_name: run.app_name.clone(),
        index: index.parse().unwrap_or(1),
        port: None,
    }
}

impl Driver {
    /// One-off instances that run. Removes those that have ended and that nobody sees to.
    pub(crate) async fn runs_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        let mut observed = self.observe(Kind::Run, None).await?;
        let now = Timestamp::now();
        let docker = self.docker().await?;
        for left in observed.iter().filter(|observed| self.is_left_behind(observed, now)) {
            self.container_remove(&docker, left.instance.id.as_str()).await?;
        }
        observed.retain(|observed| matches!(observed.phase, Phase::Up | Phase::Restarting));
        observed.sort_by_key(|observed| std::cmp::Reverse(observed.created_at));
        Ok(observed.into_iter().map(|observed| observed.instance).collect())
    }

    fn is_left_behind(&self, observed: &Observed, now: Timestamp) -> bool {
        if self.runs.lock().contains(observed.instance.id.as_str()) {
            return false;
        }
        match observed.phase {
            Phase::Down => status::age_seconds(&observed.status).is_some_and(|age| *age.start() >= LINGER.as_secs()),
            Phase::Created => now.as_second() - observed.created_at > CREATED_SECONDS_MAX,
            Phase::Up | Phase::Restarting | Phase::Leaving => false,
        }
    }
}

/// Sees one one-off instance to its end.
struct Supervisor {
    driver: Arc<Driver>,
    docker: Docker,
    id: String,
    linger: Duration,
    unheld: CancellationToken,
    ended: watch::Sender<Option<i32>>,
}

impl Supervisor {
    async fn run(self) {
        let unheld = async {
            self.unheld.cancelled().await;
            let id = InstanceId::new(self.id.as_str());
            while let Err(error) =
                self.driver.instances_stop(std::slice::from_ref(&id), self.driver.settings.run_grace).await
            {
                tracing::warn!(instance = %id, %error, "could not stop a one-off instance whose user has gone; trying again");
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
            KILLED
        };
        let code = tokio::select! {
            code = self.exit_code() => code,
            code = unheld => code,
        };
        self.ended.send_replace(Some(code));
        tokio::time::sleep(self.linger).await;
        if let Err(error) = self.driver.container_remove(&self.docker, &self.id).await {
            tracing::warn!(instance = %self.id, %error, "could not remove a one-off instance; it goes when runs are next observed");
        }
        self.driver.runs.lock().remove(&self.id);
    }

    /// Waits for the end, through restarts of the engine.
    async fn exit_code(&self) -> i32 {
        loop {
            let options = WaitContainerOptions { condition: "not-running".to_owned() };
            let ended = self.docker.wait_container(&self.id, Some(options)).next().await;
            match ended {
                Some(Ok(ended)) => return exit_code(ended.status_code),
                // This is how bollard tells of exit codes other than zero.
                Some(Err(BollardError::DockerContainerWaitError { code, .. })) => return exit_code(code),
                Some(Err(error)) => {
                    if EngineError::from(error).is_not_found() {
                        return KILLED;
                    }
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
                None => tokio::time::sleep(RETRY_INTERVAL).await,
            }
        }
    }
}

struct RunControl {
    driver: Arc<Driver>,
    docker: Docker,
    id: String,
    terminal: bool,
    exit: watch::Receiver<Option<i32>>,
    /// Ends the run when it is dropped.
    _held: Option<DropGuard>,
}

impl AttachedControl for RunControl {
    fn resize(&self, size: TerminalSize) -> BoxFuture<'_, Result<(), SchedulerError>> {
        Box::pin(async move {
            if !self.terminal {
                return Ok(());
            }
            let options = ResizeContainerTTYOptions { h: size.rows.into(), w: size.columns.into() };
            resized(self.docker.resize_container_tty(&self.id, options).await.map_err(EngineError::from))
        })
    }

    fn exit_code(&self) -> BoxFuture<'_, Result<i32, SchedulerError>> {
        let mut exit = self.exit.clone();
        Box::pin(async move {
            match exit.wait_for(Option::is_some).await {
                Ok(code) => Ok(code.unwrap_or(KILLED)),
                Err(closed) => Err(SchedulerError::Engine {
                    doing: "wait for a one-off instance".to_owned(),
                    source: Box::new(closed),
                }),
            }
        })
    }

    fn terminate(&self) -> BoxFuture<'_, Result<(), SchedulerError>> {
        Box::pin(async {
            let id = InstanceId::new(self.id.as_str());
            self.driver.instances_stop(&[id], self.driver.settings.run_grace).await
        })
    }
}
