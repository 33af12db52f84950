//! What running instances use, as the engine counts it.

use std::collections::HashMap;
use std::time::Duration;

use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::models::{ContainerMemoryStats, ContainerStatsResponse, ContainerSummary};
use ambo_engine_docker::bollard::query_parameters::{ListContainersOptions, StatsOptions};
use ambo_engine_docker::{Engine, EngineError};
use ambo_model::{ByteSize, InstanceId, InstanceUsage};
use ambo_scheduler::SchedulerError;
use futures::{StreamExt, TryStreamExt};

use crate::failure::failed;
use crate::labels::{self, Identity};

/// Instances that are asked about side by side.
const ASKED_MAX: usize = 8;

/// How the labels of a container tell who it is.
pub type Identify = fn(&HashMap<String, String>) -> Option<Identity>;

/// The usage of every instance of a platform that runs on an engine now, one-off runs included; `identify` is
/// [`Identity::from_labels`] where this driver made the containers.
///
/// # Errors
/// When the engine does not answer.
pub async fn instances_usage(
    engine: &Engine,
    platform: &str,
    identify: Identify,
) -> Result<Vec<InstanceUsage>, SchedulerError> {
    let docker = engine.client().await.map_err(failed("reach the engine"))?;
    let filters = HashMap::from([("label".to_owned(), vec![labels::platform_filter(platform)])]);
    let options = ListContainersOptions { filters: Some(filters), ..Default::default() };
    let running = docker.list_containers(Some(options)).await.map_err(failed("list instances"))?;
    let asked = running.into_iter().map(|summary| one(&docker, summary, identify));
    let asked = futures::stream::iter(asked).buffered(ASKED_MAX);
    asked.try_filter_map(|usage| std::future::ready(Ok(usage))).try_collect().await
}

/// None when it is no instance, or has just ended.
async fn one(
    docker: &Docker,
    summary: ContainerSummary,
    identify: Identify,
) -> Result<Option<InstanceUsage>, SchedulerError> {
    let (Some(id), Some(labels)) = (summary.id, summary.labels) else { return Ok(None) };
    let Some(identity) = identify(&labels) else { return Ok(None) };
    // Not a second time, after a second, as for a rate: what grows is told as it is.
    let options = StatsOptions { stream: false, one_shot: true };
    let answer = docker.stats(&id, Some(options)).boxed().next().await;
    match answer.transpose().map_err(EngineError::from) {
        Ok(stats) => Ok(stats.map(|stats| usage(&id, identity, stats))),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(failed(format!("measure instance {id}"))(error)),
    }
}

fn usage(id: &str, identity: Identity, stats: ContainerStatsResponse) -> InstanceUsage {
    let cpu = stats.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage);
    let memory = stats.memory_stats.unwrap_or_default();
    let networks = stats.networks.unwrap_or_default();
    InstanceUsage {
        id: InstanceId::new(id),
        workload: identity.workload,
        app_name: identity.app_name,
        index: identity.index,
        cpu: Duration::from_nanos(cpu.unwrap_or(0)),
        memory: ByteSize::bytes(memory_held(&memory)),
        memory_max: ByteSize::bytes(memory.limit.unwrap_or(0)),
        received: ByteSize::bytes(networks.values().filter_map(|network| network.rx_bytes).sum()),
        sent: ByteSize::bytes(networks.values().filter_map(|network| network.tx_bytes).sum()),
    }
}

/// Less the files that were not touched of late, as `docker stats` shows it. Their count has a name of its own in each version
/// of control groups.
fn memory_held(memory: &ContainerMemoryStats) -> u64 {
    let stats = memory.stats.as_ref();
    let count = |name: &str| stats.and_then(|stats| stats.get(name)).copied();
    let files = count("total_inactive_file").or_else(|| count("inactive_file")).unwrap_or(0);
    memory.usage.unwrap_or(0).saturating_sub(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_the_kernel_would_give_up_are_not_held() {
        let memory = |stats: &[(&str, u64)]| ContainerMemoryStats {
            usage: Some(1000),
            stats: Some(stats.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()),
            ..Default::default()
        };
        assert_eq!(memory_held(&memory(&[("total_inactive_file", 300), ("inactive_file", 200)])), 700);
        assert_eq!(memory_held(&memory(&[("inactive_file", 200)])), 800);
        assert_eq!(memory_held(&memory(&[])), 1000);
        assert_eq!(memory_held(&ContainerMemoryStats::default()), 0);
    }
}
