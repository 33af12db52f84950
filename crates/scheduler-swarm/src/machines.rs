//! The nodes of the swarm.

use std::collections::BTreeMap;

use ambo_engine_docker::EngineError;
use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::models::{
    self, NodeSpec, NodeSpecAvailabilityEnum, NodeSpecRoleEnum, Reachability, ResourceObject,
};
use ambo_engine_docker::bollard::query_parameters::{DeleteNodeOptions, ListNodesOptions, UpdateNodeOptions};
use ambo_model::{
    ByteSize, CpuShare, JoinTokens, Node, NodeAvailability, NodeId, NodeRank, NodeResources, NodeRole, NodeState,
    Secret, TagKey, TagValue,
};
use ambo_scheduler::{Nodes, SchedulerError};
use async_trait::async_trait;

use crate::driver::{Cluster, SwarmScheduler};
use crate::failure::{failed, is_out_of_sequence, refused};
use crate::managers::Managers;

/// Tries to change a node that others change as well.
const TRIES_MAX: usize = 20;
/// Nanoseconds of CPU time a second that make a thousandth of a core.
const NANO_CPUS_PER_MILLI: i64 = 1_000_000;

/// All nodes, by name.
pub(crate) async fn nodes(managers: &Managers) -> Result<Vec<Node>, EngineError> {
    let listed = managers.docker(list).await?;
    let mut nodes: Vec<Node> = listed.into_iter().filter_map(read).collect();
    nodes.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    Ok(nodes)
}

#[async_trait]
impl Nodes for SwarmScheduler {
    async fn nodes_list(&self) -> Result<Vec<Node>, SchedulerError> {
        nodes(&self.cluster.managers).await.map_err(failed("list nodes"))
    }

    async fn node_tag(
        &self,
        node: &NodeId,
        changes: &BTreeMap<TagKey, Option<TagValue>>,
    ) -> Result<(), SchedulerError> {
        let change = |spec: &mut NodeSpec| {
            let labels = spec.labels.get_or_insert_default();
            for (key, value) in changes {
                match value {
                    Some(value) => labels.insert(key.to_string(), value.to_string()),
                    None => labels.remove(key.as_str()),
                };
            }
        };
        self.cluster.node_change(node, "tag", change).await
    }

    async fn node_availability_set(&self, node: &NodeId, availability: NodeAvailability) -> Result<(), SchedulerError> {
        let availability = match availability {
            NodeAvailability::Active => NodeSpecAvailabilityEnum::ACTIVE,
            NodeAvailability::Pause => NodeSpecAvailabilityEnum::PAUSE,
            NodeAvailability::Drain => NodeSpecAvailabilityEnum::DRAIN,
        };
        let change = |spec: &mut NodeSpec| spec.availability = Some(availability);
        self.cluster.node_change(node, "change the availability of", change).await
    }

    async fn node_rank_set(&self, node: &NodeId, rank: NodeRank) -> Result<(), SchedulerError> {
        let (role, doing) = match rank {
            NodeRank::Worker => (NodeSpecRoleEnum::WORKER, "demote"),
            NodeRank::Manager => (NodeSpecRoleEnum::MANAGER, "promote"),
        };
        self.cluster.node_change(node, doing, |spec| spec.role = Some(role)).await
    }

    async fn node_remove(&self, node: &NodeId) -> Result<(), SchedulerError> {
        self.cluster.fence_check().await?;
        match self.cluster.managers.docker(|docker| remove(docker, node.clone())).await {
            Err(error) if error.is_not_found() => Ok(()),
            result => result.map_err(refused(format!("remove node {node}"))),
        }
    }

    async fn join_tokens(&self) -> Result<JoinTokens, SchedulerError> {
        let doing = || failed("ask how to join");
        let tokens = self.cluster.managers.docker(tokens).await.map_err(doing())?;
        let listed = self.cluster.managers.docker(list).await.map_err(doing())?;
        let (worker, manager) = tokens.worker.zip(tokens.manager).ok_or_else(|| SchedulerError::Engine {
            doing: "ask how to join".to_owned(),
            source: "the swarm gives no tokens".into(),
        })?;
        let managers = listed.into_iter().filter_map(|node| node.manager_status);
        let reachable = managers.filter(|status| status.reachability == Some(Reachability::REACHABLE));
        let addresses = reachable.filter_map(|status| status.addr?.parse().ok()).collect();
        Ok(JoinTokens { worker: Secret::new(worker), manager: Secret::new(manager), addresses })
    }
}

impl Cluster {
    /// Changes a node, however many do so at once.
    async fn node_change(
        &self,
        node: &NodeId,
        doing: &str,
        change: impl Fn(&mut NodeSpec),
    ) -> Result<(), SchedulerError> {
        let doing = || format!("{doing} node {node}");
        for _ in 0..TRIES_MAX {
            let found = match self.managers.docker(|docker| inspect(docker, node.clone())).await {
                Ok(found) => found,
                Err(error) if error.is_not_found() => return Err(SchedulerError::NodeGone(node.clone())),
                Err(error) => return Err(failed(doing())(error)),
            };
            let mut spec = found.spec.unwrap_or_default();
            let before = spec.clone();
            change(&mut spec);
            self.fence_check().await?;
            if spec == before {
                return Ok(());
            }
            let version = found.version.and_then(|version| version.index).unwrap_or_default();
            match self.managers.docker(|docker| update(docker, node.clone(), spec.clone(), version)).await {
                Err(error) if is_out_of_sequence(&error) => {}
                result => return result.map_err(refused(doing())),
            }
        }
        Err(SchedulerError::Engine { doing: doing(), source: "others keep changing it".into() })
    }
}

/// What we say of a node; `None` when it has no id.
fn read(node: models::Node) -> Option<Node> {
    let spec = node.spec.unwrap_or_default();
    let description = node.description.unwrap_or_default();
    let status = node.status.unwrap_or_default();
    let manager = node.manager_status;
    Some(Node {
        id: NodeId::parse(&node.id?).ok()?,
        name: description.hostname.unwrap_or_default(),
        address: status.addr.and_then(|address| address.parse().ok()),
        state: match status.state {
            Some(models::NodeState::READY) => NodeState::Ready,
            Some(models::NodeState::DOWN) => NodeState::Down,
            Some(models::NodeState::UNKNOWN | models::NodeState::DISCONNECTED) | None => NodeState::Unknown,
        },
        availability: match spec.availability {
            Some(NodeSpecAvailabilityEnum::DRAIN) => NodeAvailability::Drain,
            Some(NodeSpecAvailabilityEnum::PAUSE) => NodeAvailability::Pause,
            Some(NodeSpecAvailabilityEnum::ACTIVE | NodeSpecAvailabilityEnum::EMPTY) | None => NodeAvailability::Active,
        },
        role: manager.map_or(NodeRole::Worker, |status| NodeRole::Manager {
            leads: status.leader == Some(true),
            reachable: status.reachability == Some(Reachability::REACHABLE),
        }),
        labels: spec.labels.unwrap_or_default().into_iter().collect(),
        engine_version: description.engine.and_then(|engine| engine.engine_version).unwrap_or_default(),
        resources: resources(description.resources.unwrap_or_default()),
    })
}

fn resources(resources: ResourceObject) -> NodeResources {
    let millis = resources.nano_cpus.unwrap_or_default() / NANO_CPUS_PER_MILLI;
    let memory = resources.memory_bytes.unwrap_or_default();
    NodeResources {
        cpu: CpuShare::millis(u32::try_from(millis).unwrap_or_default()),
        memory: ByteSize::bytes(u64::try_from(memory).unwrap_or_default()),
    }
}

async fn list(docker: Docker) -> Result<Vec<models::Node>, EngineError> {
    Ok(docker.list_nodes(None::<ListNodesOptions>).await?)
}

async fn inspect(docker: Docker, node: NodeId) -> Result<models::Node, EngineError> {
    Ok(docker.inspect_node(node.as_str()).await?)
}

async fn update(docker: Docker, node: NodeId, spec: NodeSpec, version: u64) -> Result<(), EngineError> {
    let options = UpdateNodeOptions { version: i64::try_from(version).unwrap_or_default() };
    Ok(docker.update_node(node.as_str(), spec, options).await?)
}

async fn remove(docker: Docker, node: NodeId) -> Result<(), EngineError> {
    Ok(docker.delete_node(node.as_str(), Some(DeleteNodeOptions { force: false })).await?)
}

async fn tokens(docker: Docker) -> Result<models::JoinTokens, EngineError> {
    Ok(docker.inspect_swarm().await?.join_tokens.unwrap_or_default())
}
