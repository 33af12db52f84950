//! What is known of instances beyond the engine's view: who is healthy, who is being drained, what is rolling out.
//!
//! In memory only: after a restart everything here is found out anew.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use ambo_model::{Instance, InstanceId, Timestamp, WorkloadId};
use parking_lot::Mutex;
use tokio::time::Instant;

#[derive(Debug, Default)]
struct Health {
    healthy: bool,
    failures: u32,
    asked: Option<Instant>,
    /// Since when it has been asked without ever having been healthy.
    unproven: Option<Instant>,
    /// Which start of the instance this is about.
    start: (u32, Option<Timestamp>),
}

/// What a failed answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not healthy yet, or a failure that may pass.
    Waiting,
    /// Too many failures in a row, or too long without ever an answer: out of rotation, and to be restarted.
    Unhealthy,
}

#[derive(Debug, Default)]
struct State {
    health: HashMap<InstanceId, Health>,
    draining: HashSet<InstanceId>,
    rolling_out: HashMap<WorkloadId, usize>,
    retiring: HashSet<WorkloadId>,
    /// Whether every instance has been asked since the start.
    asked_all: bool,
}

/// The board.
#[derive(Debug, Default, Clone)]
pub(crate) struct Board {
    state: Arc<Mutex<State>>,
}

/// Keeps a rollout's workloads from being taken for leftovers; ends when dropped.
#[derive(Debug)]
pub(crate) struct RollingOut {
    state: Arc<Mutex<State>>,
    workloads: Vec<WorkloadId>,
}

impl Drop for RollingOut {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        for workload in &self.workloads {
            if let Some(count) = state.rolling_out.get_mut(workload) {
                *count -= 1;
                if *count == 0 {
                    state.rolling_out.remove(workload);
                }
            }
        }
    }
}

/// Keeps instances out of the routes while they are drained; ends when dropped.
#[derive(Debug)]
pub(crate) struct Draining {
    state: Arc<Mutex<State>>,
    instances: Vec<InstanceId>,
    workload: Option<WorkloadId>,
}

impl Drop for Draining {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        for instance in &self.instances {
            state.draining.remove(instance);
        }
        if let Some(workload) = &self.workload {
            state.retiring.remove(workload);
        }
    }
}

impl Board {
    /// Marks workloads as being rolled out.
    pub(crate) fn rollout_begin(&self, workloads: impl Iterator<Item = WorkloadId>) -> RollingOut {
        let workloads: Vec<_> = workloads.collect();
        let mut state = self.state.lock();
        for workload in &workloads {
            *state.rolling_out.entry(workload.clone()).or_default() += 1;
        }
        drop(state);
        RollingOut { state: self.state.clone(), workloads }
    }

    /// Whether a rollout is at this workload.
    pub(crate) fn rolls_out(&self, workload: &WorkloadId) -> bool {
        self.state.lock().rolling_out.contains_key(workload)
    }

    /// The workloads that are being rolled out now.
    pub(crate) fn rolling_out(&self) -> BTreeSet<WorkloadId> {
        self.state.lock().rolling_out.keys().cloned().collect()
    }

    /// Takes instances out of rotation until they are gone. Those that are on their way out already are left alone.
    pub(crate) fn drain_begin(&self, instances: impl Iterator<Item = InstanceId>) -> Option<Draining> {
        let mut state = self.state.lock();
        let instances: Vec<_> = instances.filter(|instance| state.draining.insert(instance.clone())).collect();
        drop(state);
        (!instances.is_empty()).then(|| Draining { state: self.state.clone(), instances, workload: None })
    }

    /// The same for a whole workload; `None` when somebody is at it already.
    pub(crate) fn retire_begin(
        &self,
        workload: &WorkloadId,
        instances: impl Iterator<Item = InstanceId>,
    ) -> Option<Draining> {
        let mut state = self.state.lock();
        if !state.retiring.insert(workload.clone()) {
            return None;
        }
        let instances: Vec<_> = instances.filter(|instance| state.draining.insert(instance.clone())).collect();
        drop(state);
        Some(Draining { state: self.state.clone(), instances, workload: Some(workload.clone()) })
    }

    /// The instances that are on their way out now.
    pub(crate) fn draining(&self) -> HashSet<InstanceId> {
        self.state.lock().draining.clone()
    }

    /// Whether an instance is on its way out.
    pub(crate) fn drains(&self, instance: &InstanceId) -> bool {
        self.state.lock().draining.contains(instance)
    }

    /// The instances of which something is known.
    pub(crate) fn known(&self) -> HashSet<InstanceId> {
        self.state.lock().health.keys().cloned().collect()
    }

    /// Whether an instance has answered since it was last started, and not failed too often since.
    pub(crate) fn is_healthy(&self, instance: &Instance) -> bool {
        let state = self.state.lock();
        state.health.get(&instance.id).is_some_and(|health| health.healthy && health.start.0 == instance.restarts)
    }

    /// Notes that a round of health checks is over. True for the first one.
    pub(crate) fn health_round_over(&self) -> bool {
        !std::mem::replace(&mut self.state.lock().asked_all, true)
    }

    /// Whether there was a round of health checks, without which nothing is known of any instance.
    pub(crate) fn knows_health(&self) -> bool {
        self.state.lock().asked_all
    }

    /// Puts an instance into rotation.
    pub(crate) fn healthy(&self, instance: &InstanceId) -> bool {
        let mut state = self.state.lock();
        let health = state.health.entry(instance.clone()).or_default();
        health.failures = 0;
        health.unproven = None;
        health.asked = Some(Instant::now());
        !std::mem::replace(&mut health.healthy, true)
    }

    /// Notes a failed answer of an instance.
    pub(crate) fn failed(&self, instance: &InstanceId, failures_max: u32, start: Duration) -> Verdict {
        let mut state = self.state.lock();
        let health = state.health.entry(instance.clone()).or_default();
        health.asked = Some(Instant::now());
        health.failures += 1;
        let unproven = *health.unproven.get_or_insert_with(Instant::now);
        let lost = health.healthy && health.failures >= failures_max;
        if lost || (!health.healthy && unproven.elapsed() >= start) {
            *health = Health { start: health.start, ..Health::default() };
            return Verdict::Unhealthy;
        }
        Verdict::Waiting
    }

    /// The instances that are to be asked now: those not healthy yet at once, the others when their interval has passed.
    /// Forgets those that were known before the observation and are not in it; one that was started again must prove itself
    /// again.
    pub(crate) fn due(
        &self,
        known: &HashSet<InstanceId>,
        observed: &[Instance],
        interval: impl Fn(&Instance) -> Duration,
    ) -> Vec<Instance> {
        let mut state = self.state.lock();
        let ids: HashSet<&InstanceId> = observed.iter().map(|instance| &instance.id).collect();
        state.health.retain(|id, _| ids.contains(id) || !known.contains(id));
        let mut due = Vec::new();
        for instance in observed.iter().filter(|instance| instance.is_running()) {
            let start = (instance.restarts, instance.started_at);
            let health = state.health.entry(instance.id.clone()).or_default();
            if health.start != start {
                // A rollout finds first starts healthy, and does not note their time.
                health.healthy &= health.start == (instance.restarts, None);
                health.start = start;
                health.unproven = None;
            }
            if !health.healthy || health.asked.is_none_or(|asked| asked.elapsed() >= interval(instance)) {
                due.push(instance.clone());
            }
        }
        due
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ambo_model::{AppId, AppName, InstanceState, ProcessType, ReleaseVersion};

    use super::*;

    const START: Duration = Duration::from_secs(60);

    /// One that runs, and has no address.
    pub(crate) fn instance() -> Instance {
        let workload =
            WorkloadId { app: AppId::new(), release: ReleaseVersion(1), process: ProcessType::web(), generation: 0 };
        Instance {
            id: InstanceId::new("i"),
            workload,
            app_name: AppName::parse("shop").unwrap(),
            index: 1,
            state: InstanceState::Running,
            endpoint: None,
            node: "n1".to_owned(),
            restarts: 0,
            started_at: Some(Timestamp::UNIX_EPOCH),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_healthy_instance_may_fail_fewer_times_than_the_maximum() {
        let (board, known) = (Board::default(), instance());
        let instance = known.id.clone();
        assert!(board.healthy(&instance));
        assert_eq!(board.failed(&instance, 2, START), Verdict::Waiting);
        assert!(!board.healthy(&instance), "it was in rotation all the time");
        assert_eq!(board.failed(&instance, 2, START), Verdict::Waiting);
        assert_eq!(board.failed(&instance, 2, START), Verdict::Unhealthy);
        assert!(!board.is_healthy(&known));
    }

    #[test]
    fn what_was_healthy_before_it_crashed_has_to_answer_again() {
        let (board, before) = (Board::default(), instance());
        board.healthy(&before.id);
        assert!(board.is_healthy(&before));
        let state = InstanceState::Crashed { exit_code: Some(1) };
        let after = Instance { state, restarts: 1, ..before };
        assert!(!board.is_healthy(&after));
        assert_eq!(board.due(&HashSet::new(), std::slice::from_ref(&after), |_| START), std::slice::from_ref(&after));
        board.healthy(&after.id);
        assert!(board.is_healthy(&after));
    }

    #[tokio::test(start_paused = true)]
    async fn an_instance_that_never_answers_is_given_its_time_to_start() {
        let (board, instance) = (Board::default(), InstanceId::new("i"));
        assert_eq!(board.failed(&instance, 2, START), Verdict::Waiting);
        tokio::time::advance(START - Duration::from_secs(1)).await;
        assert_eq!(board.failed(&instance, 2, START), Verdict::Waiting);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(board.failed(&instance, 2, START), Verdict::Unhealthy);
    }

    #[test]
    fn an_instance_is_drained_by_one_at_a_time() {
        let (board, instance) = (Board::default(), InstanceId::new("i"));
        let first = board.drain_begin(std::iter::once(instance.clone()));
        assert!(first.is_some() && board.drains(&instance));
        assert!(board.drain_begin(std::iter::once(instance.clone())).is_none());
        drop(first);
        assert!(!board.drains(&instance));
    }
}
