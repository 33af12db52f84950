//! Derives the route table from what is observed, continuously; nothing is generated at deploy and left to age.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{App, AppId, Hostname, Instance, InstanceState, ProcessType, Route, RouteTable, Target};

use crate::controller::Controller;
use crate::error::{ControllerError, chain};
use crate::keys;
use crate::records::list;

/// How long until the table is derived again without a nudge.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Instances of `web`, by app: each app looks at its own, however many others there are.
type Web<'a> = HashMap<AppId, Vec<&'a Instance>>;

impl Controller {
    pub(crate) async fn routes_run(self: Arc<Self>) {
        while !self.stopping.is_cancelled() {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = self.nudge.routes_nudged() => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
            if let Err(error) = self.routes_publish().await {
                tracing::warn!(error = %chain(&error), "cannot derive the routes now; the last ones stay");
            }
        }
    }

    /// Derives the table from the newest state and hands it to the router. When it returns, the router goes by it.
    ///
    /// # Errors
    /// Until the first round of health checks too: nothing is known to be healthy yet, and the router's last table is better
    /// than an empty one.
    pub(crate) async fn routes_publish(&self) -> Result<(), ControllerError> {
        if !self.board.knows_health() {
            return Err(ControllerError::Conflict(
                "the platform has just started and does not know its instances yet: try again in a moment".to_owned(),
            ));
        }
        // It takes the longer the more apps there are, and every change waits for it: those that come together share one.
        self.publishing.share(self.routes_derive()).await
    }

    async fn routes_derive(&self) -> Result<(), ControllerError> {
        let mut observed = self.scheduler.instances_observe().await?;
        // In this order: what is drained because another release serves, is drained after the apps have that release.
        let draining = self.board.draining();
        let apps: Vec<App> =
            list::<App>(&*self.store, keys::APPS).await?.into_iter().map(|found| found.value).collect();
        if self.have_switched_since(&apps, &web_by_app(&observed)) {
            observed = self.scheduler.instances_observe().await?;
        }
        let mut domains: HashMap<AppId, Vec<Hostname>> = HashMap::new();
        for domain in self.domains_all().await? {
            domains.entry(domain.app).or_default().push(domain.hostname);
        }
        // Neither a target nor a crash: one that is told to stop may well end with an error.
        observed.retain(|instance| !draining.contains(&instance.id));
        let web = web_by_app(&observed);
        let mut table = RouteTable::default();
        for app in apps {
            let mut hosts = vec![self.app_host(&app.name)?];
            hosts.extend(domains.remove(&app.id).unwrap_or_default());
            let web = web.get(&app.id).map(Vec::as_slice).unwrap_or_default();
            table.routes.push(self.route(&app, hosts, web));
        }
        self.routes.routes_publish(table).await;
        Ok(())
    }

    /// Whether an app may have come to serve what was not there yet when the instances were observed.
    fn have_switched_since(&self, apps: &[App], web: &Web<'_>) -> bool {
        let has_switched = |app: &App| {
            let of_app = web.get(&app.id).map(Vec::as_slice).unwrap_or_default();
            wants_web(app) && !of_app.iter().any(|instance| self.serves(app, instance))
        };
        apps.iter().any(has_switched)
    }

    /// Lets the routes follow a change before its caller is answered. When the engine is away they follow later.
    pub(crate) async fn routes_follow(&self) {
        if self.routes_publish().await.is_err() {
            self.nudge.routes();
        }
        self.certificates_follow().await;
    }

    fn route(&self, app: &App, hosts: Vec<Hostname>, web: &[&Instance]) -> Route {
        let serving = || web.iter().copied().filter(|instance| self.serves(app, instance));
        let healthy = |instance: &&Instance| instance.is_running() && self.board.is_healthy(instance);
        let target = |instance: &Instance| {
            let endpoint = instance.endpoint?;
            Some(Target { instance: instance.id.clone(), name: instance.name(), endpoint })
        };
        Route {
            app: app.id,
            app_name: app.name.clone(),
            hosts,
            targets: serving().filter(healthy).filter_map(target).collect(),
            maintenance: app.maintenance,
            // One that nobody wants any more was told to stop, or is about to be.
            crashed: wants_web(app)
                && serving().any(|instance| matches!(instance.state, InstanceState::Crashed { .. })),
        }
    }

    /// Whether an instance belongs to the workload that is to be routed.
    fn serves(&self, app: &App, instance: &Instance) -> bool {
        let workload = &instance.workload;
        workload.app == app.id
            && Some(workload.release) == app.serving
            && workload.process.is_web()
            && workload.generation == app.formation.entry(&workload.process).generation
    }
}

fn wants_web(app: &App) -> bool {
    app.serving.is_some() && app.formation.entry(&ProcessType::web()).count > 0
}

fn web_by_app(observed: &[Instance]) -> Web<'_> {
    let mut web = Web::new();
    for instance in observed.iter().filter(|instance| instance.workload.process.is_web()) {
        web.entry(instance.workload.app).or_default().push(instance);
    }
    web
}
