//! What should run: how many instances of each process, and how large.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::health::HealthCheck;
use crate::name::ProcessType;
use crate::node::Tags;
use crate::size::Limits;

/// Most instances of one process (Heroku's limit for a formation).
pub const INSTANCES_MAX: u32 = 100;

/// One process' wanted state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormationEntry {
    /// Wanted instances.
    pub count: u32,
    /// What each of them may use.
    pub limits: Limits,
    /// What the user calls these limits, when they were set by the name of a size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// What a node must carry for them to run there.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// The health check, when the user has set one.
    pub health: Option<HealthCheck>,
    /// Counts restarts: a higher generation is a new workload, so that a restart is a rollout like any other.
    pub generation: u32,
}

/// The wanted count and size of every process of an app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Formation(pub BTreeMap<ProcessType, FormationEntry>);

impl Formation {
    /// The entry of a process; one of count zero if nobody has ever scaled it.
    #[must_use]
    pub fn entry(&self, process: &ProcessType) -> FormationEntry {
        self.0.get(process).cloned().unwrap_or_default()
    }

    /// The entry to change.
    pub fn entry_mut(&mut self, process: &ProcessType) -> &mut FormationEntry {
        self.0.entry(process.clone()).or_default()
    }

    /// The health check of a process.
    #[must_use]
    pub fn health_check(&self, process: &ProcessType) -> HealthCheck {
        self.entry(process).health.unwrap_or_else(|| HealthCheck::default_for(process))
    }
}
