//! The nodes of the swarm, changed one at a time from what was seen.

use ambo_engine_docker::EngineError;
use ambo_engine_docker::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::swarm::{Swarm, Version};

/// The label of nodes that build: `true`.
pub const BUILDER_LABEL: &str = "ambo.builder";

/// A node as it is to be, with what is needed to change it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Seen {
    version: Version,
    spec: Value,
}

/// A change of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Sets a label, or takes it away.
    Label {
        /// Which.
        key: String,
        /// To what.
        value: Option<String>,
    },
    /// `active`, `pause` or `drain`.
    Availability(&'static str),
    /// `manager` or `worker`.
    Role(&'static str),
}

/// Changes a node.
///
/// # Errors
/// When the swarm refuses, or the node was changed meanwhile.
pub async fn change(swarm: &Swarm, id: &str, changes: &[Change]) -> Result<(), EngineError> {
    let Seen { version, mut spec } = swarm.get(&format!("/nodes/{id}")).await?;
    for change in changes {
        match change {
            Change::Label { key, value: Some(value) } => spec["Labels"][key] = json!(value),
            Change::Label { key, value: None } => {
                if let Some(labels) = spec["Labels"].as_object_mut() {
                    labels.remove(key);
                }
            }
            Change::Role(role) => spec["Role"] = json!(role),
            Change::Availability(availability) => spec["Availability"] = json!(availability),
        }
    }
    let path = format!("/nodes/{id}/update?version={}", version.index);
    swarm.0.raw_empty(Method::POST, &path, Some(&spec)).await
}

/// Forgets a node. Without `force` it must be down, and no manager.
///
/// # Errors
/// When the swarm refuses.
pub async fn remove(swarm: &Swarm, id: &str, force: bool) -> Result<(), EngineError> {
    swarm.0.raw_empty(Method::DELETE, &format!("/nodes/{id}?force={force}"), None::<&()>).await
}
