//! Keeps as many instances running as every app's formation wants, of the release that serves, and nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{App, AppId, Instance, InstanceState, ProcessTable, ReleaseVersion, WorkloadId};
use ambo_release::{Wanted, steady};
use tokio::task::JoinSet;

use crate::board::Draining;
use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::keys;
use crate::records::list;

/// How long until the next look without a nudge.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// What was observed, by workload: each app looks at its own, however many others there are.
type Observed = BTreeMap<WorkloadId, Vec<Instance>>;

/// What the release runs that serves an app. It never changes, so that it is read once, however often is looked.
struct Serving {
    version: ReleaseVersion,
    processes: ProcessTable,
}

impl Controller {
    pub(crate) async fn formations_run(self: Arc<Self>) {
        let mut retiring: JoinSet<()> = JoinSet::new();
        let mut serving: HashMap<AppId, Serving> = HashMap::new();
        while !self.stopping.is_cancelled() {
            if let Err(error) = self.formations_reconcile(&mut serving, &mut retiring).await {
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

    async fn formations_reconcile(
        self: &Arc<Self>,
        serving: &mut HashMap<AppId, Serving>,
        retiring: &mut JoinSet<()>,
    ) -> Result<(), ControllerError> {
        // In this order: whoever was seen belongs to a rollout that is under way, or to one whose switch the apps know of.
        let observed = by_workload(self.scheduler.instances_observe().await?);
        let mut kept: BTreeSet<WorkloadId> = self.board.rolling_out();
        let apps = list::<App>(&*self.store, keys::APPS).await?;
        let apps: BTreeMap<AppId, App> = apps.into_iter().map(|found| (found.value.id, found.value)).collect();
        serving.retain(|id, _| apps.contains_key(id));
        let mut unreadable: BTreeSet<AppId> = BTreeSet::new();
        let mut ensuring = JoinSet::new();
        for app in apps.values() {
            let reconciled = self.app_reconcile(app, &observed, serving, &mut kept, &mut ensuring, retiring).await;
            if let Err(error) = reconciled {
                tracing::error!(app = %app.name, error = %chain(&error), "cannot read the release that serves");
                unreadable.insert(app.id);
            }
        }
        kept.extend(observed.keys().filter(|workload| unreadable.contains(&workload.app)).cloned());
        while ensuring.join_next().await.is_some() {}
        self.leftovers_retire(&observed, &kept, retiring);
        Ok(())
    }

    /// Brings one app's instances to their counts.
    ///
    /// # Errors
    /// When the release that serves cannot be read: then nothing is known of what the app wants.
    async fn app_reconcile(
        self: &Arc<Self>,
        app: &App,
        observed: &Observed,
        serving: &mut HashMap<AppId, Serving>,
        kept: &mut BTreeSet<WorkloadId>,
        ensuring: &mut JoinSet<()>,
        retiring: &mut JoinSet<()>,
    ) -> Result<(), ControllerError> {
        let Some(version) = app.serving else { return Ok(()) };
        if serving.get(&app.id).is_none_or(|known| known.version != version) {
            let artifact = self.release_load(app.id, version).await?.artifact;
            let processes = artifact.map(|artifact| artifact.processes).unwrap_or_default();
            serving.insert(app.id, Serving { version, processes });
        }
        let Some(known) = serving.get(&app.id) else { return Ok(()) };
        for wanted in steady(app, version, &known.processes) {
            kept.insert(wanted.workload.clone());
            let instances = observed.get(&wanted.workload).map(Vec::as_slice).unwrap_or_default();
            if self.falls_short(&wanted, instances) {
                let release = self.release_load(app.id, version).await?;
                let spec = self.workload_spec(app, &release, &wanted.workload, &wanted.command, wanted.count)?;
                let controller = Arc::clone(self);
                ensuring.spawn(async move { controller.workload_heal(spec).await });
            }
            self.shrink(&wanted, instances, retiring);
        }
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
        observed: &Observed,
        kept: &BTreeSet<WorkloadId>,
        retiring: &mut JoinSet<()>,
    ) {
        for (workload, instances) in observed.iter().filter(|(workload, _)| !kept.contains(workload)) {
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

fn by_workload(observed: Vec<Instance>) -> Observed {
    let mut workloads = Observed::new();
    for instance in observed {
        workloads.entry(instance.workload.clone()).or_default().push(instance);
    }
    workloads
}
