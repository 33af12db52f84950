//! A rollout: from what serves to the next release, or to new instances of the same one.
//!
//! Release phase, start beside the old, wait until healthy, switch. If anything before the switch fails, the new instances go
//! and the old release has not noticed. What no longer serves is drained and removed by the `formations` reconciler.

use std::time::Duration;

use ambo_model::{App, AppId, Command, Instance, Release, ReleaseStatus, ReleaseVersion, RunId, WorkloadId};
use ambo_release::{Restart, RolloutPlan, environment, plan, port};
use ambo_scheduler::{RunSpec, SchedulerError, WorkloadSpec};
use ambo_store::Transaction;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::controller::Controller;
use crate::error::ControllerError;
use crate::patience::patiently;
use crate::progress::Progress;
use crate::records::{replace, retry_conflicts};

/// Lines of a dying instance that its user is shown.
const LAST_LINES_SHOWN: usize = 20;
/// Grace for instances of a rollout that failed: they never served.
const FAILED_GRACE: Duration = Duration::from_secs(2);

/// Why the new release did not come up. The old one serves on.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// Whoever waited has left, or the platform stops.
    #[error("cancelled")]
    Cancelled,
    /// The release phase's command failed.
    #[error("release command failed with exit code {0}")]
    ReleasePhase(i32),
    /// The release phase's command took too long.
    #[error("release command took longer than {} minutes", .0.as_secs() / 60)]
    ReleasePhaseTimeout(Duration),
    /// An instance ended, or never became healthy.
    #[error("{name} {what}")]
    Unhealthy {
        /// `web.1`.
        name: String,
        /// What it did: `exited with code 3`, `did not answer on $PORT 5000 within 60 s`.
        what: String,
        /// Its last words.
        last_lines: Vec<String>,
    },
    /// It waited, and meanwhile another release has come to serve: rolling this one out would take that one back.
    #[error("superseded: {0} serves by now")]
    Superseded(ReleaseVersion),
    /// The platform failed.
    #[error(transparent)]
    Controller(#[from] ControllerError),
}

impl From<SchedulerError> for RolloutError {
    fn from(error: SchedulerError) -> Self {
        Self::Controller(error.into())
    }
}

impl Controller {
    /// Rolls a release out. Safe to repeat: what already runs is kept.
    pub(crate) async fn roll_out(
        &self,
        app: AppId,
        version: ReleaseVersion,
        restart: &Restart,
        progress: &Progress,
        cancel: &CancellationToken,
    ) -> Result<(), RolloutError> {
        let _turn = self.rollouts.take(app, &format!("the rollout of {version}")).await;
        let app = self.app_record(app).await?.value;
        match standing(&app, version, restart) {
            Standing::Ahead => {}
            Standing::Done => return Ok(()),
            Standing::Superseded(by) => return Err(RolloutError::Superseded(by)),
        }
        let release = self.release_load(app.id, version).await?;
        let plan = plan(&app, &release, restart);
        let _active = self.board.rollout_begin(plan.start.iter().map(|wanted| wanted.workload.clone()));
        let result = tokio::select! {
            biased;
            () = self.stopping.cancelled() => Err(RolloutError::Cancelled),
            () = cancel.cancelled() => Err(RolloutError::Cancelled),
            result = self.rollout_prepare(&app, &release, &plan, progress) => result,
        };
        match result {
            Ok(()) => Ok(self.rollout_switch(app.id, &release, restart).await?),
            Err(error) => {
                self.rollout_abandon(&plan, &error, progress).await;
                Err(error)
            }
        }
    }

    async fn rollout_prepare(
        &self,
        app: &App,
        release: &Release,
        plan: &RolloutPlan,
        progress: &Progress,
    ) -> Result<(), RolloutError> {
        if let Some(command) = &plan.release_phase {
            self.release_phase_run(app, release, command, progress).await?;
        }
        for wanted in &plan.start {
            let spec = self.workload_spec(app, release, &wanted.workload, &wanted.command, wanted.count)?;
            patiently(progress, || self.scheduler.workload_ensure(&spec)).await?;
        }
        self.wait_until_healthy(app, release, plan, progress).await
    }

    /// Everything the engine must know of a workload.
    pub(crate) fn workload_spec(
        &self,
        app: &App,
        release: &Release,
        workload: &WorkloadId,
        command: &Command,
        count: u32,
    ) -> Result<WorkloadSpec, ControllerError> {
        let nothing = || ControllerError::Invalid(format!("{} has no build", release.version));
        let artifact = release.artifact.as_ref().ok_or_else(nothing)?;
        let entry = app.formation.entry(&workload.process);
        Ok(WorkloadSpec {
            id: workload.clone(),
            app_name: app.name.clone(),
            image: ambo_model::ImageReference::pinned(
                &self.settings.repository(&app.name),
                artifact.image_of(&workload.process),
            ),
            command: command.clone(),
            env: environment(&app.name, release),
            limits: entry.limits,
            tags: entry.tags,
            port: port(release),
            count,
        })
    }

    async fn release_phase_run(
        &self,
        app: &App,
        release: &Release,
        command: &Command,
        progress: &Progress,
    ) -> Result<(), RolloutError> {
        progress.heading("Running release command…").await;
        let Some(artifact) = &release.artifact else { return Ok(()) };
        let entry = app.formation.entry(&ambo_model::ProcessType::release());
        let spec = RunSpec {
            id: RunId::new(),
            name: format!("release.{}", release.version.0),
            app: app.id,
            app_name: app.name.clone(),
            release: release.version,
            image: ambo_model::ImageReference::pinned(
                &self.settings.repository(&app.name),
                artifact.image_of(&ambo_model::ProcessType::release()),
            ),
            command: command.clone(),
            env: environment(&app.name, release),
            limits: entry.limits,
            tags: entry.tags,
            terminal: None,
            detach: false,
        };
        let name = spec.name.clone();
        patiently(progress, || self.scheduler.status()).await?; // The command itself is started once.
        let run = async {
            let mut attached = self.scheduler.run(spec).await?;
            drop(attached.input);
            let mut lines = ambo_logs::LineSplitter::new();
            while let Some(chunk) = attached.output.next().await {
                let (ambo_scheduler::AttachedOutput::Stdout(bytes) | ambo_scheduler::AttachedOutput::Stderr(bytes)) =
                    chunk?;
                for line in lines.push(&bytes) {
                    self.release_phase_line(app.id, &name, &line, progress).await;
                }
            }
            for line in lines.finish() {
                self.release_phase_line(app.id, &name, &line, progress).await;
            }
            attached.control.exit_code().await
        };
        let limit = self.settings.release_phase_max;
        match tokio::time::timeout(limit, run).await {
            Err(_) => Err(RolloutError::ReleasePhaseTimeout(limit)),
            Ok(Ok(0)) => Ok(()),
            Ok(Ok(code)) => Err(RolloutError::ReleasePhase(code)),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    async fn release_phase_line(&self, app: AppId, name: &str, line: &str, progress: &Progress) {
        progress.detail(line).await;
        self.logs.append(ambo_model::LogLine {
            app,
            at: ambo_model::Timestamp::now(),
            source: ambo_model::LogSource::App,
            name: name.to_owned(),
            text: line.to_owned(),
        });
    }

    /// The one transaction that makes a release serve; then the routes.
    async fn rollout_switch(&self, app: AppId, release: &Release, restart: &Restart) -> Result<(), RolloutError> {
        retry_conflicts(|| async {
            let mut found = self.app_record(app).await?;
            let mut record = self.release_record(app, release.version).await?;
            let app = &mut found.value;
            app.formation = plan(app, release, restart).formation;
            app.scaled |= !app.formation.0.is_empty();
            app.serving = Some(release.version);
            app.updated_at = ambo_model::Timestamp::now();
            record.value.status = ReleaseStatus::Succeeded;
            self.store.commit(replace(replace(Transaction::new(), &found), &record)).await?;
            Ok::<_, ControllerError>(())
        })
        .await?;
        self.routes_follow().await; // It serves, whether or not the engine tells the addresses now.
        self.nudge.formations();
        Ok(())
    }

    /// Removes what a failed rollout started, after its user has been told why.
    async fn rollout_abandon(&self, plan: &RolloutPlan, error: &RolloutError, progress: &Progress) {
        progress.warning(&crate::error::chain(error)).await;
        if let RolloutError::Unhealthy { last_lines, .. } = error {
            progress.warning(if last_lines.is_empty() { "It wrote nothing." } else { "Its last lines:" }).await;
            for line in last_lines {
                progress.detail(line).await;
            }
        }
        for wanted in &plan.start {
            if let Err(error) = self.scheduler.workload_remove(&wanted.workload, FAILED_GRACE).await {
                tracing::warn!(workload = %wanted.workload, error = %crate::error::chain(&error), "cannot remove a failed workload yet");
            }
        }
        self.nudge.formations();
    }

    /// An instance that will not become healthy, with its last words.
    pub(crate) async fn unhealthy(&self, instance: &Instance, what: String) -> RolloutError {
        let last_lines = self.scheduler.instance_last_lines(&instance.id, LAST_LINES_SHOWN).await.unwrap_or_default();
        RolloutError::Unhealthy { name: instance.name(), what, last_lines }
    }
}

/// Where a rollout stands when its turn has come.
enum Standing {
    /// It is to be done.
    Ahead,
    /// It had switched already: the control plane died before its job was struck off.
    Done,
    /// Another release serves by now.
    Superseded(ReleaseVersion),
}

fn standing(app: &App, version: ReleaseVersion, restart: &Restart) -> Standing {
    match (app.serving, restart) {
        (Some(serving), Restart::No) if serving == version => Standing::Done,
        (Some(serving), Restart::No) if serving > version => Standing::Superseded(serving),
        (_, Restart::No) => Standing::Ahead,
        (Some(serving), Restart::Process(_) | Restart::All) if serving != version => Standing::Superseded(serving),
        (_, Restart::Process(_) | Restart::All) => Standing::Ahead,
    }
}
