//! Swarm's tasks, as far as they matter to us. Read raw: bollard's model of them has no addresses.

use std::collections::HashMap;
use std::net::IpAddr;

use ambo_engine_docker::{Engine, EngineError};
use ambo_model::{NodeId, Timestamp};
use ambo_scheduler_docker::labels::{self, Identity};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

/// How far a task is, in Swarm's order: it never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TaskState {
    New,
    Allocated,
    Pending,
    Assigned,
    Accepted,
    Preparing,
    Ready,
    Starting,
    Running,
    Complete,
    Shutdown,
    Failed,
    Rejected,
    Remove,
    Orphaned,
}

/// One start of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) service: String,
    /// Who it is; the slot is the index.
    pub(crate) identity: Identity,
    /// Where it was placed, once it was.
    pub(crate) node: Option<NodeId>,
    pub(crate) state: TaskState,
    pub(crate) desired: TaskState,
    /// When its node saw this state.
    pub(crate) since: Option<Timestamp>,
    /// What went wrong, in Swarm's words.
    pub(crate) error: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) exit_code: Option<i32>,
    /// Its addresses, by network.
    pub(crate) addresses: Vec<(String, IpAddr)>,
}

impl Task {
    /// Whether Swarm wants it to run, now or soon.
    pub(crate) fn is_wanted(&self) -> bool {
        self.desired <= TaskState::Running
    }

    /// Whether its program has ended, or never began.
    pub(crate) fn has_ended(&self) -> bool {
        self.state > TaskState::Running
    }

    /// Whether it ended by itself, rather than because Swarm wanted it to.
    pub(crate) fn has_crashed(&self) -> bool {
        matches!(self.state, TaskState::Complete | TaskState::Failed | TaskState::Rejected)
    }

    /// Where it was placed and the container that it is, once both are known.
    pub(crate) fn container(&self) -> Option<(&NodeId, &str)> {
        self.node.as_ref().zip(self.container.as_deref())
    }
}

/// This platform's tasks, those that have ended and are still remembered included.
pub(crate) async fn tasks_list(engine: &Engine, platform: &str) -> Result<Vec<Task>, EngineError> {
    let filters = serde_json::json!({ "label": [labels::platform_filter(platform)] }).to_string();
    let path = format!("/tasks?filters={}", utf8_percent_encode(&filters, NON_ALPHANUMERIC));
    let listed: Vec<RawTask> = engine.raw(Method::GET, &path, None::<&()>).await?;
    Ok(listed.into_iter().filter_map(RawTask::read).collect())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawTask {
    #[serde(rename = "ID")]
    id: String,
    created_at: Timestamp,
    #[serde(default, rename = "ServiceID")]
    service: String,
    #[serde(default)]
    slot: u32,
    #[serde(default, rename = "NodeID")]
    node: String,
    spec: RawSpec,
    status: RawStatus,
    desired_state: TaskState,
    #[serde(default)]
    networks_attachments: Option<Vec<RawAttachment>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawSpec {
    container_spec: Option<RawContainerSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawContainerSpec {
    #[serde(default)]
    labels: Option<HashMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawStatus {
    timestamp: Option<Timestamp>,
    state: TaskState,
    err: Option<String>,
    container_status: Option<RawContainer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawContainer {
    #[serde(default, rename = "ContainerID")]
    id: String,
    #[serde(default)]
    exit_code: Option<i32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawAttachment {
    network: RawNetwork,
    #[serde(default)]
    addresses: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawNetwork {
    spec: RawNetworkSpec,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawNetworkSpec {
    #[serde(default)]
    name: String,
}

impl RawTask {
    /// `None` for what is no instance of a workload: a router's place on a network, for one, is a task as well.
    fn read(self) -> Option<Task> {
        let mut carried = self.spec.container_spec?.labels?;
        carried.insert(labels::INDEX.to_owned(), self.slot.to_string());
        let identity = Identity::from_labels(&carried).filter(|_| !self.service.is_empty() && self.slot > 0)?;
        let (container, exit_code) = self
            .status
            .container_status
            .map_or((None, None), |status| (Some(status.id).filter(|id| !id.is_empty()), status.exit_code));
        let attachments = self.networks_attachments.unwrap_or_default().into_iter();
        let addresses = attachments.filter_map(|RawAttachment { network, addresses }| {
            let with_prefix = addresses?.into_iter().next()?;
            let (address, _) = with_prefix.split_once('/')?;
            Some((network.spec.name, address.parse().ok()?))
        });
        Some(Task {
            id: self.id,
            created_at: self.created_at,
            service: self.service,
            identity,
            node: NodeId::parse(&self.node).ok(),
            state: self.status.state,
            desired: self.desired_state,
            since: self.status.timestamp,
            error: self.status.err.filter(|error| !error.is_empty()),
            exit_code: exit_code.filter(|_| container.is_some()),
            container,
            addresses: addresses.collect(),
        })
    }
}
