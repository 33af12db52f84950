//! The port to a cluster's machines. An engine of one machine has none to speak of, and no driver for this.

use std::collections::BTreeMap;

use ambo_model::{JoinTokens, Node, NodeAvailability, NodeId, NodeRank, TagKey, TagValue};
use async_trait::async_trait;

use crate::port::SchedulerError;

/// The machines of a cluster. Every method but the readers is idempotent; a node that is not there is
/// [`SchedulerError::NodeGone`], and what the cluster does not allow is [`SchedulerError::Refused`].
#[async_trait]
pub trait Nodes: Send + Sync + 'static {
    /// All of them, by name.
    async fn nodes_list(&self) -> Result<Vec<Node>, SchedulerError>;

    /// Sets tags of a node; `None` takes one away. Others stay as they are. Instances that run on it and may no longer are
    /// started elsewhere.
    async fn node_tag(&self, node: &NodeId, changes: &BTreeMap<TagKey, Option<TagValue>>)
    -> Result<(), SchedulerError>;

    /// Lets a node take instances, or no more, or gives those that it has to others. Returns when the cluster has accepted
    /// it, not when the node is empty.
    async fn node_availability_set(&self, node: &NodeId, availability: NodeAvailability) -> Result<(), SchedulerError>;

    /// Makes a node a manager, or a worker. Returns when the cluster has accepted it.
    async fn node_rank_set(&self, node: &NodeId, rank: NodeRank) -> Result<(), SchedulerError>;

    /// Forgets a worker that is down. One that is gone already is no error.
    async fn node_remove(&self, node: &NodeId) -> Result<(), SchedulerError>;

    /// With what another machine joins.
    async fn join_tokens(&self) -> Result<JoinTokens, SchedulerError>;
}
