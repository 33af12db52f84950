//! Asks every running instance how it is: healthy ones go into rotation, failing ones leave it and are replaced.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{App, AppId, HealthCheck, Instance, Timestamp};
use futures::StreamExt;

use crate::board::Verdict;
use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::health::probe::{Failure, probe};
use crate::keys;
use crate::records::list;

/// How long until the next round without a nudge.
const ROUND_INTERVAL: Duration = Duration::from_secs(1);
/// Instances asked side by side.
const ASKED_MAX: usize = 64;

impl Controller {
    pub(crate) async fn health_run(self: Arc<Self>) {
        while !self.stopping.is_cancelled() {
            if let Err(error) = self.health_round().await {
                tracing::debug!(error = %chain(&error), "cannot check health now");
            }
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = self.nudge.health_nudged() => {}
                () = tokio::time::sleep(ROUND_INTERVAL) => {}
            }
        }
    }

    /// One round; the first one of a start comes before the first routes.
    pub(crate) async fn health_round(&self) -> Result<(), ControllerError> {
        let apps: HashMap<AppId, App> = list::<App>(&*self.store, keys::APPS)
            .await?
            .into_iter()
            .map(|found| (found.value.id, found.value))
            .collect();
        let check = |instance: &Instance| check_of(&apps, instance);
        let known = self.board.known();
        let observed = self.scheduler.instances_observe().await?;
        let interval = |instance: &Instance| Duration::from_secs(u64::from(check(instance).interval_seconds));
        let mut due = self.board.due(&known, &observed, interval);
        // A rollout asks its own instances, and judges them itself.
        due.retain(|instance| !self.board.rolls_out(&instance.workload));
        let changed = futures::stream::iter(due)
            .map(|instance| {
                let check = check(&instance);
                async move { self.instance_ask(&instance, &check).await }
            })
            .buffer_unordered(ASKED_MAX)
            .fold(false, |any, changed| std::future::ready(any | changed));
        let changed = changed.await;
        if self.board.health_round_over() || changed {
            self.nudge.routes();
        }
        Ok(())
    }

    /// Asks one instance. True when it has come into rotation or left it.
    async fn instance_ask(&self, instance: &Instance, check: &HealthCheck) -> bool {
        match probe(&*self.dialer, instance, check, Timestamp::now()).await {
            Ok(()) => self.board.healthy(&instance.id),
            Err(Failure::Unasked(why)) => {
                tracing::debug!(instance = %instance.id, why, "its health is as it was");
                false
            }
            Err(Failure::Instance(why)) => {
                let start = Duration::from_secs(u64::from(check.start_seconds));
                let verdict = self.board.failed(&instance.id, check.failures_max, start);
                if verdict == Verdict::Unhealthy {
                    self.instance_replace(instance, &why).await;
                }
                verdict == Verdict::Unhealthy
            }
        }
    }

    /// Takes a failing instance out of rotation and stops it; the formations reconciler starts another in its place.
    async fn instance_replace(&self, instance: &Instance, why: &str) {
        self.log(
            instance.workload.app,
            &instance.name(),
            format!("Health check failed: {} {why}; restarting it", instance.name()),
        );
        if let Err(error) = self.routes_publish().await {
            tracing::warn!(error = %chain(&error), "cannot publish the routes now");
        }
        if let Err(error) = self.scheduler.instance_stop(&instance.id, self.settings.grace).await {
            tracing::warn!(instance = %instance.id, error = %chain(&error), "cannot stop an unhealthy instance yet");
        }
        self.nudge.formations();
    }
}

fn check_of(apps: &HashMap<AppId, App>, instance: &Instance) -> HealthCheck {
    let process = &instance.workload.process;
    apps.get(&instance.workload.app)
        .map_or_else(|| HealthCheck::default_for(process), |app| app.formation.health_check(process))
}
