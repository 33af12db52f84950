//! What runs: slots as instances.

use std::net::SocketAddr;
use std::time::Duration;

use ambo_model::{Instance, InstanceId, InstanceState, Timestamp};
use ambo_scheduler::SchedulerError;

use crate::chains::Chain;
use crate::driver::Cluster;
use crate::failure::failed;
use crate::machines;
use crate::slots::{Seen, Slot};
use crate::task::{Task, TaskState, tasks_list};

/// An instance that was restarted and has been up for less than this is crashing.
const STEADY_AFTER: Duration = Duration::from_secs(10);

impl Cluster {
    /// The swarm as it is now.
    pub(crate) async fn look(&self) -> Result<Seen, SchedulerError> {
        // In this order: a task whose service is not there was one of a service that is gone, never of one that is new.
        let tasks = self.tasks_list().await?;
        let services = self.services_list(None).await?;
        let nodes = machines::nodes(&self.managers).await.map_err(failed("list nodes"))?;
        Ok(Seen {
            tasks,
            services: services.into_iter().map(|service| (service.id.clone(), service)).collect(),
            nodes: nodes.into_iter().map(|node| (node.id.clone(), node)).collect(),
        })
    }

    pub(crate) async fn tasks_list(&self) -> Result<Vec<Task>, SchedulerError> {
        let platform = &self.settings.docker.platform;
        let listed = self.managers.ask(|engine| async move { tasks_list(&engine, platform).await }).await;
        listed.map_err(failed("list instances"))
    }

    pub(crate) async fn instances_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        let seen = self.look().await?;
        self.abandoned_reopen(&seen).await;
        let slots = seen.slots();
        self.chains.forget_all_but(&slots);
        let mut instances = Vec::new();
        for slot in &slots {
            instances.extend(self.instance(&seen, slot, Timestamp::now()));
            instances.extend(slot.leaving.iter().map(|task| self.leaving(&seen, task)));
        }
        Ok(instances)
    }

    /// The instance that is in a slot.
    fn instance(&self, seen: &Seen, slot: &Slot, now: Timestamp) -> Option<Instance> {
        let chain = self.chains.follow(slot)?;
        let shown = slot.current.as_ref().filter(|task| task.state == TaskState::Running || slot.crashed.is_empty());
        let shown = shown.or(slot.crashed.last()).or(slot.current.as_ref())?;
        let is_retiring = self.is_retiring(&slot.name.0, slot.name.1);
        // What has been stopped and is not to come again holds no place, and is no crash.
        let state = if is_retiring { InstanceState::Stopping } else { state(slot, &chain, now) };
        let mut instance = shown.identity.clone().instance(
            InstanceId::new(chain.head.as_str()),
            seen.node_name(shown.node.as_ref()),
            state,
        );
        instance.restarts = chain.restarts;
        if shown.state == TaskState::Running {
            instance.started_at = chain.started_at();
            instance.endpoint = self.endpoint(shown);
        }
        Some(instance)
    }

    fn leaving(&self, seen: &Seen, task: &Task) -> Instance {
        let id = InstanceId::new(task.id.as_str());
        let node = seen.node_name(task.node.as_ref());
        let mut instance = task.identity.clone().instance(id, node, InstanceState::Stopping);
        instance.endpoint = self.endpoint(task).filter(|_| task.state == TaskState::Running);
        instance
    }

    /// Where the routers reach it: on the network of its app.
    fn endpoint(&self, task: &Task) -> Option<SocketAddr> {
        let network = self.network_name(task.identity.workload.app);
        let (_, address) = task.addresses.iter().find(|(name, _)| *name == network)?;
        Some(SocketAddr::new(*address, task.identity.port?))
    }
}

fn state(slot: &Slot, chain: &Chain, now: Timestamp) -> InstanceState {
    let exit_code = slot.crashed.last().and_then(|task| task.exit_code);
    let Some(current) = slot.current.as_ref() else { return InstanceState::Crashed { exit_code } };
    if current.state == TaskState::Running {
        let age = chain.started_at().and_then(|since| Duration::try_from(now.duration_since(since)).ok());
        let is_steady = chain.restarts == 0 || age.is_some_and(|age| age >= STEADY_AFTER);
        return if is_steady { InstanceState::Running } else { InstanceState::Crashed { exit_code } };
    }
    if chain.restarts > 0 { InstanceState::Crashed { exit_code } } else { InstanceState::Starting }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chains::Chains;
    use crate::slots::tests::{seen, task};
    use crate::task::TaskState::{Failed, Pending, Ready, Running, Shutdown};

    fn told(tasks: Vec<Task>, second: i64) -> InstanceState {
        let slot = seen(tasks).slots().pop().unwrap();
        let chain = Chains::default().follow(&slot).unwrap();
        state(&slot, &chain, Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn what_was_started_again_is_crashed_until_it_has_been_up_for_a_while() {
        let failed = || task("a", 1, Some("n1"), Failed, Shutdown);
        let crashed = InstanceState::Crashed { exit_code: Some(3) };
        assert_eq!(told(vec![failed(), task("b", 2, Some("n1"), Ready, Ready)], 3), crashed, "it waits");
        assert_eq!(told(vec![failed(), task("b", 2, Some("n1"), Running, Running)], 3), crashed);
        assert_eq!(told(vec![failed(), task("b", 2, Some("n1"), Running, Running)], 60), InstanceState::Running);
        assert_eq!(told(vec![task("b", 2, Some("n1"), Running, Running)], 3), InstanceState::Running);
        assert_eq!(told(vec![task("b", 2, None, Pending, Running)], 3), InstanceState::Starting);
    }
}
