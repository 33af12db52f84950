//! Starting: the service is made, or told to have more. What Swarm starts, restarts and moves it does by itself.

use ambo_engine_docker::EngineInfo;
use ambo_model::{Node, NodeId, Tags, WorkloadId};
use ambo_scheduler::{Scheduler, SchedulerError, WorkloadSpec};
use futures::future::join_all;

use crate::driver::Cluster;
use crate::failure::{failed, on_node};
use crate::machines;
use crate::service::{Found, service_spec};

impl Cluster {
    pub(crate) async fn workload_ensure(&self, spec: &WorkloadSpec) -> Result<(), SchedulerError> {
        self.fence_check().await?;
        if self.workload_raise(spec).await? {
            return Ok(());
        }
        let nodes = self.candidates(&spec.tags).await?;
        self.workload_check(spec, &nodes).await?;
        // Two callers at once would both find no service.
        let _alone = self.workloads.lock(&spec.id).await;
        if self.workload_raise(spec).await? {
            return Ok(());
        }
        // Nobody removes the app's network in between.
        let _network = self.apps.lock(&spec.id.app).await;
        let network = self.network_ensure(spec.id.app).await?;
        let cores = nodes.iter().map(|node| node.resources.cpu.as_millis() / 1000).min().unwrap_or(1);
        let described = service_spec(spec, &network, self.engine_info().await?, cores, &self.settings);
        if self.service_create(&described, &spec.image).await? {
            return Ok(());
        }
        // Somebody was faster: the control plane before us, or a manager whose answer was lost.
        if self.workload_raise(spec).await? {
            return Ok(());
        }
        let source = "its name is taken by a service that is not this platform's".into();
        Err(SchedulerError::Engine { doing: format!("make the service of {}", spec.id), source })
    }

    /// Raises the count of a workload that has a service; `false` when it has none.
    async fn workload_raise(&self, spec: &WorkloadSpec) -> Result<bool, SchedulerError> {
        let Some(service) = self.service_find(&spec.id).await? else { return Ok(false) };
        self.routers_join(&self.network_name(spec.id.app)).await?;
        self.replicas_raise(&service, spec.count).await
    }

    pub(crate) async fn service_find(&self, workload: &WorkloadId) -> Result<Option<Found>, SchedulerError> {
        Ok(self.services_list(Some(workload)).await?.into_iter().next())
    }

    /// Never lowers. `false` when the service is gone.
    async fn replicas_raise(&self, service: &Found, count: u32) -> Result<bool, SchedulerError> {
        let changed = self.service_change(&service.id, |desired| {
            let is_opened = self.abandoned_open(&service.id, desired);
            let is_short = desired.staying() < count;
            if is_short {
                desired.replicas = count.saturating_add(desired.retiring);
            }
            is_opened || is_short
        });
        Ok(changed.await?.is_some())
    }

    /// Nodes that may take an instance, those with the fewest of ours first.
    pub(crate) async fn candidates(&self, tags: &Tags) -> Result<Vec<Node>, SchedulerError> {
        let mut nodes = machines::nodes(&self.managers).await.map_err(failed("list nodes"))?;
        nodes.retain(|node| node.takes(tags));
        let tasks = self.tasks_list().await?;
        let load =
            |id: &NodeId| tasks.iter().filter(|task| !task.has_ended() && task.node.as_ref() == Some(id)).count();
        nodes.sort_by_cached_key(|node| (load(&node.id), node.id.clone()));
        if !nodes.is_empty() {
            return Ok(nodes);
        }
        let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let reason = match tags.as_slice() {
            [] => "no node is ready to take instances".to_owned(),
            tags => format!("no node that carries {} is ready to take instances", tags.join(", ")),
        };
        Err(SchedulerError::Refused { doing: "find a node".to_owned(), reason })
    }

    /// Fetches the image to as many nodes as there will be instances, where Swarm is likely to put them, and looks whether
    /// its program is in it. One node on which it is will do: Swarm sees to the others.
    async fn workload_check(&self, spec: &WorkloadSpec, nodes: &[Node]) -> Result<(), SchedulerError> {
        let checks = nodes.iter().take(spec.count.max(1) as usize);
        let checks = checks.map(|node| async {
            let checked = async { self.docker_on(&node.id).await?.workload_check(spec).await };
            checked.await.map_err(on_node(&node.name))
        });
        first_best(join_all(checks).await)
    }

    pub(crate) async fn image_ensure(&self, image: &ambo_model::ImageReference) -> Result<(), SchedulerError> {
        let nodes = self.candidates(&Tags::default()).await?;
        let pulls = nodes.iter().take(1);
        let pulls = pulls.map(|node| async {
            let pulled = async { self.docker_on(&node.id).await?.image_ensure(image).await };
            pulled.await.map_err(on_node(&node.name))
        });
        first_best(join_all(pulls).await)
    }

    /// What the managers' engines are; asked once.
    pub(crate) async fn engine_info(&self) -> Result<&EngineInfo, SchedulerError> {
        let asked = self.info.get_or_try_init(|| self.managers.ask(|engine| async move { engine.info().await }));
        asked.await.map_err(failed("ask what the engine is"))
    }
}

/// Success when there is any; else the error that says most.
fn first_best(mut results: Vec<Result<(), SchedulerError>>) -> Result<(), SchedulerError> {
    let says_little = |result: &Result<(), _>| matches!(result, Err(SchedulerError::EngineDown { .. }));
    results.sort_by_key(|result| (result.is_err(), says_little(result)));
    results.into_iter().next().unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_that_can_is_enough_and_a_reason_beats_silence() {
        let down = || Err(SchedulerError::EngineDown { source: "gone".into() });
        let start = || Err(SchedulerError::Start { what: "web.1".to_owned(), reason: "no".to_owned() });
        assert!(first_best(vec![down(), start(), Ok(())]).is_ok());
        assert!(matches!(first_best(vec![down(), start()]), Err(SchedulerError::Start { .. })));
        assert!(matches!(first_best(vec![down()]), Err(SchedulerError::EngineDown { .. })));
    }
}
