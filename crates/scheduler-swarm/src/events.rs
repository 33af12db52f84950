//! Nudges: what is observed now differs from what was observed a second ago. Swarm tells nobody of its tasks; what it tells of
//! services and nodes, and an engine of containers, makes the next look come sooner.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ambo_engine_docker::bollard::models::EventMessage;
use ambo_engine_docker::bollard::query_parameters::EventsOptions;
use ambo_model::{AppId, Instance, InstanceId};
use ambo_scheduler::{SchedulerError, SchedulerEvent};
use futures::stream::{self, BoxStream, StreamExt};

use crate::driver::Cluster;

/// How long until the next look without a hint.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Shortest time between two looks, however many hints there are.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(100);
/// What a manager tells that may be worth a look.
const HINTS: [&str; 3] = ["service", "node", "container"];

/// Instances by id.
type Look = HashMap<InstanceId, Instance>;

struct Watch {
    cluster: Arc<Cluster>,
    last: Look,
    hints: BoxStream<'static, EventMessage>,
    changed: VecDeque<AppId>,
}

/// Ends when the swarm does not answer.
pub(crate) async fn watch(cluster: &Arc<Cluster>) -> Result<BoxStream<'static, SchedulerEvent>, SchedulerError> {
    let last = look(cluster).await?;
    let hints = hints(cluster).await;
    let watch = Watch { cluster: Arc::clone(cluster), last, hints, changed: VecDeque::new() };
    Ok(stream::unfold(watch, |mut watch| async move {
        let app = watch.next().await?;
        Some((SchedulerEvent { app: Some(app) }, watch))
    })
    .boxed())
}

impl Watch {
    /// The next app of which something changed; `None` when nobody answers.
    async fn next(&mut self) -> Option<AppId> {
        loop {
            if let Some(app) = self.changed.pop_front() {
                return Some(app);
            }
            tokio::time::sleep(LOOK_INTERVAL_MIN).await;
            // Without hints, as when the manager who gave them is gone, there is the clock.
            let _ = tokio::time::timeout(LOOK_INTERVAL, self.hints.next()).await;
            let now = look(&self.cluster).await.ok()?;
            self.changed.extend(changed(&self.last, &now));
            self.last = now;
        }
    }
}

async fn look(cluster: &Cluster) -> Result<Look, SchedulerError> {
    let instances = cluster.instances_observe().await?;
    Ok(instances.into_iter().map(|instance| (instance.id.clone(), instance)).collect())
}

/// What the nearest manager tells; for ever nothing when it does not answer.
async fn hints(cluster: &Cluster) -> BoxStream<'static, EventMessage> {
    let silence = || stream::pending().boxed();
    let Some(engine) = cluster.managers.preferred() else { return silence() };
    let Ok(docker) = engine.client().await else { return silence() };
    let filters = HashMap::from([("type".to_owned(), HINTS.iter().map(ToString::to_string).collect())]);
    let told = docker.events(Some(EventsOptions { since: None, until: None, filters: Some(filters) }));
    let told = told.take_while(|event| std::future::ready(event.is_ok())).filter_map(async |event| event.ok());
    told.chain(stream::pending()).boxed()
}

/// The apps whose instances differ.
fn changed(before: &Look, after: &Look) -> Vec<AppId> {
    let come_or_other = after.values().filter(|instance| before.get(&instance.id) != Some(instance));
    let gone = before.values().filter(|instance| !after.contains_key(&instance.id));
    let mut apps: Vec<AppId> = come_or_other.chain(gone).map(|instance| instance.workload.app).collect();
    apps.sort_unstable();
    apps.dedup();
    apps
}
