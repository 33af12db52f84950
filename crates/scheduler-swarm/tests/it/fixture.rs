//! A swarm in a lab, and platforms on it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ambo_engine_docker::{DockerSettings, Engine, EngineError};
use ambo_lab::{Lab, LabSettings};
use ambo_model::{
    AppId, AppName, Command, ImageReference, Instance, InstanceId, Limits, Node, NodeId, ProcessType, ReleaseVersion,
    Tags, WorkloadId,
};
use ambo_scheduler::contract::ContractFixture;
use ambo_scheduler::{AttachedOutput, ExecSpec, Nodes, Scheduler, WorkloadSpec};
use ambo_scheduler_swarm::{NetworkJoiners, NodeEngines, SwarmScheduler, SwarmSchedulerSettings};
use futures::StreamExt;
use parking_lot::Mutex;

pub(crate) const IMAGE: &str = "python:3.11-slim-bookworm";
pub(crate) const FOREVER: &str = "exec sleep infinity";
pub(crate) const GRACE: Duration = Duration::from_secs(5);
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// Machines, joined.
pub(crate) struct Swarm {
    pub(crate) lab: Lab,
    engines: HashMap<NodeId, Engine>,
}

impl Swarm {
    /// Machines `n1`, `n2` …; the first are managers.
    pub(crate) fn up(name: &str, nodes: usize, managers: usize) -> Self {
        let settings = LabSettings { name: name.to_owned(), nodes, ..LabSettings::default() };
        let lab = Lab::up(settings).unwrap();
        lab.load(&[IMAGE]).unwrap();
        lab.swarm(managers).unwrap();
        // Dead nodes are noticed in seconds.
        lab.nodes()[0].docker(&["swarm", "update", "--dispatcher-heartbeat", "2s"]).unwrap();
        let engines = lab.nodes().iter().map(|node| {
            let id = node.docker(&["info", "--format", "{{.Swarm.NodeID}}"]).unwrap();
            (NodeId::parse(id.trim()).unwrap(), engine(node))
        });
        Self { engines: engines.collect(), lab }
    }
}

pub(crate) fn engine(node: &ambo_lab::Node) -> Engine {
    Engine::connect(DockerSettings::parse(Some(&node.docker_host())).unwrap()).unwrap()
}

/// The nodes' own sockets.
struct Sockets(HashMap<NodeId, Engine>);

#[async_trait::async_trait]
impl NodeEngines for Sockets {
    async fn engine_of(&self, node: &NodeId) -> Result<Engine, EngineError> {
        self.0.get(node).cloned().ok_or_else(|| EngineError::down(format!("no node {node}")))
    }
}

/// Routers that only write down where they are.
#[derive(Default)]
pub(crate) struct Routers(pub(crate) Mutex<Vec<String>>);

#[async_trait::async_trait]
impl NetworkJoiners for Routers {
    async fn join(&self, network: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.lock().push(network.to_owned());
        Ok(())
    }

    async fn leave(&self, network: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.lock().retain(|joined| joined != network);
        Ok(())
    }
}

/// A platform of its own on a swarm.
pub(crate) struct Platform {
    pub(crate) swarm: Arc<Swarm>,
    pub(crate) id: String,
    pub(crate) routers: Arc<Routers>,
    pub(crate) scheduler: SwarmScheduler,
}

impl Platform {
    pub(crate) fn new(swarm: &Arc<Swarm>) -> Self {
        let id = format!("t{}", &AppId::new().uuid().simple().to_string()[16..]);
        let routers = Arc::new(Routers::default());
        let scheduler = driver(swarm, &id, 1, &routers);
        Self { swarm: Arc::clone(swarm), id, routers, scheduler }
    }

    /// A driver of the same platform, of another control plane.
    pub(crate) fn successor(&self, epoch: u64) -> SwarmScheduler {
        driver(&self.swarm, &self.id, epoch, &self.routers)
    }

    /// The machine of this name.
    pub(crate) fn machine(&self, name: &str) -> &ambo_lab::Node {
        self.swarm.lab.node(name).unwrap()
    }

    /// Asks the first manager.
    pub(crate) async fn docker(&self, words: &[&str]) -> String {
        docker(&self.swarm.lab.nodes()[0], words).await.unwrap()
    }

    pub(crate) async fn node(&self, name: &str) -> Node {
        let nodes = self.scheduler.nodes_list().await.unwrap();
        nodes.into_iter().find(|node| node.name == name).unwrap_or_else(|| panic!("no node {name}"))
    }

    pub(crate) fn spec(&self, line: &str, count: u32) -> WorkloadSpec {
        let process = ProcessType::web();
        WorkloadSpec {
            id: WorkloadId { app: AppId::new(), release: ReleaseVersion(7), process, generation: 0 },
            app_name: AppName::parse("myapp").unwrap(),
            image: ImageReference::parse(IMAGE).unwrap(),
            command: Command::Shell(line.to_owned()),
            env: BTreeMap::new(),
            limits: Limits::default(),
            tags: Tags::default(),
            port: 8080,
            count,
        }
    }

    /// The workload's instances, by index.
    pub(crate) async fn observed(&self, spec: &WorkloadSpec) -> Vec<Instance> {
        let mut instances = self.scheduler.instances_observe().await.unwrap();
        instances.retain(|instance| instance.workload == spec.id);
        instances.sort_by_key(|instance| instance.index);
        instances
    }

    /// Waits until exactly as many are there as are wanted, and run.
    pub(crate) async fn running(&self, spec: &WorkloadSpec, count: usize) -> Vec<Instance> {
        self.wait_until(&format!("{count} running instances"), async || {
            let instances = self.observed(spec).await;
            (instances.len() == count && instances.iter().all(Instance::is_running)).then_some(instances)
        })
        .await
    }

    pub(crate) async fn started(&self, spec: &WorkloadSpec) -> Vec<Instance> {
        self.scheduler.workload_ensure(spec).await.unwrap();
        self.running(spec, spec.count as usize).await
    }

    /// What a line of shell says in an instance, and its exit code.
    pub(crate) async fn exec(&self, instance: &Instance, line: &str) -> (String, i32) {
        let spec = ExecSpec { command: Command::Shell(line.to_owned()), env: BTreeMap::new(), terminal: None };
        let attached = self.scheduler.instance_exec(&instance.id, spec).await.unwrap();
        let pieces = attached.output.map(|piece| match piece.unwrap() {
            AttachedOutput::Stdout(bytes) | AttachedOutput::Stderr(bytes) => bytes,
        });
        let text = String::from_utf8_lossy(&pieces.collect::<Vec<_>>().await.concat()).into_owned();
        (text, attached.control.exit_code().await.unwrap())
    }

    /// Waits for a state.
    pub(crate) async fn wait_until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(DEADLINE, looking).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
    }

    /// The node and the container of an instance that runs.
    async fn container(&self, instance: &InstanceId) -> (Engine, String) {
        let format = "{{.NodeID}} {{.Status.ContainerStatus.ContainerID}}";
        let told = self.docker(&["inspect", "--type", "task", "--format", format, instance.as_str()]).await;
        let (node, container) = told.trim().split_once(' ').unwrap();
        (self.swarm.engines[&NodeId::parse(node).unwrap()].clone(), container.to_owned())
    }
}

/// Runs `docker` on a machine. Claims share one thread, which must not wait for it.
pub(crate) async fn docker(machine: &ambo_lab::Node, words: &[&str]) -> Result<String, String> {
    let (machine, words) = (machine.clone(), words.iter().map(ToString::to_string).collect::<Vec<_>>());
    let running = tokio::task::spawn_blocking(move || {
        machine.docker(&words.iter().map(String::as_str).collect::<Vec<_>>()).map_err(|error| error.to_string())
    });
    running.await.unwrap()
}

fn driver(swarm: &Swarm, platform: &str, epoch: u64, routers: &Arc<Routers>) -> SwarmScheduler {
    let managers = swarm.lab.nodes().iter().map(engine).collect();
    driver_at(swarm, managers, platform, epoch, routers)
}

/// A driver that asks these managers.
pub(crate) fn driver_at(
    swarm: &Swarm,
    managers: Vec<Engine>,
    platform: &str,
    epoch: u64,
    routers: &Arc<Routers>,
) -> SwarmScheduler {
    let mut settings = SwarmSchedulerSettings::new(platform, epoch);
    settings.docker.run_grace = Duration::from_secs(2);
    settings.restart_delay = Duration::from_secs(1);
    let engines = Arc::new(Sockets(swarm.engines.clone()));
    SwarmScheduler::new(managers, engines, Arc::clone(routers) as Arc<dyn NetworkJoiners>, settings)
}

#[async_trait::async_trait]
impl ContractFixture for Platform {
    fn scheduler(&self) -> &dyn Scheduler {
        &self.scheduler
    }
    fn image(&self) -> ImageReference {
        ImageReference::parse(IMAGE).unwrap()
    }
    fn image_missing(&self) -> ImageReference {
        // Nobody listens on this port.
        ImageReference::parse("127.0.0.1:1/ambo/missing:v1").unwrap()
    }
    fn deadline(&self) -> Duration {
        DEADLINE
    }
    async fn instance_kill(&self, instance: &InstanceId) {
        let (engine, container) = self.container(instance).await;
        engine.client().await.unwrap().kill_container(&container, None).await.unwrap();
    }
    async fn instance_vanish(&self, instance: &InstanceId) {
        let (engine, container) = self.container(instance).await;
        let options =
            ambo_engine_docker::bollard::query_parameters::RemoveContainerOptions { force: true, ..Default::default() };
        engine.client().await.unwrap().remove_container(&container, Some(options)).await.unwrap();
    }
}
