//! Routers on the networks of apps: attached before anything runs there, and again when a router was made anew.

use std::collections::HashMap;
use std::time::Duration;

use ambo_engine_docker::bollard::models::{ContainerSummary, NetworkConnectRequest, NetworkDisconnectRequest};
use ambo_engine_docker::bollard::query_parameters::{ListContainersOptions, ListNetworksOptions};
use ambo_engine_docker::{Engine, EngineError};
use ambo_operator::swarm::SwarmNode;
use ambo_scheduler_swarm::NetworkJoiners;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::engines::ClusterEngines;

/// The containers of routers.
const ROUTER: &str = "ambo.component=router";
/// Between two looks at every router: one that was made anew is attached by its keeper already.
const SWEEP_INTERVAL: Duration = Duration::from_secs(10);

/// Attaches routers.
#[derive(Debug, Clone)]
pub(super) struct RouterJoiners {
    engines: ClusterEngines,
    /// The platform's id: whose networks are ours.
    platform: String,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl RouterJoiners {
    pub(super) fn new(engines: ClusterEngines, platform: String) -> Self {
        Self { engines, platform }
    }

    /// Attaches every router to every network of ours, again and again, for as long as it is polled.
    pub(super) async fn sweep(self) {
        loop {
            if let Err(error) = self.join_all().await {
                tracing::warn!(%error, "a router may not be on every network");
            }
            tokio::time::sleep(SWEEP_INTERVAL).await;
        }
    }

    async fn join_all(&self) -> Result<(), Failure> {
        let label = format!("ambo.platform={}", self.platform);
        let filters =
            HashMap::from([("label".to_owned(), vec![label]), ("driver".to_owned(), vec!["overlay".to_owned()])]);
        let options = ListNetworksOptions { filters: Some(filters) };
        let networks = self.engines.swarm().0.client().await?.list_networks(Some(options)).await?;
        let names: Vec<String> = networks.into_iter().filter_map(|network| network.name).collect();
        self.everywhere(&Act::Join(names)).await
    }

    /// Does something on every node that is up. One that is away is no error.
    async fn everywhere(&self, act: &Act) -> Result<(), Failure> {
        let nodes = self.engines.swarm().nodes().await?;
        let up = nodes.iter().filter(|node| node.status.state == "ready");
        let mut acts: FuturesUnordered<_> = up.map(|node| self.on(node, act)).collect();
        while let Some(acted) = acts.next().await {
            acted?;
        }
        Ok(())
    }

    async fn on(&self, node: &SwarmNode, act: &Act) -> Result<(), EngineError> {
        let engine = self.engines.engine(node)?;
        let acted = match act {
            Act::Join(networks) => join(&engine, networks).await,
            Act::Leave(network) => leave(&engine, network).await,
        };
        match acted {
            Err(error) if error.is_down() => {
                tracing::info!(node = node.description.hostname, %error, "its router joins when it is back");
                Ok(())
            }
            acted => acted,
        }
    }
}

/// What is done to a node's routers.
enum Act {
    Join(Vec<String>),
    Leave(String),
}

#[async_trait]
impl NetworkJoiners for RouterJoiners {
    async fn join(&self, network: &str) -> Result<(), Failure> {
        self.everywhere(&Act::Join(vec![network.to_owned()])).await
    }

    async fn leave(&self, network: &str) -> Result<(), Failure> {
        self.everywhere(&Act::Leave(network.to_owned())).await
    }
}

/// Attaches a node's routers to those of the networks that they are not on.
async fn join(engine: &Engine, networks: &[String]) -> Result<(), EngineError> {
    for router in routers(engine).await? {
        for network in networks.iter().filter(|network| !is_on(&router, network)) {
            let request =
                NetworkConnectRequest { container: router.id.clone().unwrap_or_default(), endpoint_config: None };
            match engine.client().await?.connect_network(network, request).await.map_err(EngineError::from) {
                // Somebody else was faster; or it was replaced by another meanwhile, which its keeper has attached.
                Err(error) if is_there_already(&error) || error.is_not_found() => {}
                joined => joined?,
            }
        }
    }
    Ok(())
}

async fn leave(engine: &Engine, network: &str) -> Result<(), EngineError> {
    for router in routers(engine).await?.iter().filter(|router| is_on(router, network)) {
        let request = NetworkDisconnectRequest { container: router.id.clone().unwrap_or_default(), force: Some(true) };
        match engine.client().await?.disconnect_network(network, request).await.map_err(EngineError::from) {
            Err(error) if error.is_not_found() => {}
            left => left?,
        }
    }
    Ok(())
}

async fn routers(engine: &Engine) -> Result<Vec<ContainerSummary>, EngineError> {
    let filters = HashMap::from([
        ("label".to_owned(), vec![ROUTER.to_owned()]),
        ("status".to_owned(), vec!["running".to_owned()]),
    ]);
    let options = ListContainersOptions { filters: Some(filters), ..Default::default() };
    Ok(engine.client().await?.list_containers(Some(options)).await?)
}

fn is_on(router: &ContainerSummary, network: &str) -> bool {
    let networks = router.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    networks.is_some_and(|networks| networks.contains_key(network))
}

/// Docker answers 403 with this text.
fn is_there_already(error: &EngineError) -> bool {
    error.is_conflict() || error.to_string().contains("already exists in network")
}
