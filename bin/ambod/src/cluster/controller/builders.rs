//! The nodes that build: those with the label, and without any the one whose controller leads.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use ambo_builder::engines::choose;
use ambo_builder::{BuildEngines, EngineLease};
use ambo_engine_docker::{Engine, EngineError};
use ambo_operator::nodes::BUILDER_LABEL;
use ambo_operator::swarm::SwarmNode;
use async_trait::async_trait;
use parking_lot::Mutex;

use super::engines::ClusterEngines;

/// Builds under way, by node.
type UnderWay = Arc<Mutex<HashMap<String, usize>>>;

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
}

#[async_trait]
impl BuildEngines for BuilderNodes {
    async fn lease(&self, repository: &str) -> Result<EngineLease, EngineError> {
        let nodes = self.engines.swarm().nodes().await?;
        let builders: Vec<&SwarmNode> = nodes.iter().filter(|node| builds(node)).collect();
        let busy: BTreeMap<String, usize> = {
            let under_way = self.under_way.lock();
            let count = |node: &SwarmNode| under_way.get(&node.id).copied().unwrap_or(0);
            builders.iter().map(|node| (node.id.clone(), count(node))).collect()
        };
        let chosen = choose(repository, &busy).and_then(|id| builders.into_iter().find(|node| node.id == id));
        let Some(node) = chosen else { return self.engines.local().lease(repository).await };
        let engine = self.engines.engine(node)?;
        let held = Held::on(&self.under_way, &node.id);
        Ok(EngineLease { engine, node: Some(node.description.hostname.clone()), held: Some(Box::new(held)) })
    }

    async fn all(&self) -> Vec<Engine> {
        // Whatever runs has been pulled where it runs.
        let Ok(nodes) = self.engines.swarm().nodes().await else { return Vec::new() };
        nodes.iter().filter(|node| is_up(node)).filter_map(|node| self.engines.engine(node).ok()).collect()
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

/// A build under way.
struct Held {
    under_way: UnderWay,
    node: String,
}

impl Held {
    fn on(under_way: &UnderWay, node: &str) -> Self {
        *under_way.lock().entry(node.to_owned()).or_insert(0) += 1;
        Self { under_way: under_way.clone(), node: node.to_owned() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut under_way = self.under_way.lock();
        if let Some(count) = under_way.get_mut(&self.node) {
            *count = count.saturating_sub(1);
        }
    }
}
