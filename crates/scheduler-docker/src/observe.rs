//! What runs: one list, and a closer look only at containers about which the list does not say enough.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ambo_engine_docker::EngineError;
use ambo_engine_docker::bollard::Docker;
use ambo_engine_docker::bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary, ContainerSummaryStateEnum, EndpointSettings,
};
use ambo_engine_docker::bollard::query_parameters::{InspectContainerOptions, ListContainersOptions};
use ambo_model::{Instance, InstanceId, InstanceState, Timestamp, WorkloadId};
use ambo_scheduler::SchedulerError;
use futures::{StreamExt, TryStreamExt};
use parking_lot::Mutex;

use crate::driver::Driver;
use crate::failure::failed;
use crate::labels::{self, Identity, Kind};
use crate::status;

/// Closer looks side by side.
const INSPECTS_MAX: usize = 16;
/// An instance that was restarted and has been up for less than this is crashing.
const STEADY_AFTER: Duration = Duration::from_secs(10);
/// A container that is younger than this is looked at closely each time: it may have restarted within the words of a list.
const YOUNG: Duration = Duration::from_secs(15);

/// What closer looks have shown, by container.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    seen: Mutex<HashMap<String, Sighting>>,
}

/// What a closer look shows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sighting {
    phase: Phase,
    started_at: Option<Timestamp>,
    restarts: u32,
    /// Of the last exit that was seen.
    exit_code: Option<i32>,
    address: Option<IpAddr>,
}

/// Docker's states, as far as they differ to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Created,
    Up,
    Restarting,
    Down,
    Leaving,
}

/// A container of ours.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) instance: Instance,
    pub(crate) phase: Phase,
    /// In Docker's words.
    pub(crate) status: String,
    /// Seconds since the Unix epoch.
    pub(crate) created_at: i64,
}

impl Driver {
    pub(crate) async fn instances_observe(&self) -> Result<Vec<Instance>, SchedulerError> {
        let observed = self.observe(Kind::Instance, None).await?;
        Ok(observed.into_iter().map(|observed| observed.instance).collect())
    }

    /// Our containers of a kind; of one workload only, when given.
    pub(crate) async fn observe(
        &self,
        kind: Kind,
        workload: Option<&WorkloadId>,
    ) -> Result<Vec<Observed>, SchedulerError> {
        let docker = self.docker().await?;
        let filters = Some(labels::filters(&self.settings.platform, kind, workload));
        let options = ListContainersOptions { all: true, filters, ..Default::default() };
        let listed = docker.list_containers(Some(options)).await.map_err(failed("list instances"))?;
        if kind == Kind::Instance && workload.is_none() {
            self.sightings.forget_all_but(&listed);
        }
        let node = &self.info().await?.node;
        let looks = listed.into_iter().map(|summary| self.look(&docker, node, summary));
        let looks = futures::stream::iter(looks).buffered(INSPECTS_MAX);
        looks.try_filter_map(|observed| std::future::ready(Ok(observed))).try_collect().await
    }

    async fn look(
        &self,
        docker: &Docker,
        node: &str,
        summary: ContainerSummary,
    ) -> Result<Option<Observed>, SchedulerError> {
        let (Some(id), Some(labels)) = (&summary.id, &summary.labels) else { return Ok(None) };
        let Some(identity) = Identity::from_labels(labels) else {
            tracing::warn!(container = %id, "passing over a container with this platform's label and without the others");
            return Ok(None);
        };
        let sighting = match self.sightings.still_true(id, &summary, Timestamp::now()) {
            Some(sighting) => sighting,
            None => {
                match docker.inspect_container(id, None::<InspectContainerOptions>).await.map_err(EngineError::from) {
                    Ok(inspected) => self.sightings.record(id, &inspected),
                    Err(error) if error.is_not_found() => return Ok(None),
                    Err(error) => return Err(failed(format!("look at instance {id}"))(error)),
                }
            }
        };
        let is_stopping = self.stopping.lock().contains_key(id);
        let port = identity.port;
        let state = sighting.state(is_stopping, Timestamp::now());
        let mut instance = identity.instance(InstanceId::new(id.as_str()), node, state);
        instance.restarts = sighting.restarts;
        instance.started_at = sighting.started_at.filter(|_| sighting.phase == Phase::Up);
        instance.endpoint = sighting.address.zip(port).map(|(address, port)| SocketAddr::new(address, port));
        Ok(Some(Observed {
            instance,
            phase: sighting.phase,
            status: summary.status.unwrap_or_default(),
            created_at: summary.created.unwrap_or_default(),
        }))
    }
}

impl Sightings {
    /// What is known of a listed container, when the list suffices or agrees with an earlier look.
    fn still_true(&self, id: &str, summary: &ContainerSummary, now: Timestamp) -> Option<Sighting> {
        let words = summary.status.as_deref().unwrap_or_default();
        let phase = Phase::listed(summary.state?);
        let known = self.seen.lock().get(id).cloned();
        match phase {
            Phase::Created | Phase::Leaving | Phase::Down => Some(Sighting {
                phase,
                started_at: None,
                restarts: known.map_or(0, |known| known.restarts),
                exit_code: status::exit_code(words),
                address: None,
            }),
            Phase::Restarting => None,
            Phase::Up => {
                let known = known.filter(|known| known.phase == Phase::Up)?;
                let age = Duration::try_from(now.duration_since(known.started_at?)).ok()?;
                let networks = summary.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
                let is_known = age >= YOUNG && status::agrees(words, age);
                is_known.then(|| Sighting { address: address(networks), ..known })
            }
        }
    }

    fn record(&self, id: &str, inspected: &ContainerInspectResponse) -> Sighting {
        let state = inspected.state.as_ref();
        let phase = Phase::inspected(state.and_then(|state| state.status));
        let networks = inspected.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
        let mut seen = self.seen.lock();
        let exit_code = match phase {
            // Docker forgets the last exit when it starts again.
            Phase::Up => seen.get(id).and_then(|known| known.exit_code),
            _ => state.and_then(|state| state.exit_code).and_then(|code| i32::try_from(code).ok()),
        };
        let started_at = state.and_then(|state| state.started_at.as_deref()?.parse::<Timestamp>().ok());
        let sighting = Sighting {
            phase,
            // A container that never started has started in the year one.
            started_at: started_at.filter(|at| *at > Timestamp::UNIX_EPOCH),
            restarts: inspected.restart_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
            exit_code,
            address: address(networks).filter(|_| phase == Phase::Up),
        };
        seen.insert(id.to_owned(), sighting.clone());
        sighting
    }

    fn forget_all_but(&self, listed: &[ContainerSummary]) {
        let ids: std::collections::HashSet<&str> = listed.iter().filter_map(|summary| summary.id.as_deref()).collect();
        self.seen.lock().retain(|id, _| ids.contains(id.as_str()));
    }
}

impl Sighting {
    fn state(&self, is_stopping: bool, now: Timestamp) -> InstanceState {
        let exit_code = self.exit_code;
        match self.phase {
            _ if is_stopping => InstanceState::Stopping,
            Phase::Created => InstanceState::Starting,
            Phase::Restarting => InstanceState::Crashed { exit_code },
            Phase::Down => InstanceState::Exited { exit_code },
            Phase::Leaving => InstanceState::Stopping,
            Phase::Up => {
                let age = self.started_at.and_then(|at| Duration::try_from(now.duration_since(at)).ok());
                let is_steady = self.restarts == 0 || age.is_some_and(|age| age >= STEADY_AFTER);
                if is_steady { InstanceState::Running } else { InstanceState::Crashed { exit_code } }
            }
        }
    }
}

impl Phase {
    fn listed(state: ContainerSummaryStateEnum) -> Self {
        match state {
            ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::PAUSED => Self::Up,
            ContainerSummaryStateEnum::RESTARTING => Self::Restarting,
            ContainerSummaryStateEnum::EXITED | ContainerSummaryStateEnum::DEAD => Self::Down,
            ContainerSummaryStateEnum::REMOVING | ContainerSummaryStateEnum::STOPPING => Self::Leaving,
            ContainerSummaryStateEnum::CREATED | ContainerSummaryStateEnum::EMPTY => Self::Created,
        }
    }

    pub(crate) fn inspected(state: Option<ContainerStateStatusEnum>) -> Self {
        match state {
            Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED) => Self::Up,
            Some(ContainerStateStatusEnum::RESTARTING) => Self::Restarting,
            Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD) => Self::Down,
            Some(ContainerStateStatusEnum::REMOVING | ContainerStateStatusEnum::STOPPING) => Self::Leaving,
            Some(ContainerStateStatusEnum::CREATED | ContainerStateStatusEnum::EMPTY) | None => Self::Created,
        }
    }
}

/// The address on the one network that an instance is on.
fn address(networks: Option<&HashMap<String, EndpointSettings>>) -> Option<IpAddr> {
    networks?.values().find_map(|endpoint| endpoint.ip_address.as_deref()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(age_seconds: i64, restarts: u32, now: Timestamp) -> Sighting {
        let started_at = Timestamp::from_second(now.as_second() - age_seconds).ok();
        Sighting { phase: Phase::Up, started_at, restarts, exit_code: Some(1), address: None }
    }

    fn summary(status: &str) -> ContainerSummary {
        ContainerSummary {
            state: Some(ContainerSummaryStateEnum::RUNNING),
            status: Some(status.to_owned()),
            ..Default::default()
        }
    }

    #[test]
    fn an_instance_that_was_restarted_a_moment_ago_is_crashed() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(up(3, 2, now).state(false, now), InstanceState::Crashed { exit_code: Some(1) });
        assert_eq!(up(30, 2, now).state(false, now), InstanceState::Running);
        assert_eq!(up(3, 0, now).state(false, now), InstanceState::Running);
        assert_eq!(up(30, 0, now).state(true, now), InstanceState::Stopping);
    }

    #[test]
    fn a_container_is_looked_at_again_when_the_list_disagrees_with_what_is_known() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let sightings = Sightings::default();
        assert_eq!(sightings.still_true("a", &summary("Up 2 minutes"), now), None, "never seen");
        sightings.seen.lock().insert("a".to_owned(), up(130, 0, now));
        assert!(sightings.still_true("a", &summary("Up 2 minutes"), now).is_some());
        assert_eq!(sightings.still_true("a", &summary("Up 3 seconds"), now), None, "restarted since");
        sightings.seen.lock().insert("a".to_owned(), up(3, 0, now));
        assert_eq!(sightings.still_true("a", &summary("Up 3 seconds"), now), None, "young");
    }
}
