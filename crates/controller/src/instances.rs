//! Instances as users see them: listing, stopping, and programs run inside or beside them.

use std::collections::BTreeMap;

use ambo_model::{App, Command, Instance, InstanceState, ProcessType, ReleaseVersion, RunId, Timestamp};
use ambo_release::environment;
use ambo_scheduler::{Attached, ExecSpec, RunSpec, TerminalSize};

use crate::accounts::{Caller, Permission};
use crate::controller::Controller;
use crate::error::ControllerError;

/// An instance with what the health check says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceView {
    /// As observed.
    pub instance: Instance,
    /// `up`, `starting`, `crashed`, `stopping`, `down`: Heroku's words.
    pub state: &'static str,
    /// Its command, for people.
    pub command: String,
}

/// A one-off to start.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// What to run, by the image's shell.
    pub command: String,
    /// More variables; they win over config.
    pub env: BTreeMap<String, String>,
    /// A terminal, or pipes.
    pub terminal: Option<TerminalSize>,
    /// Go on without anybody attached.
    pub detach: bool,
    /// Use the limits and tags of this process.
    pub process: Option<ProcessType>,
}

impl Controller {
    /// The instances and runs of an app.
    ///
    /// # Errors
    /// When the app is not the caller's to see, or the engine is away.
    pub async fn instance_list(&self, caller: &Caller, app: &str) -> Result<(App, Vec<InstanceView>), ControllerError> {
        let app = self.app_find(caller, app, Permission::Read).await?;
        let table = self.process_table(&app).await?;
        let mut instances = self.scheduler.instances_observe().await?;
        instances.extend(self.scheduler.runs_observe().await?);
        instances.retain(|instance| instance.workload.app == app.id);
        instances
            .sort_by_key(|instance| (instance.workload.process.clone(), instance.index, instance.workload.release));
        let views = instances
            .into_iter()
            .map(|instance| InstanceView {
                state: self.instance_word(&instance),
                command: table.get(&instance.workload.process).map(|p| p.command.to_string()).unwrap_or_default(),
                instance,
            })
            .collect();
        Ok((app, views))
    }

    pub(crate) fn instance_word(&self, instance: &Instance) -> &'static str {
        if self.board.drains(&instance.id) {
            return "stopping";
        }
        let run = instance.workload.process == ProcessType::run();
        match instance.state {
            _ if instance.is_running() && self.board.is_healthy(instance) => "up",
            InstanceState::Running if run => "up",
            InstanceState::Running | InstanceState::Starting => "starting",
            InstanceState::Crashed { .. } => "crashed",
            InstanceState::Stopping => "stopping",
            InstanceState::Exited { .. } => "down",
        }
    }

    async fn instance_named(&self, app: &App, name: &str) -> Result<Instance, ControllerError> {
        let mut instances = self.scheduler.instances_observe().await?;
        instances.extend(self.scheduler.runs_observe().await?);
        instances
            .into_iter()
            .filter(|instance| instance.workload.app == app.id && instance.name() == name)
            .max_by_key(|instance| (instance.is_running(), instance.workload.release, instance.workload.generation))
            .ok_or_else(|| ControllerError::NotFound(format!("Couldn't find that dyno: `{name}`; see `ambo ps`")))
    }

    /// Stops one instance or run. An instance that the formation wants is started anew.
    ///
    /// # Errors
    /// `NotFound` when there is none of that name.
    pub async fn instance_stop(&self, caller: &Caller, app: &str, name: &str) -> Result<App, ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let instance = self.instance_named(&app, name).await?;
        self.log(app.id, "api", format!("Stop {name} by user {}", caller.email));
        let draining = self.board.drain_begin(std::iter::once(instance.id.clone()));
        self.drain(std::slice::from_ref(&instance.id)).await?;
        self.scheduler.instance_stop(&instance.id, self.settings.grace).await?;
        drop(draining);
        self.nudge.formations();
        Ok(app)
    }

    /// Stops every instance of a process.
    ///
    /// # Errors
    /// When the engine is away.
    pub async fn process_stop(
        &self,
        caller: &Caller,
        app: &str,
        process: &ProcessType,
    ) -> Result<App, ControllerError> {
        let (app, instances) = self.instance_list(caller, app).await?;
        self.app_find(caller, &app.id.to_string(), Permission::Deploy).await?;
        let names = instances.iter().filter(|view| view.instance.workload.process == *process);
        let stops = names.map(|view| {
            let (id, name) = (app.id.to_string(), view.instance.name());
            async move { self.instance_stop(caller, &id, &name).await }
        });
        for stopped in futures::future::join_all(stops).await {
            stopped?;
        }
        Ok(app)
    }

    /// What a one-off run will be, without starting it: the attachment does that, so that no output is lost.
    ///
    /// # Errors
    /// `Invalid` when the app has nothing to run yet.
    pub async fn run_prepare(
        &self,
        caller: &Caller,
        app: &str,
        request: RunRequest,
    ) -> Result<(App, RunSpec), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let deployed = || ControllerError::Invalid(format!("{} has nothing to run yet: deploy it first", app.name));
        let version = app.serving.ok_or_else(deployed)?;
        let release = self.release_load(app.id, version).await?;
        let artifact = release.artifact.as_ref().ok_or_else(deployed)?;
        if request.command.trim().is_empty() {
            return Err(ControllerError::Invalid("the command is empty: say what to run, as in `bash`".to_owned()));
        }
        let mut env = environment(&app.name, &release);
        env.extend(request.env.into_iter().map(|(key, value)| (key, ambo_model::Secret::new(value))));
        let entry = request.process.map(|process| app.formation.entry(&process)).unwrap_or_default();
        let spec = RunSpec {
            id: RunId::new(),
            name: self.run_name(&app).await?,
            app: app.id,
            app_name: app.name.clone(),
            release: ReleaseVersion(version.0),
            image: ambo_model::ImageReference::pinned(&self.settings.repository(&app.name), &artifact.image),
            command: Command::Shell(request.command.clone()),
            env,
            limits: entry.limits,
            tags: entry.tags,
            terminal: request.terminal,
            detach: request.detach,
        };
        self.log(
            app.id,
            "api",
            format!("Starting process with command `{}` by user {}", request.command, caller.email),
        );
        Ok((app, spec))
    }

    /// `run.<number>`: four digits as on Heroku, free at the moment.
    async fn run_name(&self, app: &App) -> Result<String, ControllerError> {
        let taken: Vec<u32> = self
            .scheduler
            .runs_observe()
            .await?
            .into_iter()
            .filter(|run| run.workload.app == app.id)
            .map(|run| run.index)
            .collect();
        loop {
            let number = rand::Rng::random_range(&mut rand::rng(), 1000..10_000);
            if !taken.contains(&number) {
                return Ok(format!("run.{number}"));
            }
        }
    }

    /// Starts a prepared run.
    ///
    /// # Errors
    /// When the engine cannot start it.
    pub async fn run_start(&self, spec: RunSpec) -> Result<Attached, ControllerError> {
        Ok(self.scheduler.run(spec).await?)
    }

    /// Finds a running instance to run a program in.
    ///
    /// # Errors
    /// `NotFound` when there is none of that name.
    pub async fn exec_prepare(
        &self,
        caller: &Caller,
        app: &str,
        name: &str,
    ) -> Result<(App, Instance), ControllerError> {
        let app = self.app_find(caller, app, Permission::Deploy).await?;
        let instance = self.instance_named(&app, name).await?;
        if !instance.is_running() {
            return Err(ControllerError::Conflict(format!("{name} is not running: see `ambo ps`")));
        }
        self.log(app.id, "api", format!("Run a command in {name} by user {}", caller.email));
        Ok((app, instance))
    }

    /// Runs a program in an instance.
    ///
    /// # Errors
    /// When the instance has gone, or has no such program.
    pub async fn exec_start(&self, instance: &Instance, exec: ExecSpec) -> Result<Attached, ControllerError> {
        Ok(self.scheduler.instance_exec(&instance.id, exec).await?)
    }

    /// The time that operations which take `now` are given by edges without a clock of their own.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
