//! `/ambo/apps/{app}/metrics`: what an app uses and how its requests fare.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An app at one moment. What grows is told since the instance or the router began: rates are the difference of two readings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppMetrics {
    /// When it was measured. Readings are a second apart at least: whoever asks earlier gets the one before.
    pub measured_at: Timestamp,
    /// Its instances and one-off runs that run now.
    pub instances: Vec<InstanceMetrics>,
    /// Its requests, through all routers.
    pub requests: RequestMetrics,
    /// The nodes that did not answer: what is theirs is missing.
    pub silent_nodes: Vec<String>,
}

/// What an instance uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceMetrics {
    /// The engine's id.
    pub id: String,
    /// As in `web.1`.
    pub name: String,
    /// The machine that it is on.
    pub node: String,
    /// The number of the release that it is of.
    pub release: u64,
    /// Seconds that it was on a core.
    pub cpu_seconds: f64,
    /// Memory that it holds, less files that the kernel would give up first.
    pub memory_bytes: u64,
    /// The most that it may hold; its machine's memory where it has no limit.
    pub memory_limit_bytes: u64,
    /// What it has received over its networks.
    pub received_bytes: u64,
    /// What it has sent over its networks.
    pub sent_bytes: u64,
}

/// How requests fared.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RequestMetrics {
    /// By the class of the answer's status: `2xx`.
    pub statuses: BTreeMap<String, u64>,
    /// Those that failed, by the code that the log shows: `H12`.
    pub errors: BTreeMap<String, u64>,
    /// By how long they took, the shortest first.
    pub durations: Vec<DurationCount>,
    /// All of these together, in seconds.
    pub duration_seconds: f64,
    /// Bytes of the answers' bodies.
    pub sent_bytes: u64,
}

/// Requests that took about as long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DurationCount {
    /// At most so long, and longer than the ones before; none for those that took longer than any bound.
    pub seconds_max: Option<f64>,
    /// How many.
    pub count: u64,
}
