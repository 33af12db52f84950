//! The nodes that build: those with the label, and without any the one whose controller leads.

use std::collections::BTreeMap;
use std::sync::Arc;

use ambo_builder::engines::choose;
use ambo_builder::{BuildEngines, EngineLease};
use ambo_engine_docker::{Engine, EngineError};
use ambo_operator::nodes::BUILDER_LABEL;
use ambo_operator::swarm::SwarmNode;
use async_trait::async_trait;
use futures::future::join_all;
use parking_lot::Mutex;

use super::engines::ClusterEngines;

/// The nodes that build.
#[derive(Debug)]
pub(super) struct BuilderNodes {
    engines: ClusterEngines,
    under_way: UnderWay,
}

impl BuilderNodes {
    pub(super) fn new(engines: ClusterEngines) -> Self {
        Self { engines, under_way: UnderWay::default() }
    }

    /// The node's engine, if it answers. One that has just died is still ready to the swarm, until its heartbeat is missed.
    async fn answering(&self, node: &SwarmNode) -> Option<Engine> {
        let answered = async {
            let engine = self.engines.engine(node)?;
            // Every time: one that was asked before may hang by now.
            engine.ping().await.map(|()| engine)
        };
        let told = |error: &EngineError| {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(node = node.description.hostname, %error, cause, "leave a node's engine out");
        };
        answered.await.inspect_err(told).ok()
    }
}

#[async_trait]
impl BuildEngines for BuilderNodes {
    async fn lease(&self, repository: &str) -> Result<EngineLease, EngineError> {
        let nodes = self.engines.nodes().await?;
        let mut builders: Vec<&SwarmNode> = nodes.iter().filter(|node| builds(node)).collect();
        while let Some(held) = self.under_way.begin(repository, &builders) {
            let Some(at) = builders.iter().position(|node| node.id == held.node) else { break };
            let node = builders.swap_remove(at);
            if let Some(engine) = self.answering(node).await {
                let node = Some(node.description.hostname.clone());
                return Ok(EngineLease { engine, node, held: Some(Box::new(held)) });
            }
        }
        self.engines.local().lease(repository).await
    }

    async fn all(&self) -> Result<Vec<Engine>, EngineError> {
        // Not only those that build: whatever runs has been pulled where it runs.
        let nodes = self.engines.nodes().await?;
        let asked = nodes.iter().filter(|node| is_up(node)).map(|node| self.answering(node));
        Ok(join_all(asked).await.into_iter().flatten().collect())
    }
}

fn builds(node: &SwarmNode) -> bool {
    is_up(node)
        && node.spec.availability != "drain"
        && node.spec.labels.get(BUILDER_LABEL).is_some_and(|value| value == "true")
}

fn is_up(node: &SwarmNode) -> bool {
    node.status.state == "ready"
}

/// Builds under way, by node.
#[derive(Debug, Clone, Default)]
struct UnderWay(Arc<Mutex<BTreeMap<String, usize>>>);

impl UnderWay {
    /// Chooses one of the nodes, and counts the build there before anybody else chooses.
    fn begin(&self, repository: &str, nodes: &[&SwarmNode]) -> Option<Held> {
        let mut counts = self.0.lock();
        let busy = nodes.iter().map(|node| (node.id.clone(), counts.get(&node.id).copied().unwrap_or(0))).collect();
        let node = choose(repository, &busy)?.to_owned();
        *counts.entry(node.clone()).or_insert(0) += 1;
        Some(Held { under_way: self.clone(), node })
    }
}

/// A build under way, until it is dropped.
struct Held {
    under_way: UnderWay,
    node: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counts = self.under_way.0.lock();
        if let Some(count) = counts.get_mut(&self.node) {
            *count = count.saturating_sub(1);
        }
        counts.retain(|_, count| *count > 0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(id: &str, state: &str, availability: &str, labels: serde_json::Value) -> SwarmNode {
        let node = json!({
            "ID": id,
            "Spec": { "Role": "worker", "Availability": availability, "Labels": labels },
            "Description": { "Hostname": id },
            "Status": { "State": state },
        });
        serde_json::from_value(node).unwrap()
    }

    fn builder(id: &str) -> SwarmNode {
        node(id, "ready", "active", json!({ "ambo.builder": "true" }))
    }

    #[test]
    fn nodes_build_that_are_labelled_for_it_up_and_not_drained() {
        let label = || json!({ "ambo.builder": "true" });
        assert!(builds(&node("n1", "ready", "active", label())));
        assert!(builds(&node("n1", "ready", "pause", label())), "it takes no instances, and that is all");
        assert!(!builds(&node("n1", "ready", "drain", label())));
        assert!(!builds(&node("n1", "down", "active", label())));
        assert!(!builds(&node("n1", "ready", "active", json!({ "ambo.builder": "false" }))));
        assert!(!builds(&node("n1", "ready", "active", json!({ "region": "eu" }))));
    }

    #[test]
    fn a_build_goes_to_the_node_with_the_fewest_and_what_ends_sets_its_node_free() {
        let (n1, n2) = (builder("n1"), builder("n2"));
        let (nodes, under_way) = ([&n1, &n2], UnderWay::default());
        let first = under_way.begin("shop", &nodes).unwrap();
        let second = under_way.begin("shop", &nodes).unwrap();
        assert_ne!(first.node, second.node, "the first was counted when the second began");
        let third = under_way.begin("shop", &nodes).unwrap();
        assert_eq!(third.node, first.node, "both are as busy, and its cache is there");
        let free = second.node.clone();
        drop(second);
        assert_eq!(under_way.begin("shop", &nodes).unwrap().node, free);
        drop((first, third));
        assert!(under_way.0.lock().is_empty(), "nothing is counted for ever");
        assert!(under_way.begin("shop", &[]).is_none());
    }
}
