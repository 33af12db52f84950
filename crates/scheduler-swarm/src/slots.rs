//! What tasks, services and nodes together say: the slots, each with what runs in it and what crashed before. Pure.

use std::collections::{BTreeMap, HashMap};

use ambo_model::{Node, NodeId, NodeState};

use crate::service::Found;
use crate::task::Task;

/// The swarm at one moment, as far as it is this platform's.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) tasks: Vec<Task>,
    pub(crate) services: HashMap<String, Found>,
    pub(crate) nodes: HashMap<NodeId, Node>,
}

/// A slot's name: the service, and the number in it.
pub(crate) type SlotName = (String, u32);

/// One slot of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) name: SlotName,
    /// What runs, or is to run soon.
    pub(crate) current: Option<Task>,
    /// What ran before it in this slot and ended by itself, oldest first: starts of the same instance.
    pub(crate) crashed: Vec<Task>,
    /// What Swarm is stopping: instances of their own, whose place another takes or nobody.
    pub(crate) leaving: Vec<Task>,
}

impl Slot {
    /// The starts of the slot's instance, oldest first.
    pub(crate) fn starts(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.crashed.iter().chain(&self.current)
    }

    /// Whether Swarm keeps an instance in it.
    pub(crate) fn is_live(&self) -> bool {
        self.current.is_some() || !self.crashed.is_empty()
    }
}

impl Seen {
    /// Whether a node is known not to answer. What ran on it is taken to be gone.
    fn is_down(&self, node: &NodeId) -> bool {
        self.nodes.get(node).is_none_or(|node| node.state == NodeState::Down)
    }

    /// The name of a node; empty when it has none yet, or none any more.
    pub(crate) fn node_name(&self, node: Option<&NodeId>) -> &str {
        node.and_then(|node| self.nodes.get(node)).map_or("", |node| node.name.as_str())
    }

    /// Every slot in which something is, by service and number.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        let mut starts: BTreeMap<SlotName, Vec<&Task>> = BTreeMap::new();
        for task in &self.tasks {
            starts.entry((task.service.clone(), task.identity.index)).or_default().push(task);
        }
        starts.into_iter().filter_map(|(name, tasks)| self.slot(name, tasks)).collect()
    }

    fn slot(&self, name: SlotName, mut tasks: Vec<&Task>) -> Option<Slot> {
        tasks.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        let service = self.services.get(&name.0);
        let stands = |task: &&&Task| !task.node.as_ref().is_some_and(|node| self.is_down(node));
        let current =
            tasks.iter().filter(stands).rev().find(|task| service.is_some() && task.is_wanted() && !task.has_ended());
        let is_current = |task: &Task| current.is_some_and(|current| current.id == task.id);
        // What has no container yet never gets one.
        let runs = |task: &Task| task.container.is_some() && !task.has_ended();
        let leaving = tasks.iter().filter(stands).filter(|task| runs(task) && !is_current(task));
        let leaving = leaving.map(|task| (*task).clone()).collect::<Vec<_>>();
        // Without a successor, and not wanted any more, the slot is one of those that a service no longer has.
        let is_kept = service.is_some() && tasks.iter().any(|task| task.is_wanted());
        let crashed = if is_kept { self.crashed(&name, &tasks, current.copied()) } else { Vec::new() };
        let slot = Slot { name, current: current.map(|task| (*task).clone()), crashed, leaving };
        (slot.is_live() || !slot.leaving.is_empty()).then_some(slot)
    }

    /// What crashed just before the current start: what was moved away in between, or stopped by us, ends the series.
    fn crashed(&self, name: &SlotName, tasks: &[&Task], current: Option<&Task>) -> Vec<Task> {
        let forgotten = self.services.get(&name.0).and_then(|service| service.desired.forgotten.get(&name.1));
        let before = tasks.iter().filter(|task| {
            current.is_none_or(|current| (task.created_at, &task.id) < (current.created_at, &current.id))
        });
        let remembered = before.filter(|task| forgotten.is_none_or(|until| task.created_at > *until));
        let mut crashed: Vec<Task> =
            remembered.rev().take_while(|task| task.has_crashed()).map(|task| (*task).clone()).collect();
        crashed.reverse();
        crashed
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ambo_model::{
        AppId, AppName, ByteSize, CpuShare, NodeAvailability, NodeResources, NodeRole, ProcessType, ReleaseVersion,
        Timestamp, WorkloadId,
    };
    use ambo_scheduler_docker::labels::{Identity, Kind};

    use super::*;
    use crate::service::Desired;
    use crate::task::TaskState;

    pub(crate) fn task(id: &str, second: i64, node: Option<&str>, state: TaskState, desired: TaskState) -> Task {
        let app: AppId = "0192f0c1-0000-7000-8000-000000000001".parse().unwrap();
        let workload = WorkloadId { app, release: ReleaseVersion(1), process: ProcessType::web(), generation: 0 };
        let app_name = AppName::parse("myapp").unwrap();
        Task {
            id: id.to_owned(),
            created_at: Timestamp::from_second(second).unwrap(),
            service: "s".to_owned(),
            identity: Identity { kind: Kind::Instance, workload, app_name, index: 1, port: Some(8080) },
            node: node.map(|node| NodeId::parse(node).unwrap()),
            state,
            desired,
            since: Timestamp::from_second(second).ok(),
            error: None,
            container: node.map(|_| format!("c{id}")),
            exit_code: Some(3),
            addresses: vec![("net".to_owned(), "10.0.1.5".parse().unwrap())],
        }
    }

    fn node(id: &str, state: NodeState) -> (NodeId, Node) {
        let id = NodeId::parse(id).unwrap();
        let node = Node {
            id: id.clone(),
            name: id.to_string(),
            address: None,
            state,
            availability: NodeAvailability::Active,
            role: NodeRole::Worker,
            labels: BTreeMap::new(),
            engine_version: "20".to_owned(),
            resources: NodeResources { cpu: CpuShare::millis(1000), memory: ByteSize::mib(1) },
        };
        (id, node)
    }

    /// `n1` and `n2` are ready, `n3` is down; a service `s`.
    pub(crate) fn seen(tasks: Vec<Task>) -> Seen {
        let nodes = [("n1", NodeState::Ready), ("n2", NodeState::Unknown), ("n3", NodeState::Down)];
        let desired = Desired { replicas: 1, ..Desired::default() };
        let service = Found { id: "s".to_owned(), version: 1, desired, spec: serde_json::Value::Null };
        Seen {
            tasks,
            services: HashMap::from([("s".to_owned(), service)]),
            nodes: nodes.into_iter().map(|(id, state)| node(id, state)).collect(),
        }
    }

    /// What is current, what crashed, what leaves.
    fn told(seen: &Seen) -> (Option<String>, Vec<String>, Vec<String>) {
        let ids = |tasks: Vec<Task>| tasks.into_iter().map(|task| task.id).collect();
        match seen.slots().pop() {
            Some(slot) => (slot.current.map(|task| task.id), ids(slot.crashed), ids(slot.leaving)),
            None => (None, Vec::new(), Vec::new()),
        }
    }

    use TaskState::{Failed, Pending, Ready, Running, Shutdown};

    fn texts(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_crash_is_remembered_until_the_instance_is_moved() {
        let crashing = [
            task("b", 2, Some("n1"), Failed, Shutdown),
            task("a", 1, Some("n1"), Failed, Shutdown),
            task("c", 3, Some("n2"), Ready, Ready),
        ];
        assert_eq!(told(&seen(crashing.to_vec())), (Some("c".to_owned()), texts(&["a", "b"]), vec![]));
        let moved = [
            task("a", 1, Some("n1"), Failed, Shutdown),
            task("b", 2, Some("n1"), Shutdown, Shutdown),
            task("c", 3, Some("n2"), Running, Running),
        ];
        assert_eq!(told(&seen(moved.to_vec())), (Some("c".to_owned()), vec![], vec![]));
    }

    #[test]
    fn what_ran_on_a_node_that_is_down_is_gone() {
        let dead = [task("a", 1, Some("n3"), Running, Running)];
        assert_eq!(told(&seen(dead.to_vec())), (None, vec![], vec![]));
        let moved = [task("a", 1, Some("n3"), Running, Shutdown), task("b", 2, Some("n1"), Running, Running)];
        assert_eq!(told(&seen(moved.to_vec())), (Some("b".to_owned()), vec![], vec![]));
        let unknown = [task("a", 1, Some("n2"), Running, Running)];
        assert_eq!(told(&seen(unknown.to_vec())).0, Some("a".to_owned()), "not heard of is not down");
        let removed = [task("a", 1, Some("n9"), Running, Running)];
        assert_eq!(told(&seen(removed.to_vec())).0, None);
    }

    #[test]
    fn what_swarm_stops_leaves_beside_its_successor() {
        let drained = [task("a", 1, Some("n1"), Running, Shutdown), task("b", 2, None, Pending, Ready)];
        assert_eq!(told(&seen(drained.to_vec())), (Some("b".to_owned()), vec![], texts(&["a"])));
        let waiting = task("b", 2, None, Pending, TaskState::Remove);
        let mut removed = seen(vec![task("a", 1, Some("n1"), Running, TaskState::Remove), waiting]);
        removed.services.clear();
        assert_eq!(told(&removed), (None, vec![], texts(&["a"])), "what has not begun is nothing");
    }

    #[test]
    fn a_slot_that_a_service_no_longer_has_is_no_more() {
        let stopped = [task("a", 1, Some("n1"), Failed, Shutdown)];
        assert!(seen(stopped.to_vec()).slots().is_empty());
        let failing = [task("a", 1, Some("n1"), Failed, Running)];
        assert_eq!(told(&seen(failing.to_vec())), (None, texts(&["a"]), vec![]), "its successor is about to be made");
    }

    #[test]
    fn what_we_stopped_is_no_past_of_what_comes_after() {
        let again = [task("a", 1, Some("n1"), Failed, Shutdown), task("b", 3, Some("n1"), Running, Running)];
        let mut seen = seen(again.to_vec());
        let service = seen.services.get_mut("s").unwrap();
        service.desired.forgotten.insert(1, Timestamp::from_second(2).unwrap());
        assert_eq!(told(&seen), (Some("b".to_owned()), vec![], vec![]));
    }
}
