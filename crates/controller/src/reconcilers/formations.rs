//! Keeps as many instances running as every app's formation wants, of the release that serves, and nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{App, AppId, Instance, InstanceState, ProcessTable, ReleaseVersion, WorkloadId};
use ambo_release::{Wanted, steady};
use futures::{StreamExt, stream};
use tokio::task::JoinSet;

use crate::board::Draining;
use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::keys;
use crate::records::list;
use crate::tally::Tally;

/// How long until the next look without a nudge.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Workloads that are brought to their counts side by side.
const HEALED_AT_ONCE: usize = 64;

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
        let mut short: Vec<(App, Wanted)> = Vec::new();
        let mut tally = Tally::default();
        for app in apps.values() {
            let all = match self.app_wanted(app, serving).await {
                Ok(all) => all,
                Err(error) => {
                    tracing::error!(app = %app.name, error = %chain(&error), "cannot read the release that serves");
                    unreadable.insert(app.id);
                    continue;
                }
            };
            tally.app_add(app, &all);
            for wanted in all {
                kept.insert(wanted.workload.clone());
                let instances = observed.get(&wanted.workload).map(Vec::as_slice).unwrap_or_default();
                self.shrink(&wanted, instances, retiring);
                if self.falls_short(&wanted, instances) {
                    short.push((app.clone(), wanted));
                }
            }
        }
        self.tally_end(tally, observed.values().flatten());
        kept.extend(observed.keys().filter(|workload| unreadable.contains(&workload.app)).cloned());
        let healed = stream::iter(short).map(|(app, wanted)| self.workload_heal(app, wanted));
        healed.buffer_unordered(HEALED_AT_ONCE).collect::<()>().await;
        self.leftovers_retire(&observed, &kept, retiring);
        Ok(())
    }

    /// What should run of an app now.
    ///
    /// # Errors
    /// When the release that serves cannot be read.
    async fn app_wanted(
        &self,
        app: &App,
        serving: &mut HashMap<AppId, Serving>,
    ) -> Result<Vec<Wanted>, ControllerError> {
        let Some(version) = app.serving else { return Ok(Vec::new()) };
        if let Some(known) = serving.get(&app.id).filter(|known| known.version == version) {
            return Ok(steady(app, version, &known.processes));
        }
        let artifact = self.release_load(app.id, version).await?.artifact;
        let processes = artifact.map(|artifact| artifact.processes).unwrap_or_default();
        let wanted = steady(app, version, &processes);
        serving.insert(app.id, Serving { version, processes });
        Ok(wanted)
    }

    fn falls_short(&self, wanted: &Wanted, instances: &[Instance]) -> bool {
        let alive = |instance: &&Instance| {
            !matches!(instance.state, InstanceState::Exited { .. } | InstanceState::Stopping)
                && !self.board.drains(&instance.id)
        };
        let alive = instances.iter().filter(alive).count();
        alive < wanted.count as usize && !self.board.rolls_out(&wanted.workload)
    }

    async fn workload_heal(&self, app: App, wanted: Wanted) {
        let (process, count) = (&wanted.workload.process, wanted.count);
        tracing::info!(app = %app.name, %process, count, "starting instances");
        if let Err(error) = self.workload_start(&app, &wanted).await {
            let reason = chain(&error);
            tracing::warn!(app = %app.name, %process, error = %reason, "cannot start instances");
            self.log(app.id, process.as_str(), format!("Cannot start {process}: {reason}"));
        }
    }

    async fn workload_start(&self, app: &App, wanted: &Wanted) -> Result<(), ControllerError> {
        let release = self.release_load(app.id, wanted.workload.release).await?;
        let spec = self.workload_spec(app, &release, &wanted.workload, &wanted.command, wanted.count)?;
        Ok(self.scheduler.workload_ensure(&spec).await?)
    }

    /// Stops what is beyond the count: out of the routes, drained, then stopped.
    fn shrink(self: &Arc<Self>, wanted: &Wanted, instances: &[Instance], retiring: &mut JoinSet<()>) {
        let staying: Vec<Instance> =
            instances.iter().filter(|instance| !self.board.drains(&instance.id)).cloned().collect();
        let unhealthy = staying.iter().filter(|instance| !self.board.is_healthy(instance));
        let unhealthy = unhealthy.map(|instance| instance.id.clone()).collect();
        let retire = ambo_scheduler::retire(&wanted.workload, &staying, wanted.count, &unhealthy);
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
