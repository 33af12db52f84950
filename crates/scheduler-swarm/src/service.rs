//! The service that a workload is, and what is read back of one. Pure.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use ambo_engine_docker::EngineInfo;
use ambo_engine_docker::bollard::models::{
    EndpointSpec, EndpointSpecModeEnum, Limit, NetworkAttachmentConfig, ResourceObject, ServiceSpec, ServiceSpecMode,
    ServiceSpecModeReplicated, ServiceSpecUpdateConfig, ServiceSpecUpdateConfigFailureActionEnum, TaskSpec,
    TaskSpecContainerSpec, TaskSpecContainerSpecPrivileges, TaskSpecLogDriver, TaskSpecPlacement, TaskSpecResources,
    TaskSpecRestartPolicy, TaskSpecRestartPolicyConditionEnum,
};
use ambo_model::{ProcessType, Tags, Timestamp, WorkloadId};
use ambo_scheduler::WorkloadSpec;
use ambo_scheduler_docker::labels::{self, Identity, Kind};
use ambo_scheduler_docker::shape;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::settings::SwarmSchedulerSettings;

/// The term of the control plane that last changed the service.
const EPOCH: &str = "ambo.epoch";
/// How many of the service's slots are on their way out.
const RETIRING: &str = "ambo.retiring";
/// The latest changes, by whoever made them.
const CHANGES: &str = "ambo.changes";
/// How many of them are remembered: more than are ever made while one answer is lost.
const CHANGES_MAX: usize = 16;
/// Slots whose past is no longer theirs: until when, by number.
const FORGOTTEN: &str = "ambo.forgotten";
/// A kind of processor that does not exist.
const NOWHERE: &str = "none";
/// Longest part of an app's and of a process's name in a service's, in characters; Swarm takes 63 in all.
const NAME_PART_CHARS_MAX: usize = 16;

/// A service of ours, as far as it is ours to change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Desired {
    pub(crate) epoch: u64,
    pub(crate) replicas: u32,
    /// Slots on their way out. While there are any, Swarm starts nothing of the service.
    pub(crate) retiring: u32,
    /// What began before this in a slot belongs to an instance that we stopped.
    pub(crate) forgotten: BTreeMap<u32, Timestamp>,
    /// The latest changes, the last one last. Whoever had no answer finds here that a change was made.
    pub(crate) changes: Vec<String>,
}

impl Desired {
    /// How many instances are to stay.
    pub(crate) fn staying(&self) -> u32 {
        self.replicas.saturating_sub(self.retiring)
    }

    /// Whether this change was made.
    pub(crate) fn has(&self, change: &str) -> bool {
        self.changes.iter().any(|made| made == change)
    }

    /// Writes a change down as made.
    pub(crate) fn made(&mut self, change: &str) {
        let surplus = (self.changes.len() + 1).saturating_sub(CHANGES_MAX);
        self.changes.drain(..surplus);
        self.changes.push(change.to_owned());
    }

    pub(crate) fn read(spec: &Value) -> Self {
        let label = |key: &str| spec["Labels"][key].as_str();
        let replicas = spec["Mode"]["Replicated"]["Replicas"].as_u64();
        Self {
            epoch: label(EPOCH).and_then(|epoch| epoch.parse().ok()).unwrap_or(0),
            replicas: replicas.and_then(|replicas| u32::try_from(replicas).ok()).unwrap_or(0),
            retiring: label(RETIRING).and_then(|count| count.parse().ok()).unwrap_or(0),
            forgotten: label(FORGOTTEN).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default(),
            changes: label(CHANGES).map(|made| made.split(' ').map(str::to_owned).collect()).unwrap_or_default(),
        }
    }

    /// Writes it into a service's description. What describes its tasks stays as it is, to the letter: Swarm restarts all
    /// tasks of a service whose description differs. bollard's model does not know every field as Docker writes it.
    pub(crate) fn write(&self, spec: &mut Value) {
        let forgotten = serde_json::to_string(&self.forgotten).ok().filter(|_| !self.forgotten.is_empty());
        let labels = &mut spec["Labels"];
        labels[EPOCH] = self.epoch.to_string().into();
        field_set(labels, RETIRING, (self.retiring > 0).then(|| self.retiring.to_string().into()));
        field_set(labels, FORGOTTEN, forgotten.map(Value::from));
        field_set(labels, CHANGES, (!self.changes.is_empty()).then(|| self.changes.join(" ").into()));
        spec["Mode"]["Replicated"]["Replicas"] = self.replicas.into();
        let platforms = (self.retiring > 0).then(|| json!([{ "OS": "ambo-closed", "Architecture": NOWHERE }]));
        field_set(&mut spec["TaskTemplate"]["Placement"], "Platforms", platforms);
    }
}

fn field_set(object: &mut Value, key: &str, value: Option<Value>) {
    match (value, object) {
        (Some(value), object) => object[key] = value,
        (None, Value::Object(fields)) => drop(fields.remove(key)),
        (None, _) => {}
    }
}

/// A service as it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "RawService")]
pub(crate) struct Found {
    pub(crate) id: String,
    /// Grows with every change.
    pub(crate) version: u64,
    pub(crate) desired: Desired,
    /// Its description, as Swarm gives it.
    pub(crate) spec: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawService {
    #[serde(rename = "ID")]
    id: String,
    version: RawVersion,
    spec: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawVersion {
    index: u64,
}

impl From<RawService> for Found {
    fn from(RawService { id, version, spec }: RawService) -> Self {
        Self { id, version: version.index, desired: Desired::read(&spec), spec }
    }
}

/// What a workload's service and its containers carry; containers have their index from Swarm.
fn labels_of(spec: &WorkloadSpec, platform: &str) -> HashMap<String, String> {
    let mut carried = Identity::of(spec, Kind::Instance, 1).labels(platform);
    carried.remove(labels::INDEX);
    carried
}

/// Describes the service to Swarm. `cpu_count` is what the smallest machine has that an instance may come to.
pub(crate) fn service_spec(
    spec: &WorkloadSpec,
    network: &str,
    engine: &EngineInfo,
    cpu_count: u32,
    settings: &SwarmSchedulerSettings,
) -> ServiceSpec {
    let platform = &settings.docker.platform;
    let (driver, options) = shape::log(engine, &settings.docker);
    let mut labels = labels_of(spec, platform);
    labels.insert(EPOCH.to_owned(), settings.epoch.to_string());
    let replicated = ServiceSpecModeReplicated { replicas: Some(i64::from(spec.count)) };
    ServiceSpec {
        name: Some(name(&spec.id, spec.app_name.as_str(), platform)),
        labels: Some(labels),
        mode: Some(ServiceSpecMode { replicated: Some(replicated), ..Default::default() }),
        task_template: Some(TaskSpec {
            container_spec: Some(container(spec, engine, settings)),
            resources: Some(resources(spec, cpu_count, settings)),
            restart_policy: Some(TaskSpecRestartPolicy {
                condition: Some(TaskSpecRestartPolicyConditionEnum::ANY),
                delay: Some(nanoseconds(settings.restart_delay)),
                ..Default::default()
            }),
            placement: Some(TaskSpecPlacement { constraints: Some(constraints(&spec.tags)), ..Default::default() }),
            networks: Some(vec![NetworkAttachmentConfig { target: Some(network.to_owned()), ..Default::default() }]),
            log_driver: driver.map(|name| TaskSpecLogDriver { name: Some(name), options: Some(options) }),
            ..Default::default()
        }),
        // Only what waits for a node is ever replaced by an update: all of it at once, whatever becomes of it.
        update_config: Some(ServiceSpecUpdateConfig {
            parallelism: Some(0),
            failure_action: Some(ServiceSpecUpdateConfigFailureActionEnum::CONTINUE),
            ..Default::default()
        }),
        // Names resolve to the instances themselves: virtual addresses need IPVS, which not every kernel has.
        endpoint_spec: Some(EndpointSpec { mode: Some(EndpointSpecModeEnum::DNSRR), ports: None }),
        ..Default::default()
    }
}

fn container(spec: &WorkloadSpec, engine: &EngineInfo, settings: &SwarmSchedulerSettings) -> TaskSpecContainerSpec {
    let (command, args) = shape::words(&spec.command, None);
    let mut env: Vec<String> = shape::env(&spec.env, &spec.command).iter().map(|pair| literal(pair)).collect();
    env.push(format!("DYNO={}.{{{{.Task.Slot}}}}", spec.id.process));
    TaskSpecContainerSpec {
        image: Some(spec.image.to_string()),
        labels: Some(labels_of(spec, &settings.docker.platform)),
        command,
        args,
        env: Some(env),
        // Engines before 25 have no words for it.
        privileges: Some(TaskSpecContainerSpecPrivileges { no_new_privileges: Some(true), ..Default::default() }),
        stop_grace_period: Some(nanoseconds(settings.stop_grace)),
        health_check: Some(shape::health()),
        init: engine.has_init.then_some(true),
        capability_drop: Some(vec!["ALL".to_owned()]),
        capability_add: Some(shape::capabilities()),
        ulimits: Some(shape::ulimits()),
        ..Default::default()
    }
}

/// What an instance may use; and the memory, which Swarm sets aside for it, so that it goes where there is room.
fn resources(spec: &WorkloadSpec, cpu_count: u32, settings: &SwarmSchedulerSettings) -> TaskSpecResources {
    let memory = spec.limits.memory.or(settings.docker.limits_default.memory);
    let memory = memory.map(|size| i64::try_from(size.as_u64()).unwrap_or(i64::MAX));
    let cpu = spec.limits.cpu.or(settings.docker.limits_default.cpu);
    TaskSpecResources {
        limits: Some(Limit {
            nano_cpus: cpu.map(|cpu| shape::nano_cpus(cpu, cpu_count)),
            memory_bytes: memory,
            pids: Some(i64::from(settings.docker.pids_max)),
        }),
        reservations: memory.map(|memory| ResourceObject { memory_bytes: Some(memory), ..Default::default() }),
        ..Default::default()
    }
}

fn constraints(tags: &Tags) -> Vec<String> {
    tags.iter().map(|(key, value)| format!("node.labels.{key}=={value}")).collect()
}

/// Swarm reads variables as templates; this is a text that stays as it is.
fn literal(text: &str) -> String {
    text.replace("{{", "{{\"{{\"}}")
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// `myapp-web-v7-1a2b…`: for people, and the same for everybody, so that Swarm lets nobody make a second one.
pub(crate) fn name(workload: &WorkloadId, app_name: &str, platform: &str) -> String {
    let part = |text: &str| text.chars().take(NAME_PART_CHARS_MAX).collect::<String>();
    let process: &ProcessType = &workload.process;
    let digest = fnv1a(&format!("{platform}/{workload}"));
    format!("{}-{}-{}-{digest:016x}", part(app_name), part(process.as_str()), workload.release)
}

/// FNV-1a, 64 bits: the same on every machine and in every version of ours.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use ambo_model::{
        AppId, AppName, ByteSize, Command, CpuShare, ImageReference, Limits, ReleaseVersion, Secret, TagKey, TagValue,
    };

    use super::*;

    fn workload() -> WorkloadSpec {
        let app: AppId = "0192f0c1-0000-7000-8000-000000000001".parse().unwrap();
        WorkloadSpec {
            id: WorkloadId { app, release: ReleaseVersion(7), process: ProcessType::web(), generation: 2 },
            app_name: AppName::parse("an-app-with-a-very-long-name").unwrap(),
            image: ImageReference::parse("127.0.0.1:7050/app").unwrap(),
            command: Command::Shell("a b".to_owned()),
            env: BTreeMap::from([("KEY".to_owned(), Secret::new("{{.Node.ID}} {{{"))]),
            limits: Limits { memory: Some(ByteSize::mib(64)), cpu: Some(CpuShare::millis(9000)) },
            tags: Tags::from_iter([(TagKey::parse("disk").unwrap(), TagValue::parse("ssd").unwrap())]),
            port: 8080,
            count: 3,
        }
    }

    fn described() -> ServiceSpec {
        let engine = EngineInfo {
            node: "n1".to_owned(),
            version: "20".to_owned(),
            memory_bytes: 1 << 33,
            cpu_count: 2,
            log_drivers: vec!["json-file".to_owned(), "local".to_owned()],
            has_init: true,
        };
        service_spec(&workload(), "net", &engine, 2, &SwarmSchedulerSettings::new("p", 4))
    }

    #[test]
    fn a_workload_is_a_service_that_is_bounded_and_has_few_rights() {
        let described = described();
        let labels = described.labels.as_ref().unwrap();
        assert_eq!((&*labels["ambo.app"], &*labels["ambo.epoch"]), ("an-app-with-a-very-long-name", "4"));
        assert!(!labels.contains_key("ambo.index"));
        let task = described.task_template.unwrap();
        let container = task.container_spec.unwrap();
        assert_eq!(container.command.unwrap(), ["/bin/sh", "-c"]);
        assert_eq!(container.args.unwrap(), ["exec a b"]);
        let env = container.env.unwrap();
        assert_eq!(env[0], r#"KEY={{"{{"}}.Node.ID}} {{"{{"}}{"#, "variables are no templates");
        assert_eq!(env.last().unwrap(), "DYNO=web.{{.Task.Slot}}", "but the one that is");
        assert_eq!((container.capability_drop, container.init), (Some(vec!["ALL".to_owned()]), Some(true)));
        assert_eq!(container.privileges.unwrap().no_new_privileges, Some(true));
        assert_eq!((container.mounts, container.open_stdin), (None, None));
        let resources = task.resources.unwrap();
        let limits = resources.limits.unwrap();
        assert_eq!((limits.memory_bytes, limits.pids), (Some(64 << 20), Some(4096)));
        assert_eq!(limits.nano_cpus, Some(2_000_000_000), "no more than a machine has");
        assert_eq!(resources.reservations.unwrap().memory_bytes, Some(64 << 20));
        assert_eq!(task.placement.unwrap().constraints.unwrap(), ["node.labels.disk==ssd"]);
        assert_eq!(task.restart_policy.unwrap().delay, Some(5_000_000_000));
        assert_eq!(task.log_driver.unwrap().name.as_deref(), Some("local"));
        let endpoint = described.endpoint_spec.unwrap();
        assert_eq!((endpoint.mode, endpoint.ports), (Some(EndpointSpecModeEnum::DNSRR), None));
        assert_eq!(described.mode.unwrap().replicated.unwrap().replicas, Some(3));
    }

    #[test]
    fn names_are_short_and_differ_with_everything_that_a_workload_is() {
        let spec = workload();
        let named = |id: &WorkloadId| name(id, "an-app-with-a-very-long-name", "p");
        let name = named(&spec.id);
        assert!(name.starts_with("an-app-with-a-ve-web-v7-") && name.len() <= 63, "{name}");
        assert_ne!(named(&WorkloadId { generation: 3, ..spec.id.clone() }), name);
        assert_ne!(named(&WorkloadId { app: AppId::new(), ..spec.id.clone() }), name);
        assert_ne!(super::name(&spec.id, "an-app-with-a-very-long-name", "q"), name);
    }

    #[test]
    fn what_is_desired_is_read_back_as_it_was_written() {
        let mut service = serde_json::to_value(described()).unwrap();
        service["TaskTemplate"]["ContainerSpec"]["NewerThanWe"] = "x".into();
        let task = service["TaskTemplate"].clone();
        assert_eq!(Desired::read(&service), Desired { epoch: 4, replicas: 3, ..Desired::default() });
        let now = Timestamp::from_second(1_000_000).unwrap();
        let forgotten = BTreeMap::from([(3, now)]);
        let mut closed = Desired { epoch: 5, replicas: 3, retiring: 2, forgotten, changes: Vec::new() };
        (0..=CHANGES_MAX).for_each(|number| closed.made(&number.to_string()));
        assert!(closed.has("1") && closed.has("16") && !closed.has("0"), "the oldest is forgotten");
        closed.write(&mut service);
        assert_eq!((Desired::read(&service), closed.staying()), (closed, 1));
        assert_ne!(service["TaskTemplate"], task, "nothing starts while slots are on their way out");
        Desired { epoch: 5, replicas: 1, ..Desired::default() }.write(&mut service);
        assert_eq!(service["TaskTemplate"], task, "and all is as before when they are gone");
    }
}
