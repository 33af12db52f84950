//! A node measures itself.

use std::path::PathBuf;
use std::time::Duration;

use ambo_engine_docker::Engine;
use ambo_metrics::{MachineError, MachineSample, NodeSample, RequestCounts, RouterSample};
use ambo_model::InstanceUsage;
use ambo_router::RouterHandle;
use ambo_scheduler::SchedulerError;

/// How long the engine may take to tell of all its instances.
const ENGINE_DURATION_MAX: Duration = Duration::from_secs(2);

/// Measures a machine and what its engine runs.
#[derive(Debug)]
pub(crate) struct Sampler {
    pub(crate) engine: Engine,
    /// A place on the file system that may fill up.
    pub(crate) disk: PathBuf,
}

impl Sampler {
    /// The node now, with what its router says.
    ///
    /// # Errors
    /// When Linux does not tell.
    pub(crate) async fn sample(
        &self,
        platform: &str,
        router: Option<RouterSample>,
    ) -> Result<NodeSample, MachineError> {
        let instances = self.instances(platform).await;
        Ok(NodeSample { machine: MachineSample::measure(&self.disk)?, router, instances })
    }

    async fn instances(&self, platform: &str) -> Option<Vec<InstanceUsage>> {
        // It knows the containers of both drivers.
        let usage = ambo_scheduler_swarm::instances_usage(&self.engine, platform);
        let late = |_| Err(SchedulerError::EngineDown { source: "no answer in time".into() });
        match tokio::time::timeout(ENGINE_DURATION_MAX, usage).await.unwrap_or_else(late) {
            Ok(instances) => Some(instances),
            Err(error) => {
                tracing::info!(error = %ambo_controller::chain(&error), "the instances cannot be measured");
                None
            }
        }
    }
}

/// What a router says.
pub(crate) fn sample_of_router(router: &RouterHandle, counts: &RequestCounts) -> RouterSample {
    RouterSample { requests: counts.sample(), uncounted: router.access_dropped() }
}
