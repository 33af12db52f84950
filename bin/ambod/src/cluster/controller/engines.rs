//! The engines of all nodes: this node's own directly, the others' through a link to their agents.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ambo_engine_docker::{Connector, Engine, EngineError, EngineStream};
use ambo_link::{LinkClient, Opening, Role, Service};
use ambo_model::NodeId;
use ambo_operator::swarm::{Swarm, SwarmNode};
use ambo_scheduler_swarm::NodeEngines;
use async_trait::async_trait;
use parking_lot::Mutex;

use crate::cluster::identity::identity;
use crate::one_machine::engine_settings;
use crate::settings::Settings;

/// Longest wait for the list of nodes where an older one will do: an engine whose swarm has no leader says nothing for 20 s.
const LISTED_DURATION_MAX: Duration = Duration::from_secs(2);

/// Finds engines by their nodes.
#[derive(Debug, Clone)]
pub(super) struct ClusterEngines {
    /// This node's, a manager's.
    local: Engine,
    /// This node, by the engine's id.
    node: String,
    client: LinkClient,
    agent_port: u16,
    /// The nodes as they were listed last.
    listed: Arc<Mutex<Vec<SwarmNode>>>,
}

impl ClusterEngines {
    pub(super) fn open(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self {
            local: Engine::connect(engine_settings(settings)?)?,
            node: settings.node.clone(),
            client: LinkClient::new(identity(settings)?),
            agent_port: settings.listen_agent.port(),
            listed: Arc::default(),
        })
    }

    /// This node's engine.
    pub(super) fn local(&self) -> &Engine {
        &self.local
    }

    /// The way to other nodes' agents.
    pub(super) fn client(&self) -> &LinkClient {
        &self.client
    }

    /// Whether it is this node.
    pub(super) fn is_local(&self, node: &SwarmNode) -> bool {
        node.id == self.node
    }

    /// The swarm, through this node.
    pub(super) fn swarm(&self) -> Swarm {
        Swarm(self.local.clone())
    }

    /// The engine of a node of the list.
    pub(super) fn engine(&self, node: &SwarmNode) -> Result<Engine, EngineError> {
        if self.is_local(node) {
            return Ok(self.local.clone());
        }
        let address = node.address().ok_or_else(|| EngineError::down(format!("node {} has no address", node.id)))?;
        self.linked(address)
    }

    /// The nodes, as they were listed last when the swarm does not answer: whoever takes the lead while it elects a leader,
    /// too, knows its engines all the same.
    ///
    /// # Errors
    /// When the swarm does not answer, and never did.
    pub(super) async fn nodes(&self) -> Result<Vec<SwarmNode>, EngineError> {
        let listed = tokio::time::timeout(LISTED_DURATION_MAX, self.swarm().nodes()).await;
        let error = match listed.unwrap_or_else(|elapsed| Err(EngineError::down(elapsed))) {
            Ok(nodes) => {
                self.listed.lock().clone_from(&nodes);
                return Ok(nodes);
            }
            Err(error) => error,
        };
        let known = self.listed.lock().clone();
        tracing::debug!(%error, known = known.len(), "the swarm does not list its nodes");
        if known.is_empty() { Err(error) } else { Ok(known) }
    }

    /// The engines of all managers, this node's first.
    pub(super) async fn managers(&self) -> Result<Vec<Engine>, EngineError> {
        let nodes = self.nodes().await?;
        let others = nodes.iter().filter(|node| node.manager_status.is_some() && !self.is_local(node));
        let others = others.filter_map(|node| self.engine(node).ok());
        Ok(std::iter::once(self.local.clone()).chain(others).collect())
    }

    fn linked(&self, address: IpAddr) -> Result<Engine, EngineError> {
        let link = EngineLink { client: self.client.clone(), agent: SocketAddr::new(address, self.agent_port) };
        Engine::through(Arc::new(link))
    }
}

#[async_trait]
impl NodeEngines for ClusterEngines {
    async fn engine_of(&self, node: &NodeId) -> Result<Engine, EngineError> {
        let nodes = self.nodes().await?;
        let found = nodes.iter().find(|known| known.id == node.as_str());
        self.engine(found.ok_or_else(|| EngineError::down(format!("there is no node {node} any more")))?)
    }
}

/// The way to one node's engine.
#[derive(Debug)]
struct EngineLink {
    client: LinkClient,
    agent: SocketAddr,
}

#[async_trait]
impl Connector for EngineLink {
    async fn connect(&self) -> io::Result<Box<dyn EngineStream>> {
        let opening = Opening { service: Service::Engine, client: None };
        let opened = self.client.open(self.agent, Role::Agent, &opening).await;
        opened.map(|stream| Box::new(stream) as Box<dyn EngineStream>).map_err(io::Error::other)
    }
}
