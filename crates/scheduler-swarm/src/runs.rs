//! What an id names; programs in instances, and one-off instances.
//!
//! One-off instances are plain containers on the network of their app: Swarm has no way to attach to what it starts.

use std::collections::HashMap;

use ambo_model::{Instance, InstanceId, Node, NodeId, NodeState};
use ambo_scheduler::{Attached, ExecSpec, RunSpec, Scheduler, SchedulerError};
use futures::future::join_all;

use crate::chains::Chains;
use crate::driver::Cluster;
use crate::failure::{failed, on_node};
use crate::machines;
use crate::slots::{Seen, Slot};
use crate::task::{Task, TaskState};

/// Stands between node and container in the id of a one-off instance.
const SEPARATOR: char = '.';

/// What an instance's id names.
#[derive(Debug)]
pub(crate) enum Named {
    /// What a service keeps running.
    Slot(Slot),
    /// What Swarm is stopping.
    Leaving(Task),
    /// A one-off instance: its node, and the container there.
    Run(NodeId, InstanceId),
}

/// What each of the ids names of what services keep running, or Swarm is stopping.
fn named_each(chains: &Chains, seen: &Seen, ids: &[InstanceId]) -> Vec<Option<Named>> {
    let mut asked: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, id) in ids.iter().enumerate() {
        asked.entry(id.as_str()).or_default().push(place);
    }
    let mut named: Vec<Option<Named>> = ids.iter().map(|_| None).collect();
    for mut slot in seen.slots() {
        for task in std::mem::take(&mut slot.leaving) {
            for place in asked.get(task.id.as_str()).into_iter().flatten() {
                named[*place] = Some(Named::Leaving(task.clone()));
            }
        }
        let head = chains.follow(&slot).map(|chain| chain.head);
        let ids = head.as_deref().into_iter().chain(slot.starts().map(|task| task.id.as_str()));
        for place in ids.filter_map(|id| asked.get(id)).flatten() {
            named[*place] = Some(Named::Slot(slot.clone()));
        }
    }
    named
}

/// The same error for another who asked.
fn again(error: &SchedulerError) -> SchedulerError {
    let source = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string).into();
    match error {
        SchedulerError::EngineDown { .. } => SchedulerError::EngineDown { source },
        error => SchedulerError::Engine { doing: error.to_string(), source },
    }
}

impl Named {
    /// Reads the id of a one-off instance.
    pub(crate) fn run(id: &InstanceId) -> Option<(NodeId, InstanceId)> {
        let (node, container) = id.as_str().split_once(SEPARATOR)?;
        Some((NodeId::parse(node).ok()?, InstanceId::new(container)))
    }
}

impl Cluster {
    /// What the ids name, as far as it is there. The id of any start of an instance names it.
    pub(crate) fn named(&self, seen: &Seen, ids: &[InstanceId]) -> Vec<Named> {
        let has = |id: &str| ids.iter().any(|asked| asked.as_str() == id);
        let mut named: Vec<Named> =
            ids.iter().filter_map(Named::run).map(|(node, container)| Named::Run(node, container)).collect();
        for mut slot in seen.slots() {
            let leaving = std::mem::take(&mut slot.leaving);
            named.extend(leaving.into_iter().filter(|task| has(&task.id)).map(Named::Leaving));
            let chain = self.chains.follow(&slot);
            if chain.is_some_and(|chain| has(&chain.head)) || slot.starts().any(|task| has(&task.id)) {
                named.push(Named::Slot(slot));
            }
        }
        named
    }

    /// What one id names.
    pub(crate) async fn find(&self, instance: &InstanceId) -> Result<Named, SchedulerError> {
        if let Some((node, container)) = Named::run(instance) {
            return Ok(Named::Run(node, container));
        }
        self.finds.ask(instance.clone(), |instances| self.find_all(instances)).await
    }

    /// What each of many names, by one look: a leader that comes asks for all instances at once.
    async fn find_all(&self, instances: Vec<InstanceId>) -> Vec<Result<Named, SchedulerError>> {
        match self.look().await {
            Ok(seen) => {
                let named = named_each(&self.chains, &seen, &instances);
                named
                    .into_iter()
                    .zip(instances)
                    .map(|(named, instance)| named.ok_or(SchedulerError::InstanceGone(instance)))
                    .collect()
            }
            Err(error) => instances.iter().map(|_| Err(again(&error))).collect(),
        }
    }

    pub(crate) async fn exec(&self, instance: &InstanceId, exec: ExecSpec) -> Result<Attached, SchedulerError> {
        self.fence_check().await?;
        let gone = || SchedulerError::InstanceGone(instance.clone());
        let (node, container) = match self.find(instance).await? {
            Named::Run(node, container) => (node, container),
            Named::Slot(Slot { current: Some(task), .. }) | Named::Leaving(task)
                if task.state == TaskState::Running =>
            {
                let (node, container) = task.container().ok_or_else(gone)?;
                (node.clone(), InstanceId::new(container))
            }
            Named::Slot(_) | Named::Leaving(_) => return Err(gone()),
        };
        let attached = self.docker_on(&node).await?.instance_exec(&container, exec).await;
        attached.map_err(|error| match error {
            SchedulerError::InstanceGone(_) => gone(),
            error => error,
        })
    }

    /// Starts a one-off instance on the node with the fewest instances that there is a way to.
    pub(crate) async fn run_start(&self, run: RunSpec) -> Result<Attached, SchedulerError> {
        self.fence_check().await?;
        let mut away = SchedulerError::EngineDown { source: "no node's engine answers".into() };
        for node in self.candidates(&run.tags).await? {
            match self.run_start_on(&node, run.clone()).await {
                Err(error @ SchedulerError::EngineDown { .. }) => away = error,
                started => return started,
            }
        }
        Err(away)
    }

    async fn run_start_on(&self, node: &Node, run: RunSpec) -> Result<Attached, SchedulerError> {
        let docker = self.docker_on(&node.id).await.map_err(on_node(&node.name))?;
        docker.image_ensure(&run.image).await.map_err(on_node(&node.name))?;
        // Nobody removes the app's network in between.
        let _network = self.apps.lock(&run.app).await;
        let network = self.network_ensure(run.app).await?;
        docker.run_on(&network, run).await.map_err(on_node(&node.name))
    }

    pub(crate) async fn runs_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        let mut nodes = machines::nodes(&self.managers).await.map_err(failed("list nodes"))?;
        nodes.retain(|node| node.state != NodeState::Down);
        let asked = join_all(nodes.iter().map(|node| async {
            match self.runs_on(&node.id).await {
                Ok(runs) => runs,
                Err(error) => {
                    tracing::warn!(node = %node.name, %error, "cannot ask a node for its one-off instances");
                    Vec::new()
                }
            }
        }));
        // Newest first on each node; there is no more to go by.
        Ok(asked.await.into_iter().flatten().collect())
    }

    async fn runs_on(&self, node: &NodeId) -> Result<Vec<Instance>, SchedulerError> {
        let mut runs = self.docker_on(node).await?.runs_observe().await?;
        for run in &mut runs {
            run.id = InstanceId::new(format!("{node}{SEPARATOR}{}", run.id));
        }
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slots::tests::{seen, task};
    use crate::task::TaskState::{Failed, Running, Shutdown};

    #[test]
    fn the_id_of_a_one_off_instance_names_its_node() {
        let (node, container) = Named::run(&InstanceId::new("wtn7.0123ab")).unwrap();
        assert_eq!((node.as_str(), container.as_str()), ("wtn7", "0123ab"));
        assert!(Named::run(&InstanceId::new("wtn7")).is_none());
        assert!(Named::run(&InstanceId::new("../x.y")).is_none());
    }

    #[test]
    fn any_start_names_its_instance_and_each_who_asks_is_told_of_his_own() {
        let seen = seen(vec![
            task("first", 1, Some("n1"), Failed, Shutdown),
            task("second", 2, Some("n1"), Running, Running),
            task("old", 0, Some("n1"), Running, Shutdown),
        ]);
        let ids = ["second", "nobody", "old", "first", "second"].map(InstanceId::new);
        let named = named_each(&Chains::default(), &seen, &ids);
        let is_slot = |named: &Option<Named>| matches!(named, Some(Named::Slot(_)));
        assert!([0, 3, 4].iter().all(|place| is_slot(&named[*place])), "{named:?}");
        assert!(named[1].is_none(), "{named:?}");
        assert!(matches!(&named[2], Some(Named::Leaving(task)) if task.id == "old"), "{named:?}");
    }
}
