//! What an engine is asked to run.

use std::collections::BTreeMap;

use ambo_model::{AppName, Command, ImageReference, Limits, Secret, Tags, WorkloadId};

/// One process of one release, wanted `count` times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadSpec {
    /// Which.
    pub id: WorkloadId,
    /// The app's name: label `ambo.app`, variable `AMBO_APP`.
    pub app_name: AppName,
    /// The image, pinned by digest.
    pub image: ImageReference,
    /// How it is started.
    pub command: Command,
    /// Every variable but `DYNO`, which the driver sets to the instance's name.
    pub env: BTreeMap<String, Secret>,
    /// What one instance may use.
    pub limits: Limits,
    /// What a node must carry for an instance to run on it. Engines of one machine do not look at it.
    pub tags: Tags,
    /// `$PORT`: where the instance listens if it is routed.
    pub port: u16,
    /// Wanted instances.
    pub count: u32,
}
