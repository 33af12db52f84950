//! Running jobs: those of one app one after another, in the order of their creation; apps side by side.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::AppId;
use ambo_release::Restart;
use ambo_store::Transaction;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Job, Work};
use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::keys;
use crate::progress::Progress;
use crate::records::list;
use crate::rollout::RolloutError;

/// How long until jobs are looked at without a nudge; and until a job that met a failing platform is tried again.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

impl Controller {
    /// Runs jobs until the platform stops; then finishes or hands back the ones at hand.
    pub(crate) async fn jobs_run(self: Arc<Self>) {
        let mut running: JoinSet<AppId> = JoinSet::new();
        let mut busy = HashSet::new();
        while !self.stopping.is_cancelled() {
            match self.jobs_waiting().await {
                Ok(waiting) => {
                    for (app, jobs) in waiting {
                        if busy.insert(app) {
                            running.spawn(Arc::clone(&self).app_jobs_run(app, jobs));
                        }
                    }
                }
                Err(error) => tracing::error!(error = %chain(&error), "cannot read the jobs"),
            }
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = self.nudge.jobs_nudged() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
                Some(done) = running.join_next() => {
                    if let Ok(app) = done {
                        busy.remove(&app);
                    } else {
                        busy.clear(); // A job panicked; which app's is not known. Rollouts take turns anyway.
                    }
                }
            }
        }
        while running.join_next().await.is_some() {}
    }

    async fn jobs_waiting(&self) -> Result<BTreeMap<AppId, Vec<Job>>, ControllerError> {
        let mut waiting: BTreeMap<AppId, Vec<Job>> = BTreeMap::new();
        for job in list::<Job>(&*self.store, keys::JOBS).await? {
            waiting.entry(job.value.app).or_default().push(job.value);
        }
        Ok(waiting)
    }

    async fn app_jobs_run(self: Arc<Self>, app: AppId, jobs: Vec<Job>) -> AppId {
        for job in jobs {
            if self.stopping.is_cancelled() {
                break;
            }
            match self.job_run(&job).await {
                Ok(()) => {
                    if let Err(error) = self.store.commit(Transaction::new().delete(keys::job(job.id))).await {
                        tracing::warn!(job = %job.id, error = %chain(&error), "a finished job will run again");
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(job = %job.id, error = %chain(&error), "a job will be tried again");
                    tokio::select! {
                        () = self.stopping.cancelled() => {}
                        () = tokio::time::sleep(LOOK_INTERVAL) => {}
                    }
                    break;
                }
            }
        }
        self.nudge.jobs();
        app
    }

    /// Does a job. An error means: the platform could not, try again. A release that does not come up is a job done.
    async fn job_run(&self, job: &Job) -> Result<(), ControllerError> {
        match &job.work {
            Work::RollOut { version } => {
                let rollout = self.job_roll_out(job.app, *version, &Restart::No).await?;
                let Err(reason) = rollout else { return Ok(()) };
                self.release_fail(job.app, *version, &reason).await
            }
            Work::Restart { process } => {
                let restart = process.clone().map_or(Restart::All, Restart::Process);
                self.job_restart(job.app, &restart).await
            }
            Work::Promote { pipeline, promotion } => self.job_promote(job.app, *pipeline, *promotion).await,
            Work::AppDestroy => self.app_remains_remove(job.app).await,
        }
    }

    async fn job_restart(&self, app: AppId, restart: &Restart) -> Result<(), ControllerError> {
        let Ok(found) = self.app_record(app).await else { return Ok(()) };
        let Some(version) = found.value.serving else { return Ok(()) };
        if let Err(reason) = self.job_roll_out(app, version, restart).await? {
            self.log(app, "api", format!("Restart failed, the instances before it go on: {reason}"));
        }
        Ok(())
    }

    /// The outer error is the platform's, the inner one the release's.
    pub(crate) async fn job_roll_out(
        &self,
        app: AppId,
        version: ambo_model::ReleaseVersion,
        restart: &Restart,
    ) -> Result<Result<(), String>, ControllerError> {
        if matches!(self.app_record(app).await, Err(ControllerError::NotFound(_))) {
            return Ok(Ok(())); // Destroyed in the meantime.
        }
        let never = CancellationToken::new();
        match self.roll_out(app, version, restart, &Progress::silent(), &never).await {
            Ok(()) => Ok(Ok(())),
            Err(RolloutError::Controller(error)) => Err(error),
            // A restart is owed to whatever serves: the next try finds that.
            Err(error @ RolloutError::Superseded(_)) if *restart != Restart::No => {
                Err(ControllerError::Conflict(error.to_string()))
            }
            Err(RolloutError::Cancelled) => Err(ControllerError::Conflict("the platform is stopping".to_owned())),
            Err(error) => {
                if let RolloutError::Unhealthy { last_lines, .. } = &error {
                    for line in last_lines {
                        self.log(app, "release", line.clone());
                    }
                }
                Ok(Err(chain(&error)))
            }
        }
    }

    async fn app_remains_remove(&self, app: AppId) -> Result<(), ControllerError> {
        self.coupling_remove_of(app).await?;
        self.drains_remove(app).await?;
        self.certificates_remove(app).await?;
        for domain in self.domains_of(app).await? {
            self.store.commit(Transaction::new().delete(keys::domain(&domain.hostname))).await?;
        }
        for instance in self.scheduler.instances_observe().await? {
            if instance.workload.app == app {
                self.scheduler.workload_remove(&instance.workload, self.settings.grace).await?;
            }
        }
        for run in self.scheduler.runs_observe().await? {
            if run.workload.app == app {
                self.scheduler.instance_stop(&run.id, self.settings.grace).await?;
            }
        }
        self.artifacts.app_remove(app).await.map_err(ControllerError::Conflict)?;
        self.store.commit(Transaction::new().delete(keys::app_setup(app))).await?;
        self.prefix_remove(&keys::builds(app)).await?;
        self.releases_remove(app).await?;
        self.logs.remove(app).await;
        Ok(())
    }
}
