//! Waiting until a rollout's new instances are healthy, and saying early why they will not be.

use std::collections::HashSet;
use std::time::Duration;

use ambo_model::{App, HealthCheck, Instance, InstanceId, InstanceState, Release, Timestamp, WorkloadId};
use ambo_release::{RolloutPlan, Wanted};
use futures::future::join_all;
use tokio::time::Instant;

use super::probe::{Failure, probe};
use crate::controller::Controller;
use crate::patience::patiently;
use crate::progress::Progress;
use crate::rollout::RolloutError;

/// First pause between two looks; grows to [`LOOK_PAUSE_MAX`]. Many programs listen a few milliseconds after their start,
/// and whoever pushed waits for this.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(10);
/// Longest pause between two looks.
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(500);

impl Controller {
    /// Returns once every wanted instance is healthy. While the engine does not answer, their time to start stands still.
    pub(crate) async fn wait_until_healthy(
        &self,
        app: &App,
        release: &Release,
        plan: &RolloutPlan,
        progress: &Progress,
    ) -> Result<(), RolloutError> {
        let mut begun = Instant::now();
        let mut pause = LOOK_PAUSE_MIN;
        let mut healthy = HashSet::new();
        while !plan.start.is_empty() {
            let asked = Instant::now();
            let observed = patiently(progress, || self.scheduler.instances_observe()).await?;
            begun += asked.elapsed();
            let mut waiting = None;
            for wanted in &plan.start {
                let unready = self.look(app, wanted, &observed, &mut healthy).await?;
                let limit = app.formation.health_check(&wanted.workload.process).start_seconds;
                if let Some((instance, why)) = unready {
                    if begun.elapsed() >= Duration::from_secs(u64::from(limit)) {
                        return Err(self.too_late(&wanted.workload, instance, &why, limit).await);
                    }
                    waiting = Some(why);
                }
            }
            if waiting.is_none() {
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LOOK_PAUSE_MAX);
        }
        tracing::debug!(app = %app.name, release = %release.version, seconds = begun.elapsed().as_secs_f32(), "healthy");
        for instance in healthy {
            self.board.healthy(&instance);
        }
        Ok(())
    }

    /// Looks at one workload. `None` when all of it is healthy, else one instance that is not yet, and why.
    async fn look(
        &self,
        app: &App,
        wanted: &Wanted,
        observed: &[Instance],
        healthy: &mut HashSet<InstanceId>,
    ) -> Result<Option<(Option<Instance>, String)>, RolloutError> {
        let ours: Vec<&Instance> = observed.iter().filter(|instance| instance.workload == wanted.workload).collect();
        for instance in &ours {
            if let Some(what) = ended(instance) {
                return Err(self.unhealthy(instance, what).await);
            }
        }
        let check = app.formation.health_check(&wanted.workload.process);
        let now = Timestamp::now();
        let unknown = ours.iter().filter(|instance| !healthy.contains(&instance.id));
        let asked = join_all(unknown.map(|instance| self.ask(instance, &check, now))).await;
        let mut unready = None;
        for (instance, answer) in asked {
            match answer {
                Ok(()) => drop(healthy.insert(instance.id.clone())),
                Err(failure) => unready = Some((Some(instance.clone()), failure.into_text())),
            }
        }
        let ready = ours.iter().filter(|instance| healthy.contains(&instance.id)).count();
        if ready >= wanted.count as usize {
            return Ok(None);
        }
        Ok(Some(unready.unwrap_or((None, "has not been started by the engine".to_owned()))))
    }

    async fn ask<'a>(
        &self,
        instance: &'a Instance,
        check: &HealthCheck,
        now: Timestamp,
    ) -> (&'a Instance, Result<(), Failure>) {
        (instance, probe(&*self.dialer, instance, check, now).await)
    }

    async fn too_late(
        &self,
        workload: &WorkloadId,
        instance: Option<Instance>,
        why: &str,
        limit_seconds: u32,
    ) -> RolloutError {
        let what = format!("did not become healthy within {limit_seconds} s: it {why}");
        match instance {
            Some(instance) => self.unhealthy(&instance, what).await,
            None => RolloutError::Unhealthy { name: workload.process.to_string(), what, last_lines: Vec::new() },
        }
    }
}

/// How an instance of a rollout has ended, if it has. A first restart is an end: a good release starts once.
fn ended(instance: &Instance) -> Option<String> {
    let code = |code: &Option<i32>| code.map_or_else(|| "exited".to_owned(), |code| format!("exited with code {code}"));
    match &instance.state {
        InstanceState::Crashed { exit_code } | InstanceState::Exited { exit_code } => Some(code(exit_code)),
        InstanceState::Starting | InstanceState::Running | InstanceState::Stopping if instance.restarts > 0 => {
            Some("exited and was started again".to_owned())
        }
        InstanceState::Starting | InstanceState::Running | InstanceState::Stopping => None,
    }
}
