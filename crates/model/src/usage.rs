//! What instances use, and how many of them there are of those that are wanted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{AppId, InstanceId};
use crate::instance::WorkloadId;
use crate::name::{AppName, ProcessType};
use crate::release::ReleaseVersion;
use crate::size::ByteSize;

/// What a running instance uses of its node, as its engine counts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceUsage {
    /// The engine's id.
    pub id: InstanceId,
    /// What it is a copy of.
    pub workload: WorkloadId,
    /// The app's name when it was started.
    pub app_name: AppName,
    /// Which copy; from one.
    pub index: u32,
    /// Time on a core since it began.
    pub cpu: Duration,
    /// Memory that it holds, less what the kernel would give up first.
    pub memory: ByteSize,
    /// The most that it may hold: its limit, or the node's memory where it has none.
    pub memory_max: ByteSize,
    /// What it has received over its networks since it began.
    pub received: ByteSize,
    /// What it has sent over its networks since it began.
    pub sent: ByteSize,
}

impl InstanceUsage {
    /// `web.1`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.workload.process, self.index)
    }
}

/// An app counted: what is wanted of it, and what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppTally {
    /// The app.
    pub id: AppId,
    /// Its name.
    pub name: AppName,
    /// The release that serves, if one does.
    pub serving: Option<ReleaseVersion>,
    /// By process, those included that are wanted no more and not gone yet.
    pub processes: BTreeMap<ProcessType, ProcessTally>,
}

/// A process counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessTally {
    /// How many instances are wanted.
    pub wanted: u32,
    /// How many there are, by the words of `ambo ps`: `up`, `starting`, `crashed`, `stopping`, `down`.
    pub instances: BTreeMap<&'static str, u32>,
}
