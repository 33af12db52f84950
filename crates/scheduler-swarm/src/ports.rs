//! What the driver needs of the rest of the platform.

use ambo_engine_docker::{Engine, EngineError};
use ambo_model::NodeId;
use async_trait::async_trait;

/// The engines of the cluster's nodes: exec, one-off instances, logs and stops happen there.
#[async_trait]
pub trait NodeEngines: Send + Sync + 'static {
    /// The engine of a node. Asked once per node; the engine finds its node again after it was away.
    ///
    /// # Errors
    /// [`EngineError::Down`] when there is no way to it now.
    async fn engine_of(&self, node: &NodeId) -> Result<Engine, EngineError>;
}

/// The routers, which reach instances on the networks of their apps.
#[async_trait]
pub trait NetworkJoiners: Send + Sync + 'static {
    /// Attaches the routers of every node to a network, before anything is started on it. Idempotent. A node that is away is
    /// no error: its router joins when it is back.
    ///
    /// # Errors
    /// When a router that is there cannot join; the workload is not started then.
    async fn join(&self, network: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// Detaches them, before a network is removed that nothing runs on any more. Idempotent.
    ///
    /// # Errors
    /// When a router cannot leave; the network stays then.
    async fn leave(&self, network: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}
