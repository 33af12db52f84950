//! Stopping: all at once, each with its grace period; what is gone already is no error.

use std::time::Duration;

use ambo_engine_docker::EngineError;
use ambo_engine_docker::bollard::query_parameters::StopContainerOptions;
use ambo_model::{INSTANCES_MAX, InstanceId, WorkloadId};
use ambo_scheduler::SchedulerError;
use futures::StreamExt;

use crate::driver::Driver;
use crate::failure::failed;
use crate::labels::Kind;

impl Driver {
    pub(crate) async fn workload_remove(&self, workload: &WorkloadId, grace: Duration) -> Result<(), SchedulerError> {
        let ids: Vec<InstanceId> = {
            // Whoever is starting instances of it finishes first, so that none is overlooked.
            let _alone = self.workloads.lock(workload).await;
            let observed = self.observe(Kind::Instance, Some(workload)).await?;
            observed.into_iter().map(|observed| observed.instance.id).collect()
        };
        self.instances_stop(&ids, grace).await
    }

    pub(crate) async fn instances_stop(&self, ids: &[InstanceId], grace: Duration) -> Result<(), SchedulerError> {
        let stops = ids.iter().cloned().map(|id| async move { self.instance_stop(&id, grace).await });
        let results: Vec<_> = futures::stream::iter(stops).buffer_unordered(INSTANCES_MAX as usize).collect().await;
        results.into_iter().collect()
    }

    async fn instance_stop(&self, instance: &InstanceId, grace: Duration) -> Result<(), SchedulerError> {
        match self.container(instance).await {
            Ok(_) => {}
            Err(SchedulerError::InstanceGone(_)) => return Ok(()),
            Err(error) => return Err(error),
        }
        let _stopping = Stopping::begin(self, instance.as_str());
        let docker = self.engine.client_with_timeout(grace).await.map_err(failed("reach the engine"))?;
        let options = StopContainerOptions { signal: None, t: Some(whole_seconds(grace)) };
        match docker.stop_container(instance.as_str(), Some(options)).await.map_err(EngineError::from) {
            Ok(()) => self.container_remove(&docker, instance.as_str()).await,
            Err(error) if error.is_not_found() => Ok(()),
            // Somebody is removing it.
            Err(error) if error.is_conflict() => self.container_remove(&docker, instance.as_str()).await,
            Err(error) => Err(failed(format!("stop instance {instance}"))(error)),
        }
    }
}

/// Docker counts grace periods in whole seconds; a part of one counts as one.
fn whole_seconds(grace: Duration) -> i32 {
    let seconds = grace.as_secs() + u64::from(grace.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// Marks a container as being stopped while it lives.
struct Stopping<'a> {
    driver: &'a Driver,
    id: String,
}

impl<'a> Stopping<'a> {
    fn begin(driver: &'a Driver, id: &str) -> Self {
        *driver.stopping.lock().entry(id.to_owned()).or_default() += 1;
        Self { driver, id: id.to_owned() }
    }
}

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        let mut stopping = self.driver.stopping.lock();
        if let Some(count) = stopping.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                stopping.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_period_is_never_cut() {
        assert_eq!(whole_seconds(Duration::from_millis(1500)), 2);
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::MAX - Duration::from_secs(1)), i32::MAX);
    }
}
