//! Keeps as many instances running as every app's formation wants, of the release that serves, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{App, AppId, Instance, InstanceState, WorkloadId};
use ambo_release::{Wanted, steady};
use tokio::task::JoinSet;

use crate::board::Draining;
use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::keys;
use crate::records::list;

/// How long until the next look without a nudge.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

impl Controller {
    pub(crate) async fn formations_run(self: Arc<Self>) {
        let mut retiring: JoinSet<()> = JoinSet::new();
        while !self.stopping.is_cancelled() {
            if let Err(error) = self.formations_reconcile(&mut retiring).await {
                tracing::warn!(error = %chain(&error), "cannot reconcile the formations now");
            }
            tokio::select! {
                () = self.stopping.cancelled() => {}
                () = self.nudge.formations_nudged() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
            while retiring.try_join_next().is_some() {}
        }
        retiring.abort_all(); // What is half retired is found again on the next start.
    }

    async fn formations_reconcile(self: &Arc<Self>, retiring: &mut JoinSet<()>) -> Result<(), ControllerError> {
        // In this order: whoever was seen belongs to a rollout that is under way, or to one whose switch the apps know of.
        let observed = self.scheduler.instances_observe().await?;
        let rolling_out = self.board.rolling_out();
        let apps: BTreeMap<AppId, App> = list::<App>(&*self.store, keys::APPS)
            .await?
            .into_iter()
            .map(|found| (found.value.id, found.value))
            .collect();
        let mut kept: BTreeSet<WorkloadId> = rolling_out;
        let mut ensuring = JoinSet::new();
        for app in apps.values() {
            let Some(version) = app.serving else { continue };
            let release = match self.release_load(app.id, version).await {
                Ok(release) => release,
                Err(error) => {
                    tracing::error!(app = %app.name, error = %chain(&error), "cannot read the release that serves");
                    kept.extend(observed.iter().map(|i| i.workload.clone()).filter(|id| id.app == app.id));
                    continue;
                }
            };
            for wanted in steady(app, &release) {
                kept.insert(wanted.workload.clone());
                let instances = observed.iter().filter(|instance| instance.workload == wanted.workload);
                let instances: Vec<Instance> = instances.cloned().collect();
                if self.falls_short(&wanted, &instances) {
                    let spec = self.workload_spec(app, &release, &wanted.workload, &wanted.command, wanted.count)?;
                    let controller = Arc::clone(self);
                    ensuring.spawn(async move { controller.workload_heal(spec).await });
                }
                self.shrink(&wanted, &instances, retiring);
            }
        }
        while ensuring.join_next().await.is_some() {}
        self.leftovers_retire(&observed, &kept, retiring);
        Ok(())
    }

    fn falls_short(&self, wanted: &Wanted, instances: &[Instance]) -> bool {
        let alive = |instance: &&Instance| {
            !matches!(instance.state, InstanceState::Exited { .. } | InstanceState::Stopping)
                && !self.board.drains(&instance.id)
        };
        let alive = instances.iter().filter(alive).count();
        alive < wanted.count as usize && !self.board.rolls_out(&wanted.workload)
    }

    async fn workload_heal(&self, spec: ambo_scheduler::WorkloadSpec) {
        tracing::info!(app = %spec.app_name, process = %spec.id.process, count = spec.count, "starting instances");
        if let Err(error) = self.scheduler.workload_ensure(&spec).await {
            let reason = chain(&error);
            tracing::warn!(app = %spec.app_name, process = %spec.id.process, error = %reason, "cannot start instances");
            self.log(spec.id.app, spec.id.process.as_str(), format!("Cannot start {}: {reason}", spec.id.process));
        }
    }

    /// Stops what is beyond the count: out of the routes, drained, then stopped.
    fn shrink(self: &Arc<Self>, wanted: &Wanted, instances: &[Instance], retiring: &mut JoinSet<()>) {
        let staying: Vec<Instance> =
            instances.iter().filter(|instance| !self.board.drains(&instance.id)).cloned().collect();
        let unhealthy = staying.iter().map(|instance| &instance.id).filter(|id| !self.board.is_healthy(id));
        let retire = ambo_scheduler::retire(&wanted.workload, &staying, wanted.count, &unhealthy.cloned().collect());
        let Some(draining) = self.board.drain_begin(retire.iter().cloned()) else { return };
        let (controller, workload, keep) = (Arc::clone(self), wanted.workload.clone(), wanted.count);
        retiring.spawn(async move {
            let outcome = controller.instances_retire(&workload, keep, &retire).await;
            controller.retired(&workload, draining, outcome);
        });
    }

    /// Retires every workload that nobody wants: releases that no longer serve, processes that vanished, destroyed apps.
    fn leftovers_retire(
        self: &Arc<Self>,
        observed: &[Instance],
        kept: &BTreeSet<WorkloadId>,
        retiring: &mut JoinSet<()>,
    ) {
        let mut leftovers: BTreeMap<&WorkloadId, Vec<&Instance>> = BTreeMap::new();
        for instance in observed {
            if !kept.contains(&instance.workload) {
                leftovers.entry(&instance.workload).or_default().push(instance);
            }
        }
        for (workload, instances) in leftovers {
            let ids: Vec<_> = instances.iter().map(|instance| instance.id.clone()).collect();
            let Some(draining) = self.board.retire_begin(workload, ids.iter().cloned()) else { continue };
            let (controller, workload) = (Arc::clone(self), workload.clone());
            retiring.spawn(async move {
                let outcome = controller.workload_retire(&workload, &ids).await;
                controller.retired(&workload, draining, outcome);
            });
        }
    }

    async fn instances_retire(
        &self,
        workload: &WorkloadId,
        keep: u32,
        retire: &[ambo_model::InstanceId],
    ) -> Result<(), ControllerError> {
        self.drain(retire).await?;
        Ok(self.scheduler.workload_shrink(workload, keep, retire, self.settings.grace).await?)
    }

    async fn workload_retire(
        &self,
        workload: &WorkloadId,
        instances: &[ambo_model::InstanceId],
    ) -> Result<(), ControllerError> {
        self.drain(instances).await?;
        Ok(self.scheduler.workload_remove(workload, self.settings.grace).await?)
    }

    /// Takes instances out of the routes and waits for their requests in flight.
    ///
    /// # Errors
    /// When the routes cannot be derived: the router may still lead to the instances, so they must not be stopped.
    pub(crate) async fn drain(&self, instances: &[ambo_model::InstanceId]) -> Result<(), ControllerError> {
        self.routes_publish().await?;
        self.routes.instances_drained(instances, self.settings.grace).await;
        Ok(())
    }

    /// Looks again at once when it has worked. When not, at the next tick: it would fail again at once, and so on for ever.
    fn retired(&self, workload: &WorkloadId, draining: Draining, outcome: Result<(), ControllerError>) {
        drop(draining);
        match outcome {
            Ok(()) => self.nudge.formations(),
            Err(error) => tracing::warn!(%workload, error = %chain(&error), "cannot stop instances yet"),
        }
    }
}
