//! Installing and removing a platform, through a manager of the swarm.

use std::collections::BTreeMap;
use std::time::Duration;

use ambo_engine_docker::EngineError;
use ambo_link::authority::AuthorityError;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::bundle::{Bundle, EtcdMember, Keys, KnownKeys, Spec};
use crate::change::{Change, IMAGE_VARIABLE, Mode, change};
use crate::component::{DATA, ENGINE, RUN};
use crate::swarm::{Swarm, SwarmNode, SwarmService, SwarmTask};

/// What everything of ours in the swarm is called.
const PREFIX: &str = "ambo-keeper-";
/// The file in which a keeper finds its bundle.
pub const BUNDLE_FILE: &str = "/run/secrets/ambo-bundle";
/// Carries the platform's id.
const PLATFORM_LABEL: &str = "ambo.platform";
/// Carries the platform's domain: what keepers are told is in a secret, which nobody can read back.
const DOMAIN_LABEL: &str = "ambo.domain";
/// Says whether the nodes answer DNS.
pub(crate) const DNS_LABEL: &str = "ambo.dns";
/// How often nodes say that they are alive: one is counted as down after three times that. Swarm makes each pause half a second
/// longer or shorter at random, and three times the shortest must be more than that pause and a blip of 3 s together, with what
/// TCP takes to try again: nothing is moved then.
pub const HEARTBEAT: Duration = Duration::from_millis(2200);
/// So many managers there are to be at least, once there are machines for them.
const MANAGERS_MIN: usize = 3;
/// Most members of etcd that an installation begins with.
const MEMBERS_MAX: usize = 5;
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// What is installed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The platform's id.
    pub platform: String,
    /// Our image, as the nodes' engines find it.
    pub image: String,
    /// Settings of `ambod`, by their variables' names.
    pub settings: BTreeMap<String, String>,
    /// Credentials of the object store, by their variables' names.
    pub credentials: BTreeMap<String, String>,
    /// A given etcd; `None` runs one of our own on the managers.
    pub store: Option<String>,
    /// Keys that the platform has had before; `None` makes new ones.
    pub keys: Option<KnownKeys>,
    /// Whether every node answers DNS for the platform's domain.
    pub dns: bool,
}

/// Why an operation came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No keys.
    #[error(transparent)]
    Keys(#[from] AuthorityError),
    /// There is one already.
    #[error("this swarm has a platform already: `ambo platform status` shows it, `ambo platform uninstall` removes it")]
    Installed,
    /// There is none.
    #[error("this swarm has no platform: `ambo platform install` puts one on it")]
    NotInstalled,
    /// Swarm went back.
    #[error("{service} went back to what it was, since a node did not become healthy: {reason}")]
    RolledBack {
        /// Which service.
        service: String,
        /// In Swarm's words.
        reason: String,
    },
    /// It takes too long.
    #[error("not healthy within {} s: {waiting}", .within.as_secs())]
    Slow {
        /// How long was waited.
        within: Duration,
        /// For whom.
        waiting: String,
    },
}

/// Installs: secrets, then the services that bring keepers to every node.
///
/// # Errors
/// When there is a platform already, or the swarm refuses.
pub async fn install(swarm: &Swarm, plan: &Plan) -> Result<(), InstallError> {
    if !swarm.services(PREFIX).await?.is_empty() {
        return Err(InstallError::Installed);
    }
    swarm.heartbeat_set(HEARTBEAT).await?;
    let nodes = swarm.nodes().await?;
    let mut keys = Keys::generate(&plan.platform)?;
    if let Some(known) = &plan.keys {
        keys = keys.with(known);
    }
    keys.credentials.clone_from(&plan.credentials);
    let etcd = if plan.store.is_none() { members(&nodes) } else { Vec::new() };
    let mut settings = plan.settings.clone();
    settings.entry("AMBO_MANAGERS".to_owned()).or_insert_with(|| etcd.len().max(MANAGERS_MIN).to_string());
    let spec = Spec { platform: plan.platform.clone(), settings, etcd, store: plan.store.clone(), dns: plan.dns };
    let (root, token) = (keys.root.clone(), keys.agent_token.clone());
    let worker = Bundle::Worker { spec: spec.clone(), root, token };
    for (rank, bundle) in [("manager", Bundle::Manager { spec, keys }), ("worker", worker)] {
        let name = format!("{PREFIX}{rank}");
        let content = serde_json::to_vec(&bundle).unwrap_or_default();
        let secret = swarm.secret_create(&name, &content).await?;
        swarm.service_create(&service(&name, rank, plan, &secret)).await?;
    }
    Ok(())
}

/// The managers that etcd begins on: an odd number of them.
fn members(nodes: &[SwarmNode]) -> Vec<EtcdMember> {
    let member = |node: &SwarmNode| {
        let manager = node.manager_status.as_ref()?;
        let address = manager.addr.parse::<std::net::SocketAddr>().ok()?.ip();
        Some(EtcdMember { node: node.id.clone(), address })
    };
    let mut members: Vec<EtcdMember> = nodes.iter().filter_map(member).collect();
    members.sort_by(|one, other| one.node.cmp(&other.node));
    members.truncate(MEMBERS_MAX);
    if members.len() > 1 && members.len().is_multiple_of(2) {
        members.pop();
    }
    members
}

/// The service that runs a keeper on every node of that rank.
fn service(name: &str, rank: &str, plan: &Plan, secret: &str) -> Value {
    let seconds = |count: u64| json!(count * 1_000_000_000);
    let bind = |path: &str| json!({ "Type": "bind", "Source": path, "Target": path });
    // The engine makes no missing directory for a service's mount; this one is there on every machine.
    let mounts = json!([bind(ENGINE), { "Type": "bind", "Source": "/var/lib", "Target": "/host/var/lib" }]);
    let change = |action: &str| json!({ "Parallelism": 1, "FailureAction": action, "Monitor": seconds(5), "MaxFailureRatio": 0, "Order": "stop-first" });
    json!({
        "Name": name,
        "Labels": {
            PLATFORM_LABEL: plan.platform,
            DOMAIN_LABEL: plan.settings.get("AMBO_DOMAIN").cloned().unwrap_or_default(),
            DNS_LABEL: plan.dns.to_string(),
        },
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": plan.image,
                "Command": ["ambod", "serve"],
                "Env": environment(&plan.image),
                "Mounts": mounts,
                "Secrets": [{
                    "File": { "Name": "ambo-bundle", "UID": "0", "GID": "0", "Mode": 0o400 },
                    "SecretID": secret,
                    "SecretName": name,
                }],
                "Healthcheck": {
                    "Test": ["CMD", "ambod", "healthy"],
                    "Interval": seconds(2), "Timeout": seconds(5), "Retries": 5, "StartPeriod": seconds(240),
                },
                "StopGracePeriod": seconds(5),
            },
            "RestartPolicy": { "Condition": "any", "Delay": seconds(2) },
            "Placement": { "Constraints": [format!("node.role=={rank}")] },
            "Networks": [{ "Target": "host" }],
        },
        "Mode": { "Global": {} },
        "UpdateConfig": change("rollback"),
        "RollbackConfig": change("pause"),
    })
}

/// What keepers are told beside their secret; changes put more to it.
fn environment(image: &str) -> Value {
    json!(["AMBO_ROLE=keeper".to_owned(), format!("{IMAGE_VARIABLE}={image}"), Mode::Run.variable()])
}

/// What is said about DNS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed {
    /// The platform's domain; not known of a platform that was installed before this was noted.
    pub domain: Option<String>,
    /// Whether all nodes answer DNS for it.
    pub dns: bool,
}

/// Looks up what is said about DNS.
///
/// # Errors
/// When there is no platform, or the engine does not answer.
pub async fn installed(swarm: &Swarm) -> Result<Installed, InstallError> {
    let services = services(swarm).await?;
    let domain = services.iter().find_map(|service| service.spec["Labels"][DOMAIN_LABEL].as_str().map(str::to_owned));
    Ok(Installed {
        domain: domain.filter(|domain| !domain.is_empty()),
        // A change may have come to the managers, and not to the others yet.
        dns: services.iter().all(|service| service.spec["Labels"][DNS_LABEL] == "true"),
    })
}

/// The platform's services, the managers' first.
pub(crate) async fn services(swarm: &Swarm) -> Result<Vec<SwarmService>, InstallError> {
    let mut services = swarm.services(PREFIX).await?;
    services.sort_by(|one, other| one.name().cmp(other.name()));
    if services.is_empty() { Err(InstallError::NotInstalled) } else { Ok(services) }
}

/// Waits until the keepers of every node that is up say that all is well.
///
/// # Errors
/// When it takes too long, or Swarm goes back.
pub async fn wait_until_healthy(swarm: &Swarm, within: Duration, said: &dyn Fn(String)) -> Result<(), InstallError> {
    for service in services(swarm).await? {
        wait(swarm, service.name(), within, said).await?;
    }
    Ok(())
}

pub(crate) async fn wait(
    swarm: &Swarm,
    name: &str,
    within: Duration,
    said: &dyn Fn(String),
) -> Result<(), InstallError> {
    let deadline = Instant::now() + within;
    let mut last = String::new();
    loop {
        let waiting = match look(swarm, name).await {
            Ok(None) => return Ok(()),
            Ok(Some(waiting)) => waiting,
            // The manager itself may be the one that is changed.
            Err(InstallError::Engine(error)) => error.to_string(),
            Err(error) => return Err(error),
        };
        if waiting != last {
            said(format!("  {waiting}"));
            last.clone_from(&waiting);
        }
        if Instant::now() > deadline {
            return Err(InstallError::Slow { within, waiting });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whom a service waits for, if anybody.
async fn look(swarm: &Swarm, name: &str) -> Result<Option<String>, InstallError> {
    let services = swarm.services(name).await?;
    let service = services.first().ok_or(InstallError::NotInstalled)?;
    if let Some(status) = &service.update_status {
        match status.state.as_str() {
            "rollback_completed" | "rollback_paused" | "paused" => {
                let (service, reason) = (name.to_owned(), status.message.clone());
                return Err(InstallError::RolledBack { service, reason });
            }
            "rollback_started" => return Ok(Some(status.message.clone())),
            _ => {}
        }
    }
    let tasks = swarm.tasks(name).await?;
    let rank = name.strip_prefix(PREFIX).unwrap_or_default();
    let nodes = swarm.nodes().await?;
    let of_rank = nodes.iter().filter(|node| node.spec.role == rank && node.status.state == "ready");
    let waiting: Vec<String> = of_rank.filter_map(|node| node_waits(node, service, &tasks)).collect();
    Ok((!waiting.is_empty()).then(|| waiting.join(", ")))
}

/// Why a node's keeper is not there yet, in its latest form.
fn node_waits(node: &SwarmNode, service: &SwarmService, tasks: &[SwarmTask]) -> Option<String> {
    let of_node = tasks.iter().filter(|task| task.node_id == node.id);
    let wanted: Vec<&SwarmTask> = of_node.filter(|task| task.spec.force_update == service.changes()).collect();
    if wanted.iter().any(|task| task.desired_state == "running" && task.status.state == "running") {
        return None;
    }
    let state = wanted.first().map_or("waiting for its turn", |task| task.status.state.as_str());
    let failed = wanted.iter().map(|task| task.status.err.as_str()).find(|error| !error.is_empty());
    let failed = failed.map(|error| format!(" ({error})")).unwrap_or_default();
    Some(format!("{}: {state}{failed}", node.description.hostname))
}

/// Removes the platform from the swarm. What it kept on its nodes stays, below `/var/lib/ambo`.
///
/// # Errors
/// When there is none, or a node does not come along.
pub async fn uninstall(swarm: &Swarm, within: Duration, said: &dyn Fn(String)) -> Result<(), InstallError> {
    change(swarm, &Change { mode: Some(Mode::Stop), ..Change::default() }, within, said).await?;
    for service in services(swarm).await? {
        swarm.service_remove(&service.id).await?;
    }
    let deadline = Instant::now() + within;
    for (id, _) in swarm.secrets(PREFIX).await? {
        // Until the last keeper has gone it is in use.
        while let Err(error) = swarm.secret_remove(&id).await {
            if Instant::now() > deadline {
                return Err(error.into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

/// Where a keeper sees what components see under [`DATA`] and [`RUN`].
#[must_use]
pub fn keeper_paths() -> (String, String) {
    (format!("/host{DATA}"), format!("/host{RUN}"))
}
