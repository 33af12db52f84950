//! The swarm's nodes. For whoever answers DNS they are read again and again, since Swarm tells nobody of a change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ambo_controller::ports::NodeLabels;
use ambo_link::routing::RoutedNode;
use ambo_operator::dns::routed_nodes;
use ambo_operator::swarm::Swarm;
use ambo_scheduler::{Nodes, SchedulerError};
use ambo_scheduler_swarm::SwarmScheduler;
use async_trait::async_trait;
use tokio::sync::watch;

/// Between two looks. That a router is dead its checks find out; this is about nodes that come, are emptied or go for good.
const INTERVAL: Duration = Duration::from_secs(2);

/// The nodes' labels, for whoever chooses among them by tags.
pub(super) struct SwarmLabels(pub(super) Arc<SwarmScheduler>);

#[async_trait]
impl NodeLabels for SwarmLabels {
    async fn labels_list(&self) -> Result<Vec<BTreeMap<String, String>>, SchedulerError> {
        Ok(self.0.nodes_list().await?.into_iter().map(|node| node.labels).collect())
    }
}

/// The nodes as they were seen last.
#[derive(Debug)]
pub(super) struct SwarmNodes {
    swarm: Swarm,
    seen: watch::Sender<Vec<RoutedNode>>,
}

impl SwarmNodes {
    pub(super) fn new(swarm: Swarm) -> Self {
        Self { swarm, seen: watch::Sender::default() }
    }

    /// What is seen, from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<Vec<RoutedNode>> {
        self.seen.subscribe()
    }

    /// Looks again and again, for as long as it is polled. When the engine does not answer, what was seen last holds.
    pub(super) async fn follow(self) {
        loop {
            match self.swarm.nodes().await {
                Ok(nodes) => drop(self.seen.send_if_modified(|seen| {
                    let now = routed_nodes(&nodes);
                    let is_new = *seen != now;
                    *seen = now;
                    is_new
                })),
                Err(error) => tracing::debug!(%error, "the swarm does not list its nodes"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
