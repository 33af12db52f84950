//! What every node measures, asked of its agent.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ambo_link::routing::RoutedNode;
use ambo_link::{LinkClient, Opening, Role, Service};
use ambo_metrics::{NodeReport, NodeSample};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use tokio::sync::watch;

use crate::cluster::measuring::ask;
use crate::metrics::NodeSamples;

/// How long one node may take. Prometheus gives us ten seconds.
const DURATION_MAX: Duration = Duration::from_secs(5);
/// Nodes that are asked side by side.
const ASKED_MAX: usize = 64;

/// Asks the agents.
#[derive(Debug)]
pub(super) struct ClusterSamples {
    pub(super) client: LinkClient,
    pub(super) agent_port: u16,
    pub(super) platform: String,
    pub(super) nodes: watch::Receiver<Vec<RoutedNode>>,
}

impl ClusterSamples {
    async fn report(&self, node: RoutedNode) -> NodeReport {
        let asked = self.sample(SocketAddr::new(node.address, self.agent_port));
        let answer = tokio::time::timeout(DURATION_MAX, asked).await;
        let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let sample = answer.inspect_err(|error| tracing::info!(node = node.label, %error, "a node is not measured"));
        NodeReport { node: node.label, sample: sample.ok() }
    }

    async fn sample(&self, agent: SocketAddr) -> io::Result<NodeSample> {
        let opening = Opening { service: Service::Metrics, client: None };
        let stream = self.client.open(agent, Role::Agent, &opening).await.map_err(io::Error::other)?;
        ask(stream, &self.platform).await
    }
}

#[async_trait]
impl NodeSamples for ClusterSamples {
    async fn reports(&self) -> Vec<NodeReport> {
        let nodes = self.nodes.borrow().clone();
        stream::iter(nodes).map(|node| self.report(node)).buffered(ASKED_MAX).collect().await
    }
}
